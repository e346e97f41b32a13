package envelope

import (
	"bytes"
	"fmt"

	"vitalog/wire"
)

// Encode is the header's only encoding.
func (h *Header) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	w.Fixed(h.Context.Network[:])
	w.Fixed(h.Log[:])
	w.Fixed(h.Writer[:])
	w.Fixed(h.Salt[:])
	w.U64(h.Created)
	w.Bool(h.Compressed)
	w.Fixed(h.Com[:])
	w.U64(h.Padded)
	w.Fixed(h.Blob[:])
	w.Bool(h.Owner != nil)
	w.Fixed(h.Owner)
	w.U8(uint8(len(h.Readers)))
	for _, l := range h.Readers {
		w.U32(l.Epoch)
		w.Fixed(l.Lock)
	}
	w.U32(h.Network.Gen)
	if h.Network.Gen != 0 {
		w.Fixed(h.Network.U[:])
		w.Fixed(h.Network.B[:])
	}
	w.Bytes(h.Author)
	return w.Done()
}

// DecodeHeader reads a header. Points and locks are not looked into.
func DecodeHeader(b []byte) (*Header, error) {
	if len(b) > MaxHeader {
		return nil, fmt.Errorf("envelope header of %d bytes, at most %d: %w", len(b), MaxHeader, wire.ErrOversized)
	}
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != Version {
		return nil, fmt.Errorf("envelope header: format version %d, this program reads %d", v, Version)
	}
	h := &Header{}
	r.Fixed(h.Context.Network[:])
	r.Fixed(h.Log[:])
	r.Fixed(h.Writer[:])
	r.Fixed(h.Salt[:])
	h.Created = r.U64()
	h.Compressed = r.Bool()
	r.Fixed(h.Com[:])
	h.Padded = r.U64()
	if r.Err() == nil && (h.Padded == 0 || h.Padded > MaxPadded || padme(h.Padded) != h.Padded) {
		r.Fail(fmt.Errorf("padded length %d: %w", h.Padded, wire.ErrNonCanonical))
	}
	r.Fixed(h.Blob[:])
	if r.Bool() {
		h.Owner = bytes.Clone(r.Take(lockSize))
	}
	h.readReaders(r)
	if gen := r.U32(); gen != 0 {
		h.Network.Gen = gen
		r.Fixed(h.Network.U[:])
		r.Fixed(h.Network.B[:])
	}
	if a := r.Bytes(MaxAuthor); len(a) > 0 {
		h.Author = a
	}
	if r.Err() == nil {
		if err := h.lockable(); err != nil {
			r.Fail(err)
		}
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("envelope header: %w", err)
	}
	return h, nil
}

func (h *Header) readReaders(r *wire.Reader) {
	n := int(r.U8())
	if n > MaxReaders {
		r.Fail(fmt.Errorf("%d reader locks, at most %d: %w", n, MaxReaders, wire.ErrOversized))
		return
	}
	last := uint32(0)
	for range n {
		l := ReaderLock{Epoch: r.U32(), Lock: bytes.Clone(r.Take(lockSize))}
		if r.Err() == nil && l.Epoch <= last {
			r.Fail(fmt.Errorf("reader lock of epoch %d after %d: %w", l.Epoch, last, wire.ErrNonCanonical))
		}
		last = l.Epoch
		h.Readers = append(h.Readers, l)
	}
}

// lockable refuses an envelope that nobody could open: half a pair of locks, or none.
func (h *Header) lockable() error {
	pair := h.Network.Gen != 0
	switch {
	case pair != (len(h.Readers) > 0 || h.Author != nil):
		return fmt.Errorf("reader or author locks without a network lock, or the reverse: %w", wire.ErrNonCanonical)
	case !pair && h.Owner == nil:
		return fmt.Errorf("no lock: %w", wire.ErrNonCanonical)
	}
	return nil
}
