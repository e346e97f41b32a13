package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/testnet"
	"vitalog/section"
)

const hivLabel = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},`

func TestALabelTakesAResourceOutOfTheSectionWhereItStood(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	home := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	chart, _ := home.enrol(7)
	lab := func(meta, id, day string) string {
		if id != "" {
			meta = `"id":"` + id + `",` + meta
		}
		return fmt.Sprintf(labelled, meta, "laboratory", chart, day)
	}
	entry := func(doc string) string {
		return `{"resource":` + doc + `,"request":{"method":"POST","url":"Observation"}}`
	}
	// Both in one record, and two versions of the first.
	made := home.do("POST", "", transaction(entry(lab("", "", "2020-01-05")), entry(lab("", "", "2020-01-05")))).want(t, http.StatusOK)
	var ids []string
	for _, e := range readBundle(t, bytes.NewReader(made.body)).Entry {
		ids = append(ids, strings.Split(e.Response.Location, "/")[1])
	}
	secret, beside := ids[0], ids[1]
	home.do("PUT", "/Observation/"+secret, lab("", secret, "2020-01-06")).want(t, http.StatusOK)
	home.do("POST", "/Consent", permit(chart, toAbroad+classes("demographics", "labs"))).want(t, http.StatusCreated)
	settle(t, net)
	shown := func(d desk) (all []string) {
		t.Helper()
		settle(t, net)
		for _, e := range readBundle(t, bytes.NewReader(d.do("GET", "/Observation?category=laboratory&_count=1000&patient="+chart, "").want(t, http.StatusOK).body)).Entry {
			all = append(all, e.FullURL[strings.LastIndexByte(e.FullURL, '/')+1:])
		}
		return all
	}
	has := func(all []string, id string) bool { return strings.Contains(strings.Join(all, " "), id) }
	before := abroad.do("GET", "/Observation?patient="+chart, "").want(t, http.StatusOK)
	if !bytes.Contains(before.body, []byte(secret)) || !bytes.Contains(before.body, []byte(beside)) {
		t.Fatalf("before the label: %s", before.body)
	}
	version := strings.Trim(abroad.do("GET", "/Observation/"+secret, "").want(t, http.StatusOK).header.Get("ETag"), `W/"`)
	count := len(shown(home))

	moved := home.do("PUT", "/Observation/"+secret, lab(hivLabel, secret, "2020-01-07")).want(t, http.StatusOK)
	settle(t, net)

	t.Run("its author reads it by its id, once", func(t *testing.T) {
		got := home.do("GET", "/Observation/"+secret, "").want(t, http.StatusOK)
		if got.header.Get("ETag") != moved.header.Get("ETag") || !bytes.Contains(got.body, []byte("2020-01-07")) {
			t.Errorf("got %s", got.body)
		}
		if all := shown(home); len(all) != count || !has(all, secret) {
			t.Errorf("%d found, before it were %d", len(all), count)
		}
		home.do("GET", "/Observation/"+secret+"/_history", "").want(t, http.StatusOK)
	})
	t.Run("who has the general section alone is told that it is gone, of no version more", func(t *testing.T) {
		abroad.do("GET", "/Observation/"+secret, "").want(t, http.StatusGone) // also before it has seen what became of it
		if all := shown(abroad); has(all, secret) || !has(all, beside) {
			t.Errorf("found %v", all)
		}
		for _, path := range []string{"/Observation/" + secret, "/Observation/" + secret + "/_history/" + version} {
			if a := abroad.do("GET", path, ""); a.status != http.StatusNotFound && a.status != http.StatusGone {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
		if a := abroad.do("GET", "/Observation/_history?patient="+chart, "").want(t, http.StatusOK); bytes.Contains(a.body, []byte("2020-01-06")) || bytes.Contains(a.body, []byte("2020-01-07")) {
			t.Errorf("the history tells %s", a.body)
		}
	})
	t.Run("what was sealed with it is read by its id", func(t *testing.T) {
		for _, d := range []desk{home, abroad} {
			d.do("GET", "/Observation/"+beside, "").want(t, http.StatusOK)
		}
	})
	t.Run("who has the sensitive section too reads it", func(t *testing.T) {
		home.do("POST", "/Consent", permit(chart, toAbroad+classes("hiv"))).want(t, http.StatusCreated)
		if all := shown(abroad); !has(all, secret) {
			t.Errorf("found %v", all)
		}
		abroad.do("GET", "/Observation/"+secret, "").want(t, http.StatusOK)
	})
	t.Run("without the label it is back, also by a patch", func(t *testing.T) {
		home.do("PATCH", "/Observation/"+secret, `[{"op":"remove","path":"/meta/security"}]`, "Content-Type", jsonPatch, "Idempotency-Key", "unlabel-1").want(t, http.StatusOK)
		home.do("PATCH", "/Observation/"+beside, `[{"op":"add","path":"/meta/security","value":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}]`, "Content-Type", jsonPatch).want(t, http.StatusOK)
		for _, d := range []desk{home, abroad} {
			if all := shown(d); !has(all, secret) || !has(all, beside) {
				t.Errorf("found %v", all)
			}
			d.do("GET", "/Observation/"+secret, "").want(t, http.StatusOK)
		}
		home.do("DELETE", "/Observation/"+secret, "").want(t, http.StatusNoContent)
		home.do("GET", "/Observation/"+secret, "").want(t, http.StatusGone)
		if all := shown(home); has(all, secret) {
			t.Errorf("deleted, and found %v", all)
		}
	})
	t.Run("one that broke off is brought to its end by the next change", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		id := idOf(t, home.do("POST", "/Observation", lab("", "", "2020-02-01")).want(t, http.StatusCreated))
		if !has(shown(abroad), id) {
			t.Fatal("not shared")
		}
		m := home.node.Member
		at, _, err := m.Locate("Observation", id)
		if err != nil {
			t.Fatal(err)
		}
		leaving, err := m.Leave(ctx, okafor, "Observation", id, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Keep("leaving Observation/"+id, leaving); err != nil {
			t.Fatal(err)
		}
		doc := lab(hivLabel, id, "2020-02-02")
		res, err := fhir.Parse([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Publish(ctx, okafor, chart, []exchange.Draft{{Resource: res, ID: id, Section: section.HIV, Group: "1"}}); err != nil {
			t.Fatal(err)
		}
		open := func() bool {
			t.Helper()
			settle(t, net)
			_, err := net.Nodes[1].Member.Open(ctx, abroad.who, chart, exchange.Want{Sections: []section.Section{at.Section}, Entries: []uint64{at.Entry}})
			return err == nil
		}
		if !open() {
			t.Error("it left before its author said so")
		}
		home.do("PUT", "/Observation/"+id, doc).want(t, http.StatusOK)
		if erased, err := net.Nodes[0].Member.Erased(at, "TREAT"); err != nil || !erased {
			t.Errorf("the version in the general section is still there: %v, %v", erased, err)
		}
		if got := home.do("GET", "/Observation/"+id, "").want(t, http.StatusOK); !bytes.Contains(got.body, []byte("2020-02-02")) {
			t.Errorf("got %s", got.body)
		}
	})
	t.Run("it is refused to who may not read what would go, and nothing changes", func(t *testing.T) {
		id := idOf(t, home.do("POST", "/Observation", lab("", "", "2020-05-01")).want(t, http.StatusCreated))
		billing := desk{t, net.Nodes[0], exchange.Asker{Practitioner: "billing", Role: "clerk", Purpose: "HPAYMT"}}
		for _, form := range []func() answer{
			func() answer { return billing.do("PUT", "/Observation/"+id, lab(hivLabel, id, "2020-05-02")) },
			func() answer {
				return billing.do("POST", "", transaction(`{"resource":`+lab(hivLabel, id, "2020-05-02")+`,"request":{"method":"PUT","url":"Observation/`+id+`"}}`))
			},
		} {
			if a := form().want(t, http.StatusForbidden); !bytes.Contains(a.body, []byte("from labs to hiv")) {
				t.Errorf("got %s", a.body)
			}
		}
		if !has(shown(abroad), id) || !bytes.Contains(home.do("GET", "/Observation/"+id, "").want(t, http.StatusOK).body, []byte("2020-05-01")) {
			t.Error("it was changed all the same")
		}
	})
	// The answer is all that is lacking: the journal is made what it was before it was noted.
	t.Run("a patch that broke off after its resource had left gets the answer that it would have had", func(t *testing.T) {
		const label = `[{"op":"add","path":"/meta","value":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}}]`
		m := home.node.Member
		for _, since := range []bool{false, true} {
			id := idOf(t, home.do("POST", "/Observation", lab("", "", "2020-03-01")).want(t, http.StatusCreated))
			settle(t, net)
			at, _, err := m.Locate("Observation", id)
			if err != nil {
				t.Fatal(err)
			}
			patch := func() answer {
				return home.do("PATCH", "/Observation/"+id, label, "Content-Type", jsonPatch, "Idempotency-Key", "label-"+id)
			}
			want := patch().want(t, http.StatusOK)
			if since {
				settle(t, net)
				home.do("PUT", "/Observation/"+id, lab(hivLabel, id, "2020-03-02")).want(t, http.StatusOK)
			}
			settle(t, net)
			breakOff(t, m, "PATCH /fhir/Observation/"+id+" label-"+id, id, at)
			if got := patch().want(t, http.StatusOK); got.header.Get("ETag") != want.header.Get("ETag") || got.header.Get("Idempotency-Replayed") != "" {
				t.Errorf("changed since %t: got %v, want %v", since, got.header, want.header)
			}
			if day := map[bool]string{false: "2020-03-01", true: "2020-03-02"}[since]; !bytes.Contains(home.do("GET", "/Observation/"+id, "").want(t, http.StatusOK).body, []byte(day)) {
				t.Errorf("it is not what it was on %s", day)
			}
		}
	})
	t.Run("and is refused where another request took it there", func(t *testing.T) {
		id := idOf(t, home.do("POST", "/Observation", lab("", "", "2020-04-01")).want(t, http.StatusCreated))
		settle(t, net)
		at, _, err := home.node.Member.Locate("Observation", id)
		if err != nil {
			t.Fatal(err)
		}
		// Of a request that came to its plan and no further there is what it planned. Its body and its asker are those of a patch of another resource.
		other := idOf(t, home.do("POST", "/Observation", lab("", "", "2020-04-01")).want(t, http.StatusCreated))
		patch := func(id string) answer {
			return home.do("PATCH", "/Observation/"+id, `[{"op":"replace","path":"/status","value":"amended"}]`, "Content-Type", jsonPatch, "Idempotency-Key", "amend-it")
		}
		settle(t, net)
		patch(other).want(t, http.StatusOK)
		home.do("PUT", "/Observation/"+id, lab(hivLabel, id, "2020-04-02")).want(t, http.StatusOK)
		settle(t, net)
		var planned json.RawMessage
		if _, err := home.node.Member.Recall("PATCH /fhir/Observation/"+other+" amend-it", &planned); err != nil {
			t.Fatal(err)
		}
		name := "PATCH /fhir/Observation/" + id + " amend-it"
		if err := home.node.Member.Keep(name, planned); err != nil {
			t.Fatal(err)
		}
		breakOff(t, home.node.Member, name, id, at)
		patch(id).want(t, http.StatusConflict)
	})
}

// breakOff has a request's journal be as it was when all was done but the noting of its answer.
func breakOff(t *testing.T, m *exchange.Member, name, id string, at exchange.Location) {
	t.Helper()
	var kept struct {
		Version int             `json:"version"`
		Body    []byte          `json:"body"`
		At      uint64          `json:"at"`
		Who     json.RawMessage `json:"who"`
		Plan    []any           `json:"plan"`
	}
	if found, err := m.Recall(name, &kept); err != nil || !found {
		t.Fatalf("the journal has no %s: %v", name, err)
	}
	kept.Plan = []any{struct {
		ID       string            `json:"id"`
		Chart    string            `json:"chart"`
		Replaces exchange.Location `json:"replaces"`
	}{id, at.Chart, at}}
	raw, err := json.Marshal(kept)
	if err == nil {
		err = m.Keep(name, json.RawMessage(raw))
	}
	if err != nil {
		t.Fatal(err)
	}
}
