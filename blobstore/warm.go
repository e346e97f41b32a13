package blobstore

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"vitalog/key"
	"vitalog/pack"
	"vitalog/wire"
)

// How Warm reads.
const (
	warmBytes = 64 << 20  // kept at most
	warmItem  = 256 << 10 // of an item at most
	warmGap   = 64 << 10  // what lies so near is read in one request
	warmSpan  = 1 << 20   // of a request at most
	warmCalls = 16        // requests at once
)

// Warm reads what a bucket has of records ahead, in few requests, for the reads that follow soon: what was packed together is read together. It is only about
// speed: what it can't read is left to those.
func (s *Store) Warm(ctx context.Context, log key.Log, ids []key.Record, blobs []wire.Hash) {
	if s.cold == nil {
		return
	}
	names := make([]pack.Name, 0, len(ids)+len(blobs))
	for _, id := range ids {
		names = append(names, headerName(log, id))
	}
	for _, h := range blobs {
		names = append(names, blobName(h))
	}
	var g errgroup.Group
	g.SetLimit(warmCalls)
	for span := range spans(s.toWarm(names)) {
		g.Go(func() error {
			if ctx.Err() == nil {
				s.warmSpan(span)
			}
			return nil
		})
	}
	g.Wait()
}

type wanted struct {
	pack.Name
	place
}

// toWarm is what lies in a bucket of names, in the order in which it lies.
func (s *Store) toWarm(names []pack.Name) (out []wanted) {
	var total int64
	for _, n := range names {
		places, err := s.places(n)
		if err != nil || len(places) != 1 || places[0].Size > warmItem || s.cold.warm.get(n) != nil {
			continue
		}
		if total += int64(places[0].Size); total > warmBytes/2 {
			break
		}
		out = append(out, wanted{n, places[0]})
	}
	slices.SortFunc(out, func(a, b wanted) int {
		if a.pack != b.pack {
			return int(int64(a.pack) - int64(b.pack))
		}
		return int(int64(a.At) - int64(b.At))
	})
	return out
}

// spans yields those that lie near each other.
func spans(all []wanted) func(yield func([]wanted) bool) {
	return func(yield func([]wanted) bool) {
		for from := 0; from < len(all); {
			to := from + 1
			for to < len(all) && all[to].pack == all[from].pack && all[to].At-(all[to-1].At+all[to-1].Sealed()) <= warmGap &&
				all[to].At+all[to].Sealed()-all[from].At <= warmSpan {
				to++
			}
			if !yield(all[from:to]) {
				return
			}
			from = to
		}
	}
}

func (s *Store) warmSpan(span []wanted) {
	n := s.cold.noted(span[0].pack)
	if n == nil {
		return
	}
	last := span[len(span)-1]
	begin := int64(pack.Head) + int64(span[0].At)
	size := int64(last.At + last.Sealed() - span[0].At)
	b := s.cold.copy(n.name, begin, size)
	if b == nil {
		var err error
		if b, err = s.cold.get(n, begin, size); err != nil {
			return
		}
	}
	for _, w := range span {
		at := w.At - span[0].At
		content, err := n.opener.Item(b[at:at+w.Sealed()], w.Place)
		if err != nil {
			continue
		}
		s.keepWarm(w, content)
	}
}

// keepWarm keeps what was read, unless it lies elsewhere by now: then it may have changed.
func (s *Store) keepWarm(w wanted, content []byte) {
	s.moving.RLock()
	defer s.moving.RUnlock()
	if places, err := s.places(w.Name); err == nil && len(places) == 1 && places[0] == w.place {
		s.cold.warm.put(w.Name, content)
	}
}

// warm is what was read ahead: the newer half and the older one, which is dropped when the newer is full.
type warm struct {
	mu           sync.Mutex
	newer, older map[pack.Name][]byte
	size         int // of newer
}

func (w *warm) get(n pack.Name) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.newer[n]; b != nil {
		return slices.Clone(b)
	}
	return slices.Clone(w.older[n])
}

func (w *warm) put(n pack.Name, b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size+len(b) > warmBytes/2 || w.newer == nil {
		w.newer, w.older, w.size = map[pack.Name][]byte{}, w.newer, 0
	}
	w.newer[n] = b
	w.size += len(b)
}

func (w *warm) drop(names ...pack.Name) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range names {
		delete(w.newer, n)
		delete(w.older, n)
	}
}
