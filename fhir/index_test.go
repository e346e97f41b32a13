package fhir_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/fhir"
)

// observations have few different values, so that searches meet their edges: open, inverted, overlapping and sub-second periods, one code
// in two systems, names that begin alike.
func observations(t *testing.T, rnd *rand.Rand, n int) (out []*fhir.Resource) {
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	for range n {
		b := `{"resourceType":"Observation","status":` + pick(`"final"`, `"amended"`, `"FINAL"`)
		b += `,"code":{"coding":[{"system":"` + pick("a", "b") + `","code":"` + pick("x", "y", "z") + `"},{"code":"` + pick("x", "w") + `"}]}`
		b += `,"subject":{"reference":"` + pick("urn:uuid:1", "Patient/p", "Group/p", "#p", "https://b.example/fhir/Patient/p", "Patient/p/_history/2", "Patient?identifier=https://a|p") + `"}`
		b += pick("", `,"valueString":"`+pick("", "Übel", "über", "uebersetzt", "x", "ÜBERALL", "übe", "İx")+`"`)
		switch rnd.IntN(5) {
		case 0:
			b += `,"effectiveDateTime":"` + pick(times...) + `"`
		case 1:
			b += `,"effectivePeriod":{"start":"` + pick(times...) + `"}`
		case 2:
			b += `,"effectivePeriod":{"end":"` + pick(times...) + `"}`
		case 3:
			b += `,"effectivePeriod":{"start":"` + pick(times...) + `","end":"` + pick(times...) + `"}`
		}
		out = append(out, parse(t, b+"}"))
	}
	return out
}

var times = []string{"0001", "0001-01-01T00:00:00+14:00", "2020", "2020-01", "2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.001Z",
	"2020-02-29", "2020-12-31T23:59:59Z", "2020-12-31T23:59:59.999Z", "2021", "2021-01-01T00:00:00+02:00", "9999", "9999-12-31T23:59:59-14:00"}

func TestAnIndexLeavesOutNothingThatMatches(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	all := observations(t, rnd, 400)
	as := func(n int) fhir.Identity {
		i := known
		i.ID, i.Updated = fmt.Sprint("o", n), time0.Add(time.Duration(n)*1300*time.Millisecond)
		return i
	}
	index := fhir.NewIndex(len(all), func(yield func(int, *fhir.Resource, fhir.Identity)) {
		for n, r := range all {
			yield(n, r, as(n))
		}
	})
	queries := []string{"status=final", "status:not=final", "status:missing=true", "code=x", "code=a|x", "code=|x", "code=a|", "code=v,w", "code=a|x,|w", "code:not=x", "combo-code=y",
		"patient=p", "patient=q", "subject=p", "subject=Patient/p", "subject=Group/p", "subject:Group=p", "subject=https://b.example/fhir/Patient/p", "subject=urn:uuid:1", "subject=Patient?identifier=https://a|p",
		"subject:missing=false", "value-string=ü", "value-string=Über", "value-string=überalles", "value-string=x", "value-string=i", "value-string:exact=Übel", "value-string:exact=übel", "value-string:contains=B", "value-string=ü,x",
		"_id=o7", "_id=o7,o9", "_id=theirs", "_id=|o7", "_lastUpdated=2026-03-01T09:30", "_lastUpdated=gt2026-03-01T09:34:00", "_lastUpdated=2026-03-01T09:30:01.300Z", "code=x&status=final&patient=p", "code=w&date=ge2020&date=lt2021"}
	for _, prefix := range []string{"", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"} {
		for _, at := range times {
			queries = append(queries, "date="+prefix+at, "code=x&date="+prefix+at)
		}
	}
	narrowed, kept, matches := 0, 0, 0
	for _, q := range queries {
		s := search(t, "Observation", q)
		set, ok := index.Narrow(s)
		if !ok {
			continue
		}
		narrowed++
		kept += set.Len()
		in := slices.Collect(set.All())
		for n, r := range all {
			if !s.Matches(r, as(n)) {
				continue
			}
			matches++
			if _, ok := slices.BinarySearch(in, n); !ok {
				t.Errorf("%s leaves out %s", q, r.Raw())
			}
		}
	}
	if narrowed < len(queries)*3/4 || kept > 3*matches {
		t.Errorf("%d of %d searches were narrowed, to %d resources for %d that match", narrowed, len(queries), kept, matches)
	}
	if !index.Used() {
		t.Error("the index says that it wasn't used")
	}
}

func TestAnIndexSaysWhenItCannotTell(t *testing.T) {
	all := observations(t, rand.New(rand.NewPCG(2, 2)), 100)
	index := fhir.NewIndex(len(all), func(yield func(int, *fhir.Resource, fhir.Identity)) { t.Error("read the resources") })
	for _, q := range strings.Fields("status:not=final status:missing=true value-string:contains=x date=ne2020 code=a| code=x,a|") {
		if set, ok := index.Narrow(search(t, "Observation", q)); ok {
			t.Errorf("%s: got %v", q, set)
		}
	}
}
