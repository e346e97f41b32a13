package blobstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// source is where items of a new pack come from.
type source int

const (
	fresh source = iota // the fresh store
	older               // packs that are rewritten
)

// packer makes packs, one after the other. The cold part's packing is held.
type packer struct {
	s    *Store
	c    *cold
	from source

	b       *pack.Builder // nil: none begun
	id      uint64
	content map[pack.Name][]byte // of headers in b
	moved   map[pack.Name]place  // of items in b from older packs
	whole   map[pack.Name][]byte // what lies in the cloud already, and is fresh too
	waits   bool                 // b has something of this member's own
	since   time.Time            // when that was first packed; zero: now
	packed  int
}

// begin begins a pack. Its id is durable before it is used, so that no two packs have one.
func (p *packer) begin() error {
	if p.b != nil {
		return nil
	}
	id, err := p.c.next(0)
	if err != nil {
		return err
	}
	var salt [32]byte
	rand.Read(salt[:])
	p.id, p.b = id, p.c.key.Build(id, salt)
	p.content, p.moved = map[pack.Name][]byte{}, map[pack.Name]place{}
	return nil
}

// next is an id that was not given yet, and is above floor.
func (c *cold) next(floor uint64) (uint64, error) {
	b, err := c.db.Get([]byte(nextID))
	if err != nil {
		return 0, err
	}
	id := uint64(1)
	if len(b) == 8 {
		id = binary.BigEndian.Uint64(b)
	}
	id = max(id, floor+1)
	return id, c.db.Write([]kv.Change{{Key: []byte(nextID), Value: binary.BigEndian.AppendUint64(nil, id+1)}})
}

// add takes an item that is fresh, and perhaps this member's own.
func (p *packer) add(ctx context.Context, n pack.Name, content []byte, own bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.Kind == pack.Blob && sha256.Sum256(content) != n.Hash {
		return nil // damaged: it is healed when it is read
	}
	old, err := p.s.places(n)
	if err != nil {
		return err
	}
	if old != nil { // it was put again: either what is in the cloud is damaged, or it needn't have been
		b, err := p.c.read(old, 0, -1)
		// What is the member's own doesn't leave for a pack that is in the cloud alone.
		if err == nil && bytes.Equal(b, content) && (!own || p.c.elsewhere == nil || p.c.stays(n) || p.s.copied(old)) {
			p.keep(n, content)
			return nil
		}
		if errors.Is(err, ErrAway) {
			return err
		}
	}
	p.waits = p.waits || own && p.c.elsewhere != nil
	return p.put(n, content, place{})
}

// keep notes that an item lies in the cloud as it should, and needn't be fresh any more.
func (p *packer) keep(n pack.Name, content []byte) {
	if p.whole == nil {
		p.whole = map[pack.Name][]byte{}
	}
	p.whole[n] = content
}

// room ends the pack when it is large enough, before something that is to lie together.
func (p *packer) room(ctx context.Context) error {
	if p.b != nil && (p.b.Size() >= pack.Target || p.b.Items() >= pack.MaxItems-1) {
		return p.seal(ctx)
	}
	return nil
}

// put adds an item to the pack.
func (p *packer) put(n pack.Name, content []byte, from place) error {
	if err := p.begin(); err != nil {
		return err
	}
	if p.b.Has(n) {
		return nil
	}
	if err := p.b.Add(n, content); err != nil {
		return err
	}
	if p.moved[n] = from; n.Kind == pack.Header {
		p.content[n] = content
	}
	return nil
}

// seal ends the pack that was begun. In this order, so that a crash between any two steps loses nothing:
//
//  1. the object is condemned, for the case that it doesn't come to 5;
//  2. it is put;
//  3. it is read back and compared;
//  4. a copy of it is here, if it waits;
//  5. one batch pardons it, notes the pack and the places of its items, and takes these from where they were, unless they changed meanwhile or stay;
//  6. files of large items are removed, unless they stay.
//
// A crash before 5 leaves an object that is deleted soon, and a copy that is removed at the next start; one before 6 leaves a file that the next flush finds.
func (p *packer) seal(ctx context.Context) error {
	var table *pack.Table
	n := &noted{}
	if p.b != nil {
		object, t := p.b.Done()
		*n = noted{name: sha256.Sum256(object), salt: t.Salt, number: t.Number, size: uint32(len(object)), items: uint32(len(t.Items)), cut: cut(t), opener: p.c.key.Opener(t.Salt)}
		if err := p.c.db.Write([]kv.Change{{Key: condemnedKey(n.name), Value: []byte{}}}); err != nil {
			return err
		}
		if err := p.c.bucket.Put(ctx, n.object(), object); err != nil {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		back, err := p.c.bucket.Get(ctx, n.object(), 0, -1)
		if err != nil {
			return fmt.Errorf("%w: reading back what was put: %w", ErrAway, err)
		}
		if !bytes.Equal(back, object) {
			return fmt.Errorf("%w: the bucket gives other bytes than were put", ErrAway)
		}
		if p.waits {
			if err := p.s.writeCopy(n.name, object); err != nil {
				return err
			}
		}
		table = t
	}
	files, err := p.commit(n, table)
	if err != nil {
		return err
	}
	for _, h := range files {
		if err := p.s.unfile(h); err != nil {
			return err
		}
	}
	if p.b != nil {
		p.packed++
	}
	p.b, p.whole, p.waits = nil, nil, false
	return nil
}

// unfile removes the file of a blob, unless it was deleted or is to stay meanwhile, and put again.
func (s *Store) unfile(h wire.Hash) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	if places, err := s.places(blobName(h)); err != nil || places == nil || s.cold.stays(blobName(h)) || !s.hasFile(h) {
		return err
	}
	return s.fs.Remove(s.path(h))
}

// commit is step 5. It returns the blobs whose files are to be removed.
func (p *packer) commit(n *noted, t *pack.Table) (files []wire.Hash, err error) {
	p.s.moving.Lock()
	defer p.s.moving.Unlock()
	x := p.c.change()
	if t != nil {
		x.packs[p.id] = n
		x.delete(condemnedKey(n.name))
		if p.waits {
			p.wait(x, n)
		}
		for i := range t.Items {
			if err := p.move(x, n, &t.Items[i]); err != nil {
				return nil, err
			}
		}
	}
	var names []pack.Name
	for name, content := range p.whole {
		still, err := p.still(name, content)
		if err != nil {
			return nil, err
		}
		places, err := p.s.places(name)
		if err != nil {
			return nil, err
		}
		if still && places != nil { // it wasn't deleted meanwhile, and put again
			if !p.c.stays(name) {
				x.delete(hotKey(name))
			}
			names = append(names, name)
		}
	}
	if err := x.write(); err != nil {
		return nil, err
	}
	if t != nil {
		for i := range t.Items {
			names = append(names, t.Items[i].Name)
		}
	}
	for _, name := range names {
		if name.Kind != pack.Blob {
			continue
		}
		if places, err := p.s.places(name); err != nil || places == nil {
			continue
		}
		if p.c.stays(name) {
			p.s.stay(name.Hash)
		} else if p.s.hasFile(name.Hash) {
			files = append(files, name.Hash)
		}
	}
	return files, nil
}

// move notes where an item lies now, if it is still what was packed.
func (p *packer) move(x *change, n *noted, item *pack.Item) error {
	here := place{p.id, item.Place}
	old, err := p.s.places(item.Name)
	if err != nil {
		return err
	}
	still := false
	if p.from == older {
		still = len(old) == 1 && old[0] == p.moved[item.Name]
	} else {
		still, err = p.still(item.Name, p.content[item.Name])
	}
	switch {
	case err != nil:
		return err
	case !still:
		x.bury([]place{here}, true)
		return nil
	case !item.Whole():
		return p.s.notePiece(x, item, here)
	}
	x.lie(item.Name, here)
	if p.from == older {
		x.bury(old, true) // its pack goes
		return nil
	}
	x.outdate(item.Name, old)
	if !p.c.stays(item.Name) {
		x.delete(hotKey(item.Name))
	}
	return nil
}

// wait notes that the pack waits.
func (p *packer) wait(x *change, n *noted) {
	since := p.since
	if since.IsZero() {
		since = time.Now()
	}
	x.set(waitingKey(n.name), moment(since))
	w := &p.c.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packs[n.name] = &waitingPack{size: int64(n.size), since: since}
}

// still tells whether the fresh store has what was packed. A blob has only one content.
func (p *packer) still(n pack.Name, content []byte) (bool, error) {
	if n.Kind == pack.Blob {
		return p.s.hot(n.Hash)
	}
	now, err := p.c.db.Get(hotKey(n))
	return now != nil && bytes.Equal(now, content), skipped(err)
}

// notePiece notes a piece, and the blob when it has all of them.
func (s *Store) notePiece(x *change, item *pack.Item, here place) error {
	whole, err := s.join(x, item.Name, item.Of, func(i uint16) (*place, error) {
		if i == item.Piece {
			return &here, nil
		}
		return s.piece(item.Hash, i, item.Of)
	})
	if err == nil && !whole {
		x.set(pieceKey(item.Hash, item.Piece, item.Of), appendPlace(nil, here))
	}
	return err
}

// join notes a blob if all its pieces have a place.
func (s *Store) join(x *change, n pack.Name, of uint16, piece func(i uint16) (*place, error)) (whole bool, err error) {
	var all []place
	for i := range of {
		p, err := piece(i)
		if p == nil || err != nil {
			return false, err
		}
		all = append(all, *p)
	}
	old, err := s.places(n)
	if err != nil {
		return false, err
	}
	x.outdate(n, old)
	x.lie(n, all...)
	for i := range of {
		x.delete(pieceKey(n.Hash, i, of))
	}
	return true, nil
}

// piece is where a piece lies of a blob of which not all do; nil if it doesn't.
func (s *Store) piece(h wire.Hash, i, of uint16) (*place, error) {
	b, err := s.db.Get(pieceKey(h, i, of))
	if err != nil {
		return nil, err
	}
	places, err := decodePlaces(b)
	if err != nil || !s.cold.current(places) {
		return nil, nil
	}
	return &places[0], nil
}
