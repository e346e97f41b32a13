package fhir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/fhir"
)

var time0 = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

func parse(t *testing.T, s string) *fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(s))
	if err != nil {
		t.Fatalf("Parse(%s): %v", s, err)
	}
	return r
}

func TestOnlyTheValuesOfIdMetaAndReferencesChange(t *testing.T) {
	resolve := func(s string) string {
		return map[string]string{"urn:uuid:1": "Patient/p", "Old/quo\"te": "Patient/q"}[s]
	}
	for _, c := range []struct{ name, in, want string }{
		{"all present", `{"resourceType":"Observation", "id" : "7","meta":{},"subject":{ "reference" :"urn:uuid:1"},"valueDecimal":1.50}`,
			`{"resourceType":"Observation", "id" : "a","meta":{"x":1},"subject":{ "reference" :"Patient/p"},"valueDecimal":1.50}`},
		{"absent, so added after resourceType", `{"status":"final","resourceType":"Observation" ,"x":[0.0,1e3,-0,1.00e+2]}`,
			`{"status":"final","resourceType":"Observation","id":"a","meta":{"x":1} ,"x":[0.0,1e3,-0,1.00e+2]}`},
		{"id of a contained resource stays", `{"resourceType":"Claim","contained":[{"resourceType":"Coverage","id":"c","beneficiary":{"reference":"urn:uuid:1"}}],"insurance":[{"coverage":{"reference":"#c"}}],"id":"z"}`,
			`{"resourceType":"Claim","meta":{"x":1},"contained":[{"resourceType":"Coverage","id":"c","beneficiary":{"reference":"Patient/p"}}],"insurance":[{"coverage":{"reference":"#c"}}],"id":"a"}`},
		{"names and values with escapes", `{"resourceType":"Basic","\u0069d":"\u0037","subject":{"refer\u0065nce":"Old\/quo\"te"}}`,
			`{"resourceType":"Basic","meta":{"x":1},"\u0069d":"a","subject":{"refer\u0065nce":"Patient/q"}}`},
		{"a reference that is an object is no string", `{"resourceType":"Consent","id":"7","meta":{},"provision":{"data":[{"reference":{"reference":"urn:uuid:1"}}]}}`,
			`{"resourceType":"Consent","id":"a","meta":{"x":1},"provision":{"data":[{"reference":{"reference":"Patient/p"}}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, c.in)
			if got := string(r.Rewrite("a", []byte(`{"x":1}`), resolve)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if !fhir.SameButIdentity([]byte(c.in), []byte(c.want)) {
				t.Error("SameButIdentity: got false")
			}
		})
	}
}

func TestAnyOtherChangeIsSeen(t *testing.T) {
	a := `{"resourceType":"Observation","id":"7","subject":{"reference":"Patient/1"},"hasMember":[{"reference":"#m"}],"valueDecimal":1.50}`
	for _, b := range []string{
		strings.Replace(a, "1.50", "1.5", 1), strings.Replace(a, `"id":"7",`, `"id":"7", `, 1), strings.Replace(a, "#m", "#n", 1),
		strings.Replace(a, `"subject"`, `"focus"`, 1), strings.Replace(a, `,"valueDecimal":1.50`, "", 1), a[:len(a)-1] + `,"status":"final"}`,
	} {
		if fhir.SameButIdentity([]byte(a), []byte(b)) {
			t.Errorf("took for the same: %s", b)
		}
	}
}

func TestReceivedMetaIsKeptBesideVersionAndTime(t *testing.T) {
	r := parse(t, `{"resourceType":"Patient","meta":{"versionId":"1", "profile":["p"],"security" : [{"code":"R"}],"lastUpdated":"2001-01-01T00:00:00Z","_lastUpdated":{"id":"x"},"source":"s"}}`)
	want := `{"versionId":"7","lastUpdated":"2026-03-01T09:30:00.000Z","profile":["p"],"security":[{"code":"R"}],"source":"s"}`
	if got := string(r.Meta("7", time0)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := string(parse(t, `{"resourceType":"Patient"}`).Meta("0", time0)), `{"versionId":"0","lastUpdated":"2026-03-01T09:30:00.000Z"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatTwoReadersCouldReadDifferentlyIsRefusedWithItsElement(t *testing.T) {
	deep := func(n int) string {
		return `{"resourceType":"Basic","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	if _, err := fhir.Parse([]byte(deep(63))); err != nil {
		t.Errorf("64 levels: %v", err)
	}
	for _, c := range []struct{ in, element string }{
		{``, "Resource"},
		{`[]`, "Resource"},
		{`"x"`, "Resource"},
		{`{}`, "Resource.resourceType"},
		{`{"resourceType":"Person"} {}`, "Person"},
		{`{"resourceType":"Banana"}`, "Resource.resourceType"},
		{`{"resourceType":7}`, "Resource.resourceType"},
		{`{"resourceType":"Person","id":7}`, "Person.id"},
		{`{"resourceType":"Person","id":"a b"}`, "Person.id"},
		{`{"resourceType":"Person","id":""}`, "Person.id"},
		{`{"resourceType":"Person","meta":[]}`, "Person.meta"},
		{`{"resourceType":"Person","gender":null}`, "Person.gender"},
		{`{"resourceType":"Person","name":[{"family":"A","family":"B"}]}`, "Person.name[0].family"},
		{`{"resourceType":"Person","name":[{"family":"A","f\u0061mily":"B"}]}`, "Person.name[0].family"},
		{`{"resourceType":"Person","id":"a","id":"a"}`, "Person.id"},
		{"{\"resourceType\":\"Person\",\"gender\":\"\xff\"}", "Person.gender"},
		{`{"resourceType":"Person","gender":"male",}`, "Person"},
		{deep(64), "Basic.x"},
		{`{"resourceType":"Patient","birthDate":"31.12.1999"}`, "Patient.birthDate"},
		{`{"resourceType":"Condition","onsetPeriod":{"start":"2020-02-30"}}`, "Condition.onsetPeriod.start"},
		{`{"resourceType":"Observation","effectiveDateTime":"2020-01-01T10:00:00"}`, "Observation.effectiveDateTime"},
	} {
		_, err := fhir.Parse([]byte(c.in))
		var e *fhir.Error
		if !errors.As(err, &e) {
			t.Errorf("%.80s: got %v, want an *Error", c.in, err)
		} else if !strings.HasPrefix(e.Element, c.element) {
			t.Errorf("%.80s: got element %s, want %s (%v)", c.in, e.Element, c.element, err)
		}
	}
}

func TestErrorsQuoteNoValue(t *testing.T) {
	for _, in := range []string{`{"resourceType":"Patient","birthDate":"SECRET"}`, `{"resourceType":"Patient","x":"SECRET\q"}`,
		`{"resourceType":"Patient","SECRET name":{"a":1,"a":2}}`, `{"resourceType":"SECRET"}`, `{"resourceType":"Patient","id":"SECRET SECRET"}`,
		`{"resourceType":"Patient","x":SECRET}`} {
		if _, err := fhir.Parse([]byte(in)); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

func TestTypesAreThoseOfTheSpecification(t *testing.T) {
	raw, err := os.ReadFile("../spec/testdata/sections.json")
	if err != nil {
		t.Fatal(err)
	}
	var spec struct{ Types map[string]string }
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	for _, name := range fhir.Types() {
		if spec.Types[name] == "" {
			t.Errorf("%s has no section", name)
		}
		delete(spec.Types, name)
	}
	if len(spec.Types) > 0 || len(fhir.Types()) != 146 {
		t.Errorf("%d types, want 146; only in the specification: %v", len(fhir.Types()), spec.Types)
	}
}

func TestElementsAreFoundAsANaiveReaderFindsThem(t *testing.T) {
	paths := []string{"code", "category", "meta.profile", "name.family", "subject", "component.code", "identifier", "status", "class",
		"contained.resourceType", "item.encounter", "telecom", "text.div", "insurance.coverage"}
	for _, file := range samples(t)[:8] {
		es, _ := entries(t, file)
		for _, e := range es {
			var tree any
			if err := json.Unmarshal(e.Resource.Raw(), &tree); err != nil {
				t.Fatal(err)
			}
			for _, p := range paths {
				if got, want := e.Resource.Strings(p), naive(tree, strings.Split(p, ".")); !slices.Equal(got, want) {
					t.Fatalf("%s %s: %s: got %d values, want %d", file, e.Element(), p, len(got), len(want))
				}
			}
		}
	}
}

// naive are the primitive strings at path.
func naive(v any, path []string) (out []string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, naive(x, path)...)
		}
	case map[string]any:
		if len(path) > 0 && v[path[0]] != nil {
			return naive(v[path[0]], path[1:])
		}
	case string:
		if len(path) == 0 {
			return []string{v}
		}
	}
	return out
}

func TestReferencesAreTakenApart(t *testing.T) {
	for _, c := range []struct {
		in   string
		want fhir.Reference
	}{
		{"Patient/1", fhir.Reference{Type: "Patient", ID: "1"}},
		{"Patient/1/_history/3", fhir.Reference{Type: "Patient", ID: "1", Version: "3"}},
		{"https://a.example/fhir/Patient/1", fhir.Reference{Base: "https://a.example/fhir", Type: "Patient", ID: "1"}},
		{"urn:uuid:5", fhir.Reference{URN: "urn:uuid:5"}},
		{"#c", fhir.Reference{Contained: "c"}},
		{"Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|99", fhir.Reference{Type: "Practitioner", Query: "identifier=http://hl7.org/fhir/sid/us-npi|99"}},
		{"Banana/1", fhir.Reference{}}, {"a/Patient/1", fhir.Reference{}}, {"Patient", fhir.Reference{}}, {"", fhir.Reference{}}, {"Patient/a b", fhir.Reference{}},
		{"/Patient/1", fhir.Reference{}}, {"Patient/1/", fhir.Reference{}}, {"Patient/1/_history/", fhir.Reference{}}, {"Patient/1/_history", fhir.Reference{}},
	} {
		if got := fhir.ParseReference(c.in); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.in, got, c.want)
		}
	}
	id, ok := fhir.ParseCondition("identifier=http%3A%2F%2Fx%7C9%209+1")
	if want := (fhir.Identifier{System: "http://x", Value: "9 9+1"}); !ok || id != want {
		t.Errorf("got %v %t, want %v", id, ok, want)
	}
	for _, bad := range []string{"name=x", "identifier=9", "identifier=a|", "identifier=a|b&active=true", "identifier=a|%4", "identifier=a|%zz"} {
		if id, ok := fhir.ParseCondition(bad); ok {
			t.Errorf("%s: got %v", bad, id)
		}
	}
}

func TestThePatientIsFoundWhereverATypeNamesIt(t *testing.T) {
	for in, want := range map[string]string{
		`{"resourceType":"Observation","subject":{"reference":"Patient/1"}}`:                                                          "Patient/1",
		`{"resourceType":"Claim","patient":{"reference":"urn:uuid:1"}}`:                                                               "urn:uuid:1",
		`{"resourceType":"Coverage","beneficiary":{"reference":"Patient/1"}}`:                                                         "Patient/1",
		`{"resourceType":"Appointment","participant":[{"actor":{"reference":"Practitioner/2"}},{"actor":{"reference":"Patient/1"}}]}`: "Patient/1",
		`{"resourceType":"Task","for":{"reference":"Patient/1"},"focus":{"reference":"Observation/2"}}`:                               "Patient/1",
		`{"resourceType":"Provenance","target":[{"reference":"Observation/2"},{"reference":"Patient/1"}]}`:                            "Patient/1",
		`{"resourceType":"Medication","code":{"text":"x"}}`:                                                                           "",
		`{"resourceType":"Account","subject":[{"reference":"#s"},{"reference":"https://a.example/Patient/1"}]}`:                       "https://a.example/Patient/1",
	} {
		if got := parse(t, in).Subject(); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"resourceType":"Observation","id":"7","meta":{"security":[{"system":"s","code":"c"}]},"subject":{"reference":"Patient/1"},"effectivePeriod":{"start":"2020"}}`,
		`{"id":"7","resourceType":"Basic","contained":[{"x":["\\\"",1e3,null,true]}]}`, `{"resourceType":"Patient"}`,
		`{"resourceType":"Basic","meta":{"extension":[{"url":"u","valueReference":{"reference":"Patient/1"}}]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := fhir.Parse(raw)
		if err != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatal("took what is no JSON")
		}
		if same := r.Rewrite(r.ID(), nil, func(s string) string { return s }); !bytes.Equal(same, r.Raw()) {
			t.Fatalf("same identity, other bytes: %s", same)
		}
		other := r.Rewrite("other", r.Meta("1", time0), func(string) string { return "Patient/x" })
		if again, err := fhir.Parse(other); err != nil || again.ID() != "other" {
			t.Fatalf("rewritten: %v: %s", err, other)
		}
		if !fhir.SameButIdentity(raw, other) {
			t.Fatalf("more than the identity changed: %s", other)
		}
		for _, name := range fhir.SearchParams(r.Type()) {
			s, err := fhir.ParseSearch(r.Type(), map[string][]string{name + ":missing": {"true"}})
			if err == nil {
				s.Matches(r, fhir.Identity{})
			}
		}
		r.Subject()
		r.Encounter()
		r.Identifiers()
		r.Security()
	})
}
