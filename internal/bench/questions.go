package bench

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Question is what one kind of request took.
type Question struct {
	What   string  `json:"what"`
	Found  float64 `json:"found"` // resources in an answer, on average
	P50    float64 `json:"p50Ms"` // of charts in memory
	P99    float64 `json:"p99Ms"`
	Closed float64 `json:"closedMs"` // p50 of charts that were closed
	Times  int     `json:"times"`
	Others string  `json:"others,omitempty"`
}

const (
	openCharts  = 40 // that are kept open and asked in turn
	closedAsked = 5  // that are closed before
	manyReaders = 64
	wholeChart  = 380 // entries of the $everything that others measured

	wsoReads = "2,784 reads/s"
)

// question is a kind of request: its address in a patient's chart, "" if there is nothing to ask of that one.
type question struct {
	what, others string
	path         func(p *patient) string
	bundle       bool // else the answer is one resource
}

// questions are what a hospital's systems ask. Their shapes are those of the figures beside them.
var questions = []question{
	{"read by id", "p50 1 ms", readAny, false},
	{"patient and code", "7 ms", func(p *patient) string {
		return "/Observation?patient=" + p.chart + "&code=http://loinc.org|8302-2&_count=20"
	}, true},
	{"patient, category and date, sorted", "855 ms", func(p *patient) string {
		return "/Observation?patient=" + p.chart + "&category=vital-signs&date=ge2015-01-01&_sort=-date&_count=20"
	}, true},
	{"_include", "1,400 ms", func(p *patient) string {
		return "/Observation?patient=" + p.chart + "&_include=Observation:encounter&_count=20"
	}, true},
	{"_revinclude", "", func(p *patient) string {
		return "/Encounter?patient=" + p.chart + "&_revinclude=Observation:encounter&_count=10"
	}, true},
	{"_has", "10,000-14,000 ms", func(p *patient) string {
		return "/Encounter?patient=" + p.chart + "&_has:Observation:encounter:code=8302-2&_count=20"
	}, true},
	{"$everything of a usual chart", "", everything, true},
}

func everything(p *patient) string { return "/Patient/" + p.chart + "/$everything" }

// readAny is the address of one of the patient's observations.
func readAny(p *patient) string {
	all := p.of("Observation")
	if len(all) == 0 {
		return "/Patient/" + p.chart
	}
	return "/" + all[rand.IntN(len(all))]
}

// question asks everything, of closed charts first.
func (w *ward) question(ctx context.Context, h *Hospital) error {
	all := w.spread(openCharts)
	whole := slices.MinFunc(w.patients, func(a, b *patient) int {
		return cmp.Compare(max(len(a.refs), 2*wholeChart-len(a.refs)), max(len(b.refs), 2*wholeChart-len(b.refs)))
	})
	type asked struct {
		question
		of []*patient
	}
	var list []asked
	for _, q := range questions {
		list = append(list, asked{q, all})
	}
	list = append(list, asked{question{fmt.Sprintf("$everything of %d", len(whole.refs)), fmt.Sprintf("129 ms of %d", wholeChart), everything, true}, []*patient{whole}})
	for _, q := range list {
		w.o.Begin("hospital: " + q.what + ", of closed charts")
		closed, err := w.closed(ctx, q.question, q.of)
		if err != nil {
			return fmt.Errorf("%s: %w", q.what, err)
		}
		h.Questions = append(h.Questions, Question{What: q.what, Others: q.others, Closed: closed})
	}
	for _, p := range append(all, whole) {
		if _, err := w.desk.ask(ctx, http.MethodGet, everything(p), nil); err != nil {
			return err
		}
	}
	for i, q := range list {
		w.o.Begin("hospital: " + q.what)
		one, found := &h.Questions[i], 0
		took, err := w.timed(func() error {
			body, err := w.desk.ask(ctx, http.MethodGet, q.path(q.of[one.Times%len(q.of)]), nil)
			one.Times++
			if found++; q.bundle {
				found += len(shown(w.door.base, body)) - 1
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", q.what, err)
		}
		one.Found, one.P50, one.P99 = float64(found)/float64(one.Times), milliseconds(took, 50), milliseconds(took, 99)
		others := q.others
		if others != "" {
			others = "wso2/fhir-server " + others
		}
		if err := w.tell(Measure{What: "hospital: " + q.what + ", p50", Value: one.P50, Unit: "ms", Others: others},
			Measure{What: "the same, p99", Value: one.P99, Unit: "ms"}, Measure{What: "the same, chart closed, p50", Value: one.Closed, Unit: "ms"}); err != nil {
			return err
		}
	}
	return w.readAtOnce(ctx, all, h)
}

// spread are at most n of the patients, from the whole of the hospital.
func (w *ward) spread(n int) (out []*patient) {
	n = min(n, len(w.patients))
	for i := range n {
		out = append(out, w.patients[i*len(w.patients)/n])
	}
	return out
}

// closed is how long the question takes, p50, of charts that nobody has opened.
func (w *ward) closed(ctx context.Context, q question, of []*patient) (float64, error) {
	var took []time.Duration
	for i := range min(closedAsked, len(of)) {
		w.nodes[0].Member.CloseCharts()
		if err := w.settle(ctx); err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := w.desk.ask(ctx, http.MethodGet, q.path(of[i]), nil); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return milliseconds(took, 50), nil
}

// readAtOnce lets many clients read by id in the open charts.
func (w *ward) readAtOnce(ctx context.Context, all []*patient, h *Hospital) error {
	w.o.Begin(fmt.Sprintf("hospital: %d clients at once read by id", manyReaders))
	var mu sync.Mutex
	var took []time.Duration
	g, gctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i := range manyReaders {
		g.Go(func() error {
			who := physician
			who.Practitioner = fmt.Sprint("client-", i)
			v := w.door.visitor(who)
			for first := true; first || time.Since(began) < w.span; first = false {
				one := time.Now()
				if _, err := v.ask(gctx, http.MethodGet, readAny(all[rand.IntN(len(all))]), nil); err != nil {
					return err
				}
				mu.Lock()
				took = append(took, time.Since(one))
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	rate := float64(len(took)) / time.Since(began).Seconds()
	slices.Sort(took)
	h.Readers, h.Reads, h.ReadP50, h.ReadP99 = manyReaders, rate, milliseconds(took, 50), milliseconds(took, 99)
	return w.tell(Measure{What: fmt.Sprintf("hospital: reads by id of open charts, each traced, %d clients at once", manyReaders), Value: rate, Unit: "reads/s", Others: "wso2/fhir-server " + wsoReads})
}

// tell tells figures at once.
func (w *ward) tell(all ...Measure) error {
	for _, m := range all {
		m.Schema = MeasureSchema
		if err := w.o.Tell(m); err != nil {
			return err
		}
	}
	return nil
}
