package ledger

import (
	"bytes"
	"slices"

	"vitalog/wire"
)

// The replay windows: ids of executed operations, until these have expired and the clock refuses them anyway. They are kept in buckets by
// the minute in which they expire; a bucket has a rolling hash over its ids in the order of execution.

const minute = 60_000 // ms

type windows struct{ buckets []*bucket } // ascending

type bucket struct {
	minute  uint64
	ids     map[wire.Hash]struct{} // looked up, never ranged over
	rolled  wire.Hash
	heights []uint64 // blocks that added to it, each under a key of its own
}

func roll(sum, id wire.Hash) wire.Hash { return wire.Sum("vitalog/v1/replay", sum[:], id[:]) }

// find is the bucket of a minute, or nil.
func find(buckets []*bucket, minute uint64) *bucket {
	for _, b := range buckets {
		if b.minute == minute {
			return b
		}
	}
	return nil
}

func loadWindows(s Store) (*windows, error) {
	ws := &windows{}
	return ws, s.Scan(at(atWindow), at(atWindow+1), func(k, v []byte) error {
		m, height := number(k[1:]), number(k[9:])
		b := find(ws.buckets, m)
		if b == nil {
			b = &bucket{minute: m, ids: map[wire.Hash]struct{}{}}
			ws.buckets = append(ws.buckets, b)
		}
		b.heights = append(b.heights, height)
		for id := range slices.Chunk(v, len(wire.Hash{})) {
			b.ids[wire.Hash(id)] = struct{}{}
			b.rolled = roll(b.rolled, wire.Hash(id))
		}
		return nil
	})
}

func (ws *windows) sum() wire.Hash { return sumBuckets(ws.buckets) }

func sumBuckets(buckets []*bucket) wire.Hash {
	var w wire.Writer
	for _, b := range buckets {
		w.U64(b.minute)
		w.Fixed(b.rolled[:])
	}
	return wire.Sum("vitalog/v1/state/windows", w.Done())
}

// windowStage is what a block adds.
type windowStage struct {
	base  *windows
	added []*addition // ascending
	next  []*bucket   // all that will be, the added ids not yet in them
	sum   wire.Hash
}

type addition struct {
	minute uint64
	ids    []wire.Hash
	seen   map[wire.Hash]struct{}
}

func (ws *windows) stage() *windowStage { return &windowStage{base: ws} }

// has tells whether the operation was executed before.
func (s *windowStage) has(id wire.Hash, expires uint64) bool {
	if b := find(s.base.buckets, expires/minute); b != nil {
		if _, ok := b.ids[id]; ok {
			return true
		}
	}
	for _, a := range s.added {
		if _, ok := a.seen[id]; ok {
			return true
		}
	}
	return false
}

func (s *windowStage) add(id wire.Hash, expires uint64) {
	m := expires / minute
	i, ok := slices.BinarySearchFunc(s.added, m, func(a *addition, m uint64) int { return int(int64(a.minute - m)) })
	if !ok {
		s.added = slices.Insert(s.added, i, &addition{minute: m, seen: map[wire.Hash]struct{}{}})
	}
	s.added[i].ids = append(s.added[i].ids, id)
	s.added[i].seen[id] = struct{}{}
}

// finish drops what has expired at clock, and returns what is to be written.
func (s *windowStage) finish(height, clock uint64) []Change {
	var changes []Change
	for _, b := range s.base.buckets {
		if (b.minute+1)*minute > clock {
			s.next = append(s.next, &bucket{minute: b.minute, ids: b.ids, rolled: b.rolled, heights: b.heights})
			continue
		}
		for _, h := range b.heights {
			changes = append(changes, Change{Key: at(atWindow, b.minute, h)})
		}
	}
	for _, a := range s.added {
		b := find(s.next, a.minute)
		if b == nil {
			b = &bucket{minute: a.minute, ids: map[wire.Hash]struct{}{}}
			s.next = append(s.next, b)
		}
		var ids bytes.Buffer
		for _, id := range a.ids {
			ids.Write(id[:])
			b.rolled = roll(b.rolled, id)
		}
		b.heights = append(slices.Clip(b.heights), height)
		changes = append(changes, Change{at(atWindow, a.minute, height), ids.Bytes()})
	}
	slices.SortFunc(s.next, func(x, y *bucket) int { return int(int64(x.minute - y.minute)) })
	s.sum = sumBuckets(s.next)
	return changes
}

// apply makes the staged windows the committed ones.
func (s *windowStage) apply() {
	for _, a := range s.added {
		b := find(s.next, a.minute)
		for _, id := range a.ids {
			b.ids[id] = struct{}{}
		}
	}
	s.base.buckets = s.next
}
