// Package bench measures a network of four validators on this machine, from request to plaintext, with everything on: consensus of all
// four, signatures, sealing, the release of keys, the trace of every read, the disk.
//
// It promises that what it reports was seen in this run, beside the machine, the versions and the load under which it was seen. It refuses
// real data: it makes the records of people who don't exist, except where it is told to bring in bundles of synthetic people.
//
//	| measure | here | bar | others |
//	| audited read of 1 record, request to plaintext, p50 | 31 ms | ≤ 40 ms | CALYPSO 271-288 ms on two cores |
package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Options say what to measure.
type Options struct {
	For     time.Duration // how long each figure is measured
	Bundles string        // directory of FHIR bundles to import; "": synthetic people of our own
	Grow    []int         // numbers of records at which the same is measured again, ascending
	Soak    time.Duration // of readers and writers while validators restart; 0: none

	NoTable    bool          // leaves out the table of figures that comes first
	Hospital   int           // resources that come in through the FHIR door before it is asked; 0: none
	Seed       uint64        // of the people who are made up for it
	Clients    int           // at the FHIR door at the same time, in the hospital or a small one; 0: none
	ClientsFor time.Duration // how long they work

	// Through is what lies between clients and the door, nil: nothing.
	Through func(http.RoundTripper) http.RoundTripper

	Begin func(what string)   // is told what is measured next
	Note  func(how string)    // is told how far something long is
	Tell  func(Measure) error // is told each figure at once
}

// Measure is one figure, and what it stands beside.
type Measure struct {
	Schema string  `json:"schema"`
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Bar    string  `json:"bar,omitempty"`    // what this program wants to reach on two cores
	Others string  `json:"others,omitempty"` // what others were measured at
}

// The schemas of what a run prints.
const (
	MeasureSchema = "vitalog.bench/v1"
	ReportSchema  = "vitalog.bench-report/v1"
)

// Report is what one run saw.
type Report struct {
	Schema   string    `json:"schema"`
	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds"`
	Machine  Machine   `json:"machine"`
	Measures []Measure `json:"measures"`
	Hospital *Hospital `json:"hospital,omitempty"`
	Clients  *Clients  `json:"clients,omitempty"`
	Growth   []Grown   `json:"growth,omitempty"`
	Soak     *Soaked   `json:"soak,omitempty"`
}

// step is one part of a run.
type step struct {
	what string
	run  func(context.Context) ([]Measure, error)
}

// Run measures. The report holds what was seen until an error.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Schema: ReportSchema, Began: time.Now().UTC(), Machine: thisMachine()}
	err := r.run(ctx, o)
	r.Seconds = time.Since(r.Began).Seconds()
	r.Machine.LoadAfter = load()
	return r, err
}

func (r *Report) run(ctx context.Context, o Options) (err error) {
	if !o.NoTable {
		if err := r.table(ctx, o); err != nil {
			return err
		}
	}
	if o.Hospital > 0 || o.Clients > 0 {
		if err := r.ward(ctx, o); err != nil {
			return fmt.Errorf("hospital: %w", err)
		}
	}
	if len(o.Grow) > 0 {
		if r.Growth, err = grow(ctx, o); err != nil {
			return fmt.Errorf("growth: %w", err)
		}
	}
	if o.Soak > 0 {
		if r.Soak, err = soak(ctx, o); err != nil {
			return fmt.Errorf("soak: %w", err)
		}
	}
	return nil
}

// table takes the measures one after the other on one network.
func (r *Report) table(ctx context.Context, o Options) error {
	b, err := start(ctx, o.For, o.Through)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.fill(ctx); err != nil {
		return err
	}
	// In an order in which none disturbs the next: what leaves ciphertext to be looked for comes last.
	steps := []step{
		{"audited reads of one record", b.readOne},
		{"audited reads of a hundred records", b.readHundred},
		{"many readers, each read traced alone", b.readMany},
		{"a chart of 500, closed and open", b.chartOf500},
		{"a search over 10,000 open resources", b.searchTenThousand},
		{"an import", func(ctx context.Context) ([]Measure, error) { return b.bringIn(ctx, o.Bundles) }},
		{"records sealed and published", b.publish},
		{"operations signed one by one", b.operations},
		{"the array of heads", b.heads},
		{"records in batches, ledger alone", b.batches},
	}
	for _, s := range steps {
		if err := b.settle(ctx); err != nil {
			return err
		}
		o.Begin(s.what)
		out, err := s.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		for _, m := range out {
			m.Schema = MeasureSchema
			r.Measures = append(r.Measures, m)
			if err := o.Tell(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// smallHospital is how many resources there are for clients alone.
const smallHospital = 5000

// ward fills a network of its own and lets it be asked, by one client and by many.
func (r *Report) ward(ctx context.Context, o Options) error {
	b, err := start(ctx, o.For, o.Through)
	if err != nil {
		return err
	}
	defer b.close()
	w := &ward{network: b, o: o}
	size := o.Hospital
	if size == 0 {
		size = smallHospital
	}
	o.Begin(fmt.Sprintf("an import of %d resources", size))
	h, err := w.fill(ctx, size)
	if err != nil {
		return err
	}
	if len(w.patients) == 0 {
		return fmt.Errorf("no patient in %d resources", h.Resources)
	}
	if o.Hospital > 0 {
		r.Hospital = h
		if err := w.tell(h.measures()...); err != nil {
			return err
		}
		if err := w.question(ctx, h); err != nil {
			return err
		}
	}
	if o.Clients > 0 {
		if r.Clients, err = w.press(ctx); err != nil {
			return fmt.Errorf("%d clients: %w", o.Clients, err)
		}
	}
	return nil
}
