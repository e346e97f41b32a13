package chart_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vitalog/chart"
	"vitalog/fhir"
)

// lookAtAll is Search without indices: it looks at every resource.
func lookAtAll(t *testing.T, c *chart.Chart, resourceType string, query map[string][]string) (out []*chart.Version) {
	t.Helper()
	s, by, err := fhir.ParseQuery(resourceType, query)
	if err != nil {
		t.Fatalf("%s?%v: %v", resourceType, query, err)
	}
	keys := map[*chart.Version]fhir.Key{}
	for r := range c.All() {
		v := r.Current()
		as := identity(v)
		if s.Matches(v.Item.Resource(), as) {
			keys[v] = by.Key(v.Item.Resource(), as)
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *chart.Version) int { return by.Compare(keys[a], keys[b]) })
	return out
}

// identity is what readers call v.
func identity(v *chart.Version) fhir.Identity {
	return fhir.Identity{ID: v.Item.ID, Updated: v.Updated(), Ref: func(from string) string {
		if i := slices.IndexFunc(v.Item.Refs, func(r chart.Ref) bool { return r.From == from }); i >= 0 {
			return v.Item.Refs[i].To
		}
		return from
	}}
}

// leaves are the texts within a resource, references as readers see them.
func leaves(t *testing.T, v *chart.Version) (texts, refs []string) {
	var walk func(name string, x any)
	walk = func(name string, x any) {
		switch x := x.(type) {
		case map[string]any:
			for name, e := range x {
				walk(name, e)
			}
		case []any:
			for _, e := range x {
				walk(name, e)
			}
		case string:
			if name == "reference" {
				refs = append(refs, x)
			} else if x != "" && len(x) < 200 {
				texts = append(texts, x)
			}
		}
	}
	var x any
	if err := json.Unmarshal(v.Render(""), &x); err != nil {
		t.Fatal(err)
	}
	walk("", x)
	slices.Sort(texts)
	slices.Sort(refs)
	return texts, refs
}

// condition is a random one about what v holds, "" if v has nothing for it.
func condition(t *testing.T, rnd *rand.Rand, v *chart.Version) (name, value string) {
	texts, refs := leaves(t, v)
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace
	name = pick(fhir.SearchParams(v.Item.Type)...)
	switch {
	case name == "_content", name == "_text", fhir.ParamType(v.Item.Type, name) == "composite":
		return "", ""
	case rnd.IntN(12) == 0 && name != "_id" && name != "_lastUpdated":
		return name + ":missing", pick("true", "false")
	case name == "_id":
		return name, pick(v.Item.ID, v.Item.ID+",r1,r2")
	case name == "_lastUpdated":
		return name, pick("", "ge", "lt", "ne") + v.Updated().Format(pick("2006-01-02T15:04:05.000Z", "2006-01-02T15:04Z", "2006-01-02", "2006"))
	}
	switch fhir.ParamType(v.Item.Type, name) {
	case "number", "quantity":
		return "", ""
	case "token":
		return name + pick("", "", "", ":not"), pick("", "", "http://loinc.org|", "http://snomed.info/sct|", "|", "final,") + escape(pick(texts...))
	case "uri":
		return name, escape(pick(texts...))
	case "string":
		word := []rune(pick(texts...))
		return name + pick("", ":exact", ":contains"), escape(pick(string(word), string(word[:1+rnd.IntN(len(word))]), strings.ToUpper(string(word))))
	case "reference":
		if len(refs) == 0 {
			return "", ""
		}
		ref := pick(refs...)
		if x := fhir.ParseReference(ref); x.ID != "" {
			return name, pick(x.Type+"/"+x.ID, x.ID)
		}
		return name, ref
	}
	var dates []string
	for _, s := range texts {
		if _, err := fhir.ParseDate(s, false); err == nil {
			dates = append(dates, s, s[:4])
			if len(s) > 10 {
				dates = append(dates, s[:10])
			}
		}
	}
	if len(dates) == 0 {
		return "", ""
	}
	return name, pick("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap") + pick(dates...)
}

func TestASearchFindsWhatAScanOfAllResourcesFinds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	all := synthetic(t, 5000)
	for _, i := range rnd.Perm(len(all))[:300] { // later records amend it by what another was, or delete it
		x := all[i].Content.Items[0]
		y := chart.Item{Type: x.Type, ID: x.ID, Status: chart.Deleted, Supersedes: []uint64{all[i].Entry}}
		if from := all[rnd.IntN(5000)].Content.Items[0]; from.Type == x.Type {
			y.Status, y.Raw, y.Refs = chart.Active, from.Raw, from.Refs
		}
		all = append(all, write(t, hospital, uint64(len(all)), y))
	}
	searched, found := 0, 0
	compare := func(c *chart.Chart, n int) {
		t.Helper()
		resources := slices.Collect(c.All())
		for range n {
			query := map[string][]string{}
			v := resources[rnd.IntN(len(resources))].Current()
			for want := 1 + rnd.IntN(3); len(query) < want; {
				name, value := condition(t, rnd, v)
				if one, err := fhir.ParseSearch(v.Item.Type, map[string][]string{name: {value}}); err != nil {
					continue // text that this parameter doesn't take
				} else if one.Matches(v.Item.Resource(), identity(v)) || rnd.IntN(40) == 0 {
					query[name] = append(query[name], value)
				}
			}
			if rnd.IntN(3) == 0 {
				query["_sort"] = []string{[]string{"_lastUpdated", "-_lastUpdated", "_id"}[rnd.IntN(3)]}
			}
			got, err := c.Search(v.Item.Type, query)
			if err != nil {
				t.Fatal(err)
			}
			if want := lookAtAll(t, c, v.Item.Type, query); !slices.EqualFunc(got, want, func(a, b *chart.Version) bool { return a.Item.ID == b.Item.ID && a.ID() == b.ID() }) {
				t.Fatalf("%s?%v: got %d, want %d", v.Item.Type, query, len(got), len(want))
			}
			searched++
			found += min(1, len(got))
		}
	}
	// A chart that grows while it is searched, and its branches.
	c := chart.Fold(all[:4000])
	compare(c, 60)
	one := c.With(all[4990:])
	for given := 4000; given < len(all); given += 65 {
		c = c.With(all[given:min(given+65, len(all))])
		compare(c, 4)
	}
	compare(one, 40)
	if found < searched/2 {
		t.Errorf("%d searches, of which %d found something", searched, found)
	}
}

func TestAChartMayBeSearchedWhileItGrows(t *testing.T) {
	all := synthetic(t, 1200)
	c := chart.Fold(all[:1000])
	done := make(chan error)
	for range 4 {
		go func() {
			for n := range 40 {
				if found, err := c.With(all[1000:1000+5*n]).Search("Observation", map[string][]string{"status": {"final"}, "date": {"ge1900"}}); err != nil || len(found) == 0 {
					done <- fmt.Errorf("found %d, %v", len(found), err)
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
