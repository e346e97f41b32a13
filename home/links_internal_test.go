package home

import (
	"bytes"
	"strings"
	"testing"

	"vitalog/grant"
	"vitalog/key"
)

func FuzzDecodeOpening(f *testing.F) {
	f.Add([]byte(`{"recipient":"Dr. Ruiz","passcode":"402958","embeddedLengthMax":100}`))
	f.Add([]byte(`{"recipient":"` + strings.Repeat("ü", 200) + `"}`))
	to, by := key.NewDecapsulating([32]byte{1}).Exchange(), key.NewSigning([32]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := decodeOpening(b)
		if err != nil {
			return
		}
		d := grant.Detail{Name: q.recipient, Machine: true, Purpose: linkPurpose}
		if _, err := d.Seal(to, by, grant.Use{}); err != nil || q.recipient == "" || q.embedded < -1 {
			t.Errorf("what %q says does not go into a row: %v", b, err)
		}
	})
}

func FuzzDecodeLinkState(f *testing.F) {
	f.Add((&linkState{grant: 7, wrong: 2, message: []byte("sealed")}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeLinkState(b); err == nil && !bytes.Equal(s.encode(), b) {
			t.Errorf("%x encodes again to %x", b, s.encode())
		}
	})
}
