package blobstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// Destroyed is what is destroyed of a record: its header, and its ciphertext if that isn't all zero.
type Destroyed struct {
	Record
	Hash wire.Hash
}

func graveKey(n pack.Name) []byte {
	return append([]byte(gravePrefix), placeKey(n)[len(placePrefix):]...)
}

// Destroy deletes headers and ciphertexts for ever: from then on they are not put again, and not taken in from a bucket that was rolled back. They are unreachable
// when it returns, and gone from the bucket and from the disk after Expunge.
func (s *Store) Destroy(records []Destroyed) error {
	if s.closed.Load() {
		return ErrClosed
	}
	graves := []kv.Change{purgeAfter()}
	for i := range records {
		r := &records[i]
		graves = append(graves, kv.Change{Key: graveKey(headerName(r.Log, r.ID)), Value: []byte{}})
		if r.Hash != (wire.Hash{}) {
			graves = append(graves, kv.Change{Key: graveKey(blobName(r.Hash)), Value: []byte{}})
		}
	}
	// First: what is put from now on is refused, and a crash leaves nothing that could come back.
	if err := s.writeMoving(graves); err != nil {
		return fmt.Errorf("destroying: %w", err)
	}
	for i := range records {
		r := &records[i]
		if err := s.DeleteHeader(r.Log, r.ID); err != nil {
			return err
		}
		if r.Hash != (wire.Hash{}) {
			if err := s.Delete(r.Hash); err != nil {
				return err
			}
		}
	}
	// Anew: a purge that is under way may have been before the deletions.
	return s.writeMoving([]kv.Change{purgeAfter()})
}

func (s *Store) writeMoving(batch []kv.Change) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	return s.db.Write(batch)
}

// toPurge is the key that stands while something destroyed may still be in the files of the key-value store.
const toPurge = "d"

// purgeAfter notes that there is something to purge, with a value that no earlier note had.
func purgeAfter() kv.Change {
	value := make([]byte, 16)
	rand.Read(value)
	return kv.Change{Key: []byte(toPurge), Value: value}
}

// purged takes the note back that a purge began with, unless something was destroyed since.
func (s *Store) purged(due []byte) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	now, err := s.db.Get([]byte(toPurge))
	if err != nil || !bytes.Equal(now, due) {
		return err
	}
	return s.db.Write([]kv.Change{{Key: []byte(toPurge)}})
}

// Expunge takes what was destroyed out of the files on the disk, and what was deleted before a time out of the bucket.
func (s *Store) Expunge(ctx context.Context, before time.Time) error {
	due, err := s.db.Get([]byte(toPurge))
	if err != nil {
		return err
	}
	if due != nil {
		for _, part := range []*kv.DB{s.blobs, s.headers} {
			if err := part.Purge(ctx); err != nil {
				return err
			}
		}
		if err := s.purged(due); err != nil {
			return err
		}
	}
	if s.cold == nil {
		return nil
	}
	_, err = s.Repack(ctx, before)
	return err
}

// ErrDestroyed says that something was destroyed, and isn't taken again.
var ErrDestroyed = errors.New("it was destroyed")

// WasDestroyed tells whether a record was, by its header or by its ciphertext: either may be zero.
func (s *Store) WasDestroyed(d Destroyed) (bool, error) {
	if d.Hash != (wire.Hash{}) {
		return s.destroyed(blobName(d.Hash))
	}
	return s.destroyed(headerName(d.Log, d.ID))
}

// destroyed tells whether something was.
func (s *Store) destroyed(n pack.Name) (bool, error) {
	b, err := s.db.Get(graveKey(n))
	return b != nil, err
}

// unlessDestroyed leaves out of a batch of fresh items what was destroyed. moving is held.
func (s *Store) unlessDestroyed(batch []kv.Change) ([]kv.Change, error) {
	graves := make([][]byte, len(batch))
	for i, c := range batch {
		kind := pack.Blob
		if c.Key[0] == headerPrefix[0] {
			kind = pack.Header
		}
		graves[i] = append([]byte(gravePrefix), byte(kind))
		graves[i] = append(graves[i], c.Key[1:]...)
	}
	for from := 0; ; {
		i, err := s.db.First(graves[from:])
		if i < 0 {
			return batch, err
		}
		from += i
		batch, graves = slices.Delete(batch, from, from+1), slices.Delete(graves, from, from+1)
	}
}
