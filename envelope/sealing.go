package envelope

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"
	"io"

	"vitalog/wire"
)

// Sealing is an envelope whose content comes over a long time: it can be put down and taken up again, also by another process. It has no
// locks, like one of SealUnlocked, and is not compressed.
//
// A chunk is sealed once its content is whole. Whoever takes up an older State must write the same content again behind it, byte for byte:
// else one nonce would be used for two contents.
type Sealing struct {
	h      *Header
	s      *Secret
	chunks *chunkWriter // nil: it is finished
}

// NewSealing draws the secret of an envelope, whose blob goes to dst.
func NewSealing(dst io.Writer, c Context) *Sealing {
	h, s := begin(c)
	return &Sealing{h, s, newChunkWriter(dst, s.content(), h.hash())}
}

// Context is the envelope's.
func (s *Sealing) Context() Context { return s.h.Context }

// Write takes content.
func (s *Sealing) Write(p []byte) (int, error) { return s.chunks.Write(p) }

// Blob is how many bytes of the blob were written.
func (s *Sealing) Blob() int64 {
	if s.chunks == nil {
		return int64(s.h.Padded + (s.h.Padded+ChunkSize-1)/ChunkSize*tagSize)
	}
	return int64(s.chunks.index) * (ChunkSize + tagSize)
}

// Finish pads the content and writes the rest of the blob. A second call only gives the same again.
func (s *Sealing) Finish() (*Header, *Secret, error) {
	if s.chunks != nil {
		if err := s.chunks.pad(); err != nil {
			return nil, nil, err
		}
		if err := s.chunks.flush(true); err != nil {
			return nil, nil, err
		}
		s.h.Padded, s.h.Blob = s.chunks.written, wire.Hash(s.chunks.sum.Sum(nil))
		s.Release()
	}
	h := *s.h
	return &h, s.s, nil
}

// Release lets go of memory. What was not finished is not used after it.
func (s *Sealing) Release() {
	if s.chunks != nil {
		s.chunks.release()
		s.chunks = nil
	}
}

const sealingVersion = 1

// State is all that there is to know, the secret and up to a chunk of content among it: whoever keeps it seals it.
func (s *Sealing) State() ([]byte, error) {
	var w wire.Writer
	w.U8(sealingVersion)
	w.Fixed(s.h.Context.Network[:])
	w.Fixed(s.h.Log[:])
	w.Fixed(s.h.Writer[:])
	w.Fixed(s.h.Salt[:])
	w.U64(s.h.Created)
	w.Fixed(s.s.a[:])
	w.Fixed(s.s.b[:])
	w.Bool(s.chunks == nil)
	if s.chunks == nil {
		w.U64(s.h.Padded)
		w.Fixed(s.h.Blob[:])
		return w.Done(), nil
	}
	sum, err := s.chunks.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, err
	}
	w.U64(s.chunks.written)
	w.Bytes(s.chunks.buf[:s.chunks.n])
	w.Bytes(sum)
	return w.Done(), nil
}

// ResumeSealing takes up what State gave. The blob goes on at dst, behind the bytes that Blob tells.
func ResumeSealing(dst io.Writer, state []byte) (*Sealing, error) {
	r := wire.NewReader(state)
	if v := r.U8(); r.Err() == nil && v != sealingVersion {
		return nil, fmt.Errorf("an envelope in the making: version %d, this program reads %d", v, sealingVersion)
	}
	var c Context
	r.Fixed(c.Network[:])
	r.Fixed(c.Log[:])
	r.Fixed(c.Writer[:])
	r.Fixed(c.Salt[:])
	c.Created = r.U64()
	var a, b [32]byte
	r.Fixed(a[:])
	r.Fixed(b[:])
	secret := join(c.hash(), a, b)
	s := &Sealing{&Header{Context: c, Com: secret.com()}, secret, nil}
	finished := r.Bool()
	length := r.U64()
	if finished {
		r.Fixed(s.h.Blob[:])
		if s.h.Padded = length; r.Err() == nil && (length == 0 || length > MaxPadded || padme(length) != length) {
			r.Fail(fmt.Errorf("padded length %d: %w", length, wire.ErrNonCanonical))
		}
		return s, r.End()
	}
	pending, midstate := r.Bytes(ChunkSize), r.Bytes(256)
	if r.Err() == nil && (length > MaxPadded || length < uint64(len(pending)) || (length-uint64(len(pending)))%ChunkSize != 0 || length > 0 && len(pending) == 0) {
		r.Fail(fmt.Errorf("content of %d bytes with %d to be sealed: %w", length, len(pending), wire.ErrNonCanonical))
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("an envelope in the making: %w", err)
	}
	sum := sha256.New()
	if err := sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(midstate); err != nil {
		return nil, fmt.Errorf("an envelope in the making: %w", err)
	}
	s.chunks = resumeChunks(dst, s, sum, length, pending)
	return s, nil
}

func resumeChunks(dst io.Writer, s *Sealing, sum hash.Hash, length uint64, pending []byte) *chunkWriter {
	w := newChunkWriter(dst, s.s.content(), s.h.hash())
	w.sum, w.written, w.n = sum, length, copy(w.buf[:], pending)
	w.index = (length - uint64(len(pending))) / ChunkSize
	return w
}
