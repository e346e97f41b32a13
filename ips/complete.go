package ips

import (
	"bytes"
	"strings"

	"vitalog/fhir"
)

// unknown says that an element has a value that nobody told.
const unknown = `{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}`

// need is an element that IPS needs: one of names, or else absent is written.
type need struct{ names, absent string }

var needs = map[string][]need{
	"Patient":             {{"name", `"name":[{"_text":` + unknown + `}]`}, {"birthDate", `"_birthDate":` + unknown}},
	"Condition":           {{"code", `"code":` + unknown}},
	"AllergyIntolerance":  {{"code", `"code":` + unknown}},
	"Medication":          {{"code", `"code":` + unknown}},
	"MedicationStatement": {{"effectiveDateTime effectivePeriod", `"_effectiveDateTime":` + unknown}},
	"DiagnosticReport":    {{"effectiveDateTime effectivePeriod", `"_effectiveDateTime":` + unknown}},
	"Procedure": {{"code", `"code":` + unknown},
		{"performedDateTime performedPeriod performedString performedAge performedRange", `"_performedDateTime":` + unknown}},
	"DeviceUseStatement": {{"timingDateTime timingPeriod timingTiming", `"_timingDateTime":` + unknown}},
	"Organization":       {{"name", `"_name":` + unknown}},
	"Practitioner":       {{"name", `"name":[{"_text":` + unknown + `}]`}},
	"Observation": {{"effectiveDateTime effectivePeriod effectiveInstant effectiveTiming", `"_effectiveDateTime":` + unknown},
		{"valueQuantity valueCodeableConcept valueString valueBoolean valueInteger valueRange valueRatio valueSampledData valueTime valueDateTime valuePeriod component hasMember dataAbsentReason",
			`"dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"unknown"}]}`}},
}

var performer = need{"performer", `"performer":[` + unknown + `]`}

// complete is a resource with what IPS needs of its type, as far as it isn't said.
func complete(r *fhir.Resource) []byte {
	lacks := needs[r.Type()]
	if r.Type() == "Observation" && is(r, "category", "laboratory", "imaging") {
		lacks = append(lacks[:len(lacks):len(lacks)], performer)
	}
	raw := r.Raw()
	out := raw
	for _, n := range lacks {
		if says(fhir.Value(raw), n.names) {
			continue
		}
		out = bytes.TrimRight(bytes.Clone(out), " \t\r\n")
		out = append(out[:len(out)-1], ","+n.absent+"}"...)
	}
	return out
}

// says tells whether a resource has one of the elements, or says why it hasn't.
func says(v fhir.Value, names string) bool {
	for _, name := range strings.Fields(names) {
		if v.Get(name) != nil || v.Get("_"+name) != nil {
			return true
		}
	}
	return false
}
