package home

import (
	"bytes"
	"testing"

	"vitalog/wire"
)

func FuzzDecodeWanted(f *testing.F) {
	f.Add(make([]byte, 36))
	f.Add(append(append(make([]byte, 32), 0, 0, 0, 2), make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeWanted(b)
		if err != nil {
			return
		}
		var w wire.Writer
		w.Fixed(got.log[:])
		w.U32(uint32(len(got.records)))
		for i := range got.records {
			w.Fixed(got.records[i][:])
		}
		if !bytes.Equal(w.Done(), b) {
			t.Errorf("%x encodes again to %x", b, w.Done())
		}
	})
}

func FuzzDecodeHashes(f *testing.F) {
	f.Add(make([]byte, 4))
	f.Add(append([]byte{0, 0, 0, 2}, make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeHashes(b)
		if err != nil {
			return
		}
		var w wire.Writer
		w.U32(uint32(len(got)))
		for i := range got {
			w.Fixed(got[i][:])
		}
		if !bytes.Equal(w.Done(), b) {
			t.Errorf("%x encodes again to %x", b, w.Done())
		}
	})
}
