package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"vitalog/wire"
)

// ErrBusy says that the blob is on its way already.
var ErrBusy = errors.New("on its way already")

// maxParts is how many unfinished blobs are kept over a restart.
const maxParts = 64

// arriving are the blobs on their way from other members.
type arriving struct {
	mu     sync.Mutex
	hashes map[wire.Hash]chan struct{} // closed when it ends
}

// Resume begins a large blob that comes from elsewhere and whose hash is known, or goes on where it was cut: Size tells how much is there.
// To be ended with Expect or Abort; Abort keeps what has come, also over a restart, unless it could not be written. What was kept is
// trusted only when the whole has its hash. One blob has one such writer at a time, a second is ErrBusy; of one that was destroyed none comes.
func (s *Store) Resume(h wire.Hash) (*Writer, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	s.arriving.mu.Lock()
	defer s.arriving.mu.Unlock()
	if s.arriving.hashes[h] != nil {
		return nil, fmt.Errorf("blob %v: %w", h, ErrBusy)
	}
	s.moving.RLock()
	defer s.moving.RUnlock()
	if gone, err := s.destroyed(blobName(h)); gone || err != nil {
		return nil, fmt.Errorf("blob %v: %w", h, errors.Join(err, ErrDestroyed))
	}
	w := s.Create()
	w.name, w.resumes = s.partPath(h), &h
	f, err := s.fs.OpenReadWrite(w.name, category)
	if err == nil {
		w.f = f
		if w.size, err = io.Copy(w.sum, f); err != nil { // it now stands at its end, where Write goes on
			f.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("blob %v: resuming: %w", h, err)
	}
	if s.arriving.hashes == nil {
		s.arriving.hashes = map[wire.Hash]chan struct{}{}
	}
	s.arriving.hashes[h] = make(chan struct{})
	return w, nil
}

// Arrival waits until nobody writes the blob that Resume was asked for, whether it has come or not.
func (s *Store) Arrival(ctx context.Context, h wire.Hash) error {
	s.arriving.mu.Lock()
	c := s.arriving.hashes[h]
	s.arriving.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Size is how many bytes the blob has so far.
func (w *Writer) Size() int64 { return w.size }

// keep leaves what has come for a later Resume.
func (w *Writer) keep() error {
	err := w.spill()
	if err == nil {
		err = w.f.Sync() // not needed for truth, but a crash would make all of it worthless
	}
	return errors.Join(err, w.f.Close())
}

// arrived lets the next Resume in.
func (w *Writer) arrived() {
	if w.resumes != nil {
		w.s.arriving.mu.Lock()
		close(w.s.arriving.hashes[*w.resumes])
		delete(w.s.arriving.hashes, *w.resumes)
		w.s.arriving.mu.Unlock()
		w.resumes = nil
	}
}

func (s *Store) partPath(h wire.Hash) string { return s.fs.PathJoin(s.dir, "parts", h.String()) }

// tidyParts removes what is there as a whole, what no blob is called, and what is too many.
func (s *Store) tidyParts() error {
	dir := s.fs.PathJoin(s.dir, "parts")
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names, err := s.fs.List(dir)
	if err != nil {
		return err
	}
	kept := 0
	for _, n := range names {
		var h wire.Hash
		if h.UnmarshalText([]byte(n)) == nil && kept < maxParts {
			if _, err := s.fs.Stat(s.path(h)); errors.Is(err, fs.ErrNotExist) {
				kept++
				continue
			}
		}
		if err := s.fs.Remove(s.fs.PathJoin(dir, n)); err != nil {
			return err
		}
	}
	return nil
}
