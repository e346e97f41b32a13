package chart

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"vitalog/wire"
)

// ErrSum says that bytes of an attachment are not those that its author signed, although their chunks opened.
var ErrSum = errors.New("other bytes than the author's")

// Bytes reads the bytes of an attachment from any place on: io.ReadSeeker and io.ReaderAt. No byte is given of which the author's sum was
// not verified. It holds one MiB, and is for one goroutine.
type Bytes struct {
	a     *Attachment
	plain io.ReaderAt
	at    int64
	held  int // number of the sum of what is in buf; -1: none
	buf   []byte
}

// Bytes reads a's bytes out of the plaintext that the manifest came from. Whoever calls it has verified the signature.
func (a *Attachment) Bytes(plain io.ReaderAt) *Bytes { return &Bytes{a: a, plain: plain, held: -1} }

// Size is how many bytes there are.
func (b *Bytes) Size() int64 { return int64(b.a.Size) }

func (b *Bytes) Read(p []byte) (int, error) {
	n, err := b.some(p, b.at)
	b.at += int64(n)
	return n, err
}

// ReadAt reads as io.ReaderAt says. It doesn't move where Read is.
func (b *Bytes) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = b.some(p[n:], at+int64(n))
		n += more
	}
	return n, err
}

// Seek says where Read goes on.
func (b *Bytes) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.Size()
	}
	if offset < 0 {
		return b.at, fmt.Errorf("seeking to %d in an attachment", offset)
	}
	b.at = offset
	return offset, nil
}

// some reads what one sum is of, at most.
func (b *Bytes) some(p []byte, at int64) (int, error) {
	if at < 0 {
		return 0, fmt.Errorf("attachment: reading at %d", at)
	}
	if at >= b.Size() {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if i := int(at / SumSize); i != b.held {
		if err := b.hold(i); err != nil {
			return 0, fmt.Errorf("attachment: bytes from %d on: %w", int64(i)*SumSize, err)
		}
	}
	return copy(p, b.buf[at%SumSize:]), nil
}

func (b *Bytes) hold(i int) error {
	from := int64(i) * SumSize
	if b.buf == nil {
		b.buf = make([]byte, 0, min(b.Size(), SumSize))
	}
	b.held, b.buf = -1, b.buf[:min(b.Size()-from, SumSize)]
	if _, err := b.plain.ReadAt(b.buf, attachedStart+from); err != nil {
		return err
	}
	if wire.Hash(sha256.Sum256(b.buf)) != b.a.Sums[i] {
		return ErrSum
	}
	b.held = i
	return nil
}
