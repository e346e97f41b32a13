package release

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"vitalog/op"
	"vitalog/threshold"
)

// gathering is one Open under way: who was asked, what they gave, which records are settled.
type gathering struct {
	client  *Client
	access  Access
	records []*record
	number  map[uint64]*record

	unasked  []int // holders, in the order in which they are asked
	inflight map[int]bool
	gave     int
	refusals []error
	replies  chan answer

	mu        sync.Mutex // records are combined in parallel; it guards what follows
	incidents []Incident
	quorums   []*threshold.Quorum
}

// answer is what one holder said.
type answer struct {
	member int
	groups []group
	err    error
}

func newGathering(c *Client, a Access, wants []Want, keyOf func(uint32) *op.NetworkKey) *gathering {
	g := &gathering{client: c, access: a, number: map[uint64]*record{}, inflight: map[int]bool{}}
	keys := map[uint32]*op.NetworkKey{}
	var holders []int
	for _, w := range wants {
		r := &record{want: w}
		g.records = append(g.records, r)
		var ok bool
		if r.says, ok = w.Entry.Says.(*op.Recorded); !ok {
			r.fail(fmt.Errorf("entry %d is no record", w.Entry.Number))
			continue
		}
		gen := r.says.NetGen
		if _, known := keys[gen]; !known {
			if keys[gen] = keyOf(gen); keys[gen] != nil {
				holders = append(holders, keys[gen].Holders...)
			}
		}
		if r.key = keys[gen]; r.key == nil {
			r.fail(fmt.Errorf("entry %d: network key %d is not known", w.Entry.Number, gen))
			continue
		}
		g.number[w.Entry.Number] = r
	}
	slices.Sort(holders)
	g.unasked = c.order(slices.Compact(holders))
	g.replies = make(chan answer, len(g.unasked)) // nobody who is late blocks
	return g
}

// run asks k holders, one more whenever one fails or is slow, and combines as they answer.
func (g *gathering) run(ctx context.Context) error {
	hedge := g.client.Hedge
	if hedge == 0 {
		hedge = g.client.pace.hedge(len(g.records))
	}
	slow := time.NewTimer(hedge)
	defer slow.Stop()
	for {
		if err := g.combine(ctx); err != nil {
			return g.finish(err)
		}
		if !slices.ContainsFunc(g.records, func(r *record) bool { return !r.done }) {
			return nil
		}
		for g.short() && len(g.unasked) > 0 {
			g.ask(ctx)
		}
		if len(g.inflight) == 0 {
			return g.finish(nil)
		}
		select {
		case a := <-g.replies:
			g.take(a)
		case <-slow.C:
			if len(g.unasked) > 0 {
				g.ask(ctx)
			}
			slow.Reset(hedge)
		case <-ctx.Done():
			return g.finish(ctx.Err())
		}
	}
}

// ask sends the next holder the request.
func (g *gathering) ask(ctx context.Context) {
	member := g.unasked[0]
	g.unasked = g.unasked[1:]
	g.inflight[member] = true
	wanted := g.wanted()
	go func() {
		began := time.Now()
		groups, err := g.client.ask(ctx, &g.access, wanted, member)
		if err == nil {
			g.client.pace.answered(len(g.records), time.Since(began))
		}
		g.replies <- answer{member, groups, err}
	}()
}

// wanted are the entries of the records that aren't settled, ascending.
func (g *gathering) wanted() (entries []uint64) {
	for _, r := range g.records {
		if !r.done {
			entries = append(entries, r.want.Entry.Number)
		}
	}
	slices.Sort(entries)
	return slices.Compact(entries)
}

// take files a holder's partials. A part's number is the holder's place among the shares, whatever the holder thinks.
func (g *gathering) take(a answer) {
	delete(g.inflight, a.member)
	if a.err != nil {
		g.refusals = append(g.refusals, fmt.Errorf("member %d: %w", a.member, a.err))
		return
	}
	g.gave++
	for _, x := range a.groups {
		for _, given := range x.given {
			r := g.number[given.Number]
			if r == nil || r.key.Gen != x.gen || r.key.Set != x.set {
				continue
			}
			if i := slices.Index(r.key.Holders, a.member); i >= 0 {
				r.parts = append(r.parts, threshold.Part{X: uint16(i + 1), P: given.Part})
			}
		}
	}
}

// short tells whether a record lacks parts that nobody who was asked can still give.
func (g *gathering) short() bool {
	for _, r := range g.records {
		if r.done {
			continue
		}
		n := len(g.trusted(r))
		for m := range g.inflight {
			if slices.Contains(r.key.Holders, m) {
				n++
			}
		}
		if n < r.key.K {
			return true
		}
	}
	return false
}

// finish gives up on the records that are left. It is an error of the whole if holders were missing rather than single parts.
func (g *gathering) finish(cause error) error {
	e := &Short{Gave: g.gave, Refusals: g.refusals}
	if cause != nil {
		e.Refusals = append(e.Refusals, cause)
	}
	for _, r := range g.records {
		if !r.done {
			e.Need = max(e.Need, r.key.K)
			r.fail(fmt.Errorf("entry %d: %w", r.want.Entry.Number, e))
		}
	}
	if cause == nil && e.Gave >= e.Need {
		return nil
	}
	return e
}
