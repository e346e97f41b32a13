package gateway_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"vitalog/fhir"
)

// The two batches that Synthea writes before its patients; see testdata/README.md.
const (
	hospitals     = "testdata/hospitals.json"
	practitioners = "testdata/practitioners.json"
)

func TestHospitalsAndTheirPractitionersAreListedOnce(t *testing.T) {
	d := newDoor(t)
	for _, file := range []string{hospitals, practitioners} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var first []string
		for round, status := range []string{"201 Created", "200 OK"} {
			w := d.do("POST", "/fhir", string(raw))
			if w.Code != http.StatusOK {
				t.Fatalf("%s: got %d: %s", file, w.Code, w.Body)
			}
			for i, e := range readBundle(t, w.Body).Entry {
				if e.Response.Status != status {
					t.Errorf("%s, round %d, entry %d: got %q, want %q: %+v", file, round, i, e.Response.Status, status, e.Response.Outcome)
				}
				if round == 0 {
					first = append(first, e.Response.Location)
				} else if e.Response.Location != first[i] {
					t.Errorf("%s, entry %d: stands at %s, before at %s", file, i, e.Response.Location, first[i])
				}
			}
		}
	}
	if b := readBundle(t, d.do("GET", "/fhir/PractitionerRole", "").Body); b.Total != 6 || len(b.Entry) != 6 {
		t.Errorf("got %d roles, want 6", b.Total)
	}
}

func TestAResourceOfTheDirectoryComesBackByteForByte(t *testing.T) {
	d := newDoor(t)
	sent := `{ "resourceType":"Location","identifier":[{"system":"urn:x","value":"1"}], "position":{"longitude":1.50,"latitude":0.0}}`
	w := d.do("POST", "/fhir/Location", sent)
	if w.Code != http.StatusCreated || w.Header().Get("ETag") == "" || w.Header().Get("Last-Modified") == "" {
		t.Fatalf("got %d, %v: %s", w.Code, w.Header(), w.Body)
	}
	at := strings.TrimPrefix(w.Header().Get("Location"), strings.TrimSuffix(base, "/fhir"))
	for _, path := range []string{at, at[:strings.Index(at, "/_history")]} {
		got := d.do("GET", path, "")
		if got.Code != http.StatusOK || !fhir.SameButIdentity(got.Body.Bytes(), []byte(sent)) {
			t.Errorf("%s: got %d %s", path, got.Code, got.Body)
		}
	}
	found := readBundle(t, d.do("GET", "/fhir/Location?identifier=urn:x|1", "").Body)
	if found.Total != 1 || found.Entry[0].Search.Mode != "match" || !strings.HasPrefix(w.Header().Get("Location"), found.Entry[0].FullURL) {
		t.Errorf("got %+v", found)
	}
	again := d.do("POST", "/fhir/Location", `{"resourceType":"Location","name":"another"}`, "If-None-Exist", "identifier=urn:x|1")
	if again.Code != http.StatusOK || again.Header().Get("Location") != w.Header().Get("Location") || !fhir.SameButIdentity(again.Body.Bytes(), []byte(sent)) {
		t.Errorf("created on condition: got %d at %s: %s", again.Code, again.Header().Get("Location"), again.Body)
	}
}

func TestAnUpdateMustFollowTheVersionThatItsSenderSaw(t *testing.T) {
	d := newDoor(t)
	w := d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","id":"a","name":"Riverside"}`)
	seen := w.Header().Get("ETag")
	put := func(name, match string) int {
		return d.do("PUT", "/fhir/Organization/a", `{"resourceType":"Organization","id":"a","name":"`+name+`"}`, "If-Match", match).Code
	}
	if got := put("Riverside Lab", seen); got != http.StatusOK {
		t.Errorf("after the version seen: got %d", got)
	}
	if got := put("Riverside Laboratory", seen); got != http.StatusPreconditionFailed {
		t.Errorf("after an older version: got %d", got)
	}
	now := d.do("GET", "/fhir/Organization/a?_pretty=true", "").Header().Get("ETag")
	if got := put("Riverside Lab.", seen+`, `+now); got != http.StatusOK {
		t.Errorf("after one of two versions: got %d", got)
	}
	if got := put("Riverside Lab", "*"); got != http.StatusOK {
		t.Errorf("after any version: got %d", got)
	}
	if got := d.do("GET", "/fhir/Organization/a", ""); !strings.Contains(got.Body.String(), `"Riverside Lab"`) {
		t.Errorf("got %s", got.Body)
	}
}

func TestATransactionMayReferInACircle(t *testing.T) {
	d := newDoor(t)
	w := d.do("POST", "/fhir", transaction(
		post("urn:uuid:1", "Organization", `,"name":"a","endpoint":[{"reference":"urn:uuid:2"}]`),
		post("urn:uuid:2", "Endpoint", `,"status":"active","managingOrganization":{"reference":"urn:uuid:1"}`)))
	if w.Code != http.StatusOK {
		t.Fatalf("got %d: %s", w.Code, w.Body)
	}
	b := readBundle(t, w.Body)
	for i, other := range []int{1, 0} {
		at, _, _ := strings.Cut(b.Entry[i].Response.Location, "/_history")
		to, _, _ := strings.Cut(b.Entry[other].Response.Location, "/_history")
		if got := d.do("GET", "/fhir/"+at, "").Body.String(); !strings.Contains(got, `"reference":"`+to+`"`) {
			t.Errorf("%s does not refer to %s: %s", at, to, got)
		}
	}
}

func TestPagesOfASearchHaveEveryResultOnce(t *testing.T) {
	d := newDoor(t)
	want := map[string]bool{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","id":"`+name+`","name":"`+name+`"}`)
		want[base+"/Organization/"+name] = true
	}
	next := "/fhir/Organization?_count=2"
	for pages := 1; next != ""; pages++ {
		b := readBundle(t, d.do("GET", next, "").Body)
		if b.Total != 5 || b.Type != "searchset" || pages > 3 {
			t.Fatalf("page %d: got %+v", pages, b)
		}
		for _, e := range b.Entry {
			if !want[e.FullURL] {
				t.Errorf("page %d: %s again", pages, e.FullURL)
			}
			delete(want, e.FullURL)
		}
		next = ""
		for _, l := range b.Link {
			if l.Relation == "next" {
				next = strings.TrimPrefix(l.URL, strings.TrimSuffix(base, "/fhir"))
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("never found: %v", want)
	}
}

func TestNothingIsListedWhileTheOwnDirectoryIsFetched(t *testing.T) {
	d := newDoor(t)
	d.directory.Await()
	w := d.do("POST", "/fhir/Location", `{"resourceType":"Location","name":"Ward"}`)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "fetching its own directory") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	d.directory.Done()
	if w := d.do("POST", "/fhir/Location", `{"resourceType":"Location","name":"Ward"}`); w.Code != http.StatusCreated {
		t.Errorf("when it is there: got %d %s", w.Code, w.Body)
	}
}

func TestMetadataDeclaresWhatIsThere(t *testing.T) {
	d := newDoor(t)
	w := d.do("GET", "/fhir/metadata", "", "Authorization", "")
	var c struct {
		ResourceType, FHIRVersion, Status, Kind, Date string
		Format                                        []string
		Rest                                          []struct {
			Mode        string
			Interaction []struct{ Code string }
			Resource    []struct {
				Type          string
				Documentation string
				SearchParam   []struct{ Name, Type string }
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if c.ResourceType != "CapabilityStatement" || c.FHIRVersion != "4.0.1" || c.Status == "" || c.Kind == "" || c.Date == "" || len(c.Rest) != 1 {
		t.Fatalf("got %+v", c)
	}
	for _, r := range c.Rest[0].Resource {
		if r.Type == "Binary" && !strings.Contains(r.Documentation, "Range") {
			t.Errorf("Binary is declared without its own form: %q", r.Documentation)
		}
		for _, p := range r.SearchParam {
			if p.Type == "" {
				t.Errorf("%s.%s has no type", r.Type, p.Name)
			}
		}
		if w := d.do("GET", "/fhir/"+r.Type+"?patient=nobody&_id=x", ""); w.Code == http.StatusNotFound {
			t.Errorf("%s is declared and not searched: %s", r.Type, w.Body)
		}
	}
}
