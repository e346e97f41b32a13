package synthetic_test

import (
	"bytes"
	"testing"

	"vitalog/fhir"
	"vitalog/section"
	"vitalog/synthetic"
)

func TestEverySourceFillsItsSections(t *testing.T) {
	want := map[synthetic.Source][]section.Section{
		synthetic.Hospital: {section.Demographics, section.Summary, section.Medications, section.Immunizations, section.Vitals, section.Encounters, section.Procedures, section.MentalHealth},
		synthetic.Pharmacy: {section.Medications, section.MentalHealth},
		synthetic.Lab:      {section.Labs},
		synthetic.Wearable: {section.PatientGenerated},
		synthetic.Insurer:  {section.Coverage},
	}
	got := map[synthetic.Source]map[section.Section]int{}
	for _, p := range synthetic.Patients(1, everybody, today) {
		for i, b := range p.Batches {
			if got[b.Source] == nil {
				got[b.Source] = map[section.Section]int{}
			}
			kind, err := fhir.ReadBundle(bytes.NewReader(b.Bundle), func(e *fhir.Entry) error {
				s, directory, err := section.Of(e.Resource.Type(), codings(e.Resource.Codings("category")), codings(e.Resource.Codings("code")), codings(e.Resource.Security()))
				if err != nil || directory {
					t.Errorf("%s, batch %d: %s has no section: %v", p.MRN, i, e.Resource.Type(), err)
				}
				got[b.Source][s]++
				return nil
			})
			if err != nil || kind != "transaction" {
				t.Fatalf("%s, batch %d: %q %v", p.MRN, i, kind, err)
			}
		}
	}
	for source, sections := range want {
		for _, s := range sections {
			if got[source][s] == 0 {
				t.Errorf("the %v fills nothing in %v", source, s)
			}
			delete(got[source], s)
		}
		if len(got[source]) > 0 {
			t.Errorf("the %v also fills %v", source, got[source])
		}
	}
}

func codings(in []fhir.Coding) (out []section.Coding) {
	for _, c := range in {
		out = append(out, section.Coding{System: c.System, Code: c.Code})
	}
	return out
}
