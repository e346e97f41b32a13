package keyring

import (
	"bytes"
	"testing"

	"vitalog/key"
	"vitalog/section"
)

// What decodes encodes to the same bytes. The file around it is sealed, so that only its maker comes to here.
func FuzzDecodeDevice(f *testing.F) {
	owner := key.NewDecapsulating([32]byte{7}).Exchange()
	for _, d := range []*Device{
		{network: key.Network{1}, name: "wristband", section: section.PatientGenerated, log: key.Log{2}, seed: [32]byte{3}, owner: owner, home: "http://localhost:1", member: 2},
		{name: "scale", section: section.Vitals},
	} {
		f.Add(d.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := decodeDevice(b); err == nil && !bytes.Equal(d.encode(), b) {
			t.Errorf("%x decodes and encodes as %x", b, d.encode())
		}
	})
}
