package fhir

import (
	"bytes"
	"strings"
)

// Coding is a code and the system that it is of.
type Coding struct{ System, Code string }

// Identifier is a business identifier: a number that an organisation gave.
type Identifier struct{ System, Value string }

// String is the identifier as a search token, system|value.
func (i Identifier) String() string { return i.System + "|" + i.Value }

// Codings are the codes at a path such as "code", "category", "class" or "meta.security": of CodeableConcepts, of Codings, or plain codes,
// which have no system. Several paths are separated by |.
func (r *Resource) Codings(paths string) []Coding {
	var out []Coding
	r.eachOf(paths, func(v []byte) bool {
		out = appendCodings(out, v)
		return true
	})
	return out
}

func appendCodings(out []Coding, v []byte) []Coding {
	eachCoding(v, func(system, code []byte) bool {
		out = append(out, Coding{text(system), plain(code)})
		return true
	})
	return out
}

// eachCoding calls f with the system and the code of each code that v is or has, as they stand in JSON, until f returns false. A nil one is
// missing.
func eachCoding(v []byte, f func(system, code []byte) bool) {
	if v[0] != '{' {
		if v[0] != '[' && v[0] != 'n' && string(v) != `""` {
			f(nil, v)
		}
		return
	}
	if list := find(v, "coding"); list != nil {
		descend(list, "", func(c []byte) bool { return c[0] != '{' || f(find(c, "system"), textOnly(find(c, "code"))) })
		return
	}
	for _, name := range []string{"code", "value"} { // value of an Identifier or a ContactPoint
		if code := textOnly(find(v, name)); len(code) > 2 {
			f(find(v, "system"), code)
			return
		}
	}
}

// textOnly is v if it is a string.
func textOnly(v []byte) []byte {
	if len(v) == 0 || v[0] != '"' {
		return nil
	}
	return v
}

// says tells whether a primitive as it stands in JSON is the text s. It makes no copy where nothing is escaped.
func says(v []byte, s string) bool {
	switch {
	case len(v) == 0:
		return s == ""
	case v[0] == '"' && bytes.IndexByte(v, '\\') < 0:
		return string(v[1:len(v)-1]) == s
	}
	return plain(v) == s
}

// plain is a primitive's value: a string's text, a boolean or number as it stands.
func plain(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	switch v[0] {
	case '"':
		return unquote(v)
	case '{', '[', 'n':
		return ""
	}
	return string(v)
}

// Strings are the primitive values at paths.
func (r *Resource) Strings(paths string) []string {
	var out []string
	r.eachOf(paths, func(v []byte) bool {
		if s := plain(v); s != "" {
			out = append(out, s)
		}
		return true
	})
	return out
}

// eachOf is each for several paths separated by |.
func (r *Resource) eachOf(paths string, f func(v []byte) bool) {
	for more := true; more && paths != ""; {
		var path string
		path, paths, _ = strings.Cut(paths, "|")
		r.each(path, func(v []byte) bool {
			more = f(v)
			return more
		})
	}
}

// Identifiers are the resource's own business identifiers.
func (r *Resource) Identifiers() []Identifier {
	var out []Identifier
	r.each("identifier", func(v []byte) bool {
		if value := text(find(v, "value")); value != "" {
			out = append(out, Identifier{text(find(v, "system")), value})
		}
		return true
	})
	return out
}

// Security are the security labels of the resource and of everything within it: contained resources, and a Bundle's entries.
func (r *Resource) Security() []Coding {
	return r.Codings("meta.security|contained.meta.security|entry.resource.meta.security|entry.resource.contained.meta.security")
}

// patientPaths are where a type names the patient, where that is neither subject nor patient.
var patientPaths = map[string]string{
	"Appointment":            "participant.actor",
	"AppointmentResponse":    "actor",
	"AuditEvent":             "entity.what",
	"Contract":               "subject",
	"Coverage":               "beneficiary",
	"EnrollmentRequest":      "candidate",
	"Person":                 "link.target",
	"Provenance":             "target",
	"ResearchSubject":        "individual",
	"SupplyRequest":          "deliverTo",
	"Task":                   "for",
	"VerificationResult":     "target",
	"ResearchStudy":          "",
	"CommunicationRequest":   "subject",
	"DeviceMetric":           "",
	"PaymentNotice":          "",
	"PaymentReconciliation":  "",
	"Linkage":                "item.resource",
	"Group":                  "member.entity",
	"Schedule":               "actor",
	"Medication":             "",
	"ImmunizationEvaluation": "patient",
}

// PatientPaths are the paths by which a type refers to its patient, separated by |.
func PatientPaths(resourceType string) string {
	if p, ok := patientPaths[resourceType]; ok {
		return p
	}
	return "subject|patient"
}

// Subject is the reference to the patient that the resource is about, as it was received: "Patient/1", "urn:uuid:…",
// "Patient?identifier=…". It is "" for a Patient and for a resource that names none.
func (r *Resource) Subject() string { return r.firstReference(PatientPaths(r.kind)) }

// Encounter is the reference to the encounter in which the resource came about, "" if it names none.
func (r *Resource) Encounter() string { return r.firstReference(encounterPaths) }

const encounterPaths = "encounter|context|context.encounter|item.encounter"

// firstReference prefers a reference to a Patient where a path may hold others, and else takes the first that isn't contained.
func (r *Resource) firstReference(paths string) (ref string) {
	r.eachOf(paths, func(v []byte) bool {
		s := text(find(v, "reference"))
		if s == "" || s[0] == '#' {
			return true
		}
		if t := ParseReference(s).Type; t == "Patient" || t == "Encounter" {
			ref = s
			return false
		}
		if ref == "" {
			ref = s
		}
		return true
	})
	return ref
}
