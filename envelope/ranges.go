package envelope

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"vitalog/wire"
)

// Ranges reads an envelope's padded plaintext from any place on, chunk by chunk. It is safe for concurrent use.
type Ranges struct {
	name   string
	blob   io.ReaderAt
	aead   cipher.AEAD
	ctx    wire.Hash
	padded int64
}

// Ranges gives the plaintext of blob, with its padding, for reading in any order. Each chunk is verified, as the one of its number and of
// the committed length, before a byte of it is given: whoever sealed it had the record's key. That is all that is known, since the
// blob's hash can't be compared: who reads ranges needs the author's word on them too. It refuses compressed content.
func (h *Header) Ranges(s *Secret, blob io.ReaderAt) (*Ranges, error) {
	if err := h.openable(s); err != nil {
		return nil, err
	}
	if h.Compressed {
		return nil, fmt.Errorf("opening %v: ranges of compressed content", h.Record())
	}
	return &Ranges{name: h.Record().String(), blob: blob, aead: s.content(), ctx: h.hash(), padded: int64(h.Padded)}, nil
}

// Size is the bytes of the padded plaintext.
func (r *Ranges) Size() int64 { return r.padded }

// ReadAt reads as io.ReaderAt says. An error about a chunk wraps ErrBlob if it does not verify, and else what the blob's ReadAt returned.
func (r *Ranges) ReadAt(p []byte, at int64) (n int, err error) {
	if at < 0 {
		return 0, fmt.Errorf("opening %s: reading at %d", r.name, at)
	}
	buf := buffers.Get().(*[ChunkSize + tagSize]byte)
	defer buffers.Put(buf)
	for n < len(p) && at+int64(n) < r.padded {
		i, skip := (at+int64(n))/ChunkSize, (at+int64(n))%ChunkSize
		whole := min(r.padded-i*ChunkSize, ChunkSize)
		if skip == 0 && int64(len(p)-n) >= whole { // opened where it is wanted
			if err = r.chunk(p[n:n:n+int(whole)], buf, i); err == nil {
				n += int(whole)
			}
		} else if err = r.chunk(buf[:0], buf, i); err == nil {
			n += copy(p[n:], buf[skip:whole])
			clear(buf[:whole])
		}
		if err != nil {
			return n, fmt.Errorf("opening %s: %w", r.name, err)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// chunk appends the plaintext of chunk i to dst, which may be buf, where the ciphertext is read.
func (r *Ranges) chunk(dst []byte, buf *[ChunkSize + tagSize]byte, i int64) error {
	left := r.padded - i*ChunkSize
	sealed := buf[:min(left, ChunkSize)+tagSize]
	if n, err := r.blob.ReadAt(sealed, i*int64(len(buf))); n < len(sealed) {
		if errors.Is(err, io.EOF) {
			err = ErrBlob // shorter than its length
		}
		return fmt.Errorf("chunk %d: %w", i, err)
	}
	nonce := nonce(uint64(i), left <= ChunkSize)
	if _, err := r.aead.Open(dst, nonce[:], sealed, r.ctx[:]); err != nil {
		return fmt.Errorf("chunk %d: %w", i, ErrBlob)
	}
	return nil
}
