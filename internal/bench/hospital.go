package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Hospital is what was seen at a member that was filled through its FHIR door.
type Hospital struct {
	Resources int        `json:"resources"`
	Patients  int        `json:"patients"`
	Seed      uint64     `json:"seed"`   // of those who are made up
	Import    float64    `json:"import"` // resources a second
	Held      float64    `json:"held"`   // the same, until all four validators hold everything
	Bytes     float64    `json:"bytesPerResource"`
	HeapMiB   float64    `json:"heapMiB"` // live, of the process with four members
	Questions []Question `json:"questions,omitempty"`
	Readers   int        `json:"readers,omitempty"` // at once
	Reads     float64    `json:"readsPerSecond,omitempty"`
	ReadP50   float64    `json:"readP50Ms,omitempty"`
	ReadP99   float64    `json:"readP99Ms,omitempty"`
}

// wsoImport is what stands beside an import.
const wsoImport = "wso2/fhir-server 517-621 on two cores, not sealed"

func (h *Hospital) measures() []Measure {
	return []Measure{
		{What: fmt.Sprintf("hospital: import of %d resources of %d patients by FHIR transactions", h.Resources, h.Patients), Value: h.Import, Unit: "resources/s", Bar: "≥ 700, then 2,500", Others: wsoImport},
		{What: "the same, until all four validators hold everything", Value: h.Held, Unit: "resources/s"},
		{What: "storage of one member per resource, everything counted", Value: h.Bytes, Unit: "bytes"},
		{What: "live heap of the process with four members, filled", Value: h.HeapMiB, Unit: "MiB"},
	}
}

func (h *Hospital) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## A hospital of %d resources\n\n%d patients, those made up from seed %d. Import %s resources/s, %s until all four validators hold everything (%s); %s bytes of one member's disk per resource; %s MiB of live heap.\n\n",
		h.Resources, h.Patients, h.Seed, digits(h.Import), digits(h.Held), wsoImport, digits(h.Bytes), digits(h.HeapMiB))
	b.WriteString("Each is asked over HTTP in one patient's chart, which is in memory, or closed before; others search across patients, without sealing or trace.\n\n")
	b.WriteString("| question | found | p50 | p99 | closed | wso2/fhir-server |\n|---|---|---|---|---|---|\n")
	for _, q := range h.Questions {
		fmt.Fprintf(&b, "| %s | %s | %s ms | %s ms | %s ms | %s |\n", q.What, digits(q.Found), digits(q.P50), digits(q.P99), digits(q.Closed), q.Others)
	}
	if h.Readers > 0 {
		fmt.Fprintf(&b, "| %d clients at once read by id: %s/s | 1 | %s ms | %s ms | | %s |\n", h.Readers, digits(h.Reads), digits(h.ReadP50), digits(h.ReadP99), wsoReads)
	}
	return b.String()
}

// ward is a network with patients who came in through the door.
type ward struct {
	*network
	o Options

	mu       sync.Mutex
	patients []*patient // who have a chart
	taken    int        // resources, of the directory too
}

// patient is one chart, and what is in it as "Type/id".
type patient struct {
	chart string
	refs  []string
}

// of are the patient's resources of a type.
func (p *patient) of(kind string) (out []string) {
	for _, r := range p.refs {
		if strings.HasPrefix(r, kind+"/") {
			out = append(out, r)
		}
	}
	return out
}

// admit posts a bundle and notes what came of it.
func (w *ward) admit(ctx context.Context, bundle []byte) error {
	body, err := w.desk.ask(ctx, http.MethodPost, "", bundle)
	if err != nil {
		return err
	}
	locations, err := taken(body)
	if err != nil {
		return err
	}
	p := &patient{}
	for _, l := range locations {
		ref, _, _ := strings.Cut(l, "/_history/")
		if id, ok := strings.CutPrefix(ref, "Patient/"); ok {
			p.chart = id
		}
		p.refs = append(p.refs, ref)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken += len(locations)
	if p.chart != "" {
		w.patients = append(w.patients, p)
	}
	return nil
}

// brought is how many resources came in.
func (w *ward) brought() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.taken
}

// fill brings in whole patients until there are so many resources.
func (w *ward) fill(ctx context.Context, want int) (*Hospital, error) {
	first, rest, err := bundleFiles(w.o.Bundles)
	if err != nil {
		return nil, err
	}
	before, err := w.bytes()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	stop := w.progress(ctx, began, want)
	defer stop()
	for _, path := range first {
		bundle, err := os.ReadFile(path)
		if err == nil {
			err = w.admit(ctx, bundle)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(importers)
	coming := w.brought()
	for a, err := range people(rest, w.o.Seed) {
		if coming >= want || gctx.Err() != nil {
			break
		}
		coming += bytes.Count(a.bundle, []byte(`"fullUrl"`))
		g.Go(func() error {
			if err == nil {
				err = w.admit(gctx, a.bundle)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", a.from, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("after %d resources: %w", w.brought(), err)
	}
	took := time.Since(began)
	stop()
	if err := w.settle(ctx); err != nil {
		return nil, err
	}
	held := time.Since(began)
	after, err := w.bytes()
	if err != nil {
		return nil, err
	}
	n := float64(w.taken)
	return &Hospital{Resources: w.taken, Patients: len(w.patients), Seed: w.o.Seed, Import: n / took.Seconds(), Held: n / held.Seconds(),
		Bytes: float64(after-before) / n, HeapMiB: heap()}, nil
}

// tellEvery is how often somebody who waits is told how far it is.
const tellEvery = 5 * time.Second

// progress tells how far the filling is, until it is stopped.
func (w *ward) progress(ctx context.Context, began time.Time, want int) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			have := w.brought()
			rate := float64(have) / time.Since(began).Seconds()
			left := "unknown"
			if rate > 0 {
				left = time.Duration(float64(max(0, want-have)) / rate * float64(time.Second)).Round(time.Second).String()
			}
			w.o.Note(fmt.Sprintf("%d of %d resources, %.0f/s, %s left", have, want, rate, left))
		}
	})
	return func() { cancel(); telling.Wait() }
}
