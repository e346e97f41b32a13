package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
)

const (
	observation = `{"resourceType":"Observation","status":"final","code":{"text":"Weight"}`
	nobody      = "Patient/4c1d0000-0000-4000-8000-000000000000"
)

func transaction(entries ...string) string {
	return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
}

func batch(entries ...string) string {
	return `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Join(entries, ",") + `]}`
}

// post is an entry that creates a resource. What R4 requires of it is added where rest doesn't say it.
func post(fullURL, kind, rest string) string {
	for _, e := range []struct{ kind, name, value string }{
		{"Observation", "status", `"final"`}, {"Observation", "code", `{"text":"weight"}`}, {"Organization", "name", `"a"`},
		{"Endpoint", "status", `"active"`}, {"Endpoint", "connectionType", `{"code":"dicom-wado-rs"}`}, {"Endpoint", "payloadType", `[{"text":"any"}]`}, {"Endpoint", "address", `"https://x.example"`},
	} {
		if name := `,"` + e.name + `":`; e.kind == kind && !strings.Contains(rest, name) {
			rest += name + e.value
		}
	}
	return `{"fullUrl":"` + fullURL + `","resource":{"resourceType":"` + kind + `"` + rest + `},"request":{"method":"POST","url":"` + kind + `"}}`
}

func TestEveryErrorIsAnOperationOutcomeThatSaysWhatToDo(t *testing.T) {
	d := newDoor(t)
	expired, err := gateway.IssueToken(tokenKey, member, base, okafor, time.Minute, noon.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	patient := post("urn:uuid:1", "Patient", "")
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code, says, at           string
	}{
		{name: "no token", method: "GET", path: "/fhir/Observation/1", headers: []string{"Authorization", ""}, status: 401, code: "login", says: "Bearer"},
		{name: "basic authentication", method: "GET", path: "/fhir/Observation/1", headers: []string{"Authorization", "Basic eDp5"}, status: 401, code: "login", says: "Bearer"},
		{name: "broken token", method: "GET", path: "/fhir/Observation/1", headers: []string{"Authorization", "Bearer x"}, status: 401, code: "security", says: "JWS"},
		{name: "expired token", method: "GET", path: "/fhir/Observation/1", headers: []string{"Authorization", "Bearer " + expired}, status: 401, code: "security", says: "expired"},
		{name: "XML wanted", method: "GET", path: "/fhir/Observation/1", headers: []string{"Accept", "application/fhir+xml"}, status: 406, code: "not-supported", says: "JSON"},
		{name: "XML wanted by parameter", method: "GET", path: "/fhir/Observation/1?_format=xml", status: 406, code: "not-supported", says: "JSON"},
		{name: "XML wanted of metadata", method: "GET", path: "/fhir/metadata?_format=application/fhir%2Bxml", status: 406, code: "not-supported", says: "JSON"},
		{name: "another FHIR version", method: "GET", path: "/fhir/Observation/1", headers: []string{"Accept", "application/fhir+json; fhirVersion=5.0"}, status: 406, code: "not-supported", says: "R4"},
		{name: "GraphQL of the system", method: "POST", path: "/fhir/$graphql", body: `{"query":"{}"}`, status: 406, code: "not-supported", says: "GraphQL"},
		{name: "GraphQL of a resource", method: "GET", path: "/fhir/Observation/1/$graphql?query=x", status: 406, code: "not-supported", says: "GraphQL"},
		{name: "XML sent", method: "POST", path: "/fhir", body: "<Bundle/>", headers: []string{"Content-Type", "application/fhir+xml"}, status: 415, code: "not-supported", says: "JSON"},
		{name: "no content type", method: "POST", path: "/fhir", body: "{}", headers: []string{"Content-Type", ""}, status: 415, code: "not-supported", says: "Content-Type"},
		{name: "compressed", method: "POST", path: "/fhir", body: "{}", headers: []string{"Content-Encoding", "gzip"}, status: 415, code: "not-supported", says: "not compressed"},
		{name: "no such address", method: "GET", path: "/admin", status: 404, code: "not-supported", says: "metadata"},
		{name: "no such method", method: "PUT", path: "/fhir", body: "{}", status: 405, code: "not-supported", says: "PUT"},
		{name: "no such operation", method: "GET", path: "/fhir/Observation/1/$everything", status: 404, code: "not-supported", says: "metadata"},
		{name: "nothing there", method: "GET", path: "/fhir/Observation/1", status: 404, code: "not-found", says: "or not shared"},
		{name: "no such type", method: "GET", path: "/fhir/Potion/1", status: 404, code: "not-found", says: "or not shared"},
		{name: "no such version", method: "GET", path: "/fhir/Observation/1/_history/2", status: 404, code: "not-found", says: "or not shared"},
		{name: "parameter on a read", method: "GET", path: "/fhir/Observation/1?colour=red", status: 400, code: "not-supported", says: `"colour"`},

		{name: "search of no type", method: "GET", path: "/fhir/Potion", status: 404, code: "not-supported", says: "type"},
		{name: "search of a message", method: "GET", path: "/fhir/Parameters", status: 404, code: "not-supported", says: "type"},
		{name: "search without patient", method: "GET", path: "/fhir/Observation?code=1", status: 400, code: "required", says: "needs patient"},
		{name: "search of patients by name", method: "GET", path: "/fhir/Patient?name=Maria", status: 400, code: "required", says: "identifier"},
		{name: "search with an unknown parameter", method: "GET", path: "/fhir/Observation?patient=1&colour=red", status: 400, code: "not-supported", says: "colour"},
		{name: "search of two patients", method: "GET", path: "/fhir/Observation?patient=1&subject=2", status: 400, code: "invalid", says: "two patients"},
		{name: "search of a patient elsewhere", method: "GET", path: "/fhir/Observation?patient=http://other.example/Patient/2", status: 400, code: "value", says: "no patient of this gateway"},
		{name: "search with a broken date", method: "GET", path: "/fhir/Observation?patient=1&date=noon", status: 400, code: "value", says: "date"},
		{name: "search with a broken page", method: "GET", path: "/fhir/Practitioner?_count=-1", status: 400, code: "value", says: "_count"},
		{name: "search with a broken escape", method: "GET", path: "/fhir/Practitioner?name=%zz", status: 400, code: "invalid", says: "query string"},
		{name: "search with very much", method: "GET", path: "/fhir/Practitioner?name=" + strings.Repeat("x", 9000), status: 400, code: "too-long", says: "query"},

		{name: "no JSON", method: "POST", path: "/fhir", body: "{", status: 400, code: "structure", says: "not valid JSON", at: "Bundle"},
		{name: "a collection", method: "POST", path: "/fhir", body: `{"resourceType":"Bundle","type":"collection"}`, status: 422, code: "invalid", says: "transaction and batch", at: "Bundle.type"},
		{name: "no bundle", method: "POST", path: "/fhir", body: observation + "}", status: 422, code: "value", says: "Bundle", at: "Resource.resourceType"},
		{name: "entry without resource", method: "POST", path: "/fhir", body: transaction(patient, `{"request":{"method":"POST","url":"Patient"}}`), status: 422, code: "required", says: "missing", at: "Bundle.entry[1].resource"},
		{name: "entry to another type", method: "POST", path: "/fhir", body: transaction(`{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Observation"}}`), status: 422, code: "invalid", says: "Patient", at: "Bundle.entry[0].request.url"},
		{name: "entry that deletes a patient", method: "POST", path: "/fhir", body: transaction(`{"request":{"method":"DELETE","url":"Patient/1"}}`), status: 405, code: "not-supported", says: "not active", at: "Bundle.entry[0].request.url"},
		{name: "a message", method: "POST", path: "/fhir", body: transaction(post("urn:uuid:1", "Parameters", "")), status: 422, code: "not-supported", says: "no record", at: "Bundle.entry[0].resource"},
		{name: "a duplicate name", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Observation", `,"code":{},"code":{}`)), status: 400, code: "structure", says: "twice", at: "Bundle.entry[1].resource.code"},
		{name: "a date that is none", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Observation", `,"effectiveDateTime":"noon"`)), status: 422, code: "value", says: "no dateTime", at: "Bundle.entry[1].resource.effective.ofType(dateTime)"},
		{name: "one fullUrl twice", method: "POST", path: "/fhir", body: transaction(patient, patient), status: 422, code: "duplicate", says: "fullUrl", at: "Bundle.entry[1].fullUrl"},
		{name: "one patient twice", method: "POST", path: "/fhir", body: transaction(post("urn:uuid:1", "Patient", `,"identifier":[{"system":"urn:x","value":"1"}]`), post("urn:uuid:2", "Patient", `,"identifier":[{"system":"urn:x","value":"1"}]`)), status: 422, code: "duplicate", says: "same patient", at: "Bundle.entry[1].resource.identifier"},
		{name: "a reference to no entry", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Observation", `,"subject":{"reference":"urn:uuid:1"},"performer":[{"display":"x"},{"reference":"urn:uuid:3"}]`)), status: 422, code: "not-found", says: "no entry", at: "Bundle.entry[1].resource.performer[1]"},
		{name: "a conditional reference to nobody", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Observation", `,"subject":{"reference":"urn:uuid:1"},"performer":[{"reference":"Practitioner?identifier=urn:x|1"}]`)), status: 422, code: "not-found", says: "Practitioner", at: "Bundle.entry[1].resource.performer[0]"},
		{name: "a conditional reference by name", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Observation", `,"subject":{"reference":"Patient?name=Maria"}`)), status: 422, code: "not-supported", says: "identifier=", at: "Bundle.entry[1].resource.subject"},
		{name: "a conditional create of an observation", method: "POST", path: "/fhir/Observation", body: observation + "}", headers: []string{"If-None-Exist", "identifier=a|b"}, status: 422, code: "required", says: "no patient", at: "Observation"},
		{name: "nobody's resource", method: "POST", path: "/fhir/Observation", body: observation + "}", status: 422, code: "required", says: "no patient", at: "Observation"},
		{name: "a resource of one of two", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Patient", ""), post("urn:uuid:3", "Medication", "")), status: 422, code: "required", says: "belongs to no patient", at: "Bundle.entry[2].resource"},
		{name: "a resource of both of two", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Patient", ""), post("urn:uuid:3", "Medication", `,"extension":[{"url":"urn:of","valueReference":{"reference":"urn:uuid:1"}},{"url":"urn:of","valueReference":{"reference":"urn:uuid:2"}}]`)), status: 422, code: "multiple-matches", says: "several patients", at: "Bundle.entry[2].resource"},
		{name: "a directory that refers to a new patient", method: "POST", path: "/fhir", body: transaction(patient, post("urn:uuid:2", "Schedule", `,"actor":[{"reference":"urn:uuid:1"}]`)), status: 422, code: "business-rule", says: "no patient", at: "Bundle.entry[1].resource.actor[0]"},
		{name: "a directory that refers to a patient", method: "POST", path: "/fhir/Schedule", body: `{"resourceType":"Schedule","actor":[{"reference":"` + nobody + `"}]}`, status: 422, code: "business-rule", says: "no patient", at: "Schedule.actor[0]"},
		{name: "a patient at another server", method: "POST", path: "/fhir/Observation", body: observation + `,"subject":{"reference":"http://other.example/fhir/Patient/1"}}`, status: 422, code: "not-supported", says: "another server", at: "Observation.subject"},
		{name: "an unknown patient", method: "POST", path: "/fhir/Observation", body: observation + `,"subject":{"reference":"` + nobody + `"}}`, status: 404, code: "not-found", says: "or not shared"},
		{name: "an update of nothing", method: "PUT", path: "/fhir/Observation/1", body: observation + `,"id":"1"}`, status: 404, code: "not-found", says: "or not shared"},
		{name: "an update under another id", method: "PUT", path: "/fhir/Observation/1", body: observation + `,"id":"2"}`, status: 422, code: "invalid", says: "the same", at: "Observation.id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := d.do(c.method, c.path, c.body, c.headers...)
			if w.Code != c.status {
				t.Errorf("status: got %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/fhir+json; charset=utf-8" {
				t.Errorf("content type: got %q", got)
			}
			if w.Header().Get("X-Request-Id") == "" {
				t.Error("the answer has no X-Request-Id")
			}
			if w.Code == http.StatusUnauthorized && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("challenge: got %q", w.Header().Get("WWW-Authenticate"))
			}
			o := readOutcome(t, w.Body)
			if i := o.Issue[0]; i.Severity != "error" || i.Code != c.code || !strings.Contains(i.Diagnostics, c.says) {
				t.Errorf("got %+v, want code %q and words with %q", i, c.code, c.says)
			}
			if got := o.Issue[0].Expression; c.at == "" && got != nil || c.at != "" && !slices.Equal(got, []string{c.at}) {
				t.Errorf("expression: got %q, want %q", got, c.at)
			}
		})
	}
}

func TestAnInvalidEntryOfATransactionLeavesNothingBehind(t *testing.T) {
	d := newDoor(t)
	w := d.do("POST", "/fhir", transaction(post("urn:uuid:1", "Organization", `,"identifier":[{"system":"urn:x","value":"1"}]`), post("urn:uuid:2", "Observation", "")))
	if w.Code != http.StatusUnprocessableEntity {
		t.Fatalf("got %d: %s", w.Code, w.Body)
	}
	if b := readBundle(t, d.do("GET", "/fhir/Organization", "").Body); b.Total != 0 {
		t.Errorf("%d organisations were listed", b.Total)
	}
}

func TestAnInvalidEntryOfABatchFailsAlone(t *testing.T) {
	d := newDoor(t)
	w := d.do("POST", "/fhir", batch(post("urn:uuid:2", "Observation", ""), post("urn:uuid:1", "Organization", `,"name":"Riverside"`), post("urn:uuid:3", "Observation", `,"effectiveDateTime":"yesterday"`)))
	if w.Code != http.StatusOK {
		t.Fatalf("got %d: %s", w.Code, w.Body)
	}
	b := readBundle(t, w.Body)
	if got := b.Entry[2].Response; got.Outcome == nil || got.Outcome.Issue[0].Expression[0] != "Bundle.entry[2].resource.effective.ofType(dateTime)" {
		t.Errorf("got %+v", got)
	}
	if got := b.Entry[0].Response; got.Status != "422 Unprocessable Entity" || got.Outcome == nil || got.Outcome.Issue[0].Expression[0] != "Bundle.entry[0].resource" {
		t.Errorf("got %+v", got)
	}
	if got := b.Entry[1].Response; got.Status != "201 Created" || got.Outcome != nil {
		t.Errorf("got %+v", got)
	}
}

func TestWhoSendsTwoTokensIsNotAnswered(t *testing.T) {
	d := newDoor(t)
	r := httptest.NewRequest("GET", "/fhir/Organization", nil)
	r.Header["Authorization"] = []string{"Bearer " + d.token, "Bearer " + d.token}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "Send one") {
		t.Errorf("got %d: %s", w.Code, w.Body)
	}
}

func TestReadinessTellsWhyAndWhenToAskAgain(t *testing.T) {
	d := newDoor(t)
	if w := d.do("GET", "/readyz", "", "Authorization", ""); w.Code != http.StatusOK {
		t.Errorf("ready: got %d", w.Code)
	}
	d.ready = errors.New("2 of 4 members are up, 3 are needed")
	w := d.do("GET", "/readyz", "", "Authorization", "")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "2 of 4") {
		t.Errorf("not ready: got %d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	if w := d.do("GET", "/healthz", "", "Authorization", ""); w.Code != http.StatusOK {
		t.Errorf("health: got %d", w.Code)
	}
}

func TestTheLogSaysWhatHappenedAndNeverToWhom(t *testing.T) {
	d := newDoor(t)
	d.do("GET", "/fhir/Observation/secret-id?_format=json", "")
	d.do("GET", "/fhir/Patient?identifier=secret-system|secret-number", "")
	d.do("GET", "/fhir/Observation?secret=secret", "")
	d.do("POST", "/fhir", transaction(post("urn:uuid:secret", "Patient", `,"name":[{"text":"secret"}]`), post("urn:uuid:2", "Observation", `,"subject":{"reference":"urn:uuid:secret2"}`)))
	d.do("GET", "/secret", "")
	log := d.log.String()
	for _, never := range []string{"secret", okafor.Name, okafor.Practitioner, d.token} {
		if strings.Contains(log, never) {
			t.Errorf("the log has %q:\n%s", never, log)
		}
	}
	for _, want := range []string{`"route":"GET /fhir/{type}/{id}"`, `"status":404`, `"route":"POST /fhir"`, `"status":422`, `"request":"`, `"took":`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
}

// The purposes that a token can name are those that exchange knows; a new one must not be forgotten here.
func TestATokenCanNameEveryPurpose(t *testing.T) {
	for _, p := range exchange.Purposes {
		who := exchange.Asker{Practitioner: "p", Purpose: p}
		if _, err := gateway.IssueToken(tokenKey, member, base, who, time.Minute, noon); err != nil {
			t.Error(err)
		}
	}
}

func TestWhoIsStillSendingSeesTheAnswer(t *testing.T) {
	d := newDoor(t)
	s := httptest.NewServer(d)
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := strings.Repeat("x", 7<<20)
	if _, err := fmt.Fprintf(c, "POST /fhir HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Encoding: gzip\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n%s", d.token, len(body), body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("got %s", resp.Status)
	}
}
