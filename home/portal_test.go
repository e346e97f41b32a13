package home_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/grant"
	"vitalog/internal/testnet"
	"vitalog/key"
	"vitalog/node"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/section"
)

// hospital is what the flows of the patient's app have another member do, over HTTP: each path is one deed of member 1.
type hospital struct {
	*testnet.Net
	t testing.TB
}

// The patient's app, in TypeScript, enrols at a running network, is asked, shares, is written to, is read, and stops.
func TestThePatientsAppWorksOnARunningNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector sees nothing of the app, which is another process")
	}
	web, err := filepath.Abs("../web")
	if err != nil {
		t.Fatal(err)
	}
	for _, need := range []string{"node_modules/vitest/vitest.mjs", "node_modules/@noble/curves"} {
		if _, err := os.Stat(filepath.Join(web, need)); err != nil {
			lacks(t, "run npm ci in web/: %v", err)
		}
	}
	program, err := exec.LookPath("node")
	if err != nil {
		lacks(t, "node runs the app's flows: %v", err)
	}
	h := &hospital{testnet.Start(t, 2, 0), t}
	h.retain(10)
	desk := httptest.NewServer(h)
	t.Cleanup(desk.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "node_modules/vitest/vitest.mjs", "run", "--no-file-parallelism", "src/vault/network.test.ts", "src/vault/claim.network.test.ts", "src/vault/proxy.network.test.ts")
	c.Dir = web
	c.Env = append(os.Environ(), "VITALOG_HOME="+h.Nodes[0].Config.URL(), "VITALOG_HOSPITAL="+desk.URL)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said.Bytes())
	}
}

func lacks(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// ServeHTTP does one deed and tells what came of it.
func (h *hospital) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Card, Chart, Export, Link, Passcode string
		Certificate                         []byte
		Log                                 key.Log
		Entry                               uint64
		Times                               int
		Embedded                            *int
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var said any
	err := h.Settle(r.Context())
	if err == nil {
		switch r.URL.Path {
		case "/ask":
			said, err = h.ask(r.Context(), ask.Card)
		case "/write":
			said, err = h.write(r.Context(), ask.Chart)
		case "/attach":
			said, err = h.attach(r.Context(), ask.Chart)
		case "/verify":
			said, err = h.verify(ask.Export)
		case "/open":
			said, err = openLinks(r.Context(), ask.Link, ask.Passcode, ask.Embedded, max(1, ask.Times))
		case "/custody":
			said, err = h.custody(r.Context())
		case "/held":
			said, err = h.held(ask.Log, ask.Entry)
		case "/expunge":
			said, err = "done", h.expunge(r.Context())
		case "/kept":
			said, err = "done", h.kept(r.Context(), ask.Entry)
		case "/certificate":
			said, err = h.certificate(ask.Certificate)
		case "/read":
			said, err = h.read(r.Context(), ask.Chart)
		}
	}
	if err == nil {
		err = h.Settle(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(said)
}

var who = exchange.Asker{Practitioner: "okafor", Name: "Dr. Ada Okafor", Role: "cardiologist", Purpose: exchange.Treat, Reason: "follow-up\nof last week"}

func (h *hospital) ask(ctx context.Context, card string) (any, error) {
	handle, err := grant.ParseHandle(card)
	if err != nil {
		return nil, err
	}
	wish := exchange.Wish{Sections: []section.Section{section.Medications, section.Labs, section.Vitals}, Lasts: uint64((90 * 24 * time.Hour).Milliseconds())}
	id, err := h.Nodes[1].Member.Request(ctx, who, handle, wish)
	return map[string]string{"request": fmt.Sprintf("%x", id)}, err
}

// write publishes a pulse that refers to the patient, and then another version of it.
func (h *hospital) write(ctx context.Context, chart string) (any, error) {
	pulse := func(value string) (exchange.Draft, error) {
		r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","id":"p1","status":"final","subject":{"reference":"urn:uuid:1"},"valueQuantity":{"value":%s,"unit":"/min"}}`, value))
		return exchange.Draft{Resource: r, ID: "pulse-1", Section: section.Vitals, Group: value}, err
	}
	d, err := pulse("61.0")
	if err != nil {
		return nil, err
	}
	at, err := h.Nodes[1].Member.Publish(ctx, who, chart, []exchange.Draft{d})
	if err != nil {
		return nil, err
	}
	if d, err = pulse("62.50"); err != nil {
		return nil, err
	}
	d.Supersedes = []uint64{at[0].Entry}
	at, err = h.Nodes[1].Member.Publish(ctx, who, chart, []exchange.Draft{d})
	if err != nil {
		return nil, err
	}
	return map[string]uint64{"entry": at[0].Entry, "block": at[0].Block}, nil
}

// custody takes a patient into custody, with records, and makes a card.
func (h *hospital) custody(ctx context.Context) (any, error) {
	m := h.Nodes[1].Member
	chart, err := m.Enrol(ctx)
	if err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := h.write(ctx, chart); err != nil {
			return nil, err
		}
	}
	card, err := m.IssueCard(chart)
	if err != nil {
		return nil, err
	}
	return map[string]string{"chart": chart, "card": card.Code()}, nil
}

// held counts the members that have ciphertext or header of a record.
func (h *hospital) held(log key.Log, entry uint64) (any, error) {
	e, err := h.Nodes[0].Chain.Ledger().Entry(log, entry)
	if err != nil {
		return nil, err
	}
	r, ok := e.Says.(*op.Recorded)
	if !ok {
		return nil, fmt.Errorf("entry %d is no record", entry)
	}
	members := 0
	for _, n := range h.Nodes {
		has, err := n.Store.Has(r.Blob)
		if err != nil {
			return nil, err
		}
		if _, err := n.Store.Header(log, r.ID); err == nil || !errors.Is(err, blobstore.ErrNotFound) {
			has = true
		}
		if has {
			members++
		}
	}
	return map[string]int{"members": members}, nil
}

// retain has the law make the hospital keep what it writes from now on, for years.
func (h *hospital) retain(years int) {
	h.t.Helper()
	h.Stop(h.t, 1)
	c, err := node.Load(h.MemberDir(1))
	if err != nil {
		h.t.Fatal(err)
	}
	c.Retention = exchange.Retention{Years: years}
	if err := c.Save(h.MemberDir(1)); err != nil {
		h.t.Fatal(err)
	}
	h.Restart(h.t, 1, node.Options{})
	h.WaitReady(h.t)
}

// kept opens the copy that the hospital keeps of what was entry.
func (h *hospital) kept(ctx context.Context, entry uint64) error {
	m := h.Nodes[1].Member
	for _, c := range m.KeptCopies() {
		if c.Entry != entry {
			continue
		}
		by := who
		by.Purpose, by.Reason = exchange.Legal, "an audit"
		o, err := m.OpenCopy(ctx, by, c.Name)
		if err != nil {
			return err
		}
		return o.Close()
	}
	return fmt.Errorf("no copy of entry %d is kept", entry)
}

// expunge has every member take what was destroyed out of its files now, and not minutes later.
func (h *hospital) expunge(ctx context.Context) error {
	for _, n := range h.Nodes {
		if err := n.Store.Expunge(ctx, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// certificate counts the records that a certificate shows as destroyed by all members.
func (h *hospital) certificate(file []byte) (any, error) {
	c, err := receipt.DecodeCertificate(file)
	if err != nil {
		return nil, err
	}
	orders, err := c.Verify(h.Nodes[1].Genesis)
	records := 0
	for i := range orders {
		if orders[i].Complete() {
			records += len(orders[i].Records)
		}
	}
	return map[string]int{"records": records}, err
}

// attach publishes bytes as a small attachment and as a large one.
func (h *hospital) attach(ctx context.Context, chart string) (any, error) {
	at := map[int]uint64{}
	for _, size := range []int{100, 9_000_000} {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(i % 251)
		}
		a := exchange.Attached{ID: fmt.Sprint("scan-", size), ContentType: "application/dicom", Section: section.Vitals}
		placed, err := h.Nodes[1].Member.PublishAttachment(ctx, who, chart, a, bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		at[size] = placed.Entry
	}
	return at, nil
}

// verify holds the lines of an export of accesses against the genesis, and their number against the last line.
func (h *hospital) verify(export string) (any, error) {
	g := h.Nodes[1].Genesis
	lines := json.NewDecoder(strings.NewReader(export))
	for n := 0; ; n++ {
		var line struct {
			Schema, Result string
			At             time.Time
			Log            key.Log
			Entry          uint64
			Receipt        []byte
			Rows           int
			Network        key.Network
		}
		if err := lines.Decode(&line); err != nil {
			return nil, err
		}
		if line.Schema == "vitalog.audit-proof/v1" {
			if line.Rows != n || line.Network != g.Network() || lines.More() {
				return nil, fmt.Errorf("%d rows of %v, want %d of %v and nothing more", line.Rows, line.Network, n, g.Network())
			}
			return map[string]int{"rows": n}, nil
		}
		r, err := receipt.Decode(line.Receipt)
		if err != nil {
			return nil, err
		}
		v, err := r.Verify(g)
		if err != nil {
			return nil, err
		}
		a, ok := v.Entry.Says.(*op.Accessed)
		if !ok || line.Schema != "vitalog.audit/v1" || v.Log != line.Log || v.Number != line.Entry || v.Entry.At != uint64(line.At.UnixMilli()) || (a.Why == consent.Allowed) != (line.Result == "opened") {
			return nil, fmt.Errorf("line %d says otherwise than its receipt", n)
		}
	}
}

func (h *hospital) read(ctx context.Context, chart string) (any, error) {
	opened, err := h.Nodes[1].Member.Open(ctx, who, chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if refused, ok := errors.AsType[*exchange.Refused](err); ok {
		return map[string]string{"refused": refused.Why.String()}, nil
	}
	if errors.Is(err, exchange.ErrNotShared) {
		return map[string]string{"refused": "not shared"}, nil
	}
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return map[string]int{"resources": opened.Chart.Len()}, errors.Join(opened.Errors...)
}
