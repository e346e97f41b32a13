package blobstore

import (
	"errors"
	"fmt"

	"vitalog/pack"
	"vitalog/wire"
)

// Each calls f for every blob in no order that means anything, until f returns an error. Blobs that come, go or move into the bucket meanwhile may be
// missed, or come twice.
func (s *Store) Each(f func(h wire.Hash, size int64) error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	waiting := map[wire.Hash]*waitingBlob{}
	if s.cold != nil {
		_, waiting = s.cold.thatWait()
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
	if err != nil {
		return err
	}
	return s.db.Prefix(placePrefix).Scan([]byte{byte(pack.Blob)}, []byte{byte(pack.Blob) + 1}, func(k, v []byte) error {
		places, err := decodePlaces(v)
		if err != nil || len(k) != 1+len(wire.Hash{}) {
			return errors.Join(err, ErrCorrupt)
		}
		if b := waiting[wire.Hash(k[1:])]; b != nil && b.packed {
			return nil // it came already
		}
		return f(wire.Hash(k[1:]), lengthOf(places))
	})
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
	if size, err = s.verifyHot(h); errors.Is(err, ErrNotFound) {
		return s.verifyCold(h)
	}
	return size, err
}

// verifyHot is Verify for what is fresh; all else is ErrNotFound.
func (s *Store) verifyHot(h wire.Hash) (size int64, err error) {
	b, err := s.small(h)
	if b != nil || err != nil {
		return int64(len(b)), err
	}
	f, size, err := s.openFile(h)
	if err != nil {
		return 0, err
	}
	f.Close()
	return size, s.verifyFile(h)
}
