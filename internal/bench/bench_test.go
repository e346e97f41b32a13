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

// small is a run of seconds.
func small(t *testing.T) bench.Options {
	return bench.Options{For: 50 * time.Millisecond, NoTable: true, Hospital: 150, Seed: 7, Clients: 6, ClientsFor: 2 * time.Second,
		Begin: func(what string) { t.Log(what) }, Note: func(how string) { t.Log(how) }, Tell: func(bench.Measure) error { return nil }}
}

func TestAHospitalIsFilledAndAskedByOneAndByMany(t *testing.T) {
	o := small(t)
	var told []bench.Measure
	o.Tell = func(m bench.Measure) error { told = append(told, m); return nil }
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Broken(); err != nil {
		t.Errorf("promises broke: %v\n%s", err, r.Markdown())
	}
	h, c := r.Hospital, r.Clients
	if h.Resources < o.Hospital || h.Patients == 0 || h.Import <= 0 || h.Reads <= 0 || len(told) == 0 {
		t.Errorf("got %+v, %d figures told", h, len(told))
	}
	for _, q := range h.Questions {
		if q.P50 <= 0 || q.P99 < q.P50 || q.Closed <= 0 || q.Times == 0 {
			t.Errorf("got %+v", q)
		}
		if q.Found < 1 {
			t.Errorf("%s finds nothing", q.What)
		}
	}
	if c.Acknowledged == 0 || c.Shown == 0 || c.Traced < c.Shown || c.Connections == 0 || len(c.Rows) == 0 || c.Statuses["200"] == 0 || c.Statuses["201"] == 0 {
		t.Errorf("got %+v", c)
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
	for _, want := range []string{"## A hospital of", "| _has |", "## 6 clients", "| update with If-Match |"} {
		if !strings.Contains(r.Markdown(), want) {
			t.Errorf("the report has no %q: %s", want, r.Markdown())
		}
	}
}

// liar stands before the door. While clients work it says once that another version was written than was, and answers reads itself.
type liar struct {
	http.RoundTripper
	working *atomic.Bool
	lied    *atomic.Bool
}

var oneResource = regexp.MustCompile(`^/fhir/[A-Za-z]+/[0-9a-f-]+$`)

func (l liar) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.working.Load() && r.Method == http.MethodGet && oneResource.MatchString(r.URL.Path) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`W/"1"`}}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
	}
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && l.working.Load() && resp.Header.Get("Location") != "" && l.lied.CompareAndSwap(false, true) {
		resp.Header.Set("Location", resp.Header.Get("Location")+"000000")
	}
	return resp, err
}

func TestAWriteThatIsNotThereAndReadsWithoutARowAreFound(t *testing.T) {
	o := small(t)
	var working, lied atomic.Bool
	o.Hospital, o.Clients = 1, 4
	o.Through = func(next http.RoundTripper) http.RoundTripper { return liar{next, &working, &lied} }
	o.Begin = func(what string) { working.Store(strings.HasPrefix(what, "4 clients")) }
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Clients; !lied.Load() || c.Lost != 1 || c.Untraced == 0 {
		t.Errorf("got %d lost and %d untraced, want one and some: %+v", c.Lost, c.Untraced, c)
	}
	if r.Broken() == nil {
		t.Error("no promise is told to have broken")
	}
}
