package blobstore

import (
	"errors"
	"fmt"

	"vitalog/wire"
)

// Each calls f for every blob in no order that means anything, until f returns an error. Blobs that come or go meanwhile may be missed.
func (s *Store) Each(f func(h wire.Hash, size int64) error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	err := s.blobs.Scan(nil, nil, func(k, v []byte) error {
		if len(k) != len(wire.Hash{}) {
			return fmt.Errorf("blob store: key of %d bytes", len(k))
		}
		return f(wire.Hash(k), int64(len(v)))
	})
	for i := 0; i < 256 && err == nil; i++ {
		err = s.eachFile(byte(i), f)
	}
	return err
}

func (s *Store) eachFile(first byte, f func(wire.Hash, int64) error) error {
	names, err := s.fs.List(s.objects(first))
	if err != nil {
		return err
	}
	for _, n := range names {
		var h wire.Hash
		if err := h.UnmarshalText([]byte(n)); err != nil {
			return fmt.Errorf("blob store: object %w", err)
		}
		st, err := s.fs.Stat(s.path(h))
		if err != nil {
			continue // deleted meanwhile
		}
		if err := f(h, st.Size()); err != nil {
			return err
		}
	}
	return nil
}

// Verify reads the blob, compares it with its hash and returns its size: ErrNotFound if it is absent, ErrCorrupt if it is damaged. It needs
// little memory, however large the blob is.
func (s *Store) Verify(h wire.Hash) (size int64, err error) {
	b, err := s.Get(h, wholeSize)
	if !errors.Is(err, wire.ErrOversized) {
		return int64(len(b)), err
	}
	f, size, err := s.openFile(h)
	if err != nil {
		return 0, err
	}
	f.Close()
	return size, s.verifyFile(h)
}
