package exchange

import (
	"context"
	"maps"
	"sync"

	"vitalog/key"
	"vitalog/ledger"
)

// News says that a log has grown.
type News struct {
	Log   key.Log
	Size  uint64 // entries
	Block uint64 // which brought the last of them
}

// news tells followers of logs what the blocks bring.
type news struct {
	mu  sync.Mutex // of all
	who map[key.Log]map[*follower]struct{}
}

// follower is one who follows logs. What it hasn't taken yet is at most one News of each of its logs.
type follower struct {
	fresh map[key.Log]News // guarded by the news' mu
	wake  chan struct{}
}

func newNews() *news { return &news{who: map[key.Log]map[*follower]struct{}{}} }

// committed notes what a block brings to those who follow its logs. It doesn't wait for any of them.
func (n *news) committed(b *ledger.Block) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range b.Entries {
		for f := range n.who[e.Log] {
			f.fresh[e.Log] = News{Log: e.Log, Size: e.Number + 1, Block: b.Height}
			ring(f.wake)
		}
	}
}

func (n *news) join(logs map[key.Log]uint64) *follower {
	f := &follower{fresh: map[key.Log]News{}, wake: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	for log := range logs {
		if n.who[log] == nil {
			n.who[log] = map[*follower]struct{}{}
		}
		n.who[log][f] = struct{}{}
	}
	return f
}

func (n *news) leave(f *follower, logs map[key.Log]uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for log := range logs {
		delete(n.who[log], f)
		if len(n.who[log]) == 0 {
			delete(n.who, log)
		}
	}
}

// take is what came since the last time.
func (n *news) take(f *follower) map[key.Log]News {
	n.mu.Lock()
	defer n.mu.Unlock()
	fresh := f.fresh
	f.fresh = map[key.Log]News{}
	return fresh
}

// Follow calls told for each log that has, or comes to have, more entries than known says, one call after the other, until ctx ends or told
// fails. Of blocks that come faster than told returns it gives the newest.
func (m *Member) Follow(ctx context.Context, known map[key.Log]uint64, told func(News) error) error {
	sizes := maps.Clone(known)
	f := m.news.join(known) // before the heads are read: nothing falls between them and the next block
	defer m.news.leave(f, known)
	say := func(x News) error {
		if x.Size <= sizes[x.Log] {
			return nil
		}
		sizes[x.Log] = x.Size
		return told(x)
	}
	for log := range known {
		h, err := m.node.Ledger().Head(log)
		if err != nil {
			return err
		}
		if h == nil || h.Size == 0 {
			continue
		}
		block, err := m.node.Ledger().BlockOf(log, h.Size-1)
		if err != nil {
			return err
		}
		if err := say(News{Log: log, Size: h.Size, Block: block}); err != nil {
			return err
		}
	}
	for {
		select {
		case <-f.wake:
			for _, x := range m.news.take(f) {
				if err := say(x); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
