package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"vitalog/pack"
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

func lengthOf(places []place) (n int64) {
	for _, p := range places {
		n += int64(p.Size)
	}
	return n
}

// coldSize is the length of what is cold, or ErrNotFound.
func (s *Store) coldSize(n pack.Name) (int64, error) {
	places, err := s.places(n)
	if err == nil && places == nil {
		err = ErrNotFound
	}
	return lengthOf(places), err
}

// readCold is what is cold from one byte to another, a negative to is its end: ErrNotFound if it isn't cold, ErrCorrupt if it is damaged or gone from the
// bucket, ErrAway if that doesn't answer.
func (s *Store) readCold(n pack.Name, from, to int64) ([]byte, error) {
	if s.cold != nil && from == 0 && to < 0 {
		if b := s.cold.warm.get(n); b != nil {
			return b, nil
		}
	}
	return s.readBucket(n, from, to)
}

// readBucket is readCold without what was read ahead.
func (s *Store) readBucket(n pack.Name, from, to int64) ([]byte, error) {
	places, err := s.places(n)
	if err != nil || places == nil {
		return nil, errors.Join(err, notFound(places))
	}
	for {
		b, err := s.cold.read(places, from, to)
		if !errors.Is(err, ErrCorrupt) {
			return b, err
		}
		again, placesErr := s.places(n)
		switch {
		case placesErr != nil:
			return nil, placesErr
		case again == nil: // deleted meanwhile, or put anew
			return nil, ErrNotFound
		case lengthOf(again) == lengthOf(places) && again[0] == places[0]:
			return nil, err
		}
		places = again // it was packed anew meanwhile
	}
}

func notFound(places []place) error {
	if places == nil {
		return ErrNotFound
	}
	return nil
}

func (c *cold) read(places []place, from, to int64) ([]byte, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: it is in a bucket, and none is configured", ErrAway)
	}
	if to < 0 {
		to = lengthOf(places)
	}
	out := make([]byte, 0, to-from)
	var begin int64
	for _, p := range places {
		end := begin + int64(p.Size)
		if from < end && to > begin {
			b, err := c.readPiece(p, uint32(max(from, begin)-begin), uint32(min(to, end)-begin))
			if err != nil {
				return nil, err
			}
			out = append(out, b...)
		}
		begin = end
	}
	return out, nil
}

func (c *cold) readPiece(p place, from, to uint32) ([]byte, error) {
	n := c.noted(p.pack)
	if n == nil {
		return nil, fmt.Errorf("%w: its pack is gone", ErrCorrupt)
	}
	at, end, skip, err := p.Span(from, to)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if raw := c.copy(n.name, at, end-at); raw != nil {
		if b, err := n.opener.Frames(raw, at); err == nil {
			return b[skip : skip+int(to-from)], nil
		}
	}
	raw, err := c.get(n, at, end-at)
	if err != nil {
		return nil, err
	}
	b, err := n.opener.Frames(raw, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return b[skip : skip+int(to-from)], nil
}

// get is bytes of a pack, for a read that doesn't wait long.
func (c *cold) get(n *noted, at, size int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience+time.Duration(size>>20)*patienceMiB)
	defer cancel()
	b, err := c.fetch(ctx, n, at, size)
	if err == nil && int64(len(b)) != size {
		return nil, fmt.Errorf("%w: its pack is cut", ErrCorrupt)
	}
	return b, err
}

// errNotAsked is ErrAway of a cloud that didn't answer a moment ago.
var errNotAsked = fmt.Errorf("%w: it didn't a moment ago", ErrAway)

// fetch is bytes of a pack, fewer where it ends before. A cloud that didn't answer a moment ago isn't asked.
func (c *cold) fetch(ctx context.Context, n *noted, at, size int64) ([]byte, error) {
	if c.away(true) {
		return nil, errNotAsked
	}
	began := time.Now()
	b, err := c.bucket.Get(ctx, n.object(), at, size)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		c.silent.Store(0)
		return nil, fmt.Errorf("%w: its pack is gone from the bucket", ErrCorrupt)
	case err != nil:
		c.silent.Store(time.Now().Add(min(silence, 4*time.Since(began))).UnixNano())
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	c.silent.Store(0)
	return b, nil
}

// away tells whether the cloud didn't answer a moment ago. When that is longer ago the first who is about to ask may.
func (c *cold) away(ask bool) bool {
	until, now := c.silent.Load(), time.Now()
	if until == 0 || now.UnixNano() < until {
		return until != 0
	}
	return ask && !c.silent.CompareAndSwap(until, now.Add(silence).UnixNano())
}
