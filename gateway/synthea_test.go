package gateway_test

import (
	"bytes"
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/definition"
	"vitalog/fhir"
	"vitalog/internal/testnet"
)

// samples are the smallest n synthetic bundles of a directory that lies beside the repository. Without it the tests that need them are
// skipped, except where CI says that it must be there.
func samples(t testing.TB, dir string, n int) (out [][]byte) {
	files, err := filepath.Glob(filepath.Join("../../shared/data/fhir", dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no sample bundles in ../shared/data/fhir")
		}
		t.Skip("no sample bundles in ../shared/data/fhir")
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "0-") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b []byte) int { return cmp.Compare(len(a), len(b)) })
	return out[:min(n, len(out))]
}

// Hospitals, practitioners and whole patients go in through one of four validators, and each resource comes back byte for byte.
func TestSyntheaBundlesComeBackWhole(t *testing.T) {
	d := desk{t, testnet.Start(t, 4, 0).Nodes[0], okafor}
	lists, err := filepath.Glob("../../shared/data/fhir/synthea-2021-uscore/0-*.json")
	if err != nil {
		t.Fatal(err)
	}
	bundles := append(samples(t, "synthea-2021-uscore", 2), samples(t, "synthea-2019", 2)...)
	for _, file := range lists { // hospitals, then practitioners
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range d.send(raw) {
			at, _, _ := strings.Cut(s.location, "/_history")
			if got := d.do("GET", "/"+at, "").want(t, http.StatusOK).body; s.new && !fhir.SameButIdentity(got, []byte(s.raw)) {
				t.Fatalf("%s came back as %.500s\nsent was %.500s", at, got, s.raw)
			}
		}
	}
	n, began := 0, time.Now()
	var sentAll [][]sent
	for _, raw := range bundles {
		all := d.send(raw)
		n += len(all)
		sentAll = append(sentAll, all)
	}
	t.Logf("%d resources taken at %.0f per second", n, float64(n)/time.Since(began).Seconds())
	for _, all := range sentAll {
		patient, _, _ := strings.Cut(all[slices.IndexFunc(all, func(s sent) bool { return strings.HasPrefix(s.location, "Patient/") })].location, "/_history")
		began := time.Now()
		b := readBundle(t, bytes.NewReader(d.do("GET", "/"+patient+"/$everything", "").want(t, http.StatusOK).body))
		t.Logf("%d resources opened in %v", len(b.Entry), time.Since(began).Round(time.Millisecond))
		began = time.Now()
		document, err := fhir.Parse(d.do("GET", "/"+patient+"/$summary", "").want(t, http.StatusOK).body)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("summary of %d bytes in %v", len(document.Raw()), time.Since(began).Round(time.Millisecond))
		for _, f := range definition.Validate(document, nil) {
			if i := f.Issue(); i.Severity == fhir.Failure {
				t.Errorf("summary: %s: %s", i.Element, i.Text)
			}
		}
		have := map[string][]byte{}
		for _, e := range b.Entry {
			have[strings.TrimPrefix(e.FullURL, d.node.Config.URL()+"/fhir/")] = e.Resource
		}
		for _, s := range all {
			at, _, _ := strings.Cut(s.location, "/_history")
			kind, _, _ := strings.Cut(at, "/")
			got, ok := have[at]
			if isDirectory := kind == "Organization" || kind == "Practitioner"; isDirectory && (!ok || !s.new) {
				continue // nothing of this patient refers to it, or what was listed before counts
			}
			if !fhir.SameButIdentity(got, []byte(s.raw)) {
				t.Fatalf("%s came back as %.500s\nsent was %.500s", at, got, s.raw)
			}
			fhirResource, err := fhir.Parse(got)
			if err != nil {
				t.Fatal(err)
			}
			fhirResource.References(func(ref string) {
				if p := fhir.ParseReference(ref); p.URN != "" || p.Query != "" {
					t.Errorf("%s still refers to %s", at, ref)
				}
			})
		}
	}
}
