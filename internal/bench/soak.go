package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
)

const (
	soakReaders = 50
	soakWriters = 10
	soakTick    = time.Minute // a validator is restarted, and a row of figures is taken
)

// Soaked is what was seen while readers read and writers wrote for a long time and validators restarted.
type Soaked struct {
	Minutes   []Minute `json:"minutes"`
	Restarts  int      `json:"restarts"`
	Reads     int      `json:"reads"`  // answered
	Writes    int      `json:"writes"` // acknowledged
	Failed    int      `json:"failed"` // reads and writes that ended with an error
	FirstFail string   `json:"firstFailure,omitempty"`
	Traces    int      `json:"traces"` // of the readers, on the ledger
	Lost      int      `json:"lost"`   // acknowledged writes that are not in the charts at the end
	Untraced  int      `json:"untraced"`
}

func (s *Soaked) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Soak: %d readers, %d writers, a validator restarted every minute\n\n", soakReaders, soakWriters)
	fmt.Fprintf(&b, "%d restarts; %d reads answered with %d traces on the ledger, %d untraced; %d writes acknowledged, %d lost; %d requests failed. %s\n\n",
		s.Restarts, s.Reads, s.Traces, s.Untraced, s.Writes, s.Lost, s.Failed, s.FirstFail)
	b.WriteString(minuteRows("minute", s.Minutes))
	return b.String()
}

// soaking is a soak under way.
type soaking struct {
	b    *network
	pace pace

	mu    sync.Mutex
	out   Soaked
	known []spot // records that were acknowledged
}

func soak(ctx context.Context, o Options) (*Soaked, error) {
	b, err := start(ctx, o.For, o.Through)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if err := b.fill(ctx); err != nil {
		return nil, err
	}
	s := &soaking{b: b, known: slices.Clone(b.fresh)}
	traced, err := s.traces()
	if err != nil {
		return nil, err
	}
	o.Begin(fmt.Sprintf("a soak of %v", o.Soak))
	working, stop := context.WithTimeout(ctx, o.Soak)
	defer stop()
	var work sync.WaitGroup
	for i := range soakReaders {
		work.Go(func() { s.readOn(working, ctx, i) })
	}
	for range soakWriters {
		work.Go(func() { s.writeOn(working, ctx) })
	}
	var restarting errgroup.Group
	restarting.Go(func() error { return s.restart(working, ctx, o) })
	work.Wait()
	if err := errors.Join(restarting.Wait(), ctx.Err()); err != nil {
		return &s.out, err
	}
	return &s.out, s.account(ctx, traced)
}

// readOn reads records at random until working ends.
func (s *soaking) readOn(working, ctx context.Context, number int) {
	who := physician
	who.Practitioner, who.Name = fmt.Sprint("reader-", number), fmt.Sprint("Reader ", number)
	for working.Err() == nil {
		s.mu.Lock()
		x := s.known[rand.IntN(len(s.known))]
		s.mu.Unlock()
		began := time.Now()
		err := s.b.open(ctx, who, x.chart, x.section, []uint64{x.entry})
		s.mu.Lock()
		if s.failed("read", err); err == nil {
			s.pace.took(false, time.Since(began))
			s.out.Reads++
		}
		s.mu.Unlock()
	}
}

// writeOn writes one record after the other until working ends.
func (s *soaking) writeOn(working, ctx context.Context) {
	for working.Err() == nil {
		chart, part := s.b.charts[rand.IntN(patients)], written[rand.IntN(len(written))]
		began := time.Now()
		done, err := s.b.nodes[0].Member.Publish(ctx, physician, chart, []exchange.Draft{observation(chart, part, "")})
		s.mu.Lock()
		if s.failed("write", err); err == nil {
			s.pace.took(true, time.Since(began))
			s.known = append(s.known, spot{chart, part, done[0].Entry})
			s.out.Writes++
		}
		s.mu.Unlock()
	}
}

// failed counts an error. The caller holds the lock.
func (s *soaking) failed(what string, err error) {
	if err == nil {
		return
	}
	if s.out.Failed++; s.out.FirstFail == "" {
		s.out.FirstFail = fmt.Sprintf("The first: %s: %v", what, err)
	}
}

// restart takes the figures of each minute and then restarts a validator, one after the other but for the first, at which all work.
func (s *soaking) restart(working, ctx context.Context, o Options) error {
	tick := time.NewTicker(soakTick)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-working.Done():
			return nil
		}
		m := s.pace.end(n)
		s.out.Minutes = append(s.out.Minutes, m)
		o.Note(fmt.Sprintf("minute %d: %v", n, m))
		if working.Err() != nil {
			return nil
		}
		i := 1 + n%(members-1)
		if err := s.b.nodes[i].Close(); err != nil {
			return fmt.Errorf("stopping member %d: %w", i, err)
		}
		again, err := node.Start(ctx, s.b.dirs[i], nil, node.Options{Log: slog.New(slog.DiscardHandler), Ring: s.b.nodes[i].Ring})
		if err != nil {
			return fmt.Errorf("starting member %d again: %w", i, err)
		}
		s.b.nodes[i] = again
		s.out.Restarts++
		if err := again.WaitReady(ctx); err != nil {
			return fmt.Errorf("member %d does not come back: %w", i, err)
		}
	}
}

// account holds what was acknowledged against the charts, and what was read against the ledger.
func (s *soaking) account(ctx context.Context, before int) error {
	if err := s.b.flushed(ctx); err != nil {
		return err
	}
	traces, err := s.traces()
	if err != nil {
		return err
	}
	s.out.Traces = traces - before
	s.out.Untraced = max(0, s.out.Reads-s.out.Traces)
	want := map[string]map[section.Section][]uint64{}
	for _, x := range s.known {
		if want[x.chart] == nil {
			want[x.chart] = map[section.Section][]uint64{}
		}
		want[x.chart][x.section] = append(want[x.chart][x.section], x.entry)
	}
	for chart, parts := range want {
		o, err := s.b.nodes[0].Member.Open(ctx, physician, chart, exchange.Want{Sections: written})
		if err != nil {
			return err
		}
		defer o.Close()
		have := map[section.Section]map[uint64]bool{}
		for r := range o.Chart.All() {
			v := r.Current()
			if have[v.Section] == nil {
				have[v.Section] = map[uint64]bool{}
			}
			have[v.Section][v.Entry] = true
		}
		for part, entries := range parts {
			for _, e := range entries {
				if !have[part][e] {
					s.out.Lost++
				}
			}
		}
	}
	return nil
}

// traces is how many allowed accesses the ledger holds.
func (s *soaking) traces() (n int, err error) {
	l := s.b.nodes[0].Chain.Ledger()
	for i := range l.Logs() {
		h, err := l.HeadByNumber(i)
		if err != nil {
			return 0, err
		}
		if err := l.Entries(h.Log, 0, h.Size, func(e *op.Entry) error {
			if a, ok := e.Says.(*op.Accessed); ok && a.Why == consent.Allowed {
				n++
			}
			return nil
		}); err != nil {
			return 0, err
		}
	}
	return n, nil
}
