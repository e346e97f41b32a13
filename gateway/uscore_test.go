package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vitalog/internal/testnet"
)

// demand is a search that US Core wants of every server: the parameters of a type that are given together.
type demand struct {
	kind   string
	params []string
}

func (d demand) String() string { return d.kind + "?" + strings.Join(d.params, "&") }

// specification reads a file of US Core, which lies beside the repository.
func specification(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../shared/data/spec/hl7.fhir.us.core-3.1.0", name))
	switch {
	case os.IsNotExist(err) && os.Getenv("CI") != "true":
		t.Skip("no specification in ../shared/data/spec")
	case err != nil:
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// demands are the searches that the CapabilityStatement of US Core's servers marks with SHALL.
func demands(t testing.TB) (all []demand) {
	var s struct {
		Rest []struct {
			Resource []struct {
				Type      string
				Extension []struct {
					URL       string
					Extension []struct{ URL, ValueCode, ValueString string }
				}
				SearchParam []struct {
					Name      string
					Extension []struct{ ValueCode string }
				}
			}
		}
	}
	specification(t, "CapabilityStatement-us-core-server.json", &s)
	for _, r := range s.Rest[0].Resource {
		for _, p := range r.SearchParam {
			if p.Extension[0].ValueCode == "SHALL" {
				all = append(all, demand{r.Type, []string{p.Name}})
			}
		}
		for _, e := range r.Extension {
			d, shall := demand{kind: r.Type}, false
			for _, x := range e.Extension {
				shall = shall || x.ValueCode == "SHALL"
				if x.URL == "required" {
					d.params = append(d.params, x.ValueString)
				}
			}
			if shall && strings.HasSuffix(e.URL, "/capabilitystatement-search-parameter-combination") {
				all = append(all, d)
			}
		}
	}
	return all
}

// parameters are US Core's search parameters, by type and name.
func parameters(t testing.TB, all []demand) map[string]parameter {
	out := map[string]parameter{}
	for _, d := range all {
		for _, name := range d.params {
			var p parameter
			specification(t, "SearchParameter-us-core-"+strings.ToLower(d.kind)+"-"+strings.TrimPrefix(name, "_")+".json", &p)
			if p.Expression == "Procedure.occurrence" { // R4 has no such element: the time of a Procedure is performed[x]
				p.Expression = "Procedure.performed"
			}
			out[d.kind+"."+name] = p
		}
	}
	return out
}

// Each search that US Core demands is made for every patient of all sample bundles, and finds what a naive filter over the bundles finds.
func TestWhatUSCoreDemandsIsFoundForEveryPatient(t *testing.T) {
	if testing.Short() {
		t.Skip("takes in 21,000 resources")
	}
	wanted := demands(t)
	if len(wanted) != 39 {
		t.Errorf("US Core has %d searches, want 39", len(wanted))
	}
	c := &country{t: t, net: testnet.Start(t, 1, 0), params: parameters(t, wanted), at: map[string]string{}}
	bundles := append(samples(t, "synthea-2021-uscore", 1000), samples(t, "synthea-2019", 1000)...)
	for _, raw := range lists(t) {
		c.take(t, raw)
	}
	t.Run("patients", func(t *testing.T) {
		for i, raw := range bundles {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				chart := c.take(t, raw)
				for _, d := range wanted {
					if !isOfDirectory(d.kind) {
						c.try(t, d, chart, i)
					}
				}
			})
		}
	})
	for _, d := range wanted {
		if isOfDirectory(d.kind) {
			c.try(t, d, c.listed, 0)
		}
	}
	t.Logf("%d searches found %d resources", c.searches, c.found)
}

func isOfDirectory(kind string) bool {
	return slices.Contains([]string{"Location", "Organization", "Practitioner", "PractitionerRole"}, kind)
}

// country is a member with all sample patients, and what a stranger to this program knows of them.
type country struct {
	t      testing.TB
	net    *testnet.Net
	params map[string]parameter

	mu              sync.Mutex
	listed          []tree            // of the directory, whoever brought them first
	at              map[string]string // Type/id by fullUrl, and by Type?identifier=system|value
	searches, found int
}

// take sends a bundle and returns what is in it and belongs to its patient, under the ids that it got.
func (c *country) take(t testing.TB, raw []byte) (chart []tree) {
	d := desk{t, c.net.Nodes[0], okafor}
	var b struct {
		Entry []struct {
			FullURL  string
			Resource tree
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	answers := readBundle(t, bytes.NewReader(d.do("POST", "", string(raw)).want(t, http.StatusOK).body)).Entry
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range b.Entry {
		status := answers[i].Response.Status
		name, _, _ := strings.Cut(answers[i].Response.Location, "/_history")
		if name == "" {
			t.Fatalf("entry %d: %s", i, status)
		}
		kind, id, _ := strings.Cut(name, "/")
		c.at[e.FullURL] = name
		for _, v := range e.Resource.at("identifier") {
			c.at[fmt.Sprint(kind, "?identifier=", identifier(v))] = name
		}
		e.Resource["id"] = id
		switch {
		case !isOfDirectory(kind):
			chart = append(chart, e.Resource)
		case status == "201 Created":
			c.listed = append(c.listed, e.Resource)
		}
	}
	return chart
}

// try makes a search with some of the values that the resources have, and with one that none has.
func (c *country) try(t testing.TB, d demand, among []tree, turn int) {
	if d.kind == "Patient" && !slices.Contains(d.params, "_id") && !slices.Contains(d.params, "identifier") {
		d.params = append([]string{"_id"}, d.params...) // no patient is looked for in the charts of others
	}
	var queries []query
	for _, x := range among {
		if x["resourceType"] == d.kind {
			if q, ok := c.queryFor(d, x, turn+len(queries)); ok {
				queries = append(queries, q)
			}
		}
	}
	if n := len(queries); n > 3 {
		queries = []query{queries[0], queries[n/2], queries[n-1]}
	}
	if none, ok := c.nobodys(d, among); ok {
		queries = append(queries, none)
	}
	for _, q := range queries {
		want := []string{}
		for _, x := range among {
			if x["resourceType"] == d.kind && c.holds(d.kind, q, x) {
				want = append(want, x.name())
			}
		}
		slices.Sort(want)
		address := "/" + d.kind + "?" + q.encode() + "&_count=10000"
		b := readBundle(t, bytes.NewReader(desk{t, c.net.Nodes[0], okafor}.do("GET", address, "").want(t, http.StatusOK).body))
		got, _ := b.names()
		if !slices.Equal(got, want) || b.Total != len(want) {
			t.Errorf("%s: found %d %.300q, want %d %.300q", address, len(got), got, len(want), want)
		}
		c.mu.Lock()
		c.searches, c.found = c.searches+1, c.found+len(got)
		c.mu.Unlock()
	}
}

// query is a search's parameters with one value for each.
type query []struct{ name, value string }

func (q *query) add(name, value string) {
	*q = append(*q, struct{ name, value string }{name, value})
}

func (q query) encode() string {
	v := url.Values{}
	for _, p := range q {
		v.Add(p.name, p.value)
	}
	return v.Encode()
}

// queryFor is a search that x should be found by; ok is false if x has nothing at one of the parameters. The turn changes how it is put.
func (c *country) queryFor(d demand, x tree, turn int) (q query, ok bool) {
	for _, name := range d.params {
		p := c.params[d.kind+"."+name]
		at := p.of(x)
		if name == "_id" {
			p.Type, at = "token", []any{x["id"]}
		}
		if len(at) == 0 {
			return nil, false
		}
		v := at[turn%len(at)]
		if m, _ := v.(map[string]any); p.Type == "reference" && m["reference"] == nil && m["identifier"] != nil {
			q.add(name+":identifier", identifier(m["identifier"])) // it refers to whom the number is of
			continue
		}
		q.add(name, c.valueOf(p.Type, v, turn))
	}
	return q, true
}

// nobodys is a search that finds nothing in a chart, but asks for its patient.
func (c *country) nobodys(d demand, among []tree) (q query, ok bool) {
	for _, name := range d.params {
		switch p := c.params[d.kind+"."+name]; {
		case name == "patient", name == "_id" && d.kind == "Patient":
			i := slices.IndexFunc(among, func(x tree) bool { return x["resourceType"] == "Patient" })
			q.add(name, fmt.Sprint(among[i]["id"]))
			ok = ok || len(d.params) > 1
		case p.Type == "date":
			q.add(name, "gt2999")
		case name == "_id":
			q.add(name, "nobody")
			ok = true
		default:
			q.add(name, "urn:nobody|nobody")
			ok = ok || p.Type == "token"
		}
	}
	return q, ok
}
