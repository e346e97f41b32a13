package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"vitalog/pack"
	"vitalog/wire"
)

// Swept is what a listing of the bucket found.
type Swept struct {
	Packs   int `json:"packs"`   // in the bucket, that are this store's
	Lost    int `json:"lost"`    // that were noted, and are not there
	Adopted int `json:"adopted"` // that were not noted, and have what is not known elsewhere
	Deleted int `json:"deleted"` // that were not needed any more
	Foreign int `json:"foreign"` // objects that the storage key doesn't open: somebody else's, or damaged. They are left alone
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
	if found.Deleted, err = s.execute(ctx); err != nil {
		return found, err
	}
	known := map[wire.Hash]uint64{}
	for id, n := range c.all() {
		known[n.name] = id
	}
	unknown := map[wire.Hash]int64{}
	err = c.bucket.Each(ctx, "packs/", func(name string, size int64) error {
		h, ok := nameOfObject(name)
		id, here := known[h]
		switch {
		case !ok:
			found.Foreign++
		case here && size == int64(c.noted(id).size):
			found.Packs++
			delete(known, h)
		case !here:
			unknown[h] = size
		}
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("%w: listing the bucket: %w", ErrAway, err)
	}
	var gone []uint64
	for name, id := range known { // the listing may be behind
		object, err := c.bucket.Get(ctx, objectName(name), 0, -1)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			gone = append(gone, id)
		case err != nil:
			return found, fmt.Errorf("%w: %w", ErrAway, err)
		default:
			found.Packs++
			if wire.Hash(sha256.Sum256(object)) != name {
				if err := s.damaged(ctx, id, c.noted(id), object); err != nil {
					return found, err
				}
			}
		}
	}
	for h, size := range unknown {
		if err := s.adopt(ctx, h, size, &found); err != nil {
			return found, err
		}
	}
	found.Lost = len(gone)
	return found, s.lose(ctx, gone)
}

// Reindex forgets where things lie in the bucket, and has every pack tell it anew. What was not told yet meanwhile is damaged here; it goes on with the next
// Sweep where it was cut.
func (s *Store) Reindex(ctx context.Context) (found Swept, err error) {
	if s.cold == nil {
		return found, errors.New("the store has no bucket")
	}
	if err = s.unlearn(); err == nil {
		found, err = s.Sweep(ctx)
	}
	if err != nil {
		return found, err
	}
	return found, s.loseWhere(ctx, func(places []place) bool { return !s.cold.current(places) })
}

// unlearn forgets all packs in one step: places in them count no more.
func (s *Store) unlearn() error {
	s.cold.packing.Lock()
	defer s.cold.packing.Unlock()
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	for id := range s.cold.all() {
		x.forget(id)
	}
	return x.write()
}

// current tells whether places are in packs that are noted.
func (c *cold) current(places []place) bool {
	return places != nil && !slices.ContainsFunc(places, func(p place) bool { return c.noted(p.pack) == nil })
}

func nameOfObject(name string) (h wire.Hash, ok bool) {
	at := strings.LastIndexByte(name, '/')
	ok = h.UnmarshalText([]byte(name[at+1:])) == nil && name == objectName(h)
	return h, ok
}

// execute deletes what is condemned.
func (s *Store) execute(ctx context.Context) (deleted int, err error) {
	var hashes []wire.Hash
	err = s.db.Prefix(condemned).Scan(nil, nil, func(k, _ []byte) error {
		if len(k) == len(wire.Hash{}) {
			hashes = append(hashes, wire.Hash(k))
		}
		return nil
	})
	for _, h := range hashes {
		if err != nil {
			break
		}
		if err = s.cold.bucket.Delete(ctx, objectName(h)); err != nil {
			err = fmt.Errorf("%w: deleting a pack: %w", ErrAway, err)
			break
		}
		x := s.cold.change()
		x.delete(condemnedKey(h))
		err = x.write()
		deleted++
	}
	return deleted, err
}

func condemnedKey(h wire.Hash) []byte { return append([]byte(condemned), h[:]...) }

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

// adopt takes in a pack that nobody noted, or condemns it if nothing in it is of use.
func (s *Store) adopt(ctx context.Context, name wire.Hash, size int64, found *Swept) error {
	c := s.cold
	t, err := c.table(ctx, objectName(name), size)
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
	n := &noted{name: name, salt: t.Salt, number: t.Number, size: uint32(size), items: uint32(len(t.Items)), cut: cut(t), opener: c.key.Opener(t.Salt)}
	x.packs[id] = n
	for i := range t.Items {
		if err := s.adoptItem(x, id, t.Number, &t.Items[i]); err != nil {
			return err
		}
	}
	if n = x.packs[id]; n.dead == n.items {
		x.forget(id)
		x.set(condemnedKey(name), []byte{})
		found.Deleted++
	} else {
		found.Adopted++
		found.Packs++
	}
	if err := x.write(); err != nil {
		return err
	}
	_, err = s.execute(ctx)
	return err
}

// adoptItem notes an item's place, unless it is known elsewhere, in a newer pack, or was destroyed.
func (s *Store) adoptItem(x *change, id, number uint64, item *pack.Item) error {
	here := place{id, item.Place}
	gone, err := s.destroyed(item.Name)
	if err != nil {
		return err
	}
	if gone {
		x.bury([]place{here}, true)
		return nil
	}
	old, err := s.places(item.Name)
	if err != nil {
		return err
	}
	if !s.cold.current(old) {
		old = nil
	}
	fresh := false
	if item.Kind == pack.Blob {
		fresh, err = s.hot(item.Hash)
	} else {
		var b []byte
		b, err = s.db.Get(hotKey(item.Name))
		fresh = b != nil
	}
	if err != nil {
		return err
	}
	newer := false
	if item.Kind == pack.Header && len(old) == 1 {
		before := x.of(old[0].pack)
		newer = before == nil || before.number < number
	}
	switch {
	case fresh || old != nil && !newer:
		x.bury([]place{here}, false)
	case !item.Whole():
		b, err := s.db.Get(pieceKey(item.Hash, item.Piece, item.Of))
		if err != nil {
			return err
		}
		if places, err := decodePlaces(b); err == nil && s.cold.current(places) {
			x.bury([]place{here}, false)
			return nil
		}
		return s.notePiece(x, item, here)
	default:
		x.bury(old, false)
		x.set(placeKey(item.Name), appendPlace(nil, here))
	}
	return nil
}
