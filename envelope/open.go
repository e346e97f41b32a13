package envelope

import (
	"compress/flate"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"vitalog/wire"
)

// ErrBlob says that a blob is not what the header says: altered, reordered, cut off, continued or another's.
var ErrBlob = errors.New("ciphertext does not verify")

// Open gives the content of blob, as s opens it. Each chunk is verified before a byte of it is read, and before a byte of the last one
// all of the blob is found to be the one committed to. Content of more than limit bytes is an error that names the limit.
func (h *Header) Open(s *Secret, blob io.Reader, limit int64) (io.Reader, error) {
	if err := h.openable(s); err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, fmt.Errorf("opening %v: limit of %d bytes", h.Record(), limit)
	}
	plain := &unpadder{chunks: chunkReader{src: blob, aead: s.content(), ctx: h.hash(), left: h.Padded, padded: h.Padded, blob: h.Blob,
		buf: make([]byte, min(h.Padded, ChunkSize)+tagSize), sum: sha256.New()}}
	c := &content{name: h.Record().String(), plain: plain, src: plain, limit: limit, left: limit}
	if h.Compressed {
		c.src = flate.NewReader(plain)
	}
	return c, nil
}

// openable refuses another envelope's secret, and a length that no seal makes.
func (h *Header) openable(s *Secret) error {
	if err := h.fits(s); err != nil {
		return fmt.Errorf("opening %v: %w", h.Record(), err)
	}
	if h.Padded == 0 || h.Padded > MaxPadded || padme(h.Padded) != h.Padded {
		return fmt.Errorf("opening %v: padded length %d: %w", h.Record(), h.Padded, wire.ErrNonCanonical)
	}
	return nil
}

// content is what the caller reads: counted, and without a rest.
type content struct {
	name        string
	plain       *unpadder
	src         io.Reader // plain, or what inflates it
	limit, left int64
	err         error
}

func (c *content) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	// One byte more than allowed is asked for, to tell an end from an excess.
	if int64(len(p))-1 > c.left {
		p = p[:c.left+1]
	}
	n, err := c.src.Read(p)
	if int64(n) > c.left {
		n, err = int(c.left), fmt.Errorf("content of more than %d bytes: %w", c.limit, wire.ErrOversized)
	}
	c.left -= int64(n)
	if err == io.EOF && c.src != io.Reader(c.plain) {
		if _, rest := c.plain.ReadByte(); rest == nil {
			err = fmt.Errorf("after the compressed content: %w", wire.ErrTrailing)
		} else {
			err = rest
		}
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("opening %s: %w", c.name, err)
	}
	c.err = err
	return n, err
}
