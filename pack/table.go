package pack

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"vitalog/wire"
)

// Table says what is where in a pack.
type Table struct {
	Number uint64 // later packs of a member have higher ones
	Salt   [32]byte
	Items  []Item
}

func (t *Table) encode() []byte {
	var w wire.Writer
	w.U64(t.Number)
	w.U32(uint32(len(t.Items)))
	for i := range t.Items {
		x := &t.Items[i]
		w.U8(uint8(x.Kind))
		if x.Kind == Blob {
			w.Fixed(x.Hash[:])
		} else {
			w.Fixed(x.Log[:])
			w.Fixed(x.Record[:])
		}
		w.U16(x.Piece)
		w.U16(x.Of)
		w.U64(x.At)
		w.U32(x.Size)
	}
	return w.Done()
}

// sound tells whether there can be such a piece. A header is never cut.
func (x *Item) sound() bool { return x.Piece < x.Of && (x.Kind == Blob || x.Of == 1) }

// decodeTable reads a table whose items fill a body of so many bytes.
func decodeTable(b []byte, body uint64) (*Table, error) {
	r := wire.NewReader(b)
	t := &Table{Number: r.U64()}
	t.Items = make([]Item, r.Count(MaxItems, 1+32+16))
	named := make(map[Item]bool, len(t.Items))
	var at uint64
	for i := range t.Items {
		x := &t.Items[i]
		switch x.Kind = Kind(r.U8()); x.Kind {
		case Blob:
			r.Fixed(x.Hash[:])
		case Header:
			r.Fixed(x.Log[:])
			r.Fixed(x.Record[:])
		default:
			r.Fail(fmt.Errorf("an item of kind %d", x.Kind))
		}
		x.Piece, x.Of = r.U16(), r.U16()
		if r.Err() == nil && !x.sound() {
			r.Fail(fmt.Errorf("item %d is piece %d of %d", i, x.Piece, x.Of))
		}
		if named[*x] {
			r.Fail(fmt.Errorf("item %d is there twice", i))
		}
		named[*x] = true
		x.At, x.Size = r.U64(), r.U32()
		if r.Err() == nil && (x.At != at || x.Size > MaxItem) {
			r.Fail(fmt.Errorf("item %d at %d has %d bytes", i, x.At, x.Size))
		}
		at += x.Sealed()
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	if at != body {
		return nil, fmt.Errorf("items of %d bytes in a body of %d", at, body)
	}
	return t, nil
}

// TableSpan is where the sealed table of an object of so many bytes begins, from its last Tail bytes.
func TableSpan(size int64, tail []byte) (at int64, err error) {
	if size < int64(Head+Tail) || len(tail) != Tail {
		return 0, fmt.Errorf("%d bytes: %w", size, ErrForeign)
	}
	n := int64(binary.BigEndian.Uint32(tail))
	if at = size - Tail - n; n > maxTable || at < int64(Head) {
		return 0, fmt.Errorf("a table of %d bytes in %d: %w", n, size, ErrForeign)
	}
	return at, nil
}

// Table opens an object's table: head are its first Head bytes, table those from TableSpan on, without the tail.
func (k *Key) Table(head, table []byte, at int64) (*Table, error) {
	if len(head) != Head || !bytes.HasPrefix(head, []byte(magic)) {
		return nil, fmt.Errorf("it begins otherwise: %w", ErrForeign)
	}
	salt := [saltSize]byte(head[len(magic):])
	plain, err := k.cipher(salt).Open(nil, tableNonce, table, head)
	if err != nil {
		return nil, fmt.Errorf("its table doesn't open: %w", ErrForeign)
	}
	t, err := decodeTable(plain, uint64(at)-uint64(Head))
	if err != nil {
		return nil, fmt.Errorf("its table: %w", err)
	}
	t.Salt = salt
	return t, nil
}

// Open opens the table of a whole object.
func (k *Key) Open(object []byte) (*Table, error) {
	size := int64(len(object))
	if size < int64(Head+Tail) {
		return nil, fmt.Errorf("%d bytes: %w", size, ErrForeign)
	}
	at, err := TableSpan(size, object[size-Tail:])
	if err != nil {
		return nil, err
	}
	return k.Table(object[:Head], object[at:size-Tail], at)
}

// Opener opens the frames of one pack. It is safe for concurrent use.
type Opener struct{ aead cipher.AEAD }

// Opener is that of the pack with this salt.
func (k *Key) Opener(salt [32]byte) Opener { return Opener{k.cipher(salt)} }

// Span is which bytes of the object have those of the item from one to another, and how many plaintext bytes come before the first that is
// asked for. It refuses what is outside of the item.
func (p Place) Span(from, to uint32) (at, end int64, skip int, err error) {
	if from > to || to > p.Size {
		return 0, 0, 0, fmt.Errorf("bytes %d to %d of an item of %d", from, to, p.Size)
	}
	if from == to {
		return 0, 0, 0, nil
	}
	first := from / Frame
	last := (to - 1) / Frame
	begin := uint64(Head) + p.At
	at = int64(begin + uint64(first)*(Frame+Overhead))
	end = int64(min(begin+uint64(last+1)*(Frame+Overhead), begin+p.Sealed()))
	return at, end, int(from - first*Frame), nil
}

// Frames opens bytes of an object that Span told, which begin at at.
func (o Opener) Frames(b []byte, at int64) ([]byte, error) {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		n := min(len(b), Frame+Overhead)
		plain, err := o.aead.Open(out, nonce(uint64(at)), b[:n], nil)
		if err != nil {
			return nil, ErrFrame
		}
		out, b, at = plain, b[n:], at+int64(n)
	}
	return out, nil
}

// Item opens a whole item, of which b are the sealed bytes.
func (o Opener) Item(b []byte, p Place) ([]byte, error) {
	if uint64(len(b)) != p.Sealed() {
		return nil, fmt.Errorf("%d bytes of an item that takes %d: %w", len(b), p.Sealed(), ErrFrame)
	}
	return o.Frames(b, int64(uint64(Head)+p.At))
}
