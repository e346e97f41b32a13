package section_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"vitalog/section"
)

type vectors struct {
	Types map[string]string
	Cases []struct {
		Why, Type, Place         string
		Category, Code, Security [][2]string
	}
}

func read(t *testing.T) (v vectors) {
	raw, err := os.ReadFile("../spec/testdata/sections.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// place is Of in the words of the vectors.
func place(resourceType string, lists ...[][2]string) string {
	var args [3][]section.Coding
	for i, l := range lists {
		for _, c := range l {
			args[i] = append(args[i], section.Coding{System: c[0], Code: c[1]})
		}
	}
	switch s, directory, err := section.Of(resourceType, args[0], args[1], args[2]); {
	case err != nil:
		return "refused"
	case directory:
		return "directory"
	default:
		return s.String()
	}
}

func TestEveryTypeHasThePlaceThatTheSpecificationGivesIt(t *testing.T) {
	v := read(t)
	if len(v.Types) != 146 {
		t.Errorf("%d types, want R4's 146", len(v.Types))
	}
	for name, want := range v.Types {
		if got := place(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestCategoriesCodesAndLabelsDecideAsSpecified(t *testing.T) {
	for _, c := range read(t).Cases {
		if got := place(c.Type, c.Category, c.Code, c.Security); got != c.Place {
			t.Errorf("%s: %s %v %v %v: got %s, want %s", c.Why, c.Type, c.Category, c.Code, c.Security, got, c.Place)
		}
	}
}

func TestNumbersAndNamesArePermanent(t *testing.T) {
	want := []string{"demographics", "summary", "medications", "immunizations", "labs", "vitals", "encounters", "procedures", "imaging",
		"patient-generated", "coverage", "care-plans", "mental-health", "substance-use", "sexual-health", "hiv", "genetics", "inbox", "index"}
	all := section.All()
	if len(all) != len(want) || len(section.Clinical()) != 17 {
		t.Fatalf("%d sections, %d clinical, want 19 and 17", len(all), len(section.Clinical()))
	}
	for i, s := range all {
		back, err := section.Parse(want[i])
		if int(s) != i+1 || s.String() != want[i] || err != nil || back != s {
			t.Errorf("section %d: got %d %s, parsed %v %v, want %s", i+1, s, s, back, err, want[i])
		}
		if s.Sensitive() != (i+1 >= 13 && i+1 <= 17) {
			t.Errorf("%s: sensitive %t", s, s.Sensitive())
		}
	}
	for _, bad := range []string{"", "Labs", "lab", "section 0"} {
		if s, err := section.Parse(bad); err == nil {
			t.Errorf("%q: got %v", bad, s)
		}
	}
	if section.Section(0).Valid() || section.Section(20).Valid() {
		t.Error("0 or 20 is valid")
	}
}

func TestASearchOfTheSectionsWhereATypeCanBeMissesNone(t *testing.T) {
	v := read(t)
	for name, place := range v.Types {
		if in := section.Where(name); (len(in) == 0) != (place == "directory" || place == "refused") {
			t.Errorf("%s is in %s, searched in %v", name, place, in)
		}
	}
	for _, c := range v.Cases {
		in := section.Where(c.Type)
		if s, err := section.Parse(c.Place); err == nil && !slices.Contains(in, s) {
			t.Errorf("%s: a %s in %s is not searched: %v", c.Why, c.Type, s, in)
		}
	}
}
