package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/definition"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/testnet"
	"vitalog/section"
	"vitalog/synthetic"
)

// composed is a summary as a client reads it.
type composed struct {
	Type, Timestamp string
	Identifier      struct{ Value string }
	Entry           []struct {
		FullURL  string
		Resource json.RawMessage
	}
}

func readSummary(t testing.TB, a answer) (s composed) {
	t.Helper()
	r, err := fhir.Parse(a.want(t, http.StatusOK).body)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range definition.Validate(r, nil) {
		if i := f.Issue(); i.Severity == fhir.Failure {
			t.Errorf("%s: %s", i.Element, i.Text)
		}
	}
	if err := json.Unmarshal(a.body, &s); err != nil {
		t.Fatal(err)
	}
	if s.Type != "document" || s.Identifier.Value == "" || s.Timestamp == "" {
		t.Errorf("got %.300s", a.body)
	}
	return s
}

// kinds are the types of resources in a summary, sorted.
func (s composed) kinds() (all []string) {
	for _, e := range s.Entry {
		var r struct{ ResourceType string }
		json.Unmarshal(e.Resource, &r)
		all = append(all, r.ResourceType)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// shown are the answers to a $match: the patient, the grade, the score.
func shown(t testing.TB, a answer) (all []string) {
	t.Helper()
	var b struct {
		Total int
		Entry []struct {
			FullURL string
			Search  struct {
				Mode      string
				Score     json.Number
				Extension []struct{ URL, ValueCode string }
			}
		}
	}
	if err := json.Unmarshal(a.want(t, http.StatusOK).body, &b); err != nil || b.Total != len(b.Entry) {
		t.Fatalf("%v: %s", err, a.body)
	}
	for _, e := range b.Entry {
		if e.Search.Mode != "match" || e.Search.Extension[0].URL != "http://hl7.org/fhir/StructureDefinition/match-grade" {
			t.Errorf("got %s", a.body)
		}
		all = append(all, fmt.Sprint(e.FullURL[strings.LastIndexByte(e.FullURL, '/')+1:], " ", e.Search.Extension[0].ValueCode, " ", e.Search.Score))
	}
	return all
}

func TestSummariesAndMatchesTellWhatIsSharedAndLeaveRows(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	author := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	chart, _ := author.enrol(3)
	other, _ := author.enrol(4)
	known := func(seed uint64) *synthetic.Patient {
		return synthetic.Patients(seed, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0]
	}
	about := `,"subject":{"reference":"Patient/` + chart + `"}}`
	author.do("POST", "/Condition", `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"text":"Asthma"}`+about).want(t, http.StatusCreated)
	author.do("POST", "/Condition", `{"resourceType":"Condition","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"text":"Dread"}`+about).want(t, http.StatusCreated)
	author.measure(chart, 2)
	share(t, author.node.Member, chart, 1, consent.Read, section.Demographics, section.Summary)
	settle(t, net)
	summary := "/Patient/" + chart + "/$summary"
	patient := known(3)
	mine := func(more string) string {
		return fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"%s","value":"%s"}]%s}`, synthetic.MRNSystem, patient.MRN, more)
	}
	came := func(before []string) (more []string) {
		after := rows(t, net, chart)
		for _, r := range before {
			if i := slices.Index(after, r); i >= 0 {
				after = slices.Delete(after, i, i+1)
			}
		}
		return after
	}

	t.Run("a summary has what is shared, of sections that have their rows", func(t *testing.T) {
		before := rows(t, net, chart)
		whole := author.do("GET", summary, "")
		if got := readSummary(t, whole); !slices.Contains(got.kinds(), "Observation") || !bytes.Contains(whole.body, []byte("Dread")) {
			t.Errorf("the author's has %v", got.kinds())
		}
		if got := came(before); len(got) == 0 || !slices.Contains(got, "mental-health: "+okafor.Name+", allowed") || slices.ContainsFunc(got, func(r string) bool { return strings.HasPrefix(r, "encounters") }) {
			t.Errorf("the author's left %q", got)
		}
		before = rows(t, net, chart)
		part := abroad.do("GET", summary, "")
		got := readSummary(t, part)
		if slices.Contains(got.kinds(), "Observation") || !bytes.Contains(part.body, []byte("Asthma")) || bytes.Contains(part.body, []byte("Dread")) {
			t.Errorf("the other member's has %v", got.kinds())
		}
		want := []string{"demographics: L. Petit, allowed", "summary: L. Petit, allowed"}
		if got := came(before); !slices.Equal(got, want) {
			t.Errorf("the other member's left %q, want %q", got, want)
		}
	})

	t.Run("a summary is asked for in several ways", func(t *testing.T) {
		byNumber := "identifier=" + synthetic.MRNSystem + "%7C" + patient.MRN
		profile := `{"resourceType":"Parameters","parameter":[{"name":"profile","valueCanonical":"http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips|2.0.0"}]}`
		want := readSummary(t, author.do("GET", summary, ""))
		for name, a := range map[string]answer{
			"POST": author.do("POST", summary, ""), "POST with Parameters": author.do("POST", summary, profile), "by a number": author.do("GET", "/Patient/$summary?"+byNumber, ""),
			"POST by a number": author.do("POST", "/Patient/$summary", ` {"resourceType":"Parameters","parameter":[{"name":"identifier","valueString":"`+synthetic.MRNSystem+"|"+patient.MRN+`"}]}`),
		} {
			if got := readSummary(t, a); len(got.Entry) != len(want.Entry) || got.Identifier.Value == want.Identifier.Value {
				t.Errorf("%s: %d entries, identifier %s; want %d and a new one", name, len(got.Entry), got.Identifier.Value, len(want.Entry))
			}
		}
		for path, status := range map[string]int{"?profile=http://x": 422, "?_count=1": 400, "?identifier=a%7Cb": 400, "?profile=http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips%7C1.1.0": 422} {
			author.do("GET", summary+path, "").want(t, status)
		}
		author.do("GET", "/Patient/$summary", "").want(t, http.StatusBadRequest)
		author.do("POST", summary, `{"resourceType":"Patient"}`).want(t, http.StatusUnprocessableEntity)
		author.do("GET", summary, "", "Accept", "application/fhir+xml").want(t, http.StatusNotAcceptable)
	})

	t.Run("who isn't known, shares nothing or is beyond the token is nobody", func(t *testing.T) {
		nobody := abroad.do("GET", "/Patient/nothing/$summary", "").want(t, http.StatusNotFound)
		for _, a := range []answer{abroad.do("GET", "/Patient/"+other+"/$summary", ""), abroad.do("GET", "/Patient/$summary?identifier=urn:x%7C1", ""),
			author.scoped("patient/*.rs", other).do("GET", summary, "")} {
			if a.want(t, http.StatusNotFound); !bytes.Equal(a.body, nobody.body) {
				t.Errorf("got %s, want %s", a.body, nobody.body)
			}
		}
		readSummary(t, author.scoped("patient/*.rs", chart).do("GET", summary, ""))
		for _, scopes := range []string{"patient/Patient.rs", "patient/*.s", "user/Patient.r user/Condition.r", "patient/Observation.rs?category=laboratory patient/Patient.r"} {
			author.scoped(scopes, chart).do("GET", summary, "").want(t, http.StatusForbidden)
		}
	})

	t.Run("a match is found by identifiers and graded by what both sides say", func(t *testing.T) {
		before := rows(t, net, chart)
		type name struct {
			Family string
			Given  []string
		}
		var p struct {
			Name              []name
			BirthDate, Gender string
		}
		if err := json.Unmarshal(author.do("GET", "/Patient/"+chart, "").body, &p); err != nil || len(p.Name) == 0 || len(p.Name[0].Given) == 0 {
			t.Fatal(err, p)
		}
		said := fmt.Sprintf(`,"name":[{"family":"%s","given":["%s"]}],"birthDate":"%s","gender":"%s"`, strings.ToUpper(p.Name[0].Family), p.Name[0].Given[0], p.BirthDate, p.Gender)
		for body, want := range map[string][]string{
			mine(""):                          {chart + " certain 1"},
			mine(said):                        {chart + " certain 1"},
			mine(`,"birthDate":"1900-01-01"`): {chart + " probable 0.8"},
			mine(`,"birthDate":"1900-01-01","name":[{"family":"Nobody"}]`):                                    {chart + " possible 0.5"},
			"\n " + matching(mine(""), "") + "\n":                                                             {chart + " certain 1"},
			`{"resourceType":"Patient"` + said + `}`:                                                          nil,
			`{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"1"}]}`:                        nil,
			matching(mine(""), `,{"name":"onlyCertainMatches","valueBoolean":true}`):                          {chart + " certain 1"},
			matching(mine(`,"birthDate":"1900-01-01"`), `,{"name":"onlyCertainMatches","valueBoolean":true}`): nil,
			matching(strings.Replace(mine(""), "}]", `},{"system":"`+synthetic.MRNSystem+`","value":"`+known(4).MRN+`"}]`, 1), `,{"name":"count","valueInteger":1}`): {min(chart, other) + " probable 0.8"},
		} {
			if got := shown(t, author.do("POST", "/Patient/$match", body)); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", body, got, want)
			}
		}
		if got := came(before); len(got) != 9 || slices.ContainsFunc(got, func(r string) bool { return r != "demographics: "+okafor.Name+", allowed" }) {
			t.Errorf("a reading and eight matches left %q", got)
		}
	})

	t.Run("a match tells nothing of whom the asker may not open", func(t *testing.T) {
		elsewhere := strings.Replace(mine(""), patient.MRN, known(4).MRN, 1)
		if got := shown(t, abroad.do("POST", "/Patient/$match", elsewhere)); got != nil {
			t.Errorf("got %q", got)
		}
		author.scoped("patient/*.cruds", chart).do("POST", "/Patient/$match", mine("")).want(t, http.StatusForbidden)
		author.scoped("user/Observation.rs", "").do("POST", "/Patient/$match", mine("")).want(t, http.StatusForbidden)
		if got := shown(t, author.scoped("system/Patient.s", "").do("POST", "/Patient/$match", mine(""))); len(got) != 1 {
			t.Errorf("got %q", got)
		}
		if got := shown(t, author.scoped("user/Patient.rs?gender=unknown", "").do("POST", "/Patient/$match", mine(""))); got != nil {
			t.Errorf("beyond a scope's filter: got %q", got)
		}
	})

	t.Run("what can't be matched is refused", func(t *testing.T) {
		for _, body := range []string{`{"resourceType":"Practitioner"}`, matching(`{"resourceType":"Practitioner"}`, ""), `{"resourceType":"Parameters"}`, matching(mine(""), `,{"name":"count","valueInteger":0}`),
			matching(mine(""), `,{"name":"onlyCertainMatches","valueString":"true"}`), matching(mine(""), `,{"name":"colour","valueString":"red"}`),
			`{"resourceType":"Patient","identifier":[` + strings.Repeat(`{"value":"1"},`, 20) + `{"value":"1"}]}`} {
			author.do("POST", "/Patient/$match", body).want(t, http.StatusUnprocessableEntity)
		}
		author.do("POST", "/Patient/$match", "{").want(t, http.StatusBadRequest)
	})
}

// matching is the Parameters of a $match.
func matching(patient, more string) string {
	return `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":` + patient + `}` + more + `]}`
}
