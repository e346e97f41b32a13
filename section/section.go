// Package section divides a chart: which section, and so which of the patient's logs, a FHIR resource belongs to.
//
// It promises that every resource type of FHIR R4 has one place that all members agree on, because consent is given by section. It
// refuses types that it doesn't know, and those that are messages and nobody's record: no place is better than a wrong one.
//
//	Of("Observation", category laboratory)                   labs
//	Of("Observation", category laboratory, label HIV)        hiv
//	Of("Practitioner")                                       the directory, in no patient's log
//
// See spec/sections.md.
package section

import (
	"errors"
	"fmt"
)

// Section is a part of the chart. The numbers are permanent: they stand in grant messages and derive keys.
type Section uint8

const (
	Demographics     Section = 1 // and contacts
	Summary          Section = 2 // problems, allergies, advance directives
	Medications      Section = 3
	Immunizations    Section = 4
	Labs             Section = 5
	Vitals           Section = 6
	Encounters       Section = 7 // and notes
	Procedures       Section = 8
	Imaging          Section = 9  // and documents
	PatientGenerated Section = 10 // and devices
	Coverage         Section = 11 // and claims
	CarePlans        Section = 12
	MentalHealth     Section = 13 // from here to 17 sensitive, reached by security label
	SubstanceUse     Section = 14
	SexualHealth     Section = 15 // and reproductive
	HIV              Section = 16
	Genetics         Section = 17
	Inbox            Section = 18 // requests that reach the patient
	Index            Section = 19 // the patient's own notes: who is behind which key
)

var names = [...]string{Demographics: "demographics", Summary: "summary", Medications: "medications", Immunizations: "immunizations",
	Labs: "labs", Vitals: "vitals", Encounters: "encounters", Procedures: "procedures", Imaging: "imaging", PatientGenerated: "patient-generated",
	Coverage: "coverage", CarePlans: "care-plans", MentalHealth: "mental-health", SubstanceUse: "substance-use", SexualHealth: "sexual-health",
	HIV: "hiv", Genetics: "genetics", Inbox: "inbox", Index: "index"}

// All are the nineteen sections in the order of their numbers.
func All() []Section { return upTo(Index) }

// Clinical are the sections that hold FHIR resources.
func Clinical() []Section { return upTo(Genetics) }

func upTo(last Section) []Section {
	out := make([]Section, last)
	for i := range out {
		out[i] = Section(i + 1)
	}
	return out
}

// Valid tells whether s is one of All.
func (s Section) Valid() bool { return s >= Demographics && s <= Index }

// Sensitive tells whether s is set apart: granted only by name, never by a preset.
func (s Section) Sensitive() bool { return s >= MentalHealth && s <= Genetics }

// String is the section's name, "labs".
func (s Section) String() string {
	if !s.Valid() {
		return fmt.Sprintf("section %d", uint8(s))
	}
	return names[s]
}

// Parse is the inverse of String.
func Parse(name string) (Section, error) {
	for i, n := range names {
		if n == name && n != "" {
			return Section(i), nil
		}
	}
	return 0, fmt.Errorf("section %q: want one of %v", name, All())
}

// Coding is a code and the system that it is of.
type Coding struct{ System, Code string }

// The ways in which a resource has no place.
var (
	ErrUnknown = errors.New("no resource type of FHIR R4")
	ErrMessage = errors.New("carries a request or an answer and is no record")
)

// Of is the place of a resource: a section, or the directory. It is given the type, what the resource says in category and in code, and
// its security labels (meta.security, of contained resources too). Labels come first, except for Patient, without which no
// section can be read, and for the directory, which is about no patient.
func Of(resourceType string, categories, codes, labels []Coding) (s Section, directory bool, err error) {
	rule, ok := table[resourceType]
	switch {
	case !ok:
		return 0, false, fmt.Errorf("%.64q: %w", resourceType, ErrUnknown)
	case rule.directory:
		return 0, true, nil
	case rule.section == 0:
		return 0, false, fmt.Errorf("%s: %w", resourceType, ErrMessage)
	case resourceType == "Patient":
		return Demographics, false, nil
	}
	if s := Labelled(labels...); s != 0 {
		return s, false, nil
	}
	for _, by := range []struct {
		codings []Coding
		rules   map[Coding]Section
	}{{categories, rule.category}, {codes, rule.code}} {
		for _, c := range by.codings {
			if s, ok := by.rules[c]; ok {
				return s, false, nil
			}
		}
	}
	return rule.section, false, nil
}

// Labelled is the sensitive section that security labels ask for, 0 if none does. Of several the one under the strictest law wins.
func Labelled(labels ...Coding) Section {
	best := len(strictest)
	for _, l := range labels {
		switch l.System {
		case actCode, actCodeOID, actCodeOld:
		default:
			continue
		}
		if s, ok := sensitivity[l.Code]; ok {
			for i, x := range strictest {
				if x == s {
					best = min(best, i)
				}
			}
		}
	}
	if best == len(strictest) {
		return 0
	}
	return strictest[best]
}
