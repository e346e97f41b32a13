package fhir_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"vitalog/fhir"
)

// samples are the synthetic bundles that lie beside the repository. Without them the tests that need them are skipped, except where CI
// says that they must be there.
func samples(tb testing.TB) []string {
	files, err := filepath.Glob("../../shared/data/fhir/*/*.json")
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			tb.Fatal("no sample bundles in ../shared/data/fhir")
		}
		tb.Skip("no sample bundles in ../shared/data/fhir")
	}
	return files
}

func entries(tb testing.TB, file string) (out []*fhir.Entry, raw []byte) {
	raw, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := fhir.ReadBundle(bytes.NewReader(raw), func(e *fhir.Entry) error {
		out = append(out, e)
		return nil
	}); err != nil {
		tb.Fatalf("%s: %v", filepath.Base(file), err)
	}
	return out, raw
}

func TestEveryResourceOfTheSamplesIsReadAndComesBackUnchanged(t *testing.T) {
	n := 0
	for _, file := range samples(t) {
		es, bundle := entries(t, file)
		for _, e := range es {
			n++
			r := e.Resource
			if !bytes.Contains(bundle, r.Raw()) {
				t.Fatalf("%s %s: not the bytes received", filepath.Base(file), e.Element())
			}
			same := r.Rewrite(r.ID(), nil, func(s string) string { return s })
			if !bytes.Equal(same, r.Raw()) {
				t.Fatalf("%s %s: rewriting with the same identity changed it", filepath.Base(file), e.Element())
			}
			other := r.Rewrite("another", r.Meta("7", time0), func(string) string { return "Patient/x" })
			if !fhir.SameButIdentity(r.Raw(), other) {
				t.Fatalf("%s %s: rewriting changed more than the identity", filepath.Base(file), e.Element())
			}
			again, err := fhir.Parse(other)
			if err != nil || again.ID() != "another" {
				t.Fatalf("%s %s: rewritten: %v, id %q", filepath.Base(file), e.Element(), err, again.ID())
			}
			again.References(func(s string) {
				if s != "Patient/x" {
					t.Fatalf("%s %s: a reference is still %q", filepath.Base(file), e.Element(), s)
				}
			})
		}
	}
	if n < 10_000 {
		t.Fatalf("read %d resources, want the samples' 20,000", n)
	}
}

func BenchmarkParse(b *testing.B) {
	es, _ := entries(b, samples(b)[3])
	size := 0
	for _, e := range es {
		size += len(e.Resource.Raw())
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range es {
			if _, err := fhir.Parse(e.Resource.Raw()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(es))*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
}

func BenchmarkReadBundle(b *testing.B) {
	_, raw := entries(b, samples(b)[3])
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := fhir.ReadBundle(bytes.NewReader(raw), func(*fhir.Entry) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
