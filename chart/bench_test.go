package chart_test

import (
	"fmt"
	"strings"
	"testing"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/section"
)

// asReaders names what synthetic bundles refer to.
func asReaders(from string) string { return strings.Replace(from, "urn:uuid:", "Patient/", 1) }

// synthetic are n records of one resource each, as if all samples were about one patient.
func synthetic(tb testing.TB, n int) []chart.Opened {
	var out []chart.Opened
	for _, file := range samples(tb) {
		each(tb, file, func(e *fhir.Entry) {
			if len(out) < n {
				x := chart.Item{Type: e.Resource.Type(), ID: fmt.Sprint("r", len(out)), Status: chart.Active, Raw: e.Resource.Raw(), Refs: chart.Refs(e.Resource, asReaders)}
				out = append(out, write(tb, hospital, uint64(len(out)), x))
			}
		})
	}
	return out
}

// records are n encoded contents of three resources each, which are the samples' over and over.
func records(b *testing.B, n int) (out [][]byte, bytes int) {
	var all []*fhir.Resource
	for _, file := range samples(b) {
		each(b, file, func(e *fhir.Entry) { all = append(all, e.Resource) })
	}
	for i := range n {
		c := &chart.Content{}
		for j := range 3 {
			r := all[(3*i+j)%len(all)]
			c.Items = append(c.Items, chart.Item{Type: r.Type(), ID: fmt.Sprint("r", 3*i+j), Status: chart.Active, Raw: r.Raw(), Refs: chart.Refs(r, asReaders)})
		}
		if err := c.Sign(hospital, rid); err != nil {
			b.Fatal(err)
		}
		raw, err := c.Encode()
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, raw)
		bytes += len(raw)
	}
	return out, bytes
}

func decode(b *testing.B, raw [][]byte) (out []chart.Opened) {
	for i, r := range raw {
		c, err := chart.DecodeContent(r)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, chart.Opened{Log: key.Log{byte(i % 12)}, Section: section.Section(1 + i%12), Entry: uint64(i), At: uint64(i), Content: c})
	}
	return out
}

// BenchmarkDecode5000 is the plaintext of 5000 records read, without the signatures.
func BenchmarkDecode5000(b *testing.B) {
	raw, bytes := records(b, 5000)
	b.SetBytes(int64(bytes))
	for b.Loop() {
		decode(b, raw)
	}
	b.ReportMetric(float64(b.N)*15_000/b.Elapsed().Seconds(), "resources/s")
}

func BenchmarkFold5000(b *testing.B) {
	raw, _ := records(b, 5000)
	opened := decode(b, raw)
	for b.Loop() {
		chart.Fold(opened)
	}
	b.ReportMetric(float64(b.N)*15_000/b.Elapsed().Seconds(), "resources/s")
}

// BenchmarkWithOne adds one record to a chart of 5000, and of one resource each to 10,000 that are searched after each.
func BenchmarkWithOne(b *testing.B) {
	raw, _ := records(b, 5001)
	opened := decode(b, raw)
	c := chart.Fold(opened[:5000])
	b.Run("added", func(b *testing.B) {
		for b.Loop() {
			c.With(opened[5000:])
		}
	})
	all := synthetic(b, 10_000)
	query := map[string][]string{"code": {"http://loinc.org|8302-2"}, "date": {"ge2015"}}
	b.Run("added and searched", func(b *testing.B) {
		c, n := chart.Fold(all[:8000]), 8000
		for b.Loop() {
			if n == len(all) {
				c, n = chart.Fold(all[:8000]), 8000
			}
			c, n = c.With(all[n:n+1]), n+1
			if _, err := c.Search("Observation", query); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSearch500(b *testing.B)   { benchmarkSearch(b, 500) }
func BenchmarkSearch10000(b *testing.B) { benchmarkSearch(b, 10_000) }

func benchmarkSearch(b *testing.B, n int) {
	c := chart.Fold(synthetic(b, n))
	for _, q := range []struct{ name, query string }{
		{"token", "code=http://loinc.org|8302-2"}, {"date", "date=2015"}, {"reference", "encounter=Patient/" + encounter(c)},
		{"combination", "code=http://loinc.org|8302-2&status=final&date=ge2015"}, {"all", ""}, {"all by date", "_sort=-date"}, {"all of a status", "status=final"},
	} {
		query := map[string][]string{}
		for _, p := range strings.Split(q.query, "&") {
			if name, value, ok := strings.Cut(p, "="); ok {
				query[name] = []string{value}
			}
		}
		b.Run(q.name, func(b *testing.B) {
			found := 0
			for b.Loop() {
				vs, err := c.Search("Observation", query)
				if err != nil {
					b.Fatal(err)
				}
				found = len(vs)
			}
			b.ReportMetric(float64(found), "found")
		})
	}
}

// encounter is one that an observation names.
func encounter(c *chart.Chart) string {
	for r := range c.All() {
		if r.Type == "Observation" && r.Current().Item.Resource().Encounter() != "" {
			return fhir.ParseReference(asReaders(r.Current().Item.Resource().Encounter())).ID
		}
	}
	return ""
}

// BenchmarkFirstSearch makes the indices that a combination of conditions needs.
func BenchmarkFirstSearch(b *testing.B) {
	all := synthetic(b, 10_000)
	for b.Loop() {
		b.StopTimer()
		c := chart.Fold(all)
		b.StartTimer()
		if _, err := c.Search("Observation", map[string][]string{"code": {"8302-2"}, "date": {"ge2015"}, "status": {"final"}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderEverything400(b *testing.B) {
	c := chart.Fold(synthetic(b, 400))
	bytes := 0
	for b.Loop() {
		bytes = 0
		for r := range c.All() {
			bytes += len(r.Current().Render(""))
		}
	}
	b.SetBytes(int64(bytes))
}
