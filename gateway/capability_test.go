package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"vitalog/internal/testnet"
)

// statement is a CapabilityStatement as a client reads it.
type statement struct {
	PatchFormat []string
	Rest        []struct {
		Interaction []struct{ Code string }
		Resource    []struct {
			Type                                 string
			Interaction                          []struct{ Code string }
			ConditionalCreate, ConditionalUpdate bool
			ConditionalRead, ConditionalDelete   string
			Operation                            []struct{ Name string }
		}
	}
}

func TestTheGatewayDoesWhatItsStatementSaysAndNothingElse(t *testing.T) {
	d := desk{t, testnet.Start(t, 1, 0).Nodes[0], okafor}
	chart, _ := d.enrol(7)
	var s statement
	if err := json.Unmarshal(d.do("GET", "/metadata", "").want(t, http.StatusOK).body, &s); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.PatchFormat, []string{jsonPatch}) {
		t.Errorf("patch formats: %v", s.PatchFormat)
	}
	// Each interaction with a resource that isn't there: what is offered says so, or that something is missing; what isn't is no such method.
	calls := map[string][3]string{
		"read": {"GET", "/T/none"}, "vread": {"GET", "/T/none/_history/1"}, "history-instance": {"GET", "/T/none/_history"},
		"history-type": {"GET", "/T/_history?patient=none"}, "search-type": {"GET", "/T?patient=none"},
		"create": {"POST", "/T", `{"resourceType":"T","status":"x","subject":{"reference":"Patient/none"}}`}, "update": {"PUT", "/T/none", `{"resourceType":"T","id":"none"}`},
		"patch": {"PATCH", "/T/none", `[]`}, "delete": {"DELETE", "/T/none"},
	}
	refused := []int{http.StatusMethodNotAllowed, http.StatusNotImplemented}
	for _, r := range s.Rest[0].Resource {
		if r.Type == "Subscription" {
			continue // of which its own test tells
		}
		for code, call := range calls {
			if code == "create" && r.Type == "Patient" {
				continue // which would make one
			}
			media := "application/fhir+json"
			if code == "patch" {
				media = jsonPatch
			}
			fill := strings.NewReplacer("T", r.Type).Replace
			a := d.do(call[0], strings.Replace(call[1], "/T", "/"+r.Type, 1), strings.Replace(call[2], `"T"`, `"`+fill("T")+`"`, 1), "Content-Type", media)
			says := slices.ContainsFunc(r.Interaction, func(i struct{ Code string }) bool { return i.Code == code })
			does := !slices.Contains(refused, a.status) && !(a.status == http.StatusNotFound && (!bytes.Contains(a.body, []byte("or not shared")) || code == "history-type"))
			if a.status >= 500 || says != does {
				t.Errorf("%s of %s: the statement says %v, the answer is %d %.200s", code, r.Type, says, a.status, a.body)
			}
		}
		byCondition := d.do("DELETE", "/"+r.Type+"?patient="+chart+"&_id=none", "")
		if (r.ConditionalDelete == "single") != (byCondition.status != http.StatusMethodNotAllowed) {
			t.Errorf("conditional delete of %s: the statement says %q, the answer is %d", r.Type, r.ConditionalDelete, byCondition.status)
		}
		minimal := `{"resourceType":"` + r.Type + `","status":"x","subject":{"reference":"Patient/none"}}`
		if a := d.do("PUT", "/"+r.Type+"?patient=none&_id=none", minimal); r.ConditionalUpdate != !slices.Contains(refused, a.status) {
			t.Errorf("conditional update of %s: the statement says %v, the answer is %d", r.Type, r.ConditionalUpdate, a.status)
		}
		if a := d.do("POST", "/"+r.Type, minimal, "If-None-Exist", "patient=none&_id=none"); r.ConditionalCreate != !slices.Contains(refused, a.status) {
			t.Errorf("conditional create of %s: the statement says %v, the answer is %d", r.Type, r.ConditionalCreate, a.status)
		}
		if a := d.do("POST", "/"+r.Type+"/_search", "_id=none&patient=none", "Content-Type", "application/x-www-form-urlencoded"); slices.Contains(refused, a.status) || a.status == http.StatusNotFound {
			t.Errorf("search of %s by a form: the answer is %d %s", r.Type, a.status, a.body)
		}
		for _, o := range []string{"everything", "summary", "match", "validate", "docref"} {
			says := slices.ContainsFunc(r.Operation, func(x struct{ Name string }) bool { return x.Name == o })
			a := answer{}
			switch o {
			case "match":
				a = d.do("POST", "/"+r.Type+"/$match", `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Patient","birthDate":"1900-01-01","name":[{"family":"Nobody"}]}}]}`)
			case "validate":
				a = d.do("POST", "/"+r.Type+"/$validate", minimal)
			default:
				a = d.do("GET", "/"+r.Type+"/"+chart+"/$"+o, "")
			}
			if says != (a.status == http.StatusOK) {
				t.Errorf("$%s of %s: the statement says %v, the answer is %d %.200s", o, r.Type, says, a.status, a.body)
			}
		}
	}
	// What is granted is ended by a delete too, which the walk above asks of nothing that is there.
	granted := idOf(t, d.do("POST", "/Consent", permit(chart, strings.Replace(toAbroad, "Member 1", "Member 0", 1)+classes("labs"))).want(t, http.StatusCreated))
	d.do("DELETE", "/Consent/"+granted, "").want(t, http.StatusNoContent)
	for _, kind := range []string{"Consent", "AuditEvent"} {
		all := readBundle(t, bytes.NewReader(d.do("GET", "/"+kind+"?patient="+chart, "").want(t, http.StatusOK).body))
		within := readBundle(t, bytes.NewReader(d.do("GET", "/Patient/"+chart+"/"+kind, "").want(t, http.StatusOK).body))
		if all.Total == 0 || all.Total != within.Total {
			t.Errorf("%s: %d of the patient's, %d in the compartment", kind, all.Total, within.Total)
		}
		d.do("GET", "/Patient/"+chart+"/"+kind+"?patient="+chart, "").want(t, http.StatusBadRequest)
	}
	d.do("GET", "/_history", "").want(t, http.StatusNotFound)
	d.do("GET", "/Potion/_history?patient="+chart, "").want(t, http.StatusNotFound)
}

func TestEverythingComesInPagesAndOnlyWhatIsAskedFor(t *testing.T) {
	d := desk{t, testnet.Start(t, 1, 0).Nodes[0], okafor}
	chart, _ := d.enrol(7)
	address := "/Patient/" + chart + "/$everything"
	matches := func(b bundle) (all []string) {
		for _, e := range b.Entry {
			if e.Search.Mode == "match" {
				all = append(all, e.FullURL)
			}
		}
		return all
	}
	whole := readBundle(t, bytes.NewReader(d.do("GET", address, "").want(t, http.StatusOK).body))
	var paged []string
	for path := address + "?_count=7"; path != ""; {
		b := readBundle(t, bytes.NewReader(d.do("GET", path, "").want(t, http.StatusOK).body))
		if len(matches(b)) > 7 || b.Total != whole.Total {
			t.Fatalf("a page has %d of %d", len(matches(b)), b.Total)
		}
		paged, path = append(paged, matches(b)...), ""
		for _, l := range b.Link {
			if l.Relation == "next" {
				path = strings.TrimPrefix(l.URL, d.node.Config.URL()+"/fhir")
			}
		}
	}
	if want := matches(whole); len(want) < 8 || !slices.Equal(paged, want) {
		t.Errorf("the pages have %d, all at once are %d", len(paged), len(want))
	}
	// Most clients call operations by POST, with Parameters or with no body at all.
	byPost := readBundle(t, bytes.NewReader(d.do("POST", address, "").want(t, http.StatusOK).body))
	if !slices.Equal(matches(byPost), matches(whole)) {
		t.Errorf("by POST it has %d, by GET %d", len(matches(byPost)), len(matches(whole)))
	}
	asked := `{"resourceType":"Parameters","parameter":[{"name":"_type","valueCode":"Condition"},{"name":"_count","valueInteger":1}]}`
	b := readBundle(t, bytes.NewReader(d.do("POST", address, asked).want(t, http.StatusOK).body))
	if m := matches(b); len(m) != 1 || !strings.Contains(m[0], "/Condition/") || len(b.Link) == 0 || !strings.Contains(b.Link[0].URL, "_type=Condition") {
		t.Errorf("by POST with parameters: got %q, links %v", m, b.Link)
	}
	d.do("POST", address, `{"resourceType":"Parameters","parameter":[{"name":"colour","valueCode":"red"}]}`).want(t, http.StatusBadRequest)
	for query, want := range map[string]func(string) bool{
		"?_type=Patient,Condition": func(url string) bool {
			return strings.Contains(url, "/Patient/") || strings.Contains(url, "/Condition/")
		},
		"?_since=9998-01-01":                func(string) bool { return false },
		"?start=9998-01-01&_type=Encounter": func(string) bool { return false },
		"?end=1800-01-01&_type=Observation": func(string) bool { return false },
		"?start=1800-01-01&_type=Encounter": func(url string) bool { return strings.Contains(url, "/Encounter/") },
	} {
		n := 0
		for _, url := range matches(whole) {
			if want(url) {
				n++
			}
		}
		if b := readBundle(t, bytes.NewReader(d.do("GET", address+query, "").want(t, http.StatusOK).body)); len(matches(b)) != n || slices.ContainsFunc(matches(b), func(url string) bool { return !want(url) }) {
			t.Errorf("%s: got %d, want %d", query, len(matches(b)), n)
		}
	}
	for _, bad := range []string{"?_type=Potion", "?_since=noon", "?name=x", "?_since=2026&_since=2027"} {
		d.do("GET", address+bad, "").want(t, http.StatusBadRequest)
	}
}
