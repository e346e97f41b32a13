package blobstore

import (
	"encoding/binary"
	"math"
	"time"

	"vitalog/kv"
	"vitalog/pack"
)

// change is what becomes of a store in one step: of its keys, and of what is noted of packs.
type change struct {
	c     *cold
	batch []kv.Change
	packs map[uint64]*noted // nil: forgotten
	moved []pack.Name       // that lie elsewhere by it, or nowhere
}

func (c *cold) change() *change { return &change{c: c, packs: map[uint64]*noted{}} }

func (x *change) set(k, v []byte)  { x.batch = append(x.batch, kv.Change{Key: k, Value: v}) }
func (x *change) delete(k []byte)  { x.batch = append(x.batch, kv.Change{Key: k}) }
func (x *change) forget(id uint64) { x.packs[id] = nil }

// lie notes where an item lies.
func (x *change) lie(n pack.Name, places ...place) {
	var b []byte
	for _, p := range places {
		b = appendPlace(b, p)
	}
	x.set(placeKey(n), b)
	x.moved = append(x.moved, n)
}

// lieNowhere notes that an item lies in no pack.
func (x *change) lieNowhere(n pack.Name) {
	x.delete(placeKey(n))
	x.moved = append(x.moved, n)
}

// of is what is noted of a pack, to be changed; nil if there is none.
func (x *change) of(id uint64) *noted {
	if n, ok := x.packs[id]; ok {
		return n
	}
	n := x.c.noted(id)
	if n == nil {
		return nil
	}
	copied := *n
	x.packs[id] = &copied
	return &copied
}

// bury notes that what lies at places is not needed any more. tainted says that it was deleted, and not only replaced.
func (x *change) bury(places []place, tainted bool) {
	if x.c == nil {
		return // there is no bucket to clear
	}
	for _, p := range places {
		if n := x.of(p.pack); n != nil {
			n.dead++
			n.deadBytes += uint32(p.Sealed())
			if tainted {
				x.taint(p.pack)
			}
		}
	}
}

// taint notes that a pack holds what was deleted.
func (x *change) taint(id uint64) {
	if n := x.of(id); n != nil && n.tainted == 0 {
		n.tainted = uint64(time.Now().UnixMilli())
	}
}

// outdate buries what lies at places because there is another copy of it, and notes where: when it is deleted these go too.
func (x *change) outdate(n pack.Name, places []place) {
	x.bury(places, false)
	for _, p := range places {
		x.set(olderKey(n, p.pack), []byte{})
	}
}

// write makes the change, durably. The store's moving is held. Who reads meanwhile finds the pack of every place.
func (x *change) write() error {
	if x.c.note(x.packs, func(n *noted) bool { return n != nil }); len(x.packs)+len(x.batch) == 0 {
		return nil
	}
	for id, n := range x.packs {
		if n == nil {
			x.delete(packKey(id))
		} else {
			x.set(packKey(id), n.encode())
		}
	}
	x.c.warm.drop(x.moved...) // or what lies nowhere would be read, and be taken for here
	if err := x.c.db.Write(x.batch); err != nil {
		return err
	}
	x.c.note(x.packs, func(n *noted) bool { return n == nil })
	return nil
}

// note changes what is noted of those packs that which is true of.
func (c *cold) note(packs map[uint64]*noted, which func(*noted) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range packs {
		switch {
		case !which(n):
		case n == nil:
			delete(c.packs, id)
		default:
			c.packs[id] = n
		}
	}
}

// drop takes items from the fresh store and from their packs, in one step. moving is locked.
func (s *Store) drop(names ...pack.Name) error {
	x := s.cold.change()
	done := map[pack.Name]bool{} // what is named twice is counted once in its pack
	for _, n := range names {
		if done[n] {
			continue
		}
		done[n] = true
		if err := s.dropIn(x, n); err != nil {
			return err
		}
	}
	if s.cold == nil {
		return s.db.Write(x.batch)
	}
	if err := x.write(); err != nil {
		return err
	}
	s.cold.waiting.mu.Lock()
	defer s.cold.waiting.mu.Unlock()
	for _, n := range names {
		if n.Kind == pack.Blob {
			delete(s.cold.waiting.blobs, n.Hash)
		}
	}
	return nil
}

// dropIn adds to a change that an item is dropped.
func (s *Store) dropIn(x *change, n pack.Name) error {
	x.delete(hotKey(n))
	places, err := s.places(n)
	if err != nil {
		return err
	}
	if places != nil {
		x.bury(places, true)
		x.lieNowhere(n)
	}
	if s.cold == nil {
		return nil
	}
	if err := s.dropOlder(x, n); err != nil {
		return err
	}
	if n.Kind == pack.Blob {
		x.delete(ownKey(n.Hash))
		err = s.db.Prefix(piecePrefix).Scan(n.Hash[:], append(n.Hash[:], 255, 255, 255, 255, 255), func(k, v []byte) error {
			places, err := decodePlaces(v)
			x.bury(places, true)
			x.delete(append([]byte(piecePrefix), k...))
			return err
		})
	}
	return err
}

// dropOlder has the packs made anew that have copies of an item which other ones took the place of.
func (s *Store) dropOlder(x *change, n pack.Name) error {
	from := olderKey(n, 0)[len(olderPrefix):]
	return s.db.Prefix(olderPrefix).Scan(from, append(olderKey(n, math.MaxUint64)[len(olderPrefix):], 0), func(k, _ []byte) error {
		x.taint(binary.BigEndian.Uint64(k[len(k)-8:]))
		x.delete(append([]byte(olderPrefix), k...))
		return nil
	})
}

func olderKey(n pack.Name, id uint64) []byte {
	k := append([]byte(olderPrefix), placeKey(n)[len(placePrefix):]...)
	return binary.BigEndian.AppendUint64(k, id)
}
