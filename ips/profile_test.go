package ips_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/chart"
	"vitalog/definition"
	"vitalog/fhir"
	"vitalog/ips"
	"vitalog/key"
	"vitalog/section"
)

// mustHave are the elements that the profiles of IPS 2.0.0 give a minimum of one, where R4 doesn't. Names that stand together are one choice.
var mustHave = map[string][]string{
	"Patient":             {"name", "birthDate"},
	"Condition":           {"code", "subject.reference"},
	"AllergyIntolerance":  {"code", "patient.reference"},
	"MedicationRequest":   {"subject.reference"},
	"MedicationStatement": {"effectiveDateTime effectivePeriod", "subject.reference"},
	"Medication":          {"code"},
	"Immunization":        {"patient.reference"},
	"DiagnosticReport":    {"subject.reference", "effectiveDateTime effectivePeriod"},
	"Observation":         {"subject.reference", "effectiveDateTime effectivePeriod effectiveInstant effectiveTiming"},
	"Procedure":           {"code", "subject.reference", "performedDateTime performedPeriod performedString performedAge performedRange"},
	"DeviceUseStatement":  {"subject.reference", "timingDateTime timingPeriod timingTiming"},
	"Flag":                {"subject.reference"},
	"Organization":        {"name"},
	"Practitioner":        {"name"},
}

// sectionTypes are what IPS lets the entries of a section be.
var sectionTypes = map[string][]string{
	"11450-4": {"Condition"}, "48765-2": {"AllergyIntolerance"}, "10160-0": {"MedicationStatement", "MedicationRequest"}, "11369-6": {"Immunization"}, "30954-2": {"Observation", "DiagnosticReport"},
	"47519-4": {"Procedure"}, "46264-8": {"DeviceUseStatement"}, "8716-3": {"Observation"}, "29762-2": {"Observation"}, "10162-6": {"Observation"}, "42348-3": {"Consent"}, "104605-1": {"Flag"},
	"11348-0": {"Condition"}, "18776-5": {"CarePlan", "ImmunizationRecommendation"},
}

// has tells whether one of the elements is there, or the reason why it isn't.
func has(v fhir.Value, choice string) bool {
	return slices.ContainsFunc(strings.Fields(choice), func(name string) bool {
		first, rest, nested := strings.Cut(name, ".")
		if nested {
			return v.Get(first).Get(rest) != nil
		}
		return v.Get(name) != nil || v.Get("_"+name) != nil
	})
}

// profiled fails the test unless a document has what the profiles of IPS say.
func profiled(t *testing.T, raw []byte) {
	t.Helper()
	r, err := fhir.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range definition.Validate(r, nil) {
		if i := f.Issue(); i.Severity == fhir.Failure {
			t.Errorf("%s: %s", i.Element, i.Text)
		}
	}
	b := fhir.Value(raw)
	for _, name := range []string{"identifier", "timestamp"} {
		if !has(b, name) {
			t.Errorf("the Bundle has no %s", name)
		}
	}
	if b.Get("type").Text() != "document" {
		t.Errorf("the Bundle is a %s", b.Get("type"))
	}
	kinds, at := map[string]int{}, map[string]fhir.Value{}
	var first fhir.Value
	b.Get("entry").Each(func(e fhir.Value) bool {
		res, url := e.Get("resource"), e.Get("fullUrl").Text()
		kind := res.Get("resourceType").Text()
		if first == nil {
			first = res
		}
		if kinds[kind]++; url == "" || at[url] != nil || e.Get("search") != nil || e.Get("request") != nil || e.Get("response") != nil {
			t.Errorf("an entry of type %s has no fullUrl of its own, or more than belongs there", kind)
		}
		at[url] = res
		for _, choice := range mustHave[kind] {
			if !has(res, choice) {
				t.Errorf("%s lacks %s", url, choice)
			}
		}
		if kind == "Observation" && !has(res, "valueQuantity valueCodeableConcept valueString valueBoolean valueInteger valueRange valueRatio valueTime valueDateTime valuePeriod valueSampledData hasMember component dataAbsentReason") {
			t.Errorf("%s says nothing (ips-2)", url)
		}
		return true
	})
	if kinds["Composition"] != 1 || kinds["Patient"] != 1 || first.Get("resourceType").Text() != "Composition" {
		t.Fatalf("got %v, want one Composition, first, and one Patient", kinds)
	}
	if at[first.Get("subject").Get("reference").Text()].Get("resourceType").Text() != "Patient" {
		t.Error("the Composition's subject is not the Patient of the document")
	}
	for _, name := range []string{"status", "type", "date", "author", "title", "text", "custodian"} {
		if !has(first, name) {
			t.Errorf("the Composition has no %s", name)
		}
	}
	seen := map[string]int{}
	tobacco := 0
	first.Get("section").Each(func(s fhir.Value) bool {
		var code string
		s.Get("code").Get("coding").Each(func(c fhir.Value) bool { code = c.Get("code").Text(); return false })
		seen[code]++
		for _, name := range []string{"title", "code", "text"} {
			if !has(s, name) {
				t.Errorf("section %s has no %s", code, name)
			}
		}
		if (s.Get("entry") == nil) == (s.Get("emptyReason") == nil) || s.Get("section") != nil {
			t.Errorf("section %s has entries and a reason for none, or neither (ips-comp-1), or sections", code)
		}
		s.Get("entry").Each(func(e fhir.Value) bool {
			res := at[e.Get("reference").Text()]
			if !slices.Contains(sectionTypes[code], res.Get("resourceType").Text()) {
				t.Errorf("section %s has a %s", code, res.Get("resourceType"))
			}
			if code == "29762-2" && bytes.Contains(res.Get("code"), []byte(`"72166-2"`)) {
				tobacco++
			}
			return true
		})
		return true
	})
	for _, code := range []string{"11450-4", "48765-2", "10160-0"} {
		if seen[code] != 1 {
			t.Errorf("section %s stands %d times, want once", code, seen[code])
		}
	}
	if tobacco > 1 {
		t.Errorf("%d entries on tobacco, want at most one", tobacco)
	}
}

func TestADocumentHasWhatTheProfilesSay(t *testing.T) {
	profiled(t, whole(t).raw)
	profiled(t, compose(t, chartOf(t), nil).raw)
}

// synthea is the chart of a synthetic bundle, with references as a gateway resolves them, and what of it is the directory's.
func synthea(t testing.TB, raw []byte) (c *chart.Chart, patient string, listed map[string][]byte) {
	t.Helper()
	var b struct {
		Entry []struct {
			FullURL  string
			Resource json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	listed = map[string][]byte{}
	refs := map[string]string{}
	var resources []*fhir.Resource
	for _, e := range b.Entry {
		r, err := fhir.Parse(e.Resource)
		if err != nil {
			t.Fatal(err)
		}
		resources = append(resources, r)
		refs[e.FullURL] = r.Type() + "/" + r.ID()
	}
	content := map[section.Section]*chart.Content{}
	for _, r := range resources {
		var lists [2][]section.Coding
		for i, path := range []string{"category", "code"} {
			for _, c := range r.Codings(path) {
				lists[i] = append(lists[i], section.Coding(c))
			}
		}
		s, directory, err := section.Of(r.Type(), lists[0], lists[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		if directory {
			listed[r.Type()+"/"+r.ID()] = r.Raw()
			continue
		}
		if r.Type() == "Patient" {
			patient = r.ID()
		}
		used := map[string]string{}
		r.References(func(from string) {
			if to := refs[from]; to != "" {
				used[from] = to
			}
		})
		x := chart.Item{Type: r.Type(), ID: r.ID(), Status: chart.Active, Raw: r.Raw()}
		for _, from := range slices.Sorted(maps.Keys(used)) {
			x.Refs = append(x.Refs, chart.Ref{From: from, To: used[from]})
		}
		if content[s] == nil {
			content[s] = &chart.Content{}
		}
		content[s].Items = append(content[s].Items, x)
	}
	var opened []chart.Opened
	for s, c := range content {
		if err := c.Sign(key.NewSigning([32]byte{1}), key.Record{byte(s)}); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(ips.Sections(), s) {
			opened = append(opened, chart.Opened{Log: key.Log{byte(s)}, Section: s, Entry: 1, At: 1772357400000, Content: c})
		}
	}
	return chart.Fold(opened), patient, listed
}

func TestSummariesOfSyntheticPatientsHaveWhatTheProfilesSay(t *testing.T) {
	files, err := filepath.Glob("../../shared/data/fhir/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasPrefix(filepath.Base(file), "0-") }) // hospitals and practitioners
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no sample bundles in ../shared/data/fhir")
		}
		t.Skip("no sample bundles in ../shared/data/fhir")
	}
	size := func(file string) int64 {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	slices.SortFunc(files, func(a, b string) int { return int(size(a) - size(b)) })
	seen := map[string]bool{}
	for _, file := range files[:min(12, len(files))] {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, patient, listed := synthea(t, raw)
		s := ips.Summary{ID: [16]byte{1}, At: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Base: base, Member: "St. Elena", Patient: patient, Chart: c,
			Listed: func(kind, id string) []byte { return listed[kind+"/"+id] }}
		document, err := s.Document()
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { profiled(t, document) })
		for code := range sectionTypes {
			if bytes.Contains(document, []byte(`"code":"`+code+`"`)) {
				seen[code] = true
			}
		}
	}
	for _, code := range []string{"11450-4", "11369-6", "30954-2", "47519-4", "8716-3", "11348-0"} {
		if !seen[code] {
			t.Errorf("no summary of any patient has section %s", code)
		}
	}
}
