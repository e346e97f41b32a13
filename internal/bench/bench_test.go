package bench_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/internal/bench"
)

// liar stands before the door. While clients work it answers reads by id itself, and says once that another version was written than was.
type liar struct {
	http.RoundTripper
	working, told atomic.Bool
	answered      atomic.Int64
}

var oneResource = regexp.MustCompile(`^/fhir/[A-Za-z]+/[0-9a-f-]+$`)

func (l *liar) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.working.Load() && r.Method == http.MethodGet && oneResource.MatchString(r.URL.Path) {
		l.answered.Add(1)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
	}
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && l.working.Load() && r.Method == http.MethodPost && resp.Header.Get("Location") != "" && l.told.CompareAndSwap(false, true) {
		resp.Header.Set("Location", resp.Header.Get("Location")+"000000")
	}
	return resp, err
}

func TestAHospitalIsAskedByOneAndByManyAndALiarBeforeItsDoorIsFound(t *testing.T) {
	var l liar
	var told []bench.Measure
	o := bench.Options{For: 20 * time.Millisecond, NoTable: true, Hospital: 350, Seed: 7, Clients: 6, ClientsFor: 1500 * time.Millisecond,
		Through: func(next http.RoundTripper) http.RoundTripper { l.RoundTripper = next; return &l },
		Begin:   func(what string) { l.working.Store(strings.HasPrefix(what, "6 clients")) },
		Note:    func(how string) { t.Log(how) },
		Tell:    func(m bench.Measure) error { told = append(told, m); return nil }}
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h, c := r.Hospital, r.Clients
	if h.Resources < o.Hospital || h.Patients == 0 || h.Import <= 0 || h.Reads <= 0 || len(told) == 0 {
		t.Errorf("got %+v, %d figures told", h, len(told))
	}
	for _, q := range h.Questions {
		if q.P50 <= 0 || q.P99 < q.P50 || q.Closed <= 0 || q.Found <= 0 {
			t.Errorf("got %+v", q)
		}
	}
	if c.Acknowledged == 0 || c.Traced == 0 || c.Connections == 0 || c.LeftOpen != 0 || len(c.Rows) == 0 || c.Statuses["200"] == 0 || c.Statuses["201"] == 0 {
		t.Errorf("got %+v", c)
	}
	if !l.told.Load() || c.Lost != 1 {
		t.Errorf("got %d lost versions, want the one that was never written", c.Lost)
	}
	if c.Untraced == 0 || int64(c.Untraced) > l.answered.Load() {
		t.Errorf("got %d untraced, want some of the %d that the ledger knows nothing of", c.Untraced, l.answered.Load())
	}
	if err := r.Broken(); err == nil || len(c.Broken) != 2 {
		t.Errorf("got broken promises %v, want the two", err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"questions":[`, `"leftOpen":0`} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("the report in JSON has no %s: %s", want, raw)
		}
	}
	for _, want := range []string{"## A hospital of", "| _has |", "## 6 clients", "| update with If-Match |", "**broken: 1 acknowledged"} {
		if !strings.Contains(r.Markdown(), want) {
			t.Errorf("the report has no %q: %s", want, r.Markdown())
		}
	}
}
