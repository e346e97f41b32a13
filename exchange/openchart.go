package exchange

import (
	"slices"
	"sync"
	"time"

	"vitalog/chart"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

// openChart is what was opened of one chart for one purpose of use.
type openChart struct {
	key   chartKey
	used  time.Time // of the memory, as is bytes
	bytes int64

	mu       sync.Mutex
	closed   bool // it is no longer in the memory: nothing is added, nobody begins
	sections map[section.Section]*openSection
	onTheWay map[record]chan struct{} // that somebody opens now; closed when they are done
	views    map[string]*chart.Chart  // of all that is held of some sections, by their numbers in ascending order
	leases   map[*lease]bool
}

// record names one of a chart.
type record struct {
	section section.Section
	entry   uint64
}

// openSection is what is known and held of one section.
type openSection struct {
	section section.Section
	log     key.Log
	owner   *key.Exchange // to whom details are sealed; nil: not looked at yet
	seen    uint64        // entries of the log that were looked at
	records []*op.Entry   // among them
	held    map[uint64]chart.Opened
	until   uint64 // ledger clock, ms: when the first grant under which something is held ends; 0: none does
	turns   int    // times that something ended in the log
}

// maxViews is how many combinations of sections a chart is folded for.
const maxViews = 8

func newOpenChart(k chartKey) *openChart {
	return &openChart{key: k, sections: map[section.Section]*openSection{}, onTheWay: map[record]chan struct{}{}, views: map[string]*chart.Chart{}, leases: map[*lease]bool{}}
}

// section is what is held of one. The caller holds mu.
func (x *openChart) section(s section.Section, log key.Log) *openSection {
	o := x.sections[s]
	if o == nil {
		o = &openSection{section: s, log: log, held: map[uint64]chart.Opened{}}
		x.sections[s] = o
	}
	return o
}

// keep holds what was opened for a plan, and tells how many bytes were added. What was for one use, and what the patient ended meanwhile,
// is not kept: it is the answer's own. What is kept may be others' from now on, even if it is dropped before this answer is made.
func (x *openChart) keep(p *plan, answer *lease) (bytes int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	o := x.sections[p.section]
	stays := !p.counted && p.grant != 0 && !x.closed && o.turns == p.turns
	var fresh []chart.Opened
	for _, r := range p.opened {
		if _, have := o.held[r.Entry]; have || !stays {
			answer.own = append(answer.own, r.Content)
			continue
		}
		o.held[r.Entry] = r
		fresh = append(fresh, r)
		bytes += size(r.Content)
	}
	if !stays {
		return 0
	}
	o.until = sooner(o.until, p.until)
	for name, v := range x.views {
		if slices.Contains([]byte(name), byte(o.section)) {
			x.views[name] = v.With(fresh)
		}
	}
	return bytes
}

// view is the chart of these records. If they are all that is held of their sections it is made once and grows with them. The caller
// holds mu.
func (x *openChart) view(records []chart.Opened) *chart.Chart {
	count := map[section.Section]int{}
	var name []byte
	whole := true
	for _, r := range records {
		if count[r.Section]++; count[r.Section] == 1 {
			name = append(name, byte(r.Section))
		}
		o := x.sections[r.Section]
		whole = whole && o != nil && o.held[r.Entry].Content == r.Content
	}
	for s, n := range count {
		whole = whole && len(x.sections[s].held) == n
	}
	if !whole {
		return chart.Fold(records)
	}
	slices.Sort(name)
	v := x.views[string(name)]
	if v == nil {
		if len(x.views) == maxViews {
			clear(x.views)
		}
		v = chart.Fold(records)
		x.views[string(name)] = v
	}
	return v
}

// drop lets go of a section's records, but for those that stay, all of which it holds, and tells how many bytes they were. The caller holds mu.
func (x *openChart) drop(o *openSection, stay map[uint64]bool) (bytes int) {
	if len(stay) == len(o.held) {
		return 0
	}
	var gone []*chart.Content
	for n, r := range o.held {
		if !stay[n] {
			gone = append(gone, r.Content)
			bytes += size(r.Content)
			delete(o.held, n)
		}
	}
	for name := range x.views {
		if slices.Contains([]byte(name), byte(o.section)) {
			delete(x.views, name)
		}
	}
	x.bury(gone)
	return bytes
}

// close drops everything for good.
func (x *openChart) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	for _, o := range x.sections {
		x.drop(o, nil)
	}
}

// lease is an answer that is being made of a chart: what it may stand on is not overwritten before it ends.
type lease struct {
	chart *openChart
	own   []*chart.Content // opened for this answer and not kept
	waits []*grave
}

// grave is what was dropped while answers were being made of it.
type grave struct {
	gone   []*chart.Content
	leases int
}

// bury overwrites what was dropped, at once or with the last answer that may stand on it. The caller holds mu.
func (x *openChart) bury(gone []*chart.Content) {
	if len(x.leases) == 0 {
		wipe(gone)
		return
	}
	g := &grave{gone, len(x.leases)}
	for l := range x.leases {
		l.waits = append(l.waits, g)
	}
}

// lease begins an answer. The caller holds mu.
func (x *openChart) lease() *lease {
	l := &lease{chart: x}
	x.leases[l] = true
	return l
}

// end ends an answer. It may be called again.
func (l *lease) end() {
	l.chart.mu.Lock()
	defer l.chart.mu.Unlock()
	if !l.chart.leases[l] {
		return
	}
	delete(l.chart.leases, l)
	for _, g := range l.waits {
		if g.leases--; g.leases == 0 {
			wipe(g.gone)
		}
	}
	wipe(l.own)
}

// wipe overwrites plaintext. What indices and names made of it as text is left to the garbage collector.
func wipe(contents []*chart.Content) {
	for _, c := range contents {
		for i := range c.Items {
			clear(c.Items[i].Raw)
		}
	}
}

func size(c *chart.Content) (n int) {
	for i := range c.Items {
		n += len(c.Items[i].Raw)
	}
	return n
}
