package envelope

import (
	"compress/flate"
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"vitalog/wire"
)

// Seal reads content from src and writes the blob to dst, in one pass and in memory that doesn't grow with it. The header commits to
// what was written: only after dst is durable may it go to the ledger.
func Seal(dst io.Writer, src io.Reader, c Context, to Locks) (*Header, error) {
	h, s := begin(c)
	if err := h.lock(s, to); err != nil {
		return nil, fmt.Errorf("sealing %v: %w", c.Record(), err)
	}
	if err := h.seal(s, dst, src); err != nil {
		return nil, err
	}
	return h, nil
}

// SealUnlocked is Seal without locks, for what takes long to seal: the locks are made with Relock when it is done, for the epoch of then.
// Until then nobody but the holder of the secret can open it.
func SealUnlocked(dst io.Writer, src io.Reader, c Context) (*Header, *Secret, error) {
	h, s := begin(c)
	if err := h.seal(s, dst, src); err != nil {
		return nil, nil, err
	}
	return h, s, nil
}

// begin draws the secret of a new envelope.
func begin(c Context) (*Header, *Secret) {
	var a, b [32]byte
	rand.Read(a[:])
	rand.Read(b[:])
	s := join(c.hash(), a, b)
	return &Header{Context: c, Com: s.com()}, s
}

func (h *Header) seal(s *Secret, dst io.Writer, src io.Reader) error {
	chunks := newChunkWriter(dst, s.content(), h.hash())
	defer chunks.release()
	if err := write(chunks, src, h.Compressed); err != nil {
		return fmt.Errorf("sealing %v: %w", h.Record(), err)
	}
	h.Padded, h.Blob = chunks.written, wire.Hash(chunks.sum.Sum(nil))
	return nil
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.DefaultCompression)
	if err != nil {
		panic("envelope: " + err.Error()) // the level is valid
	}
	return w
}}

// write is content, deflated if so wanted, and its padding.
func write(w *chunkWriter, src io.Reader, compress bool) error {
	if compress {
		d := deflaters.Get().(*flate.Writer)
		defer func() { d.Reset(io.Discard); deflaters.Put(d) }()
		d.Reset(w)
		if _, err := io.Copy(d, src); err != nil {
			return err
		}
		if err := d.Close(); err != nil {
			return err
		}
	} else if _, err := io.Copy(w, src); err != nil {
		return err
	}
	if err := w.pad(); err != nil {
		return err
	}
	return w.flush(true)
}
