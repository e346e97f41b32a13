package blobstore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"vitalog/kv"
	"vitalog/wire"
)

// Size is the length of a blob in bytes, or ErrNotFound, or ErrCorrupt where even that can't be read.
func (s *Store) Size(h wire.Hash) (int64, error) {
	if s.closed.Load() {
		return 0, ErrClosed
	}
	b, err := s.blobs.Get(h[:])
	if errors.Is(err, kv.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return 0, fmt.Errorf("blob %v: %w", h, err)
	}
	if b != nil {
		return int64(len(b)), nil
	}
	f, size, err := s.openFile(h)
	if errors.Is(err, ErrNotFound) {
		if size, err = s.coldSize(blobName(h)); err != nil {
			err = fmt.Errorf("blob %v: %w", h, err)
		}
		return size, err
	}
	if err != nil {
		return 0, err
	}
	return size, f.Close()
}

// Part is up to limit bytes of a blob, from at on. Every byte was checked: a large blob is hashed as a whole when its first part is asked
// for, and its chunks again as they are read.
func (s *Store) Part(h wire.Hash, at int64, limit int) ([]byte, error) {
	size, err := s.Size(h)
	if err != nil {
		return nil, err
	}
	if at < 0 || at >= size {
		return nil, fmt.Errorf("blob %v: part at %d of %d bytes: %w", h, at, size, ErrNotFound)
	}
	to := min(size, at+int64(limit))
	if size <= Small {
		b, err := s.Get(h, Small)
		if err != nil {
			return nil, err
		}
		return b[at:to], nil
	}
	f, _, err := s.openFile(h)
	if errors.Is(err, ErrNotFound) {
		if b, err := s.readCold(blobName(h), at, to); err == nil {
			return b, nil
		} else {
			return nil, fmt.Errorf("blob %v: part at %d: %w", h, at, err)
		}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sums := s.known.get(h)
	if sums == nil {
		if sums, err = chunkSums(h, f); err != nil {
			return nil, err
		}
		s.known.put(h, sums)
	}
	first, end := at/chunkSize, (to+chunkSize-1)/chunkSize
	b := make([]byte, min(end*chunkSize, size)-first*chunkSize)
	if _, err := f.ReadAt(b, first*chunkSize); err != nil && err != io.EOF {
		return nil, fmt.Errorf("blob %v: part at %d: %w", h, at, err)
	}
	next := first
	for chunk := range slices.Chunk(b, chunkSize) {
		if next >= int64(len(sums)) || sha256.Sum256(chunk) != sums[next] {
			s.known.forget(h)
			return nil, fmt.Errorf("blob %v: %w", h, ErrCorrupt)
		}
		next++
	}
	return b[at-first*chunkSize : to-first*chunkSize], nil
}

// maxKnown is how many blobs' sums are kept between two parts: 48 KiB for one of 96 MiB.
const maxKnown = 16

// known are the sums of the chunks of blobs that were hashed as a whole and are being given in parts.
type known struct {
	mu   sync.Mutex
	sums map[wire.Hash][][32]byte
	last []wire.Hash // the one put last is at the end
}

func (k *known) get(h wire.Hash) [][32]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sums[h]
}

func (k *known) put(h wire.Hash, sums [][32]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sums == nil {
		k.sums = map[wire.Hash][][32]byte{}
	}
	if k.sums[h] == nil {
		k.last = append(k.last, h)
	}
	if k.sums[h] = sums; len(k.last) > maxKnown {
		delete(k.sums, k.last[0])
		k.last = k.last[1:]
	}
}

func (k *known) forget(h wire.Hash) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.sums, h)
	k.last = slices.DeleteFunc(k.last, func(x wire.Hash) bool { return x == h })
}

// Expect commits the blob if its hash is h, and throws it away otherwise.
func (w *Writer) Expect(h wire.Hash) error {
	if got := wire.Hash(w.sum.Sum(nil)); got != h {
		w.err = errEnded // so that nothing of it is kept
		w.Abort()
		return fmt.Errorf("%d bytes have the hash %v, want %v", w.size, got, h)
	}
	_, _, err := w.Commit()
	return err
}
