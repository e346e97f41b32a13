package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"vitalog/pack"
	"vitalog/wire"
)

// Repack makes packs anew of which items were deleted before a time, or half is dead, and merges small ones. It returns how many it took away.
func (s *Store) Repack(ctx context.Context, before time.Time) (gone int, err error) {
	c := s.cold
	if c == nil {
		return 0, errors.New("the store has no bucket")
	}
	c.packing.Lock()
	defer c.packing.Unlock()
	if err := s.reconsider(ctx); err != nil {
		return 0, err
	}
	due, small := []uint64{}, []uint64{}
	for id, n := range c.all() {
		switch {
		case n.tainted > 0 && n.tainted <= uint64(before.UnixMilli()), 2*n.deadBytes >= n.size, n.dead == n.items:
			due = append(due, id)
		case n.size < pack.Target/8 && !n.cut:
			small = append(small, id)
		}
	}
	if len(small) >= 8 {
		due = append(due, small...)
	}
	slices.Sort(due)
	for batch := range slices.Chunk(due, 16) {
		if err := s.repack(ctx, batch); err != nil {
			return gone, fmt.Errorf("packing anew: %w", err)
		}
		gone += len(batch)
	}
	return gone, nil
}

// reconsider takes in anew, as if nobody had noted them, packs that were damaged when they were read and are whole by now: a cloud that answered wrongly for a
// while must not have the last copy of something taken away.
func (s *Store) reconsider(ctx context.Context) error {
	for id, n := range s.cold.all() {
		if n.tainted != rotten {
			continue
		}
		object, err := s.cold.bucket.Get(ctx, n.object(), 0, -1)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		if wire.Hash(sha256.Sum256(object)) != n.name {
			continue
		}
		t, err := s.cold.key.Open(object)
		if err == nil {
			err = s.adopt(unnoted{name: n.name, size: int64(n.size), table: t, was: id}, []uint64{id}, &Swept{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// carried is an item on its way to a new pack.
type carried struct {
	pack.Name
	from    place
	content []byte
}

// repack moves what is alive in some packs into new ones, and takes the packs away.
func (s *Store) repack(ctx context.Context, ids []uint64) error {
	c := s.cold
	var groups [][]carried // a header with its blob, or a blob
	for _, id := range ids {
		alive, err := s.alive(ctx, id)
		if err != nil {
			return err
		}
		for _, m := range alive {
			if last := len(groups) - 1; m.Kind == pack.Blob && last >= 0 && len(groups[last]) == 1 && groups[last][0].Kind == pack.Header {
				groups[last] = append(groups[last], m)
			} else {
				groups = append(groups, []carried{m})
			}
		}
	}
	slices.SortFunc(groups, func(a, b []carried) int { return slices.Compare(placeKeyOrder(a[0].Name), placeKeyOrder(b[0].Name)) })
	p := &packer{s: s, c: c, from: older}
	waits, since := c.anyWaits(ids)
	p.since = since
	for _, g := range groups {
		if err := p.room(ctx); err != nil {
			return err
		}
		for _, m := range g {
			p.waits = waits
			if err := p.put(m.Name, m.content, m.from); err != nil {
				return err
			}
		}
	}
	if err := p.seal(ctx); err != nil {
		return err
	}
	s.moving.Lock()
	x := c.change()
	for _, id := range ids {
		n := c.noted(id)
		if n == nil || n.dead < n.items {
			continue // it was gone from the bucket; or of something that couldn't be read just now
		}
		x.forget(id)
		x.set(condemnedKey(n.name), []byte{})
	}
	err := x.write()
	s.moving.Unlock()
	if err == nil {
		_, err = s.execute(ctx)
	}
	return err
}

// placeKeyOrder puts headers first, in the order of their logs.
func placeKeyOrder(n pack.Name) []byte {
	k := placeKey(n)[len(placePrefix):]
	k[0] = ^k[0]
	return k
}

// alive reads what is still needed of a pack. What is damaged of it is told as lost.
func (s *Store) alive(ctx context.Context, id uint64) ([]carried, error) {
	n := s.cold.noted(id)
	if n.dead == n.items {
		return nil, nil
	}
	object, err := s.whole(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.lose(ctx, []uint64{id})
	}
	if err != nil {
		return nil, err
	}
	names, err := s.inPack(id, object)
	if err != nil {
		return nil, err
	}
	var out []carried
	for _, name := range names {
		places, err := s.places(name)
		if err != nil {
			return nil, err
		}
		if len(places) != 1 || places[0].pack != id {
			continue
		}
		at, end, _, err := places[0].Span(0, places[0].Size)
		if err != nil {
			return nil, err
		}
		content, err := n.opener.Frames(object[at:end], at)
		if err != nil {
			return nil, err
		}
		out = append(out, carried{name, places[0], content})
	}
	slices.SortFunc(out, func(a, b carried) int { return int(int64(a.from.At) - int64(b.from.At)) })
	return out, nil
}

// inPack names what may lie in a pack: by its table, or by all places where that doesn't open.
func (s *Store) inPack(id uint64, object []byte) (names []pack.Name, err error) {
	if t, err := s.cold.key.Open(object); err == nil {
		for i := range t.Items {
			names = append(names, t.Items[i].Name)
		}
		return names, nil
	}
	err = s.db.Prefix(placePrefix).Scan(nil, nil, func(k, v []byte) error {
		places, err := decodePlaces(v)
		if err != nil || places[0].pack != id {
			return err
		}
		n, err := nameOf(k)
		names = append(names, n)
		return err
	})
	return names, err
}
