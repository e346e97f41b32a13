package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/panel"
	"vitalog/section"
)

// across is this member's index over the charts of many patients: spec/index.md. It is zero but for mode where there is none.
type across struct {
	*panel.Index
	mode panel.Mode
	wake chan struct{} // a block was committed, or a chart changed

	mu     sync.Mutex
	charts []string      // to be looked through
	looked bool          // through all of them since the start
	height uint64        // blocks were followed up to here
	next   uint64        // ms: when something is due; 0: never
	failed error         // why it is not kept at present
	moved  chan struct{} // closed and replaced when one of these changes
}

func newAcross(c Config) (x *across, err error) {
	x = &across{mode: c.Across, wake: make(chan struct{}, 1), next: 1, moved: make(chan struct{})}
	if c.Panel == nil {
		x.mode = panel.None
		return x, nil
	}
	x.Index, err = panel.Open(c.Panel, c.Ring, c.Across)
	return x, err
}

// AcrossMode is which records a search across patients looks at here.
func (m *Member) AcrossMode() panel.Mode { return m.across.mode }

// change has charts looked through: this member came to know of them, or got a key for more of them.
func (x *across) change(charts ...string) {
	if x.mode == panel.None {
		return
	}
	x.mu.Lock()
	x.charts, x.looked = append(x.charts, charts...), false
	x.mu.Unlock()
	ring(x.wake)
}

// wait waits until blocks were followed up to a height, and with looked until no chart is left to be looked through.
func (x *across) wait(ctx context.Context, height uint64, looked bool) error {
	for {
		x.mu.Lock()
		done, failed, moved := x.height >= height && (x.looked || !looked), x.failed, x.moved
		x.mu.Unlock()
		if done || failed != nil {
			return failed
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the index across patients: %w", ctx.Err())
		}
	}
}

// purge takes out of the index's files what blocks up to a height ended, if it has followed them.
func (x *across) purge(ctx context.Context, height uint64) (done bool, err error) {
	if x.Index == nil {
		return true, nil
	}
	if x.mode != panel.None {
		if followed, err := x.Followed(); followed < height || err != nil {
			return false, err
		}
	}
	return true, x.Purge(ctx)
}

// keepIndexing takes out of the index what is no longer allowed, when its block is there or its time is over, and notes what is lacking. It
// opens nothing.
//
// Crash points: the height is written after what its blocks changed; doing that again does no harm. All charts are looked through at each
// start, so that none is forgotten.
func (m *Member) keepIndexing(ctx context.Context) error {
	x := m.across
	if x.mode == panel.None {
		return nil
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for begun := false; ; {
		more, err := false, error(nil)
		if !begun {
			err = m.beginIndexing()
			begun = err == nil
		}
		if err == nil {
			more, err = m.indexNews()
		}
		next := x.updated(err)
		switch {
		case err != nil:
			m.log.Warn("keeping the index across patients", "err", err)
			timer.Reset(pullEvery)
		case more:
			timer.Reset(0)
		case next != 0:
			timer.Reset(max(time.Until(time.UnixMilli(int64(next))), 0))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-x.wake:
		case <-timer.C:
		}
	}
}

// updated notes whether the index was brought up to date, and tells when something is due.
func (x *across) updated(err error) (next uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed = err
	close(x.moved)
	x.moved = make(chan struct{})
	return x.next
}

func (m *Member) beginIndexing() error {
	all, err := m.index.ids()
	if err != nil {
		return err
	}
	height, err := m.across.Followed()
	if err == nil && height == 0 { // a new one: the charts tell as much as the blocks
		err = m.across.Follow(m.node.Ledger().Height())
	}
	m.across.change(all...)
	return err
}

const lookAtOnce = 100 // charts that are looked through before the next blocks are followed

// indexNews follows the blocks that came, looks at what is due, and looks through some charts. more tells that there are others.
func (m *Member) indexNews() (more bool, err error) {
	x := m.across
	from, err := x.Followed()
	if err != nil {
		return false, err
	}
	to, now := m.node.Ledger().Height(), nowMillis()
	touched := map[key.Log]bool{} // logs in which something came; true: or may have ended
	for h := from + 1; h <= to; h++ {
		err := m.node.Ledger().BlockEntries(h, func(e *op.Entry) error {
			switch e.Says.(type) {
			case *op.Recorded, *op.Grant:
				if !touched[e.Log] {
					touched[e.Log] = false
				}
			case *op.Revoke, *op.Block, *op.Destroy, *op.Rotate, *op.RekeyOwner, *op.RekeyGrantee:
				touched[e.Log] = true
			}
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("block %d: %w", h, err)
		}
	}
	x.mu.Lock()
	due := x.next != 0 && x.next <= now
	some := slices.Clone(x.charts[:min(len(x.charts), lookAtOnce)])
	x.mu.Unlock()
	if due {
		logs, next, err := x.Due(now)
		if err != nil {
			return false, err
		}
		x.mu.Lock()
		x.next = next
		x.mu.Unlock()
		for _, log := range logs {
			touched[log] = true
		}
	}
	for log, ended := range touched {
		if err := m.reindexLog(log, ended); err != nil {
			return false, err
		}
	}
	if to != from {
		if err := x.Follow(to); err != nil {
			return false, err
		}
	}
	for _, id := range some {
		if err := m.reindexChart(id); err != nil {
			return false, err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.charts = x.charts[len(some):]
	x.looked, x.height = len(x.charts) == 0, to
	return !x.looked, nil
}

func (m *Member) reindexLog(log key.Log, ended bool) error {
	l, err := m.across.Of(log)
	if err != nil || l == nil {
		return err // of a chart that isn't known here, or is still to be looked through
	}
	c, err := m.index.chart(l.Chart)
	if err != nil || c == nil {
		return err
	}
	return m.reindex(c, l.Section, ended, nil)
}

func (m *Member) reindexChart(chartID string) error {
	c, err := m.index.chart(chartID)
	if err != nil || c == nil {
		return err
	}
	for _, s := range section.Clinical() {
		if c.Sections[s] != nil {
			if err := m.reindex(c, s, true, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// reindex brings what the index knows of a section up to the ledger's newest state: with ended it takes out what this member may not read any
// more, and it puts in what was opened, by entry, as far as that is lacking and may be read. A revoke that comes meanwhile is followed after it.
func (m *Member) reindex(c *chartState, s section.Section, ended bool, opened map[uint64][]panel.Version) error {
	st := c.Sections[s]
	var until uint64
	err := m.across.Update(st.Log, func(l *panel.Log, change *panel.Change) error {
		head, err := m.node.Ledger().Head(st.Log)
		if err != nil || head == nil {
			return err // not enrolled yet
		}
		may, next, err := m.readable(st.Log, st.Purposes...)
		if err != nil {
			return err
		}
		l.Chart, l.Section, l.Until, until = c.ID, s, next, next
		err = m.node.Ledger().Entries(st.Log, l.Seen, head.Size, func(e *op.Entry) error {
			if isRecord(e) && (m.across.mode == panel.All || c.Custody != nil || m.purposeOf(e.Log, e.Signer) != "") {
				l.Lacks = append(l.Lacks, e.Number)
			}
			l.Seen = e.Number + 1
			return nil
		})
		if err != nil {
			return err
		}
		if ended {
			gone, err := change.Keep(may)
			if err != nil {
				return err
			}
			l.Lacks = append(l.Lacks, gone...)
			slices.Sort(l.Lacks)
		}
		left := l.Lacks[:0]
		for _, n := range slices.Compact(l.Lacks) {
			versions, is := opened[n]
			switch {
			case consent.Overlaps(head.Erased, consent.Range{From: n, To: n + 1}):
			case !is || !may(n):
				left = append(left, n)
			default:
				for _, v := range versions {
					if err := change.Add(v); err != nil {
						return err
					}
				}
			}
		}
		l.Lacks, l.Lacking = left, slices.ContainsFunc(left, may)
		return nil
	})
	x := m.across
	x.mu.Lock()
	defer x.mu.Unlock()
	if next := sooner(x.next, until); next != x.next {
		x.next = next
		ring(x.wake)
	}
	return err
}

// readable is which entries of a log this member may read now for some purposes any number of times, and when that may change by itself.
func (m *Member) readable(log key.Log, purposes ...string) (may func(uint64) bool, until uint64, err error) {
	var ranges, erased []consent.Range
	for _, p := range purposes {
		l, err := m.look(log, p)
		if errors.Is(err, ErrNotShared) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		erased = l.head.Erased
		for i := range l.terms {
			if from := l.terms[i].From; from > nowMillis() {
				until = sooner(until, from)
			}
		}
		for _, g := range l.inForce {
			if counted, end := l.limits(g); !counted {
				ranges, until = append(ranges, g.Ranges...), sooner(until, end)
			}
		}
	}
	return func(n uint64) bool {
		one := consent.Range{From: n, To: n + 1}
		return consent.Covers(ranges, one) && !consent.Overlaps(erased, one)
	}, until, nil
}
