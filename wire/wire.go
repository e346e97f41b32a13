// Package wire is the one binary form of everything that is hashed, signed or sent between members.
//
// It promises that a value has exactly one encoding and that decoding refuses everything else: truncated input, trailing bytes,
// lengths over the stated limit and non-canonical forms. It refuses to guess: there are no optional fields and no defaults.
//
// Integers are big-endian and of fixed width, variable fields carry a 32-bit length:
//
//	Sum("vitalog/v1/rid", network, log)  =  SHA-256( 00 00 00 0e "vitalog/v1/rid"  00 00 00 20 network  00 00 00 20 log )
//
// See spec/operations.md.
package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// The ways in which input can be malformed. A decoder's caller branches on none of them; tests do.
var (
	ErrTruncated    = errors.New("truncated")
	ErrTrailing     = errors.New("trailing bytes")
	ErrOversized    = errors.New("longer than allowed")
	ErrNonCanonical = errors.New("not canonical")
)

// Hash is a SHA-256 digest.
type Hash [32]byte

// String is the digest in lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText is String's bytes, so that hashes read the same in JSON as in text.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText accepts exactly 64 lower-case hex digits.
func (h *Hash) UnmarshalText(b []byte) error { return UnmarshalHex(h[:], "", b) }

// UnmarshalHex fills dst from prefix followed by lower-case hex of exactly len(dst) bytes.
func UnmarshalHex(dst []byte, prefix string, text []byte) error {
	want := len(prefix) + hex.EncodedLen(len(dst))
	if len(text) != want || string(text[:len(prefix)]) != prefix {
		return fmt.Errorf("%q…: want %q and %d hex digits", text[:min(len(text), 12)], prefix, 2*len(dst))
	}
	out := make([]byte, len(dst))
	if _, err := hex.Decode(out, text[len(prefix):]); err != nil {
		return err
	}
	if hex.EncodeToString(out) != string(text[len(prefix):]) {
		return fmt.Errorf("hex digits: %w", ErrNonCanonical)
	}
	copy(dst, out)
	return nil
}

// Sum is SHA-256 over the domain tag and the fields, each preceded by its 32-bit length, so that no two lists of fields collide.
func Sum(domain string, fields ...[]byte) Hash {
	n := 4 + len(domain)
	for _, f := range fields {
		n += 4 + len(f)
	}
	w := Writer{b: make([]byte, 0, n)}
	w.Bytes([]byte(domain))
	for _, f := range fields {
		w.Bytes(f)
	}
	return sha256.Sum256(w.b)
}

// U64 is x as eight big-endian bytes, for use as a field of Sum.
func U64(x uint64) []byte { return binary.BigEndian.AppendUint64(nil, x) }

// Writer appends fields. The zero value is ready.
type Writer struct{ b []byte }

// Done is what was written.
func (w *Writer) Done() []byte { return w.b }

func (w *Writer) U8(x uint8)   { w.b = append(w.b, x) }
func (w *Writer) U16(x uint16) { w.b = binary.BigEndian.AppendUint16(w.b, x) }
func (w *Writer) U32(x uint32) { w.b = binary.BigEndian.AppendUint32(w.b, x) }
func (w *Writer) U64(x uint64) { w.b = binary.BigEndian.AppendUint64(w.b, x) }

// Bool writes one byte, 0 or 1.
func (w *Writer) Bool(x bool) {
	if x {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

// Fixed writes bytes whose number the reader knows.
func (w *Writer) Fixed(b []byte) { w.b = append(w.b, b...) }

// Bytes writes a 32-bit length and the bytes.
func (w *Writer) Bytes(b []byte) {
	w.U32(uint32(len(b)))
	w.b = append(w.b, b...)
}

// Reader takes fields off the front. After the first error every method returns zero values; End tells the error.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b, which it does not copy.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Fail makes the reader end with err, unless it failed before.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Err is the first error so far.
func (r *Reader) Err() error { return r.err }

// End is nil if everything was read, without error and without a rest.
func (r *Reader) End() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d %w", len(r.b), ErrTrailing)
	}
	return r.err
}

// Take returns the next n bytes, which alias the input.
func (r *Reader) Take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b) {
		r.err = fmt.Errorf("%w: want %d more bytes, have %d", ErrTruncated, n, len(r.b))
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *Reader) U8() uint8 {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *Reader) U16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *Reader) U32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *Reader) U64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Bool refuses every byte but 0 and 1.
func (r *Reader) Bool() bool {
	x := r.U8()
	if x > 1 {
		r.Fail(fmt.Errorf("flag %d: %w", x, ErrNonCanonical))
	}
	return x == 1
}

// Fixed fills dst.
func (r *Reader) Fixed(dst []byte) { copy(dst, r.Take(len(dst))) }

// Bytes reads a length of at most limit and that many bytes, which are copied.
func (r *Reader) Bytes(limit int) []byte {
	n := r.U32()
	if r.err == nil && uint64(n) > uint64(limit) {
		r.err = fmt.Errorf("field of %d bytes, at most %d: %w", n, limit, ErrOversized)
	}
	if r.err != nil {
		return nil
	}
	return append([]byte{}, r.Take(int(n))...)
}

// Count reads a 32-bit number of items, refusing more than limit and more than the rest can hold at size bytes each.
func (r *Reader) Count(limit, size int) int {
	n := r.U32()
	switch {
	case r.err != nil:
		return 0
	case uint64(n) > uint64(limit):
		r.err = fmt.Errorf("%d items, at most %d: %w", n, limit, ErrOversized)
		return 0
	case uint64(n)*uint64(size) > uint64(len(r.b)):
		r.err = fmt.Errorf("%w: %d items of %d bytes in %d bytes", ErrTruncated, n, size, len(r.b))
		return 0
	}
	return int(n)
}
