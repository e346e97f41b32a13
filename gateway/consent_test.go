package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/testnet"
)

const labelled = `{"resourceType":"Observation","status":"final",%s"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"%s"}]}],"code":{"text":"x"},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"%s"}`

// permit is a Consent by PCF with a provision.
func permit(chart, provision string) string {
	return `{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/` + chart + `"},"dateTime":"2026-03-02","performer":[{"reference":"Patient/` + chart + `"}],` +
		`"organization":[{"display":"Member 0"}],"sourceAttachment":{"title":"signed on paper"},"policy":[{"uri":"urn:example:policy"}],"provision":{"type":"permit",` + provision + `}}`
}

// deny is a Consent by PCF that denies.
func deny(chart, provision string) string {
	return strings.Replace(permit(chart, provision), `"permit"`, `"deny"`, 1)
}

// toAbroad is an actor and a purpose.
const toAbroad = `"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"identifier":{"system":"urn:vitalog:member","value":"Member 1"}}}],` +
	`"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}]`

func classes(names ...string) string {
	var out []string
	for _, n := range names {
		out = append(out, `{"system":"urn:vitalog:section","code":"`+n+`"}`)
	}
	return `,"class":[` + strings.Join(out, ",") + `]`
}

func idOf(t testing.TB, a answer) string {
	t.Helper()
	var r struct{ ID string }
	if err := json.Unmarshal(a.body, &r); err != nil || r.ID == "" {
		t.Fatalf("no resource: %s", a.body)
	}
	return r.ID
}

// without is JSON without some of its members.
func without(t testing.TB, raw []byte, names ...string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		delete(m, n)
	}
	b, _ := json.Marshal(m)
	return string(b)
}

func TestAConsentIsGrantedNarrowedAndEnded(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	home := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	billing := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-3", Purpose: "HPAYMT"}}
	chart, _ := home.enrol(7)
	lab := idOf(t, home.do("POST", "/Observation", fmt.Sprintf(labelled, "", "laboratory", chart, "2020-01-05")).want(t, http.StatusCreated))
	vital := idOf(t, home.do("POST", "/Observation", fmt.Sprintf(labelled, "", "vital-signs", chart, "2020-01-05")).want(t, http.StatusCreated))
	later := idOf(t, home.do("POST", "/Observation", fmt.Sprintf(labelled, "", "vital-signs", chart, "2021-06-05")).want(t, http.StatusCreated))
	read := func(d desk, id string, status int) answer {
		t.Helper()
		settle(t, net)
		return d.do("GET", "/Observation/"+id, "").want(t, status)
	}
	read(abroad, lab, http.StatusNotFound)

	doc := permit(chart, toAbroad+classes("demographics", "labs", "vitals"))
	made := home.do("POST", "/Consent", doc, "Idempotency-Key", "consent-1").want(t, http.StatusCreated)
	id := idOf(t, made)
	again := home.do("POST", "/Consent", doc, "Idempotency-Key", "consent-1").want(t, http.StatusCreated)
	if idOf(t, again) != id {
		t.Errorf("the same request made %s, then %s", id, again.body)
	}
	settle(t, net)
	abroad.do("GET", "/Observation?patient="+chart, "").want(t, http.StatusOK) // opens the sections, so that it knows where what is

	t.Run("what it permits is read, for its purpose", func(t *testing.T) {
		read(abroad, lab, http.StatusOK)
		read(abroad, vital, http.StatusOK)
		read(billing, lab, http.StatusNotFound)
	})
	t.Run("it reads back as it was written", func(t *testing.T) {
		got := home.do("GET", "/Consent/"+id, "").want(t, http.StatusOK)
		if got, want := without(t, got.body, "id", "meta"), without(t, []byte(doc)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if !bytes.Equal(got.body, made.body) {
			t.Errorf("created as %s, read as %s", made.body, got.body)
		}
	})
	t.Run("it is found by patient, status and actor, by GET and by POST", func(t *testing.T) {
		for query, want := range map[string]int{"status=active": 1, "status=inactive": 0, "_id=" + id: 1, "purpose=TREAT&_id=" + id: 1, "purpose=HRESCH": 0} {
			q := "patient=Patient/" + chart + "&" + query
			for _, a := range []answer{
				home.do("GET", "/Consent?"+q, ""),
				home.do("POST", "/Consent/_search", q, "Content-Type", "application/x-www-form-urlencoded"),
			} {
				b := readBundle(t, bytes.NewReader(a.want(t, http.StatusOK).body))
				n := 0
				for _, e := range b.Entry {
					if strings.HasSuffix(e.FullURL, id) {
						n++
					}
				}
				if n != want {
					t.Errorf("%s: found %d, want %d", q, n, want)
				}
			}
		}
		b := readBundle(t, bytes.NewReader(home.do("GET", "/Consent?patient.identifier="+url.QueryEscape("urn:nobody|1"), "").want(t, http.StatusOK).body))
		if b.Total != 0 {
			t.Errorf("found %d of a patient who isn't known", b.Total)
		}
	})
	t.Run("who was granted sees its own part, and can't change it", func(t *testing.T) {
		b := readBundle(t, bytes.NewReader(abroad.do("GET", "/Consent?patient="+chart, "").want(t, http.StatusOK).body))
		if b.Total != 1 || !bytes.Contains(b.Entry[0].Resource, []byte(`"value":"Member 1"`)) || !bytes.Contains(b.Entry[0].Resource, []byte(`"labs"`)) || bytes.Contains(b.Entry[0].Resource, []byte("medications")) {
			t.Errorf("got %+v", b)
		}
		theirs := b.Entry[0].FullURL[strings.LastIndexByte(b.Entry[0].FullURL, '/')+1:]
		abroad.do("GET", "/Consent/"+theirs, "").want(t, http.StatusOK)
		abroad.do("DELETE", "/Consent/"+theirs, "").want(t, http.StatusForbidden)
		abroad.do("POST", "/Consent", doc).want(t, http.StatusForbidden)
	})
	t.Run("narrowed, it permits no more than it says then", func(t *testing.T) {
		next := strings.Replace(permit(chart, toAbroad+classes("demographics", "vitals")+`,"dataPeriod":{"start":"2021"}`), `"status"`, `"id":"`+id+`","status"`, 1)
		home.do("PUT", "/Consent/"+id, next, "If-Match", `W/"old"`).want(t, http.StatusPreconditionFailed)
		home.do("PUT", "/Consent/"+id, next, "If-Match", made.header.Get("ETag")).want(t, http.StatusOK)
		read(abroad, later, http.StatusOK)
		o := readOutcome(t, bytes.NewReader(read(abroad, vital, http.StatusForbidden).body))
		if !strings.Contains(o.Issue[0].Diagnostics, "outside the grant") {
			t.Errorf("got %+v", o.Issue[0])
		}
		read(abroad, lab, http.StatusForbidden)
	})
	t.Run("ended, it permits nothing and says so", func(t *testing.T) {
		home.do("DELETE", "/Consent/"+id, "").want(t, http.StatusNoContent)
		if got := home.do("GET", "/Consent/"+id, "").want(t, http.StatusOK); !bytes.Contains(got.body, []byte(`"status":"inactive"`)) {
			t.Errorf("got %s", got.body)
		}
		read(abroad, later, http.StatusForbidden)
		b := readBundle(t, bytes.NewReader(abroad.do("GET", "/Consent?status=active&patient="+chart, "").want(t, http.StatusOK).body))
		if b.Total != 0 {
			t.Errorf("still %d are active", b.Total)
		}
	})
	t.Run("one resource is shared alone", func(t *testing.T) {
		a := home.do("POST", "/Consent", permit(chart, toAbroad+`,"data":[{"meaning":"instance","reference":{"reference":"Observation/`+lab+`"}}]`)).want(t, http.StatusCreated)
		read(abroad, lab, http.StatusOK)
		read(abroad, later, http.StatusForbidden)
		ended := strings.Replace(string(a.body), `"status":"active"`, `"status":"inactive"`, 1)
		if got := home.do("PUT", "/Consent/"+idOf(t, a), ended).want(t, http.StatusOK); !bytes.Contains(got.body, []byte(`"status":"inactive"`)) {
			t.Errorf("got %s", got.body)
		}
		read(abroad, lab, http.StatusForbidden)
	})
	t.Run("a period that has not begun permits nothing yet", func(t *testing.T) {
		home.do("POST", "/Consent", permit(chart, toAbroad+classes("labs")+`,"period":{"start":"`+time.Now().AddDate(1, 0, 0).Format(time.DateOnly)+`"}`)).want(t, http.StatusCreated)
		read(abroad, lab, http.StatusForbidden)
	})
	t.Run("what can't be granted exactly is refused", func(t *testing.T) {
		for name, c := range map[string]struct {
			doc    string
			status int
			says   string
		}{
			"a period that is over": {permit(chart, toAbroad+`,"period":{"end":"2020"}`), 422, "over"},
			"a purpose without key": {strings.Replace(permit(chart, toAbroad), `"TREAT"`, `"HMARKT"`, 1), 422, "purpose"},
			"an unknown member":     {strings.Replace(permit(chart, toAbroad), "Member 1", "Member 9", 1), 422, "member"},
			"a deny for a period":   {deny(chart, toAbroad+`,"period":{"end":"2100"}`), 422, "for good"},
			"broken glass":          {deny(chart, `"provision":[{"type":"permit",`+strings.Replace(toAbroad, "TREAT", "BTG", 1)+`}]`), 422, "breaks the glass"},
			"a deny to oneself":     {deny(chart, strings.Replace(toAbroad, "Member 1", "Member 0", 1)), 422, "in custody"},
			"a code":                {permit(chart, toAbroad+`,"code":[{"text":"x"}]`), 422, "code"},
			"a draft":               {strings.Replace(permit(chart, toAbroad), `"active"`, `"draft"`, 1), 422, "active"},
			"an unknown patient":    {permit("nobody", toAbroad), 404, "Not found"},
			"nothing of the period": {permit(chart, toAbroad+classes("labs")+`,"dataPeriod":{"end":"1950"}`), 422, "nothing would be shared"},
			"an unknown instance":   {permit(chart, toAbroad+`,"data":[{"meaning":"instance","reference":{"reference":"Observation/none"}}]`), 422, "no resource"},
			"in a bundle":           {"", 422, "by itself"},
		} {
			a := home.do("POST", "/Consent", c.doc)
			if c.doc == "" {
				a = home.do("POST", "", transaction(`{"resource":`+permit(chart, toAbroad)+`,"request":{"method":"POST","url":"Consent"}}`))
			}
			if o := readOutcome(t, bytes.NewReader(a.want(t, c.status).body)); !strings.Contains(o.Issue[0].Diagnostics, c.says) {
				t.Errorf("%s: got %+v, want something about %q", name, o.Issue[0], c.says)
			}
		}
	})
	t.Run("what is labelled is shared by its label alone", func(t *testing.T) {
		meta := `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"},{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`
		secret := idOf(t, home.do("POST", "/Observation", fmt.Sprintf(labelled, meta, "laboratory", chart, "2020-01-05")).want(t, http.StatusCreated))
		search := func() bool {
			t.Helper()
			settle(t, net)
			return bytes.Contains(abroad.do("GET", "/Observation?patient="+chart, "").want(t, http.StatusOK).body, []byte(secret))
		}
		home.do("POST", "/Consent", permit(chart, toAbroad+classes("labs"))).want(t, http.StatusCreated)
		if search() {
			t.Error("a Consent for labs shows what is labelled HIV")
		}
		home.do("POST", "/Consent", permit(chart, toAbroad+`,"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]`)).want(t, http.StatusCreated)
		if !search() {
			t.Error("a Consent for HIV doesn't show what is labelled so")
		}
	})
	t.Run("what is denied ends and is not granted before the denial has ended", func(t *testing.T) {
		home.do("POST", "/Consent", permit(chart, toAbroad+classes("labs", "vitals"))).want(t, http.StatusCreated)
		read(abroad, lab, http.StatusOK)
		labs := home.do("POST", "/Consent", deny(chart, toAbroad+classes("labs"))).want(t, http.StatusCreated)
		read(abroad, lab, http.StatusForbidden)
		read(abroad, later, http.StatusOK)
		all := home.do("POST", "/Consent", deny(chart, toAbroad[strings.Index(toAbroad, `"purpose"`):])).want(t, http.StatusCreated)
		read(abroad, later, http.StatusForbidden)
		read(home, lab, http.StatusOK)
		if got := home.do("GET", "/Consent/"+idOf(t, all), "").want(t, http.StatusOK); !bytes.Equal(got.body, all.body) || !bytes.Contains(got.body, []byte(`"status":"active"`)) {
			t.Errorf("denied by %s, read as %s", all.body, got.body)
		}
		again := permit(chart, toAbroad+classes("vitals"))
		o := readOutcome(t, bytes.NewReader(home.do("POST", "/Consent", again).want(t, http.StatusUnprocessableEntity).body))
		if !strings.Contains(o.Issue[0].Diagnostics, idOf(t, all)) {
			t.Errorf("got %+v", o.Issue[0])
		}
		home.do("DELETE", "/Consent/"+idOf(t, all), "").want(t, http.StatusNoContent)
		if got := home.do("GET", "/Consent/"+idOf(t, all), "").want(t, http.StatusOK); !bytes.Contains(got.body, []byte(`"status":"inactive"`)) {
			t.Errorf("ended, it reads as %s", got.body)
		}
		read(abroad, later, http.StatusForbidden)
		home.do("POST", "/Consent", again).want(t, http.StatusCreated)
		read(abroad, later, http.StatusOK)
		home.do("POST", "/Consent", permit(chart, toAbroad+classes("labs"))).want(t, http.StatusUnprocessableEntity)
		ended := strings.Replace(string(labs.body), `"status":"active"`, `"status":"inactive"`, 1)
		home.do("PUT", "/Consent/"+idOf(t, labs), ended).want(t, http.StatusOK)
	})
	t.Run("a token without the scope is told nothing", func(t *testing.T) {
		for _, kind := range []string{"Consent", "AuditEvent", "Provenance"} {
			home.scoped("patient/Observation.rs", chart).do("GET", "/"+kind+"?patient="+chart, "").want(t, http.StatusForbidden)
		}
		for patient, some := range map[string]bool{chart: true, "another": false} {
			app := home.scoped("patient/Consent.rs patient/AuditEvent.rs", patient)
			for _, kind := range []string{"Consent", "AuditEvent"} {
				if b := readBundle(t, bytes.NewReader(app.do("GET", "/"+kind+"?patient="+chart, "").want(t, http.StatusOK).body)); (b.Total > 0) != some {
					t.Errorf("%s with a token of %s: found %d", kind, patient, b.Total)
				}
			}
			app.do("GET", "/Consent/"+id, "").want(t, map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[some])
			app.do("POST", "/Consent", doc).want(t, http.StatusForbidden)
		}
	})
	t.Run("the audit tells the custodian all, and a reader its own", func(t *testing.T) {
		settle(t, net)
		audit := func(d desk, query string) []event {
			t.Helper()
			return events(t, d.do("GET", "/AuditEvent?_count=1000&patient="+chart+query, "").want(t, http.StatusOK))
		}
		all, theirs := audit(home, ""), audit(abroad, "")
		count := func(list []event, client, action, outcome string) (n int) {
			for _, e := range list {
				if e.Agent[0].Who.Identifier.Value == client && (action == "" || e.Action == action) && e.Outcome == outcome {
					n++
				}
			}
			return n
		}
		for _, outcome := range []string{"0", "4"} {
			if got, want := count(theirs, "Member 1", "", outcome), count(all, "Member 1", "", outcome); got != want || want == 0 {
				t.Errorf("outcome %s: Member 1 tells %d accesses, the custodian %d", outcome, got, want)
			}
		}
		if len(theirs) != count(theirs, "Member 1", "", "0")+count(theirs, "Member 1", "", "4") {
			t.Error("Member 1 tells accesses that are not its own")
		}
		if count(all, "Member 0", "C", "0") == 0 || count(all, "Member 0", "E", "0") == 0 {
			t.Error("the custodian's own writes or reads are missing")
		}
		i := slices.IndexFunc(theirs, func(e event) bool { return e.Action == "R" && e.Outcome == "0" })
		if i < 0 || len(theirs[i].Agent) != 3 || theirs[i].Agent[2].Name != "L. Petit" || theirs[i].Agent[2].PurposeOfUse[0].Coding[0].Code != "TREAT" {
			t.Fatalf("got %+v", theirs)
		}
		if got := home.do("GET", "/AuditEvent/"+theirs[i].ID, "").want(t, http.StatusOK); !bytes.Contains(got.body, []byte("L. Petit")) {
			t.Errorf("the custodian reads %s", got.body)
		}
		for query, want := range map[string]func(e event) bool{
			"&outcome=4":      func(e event) bool { return e.Outcome == "4" },
			"&action=C":       func(e event) bool { return e.Action == "C" },
			"&date=lt2020":    func(e event) bool { return false },
			"&date=ge2020":    func(e event) bool { return true },
			"&subtype=search": func(e event) bool { return e.Action == "E" },
		} {
			want := len(slices.DeleteFunc(slices.Clone(all), func(e event) bool { return !want(e) }))
			if got := len(audit(home, query)); got != want {
				t.Errorf("%s: found %d, want %d", query, got, want)
			}
		}
		at := func(e event) time.Time {
			when, err := time.Parse(time.RFC3339, e.Recorded)
			if err != nil {
				t.Fatal(err)
			}
			return when
		}
		if !slices.IsSortedFunc(all, func(a, b event) int { return at(b).Compare(at(a)) }) {
			t.Error("they are not told newest first")
		}
		if page := events(t, home.do("GET", "/AuditEvent?_count=3&_offset=2&patient="+chart, "").want(t, http.StatusOK)); !reflect.DeepEqual(page, all[2:5]) {
			t.Errorf("a page has %+v, want %+v", page, all[2:5])
		}
		middle := at(all[len(all)/2])
		for prefix, want := range map[string]func(e event) bool{
			"ge": func(e event) bool { return !at(e).Before(middle) },
			"gt": func(e event) bool { return at(e).After(middle) },
			"le": func(e event) bool { return !at(e).After(middle) },
			"lt": func(e event) bool { return at(e).Before(middle) },
			"":   func(e event) bool { return at(e).Equal(middle) },
		} {
			want := len(slices.DeleteFunc(slices.Clone(all), func(e event) bool { return !want(e) }))
			if got := len(audit(home, "&date="+prefix+all[len(all)/2].Recorded)); got != want {
				t.Errorf("date %s the middle: found %d, want %d", prefix, got, want)
			}
		}
		if by := audit(home, "&agent-name=L.+Petit"); len(by) == 0 || len(by) > len(theirs) {
			t.Errorf("by the reader's name: found %d of %d", len(by), len(theirs))
		}
		if n := len(events(t, home.do("GET", "/AuditEvent?_count=1000&entity=Patient/"+chart, ""))); n != len(all) {
			t.Errorf("by entity: found %d, want %d", n, len(all))
		}
		if n := len(events(t, abroad.do("GET", "/AuditEvent?patient=nobody", ""))); n != 0 {
			t.Errorf("of nobody: found %d", n)
		}
		abroad.do("GET", "/AuditEvent/"+all[len(all)-1].ID, "").want(t, http.StatusNotFound)
	})
}

// event is an AuditEvent as a client reads it.
type event struct {
	ID, Action, Outcome, Recorded string
	Agent                         []struct {
		Name string
		Who  struct {
			Identifier struct{ Value string }
		}
		PurposeOfUse []struct {
			Coding []struct{ Code string }
		}
	}
}

func events(t testing.TB, a answer) (out []event) {
	t.Helper()
	for _, e := range readBundle(t, bytes.NewReader(a.body)).Entry {
		var x event
		if err := json.Unmarshal(e.Resource, &x); err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}
