package envelope

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"

	"vitalog/wire"
)

// padMark ends the content; zeros follow.
const padMark = 0x80

// Padded is the length to which n bytes of content are padded, the mark included.
func Padded(n uint64) uint64 { return padme(n + 1) }

// padme is the least Padmé length of at least n bytes (Nikitin et al., PETS 2019): at most 12 % more, and O(log log n) bits told.
func padme(n uint64) uint64 {
	if n < 2 {
		return n
	}
	e := bits.Len64(n) - 1
	s := bits.Len(uint(e))
	mask := uint64(1)<<(e-s) - 1
	return (n + mask) &^ mask
}

// unpadder takes the mark and the zeros after it off a stream. A mark and zeros that turn out to be content are held as a number.
type unpadder struct {
	chunks chunkReader
	ready  []byte // content
	marked bool   // a mark was seen, and then only zeros
	zeros  uint64 // how many
	length uint64 // content so far
	next   []byte // plaintext that comes after the held bytes, when these turned out to be content
	err    error
}

func (u *unpadder) Read(p []byte) (int, error) {
	for len(u.ready) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.err = u.fill()
	}
	n := copy(p, u.ready)
	u.ready = u.ready[n:]
	return n, nil
}

// ReadByte makes inflating read no more than it needs.
func (u *unpadder) ReadByte() (byte, error) {
	for len(u.ready) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.err = u.fill()
	}
	b := u.ready[0]
	u.ready = u.ready[1:]
	return b, nil
}

var someZeros [4096]byte

// fill makes some content ready, or none if what it read may be padding.
func (u *unpadder) fill() error {
	if u.next != nil {
		switch {
		case u.marked:
			u.marked = false
			u.give([]byte{padMark})
		case u.zeros > 0:
			n := min(u.zeros, uint64(len(someZeros)))
			u.zeros -= n
			u.give(someZeros[:n])
		default:
			p := u.next
			u.next = nil
			u.split(p)
		}
		return nil
	}
	p, err := u.chunks.next()
	if err == io.EOF {
		if !u.marked || padme(u.length+1) != u.chunks.padded {
			return fmt.Errorf("padding: %w", wire.ErrNonCanonical)
		}
		return io.EOF
	}
	if err != nil {
		return err
	}
	if !u.marked {
		u.split(p)
	} else if len(bytes.TrimRight(p, "\x00")) == 0 {
		u.zeros += uint64(len(p))
	} else {
		u.next = p
	}
	return nil
}

// split gives p up to what may be padding.
func (u *unpadder) split(p []byte) {
	end := bytes.TrimRight(p, "\x00")
	if len(end) == 0 || end[len(end)-1] != padMark {
		u.give(p)
		return
	}
	u.marked, u.zeros = true, uint64(len(p)-len(end))
	u.give(end[:len(end)-1])
}

func (u *unpadder) give(p []byte) {
	u.ready = p
	u.length += uint64(len(p))
}
