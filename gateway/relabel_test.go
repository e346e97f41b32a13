package gateway_test

import (
	"bytes"
	"context"
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
}
