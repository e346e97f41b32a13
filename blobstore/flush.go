package blobstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

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
	before, began := s.cold.told.now(), time.Now()
	p := &packer{s: s, c: s.cold, from: fresh}
	s.moving.Lock()
	end := s.cold.own.begin()
	s.moving.Unlock()
	if err = s.flush(ctx, p); err == nil {
		err = p.seal(ctx)
	}
	end(err == nil)
	if err != nil {
		return p.packed, fmt.Errorf("packing what is fresh: %w", err)
	}
	return p.packed, s.shrank(before, began)
}

// flush adds headers in their order, each with its blob after it in the same pack, then the blobs that have none, then large ones.
func (s *Store) flush(ctx context.Context, p *packer) error {
	err := s.headers.Scan(nil, nil, func(k, v []byte) error {
		if len(k) != 64 {
			return fmt.Errorf("header of a name of %d bytes: %w", len(k), ErrCorrupt)
		}
		if err := p.room(ctx); err != nil {
			return err
		}
		n := headerName(key.Log(k[:32]), key.Record(k[32:]))
		own := s.cold.own.has(n)
		if err := p.add(ctx, n, bytes.Clone(v), own); err != nil {
			return err
		}
		h, err := envelope.DecodeHeader(v)
		if err != nil {
			return nil // damaged before it came: who reads it finds out
		}
		if s.rests(h.Blob) {
			return nil
		}
		b, err := s.blobs.Get(h.Blob[:])
		if err != nil || b == nil {
			return skipped(err)
		}
		return p.add(ctx, blobName(h.Blob), b, own)
	})
	if err != nil {
		return err
	}
	err = s.blobs.Scan(nil, nil, func(k, v []byte) error {
		if s.rests(wire.Hash(k)) {
			return nil
		}
		if err := p.room(ctx); err != nil {
			return err
		}
		return p.add(ctx, blobName(wire.Hash(k)), bytes.Clone(v), false)
	})
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
	if s.rests(h) {
		return nil
	}
	if size > pack.MaxItem {
		return s.flushPieces(ctx, p, h, size)
	}
	b, err := s.getFile(h, pack.MaxItem)
	if err != nil {
		return skipped(err)
	}
	if err := p.room(ctx); err != nil {
		return err
	}
	return p.add(ctx, blobName(h), b, false)
}

// flushPieces packs a large blob piece by piece. Each is noted, so that it goes on there after an error or a crash, or when some of the packs are lost.
func (s *Store) flushPieces(ctx context.Context, all *packer, h wire.Hash, size int64) error {
	if err := s.verifyFile(h); err != nil {
		return skipped(err)
	}
	name := blobName(h)
	if _, err := s.verifyCold(h); err == nil {
		all.keep(name, nil)
		return nil
	} else if errors.Is(err, ErrAway) {
		return err
	}
	before, err := s.places(name)
	if err != nil {
		return err
	}
	f, _, err := s.openFile(h)
	if err != nil {
		return skipped(err)
	}
	defer f.Close()
	of := uint16((size + pack.MaxItem - 1) / pack.MaxItem)
	for i := range of {
		if now, err := s.places(name); err != nil || now != nil && !slices.Equal(now, before) {
			return err // it is whole, with pieces that were there
		}
		if there, err := s.piece(h, i, of); err != nil {
			return err
		} else if there != nil {
			continue
		}
		at := int64(i) * pack.MaxItem
		content := make([]byte, min(pack.MaxItem, size-at))
		if _, err := f.ReadAt(content, at); err != nil {
			return err
		}
		p := &packer{s: s, c: s.cold, from: fresh}
		if err := p.begin(); err != nil {
			return err
		}
		if err := p.b.AddPiece(name, i, of, content); err != nil {
			return err
		}
		if err := p.seal(ctx); err != nil {
			return err
		}
	}
	return s.joinPieces(name, of)
}

// joinPieces notes a blob whose pieces all lie somewhere, and came to do so one by one.
func (s *Store) joinPieces(n pack.Name, of uint16) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	if _, err := s.join(x, n, of, func(i uint16) (*place, error) { return s.piece(n.Hash, i, of) }); err != nil {
		return err
	}
	return x.write()
}

func pieceKey(h wire.Hash, piece, of uint16) []byte {
	k := append([]byte(piecePrefix), h[:]...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(k, piece), of)
}

// hot tells whether a blob is in the fresh store.
func (s *Store) hot(h wire.Hash) (bool, error) {
	b, err := s.blobs.Get(h[:])
	if errors.Is(err, kv.ErrCorrupt) {
		return false, nil
	}
	return b != nil || err == nil && s.hasFile(h), err
}

// isFresh tells whether an item is in the fresh store.
func (s *Store) isFresh(n pack.Name) (bool, error) {
	if n.Kind == pack.Blob {
		return s.hot(n.Hash)
	}
	b, err := s.db.Get(hotKey(n))
	return b != nil, skipped(err)
}

func (s *Store) hasFile(h wire.Hash) bool {
	_, err := s.fs.Stat(s.path(h))
	return err == nil
}
