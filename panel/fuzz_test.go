package panel

import (
	"bytes"
	"testing"
	"time"

	"vitalog/fhir"
	"vitalog/key"
	"vitalog/section"
)

// What decodes encodes to the same bytes.

func FuzzLog(f *testing.F) {
	f.Add((&Log{Chart: "4c1d", Section: section.Labs, Log: key.Log{1}, Seen: 12, Until: 5, Lacks: []uint64{3, 11}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := decodeLog(b); err == nil && !bytes.Equal(l.encode(), b) {
			t.Errorf("got %x, want %x", l.encode(), b)
		}
	})
}

func FuzzResource(f *testing.F) {
	v := noted{entry: 12, author: key.Verifier{3}, terms: [][nameSize]byte{{1}, {2}}, dates: []fhir.Dated{{Param: "date", Interval: fhir.Interval{From: time.Unix(9, 1)}}}}
	f.Add((&resource{Chart: "4c1d", Section: section.Labs, Log: key.Log{1}, Type: "Condition", ID: "a", versions: []noted{v}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeResource(b); err == nil && !bytes.Equal(r.encode(), b) {
			t.Errorf("got %x, want %x", r.encode(), b)
		}
	})
}

func FuzzPlace(f *testing.F) {
	f.Add(place{append([]byte{kindResource}, make([]byte, 2*nameSize)...), 7}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodePlace(b); err == nil && !bytes.Equal(p.encode(), b) {
			t.Errorf("got %x, want %x", p.encode(), b)
		}
	})
}

func FuzzHead(f *testing.F) {
	f.Add([]byte{version, byte(All), 0, 0, 0, 0, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, height, err := decodeHead(b); err == nil && !bytes.Equal((&Index{mode: m}).at(height).Value, b) {
			t.Errorf("%x is mode %v at %d", b, m, height)
		}
	})
}
