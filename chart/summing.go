package chart

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"vitalog/key"
	"vitalog/wire"
)

// Summing counts the bytes of an attachment, and sums them, as they come: io.Writer. The zero value has none.
type Summing struct {
	size uint64
	sums []wire.Hash
	sum  hash.Hash // of what came after those; nil: nothing did yet
}

// Size is how many bytes came.
func (s *Summing) Size() int64 { return int64(s.size) }

// Write takes bytes, or refuses more than MaxAttachment.
func (s *Summing) Write(p []byte) (int, error) {
	if s.size+uint64(len(p)) > MaxAttachment {
		return 0, fmt.Errorf("attachment of more than %d bytes: %w", uint64(MaxAttachment), wire.ErrOversized)
	}
	if s.sum == nil {
		s.sum = sha256.New()
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), SumSize-int(s.size%SumSize))
		s.sum.Write(rest[:n])
		if s.size += uint64(n); s.size%SumSize == 0 {
			s.sums = append(s.sums, wire.Hash(s.sum.Sum(nil)))
			s.sum.Reset()
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// Tail is what follows the bytes: fill, and the manifest that by signs for the record rid.
func (s *Summing) Tail(c Content, by key.Signer, rid key.Record) (*Attachment, io.Reader, error) {
	c.Author.Key = by.Public()
	a := &Attachment{Content: c, Size: s.size, Sums: s.sums}
	if s.size%SumSize != 0 {
		a.Sums = append(slices.Clip(a.Sums), wire.Hash(s.sum.Sum(nil)))
	}
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	m := a.message(rid)
	a.Signature = by.Sign(m[:])
	manifest := a.encode()
	fill := a.padded(len(manifest)) - (attachedStart + a.Size + uint64(len(manifest)) + manifestTail)
	tail := binary.BigEndian.AppendUint32(manifest, uint32(len(manifest)))
	return a, io.MultiReader(io.LimitReader(zeros{}, int64(fill)), bytes.NewReader(tail)), nil
}

// State is all that s knows, for ResumeSumming.
func (s *Summing) State() ([]byte, error) {
	var w wire.Writer
	w.U64(s.size)
	for i := range s.sums {
		w.Fixed(s.sums[i][:])
	}
	var midstate []byte
	if s.size%SumSize != 0 {
		var err error
		if midstate, err = s.sum.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
			return nil, err
		}
	}
	w.Bytes(midstate)
	return w.Done(), nil
}

// ResumeSumming goes on from a State.
func ResumeSumming(state []byte) (*Summing, error) {
	r := wire.NewReader(state)
	s := &Summing{size: r.U64()}
	if r.Err() == nil && s.size > MaxAttachment {
		r.Fail(wire.ErrOversized)
	}
	if r.Err() == nil {
		s.sums = make([]wire.Hash, s.size/SumSize)
	}
	for i := range s.sums {
		r.Fixed(s.sums[i][:])
	}
	midstate := r.Bytes(256)
	if r.Err() == nil && (len(midstate) > 0) != (s.size%SumSize != 0) {
		r.Fail(wire.ErrNonCanonical)
	}
	err := r.End()
	if err == nil && len(midstate) > 0 {
		s.sum = sha256.New()
		err = s.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(midstate)
	}
	if err != nil {
		return nil, fmt.Errorf("sums of an attachment in the making: %w", err)
	}
	return s, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
