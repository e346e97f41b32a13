package subscription_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/testnet"
	"vitalog/kv"
	"vitalog/node"
	"vitalog/section"
	"vitalog/subscription"
)

var okafor = exchange.Asker{Practitioner: "p-17", Name: "A. Okafor", Role: "physician", Purpose: "TREAT"}

// hook is an endpoint: a real HTTP server that takes notifications while status says so.
type hook struct {
	*httptest.Server
	status atomic.Int64
	got    chan notification
	meet   func(n notification, r *http.Request) // called before it answers; may be nil
	asked  atomic.Int64
}

// notification is what an endpoint got.
type notification struct {
	kind, status, error string
	numbers             []string
	focus               []string // Type/id
	bodies              []string // of the resources
	methods             []string // of the entries
	header              http.Header
	raw                 string
}

func newHook(t *testing.T) *hook {
	h := &hook{got: make(chan notification, 1000)}
	h.status.Store(http.StatusOK)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.asked.Add(1)
		n := readNotification(t, raw)
		n.header = r.Header
		if h.meet != nil {
			h.meet(n, r)
		}
		status := int(h.status.Load())
		if status == http.StatusOK {
			h.got <- n
		}
		if status >= 300 && status < 400 {
			w.Header().Set("Location", h.URL+"/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(h.Close)
	return h
}

func readNotification(t testing.TB, raw []byte) (n notification) {
	t.Helper()
	var b struct {
		ResourceType, Type string
		Entry              []struct {
			FullURL  string
			Resource json.RawMessage
			Request  struct{ Method string }
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil || b.ResourceType != "Bundle" || b.Type != "history" || len(b.Entry) == 0 {
		t.Errorf("no notification: %v: %s", err, raw)
		return n
	}
	type parameter struct {
		Name, ValueCode, ValueString string
		ValueReference               struct{ Reference string }
		ValueCodeableConcept         struct{ Text string }
		Part                         []struct {
			Name, ValueString string
			ValueReference    struct{ Reference string }
		}
	}
	var p struct {
		ResourceType string
		Parameter    []parameter
	}
	if err := json.Unmarshal(b.Entry[0].Resource, &p); err != nil || p.ResourceType != "Parameters" {
		t.Errorf("no status: %v: %s", err, raw)
	}
	n.raw = string(raw)
	for _, x := range p.Parameter {
		switch x.Name {
		case "type":
			n.kind = x.ValueCode
		case "status":
			n.status = x.ValueCode
		case "error":
			n.error = x.ValueCodeableConcept.Text
		case "notification-event":
			for _, y := range x.Part {
				switch y.Name {
				case "event-number":
					n.numbers = append(n.numbers, y.ValueString)
				case "focus":
					n.focus = append(n.focus, y.ValueReference.Reference[strings.Index(y.ValueReference.Reference, "/fhir/")+6:])
				}
			}
		}
	}
	for _, e := range b.Entry[1:] {
		n.methods = append(n.methods, e.Request.Method)
		n.bodies = append(n.bodies, string(e.Resource))
	}
	return n
}

// next is the next notification of a kind, other than heartbeats and handshakes that are not asked for.
func (h *hook) next(t *testing.T, kind string) notification {
	t.Helper()
	for {
		select {
		case n := <-h.got:
			if n.kind == kind {
				return n
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no %s came", kind)
		}
	}
}

// desk is a member with a book of its own, which the test starts and kills.
type desk struct {
	path string
	*testing.T
	node   *node.Node
	db     *kv.DB
	config subscription.Config
	book   *subscription.Book
	stop   func()
}

func newDesk(t *testing.T, n *node.Node, hooks ...*hook) *desk {
	path := filepath.Join(t.TempDir(), "db")
	db, err := kv.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{path: path, T: t, node: n, db: db}
	d.config = subscription.Config{Member: n.Member, Chain: n.Chain, Ring: n.Ring, DB: db.Prefix("subscriptions/"), Base: "https://a.example/fhir",
		Log: slog.New(slog.DiscardHandler), Backoff: time.Millisecond}
	for _, h := range hooks {
		d.config.Endpoints = append(d.config.Endpoints, h.URL)
	}
	d.start()
	t.Cleanup(func() {
		d.stop()
		db.Close()
	})
	return d
}

func (d *desk) start() {
	d.Helper()
	book, err := subscription.Open(d.config)
	if err != nil {
		d.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		book.Run(ctx)
	}()
	d.book = book
	d.stop = func() { cancel(); <-done }
}

func (d *desk) enrol() string {
	d.Helper()
	chart, err := d.node.Member.Enrol(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	return chart
}

const weight = `{"resourceType":"Observation","status":"final","code":{"text":"Weight"},"note":[{"text":%q}],"valueQuantity":{"value":70.0}}`

// write publishes an Observation, over an entry unless that is 0, and tells its entry.
func (d *desk) write(chart, id, note string, over uint64) uint64 {
	d.Helper()
	draft := exchange.Draft{Resource: parse(d, fmt.Sprintf(weight, note)), ID: id, Section: section.Vitals, Group: id}
	if over > 0 {
		draft.Supersedes = []uint64{over}
	}
	return d.publish(chart, draft)
}

func (d *desk) publish(chart string, drafts ...exchange.Draft) uint64 {
	d.Helper()
	p, err := d.node.Member.Publish(d.Context(), okafor, chart, drafts)
	if err != nil {
		d.Fatal(err)
	}
	return p[0].Entry
}

func parse(t testing.TB, text string) *fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const secret = "Authorization: Bearer s3cr3t-of-the-endpoint"

// wish is a subscription as a client sends it.
func wish(topic, content, endpoint string, filters ...string) string {
	var list []string
	for _, f := range filters {
		list = append(list, fmt.Sprintf(`{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":%q}`, f))
	}
	return fmt.Sprintf(`{"resourceType":"Subscription","status":"requested","reason":"test","criteria":%q,"_criteria":{"extension":[%s]},`+
		`"channel":{"type":"rest-hook","endpoint":%q,"payload":"application/fhir+json","header":[%q],`+
		`"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":%q}]}}}`,
		topic, strings.Join(list, ","), endpoint, secret, content)
}

func (d *desk) subscribe(h *hook, topic, content string, filters ...string) string {
	d.Helper()
	s, err := d.book.Create(okafor, parse(d, wish(topic, content, h.URL, filters...)))
	if err != nil {
		d.Fatal(err)
	}
	if n := h.next(d.T, "handshake"); n.status != "requested" || n.header.Get("Authorization") != "Bearer s3cr3t-of-the-endpoint" {
		d.Errorf("handshake %+v", n)
	}
	return s.ID
}

// until waits until a subscription has a status, and tells what its resource says.
func (d *desk) until(id, status string) string {
	d.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		s, err := d.book.Get(okafor, id)
		if err != nil {
			d.Fatal(err)
		}
		if s.Status == status {
			return string(s.Resource)
		}
	}
	d.Fatalf("it did not become %s", status)
	return ""
}

func network(t *testing.T) *node.Node { return testnet.Start(t, 1, 0).Nodes[0] }
