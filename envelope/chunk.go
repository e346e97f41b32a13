package envelope

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"sync"

	"vitalog/wire"
)

// chunkWriter seals a stream chunk by chunk. It holds a full chunk back until it knows whether that is the last.
type chunkWriter struct {
	dst     io.Writer
	aead    cipher.AEAD
	ctx     wire.Hash
	buf     *[ChunkSize + tagSize]byte // plaintext in the making; ciphertext after a flush
	n       int                        // plaintext bytes in buf
	index   uint64                     // of the chunk in buf
	written uint64                     // plaintext bytes taken
	sum     hash.Hash
}

var buffers = sync.Pool{New: func() any { return new([ChunkSize + tagSize]byte) }}

func newChunkWriter(dst io.Writer, aead cipher.AEAD, ctx wire.Hash) *chunkWriter {
	return &chunkWriter{dst: dst, aead: aead, ctx: ctx, buf: buffers.Get().(*[ChunkSize + tagSize]byte), sum: sha256.New()}
}

// release gives the buffer back without the plaintext that an error may have left there.
func (w *chunkWriter) release() {
	clear(w.buf[:w.n])
	buffers.Put(w.buf)
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if w.n == ChunkSize {
			if err := w.flush(false); err != nil {
				return total - len(p), err
			}
		}
		n := copy(w.buf[w.n:ChunkSize], p)
		w.n += n
		p = p[n:]
		if w.written += uint64(n); w.written > MaxPadded {
			return total - len(p), fmt.Errorf("content of more than %d bytes: %w", uint64(MaxPadded), wire.ErrOversized)
		}
	}
	return total, nil
}

// pad writes the mark and zeros.
func (w *chunkWriter) pad() error {
	var zeros [4096]byte
	left := padme(w.written+1) - w.written
	zeros[0] = padMark
	for left > 0 {
		n, err := w.Write(zeros[:min(left, uint64(len(zeros)))])
		if err != nil {
			return err
		}
		left -= uint64(n)
		zeros[0] = 0
	}
	return nil
}

func (w *chunkWriter) flush(last bool) error {
	nonce := nonce(w.index, last)
	sealed := w.aead.Seal(w.buf[:0], nonce[:], w.buf[:w.n], w.ctx[:])
	w.n = 0
	w.index++
	w.sum.Write(sealed)
	if _, err := w.dst.Write(sealed); err != nil {
		return fmt.Errorf("writing chunk %d: %w", w.index-1, err)
	}
	return nil
}

// chunkReader verifies and decrypts a blob chunk by chunk.
type chunkReader struct {
	src    io.Reader
	aead   cipher.AEAD
	ctx    wire.Hash
	left   uint64 // plaintext bytes to come
	padded uint64 // plaintext bytes in all
	blob   wire.Hash
	index  uint64
	buf    []byte
	sum    hash.Hash
}

// next is the plaintext of one chunk, valid until the next call, or io.EOF. The last chunk is given only if the blob ends with it.
func (c *chunkReader) next() ([]byte, error) {
	if c.left == 0 {
		clear(c.buf)
		return nil, io.EOF
	}
	n := min(c.left, ChunkSize)
	sealed := c.buf[:n+tagSize]
	if got, err := io.ReadFull(c.src, sealed); err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("chunk %d has %d bytes, want %d: %w", c.index, got, len(sealed), ErrBlob)
	} else if err != nil {
		return nil, fmt.Errorf("reading chunk %d: %w", c.index, err)
	}
	c.sum.Write(sealed)
	c.left -= n
	nonce := nonce(c.index, c.left == 0)
	plain, err := c.aead.Open(sealed[:0], nonce[:], sealed, c.ctx[:])
	if err != nil {
		return nil, fmt.Errorf("chunk %d: %w", c.index, ErrBlob)
	}
	c.index++
	if c.left == 0 {
		if err := c.end(); err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// end checks that the blob is over and was the one committed to.
func (c *chunkReader) end() error {
	var one [1]byte
	switch _, err := io.ReadFull(c.src, one[:]); {
	case err == nil:
		return fmt.Errorf("bytes after the last chunk: %w", ErrBlob)
	case err != io.EOF:
		return fmt.Errorf("reading after chunk %d: %w", c.index-1, err)
	case wire.Hash(c.sum.Sum(nil)) != c.blob:
		return fmt.Errorf("blob %v, want %v: %w", wire.Hash(c.sum.Sum(nil)), c.blob, ErrBlob)
	}
	return nil
}

// nonce is the chunk's number in eleven bytes and a flag on the last (STREAM, Hoang et al., CRYPTO 2015).
func nonce(index uint64, last bool) (n [12]byte) {
	binary.BigEndian.PutUint64(n[3:11], index)
	if last {
		n[11] = 1
	}
	return n
}
