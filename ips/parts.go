package ips

import (
	"slices"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/section"
)

// part is a section of the document, and what of the chart is in it.
type part struct {
	code, display, title string // LOINC's code and name
	required             bool
	newest               bool // of each code only the newest
	types                []string
	takes                func(v *chart.Version, r *fhir.Resource) bool
}

// The codes of LOINC that are a part's whatever their category.
const pregnancyStatus, tobacco, alcohol = "82810-3", "72166-2", "74013-4"

var pregnancyOutcomes = []string{"11636-8", "11637-6", "11638-4", "11639-2", "11640-0", "11612-9", "11613-7", "11614-5", "33065-4"}

var parts = []part{
	{"11450-4", "Problem list - Reported", "Problem List", true, false, []string{"Condition"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return is(r, "clinicalStatus", "", "active", "recurrence", "relapse")
	}},
	{"48765-2", "Allergies and adverse reactions Document", "Allergies and Intolerances", true, false, []string{"AllergyIntolerance"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return is(r, "clinicalStatus", "", "active")
	}},
	{"10160-0", "History of Medication use Narrative", "Medication Summary", true, false, []string{"MedicationStatement", "MedicationRequest"}, takesMedication},
	{"11369-6", "History of Immunization note", "Immunizations", false, false, []string{"Immunization"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return is(r, "status", "completed")
	}},
	{"30954-2", "Relevant diagnostic tests/laboratory data note", "Results", false, true, []string{"Observation", "DiagnosticReport"}, func(v *chart.Version, r *fhir.Resource) bool {
		if r.Type() == "DiagnosticReport" {
			return (v.Section == section.Labs || v.Section == section.Imaging) &&
				is(r, "status", "registered", "partial", "preliminary", "final", "amended", "corrected", "appended")
		}
		return observes(r) == "results"
	}},
	{"47519-4", "History of Procedures Document", "History of Procedures", false, true, []string{"Procedure"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return is(r, "status", "completed", "in-progress", "on-hold", "stopped")
	}},
	{"46264-8", "History of medical device use", "Medical Devices", false, false, []string{"DeviceUseStatement"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return is(r, "status", "active", "intended", "on-hold")
	}},
	{"8716-3", "Vital signs note", "Vital Signs", false, true, []string{"Observation"}, func(_ *chart.Version, r *fhir.Resource) bool { return observes(r) == "vitals" }},
	{"29762-2", "Social history note", "Social History", false, true, []string{"Observation"}, func(_ *chart.Version, r *fhir.Resource) bool { return observes(r) == "social" }},
	{"10162-6", "History of pregnancies Narrative", "History of Pregnancy", false, true, []string{"Observation"}, func(_ *chart.Version, r *fhir.Resource) bool { return observes(r) == "pregnancy" }},
	{"42348-3", "Advance healthcare directives", "Advance Directives", false, false, []string{"Consent"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return is(r, "status", "active") && is(r, "scope", "adr")
	}},
	{"104605-1", "Alert", "Alerts", false, false, []string{"Flag"}, func(_ *chart.Version, r *fhir.Resource) bool { return is(r, "status", "active") }},
	{"11348-0", "History of Past illness note", "History of Past Problems", false, false, []string{"Condition"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return is(r, "clinicalStatus", "inactive", "remission", "resolved")
	}},
	{"18776-5", "Plan of care note", "Plan of Care", false, false, []string{"CarePlan", "ImmunizationRecommendation"}, func(_ *chart.Version, r *fhir.Resource) bool {
		return r.Type() == "ImmunizationRecommendation" || is(r, "status", "active")
	}},
}

// is tells whether one of the codes at a path is one of these; "" is that there is none.
func is(r *fhir.Resource, path string, codes ...string) bool {
	have := r.Codings(path)
	if len(have) == 0 {
		return slices.Contains(codes, "")
	}
	return slices.ContainsFunc(have, func(c fhir.Coding) bool { return slices.Contains(codes, c.Code) })
}

func takesMedication(_ *chart.Version, r *fhir.Resource) bool {
	if r.Type() == "MedicationStatement" {
		return is(r, "status", "active", "intended", "on-hold", "unknown")
	}
	return is(r, "status", "active", "on-hold", "unknown") && !is(r, "doNotPerform", "true") &&
		is(r, "intent", "order", "original-order", "reflex-order", "filler-order", "instance-order", "plan")
}

// observes is which part an Observation is of, "" if it is of none.
func observes(r *fhir.Resource) string {
	switch {
	case !is(r, "status", "registered", "preliminary", "final", "amended", "corrected"):
		return ""
	case is(r, "category", "vital-signs"):
		return "vitals"
	case is(r, "code", pregnancyStatus) || is(r, "code", pregnancyOutcomes...):
		return "pregnancy"
	case is(r, "category", "social-history") || is(r, "code", tobacco, alcohol):
		return "social"
	case is(r, "category", "laboratory", "imaging"):
		return "results"
	}
	return ""
}

// wrong tells whether a version is one that was never true.
func wrong(v *chart.Version, r *fhir.Resource) bool {
	return v.Item.Status == chart.EnteredInError || is(r, "status", "entered-in-error") || is(r, "verificationStatus", "entered-in-error", "refuted")
}
