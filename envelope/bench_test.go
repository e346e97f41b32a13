package envelope_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"testing"

	"vitalog/envelope"
)

// Sealing is dominated by the network lock up to some 100 KiB. Opening by grant adds the release, which package threshold measures.
func BenchmarkSeal(b *testing.B) {
	w := newWorld(b)
	for _, size := range []int{1 << 10, 10 << 10, 1 << 20} {
		content, to, c := text(size), w.locks(), w.context(true)
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := envelope.Seal(io.Discard, bytes.NewReader(content), c, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	w := newWorld(b)
	for _, size := range []int{1 << 10, 10 << 10, 1 << 20} {
		for _, compressed := range []bool{true, false} {
			r := w.seal(string(text(size)), compressed)
			b.Run(fmt.Sprintf("%dKiB/compressed=%v", size>>10, compressed), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := w.byOwner(r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// text compresses about as well as FHIR JSON without its repetitions: to three quarters.
func text(n int) []byte {
	raw := make([]byte, n)
	rand.Read(raw)
	return []byte(base64.StdEncoding.EncodeToString(raw)[:n])
}
