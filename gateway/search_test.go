package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"vitalog/exchange"
	"vitalog/internal/testnet"
)

// names are the matches and what was included, by type and id.
func (b bundle) names() (matches, included []string) {
	for _, e := range b.Entry {
		parts := strings.Split(e.FullURL, "/")
		name := strings.Join(parts[max(0, len(parts)-2):], "/")
		if e.Search.Mode == "match" {
			matches = append(matches, name)
		} else {
			included = append(included, name)
		}
	}
	slices.Sort(matches)
	slices.Sort(included)
	return matches, included
}

// tree is a resource as a stranger to this program reads it.
type tree map[string]any

// at are the values at a path through objects and arrays.
func (x tree) at(path string) (out []any) {
	all := []any{map[string]any(x)}
	for name := range strings.SplitSeq(path, ".") {
		var next []any
		for _, v := range all {
			if m, ok := v.(map[string]any); ok {
				if list, ok := m[name].([]any); ok {
					next = append(next, list...)
				} else if m[name] != nil {
					next = append(next, m[name])
				}
			}
		}
		all = next
	}
	return all
}

func (x tree) has(path, want string) bool {
	return slices.ContainsFunc(x.at(path), func(v any) bool { return fmt.Sprint(v) == want })
}

func (x tree) name() string { return fmt.Sprint(x["resourceType"], "/", x["id"]) }

func TestASearchGoesAcrossAPatientsResources(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	d := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	all := d.send(samples(t, "synthea-2019", 1)[0])
	chart := ""
	for _, s := range all {
		if id, ok := strings.CutPrefix(s.location, "Patient/"); ok {
			chart, _, _ = strings.Cut(id, "/")
		}
	}
	search := func(path string) bundle {
		t.Helper()
		return readBundle(t, bytes.NewReader(d.do("GET", path, "").want(t, http.StatusOK).body))
	}
	everything := map[string]tree{}
	for _, e := range search("/Patient/" + chart + "/$everything").Entry {
		x := tree{}
		if err := json.Unmarshal(e.Resource, &x); err != nil {
			t.Fatal(err)
		}
		everything[x.name()] = x
	}
	// which is a naive filter over everything.
	which := func(kind string, keep func(tree) bool) (names []string) {
		for name, x := range everything {
			if x["resourceType"] == kind && keep(x) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	refers := func(x tree, path string, names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return x.has(path+".reference", n) })
	}
	every := func(tree) bool { return true }
	final := which("Observation", func(x tree) bool { return x.has("status", "final") })
	finished := which("Encounter", func(x tree) bool { return x.has("status", "finished") })
	family := fmt.Sprint(everything["Patient/"+chart].at("name.family")[0])
	number := everything["Patient/"+chart].at("identifier")[0].(map[string]any)
	code := fmt.Sprint(everything[final[0]].at("code.coding.code")[0])
	if len(final) == 0 || len(finished) == 0 {
		t.Fatal("the sample has no observations or encounters")
	}
	coded := which("Observation", func(x tree) bool { return x.has("code.coding.code", code) })
	encounters := func(of []string) []string {
		return which("Encounter", func(e tree) bool {
			return slices.ContainsFunc(of, func(o string) bool { return everything[o].has("encounter.reference", e.name()) })
		})
	}
	for _, c := range []struct {
		query           string
		match, included []string
	}{
		{"/Observation?patient=" + chart + "&encounter.status=finished", which("Observation", func(x tree) bool { return refers(x, "encounter", finished) }), nil},
		{"/Observation?patient=" + chart + "&encounter:Encounter.status=planned", nil, nil},
		{"/Observation?patient=" + chart + "&subject.family=" + url.QueryEscape(family), which("Observation", every), nil},
		{"/Observation?patient=" + chart + "&subject:Patient.family=Nobody", nil, nil},
		{"/Observation?patient=" + chart + "&encounter.patient.family:exact=" + url.QueryEscape(family), which("Observation", func(x tree) bool { return x.has("encounter.reference", "x") || len(x.at("encounter")) > 0 }), nil},
		{"/Condition?patient.identifier=" + url.QueryEscape(fmt.Sprint(number["system"], "|", number["value"])), which("Condition", every), nil},
		{"/Encounter?patient=" + chart + "&_has:Observation:encounter:code=" + code, encounters(coded), nil},
		{"/Encounter?patient=" + chart + "&_has:Observation:encounter:code=nothing", nil, nil},
		{"/Patient?_id=" + chart + "&_has:Encounter:patient:_has:Observation:encounter:code=" + code, []string{"Patient/" + chart}, nil},
		{"/Observation?patient=" + chart + "&code=" + code + "&_include=Observation:encounter", coded, encounters(coded)},
		{"/Observation?patient=" + chart + "&code=" + code + "&_include=Observation:patient", coded, []string{"Patient/" + chart}},
		{"/Encounter?patient=" + chart + "&_revinclude=Observation:encounter", which("Encounter", every), which("Observation", func(x tree) bool { return len(x.at("encounter")) > 0 })},
		{"/Patient/" + chart + "/Condition", which("Condition", every), nil},
		{"/Observation?patient=" + chart + "&_count=0", nil, nil},
		{"/Observation?patient=" + chart + "&_summary=count", nil, nil},
	} {
		b := search(c.query)
		match, included := b.names()
		if !slices.Equal(match, c.match) || !slices.Equal(included, c.included) {
			t.Errorf("%s: found %d %.300q and %d %.300q, want %d %.300q and %d %.300q", strings.ReplaceAll(c.query, chart, "…"), len(match), match, len(included), included, len(c.match), c.match, len(c.included), c.included)
		}
		if strings.Contains(c.query, "count=") && b.Total != len(which("Observation", every)) {
			t.Errorf("%s: total %d", c.query, b.Total)
		}
	}

	practitioners := search("/Encounter?patient=" + chart + "&_include=Encounter:participant&_include:iterate=Practitioner:*")
	if _, included := practitioners.names(); len(included) == 0 || !strings.HasPrefix(included[0], "Practitioner/") {
		t.Errorf("encounters come without their practitioners: %q", included)
	}
	form := d.do("POST", "/Observation/_search", "patient="+chart+"&code="+code, "Content-Type", "application/x-www-form-urlencoded").want(t, http.StatusOK)
	if match, _ := readBundle(t, bytes.NewReader(form.body)).names(); !slices.Equal(match, coded) {
		t.Errorf("by a form %d were found, want %d", len(match), len(coded))
	}
	short := search("/Observation?patient=" + chart + "&_elements=status&_count=1")
	if x := string(short.Entry[0].Resource); strings.Contains(x, `"subject":{`) || !strings.Contains(x, "SUBSETTED") || !strings.Contains(x, `"code":`) {
		t.Errorf("_elements=status gives %s", x)
	}
	lenient := d.do("GET", "/Observation?patient="+chart+"&colour=red&code="+code, "", "Prefer", "handling=lenient").want(t, http.StatusOK)
	if b := readBundle(t, bytes.NewReader(lenient.body)); b.Total != len(coded) || bytes.Contains(lenient.body, []byte("colour")) {
		t.Errorf("lenient: got %d, want %d, and a link that says what counted", b.Total, len(coded))
	}
	for _, query := range []string{"/Observation?patient=%s&encounter.status=finished", "/Encounter?patient=%s&_has:Observation:encounter:status=final", "/Encounter?patient=%s&_revinclude=Observation:encounter&_include=*"} {
		there := abroad.do("GET", fmt.Sprintf(query, chart), "").want(t, http.StatusOK)
		nowhere := abroad.do("GET", fmt.Sprintf(query, "nothing"), "").want(t, http.StatusOK)
		if !bytes.Equal(bytes.ReplaceAll(there.body, []byte(chart), []byte("nothing")), nowhere.body) {
			t.Errorf("%s: not shared is %s, not there is %s", query, there.body, nowhere.body)
		}
	}
}

func TestSearchesAcrossResourcesAreBounded(t *testing.T) {
	d := newDoor(t)
	for query, code := range map[string]string{
		"Observation?patient=1&encounter.patient.organization.partof.name=x":            "not-supported",
		"Observation?patient=1&colour.name=x":                                           "not-supported",
		"Observation?patient=1&encounter.colour=x":                                      "not-supported",
		"Observation?patient=1&encounter.date=noon":                                     "value",
		"Observation?patient=1&encounter:Banana.date=2020":                              "not-supported",
		"Encounter?patient=1&_has:Observation:code:code=x":                              "not-supported",
		"Encounter?patient=1&_has:Observation:encounter:colour=x":                       "not-supported",
		"Encounter?patient=1" + strings.Repeat("&_has:Observation:encounter:code=x", 9): "too-costly",
		"Encounter?patient=1" + strings.Repeat("&_include=*", 17):                       "too-costly",
		"Encounter?patient=1&_include=Encounter:status":                                 "value",
		"Encounter?patient=1&_include:banana=Encounter:patient":                         "value",
		"Encounter?patient=1&_revinclude=*":                                             "value",
		"Encounter?patient=1&_summary=long":                                             "value",
		"Encounter?patient=1&_summary=text&_include=Encounter:patient":                  "invalid",
		"Encounter?patient=1&_total=many":                                               "value",
		"Practitioner?_has:Encounter:practitioner:status=finished":                      "not-supported",
		"Encounter?patient=1&status=" + strings.Repeat("a,", 1100):                      "too-costly",
	} {
		w := d.do("GET", "/fhir/"+query, "")
		if w.Code != http.StatusBadRequest {
			t.Errorf("%.80s: got %d: %s", query, w.Code, w.Body)
			continue
		}
		if got := readOutcome(t, w.Body).Issue[0].Code; got != code {
			t.Errorf("%.80s: got %s, want %s", query, got, code)
		}
	}
	if w := d.do("POST", "/fhir/Observation/_search", "patient=1&code="+strings.Repeat("1,", 100_000), "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("100,000 values: got %d", w.Code)
	}
	if w := d.do("POST", "/fhir/Observation/_search", "{}"); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("a search in JSON: got %d", w.Code)
	}
}

func TestWhatAPageIncludesIsBounded(t *testing.T) {
	d := newDoor(t)
	within := func(parent string, n int) (last string) {
		t.Helper()
		entries := make([]string, n)
		for i := range entries {
			entries[i] = post(fmt.Sprint("urn:uuid:", i), "Organization", fmt.Sprintf(`,"name":"%d of %d in %s","partOf":{"reference":"%s"}`, i, n, parent, parent))
		}
		all := readBundle(t, d.do("POST", "/fhir", transaction(entries...)).Body).Entry
		last, _, _ = strings.Cut(all[n-1].Response.Location, "/_history")
		return last
	}
	made := d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","name":"Root"}`)
	root, _, _ := strings.Cut(strings.TrimPrefix(made.Header().Get("Location"), base+"/"), "/_history")

	// What refers to one is included up to 2000.
	query := "/fhir/Organization?_id=" + strings.TrimPrefix(root, "Organization/") + "&_revinclude=Organization:partof"
	last := within(root, 2000)
	if _, included := readBundle(t, d.do("GET", query, "").Body).names(); len(included) != 2000 {
		t.Errorf("%d are included, want 2000", len(included))
	}
	within(root, 1)
	if w := d.do("GET", query, ""); w.Code != http.StatusBadRequest || readOutcome(t, w.Body).Issue[0].Code != "too-costly" {
		t.Errorf("of 2001 that are to be included: got %d", w.Code)
	}

	// What is included leads to more three times, by :iterate, and by nothing else.
	up := []string{root, last}
	for range 5 {
		up = append(up, within(up[len(up)-1], 1))
	}
	for modifier, want := range map[string]int{"": 1, ":iterate": 4} {
		query := "/fhir/Organization?_id=" + strings.TrimPrefix(up[6], "Organization/") + "&_include" + modifier + "=Organization:partof"
		_, included := readBundle(t, d.do("GET", query, "").Body).names()
		expected := slices.Sorted(slices.Values(up[6-want : 6]))
		if !slices.Equal(included, expected) {
			t.Errorf("_include%s brings %q, want %q", modifier, included, expected)
		}
	}
}
