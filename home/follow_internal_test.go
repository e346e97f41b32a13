package home

import (
	"bytes"
	"testing"
)

func FuzzDecodeKnown(f *testing.F) {
	f.Add(append([]byte{0, 0, 0, 1}, make([]byte, 40)...))
	f.Add(append(append([]byte{0, 0, 0, 2}, make([]byte, 40)...), append([]byte{1}, make([]byte, 39)...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		known, err := decodeKnown(b)
		if err == nil && !bytes.Equal(encodeKnown(known), b) {
			t.Errorf("%x encodes again to %x", b, encodeKnown(known))
		}
	})
}

func FuzzDecodeNews(f *testing.F) {
	f.Add(make([]byte, eventLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeNews(b)
		if err == nil && !bytes.Equal(encodeNews(n), b) {
			t.Errorf("%x encodes again to %x", b, encodeNews(n))
		}
	})
}
