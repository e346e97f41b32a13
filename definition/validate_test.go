package definition_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/definition"
	"vitalog/fhir"
	"vitalog/hl7"
	"vitalog/synthetic"
)

func parse(t testing.TB, raw string) *fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(raw))
	if r == nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return r
}

// found are the findings of a resource as lines of severity, code, rule, place and element. That it has no narrative is left out.
func found(r *fhir.Resource, kind func(string) string) (out []string) {
	for _, f := range definition.Validate(r, kind) {
		if f.Rule != "dom-6" {
			out = append(out, strings.Join(strings.Fields(strings.Join([]string{string(f.Severity), f.Code, f.Rule, f.Element}, " ")), " "))
		}
	}
	return out
}

// Cases are in testdata/findings.txt: a resource, and under it what is found.
func TestWhatIsFoundInAResource(t *testing.T) {
	raw, err := os.ReadFile("testdata/findings.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c := range strings.SplitSeq(string(raw), "\n\n") {
		lines := strings.Split(strings.TrimSpace(c), "\n")
		name, resource, want := strings.TrimPrefix(lines[0], "# "), lines[1], lines[2:]
		n++
		t.Run(name, func(t *testing.T) {
			got := found(parse(t, resource), nil)
			if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
				t.Errorf("%s\ngot  %s\nwant %s", resource, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		})
	}
	if n < 50 {
		t.Errorf("%d cases were read", n)
	}
}

func TestEveryTypeOfResourceIsKnown(t *testing.T) {
	for _, kind := range fhir.Types() {
		if got := found(parse(t, `{"resourceType":"`+kind+`","colour":1}`), nil); !slices.Contains(got, "error structure "+kind) {
			t.Errorf("%s with an element that no type has: got %q", kind, got)
		}
	}
}

func TestAFindingSaysLineAndColumn(t *testing.T) {
	r := parse(t, "{\n  \"resourceType\": \"Patient\",\n  \"name\": [{\n    \"family\": \"Ünal\", \"given\": [\"A\", 7]\n  }],\n  \"birthDate\": \"31/12/1980\"\n}")
	var got [][2]int
	for _, f := range definition.Validate(r, nil) {
		if f.Rule != "dom-6" {
			got = append(got, [2]int{f.Line, f.Column})
		}
	}
	if len(got) != 2 || got[0] != [2]int{4, 39} || got[1] != [2]int{6, 16} {
		t.Errorf("got %v, want line 4, column 39 (in bytes) and line 6, column 16", got)
	}
}

func TestAFindingMovesToWhereTheResourceStands(t *testing.T) {
	r := parse(t, "{\"resourceType\":\"Patient\",\"active\":1,\n\"gendre\":\"x\"}")
	all := definition.Validate(r, nil)
	var got []string
	for i := range all {
		if f := &all[i]; f.Rule != "dom-6" {
			f.Under("Bundle.entry[3].resource", 12, 7)
			b, _ := json.Marshal([]any{f.Element, f.Line, f.Column})
			got = append(got, string(b))
		}
	}
	if want := `["Bundle.entry[3].resource.active",12,42] ["Bundle.entry[3].resource",13,1]`; strings.Join(got, " ") != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestFindingsQuoteNoValues(t *testing.T) {
	r := parse(t, `{"resourceType":"Patient","gender":"SECRET","birthDate":"SECRET","active":"SECRET","name":["SECRET"],"SECRET of a patient":1,"telecom":[{"value":"SECRET","system":"SECRET"}],
		"managingOrganization":{"reference":"#SECRET"},"text":{"status":"SECRET","div":"<script>SECRET</script>"}}`)
	all := definition.Validate(r, nil)
	if len(all) < 8 {
		t.Fatalf("found %d things", len(all))
	}
	for _, f := range all {
		if issue := fhir.Outcome(f.Issue()); bytes.Contains(issue, []byte("SECRET")) {
			t.Errorf("told: %s", issue)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	all := definition.Validate(parse(t, `{"resourceType":"Patient","name":[`+strings.Repeat(`{"x":1},`, 100_000)+`{}]}`), nil)
	if len(all) != definition.MaxFindings || !strings.Contains(all[len(all)-1].Text, "more findings") {
		t.Errorf("got %d findings, the last: %+v", len(all), all[len(all)-1])
	}
}

func TestReferencesWithinABundleLeadToWhatTheCallerKnows(t *testing.T) {
	r := parse(t, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:1"},"encounter":{"reference":"urn:uuid:2"}}`)
	got := found(r, func(ref string) string {
		return map[string]string{"urn:uuid:1": "Patient", "urn:uuid:2": "Patient"}[ref]
	})
	if len(got) != 1 || got[0] != "error value Observation.encounter" {
		t.Errorf("got %q", got)
	}
}

// beside are the files of a kind that lie beside the repository. Without them the tests that need them are skipped, except where CI says that
// they must be there.
func beside(tb testing.TB, pattern string) (all [][]byte) {
	files, err := filepath.Glob("../../shared/data/" + pattern)
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("no %s in ../shared/data", pattern)
		}
		tb.Skipf("no %s in ../shared/data", pattern)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

// entries are the resources of a bundle.
func entries(tb testing.TB, bundle []byte) (all []*fhir.Entry) {
	if _, err := fhir.ReadBundle(bytes.NewReader(bundle), func(e *fhir.Entry) error {
		all = append(all, e)
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return all
}

// samples are the resources of the synthetic bundles that lie beside the repository.
func samples(tb testing.TB) (all []*fhir.Resource) {
	for _, bundle := range beside(tb, "fhir/*/*.json") {
		for _, e := range entries(tb, bundle) {
			all = append(all, e.Resource)
		}
	}
	return all
}

// valid tells how many resources a bundle has, of which none may have any fault, its references to each other neither.
func valid(t *testing.T, bundle []byte) int {
	t.Helper()
	all, kinds := entries(t, bundle), map[string]string{}
	for _, e := range all {
		kinds[e.FullURL] = e.Resource.Type()
	}
	for _, e := range all {
		if got := found(e.Resource, func(ref string) string { return kinds[ref] }); len(got) > 0 {
			t.Errorf("%s: %q", e.Resource.Raw(), got)
		}
	}
	return len(all)
}

func TestEveryResourceOfTheSamplesIsValid(t *testing.T) {
	n := 0
	for _, bundle := range beside(t, "fhir/*/*.json") {
		n += valid(t, bundle)
	}
	if n < 20_000 {
		t.Errorf("held %d resources, want the samples' 21,000", n)
	}
}

func TestWhatHL7MessagesSayIsValid(t *testing.T) {
	n := 0
	for _, raw := range beside(t, "hl7v2/*/*.hl7") {
		m, err := hl7.Parse(raw)
		if err != nil {
			continue // hl7's own tests say which
		}
		c, why := hl7.Read(m, hl7.Settings{Member: "St. Elena", Processing: []string{"P", "T", "D"}})
		if why != nil {
			continue
		}
		if bundle, _, why := c.Bundle(hl7.Known{}); why == nil && bundle != nil {
			n += valid(t, bundle)
		}
	}
	if n < 50 {
		t.Errorf("held %d resources", n)
	}
}

// Typical are the resources of all samples, of 2.4 kB in the middle.
func BenchmarkValidate(b *testing.B) {
	all := samples(b)
	size := 0
	for _, r := range all {
		size += len(r.Raw())
	}
	definition.Validate(all[0], nil)
	b.ReportAllocs()
	b.SetBytes(int64(size / len(all)))
	i := 0
	for b.Loop() {
		definition.Validate(all[i%len(all)], nil)
		i++
	}
}

// What the table takes is measured once, by what stays reachable.
func TestTheTableIsSmall(t *testing.T) {
	before, after := runtime.MemStats{}, runtime.MemStats{}
	runtime.GC()
	runtime.ReadMemStats(&before)
	table := definition.Decoded()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if took := int64(after.HeapAlloc) - int64(before.HeapAlloc); took > 4<<20 {
		t.Errorf("the table takes %d bytes", took)
	} else {
		t.Logf("the table takes %d bytes", took)
	}
	runtime.KeepAlive(table)
}

func TestEveryResourceOfSyntheticPatientsIsValid(t *testing.T) {
	n := 0
	for _, p := range synthetic.Patients(1, 20, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)) {
		for _, b := range p.Batches {
			n += valid(t, b.Bundle)
		}
	}
	t.Logf("held %d resources", n)
}
