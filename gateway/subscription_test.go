package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/node"
)

func TestASubscriptionThroughTheDoor(t *testing.T) {
	got := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- string(b)
	}))
	defer hook.Close()
	next := func(kind string) string {
		t.Helper()
		for {
			select {
			case n := <-got:
				if strings.Contains(n, `"valueCode":"`+kind+`"`) {
					return n
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("no %s came", kind)
			}
		}
	}
	net := testnet.Start(t, 1, 0)
	wish := func(endpoint, patient string) string {
		const ig = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
		return fmt.Sprintf(`{"resourceType":"Subscription","status":"requested","reason":"board","criteria":"urn:vitalog:topic:resource-change",`+
			`"_criteria":{"extension":[{"url":"`+ig+`backport-filter-criteria","valueString":"Observation?patient=Patient/%s"}]},"channel":{"type":"rest-hook","endpoint":%q,`+
			`"payload":"application/fhir+json","_payload":{"extension":[{"url":"`+ig+`backport-payload-content","valueCode":"id-only"}]}}}`, patient, endpoint)
	}
	closed := desk{t, net.Nodes[0], okafor}.do("POST", "/Subscription", wish(hook.URL, "1")).want(t, http.StatusUnprocessableEntity)
	if o := readOutcome(t, bytes.NewReader(closed.body)); !strings.Contains(o.Issue[0].Diagnostics, "subscription_endpoints") {
		t.Errorf("without a list: %+v", o)
	}
	c, err := node.Load(net.MemberDir(0))
	if err != nil {
		t.Fatal(err)
	}
	c.SubscriptionEndpoints = []string{"https://hooks.example/", hook.URL}
	if err := c.Save(net.MemberDir(0)); err != nil {
		t.Fatal(err)
	}
	restart := func() desk {
		net.Stop(t, 0)
		net.Restart(t, 0, node.Options{})
		net.WaitReady(t)
		return desk{t, net.Nodes[0], okafor}
	}
	d := restart()
	chart, _ := d.enrol(7)
	a := d.do("POST", "/Subscription", wish(hook.URL, chart)).want(t, http.StatusCreated)
	var s struct{ ID, Status string }
	if err := json.Unmarshal(a.body, &s); err != nil || s.Status != "requested" || a.header.Get("ETag") != `W/"1"` ||
		a.header.Get("Location") != d.node.Config.URL()+"/fhir/Subscription/"+s.ID+"/_history/1" {
		t.Fatalf("got %s %v", a.body, a.header)
	}
	next("handshake")
	post := func() string {
		a := d.do("POST", "/Observation", observation+`,"subject":{"reference":"Patient/`+chart+`"}}`).want(t, http.StatusCreated)
		var o struct{ ID string }
		if err := json.Unmarshal(a.body, &o); err != nil {
			t.Fatal(err)
		}
		return "Observation/" + o.ID
	}
	for number := 1; number <= 2; number++ {
		at := post()
		n := next("event-notification")
		for !strings.Contains(n, fmt.Sprintf(`{"name":"event-number","valueString":"%d"}`, number)) { // one may come again after a restart
			n = next("event-notification")
		}
		if !strings.Contains(n, d.node.Config.URL()+"/fhir/"+at) {
			t.Errorf("number %d: got %s", number, n)
		}
		d = restart() // with the member's own store
	}
	path := "/Subscription/" + s.ID
	if status := d.do("GET", path+"/$status", "").want(t, http.StatusOK); !bytes.Contains(status.body, []byte(`"valueCode":"query-status"`)) {
		t.Errorf("$status: %s", status.body)
	}
	if all := readBundle(t, bytes.NewReader(d.do("GET", "/Subscription/$status?id="+s.ID+"&id=other", "").want(t, http.StatusOK).body)); all.Total != 1 {
		t.Errorf("$status of several: %+v", all)
	}
	byPost := d.do("POST", path+"/$events", `{"resourceType":"Parameters","parameter":[{"name":"content","valueCode":"empty"},{"name":"eventsSinceNumber","valueString":"2"}]}`).want(t, http.StatusOK)
	if n := string(byPost.body); !strings.Contains(n, `"query-event"`) || !strings.Contains(n, `"event-number","valueString":"2"`) || strings.Contains(n, `"event-number","valueString":"1"`) || strings.Contains(n, "/fhir/Observation") {
		t.Errorf("$events: %s", n)
	}
	d.do("GET", path+"/$events?since=1", "").want(t, http.StatusBadRequest)
	d.do("GET", path+"/$events?eventsSinceNumber=x", "").want(t, http.StatusBadRequest)
	d.do("GET", "/Subscription?criteria=x", "").want(t, http.StatusBadRequest)
	d.do("PATCH", path, "{}").want(t, http.StatusMethodNotAllowed)
	if found := readBundle(t, bytes.NewReader(d.do("GET", "/Subscription?status=active", "").want(t, http.StatusOK).body)); found.Total != 1 {
		t.Errorf("found %+v", found)
	}
	other := desk{t, d.node, exchange.Asker{Practitioner: "p-9", Purpose: "TREAT"}}
	for _, tail := range []string{"", "/$status", "/$events"} {
		x, y := other.do("GET", path+tail, "").want(t, http.StatusNotFound), other.do("GET", "/Subscription/nothing"+tail, "").want(t, http.StatusNotFound)
		if !bytes.Equal(x.body, y.body) {
			t.Errorf("another's is %s, none is %s", x.body, y.body)
		}
	}
	if found := readBundle(t, bytes.NewReader(other.do("GET", "/Subscription", "").want(t, http.StatusOK).body)); found.Total != 0 {
		t.Errorf("another's: %+v", found)
	}
	changed := strings.Replace(wish(hook.URL, chart), `"status"`, `"id":"`+s.ID+`","status"`, 1)
	d.do("PUT", path, changed, "If-Match", `W/"9"`).want(t, http.StatusPreconditionFailed)
	d.do("PUT", path, changed, "If-Match", `W/"1"`).want(t, http.StatusOK)
	next("handshake")
	d.do("DELETE", path, "").want(t, http.StatusNoContent)
	d.do("GET", path, "").want(t, http.StatusNotFound)
	if m := d.do("GET", "/metadata", "").want(t, http.StatusOK); !bytes.Contains(m.body, []byte(`"valueCanonical":"urn:vitalog:topic:resource-change"`)) {
		t.Error("the statement of capabilities names no topic")
	}
}
