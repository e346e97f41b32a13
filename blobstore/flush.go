package blobstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// Flush packs what is fresh into the bucket, all that was there when it was called. What it did before an error stays done.
func (s *Store) Flush(ctx context.Context) (packed int, err error) {
	if s.cold == nil {
		return 0, errors.New("the store has no bucket")
	}
	s.cold.packing.Lock()
	defer s.cold.packing.Unlock()
	before := s.cold.told.freshNow()
	p := &packer{s: s, c: s.cold, from: fresh}
	if err = s.flush(ctx, p); err == nil {
		err = p.seal(ctx)
	}
	if err != nil {
		return p.packed, fmt.Errorf("packing what is fresh: %w", err)
	}
	s.cold.told.shrank(before)
	return p.packed, nil
}

// flush adds headers in their order, each with its blob after it, then the blobs that have none, then large ones.
func (s *Store) flush(ctx context.Context, p *packer) error {
	err := s.headers.Scan(nil, nil, func(k, v []byte) error {
		if len(k) != 64 {
			return fmt.Errorf("header of a name of %d bytes: %w", len(k), ErrCorrupt)
		}
		if err := p.add(ctx, headerName(key.Log(k[:32]), key.Record(k[32:])), bytes.Clone(v)); err != nil {
			return err
		}
		h, err := envelope.DecodeHeader(v)
		if err != nil {
			return nil // damaged before it came: who reads it finds out
		}
		b, err := s.blobs.Get(h.Blob[:])
		if err != nil || b == nil {
			return skipped(err)
		}
		return p.add(ctx, blobName(h.Blob), b)
	})
	if err != nil {
		return err
	}
	err = s.blobs.Scan(nil, nil, func(k, v []byte) error { return p.add(ctx, blobName(wire.Hash(k)), bytes.Clone(v)) })
	for i := 0; i < 256 && err == nil; i++ {
		err = s.eachFile(byte(i), func(h wire.Hash, size int64) error { return s.flushFile(ctx, p, h, size) })
	}
	return err
}

// skipped is nil for what is damaged: that is healed when it is read.
func skipped(err error) error {
	if errors.Is(err, kv.ErrCorrupt) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (s *Store) flushFile(ctx context.Context, p *packer, h wire.Hash, size int64) error {
	if size > pack.MaxItem {
		return s.flushPieces(ctx, p, h, size)
	}
	b, err := s.getFile(h, pack.MaxItem)
	if err != nil {
		return skipped(err)
	}
	return p.add(ctx, blobName(h), b)
}

// flushPieces packs a large blob piece by piece. Each is noted, so that it goes on there after an error or a crash.
func (s *Store) flushPieces(ctx context.Context, all *packer, h wire.Hash, size int64) error {
	if err := s.verifyFile(h); err != nil {
		return skipped(err)
	}
	if _, err := s.verifyCold(h); err == nil {
		all.keep(blobName(h), nil)
		return nil
	} else if errors.Is(err, ErrAway) {
		return err
	}
	f, _, err := s.openFile(h)
	if err != nil {
		return skipped(err)
	}
	defer f.Close()
	of := (size + pack.MaxItem - 1) / pack.MaxItem
	for i := range of {
		if b, err := s.db.Get(pieceKey(h, uint16(i), uint16(of))); err != nil || b != nil {
			if err != nil {
				return err
			}
			continue
		}
		content := make([]byte, min(pack.MaxItem, size-i*pack.MaxItem))
		if _, err := f.ReadAt(content, i*pack.MaxItem); err != nil {
			return err
		}
		p := &packer{s: s, c: s.cold, from: fresh}
		if err := p.begin(); err != nil {
			return err
		}
		if err := p.b.AddPiece(blobName(h), uint16(i), uint16(of), content); err != nil {
			return err
		}
		if err := p.seal(ctx); err != nil {
			return err
		}
	}
	return nil
}

func pieceKey(h wire.Hash, piece, of uint16) []byte {
	k := append([]byte(piecePrefix), h[:]...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(k, piece), of)
}

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

// add takes an item that is fresh.
func (p *packer) add(ctx context.Context, n pack.Name, content []byte) error {
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
		if err == nil && bytes.Equal(b, content) {
			p.keep(n, content)
			return nil
		}
		if errors.Is(err, ErrAway) {
			return err
		}
	}
	return p.put(ctx, n, content, place{})
}

// keep notes that an item lies in the cloud as it should, and needn't be fresh any more.
func (p *packer) keep(n pack.Name, content []byte) {
	if p.whole == nil {
		p.whole = map[pack.Name][]byte{}
	}
	p.whole[n] = content
}

// put adds an item to the pack, which it ends when it is large enough.
func (p *packer) put(ctx context.Context, n pack.Name, content []byte, from place) error {
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
	if p.b.Size() >= pack.Target || p.b.Items() == pack.MaxItems {
		return p.seal(ctx)
	}
	return nil
}

// seal ends the pack that was begun. In this order, so that a crash between any two steps loses nothing:
//
//  1. the object is condemned, for the case that it doesn't come to 4;
//  2. it is put;
//  3. it is read back and compared;
//  4. one batch pardons it, notes the pack and the places of its items, and takes these from where they were, unless they changed meanwhile;
//  5. files of large items are removed.
//
// A crash before 4 leaves an object that is deleted soon; one before 5 leaves a file that the next flush finds.
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
		table = t
	}
	files, err := p.commit(n, table)
	if err != nil {
		return err
	}
	for _, h := range files {
		if err := p.s.fs.Remove(p.s.path(h)); err != nil {
			return err
		}
	}
	if p.b != nil {
		p.packed++
	}
	p.b, p.whole = nil, nil
	return nil
}

// commit is step 4. It returns the blobs whose files are to be removed.
func (p *packer) commit(n *noted, t *pack.Table) (files []wire.Hash, err error) {
	p.s.moving.Lock()
	defer p.s.moving.Unlock()
	x := p.c.change()
	if t != nil {
		x.packs[p.id] = n
		x.delete(condemnedKey(n.name))
		for i := range t.Items {
			if err := p.move(x, n, &t.Items[i]); err != nil {
				return nil, err
			}
		}
	}
	var names []pack.Name
	for name, content := range p.whole {
		if still, err := p.still(name, content); err != nil {
			return nil, err
		} else if still {
			x.delete(hotKey(name))
			names = append(names, name)
		}
	}
	if err := x.write(); err != nil {
		return nil, err
	}
	for name := range p.moved {
		p.c.warm.drop(name)
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
		if places, err := p.s.places(name); err == nil && places != nil && p.s.hasFile(name.Hash) {
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
	x.bury(old, false)
	x.set(placeKey(item.Name), appendPlace(nil, here))
	if p.from == fresh {
		x.delete(hotKey(item.Name))
	}
	return nil
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
	var places []byte
	all := true
	for i := range item.Of {
		b := appendPlace(nil, here)
		if i != item.Piece {
			var err error
			if b, err = s.db.Get(pieceKey(item.Hash, i, item.Of)); err != nil {
				return err
			}
			if places, err := decodePlaces(b); err != nil || !s.cold.current(places) {
				b = nil
			}
		}
		all = all && b != nil
		places = append(places, b...)
	}
	if !all {
		x.set(pieceKey(item.Hash, item.Piece, item.Of), appendPlace(nil, here))
		return nil
	}
	old, err := s.places(item.Name)
	if err != nil {
		return err
	}
	x.bury(old, false)
	x.set(placeKey(item.Name), places)
	for i := range item.Of {
		x.delete(pieceKey(item.Hash, i, item.Of))
	}
	return nil
}

// hot tells whether a blob is in the fresh store.
func (s *Store) hot(h wire.Hash) (bool, error) {
	b, err := s.blobs.Get(h[:])
	if errors.Is(err, kv.ErrCorrupt) {
		return false, nil
	}
	return b != nil || err == nil && s.hasFile(h), err
}

func (s *Store) hasFile(h wire.Hash) bool {
	_, err := s.fs.Stat(s.path(h))
	return err == nil
}
