package exchange

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"vitalog/chart"
	"vitalog/key"
)

// reading is one Open under way.
type reading struct {
	who      Asker
	state    *chartState
	chart    *openChart
	plans    []*plan
	lease    *lease
	onTheWay []record // that this reading opens, while others wait for them
	done     chan struct{}
}

// begin plans what is to be read. Of the records that others open now it waits for the outcome: two who ask at once open them once. It waits
// for those alone that are on the way when it comes: where a chart is written to all the time there would be no end of it.
func (m *Member) begin(ctx context.Context, who Asker, c *chartState, want Want) (*reading, error) {
	var logs []key.Log
	for _, s := range slices.Concat(want.Sections, want.Also) {
		if st := c.Sections[s]; st != nil {
			logs = append(logs, st.Log)
		}
	}
	for waited := false; ; {
		x := m.memory.chart(chartKey{c.ID, who.Purpose}, logs)
		r, busy, err := m.arrange(x, who, c, want, waited)
		if r != nil || err != nil {
			return r, err
		}
		if busy == nil {
			continue // it was closed before we came to it
		}
		for _, done := range busy {
			select {
			case <-done:
			case <-ctx.Done():
				return nil, fmt.Errorf("waiting for the same records, which somebody else opens: %w", ctx.Err())
			}
		}
		waited = true
	}
}

// arrange plans the accesses of a reading, and takes from the memory what is open of them. If others open some of the rest it
// returns what is closed afterwards, or, in haste, has them opened twice.
func (m *Member) arrange(x *openChart, who Asker, c *chartState, want Want, haste bool) (r *reading, busy []<-chan struct{}, err error) {
	x.mu.Lock()
	dropped := 0
	defer func() {
		x.mu.Unlock()
		m.memory.shrank(x, dropped)
	}()
	if x.closed {
		return nil, nil, nil
	}
	var shared, tries []*plan
	granted, known, own := false, 0, 0 // sections for which there is a key; own: of want.Sections
	for i, s := range slices.Concat(want.Sections, want.Also) {
		st := c.Sections[s]
		if st == nil || !slices.Contains(st.Purposes, who.Purpose) {
			continue
		}
		o := x.section(s, st.Log)
		if o.owner == nil || !bytes.Equal(o.owner[:], st.Owner) {
			if o.owner, err = key.ParseExchange(st.Owner); err != nil {
				return nil, nil, err
			}
		}
		plans, is, less, err := m.plan(x, o, o.owner, want.Entries)
		if dropped += less; err != nil {
			return nil, nil, err
		}
		if is {
			granted, shared = true, append(shared, plans...)
		} else if i < len(want.Sections) || own == 0 {
			tries = append(tries, plans...)
		}
		if known++; i < len(want.Sections) {
			own++
		}
	}
	if known == 0 {
		return nil, nil, ErrNotShared
	}
	if !granted {
		shared = tries // the patient is to see it
	}
	r = &reading{who: who, state: c, chart: x, plans: shared, done: make(chan struct{})}
	if busy := r.divide(m.outbox.late(c.ID), haste); busy != nil {
		return nil, busy, nil
	}
	r.lease = x.lease()
	return r, nil, nil
}

// divide tells apart what is open and what is to be opened of each plan. late: nothing is answered before it is on the ledger. haste: what
// somebody else opens is not waited for. The caller holds the chart's mu.
func (r *reading) divide(late, haste bool) (busy []<-chan struct{}) {
	x := r.chart
	for _, p := range r.plans {
		if p.grant == 0 || p.counted {
			p.lacking = p.records
			continue
		}
		held := x.sections[p.section].held
		for _, e := range p.records {
			if o, ok := held[e.Number]; ok {
				p.held = append(p.held, o)
				continue
			}
			n := record{p.section, e.Number}
			c := x.onTheWay[n]
			switch {
			case c == nil:
				r.onTheWay = append(r.onTheWay, n)
			case !haste && !slices.Contains(busy, c):
				busy = append(busy, c)
			}
			p.lacking = append(p.lacking, e)
		}
		p.further = len(p.lacking) == 0 && !late
	}
	if busy == nil {
		for _, n := range r.onTheWay {
			x.onTheWay[n] = r.done
		}
	}
	return busy
}

// land has in memory what a reading opened, and lets those go on who wait for it.
func (m *Member) land(r *reading) {
	for _, p := range r.plans {
		if len(p.opened) > 0 {
			m.memory.grew(r.chart, r.chart.keep(p, r.lease), p.until)
		}
	}
	x := r.chart
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range r.onTheWay {
		delete(x.onTheWay, n)
	}
	close(r.done)
}

// answer is the chart of what was read.
func (r *reading) answer(records []chart.Opened) *chart.Chart {
	r.chart.mu.Lock()
	defer r.chart.mu.Unlock()
	return r.chart.view(records)
}
