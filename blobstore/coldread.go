package blobstore

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"vitalog/wire"
)

// ahead is how much of a large blob is read from the cloud at once.
const ahead = 1 << 20

// coldAt reads a blob in a bucket from any place on. It holds what it read last.
type coldAt struct {
	s    *Store
	h    wire.Hash
	size int64

	mu sync.Mutex // of the following
	at int64
	b  []byte
}

// ReadAt reads as io.ReaderAt says.
func (r *coldAt) ReadAt(p []byte, at int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) {
		from := at + int64(n)
		if from >= r.size {
			return n, io.EOF
		}
		if from < r.at || from >= r.at+int64(len(r.b)) {
			b, err := r.s.readCold(blobName(r.h), from, min(r.size, from+max(ahead, int64(len(p)-n))))
			if err != nil {
				return n, fmt.Errorf("blob %v: at %d: %w", r.h, from, err)
			}
			r.at, r.b = from, b
		}
		n += copy(p[n:], r.b[from-r.at:])
	}
	return n, nil
}

// verifyCold reads all of a large blob and compares it.
func (s *Store) verifyCold(h wire.Hash) (size int64, err error) {
	r, err := s.openCold(h)
	if err != nil {
		return 0, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, r.size)); err != nil {
		return 0, err
	}
	if wire.Hash(sum.Sum(nil)) != h {
		return 0, fmt.Errorf("blob %v: %w", h, ErrCorrupt)
	}
	return r.size, nil
}

// openCold is a blob in a bucket, or ErrNotFound.
func (s *Store) openCold(h wire.Hash) (*coldAt, error) {
	size, err := s.coldSize(blobName(h))
	if err != nil {
		return nil, fmt.Errorf("blob %v: %w", h, err)
	}
	return &coldAt{s: s, h: h, size: size}, nil
}
