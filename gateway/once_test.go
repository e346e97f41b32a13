package gateway_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/scope"
	"vitalog/section"
	"vitalog/synthetic"

	"golang.org/x/sync/errgroup"
)

const requestKey = `"0123456789abcdef"`

// entries counts what the ledger has.
func entries(t testing.TB, n *node.Node) (all uint64) {
	t.Helper()
	l := n.Chain.Ledger()
	for i := range l.Logs() {
		h, err := l.HeadByNumber(i)
		if err != nil {
			t.Fatal(err)
		}
		all += h.Size
	}
	return all
}

func synthesized(seed uint64) string {
	p := synthetic.Patients(seed, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0]
	return string(p.Batches[0].Bundle)
}

func TestARequestThatIsSentAgainWithItsKeyGetsTheSameAnswerAndDoesNothing(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	d := desk{t, net.Nodes[0], okafor}
	bundle := synthesized(11)
	first := d.do("POST", "", bundle, "Idempotency-Key", requestKey).want(t, http.StatusOK)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says that it was given before")
	}
	before := entries(t, net.Nodes[0])

	for range 2 {
		again := d.do("POST", "", bundle, "Idempotency-Key", strings.Trim(requestKey, `"`)).want(t, http.StatusOK)
		if !bytes.Equal(again.body, first.body) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("got %q %s\nwant %s", again.header.Get("Idempotency-Replayed"), again.body, first.body)
		}
		net.Stop(t, 0) // what was answered is durable
		net.Restart(t, 0, node.Options{})
		net.WaitReady(t)
		d.node = net.Nodes[0]
	}
	if after := entries(t, net.Nodes[0]); after != before {
		t.Errorf("the ledger had %d entries, now %d", before, after)
	}

	o := readOutcome(t, bytes.NewReader(d.do("POST", "", synthesized(12), "Idempotency-Key", requestKey).want(t, http.StatusUnprocessableEntity).body))
	if o.Issue[0].Code != "business-rule" {
		t.Errorf("another body under the key: got %+v", o)
	}
	for _, bad := range []string{"short", `"1234567 9"`, `"` + strings.Repeat("a", 129) + `"`} {
		d.do("POST", "", bundle, "Idempotency-Key", bad).want(t, http.StatusBadRequest)
	}
	if after := entries(t, net.Nodes[0]); after != before {
		t.Errorf("the ledger had %d entries, now %d", before, after)
	}

	chart, _, _ := strings.Cut(strings.TrimPrefix(readBundle(t, bytes.NewReader(first.body)).Entry[0].Response.Location, "Patient/"), "/")
	single := observation + `,"subject":{"reference":"Patient/` + chart + `"}}`
	a := d.do("POST", "/Observation", single, "Idempotency-Key", requestKey).want(t, http.StatusCreated)
	b := d.do("POST", "/Observation", single, "Idempotency-Key", requestKey).want(t, http.StatusCreated)
	if !bytes.Equal(a.body, b.body) || a.header.Get("Location") != b.header.Get("Location") || a.header.Get("ETag") != b.header.Get("ETag") {
		t.Errorf("one resource: got %s %s, then %s %s", a.header, a.body, b.header, b.body)
	}
	c := d.do("POST", "/Observation", single).want(t, http.StatusCreated)
	if c.header.Get("Location") == a.header.Get("Location") {
		t.Error("without a key a second request wrote nothing")
	}
}

func TestRequestsWithOneKeyAtOnceWriteOnce(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	d := desk{t, net.Nodes[0], okafor}
	answers := make(chan answer, 4)
	for range cap(answers) {
		go func() { answers <- d.do("POST", "", synthesized(13), "Idempotency-Key", requestKey) }()
	}
	first := (<-answers).want(t, http.StatusOK)
	for range cap(answers) - 1 {
		if again := (<-answers).want(t, http.StatusOK); !bytes.Equal(again.body, first.body) {
			t.Errorf("got %s, want %s", again.body, first.body)
		}
	}
	if charts, err := net.Nodes[0].Member.Charts(); err != nil || len(charts) != 1 {
		t.Errorf("got charts %v, %v", charts, err)
	}
}

// The client goes away at some moment of the work; what it began may still come onto the ledger while it is sent again.
func TestARequestWhoseClientWentAwayIsCompletedNotRepeated(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	d := desk{t, net.Nodes[0], okafor}
	for i, after := range []time.Duration{2, 10, 25, 50, 75, 100, 150, 200, 300, 500} {
		bundle, key := synthesized(15+uint64(i)), fmt.Sprintf("client-%d", i)
		ctx, cancel := context.WithTimeout(context.Background(), after*time.Millisecond)
		d.in(ctx).send(bundle, key)
		cancel()
		d.stands(bundle, d.do("POST", "", bundle, "Idempotency-Key", key).want(t, http.StatusOK))
	}
	d.enrolled(10)
}

// The member loses its network with everything sealed and nothing committed, and both are stopped and come back.
func TestARequestThatBrokeOffWithTheMemberIsCompletedNotRepeated(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	d := desk{t, net.Nodes[0], okafor}
	bundle := synthesized(14)
	net.Stop(t, 1)
	d.do("POST", "", bundle, "Idempotency-Key", requestKey).want(t, http.StatusServiceUnavailable)
	net.Stop(t, 0)
	var g errgroup.Group
	for i := range net.Nodes {
		g.Go(func() error { net.Restart(t, i, node.Options{}); return nil })
	}
	g.Wait()
	net.WaitReady(t)
	d.node = net.Nodes[0]
	d.stands(bundle, d.do("POST", "", bundle, "Idempotency-Key", requestKey).want(t, http.StatusOK))
	d.enrolled(1)
}

// stands fails the test unless the patient's chart has each resource of the bundle, and nothing else, and the ledger has each record once.
func (d desk) stands(bundle string, a answer) {
	d.t.Helper()
	want := readBundle(d.t, strings.NewReader(bundle)).Entry
	known := map[string]bool{}
	for _, e := range readBundle(d.t, bytes.NewReader(a.body)).Entry {
		at, _, _ := strings.Cut(e.Response.Location, "/_history")
		known[d.node.Config.URL()+"/fhir/"+at] = true
	}
	patient := ""
	for at := range known {
		if _, id, ok := strings.Cut(at, "/Patient/"); ok {
			patient = id
		}
	}
	read := readBundle(d.t, bytes.NewReader(d.do("GET", "/Patient/"+patient+"/$everything", "").want(d.t, http.StatusOK).body))
	seen := map[string]bool{}
	for _, e := range read.Entry {
		if seen[e.FullURL] || !known[e.FullURL] {
			d.t.Errorf("%s is in the chart twice, or not in the answer", e.FullURL)
		}
		seen[e.FullURL] = true
	}
	if len(seen) != len(want) {
		d.t.Errorf("%d of %d resources are in the chart", len(seen), len(want))
	}
}

// enrolled fails the test unless there are that many patients, each with one log a section, one grant in each that holds resources, and
// one note about the keys.
func (d desk) enrolled(patients int) {
	d.t.Helper()
	if charts, err := d.node.Member.Charts(); err != nil || len(charts) != patients {
		d.t.Errorf("%d charts, want %d (%v)", len(charts), patients, err)
	}
	l := d.node.Chain.Ledger()
	if got, want := l.Logs(), uint64(patients*len(section.All())); got != want {
		d.t.Errorf("%d logs, want %d", got, want)
	}
	grants := 0
	for i := range l.Logs() {
		h, err := l.HeadByNumber(i)
		if err != nil {
			d.t.Fatal(err)
		}
		grants += len(h.Grants)
	}
	if want := patients * len(section.Clinical()); grants != want {
		d.t.Errorf("%d grants, want %d", grants, want)
	}
}

// in is the desk of somebody whose patience ends with ctx.
func (d desk) in(ctx context.Context) hasty { return hasty{d, ctx} }

type hasty struct {
	desk
	ctx context.Context
}

// send posts a bundle and does not mind what comes of it.
func (h hasty) send(bundle, key string) {
	url := h.node.Config.URL() + "/fhir"
	token, err := gateway.IssueToken(h.node.Ring.Tokens(), h.node.Member.Name(), url, h.who, time.Minute, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(h.ctx, "POST", url, strings.NewReader(bundle))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/fhir+json")
	r.Header.Set("Idempotency-Key", key)
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
	}
}

// Two clients that chose the same key don't meet; one without a client_id is the operator's.
func TestAKeyIsOfTheClientThatSentIt(t *testing.T) {
	d := newDoor(t)
	send := func(client, name string) *httptest.ResponseRecorder {
		token, err := gateway.IssueAccess(tokenKey, member, base, gateway.Access{Asker: okafor, Scopes: scope.All(), Client: client}, time.Minute, noon)
		if err != nil {
			t.Fatal(err)
		}
		return d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","name":"`+name+`"}`, "Authorization", "Bearer "+token, "Idempotency-Key", requestKey)
	}
	stands := map[string]string{}
	for _, client := range []string{"", "billing", "lab"} {
		w := send(client, "of "+client)
		if stands[client] = w.Header().Get("Location"); w.Code != http.StatusCreated || w.Header().Get("Idempotency-Replayed") != "" {
			t.Errorf("%q: got %d %s", client, w.Code, w.Body)
		}
	}
	for client, at := range stands {
		if w := send(client, "of "+client); w.Header().Get("Location") != at || w.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("%q again: got %d at %s, want %s", client, w.Code, w.Header().Get("Location"), at)
		}
		if w := send(client, "another"); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q with another body: got %d", client, w.Code)
		}
	}
}

// A batch that broke off after it had listed something, and before it had noted that, finds it listed: here by another request, of the same
// effect.
func TestABatchThatBrokeOffAfterItListedSomethingIsCompleted(t *testing.T) {
	d := newDoor(t)
	made := d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","name":"Before"}`)
	at, _, _ := strings.Cut(strings.TrimPrefix(made.Header().Get("Location"), base+"/"), "/_history")
	_, id, _ := strings.Cut(at, "/")
	put := func(name string) string {
		return batch(`{"request":{"method":"PUT","url":"` + at + `","ifMatch":"W/\"1\""},"resource":{"resourceType":"Organization","id":"` + id + `","name":"` + name + `"}}`)
	}
	first := readBundle(t, d.do("POST", "/fhir", put("After")).Body).Entry[0].Response
	if made.Header().Get("ETag") != `W/"1"` || first.Status != "200 OK" {
		t.Fatalf("got %s, then %+v", made.Header().Get("ETag"), first)
	}
	for _, c := range []struct{ name, key, want string }{
		{"After", "", "412 Precondition Failed"}, // who has no key sends nothing again
		{"After", requestKey, "200 OK"},
		{"Else", `"another-key"`, "412 Precondition Failed"},
	} {
		got := readBundle(t, d.do("POST", "/fhir", put(c.name), "Idempotency-Key", c.key).Body).Entry[0].Response
		if got.Status != c.want || c.want == "200 OK" && got.Location != first.Location {
			t.Errorf("%s with key %s: got %+v, want %s", c.name, c.key, got, c.want)
		}
	}
}

// A patch that broke off before its answer was noted is not applied once more. It breaks off where nothing can be listed, when its outcome is
// noted; that this was listed all the same is another request, of the same effect.
func TestAPatchThatBrokeOffAfterItListedItsOutcomeIsNotAppliedAgain(t *testing.T) {
	const body = `[{"op":"add","path":"/alias/-","value":"Other"}]`
	for _, form := range []string{"alone", "batch"} {
		d := newDoor(t)
		made := d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","name":"Before","alias":["One"]}`)
		at, _, _ := strings.Cut(strings.TrimPrefix(made.Header().Get("Location"), base+"/"), "/_history")
		_, id, _ := strings.Cut(at, "/")
		patch := func(key string) (status int, version string) {
			if form == "alone" {
				w := d.do("PATCH", "/fhir/"+at, body, "Content-Type", "application/json-patch+json", "Idempotency-Key", key)
				return w.Code, w.Header().Get("ETag")
			}
			e := readBundle(t, d.do("POST", "/fhir", batch(`{"request":{"method":"PATCH","url":"`+at+`"},"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"`+
				base64.StdEncoding.EncodeToString([]byte(body))+`"}}`), "Idempotency-Key", key).Body).Entry[0].Response
			status, _ = strconv.Atoi(e.Status[:3])
			return status, e.ETag
		}
		breakOff := func(key string) {
			t.Helper()
			d.directory.Await()
			if status, _ := patch(key); status != http.StatusServiceUnavailable {
				t.Fatalf("%s: with no listing got %d", form, status)
			}
			d.directory.Done()
		}
		others := func() int { return strings.Count(d.do("GET", "/fhir/"+at, "").Body.String(), "Other") }

		breakOff(`"listed-key"`)
		_, listed := patch("")
		if status, version := patch(`"listed-key"`); status != http.StatusOK || version != listed || others() != 1 {
			t.Errorf("%s, listed: got %d %s, want %s, and %d times", form, status, version, listed, others())
		}
		breakOff(`"changed-key"`)
		_, listed = patch("")
		d.do("PUT", "/fhir/"+at, `{"resourceType":"Organization","id":"`+id+`","name":"Since"}`)
		if status, version := patch(`"changed-key"`); status != http.StatusOK || version != listed || others() != 0 {
			t.Errorf("%s, listed and changed since: got %d %s, want %s, and %d times", form, status, version, listed, others())
		}
		d.do("PUT", "/fhir/"+at, `{"resourceType":"Organization","id":"`+id+`","name":"Before","alias":["One"]}`)
		breakOff(`"another-key"`)
		d.do("PUT", "/fhir/"+at, `{"resourceType":"Organization","id":"`+id+`","name":"Meanwhile","alias":["One"]}`)
		if status, _ := patch(`"another-key"`); status != http.StatusConflict || others() != 0 {
			t.Errorf("%s, changed and not listed: got %d, and %d times", form, status, others())
		}
		breakOff(`"broken-key"`)
		if status, _ := patch(`"broken-key"`); status != http.StatusOK || others() != 1 {
			t.Errorf("%s, not listed: got %d, and %d times", form, status, others())
		}
	}
}

// What was decided of the later entries of a batch stays decided when an attempt breaks off at an earlier one.
func TestABatchThatBrokeOffTwiceAppliesNoPatchAgain(t *testing.T) {
	d := newDoor(t)
	const body = `[{"op":"add","path":"/alias/-","value":"Other"}]`
	entry := func(at string) string {
		return `{"request":{"method":"PATCH","url":"` + at + `"},"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` + base64.StdEncoding.EncodeToString([]byte(body)) + `"}}`
	}
	var ats, entries []string
	for _, name := range []string{"First", "Second"} {
		made := d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","name":"`+name+`","alias":["One"]}`)
		at, _, _ := strings.Cut(strings.TrimPrefix(made.Header().Get("Location"), base+"/"), "/_history")
		ats, entries = append(ats, at), append(entries, entry(at))
	}
	send := func(want ...string) {
		t.Helper()
		all := readBundle(t, d.do("POST", "/fhir", batch(strings.Join(entries, ",")), "Idempotency-Key", `"both-of-them"`).Body).Entry
		for i := range want {
			if len(all) != len(want) || all[i].Response.Status[:3] != want[i] {
				t.Fatalf("got %v, want %v", all, want)
			}
		}
	}
	d.directory.Await()
	send("503", "503")
	d.directory.Done()
	if w := d.do("PATCH", "/fhir/"+ats[1], body, "Content-Type", "application/json-patch+json"); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	d.directory.Await()
	send("503", "200")
	d.directory.Done()
	send("200", "200")
	for _, at := range ats {
		if n := strings.Count(d.do("GET", "/fhir/"+at, "").Body.String(), "Other"); n != 1 {
			t.Errorf("%s: the patch was applied %d times", at, n)
		}
	}
}
