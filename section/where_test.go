package section_test

import (
	"slices"
	"testing"

	"vitalog/section"
)

func TestASearchOpensEverySectionThatATypeCanBeInAndNoOther(t *testing.T) {
	sensitive := []section.Section{section.MentalHealth, section.SubstanceUse, section.SexualHealth, section.HIV, section.Genetics}
	for _, c := range []struct {
		kind string
		want []section.Section
	}{
		{"Patient", []section.Section{section.Demographics}},
		{"Immunization", append([]section.Section{section.Immunizations}, sensitive...)},
		{"Observation", append([]section.Section{section.Summary, section.Labs, section.Vitals, section.Encounters, section.Procedures, section.Imaging,
			section.PatientGenerated}, sensitive...)},
		{"Practitioner", nil},
		{"Parameters", nil},
		{"Potion", nil},
	} {
		if got := section.Where(c.kind); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.kind, got, c.want)
		}
	}
}
