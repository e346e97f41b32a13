package blobstore

import (
	"bytes"
	"errors"
	"io"

	"vitalog/wire"
)

// ReaderAt reads a blob from any place on. It is safe for concurrent use until Close.
type ReaderAt struct {
	io.ReaderAt
	size  int64
	close func() error
}

// ReaderAt opens a blob for reading in any order. One of up to Small bytes was compared with its hash; of a larger one nothing is
// verified, for that would take reading all of it: it is for ciphertext, each chunk of which its record's key verifies.
func (s *Store) ReaderAt(h wire.Hash) (*ReaderAt, error) {
	b, err := s.Get(h, Small)
	if err == nil {
		return &ReaderAt{bytes.NewReader(b), int64(len(b)), func() error { return nil }}, nil
	}
	if !errors.Is(err, wire.ErrOversized) {
		return nil, err
	}
	f, size, err := s.openFile(h)
	if errors.Is(err, ErrNotFound) {
		r, err := s.openCold(h)
		if err != nil {
			return nil, err
		}
		return &ReaderAt{r, r.size, func() error { return nil }}, nil
	}
	if err != nil {
		return nil, err
	}
	return &ReaderAt{f, size, f.Close}, nil
}

// Size is the blob's bytes.
func (r *ReaderAt) Size() int64 { return r.size }

// Close lets go of the blob.
func (r *ReaderAt) Close() error { return r.close() }
