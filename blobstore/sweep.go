package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"vitalog/pack"
	"vitalog/wire"
)

// Swept is what a listing of the bucket found.
type Swept struct {
	Packs   int `json:"packs"`    // in the bucket, that are this store's
	Lost    int `json:"lost"`     // that were noted, and are not there
	Adopted int `json:"adopted"`  // that were not noted, and have what is not known elsewhere
	Deleted int `json:"deleted"`  // that were not needed any more
	Again   int `json:"putAgain"` // that were missing, and were put again, since they wait
	Foreign int `json:"foreign"`  // objects that the storage key doesn't open: somebody else's, or damaged. They are left alone
}

// Sweep compares the bucket with what is noted. What a missing pack had is told as lost, and forgotten here; a pack that nobody noted is taken in, as far as it has
// what isn't known elsewhere; what is condemned is deleted.
func (s *Store) Sweep(ctx context.Context) (found Swept, err error) {
	c := s.cold
	if c == nil {
		return found, errors.New("the store has no bucket")
	}
	c.packing.Lock()
	defer c.packing.Unlock()
	if err = s.tellLost(); err != nil {
		return found, err
	}
	doomed, err := s.doomed()
	if err != nil {
		return found, err
	}
	noted := map[wire.Hash]uint64{}
	for id, n := range c.all() {
		noted[n.name] = id
	}
	missing, unknown := maps.Clone(noted), map[wire.Hash]int64{}
	waiting, _ := c.thatWait() // and are missing, also if they aren't noted just now
	err = c.bucket.Each(ctx, "packs/", func(name string, size int64) error {
		h, ok := nameOfObject(name)
		id, here := noted[h] // whatever came before: a listing may have a name twice
		delete(waiting, h)
		switch {
		case !ok:
			found.Foreign++
		case !here && !slices.Contains(doomed, h):
			unknown[h] = size
		case !here:
		case size == int64(c.noted(id).size):
			delete(missing, h)
		}
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("%w: listing the bucket: %w", ErrAway, err)
	}
	for name, p := range waiting {
		again, err := s.putAgain(ctx, name)
		if err != nil {
			return found, err
		}
		if again == nil {
			continue
		}
		found.Again++
		if _, here := noted[name]; here {
			delete(missing, name)
		} else {
			unknown[name] = p.size
		}
	}
	var gone []uint64
	for _, id := range missing {
		there, err := s.there(ctx, id)
		if err != nil {
			return found, err
		}
		if !there {
			gone = append(gone, id)
		}
	}
	found.Packs = len(noted) - len(gone)
	// Before what is gone is told as lost: of a bucket that was rolled back much is in older packs.
	for some := range slices.Chunk(slices.Collect(maps.Keys(unknown)), tablesAtOnce) {
		for _, p := range c.tables(ctx, some, unknown) {
			if err := s.adopt(p, gone, &found); err != nil {
				return found, err
			}
		}
	}
	found.Lost = len(gone)
	if err := errors.Join(s.lose(ctx, gone), s.learned(ctx)); err != nil {
		return found, err
	}
	// At the end: a cloud that refuses to delete doesn't keep the rest from being found.
	found.Deleted, err = s.execute(ctx)
	return found, err
}

// there tells whether a pack that isn't listed as it should be is in the bucket all the same: the listing may be behind. It costs a byte, unless the object has
// another length.
func (s *Store) there(ctx context.Context, id uint64) (bool, error) {
	n := s.cold.noted(id)
	end, err := s.cold.bucket.Get(ctx, n.object(), int64(n.size)-1, 2)
	if err == nil && len(end) != 1 {
		_, err = s.whole(ctx, id)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrAway, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func nameOfObject(name string) (h wire.Hash, ok bool) {
	at := strings.LastIndexByte(name, '/')
	ok = h.UnmarshalText([]byte(name[at+1:])) == nil && name == objectName(h)
	return h, ok
}

// doomed is what is condemned.
func (s *Store) doomed() (hashes []wire.Hash, err error) {
	err = s.db.Prefix(condemned).Scan(nil, nil, func(k, _ []byte) error {
		if len(k) == len(wire.Hash{}) {
			hashes = append(hashes, wire.Hash(k))
		}
		return nil
	})
	return hashes, err
}

// execute deletes what is condemned.
func (s *Store) execute(ctx context.Context) (deleted int, err error) {
	hashes, err := s.doomed()
	for _, h := range hashes {
		if err != nil {
			break
		}
		if err = s.cold.bucket.Delete(ctx, objectName(h)); err != nil {
			err = fmt.Errorf("%w: deleting a pack: %w", ErrAway, err)
			break
		}
		if err = s.removeCopy(h); err != nil {
			break
		}
		x := s.cold.change()
		x.delete(condemnedKey(h))
		x.delete(waitingKey(h))
		if err = x.write(); err == nil {
			s.cold.copyGone(h)
		}
		deleted++
	}
	return deleted, err
}

func condemnedKey(h wire.Hash) []byte { return append([]byte(condemned), h[:]...) }

// tablesAtOnce is how many tables are read side by side.
const tablesAtOnce = 16

// unnoted is a pack that nobody noted, and its table or why that can't be read.
type unnoted struct {
	name  wire.Hash
	size  int64
	table *pack.Table
	err   error
	was   uint64 // by which it was noted, and isn't to be any more; 0: by none
}

// tables reads those of packs, of which sizes tells the bytes.
func (c *cold) tables(ctx context.Context, names []wire.Hash, sizes map[wire.Hash]int64) []unnoted {
	out := make([]unnoted, len(names))
	var all sync.WaitGroup
	for i, h := range names {
		all.Go(func() {
			t, err := c.table(ctx, objectName(h), sizes[h])
			out[i] = unnoted{name: h, size: sizes[h], table: t, err: err}
		})
	}
	all.Wait()
	return out
}

// table is that of an object.
func (c *cold) table(ctx context.Context, name string, size int64) (*pack.Table, error) {
	head, err := c.bucket.Get(ctx, name, 0, int64(pack.Head))
	if err != nil {
		return nil, err
	}
	const most = 64 << 10 // which nearly always has all of the table
	from := max(0, size-most)
	end, err := c.bucket.Get(ctx, name, from, size-from)
	if err != nil {
		return nil, err
	}
	if len(end) < pack.Tail {
		return nil, pack.ErrForeign
	}
	tail := end[len(end)-pack.Tail:]
	at, err := pack.TableSpan(size, tail)
	if err != nil {
		return nil, err
	}
	if at < from {
		if end, err = c.bucket.Get(ctx, name, at, size-at); err != nil {
			return nil, err
		}
		from = at
	}
	if int64(len(end)) != size-from {
		return nil, pack.ErrForeign
	}
	return c.key.Table(head, end[at-from:len(end)-pack.Tail], at)
}

// adopt takes in a pack that nobody noted, or condemns it if nothing in it is of use. lost are the packs that the bucket has no more.
func (s *Store) adopt(p unnoted, lost []uint64, found *Swept) error {
	c, t, err := s.cold, p.table, p.err
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, pack.ErrForeign) || errors.Is(err, wire.ErrTruncated) {
		found.Foreign++
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: reading a pack's table: %w", ErrAway, err)
	}
	id, err := c.next(t.Number)
	if err != nil {
		return err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	x := c.change()
	n := &noted{name: p.name, salt: t.Salt, number: t.Number, size: uint32(p.size), items: uint32(len(t.Items)), cut: cut(t), opener: c.key.Opener(t.Salt)}
	x.packs[id] = n
	if p.was > 0 {
		x.forget(p.was)
	}
	destroyed := false
	for i := range t.Items {
		gone, err := s.adoptItem(x, id, t.Number, &t.Items[i], lost)
		if err != nil {
			return err
		}
		destroyed = destroyed || gone
	}
	if destroyed {
		x.batch = append(x.batch, remains()...)
		defer s.remaining.order(time.Now())
	}
	if n = x.packs[id]; n.dead == n.items {
		x.forget(id)
		x.set(condemnedKey(p.name), []byte{})
	} else {
		found.Adopted++
		found.Packs++
	}
	return x.write()
}

// adoptItem notes an item's place, unless it is known elsewhere, in a newer pack, or was destroyed, which it tells.
func (s *Store) adoptItem(x *change, id, number uint64, item *pack.Item, lost []uint64) (gone bool, err error) {
	here := place{id, item.Place}
	if gone, err = s.destroyed(item.Name); err != nil {
		return false, err
	}
	if gone {
		x.bury([]place{here}, true)
		return true, nil
	}
	old, err := s.places(item.Name)
	if err != nil {
		return false, err
	}
	if old != nil && (!s.cold.current(old) || anyIn(old, lost)) {
		x.lieNowhere(item.Name) // unless it lies somewhere by what follows
		old = nil
	}
	fresh, err := s.isFresh(item.Name)
	if err != nil {
		return false, err
	}
	newer := false
	if item.Kind == pack.Header && len(old) == 1 {
		before := x.of(old[0].pack)
		newer = before == nil || before.number < number
	}
	switch {
	case fresh || old != nil && !newer:
		x.outdate(item.Name, []place{here})
	case !item.Whole():
		p, err := s.piece(item.Hash, item.Piece, item.Of)
		if err != nil {
			return false, err
		}
		if p != nil && !anyIn([]place{*p}, lost) {
			x.outdate(item.Name, []place{here})
			return false, nil
		}
		return false, s.notePiece(x, item, here)
	default:
		x.outdate(item.Name, old)
		x.lie(item.Name, here)
	}
	return false, nil
}
