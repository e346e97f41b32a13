package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/internal/testnet"
)

// proposed is a request by a member, as a Consent.
func proposed(patient, provision string) string {
	return `{"resourceType":"Consent","status":"proposed","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":` + patient + `,"dateTime":"2026-03-02","provision":{"type":"permit",` + provision + `}}`
}

// consentIn is a Consent as a client reads it.
type consentIn struct {
	ID, Status string
	Provision  struct {
		Class []struct{ Code string }
	}
}

func readConsent(t testing.TB, raw []byte) (c consentIn) {
	t.Helper()
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// waits finds the request in the inbox of the custodian's patient.
func (d desk) waits(t testing.TB, chart string) (raw []byte) {
	t.Helper()
	for _, e := range readBundle(t, bytes.NewReader(d.do("GET", "/Consent?status=proposed&patient="+chart, "").want(t, http.StatusOK).body)).Entry {
		raw = e.Resource
	}
	if raw == nil {
		t.Fatal("no request is in the inbox")
	}
	return raw
}

func TestARequestIsNarrowedByThePatientAndTheAskerHearsIt(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	home := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT", Reason: "second opinion"}}
	chartID, _ := home.enrol(7)
	lab := idOf(t, home.do("POST", "/Observation", fmt.Sprintf(labelled, "", "laboratory", chartID, "2020-01-05")).want(t, http.StatusCreated))
	handle, err := net.Nodes[0].Member.Handle(chartID)
	if err != nil {
		t.Fatal(err)
	}
	card := `{"identifier":{"system":"urn:vitalog:handle","value":"` + handle.String() + `"}}`
	ask := func(provision string) string {
		t.Helper()
		settle(t, net)
		a := abroad.do("POST", "/Consent", proposed(card, provision)).want(t, http.StatusCreated)
		c := readConsent(t, a.body)
		if c.Status != "proposed" || !strings.HasSuffix(a.header.Get("Location"), "/Consent/"+c.ID) {
			t.Fatalf("got %s", a.body)
		}
		settle(t, net)
		return c.ID
	}
	look := func(id string) (consentIn, answer) {
		t.Helper()
		settle(t, net)
		a := abroad.do("GET", "/Consent/"+id, "").want(t, http.StatusOK)
		return readConsent(t, a.body), a
	}

	t.Run("narrowed, it becomes active with what was granted", func(t *testing.T) {
		id := ask(toAbroad + classes("labs", "vitals"))
		if c, _ := look(id); c.Status != "proposed" {
			t.Errorf("before any answer it is %s", c.Status)
		}
		raw := string(home.waits(t, chartID))
		wider := strings.Replace(strings.Replace(raw, `"labs"`, `"medications"`, 1), `"proposed"`, `"active"`, 1)
		own := readConsent(t, []byte(raw)).ID
		if o := readOutcome(t, bytes.NewReader(home.do("PUT", "/Consent/"+own, wider).want(t, http.StatusUnprocessableEntity).body)); !strings.Contains(o.Issue[0].Diagnostics, "medications") {
			t.Errorf("got %+v", o)
		}
		narrowed := strings.Replace(strings.Replace(raw, `,{"system":"urn:vitalog:section","code":"vitals"}`, "", 1), `"proposed"`, `"active"`, 1)
		if narrowed == raw || strings.Contains(narrowed, "vitals") {
			t.Fatal(narrowed)
		}
		home.do("PUT", "/Consent/"+own, narrowed).want(t, http.StatusOK)
		home.do("PUT", "/Consent/"+own, narrowed).want(t, http.StatusOK) // again
		c, a := look(id)
		if c.Status != "active" || len(c.Provision.Class) != 1 || c.Provision.Class[0].Code != "labs" {
			t.Errorf("got %s", a.body)
		}
		abroad.do("GET", "/Observation?category=laboratory&patient="+chartID, "").want(t, http.StatusOK)
		abroad.do("GET", "/Observation/"+lab, "").want(t, http.StatusOK)
		home.do("DELETE", "/Consent/"+own, "").want(t, http.StatusNoContent)
		if c, _ := look(id); c.Status != "inactive" {
			t.Errorf("ended, it is %s", c.Status)
		}
	})
	t.Run("denied, it becomes rejected", func(t *testing.T) {
		id := ask(toAbroad + classes("hiv"))
		raw := string(home.waits(t, chartID))
		own := readConsent(t, []byte(raw)).ID
		home.do("PUT", "/Consent/"+own, strings.Replace(raw, `"proposed"`, `"rejected"`, 1)).want(t, http.StatusOK)
		if c, a := look(id); c.Status != "rejected" {
			t.Errorf("got %s", a.body)
		}
		if c := readConsent(t, home.do("GET", "/Consent/"+own, "").want(t, http.StatusOK).body); c.Status != "rejected" {
			t.Errorf("the custodian has it as %s", c.Status)
		}
	})
	t.Run("the patient sees no answer of theirs as a post that can't be read", func(t *testing.T) {
		patient, err := net.Nodes[0].Member.Custody(chartID)
		if err != nil {
			t.Fatal(err)
		}
		list, spam, err := patient.Inbox(t.Context())
		if err != nil || spam != 0 || len(list) != 2 || !list[0].Granted || !list[1].Answered || list[1].Granted {
			t.Errorf("got %+v, %d, %v", list, spam, err)
		}
	})
	t.Run("what can't be asked for is refused", func(t *testing.T) {
		for name, c := range map[string]struct {
			doc    string
			status int
		}{
			"for another member":     {proposed(card, strings.Replace(toAbroad, "Member 1", "Member 0", 1)), 422},
			"for another purpose":    {proposed(card, strings.Replace(toAbroad, "TREAT", "HRESCH", 1)), 422},
			"for single resources":   {proposed(card, toAbroad+`,"data":[{"meaning":"instance","reference":{"reference":"Observation/1"}}]`), 422},
			"a card that is none":    {proposed(`{"identifier":{"system":"urn:vitalog:handle","value":"vitalog:x"}}`, toAbroad), 422},
			"a patient of elsewhere": {proposed(`{"reference":"Patient/nobody"}`, toAbroad), 404},
		} {
			readOutcome(t, bytes.NewReader(abroad.do("POST", "/Consent", c.doc).want(t, c.status).body))
			_ = name
		}
		abroad.do("GET", "/Consent/request.00", "").want(t, http.StatusNotFound)
		home.do("GET", "/Consent/request.00112233445566778899aabbccddeeff", "").want(t, http.StatusNotFound)
	})
}

func TestProvenanceHasTheAuthorsSignature(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	d := desk{t, net.Nodes[0], okafor}
	chartID, _ := d.enrol(7)
	id := idOf(t, d.do("POST", "/Observation", fmt.Sprintf(labelled, "", "laboratory", chartID, "2020-01-05")).want(t, http.StatusCreated))
	b := readBundle(t, bytes.NewReader(d.do("GET", "/Provenance?target=Observation/"+id, "").want(t, http.StatusOK).body))
	if b.Total != 1 {
		t.Fatalf("got %d", b.Total)
	}
	var p struct {
		ID, Recorded string
		Target       []struct{ Reference string }
		Agent        []struct {
			Who        struct{ Display string }
			OnBehalfOf struct{ Display string }
		}
		Signature []struct{ SigFormat, Data string }
	}
	if err := json.Unmarshal(b.Entry[0].Resource, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Target) != 1 || !strings.HasPrefix(p.Target[0].Reference, "Observation/"+id+"/_history/") || p.Agent[0].Who.Display != "A. Okafor" || p.Agent[0].OnBehalfOf.Display != "Member 0" {
		t.Errorf("got %s", b.Entry[0].Resource)
	}
	raw, err := base64.StdEncoding.DecodeString(p.Signature[0].Data)
	if err != nil || p.Signature[0].SigFormat != "application/vnd.vitalog.attestation" {
		t.Fatal(err, p.Signature)
	}
	a, err := chart.DecodeAttestation(raw)
	if err != nil || a.Verify() != nil || a.Author != net.Nodes[0].Genesis.Members[0].Sign {
		t.Errorf("the signature is not the member's: %+v, %v", a, err)
	}
	if got := d.do("GET", "/Provenance/"+p.ID, "").want(t, http.StatusOK); !bytes.Equal(got.body, b.Entry[0].Resource) {
		t.Errorf("by its id: %s", got.body)
	}
	none := d.do("GET", "/Provenance?target=Observation/none", "").want(t, http.StatusOK)
	if b := readBundle(t, bytes.NewReader(none.body)); b.Total != 0 {
		t.Errorf("of what isn't there: %d", b.Total)
	}
	for _, x := range []string{".5-999999", ".99-1", ".5-01", ".5", ".19-0"} {
		d.do("GET", "/Provenance/"+chartID+x, "").want(t, http.StatusNotFound)
	}
	stranger := desk{t, net.Nodes[0], exchange.Asker{Practitioner: "p-3", Purpose: "HRESCH"}}
	if got := stranger.do("GET", "/Provenance?target=Observation/"+id, "").want(t, http.StatusOK); !bytes.Equal(bytes.ReplaceAll(got.body, []byte(id), []byte("none")), none.body) {
		t.Errorf("not shared is %s, not there is %s", got.body, none.body)
	}
}
