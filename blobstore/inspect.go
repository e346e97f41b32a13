package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"vitalog/key"
	"vitalog/pack"
	"vitalog/wire"
)

// inspectedAtOnce is how many items that were whole in a bucket are held in memory, at 8 bytes each. Where there are more, packs are read again.
const inspectedAtOnce = 4 << 20

// Inspection reads what a store holds and compares it, for who looks at everything. What lies in a bucket comes from there: each pack is read once, whole, when the first of what
// lies in it is asked for, and what was read ahead for others proves nothing. What isn't whole in its pack is read by itself, as is what lies in several. Its methods are safe for
// concurrent use.
type Inspection struct {
	s    *Store
	fits func(log key.Log, id key.Record, header []byte) error
	seed maphash.Seed

	mu    sync.Mutex // of the following
	packs map[uint64]*inspected
	whole int // in all of them
}

// inspected is what an inspection found in a pack.
type inspected struct {
	read  chan struct{} // closed when the following is there
	whole []uint64      // hashes of what was whole and of where it lies, ascending
	err   error         // why nothing could be read
}

// Inspect begins an inspection. fits tells of each header in a bucket whether it is that of its record; it is called by several goroutines.
func (s *Store) Inspect(fits func(log key.Log, id key.Record, header []byte) error) *Inspection {
	return &Inspection{s: s, fits: fits, seed: maphash.MakeSeed(), packs: map[uint64]*inspected{}}
}

// Blob reads a blob, compares it with its hash and returns its size, as Verify does.
func (i *Inspection) Blob(ctx context.Context, h wire.Hash) (size int64, err error) {
	if size, err = i.s.verifyHot(h); !errors.Is(err, ErrNotFound) {
		return size, err
	}
	p, err := i.inPack(ctx, blobName(h))
	if p == nil && err == nil {
		return i.s.verifyCold(h)
	}
	if err != nil {
		return 0, fmt.Errorf("blob %v: %w", h, err)
	}
	return int64(p.Size), nil
}

// Header reads a record's header and compares it: ErrNotFound if it is absent, an error of fits where it isn't the record's.
func (i *Inspection) Header(ctx context.Context, log key.Log, id key.Record) error {
	if i.s.closed.Load() {
		return ErrClosed
	}
	b, err := i.s.headers.Get(headerKey(log, id))
	if err == nil && b == nil {
		var p *place
		if p, err = i.inPack(ctx, headerName(log, id)); p != nil && err == nil {
			return nil
		}
		if err == nil {
			b, err = i.s.readBucket(headerName(log, id), 0, -1)
		}
	}
	if err != nil {
		return fmt.Errorf("header of %v: %w", id, err)
	}
	return i.fits(log, id, b)
}

// inPack is where an item lies, if it was whole in its pack; nil if it is to be read by itself.
func (i *Inspection) inPack(ctx context.Context, n pack.Name) (*place, error) {
	places, err := i.s.places(n)
	if err == nil && places == nil {
		err = ErrNotFound
	}
	if err != nil || len(places) != 1 || i.s.cold == nil {
		return nil, err
	}
	p, err := i.pack(ctx, places[0].pack)
	if err != nil {
		return nil, err
	}
	if p.err != nil {
		if again, err := i.s.places(n); err != nil || !slices.Equal(again, places) {
			return nil, err // it was packed anew meanwhile
		}
		return nil, p.err
	}
	if _, ok := slices.BinarySearch(p.whole, i.sum(n, places[0])); !ok {
		return nil, nil
	}
	return &places[0], nil
}

// sum stands for an item and its place. Nobody can choose two that have one: the seed is drawn.
func (i *Inspection) sum(n pack.Name, p place) uint64 {
	return maphash.Comparable(i.seed, wanted{n, p})
}

// pack is what a pack has, which whoever comes first reads.
func (i *Inspection) pack(ctx context.Context, id uint64) (*inspected, error) {
	i.mu.Lock()
	p := i.packs[id]
	mine := p == nil
	if mine {
		if i.whole > inspectedAtOnce {
			i.packs, i.whole = map[uint64]*inspected{}, 0
		}
		p = &inspected{read: make(chan struct{})}
		i.packs[id] = p
	}
	i.mu.Unlock()
	if !mine {
		<-p.read
		return p, p.away()
	}
	p.whole, p.err = i.read(ctx, id)
	i.mu.Lock()
	if i.whole += len(p.whole); p.away() != nil && i.packs[id] == p {
		delete(i.packs, id) // the next one tries again
	}
	i.mu.Unlock()
	close(p.read)
	return p, p.away()
}

// away is the error of a pack that couldn't be asked for.
func (p *inspected) away() error {
	if errors.Is(p.err, ErrCorrupt) {
		return nil
	}
	return p.err
}

// read reads a pack and compares what is in it. Its error is ErrCorrupt where there is nothing to be read.
func (i *Inspection) read(ctx context.Context, id uint64) (whole []uint64, err error) {
	c := i.s.cold
	n := c.noted(id)
	if n == nil {
		return nil, fmt.Errorf("%w: its pack is gone", ErrCorrupt)
	}
	object, err := c.fetch(ctx, n, 0, int64(n.size))
	if err != nil {
		return nil, err
	}
	t, err := c.key.Open(object)
	if err != nil {
		return nil, nil // what is whole is found by itself
	}
	var mu sync.Mutex // of whole
	var g errgroup.Group
	for part := range slices.Chunk(t.Items, len(t.Items)/runtime.GOMAXPROCS(0)+1) {
		g.Go(func() error {
			var sums []uint64
			for _, x := range part {
				if i.isWhole(n, object, x) {
					sums = append(sums, i.sum(x.Name, place{id, x.Place}))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			whole = append(whole, sums...)
			return ctx.Err()
		})
	}
	err = g.Wait()
	slices.Sort(whole)
	return whole, err
}

// isWhole tells whether an object has an item as it was packed, and that is what its name says.
func (i *Inspection) isWhole(n *noted, object []byte, x pack.Item) bool {
	if !x.Whole() {
		return false
	}
	at := uint64(pack.Head) + x.At
	content, err := n.opener.Item(object[at:at+x.Sealed()], x.Place)
	switch {
	case err != nil:
		return false
	case x.Kind == pack.Blob:
		return sha256.Sum256(content) == x.Hash
	}
	return i.fits(x.Log, x.Record, content) == nil
}
