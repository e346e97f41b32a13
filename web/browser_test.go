package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/gateway"
	"vitalog/grant"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/section"
	"vitalog/synthetic"
)

// hospital is member 0 as the walk in the browser sees it: each path is one deed, with what the patient showed at the desk. Member 1 hands
// out the app.
type hospital struct{ *testnet.Net }

type shown struct {
	Card, Chart string
	Records     int // to fill a chart with
}

var okafor = exchange.Asker{Practitioner: "okafor", Name: "Dr. Ada Okafor", Role: "cardiologist", Purpose: exchange.Treat, Reason: "blood pressure follow-up"}

// The patient's app in a real browser, on one network of four members.
func TestInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser and a network")
	}
	chromium := testnet.Chromium(t, ".")
	h := hospital{testnet.Start(t, 4, 0)}
	desk := httptest.NewServer(h)
	t.Cleanup(desk.Close)
	walk := func(t *testing.T, got any, script string, args ...string) {
		t.Helper()
		testnet.Walk(t, ".", chromium, h.Nodes[1].Config.URL(), desk.URL, got, script, args...)
	}
	t.Run("what a patient relies on", func(t *testing.T) { proves(t, walk) })
	t.Run("a patient's first day", func(t *testing.T) { firstDay(t, walk) })
	t.Run("what is measured is there", func(t *testing.T) {
		var got map[string]float64
		walk(t, &got, "bench.mjs", "40")
		if got["ms-first"] <= 0 || got["ms-again"] <= 0 || got["ms-search-median"] <= 0 {
			t.Errorf("measured %v", got)
		}
	})
}

// walker runs a script in test/ and reads what it prints.
type walker func(t *testing.T, got any, script string, args ...string)

// A patient's first day with the keyboard alone; and every page, which axe looks at in light, dark, right-to-left, narrow and with large text.
func firstDay(t *testing.T, walk walker) {
	var got struct {
		Sentence, Shared, Entries, Narrowed, Allowed, Refused, Failed string
		Custodian                                                     string
		Viewed, Openings                                              []string // what a viewer of a code gets, and the rows of it
		Found, Seen, Complaints, Claimed                              []string
		Deleted, Parts                                                []string // what the page says of it, and what else could be
		Copy, StillFound, Gone, Certificate                           string
		Cursor, Left                                                  bool
		Rows                                                          int
		Came                                                          map[string]int // ms until it showed by itself
	}
	walk(t, &got, "walk.mjs")
	if got.Failed != "" {
		t.Error(got.Failed)
	}
	if len(got.Complaints) > 0 {
		t.Errorf("the browser and axe complain:\n%s", strings.Join(got.Complaints, "\n"))
	}
	if !strings.Contains(got.Sentence, "Member 0 may read and write") || !strings.HasPrefix(got.Shared, "Member 0") {
		t.Errorf("shared: %q, %q", got.Sentence, got.Shared)
	}
	if len(got.Came) != 2 {
		t.Errorf("of a request and an access only these showed by themselves: %v", got.Came)
	}
	t.Logf("until it showed, in ms: %v", got.Came)
	if len(got.Found) == 0 || !slices.Contains(got.Found, "Lisinopril 10 mg") || got.Rows < 10 || !got.Cursor {
		t.Errorf("search found %q, the table has %d rows, the cursor moves: %v", got.Found, got.Rows, got.Cursor)
	}
	if !strings.Contains(got.Narrowed, "may read medicines and vital signs, for treatment, until") {
		t.Errorf("narrowed to %q", got.Narrowed)
	}
	if got.Allowed != "read" || got.Refused != "refused" || !slices.Contains(got.Seen, okafor.Name) {
		t.Errorf("before the stop %q, after it %q; the activity names %q", got.Allowed, got.Refused, got.Seen)
	}
	if !slices.Equal(got.Viewed, []string{"401 4", "200 ", "404 "}) {
		t.Errorf("a wrong passcode, the right one, and the right one after the stop: %q", got.Viewed)
	}
	if len(got.Openings) != 2 || !strings.Contains(got.Openings[0], "Dr. Ruiz, Rome") || !strings.Contains(got.Openings[0], "opened") || !strings.Contains(got.Openings[1], "Wrong passcode") {
		t.Errorf("the openings of a code show as %q", got.Openings)
	}
	if !slices.Contains(got.Claimed, "Ramipril 5 mg") || !strings.HasPrefix(got.Custodian, "Member 0") {
		t.Errorf("the claimed record shows %q, shared with %q", got.Claimed, got.Custodian)
	}
	if len(got.Deleted) != 2 || !strings.Contains(got.Deleted[0], "Destroyed") || !strings.Contains(got.Deleted[0], "1 record: ") || !strings.Contains(got.Deleted[1], "lab results") {
		t.Errorf("of what was deleted the app says %q", got.Deleted)
	}
	if !strings.HasPrefix(got.StillFound, "0 ") || !strings.HasPrefix(got.Copy, "vitalog-record-") {
		t.Errorf("a search finds %q of what was destroyed; the copy was saved as %q", got.StillFound, got.Copy)
	}
	if strings.Count(got.Gone, "Deleted on ") != 4 || !strings.HasPrefix(got.Certificate, "vitalog-deleted-") {
		t.Errorf("when all members have deleted it the app says %q; the certificate was saved as %q", got.Gone, got.Certificate)
	}
	if len(got.Parts) < 5 || slices.ContainsFunc(got.Parts, func(p string) bool { return strings.HasPrefix(p, "lab results") }) {
		t.Errorf("after a part was destroyed there are %q", got.Parts)
	}
	if got.Left {
		t.Error("a locked app still shows what it showed")
	}
}

// ServeHTTP does one deed and says what came of it in one word.
func (h hospital) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var s shown
	err := json.NewDecoder(r.Body).Decode(&s)
	said := ""
	if err == nil {
		err = h.Settle(r.Context())
	}
	if err == nil {
		switch r.URL.Path {
		case "/load":
			err = h.load(r.Context(), s.Chart)
		case "/custody":
			said, err = h.custody(r.Context())
		case "/ask":
			err = h.ask(r.Context(), s.Card)
		case "/read":
			said, err = h.read(r.Context(), s.Chart)
		case "/fill":
			err = h.fill(r.Context(), s.Chart, s.Records)
		case "/expunge":
			err = h.expunge(r.Context())
		case "/look":
			err = h.look(r.Context(), s.Chart)
		case "/write":
			err = h.write(r.Context(), s.Chart)
		}
	}
	if err == nil {
		err = h.Settle(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, said)
}

// load writes the years of a synthetic patient into the chart, through the hospital's FHIR endpoint.
func (h hospital) load(ctx context.Context, chart string) error {
	p := synthetic.Patients(2026, 1, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))[0]
	n := h.Nodes[0]
	if err := n.Member.Link(chart, synthetic.MRNSystem, p.MRN); err != nil {
		return err
	}
	all, err := synthetic.Merge(p.Batches, func(synthetic.Source) bool { return true })
	if err != nil {
		return err
	}
	return send(ctx, n, http.MethodPost, "", all)
}

// custody takes a patient with a medicine into custody, and makes a card.
func (h hospital) custody(ctx context.Context) (string, error) {
	m := h.Nodes[0].Member
	chart, err := m.Enrol(ctx)
	if err != nil {
		return "", err
	}
	r, err := fhir.Parse([]byte(`{"resourceType":"MedicationStatement","status":"active","medicationCodeableConcept":{"text":"Ramipril 5 mg"},"effectiveDateTime":"2026-11-01"}`))
	if err != nil {
		return "", err
	}
	if _, err := m.Publish(ctx, okafor, chart, []exchange.Draft{{Resource: r, ID: "ramipril", Section: section.Medications, Group: "1"}}); err != nil {
		return "", err
	}
	card, err := m.IssueCard(chart)
	if err != nil {
		return "", err
	}
	return card.Code(), nil
}

// expunge has every member take what was destroyed out of its files now, and not minutes later.
func (h hospital) expunge(ctx context.Context) error {
	for _, n := range h.Nodes {
		if err := n.Store.Expunge(ctx, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func send(ctx context.Context, n *node.Node, method, path string, body []byte) error {
	base := n.Config.URL() + "/fhir"
	who := exchange.Asker{Practitioner: "import", Name: "Import", Role: "system", Purpose: exchange.Treat, Machine: true}
	token, err := gateway.IssueToken(n.Ring.Tokens(), n.Config.Name, base, who, gateway.MaxTokenLife, time.Now())
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/fhir+json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if said, err := io.ReadAll(a.Body); err != nil || a.StatusCode >= 300 {
		return errors.Join(err, fmt.Errorf("%s %s: %d: %.500s", method, path, a.StatusCode, said))
	}
	return nil
}

func (h hospital) ask(ctx context.Context, card string) error {
	handle, err := grant.ParseHandle(card)
	if err != nil {
		return err
	}
	_, err = h.Nodes[0].Member.Request(ctx, okafor, handle, exchange.Wish{Sections: section.Clinical(), Lasts: uint64((90 * 24 * time.Hour).Milliseconds())})
	return err
}

func (h hospital) read(ctx context.Context, chart string) (string, error) {
	opened, err := h.Nodes[0].Member.Open(ctx, okafor, chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if _, refused := errors.AsType[*exchange.Refused](err); refused {
		return "refused", nil
	}
	if err != nil {
		return "", err
	}
	opened.Close()
	return "read", nil
}
