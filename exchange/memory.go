package exchange

import (
	"container/list"
	"context"
	"maps"
	"sync"
	"time"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
)

// What a member keeps of charts that were opened, unless its Config says otherwise.
const (
	defaultOpenBytes = 512 << 20
	defaultOpenIdle  = 15 * time.Minute
)

// memory is the charts that this member holds open, each for one purpose of use. It is bounded: whoever was used longest ago goes first.
// Nothing of it is ever on a disk, and a member starts with none.
type memory struct {
	most int64         // bytes of plaintext
	idle time.Duration // after its last use a chart goes
	wake chan struct{} // something is to be dropped, or sooner than was known

	mu     sync.Mutex // never held together with a chart's own
	charts map[chartKey]*list.Element
	order  list.List // of *openChart, the last used first
	logs   map[key.Log]map[*openChart]bool
	bytes  int64
	until  uint64           // ledger clock, ms: when the first grant under which something is open ends; 0: none does
	ended  map[key.Log]bool // logs in which something has ended; true: whatever is open of it goes
}

// chartKey names an opening: what one purpose gave is not used for another.
type chartKey struct{ chart, purpose string }

func newMemory(most int64, idle time.Duration) *memory {
	if most == 0 {
		most = defaultOpenBytes
	}
	if idle == 0 {
		idle = defaultOpenIdle
	}
	return &memory{most: most, idle: idle, wake: make(chan struct{}, 1), charts: map[chartKey]*list.Element{}, logs: map[key.Log]map[*openChart]bool{}, ended: map[key.Log]bool{}}
}

// chart is the opening of that name. It is used now; if there is none it begins empty. logs are those that are to be opened of it: what ends
// in them from now on ends here, even if it does before anything of them is open.
func (y *memory) chart(k chartKey, logs []key.Log) *openChart {
	y.mu.Lock()
	defer y.mu.Unlock()
	e := y.charts[k]
	if e == nil {
		e = y.order.PushFront(newOpenChart(k))
		y.charts[k] = e
	}
	y.order.MoveToFront(e)
	x := e.Value.(*openChart)
	x.used = time.Now()
	for _, log := range logs {
		if y.logs[log] == nil {
			y.logs[log] = map[*openChart]bool{}
		}
		y.logs[log][x] = true
	}
	if y.order.Len() == 1 {
		ring(y.wake) // to know when it is idle
	}
	return x
}

// grew counts what was put into a chart, and lets others go for it.
func (y *memory) grew(x *openChart, bytes int, until uint64) {
	y.mu.Lock()
	if y.charts[x.key] == nil || y.charts[x.key].Value != x {
		y.mu.Unlock()
		return // it went meanwhile, with what it had
	}
	y.bytes, x.bytes = y.bytes+int64(bytes), x.bytes+int64(bytes)
	if next := sooner(y.until, until); next != y.until {
		y.until = next
		ring(y.wake)
	}
	var gone []*openChart
	for y.bytes > y.most && y.order.Len() > 0 {
		gone = append(gone, y.remove(y.order.Back()))
	}
	y.mu.Unlock()
	closeAll(gone)
}

// shrank counts what was dropped from a chart.
func (y *memory) shrank(x *openChart, bytes int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if e := y.charts[x.key]; e != nil && e.Value == x {
		y.bytes, x.bytes = y.bytes-int64(bytes), x.bytes-int64(bytes)
	}
}

// remove takes a chart off the lists. The caller holds mu and closes the chart after it.
func (y *memory) remove(e *list.Element) *openChart {
	x := y.order.Remove(e).(*openChart)
	delete(y.charts, x.key)
	y.bytes -= x.bytes
	for log, charts := range y.logs {
		if delete(charts, x); len(charts) == 0 {
			delete(y.logs, log)
		}
	}
	return x
}

// discard drops one chart.
func (y *memory) discard(x *openChart) {
	y.mu.Lock()
	if e := y.charts[x.key]; e != nil && e.Value == x {
		y.remove(e)
	}
	y.mu.Unlock()
	x.close()
}

func closeAll(charts []*openChart) {
	for _, x := range charts {
		x.close()
	}
}

// committed notes what a block ends of what is open. It is called while the block is being committed, and only writes down.
func (y *memory) committed(b *ledger.Block) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, e := range b.Entries {
		if y.logs[e.Log] == nil {
			continue
		}
		switch e.Says.(type) {
		case *op.Revoke, *op.Block, *op.Destroy:
			y.end(e.Log, false)
		case *op.Rotate, *op.RekeyOwner, *op.RekeyGrantee:
			// Whether the new epoch is this member's too isn't known before its mailbox is opened.
			y.end(e.Log, true)
		}
	}
}

// end has what is open of a log looked at anew, or dropped. The caller holds mu.
func (y *memory) end(log key.Log, all bool) {
	y.ended[log] = y.ended[log] || all
	ring(y.wake)
}

// drop has everything of a log dropped.
func (y *memory) drop(log key.Log) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.end(log, true)
}

// closeCharts drops everything.
func (y *memory) closeCharts() {
	y.mu.Lock()
	var gone []*openChart
	for y.order.Len() > 0 {
		gone = append(gone, y.remove(y.order.Back()))
	}
	y.mu.Unlock()
	closeAll(gone)
}

// takeIdle takes off the charts that were not used since the idle time, and tells when the next one is to go.
func (y *memory) takeIdle(now time.Time) (gone []*openChart, next time.Time) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for e := y.order.Back(); e != nil; e = y.order.Back() {
		if next = e.Value.(*openChart).used.Add(y.idle); now.Before(next) {
			return gone, next
		}
		gone = append(gone, y.remove(e))
	}
	return gone, time.Time{}
}

// takeEnded is what has to be looked at: the charts with something open of a log in which something ended, and all when a grant has run out.
func (y *memory) takeEnded(now uint64) (look map[*openChart]bool, ended map[key.Log]bool, until uint64) {
	y.mu.Lock()
	defer y.mu.Unlock()
	look, ended = map[*openChart]bool{}, y.ended
	y.ended = map[key.Log]bool{}
	for log := range ended {
		maps.Copy(look, y.logs[log])
	}
	if y.until != 0 && y.until <= now {
		y.until = 0
		for e := y.order.Front(); e != nil; e = e.Next() {
			look[e.Value.(*openChart)] = true
		}
	}
	return look, ended, y.until
}

// expect notes when a grant ends.
func (y *memory) expect(until uint64) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.until = sooner(y.until, until)
}

// HeldOpen is how many charts are held open, and how many bytes of plaintext they are.
func (m *Member) HeldOpen() (charts int, bytes int64) {
	y := m.memory
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.order.Len(), y.bytes
}

// CloseCharts drops every chart that is held open; the next reading opens anew. What answers under way are made of is overwritten when
// they are closed.
func (m *Member) CloseCharts() { m.memory.closeCharts() }

// keepClosing drops what is no longer allowed when the block that ends it is committed, and what is idle. With ctx everything goes.
func (m *Member) keepClosing(ctx context.Context) error {
	y := m.memory
	defer y.closeCharts()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-y.wake:
		case <-timer.C:
		}
		look, ended, until := y.takeEnded(nowMillis())
		for x := range look {
			next, err := m.review(x, ended)
			if err != nil {
				m.log.Error("reviewing an open chart: it is closed", "err", err)
				y.discard(x)
			}
			y.expect(next)
			until = sooner(until, next)
		}
		gone, next := y.takeIdle(time.Now())
		closeAll(gone)
		if end := time.UnixMilli(int64(until)); until != 0 && (next.IsZero() || end.Before(next)) {
			next = end
		}
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

// review drops from a chart what the ledger's newest state doesn't allow, and what is of a log that ended. It tells when the next grant
// ends under which something stays.
func (m *Member) review(x *openChart, ended map[key.Log]bool) (until uint64, err error) {
	x.mu.Lock()
	dropped := 0
	defer func() {
		x.mu.Unlock()
		m.memory.shrank(x, dropped)
	}()
	for _, o := range x.sections {
		all, touched := ended[o.log]
		if touched {
			o.turns++ // what is being opened now was allowed before
		}
		if all {
			dropped += x.drop(o, nil)
		}
		if len(o.held) == 0 {
			continue
		}
		l, err := m.look(o.log, x.key.purpose)
		if err != nil {
			return 0, err
		}
		records, err := m.recordsOf(o, l)
		if err != nil {
			return 0, err
		}
		dropped += x.refit(o, l.share(records))
		until = sooner(until, o.until)
	}
	return until, nil
}
