package blobstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"vitalog/kv"
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

// atOnce is how many lost things are told in one call.
const atOnce = 1000

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
	for _, id := range known {
		if _, err := c.bucket.Get(ctx, c.noted(id).object(), int64(c.noted(id).size)-1, 1); err == nil {
			found.Packs++ // the listing is behind
		} else if errors.Is(err, fs.ErrNotExist) || c.cut(ctx, id) {
			gone = append(gone, id)
		} else {
			return found, fmt.Errorf("%w: %w", ErrAway, err)
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

// cut tells whether an object is there, and is not as long as it was.
func (c *cold) cut(ctx context.Context, id uint64) bool {
	b, err := c.bucket.Get(ctx, c.noted(id).object(), 0, -1)
	return err == nil && len(b) != int(c.noted(id).size)
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

// lose forgets what packs had that are gone, and tells it.
func (s *Store) lose(ctx context.Context, ids []uint64) error {
	if len(ids) == 0 {
		return nil
	}
	err := s.loseWhere(ctx, func(places []place) bool {
		return slices.ContainsFunc(places, func(p place) bool { return slices.Contains(ids, p.pack) })
	})
	if err != nil {
		return err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	for _, id := range ids {
		x.forget(id)
	}
	return x.write()
}

// loseWhere forgets all that lies at some places, and tells it.
func (s *Store) loseWhere(ctx context.Context, gone func([]place) bool) error {
	var names []pack.Name
	flush := func() error {
		err := s.forget(names, gone)
		names = names[:0]
		return err
	}
	err := s.db.Prefix(placePrefix).Scan(nil, nil, func(k, v []byte) error {
		places, err := decodePlaces(v)
		if err != nil || !gone(places) {
			return err
		}
		n, err := nameOf(k)
		if err != nil {
			return err
		}
		if names = append(names, n); len(names) == atOnce {
			err = flush()
		}
		return errors.Join(err, ctx.Err())
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	err = s.db.Prefix(piecePrefix).Scan(nil, nil, func(k, v []byte) error {
		places, err := decodePlaces(v)
		if err != nil || !gone(places) {
			return err
		}
		x := s.cold.change()
		x.bury(places, false)
		x.delete(append([]byte(piecePrefix), k...))
		return x.write()
	})
	return errors.Join(err, s.tellLost())
}

// forget drops the places of what is lost, and in the same step notes that this is to be told.
func (s *Store) forget(names []pack.Name, gone func([]place) bool) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	for _, n := range names {
		places, err := s.places(n)
		if err != nil {
			return err
		}
		if gone(places) {
			x.bury(places, false)
			x.delete(placeKey(n))
			x.set(append([]byte(lostPrefix), placeKey(n)[len(placePrefix):]...), []byte{})
		}
	}
	return x.write()
}

// tellLost tells what was forgotten. Only then, so that nobody who looks takes it for there; and what a crash kept from being told is told by the next listing.
func (s *Store) tellLost() error {
	for {
		var blobs []wire.Hash
		var headers []Record
		var told []kv.Change
		err := s.db.Prefix(lostPrefix).Scan(nil, nil, func(k, _ []byte) error {
			n, err := nameOf(k)
			if err != nil {
				return err
			}
			if n.Kind == pack.Blob {
				blobs = append(blobs, n.Hash)
			} else {
				headers = append(headers, Record{Log: n.Log, ID: n.Record})
			}
			if told = append(told, kv.Change{Key: append([]byte(lostPrefix), k...)}); len(told) == atOnce {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) || len(told) == 0 {
			return err
		}
		if s.cold.lost != nil {
			if err := s.cold.lost(blobs, headers); err != nil {
				return fmt.Errorf("telling what a pack had that is gone: %w", err)
			}
		}
		if err := s.db.Write(told); err != nil {
			return err
		}
	}
}

var errEnough = errors.New("enough")

// Scrub reads one pack, the one after the last that was read, and compares it with its name. It returns how many bytes it read, 0 when there is none or all were
// read once more. What is damaged in a pack is told as lost; the rest of it is packed anew.
func (s *Store) Scrub(ctx context.Context) (read int64, err error) {
	c := s.cold
	c.packing.Lock()
	defer c.packing.Unlock()
	all := c.all()
	var ids []uint64
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	at, err := s.db.Get([]byte(scrubbed))
	if err != nil {
		return 0, err
	}
	last := uint64(0)
	if len(at) == 8 {
		last = binary.BigEndian.Uint64(at)
	}
	i, _ := slices.BinarySearch(ids, last+1)
	if i == len(ids) {
		return 0, s.mark(0)
	}
	id := ids[i]
	n := all[id]
	object, err := c.bucket.Get(ctx, n.object(), 0, -1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if wire.Hash(sha256.Sum256(object)) != n.name {
		if err := s.damaged(ctx, id, n, object); err != nil {
			return 0, err
		}
	}
	return int64(len(object)), s.mark(id)
}

// scrubbed is the key of the pack that was read last.
const scrubbed = "s"

func (s *Store) mark(id uint64) error {
	x := s.cold.change()
	x.set([]byte(scrubbed), binary.BigEndian.AppendUint64(nil, id))
	return x.write()
}

// damaged loses what doesn't open in a pack's object. The pack is due to be packed anew.
func (s *Store) damaged(ctx context.Context, id uint64, n *noted, object []byte) error {
	bad := func(places []place) bool {
		return slices.ContainsFunc(places, func(p place) bool {
			if p.pack != id {
				return false
			}
			if n.cut {
				return true // it can't be packed anew without the others
			}
			at, end, _, err := p.Span(0, p.Size)
			if err != nil || end > int64(len(object)) {
				return true
			}
			_, err = n.opener.Frames(object[at:end], at)
			return err != nil
		})
	}
	if err := s.loseWhere(ctx, bad); err != nil {
		return err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	if n := x.of(id); n != nil {
		n.tainted = 1 // at once
	}
	return x.write()
}

// Repack makes packs anew of which items were deleted before a time, or half is dead, and merges small ones. It returns how many it took away.
func (s *Store) Repack(ctx context.Context, before time.Time) (gone int, err error) {
	c := s.cold
	if c == nil {
		return 0, errors.New("the store has no bucket")
	}
	c.packing.Lock()
	defer c.packing.Unlock()
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

type moving struct {
	pack.Name
	from    place
	content []byte
}

// repack moves what is alive in some packs into new ones, and takes the packs away.
func (s *Store) repack(ctx context.Context, ids []uint64) error {
	c := s.cold
	var groups [][]moving // a header with its blob, or a blob
	for _, id := range ids {
		alive, err := s.alive(ctx, id)
		if err != nil {
			return err
		}
		for _, m := range alive {
			if last := len(groups) - 1; m.Kind == pack.Blob && last >= 0 && len(groups[last]) == 1 && groups[last][0].Kind == pack.Header {
				groups[last] = append(groups[last], m)
			} else {
				groups = append(groups, []moving{m})
			}
		}
	}
	slices.SortFunc(groups, func(a, b []moving) int { return slices.Compare(placeKeyOrder(a[0].Name), placeKeyOrder(b[0].Name)) })
	p := &packer{s: s, c: c, from: older}
	for _, g := range groups {
		for _, m := range g {
			if err := p.put(ctx, m.Name, m.content, m.from); err != nil {
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
		if n.dead < n.items {
			continue // of something that couldn't be read just now
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
func (s *Store) alive(ctx context.Context, id uint64) ([]moving, error) {
	n := s.cold.noted(id)
	if n.dead == n.items {
		return nil, nil
	}
	object, err := s.cold.bucket.Get(ctx, n.object(), 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.lose(ctx, []uint64{id})
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if wire.Hash(sha256.Sum256(object)) != n.name {
		if err := s.damaged(ctx, id, n, object); err != nil {
			return nil, err
		}
	}
	names, err := s.inPack(id, object)
	if err != nil {
		return nil, err
	}
	var out []moving
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
		out = append(out, moving{name, places[0], content})
	}
	slices.SortFunc(out, func(a, b moving) int { return int(int64(a.from.At) - int64(b.from.At)) })
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
