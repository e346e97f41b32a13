package blobstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"vitalog/wire"
)

// Reader streams a blob. Every byte that it gives was checked: a large blob is hashed once before the first byte, and its chunks again as
// they are read, so that it needs 32 bytes of memory per 64 KiB. What is in a bucket was compared when it was packed, and opens only as it was then.
func (s *Store) Reader(h wire.Hash) (io.ReadCloser, error) {
	b, err := s.Get(h, wholeSize)
	if err == nil {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	if !errors.Is(err, wire.ErrOversized) {
		return nil, err
	}
	f, _, err := s.openFile(h)
	if errors.Is(err, ErrNotFound) {
		r, err := s.openCold(h)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(io.NewSectionReader(r, 0, r.size)), nil
	}
	if err != nil {
		return nil, err
	}
	chunks, err := chunkSums(h, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &reader{h: h, f: f, chunks: chunks}, nil
}

type file interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

type reader struct {
	h      wire.Hash
	f      file
	chunks [][32]byte // the sums of the chunks not yet read
	at     int64
	buf    [chunkSize]byte
	ready  []byte // checked, not yet given
	err    error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.ready) == 0 && r.err == nil {
		r.err = r.next()
	}
	if len(r.ready) == 0 {
		return 0, r.err
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

func (r *reader) next() error {
	if len(r.chunks) == 0 {
		return io.EOF
	}
	n, err := r.f.ReadAt(r.buf[:], r.at)
	if err != nil && err != io.EOF {
		return fmt.Errorf("blob %v: %w", r.h, err)
	}
	if sha256.Sum256(r.buf[:n]) != r.chunks[0] {
		return fmt.Errorf("blob %v: %w", r.h, ErrCorrupt)
	}
	r.ready, r.chunks, r.at = r.buf[:n], r.chunks[1:], r.at+int64(n)
	return nil
}

func (r *reader) Close() error { return r.f.Close() }

// chunkSums hashes f from where it stands, as a whole and by chunks, and compares the whole with h.
func chunkSums(h wire.Hash, f io.Reader) ([][32]byte, error) {
	whole := sha256.New()
	buf := make([]byte, chunkSize)
	var chunks [][32]byte
	for {
		n, err := io.ReadFull(f, buf)
		whole.Write(buf[:n])
		if n > 0 {
			chunks = append(chunks, sha256.Sum256(buf[:n]))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("blob %v: %w", h, err)
		}
	}
	if wire.Hash(whole.Sum(nil)) != h {
		return nil, fmt.Errorf("blob %v: %w", h, ErrCorrupt)
	}
	return chunks, nil
}

// verifyFile reads the whole object: nil, ErrCorrupt or ErrNotFound.
func (s *Store) verifyFile(h wire.Hash) error {
	f, _, err := s.openFile(h)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("blob %v: %w", h, err)
	}
	if wire.Hash(sum.Sum(nil)) != h {
		return fmt.Errorf("blob %v: %w", h, ErrCorrupt)
	}
	return nil
}
