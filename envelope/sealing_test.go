package envelope_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"vitalog/envelope"
)

// Content comes in pieces, and all is put down and taken up between any two.
func TestAnEnvelopeThatIsPutDownAndTakenUpOpensAsOne(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{0, 1, envelope.ChunkSize - 1, envelope.ChunkSize, envelope.ChunkSize + 1, 5*envelope.ChunkSize + 77} {
		plain, err := io.ReadAll(noise(int64(n)))
		if err != nil {
			t.Fatal(err)
		}
		var blob bytes.Buffer
		s := envelope.NewSealing(&blob, w.context(false))
		again := func() {
			t.Helper()
			state, err := s.State()
			if err != nil {
				t.Fatal(err)
			}
			if int64(blob.Len()) != s.Blob() {
				t.Fatalf("%d bytes of ciphertext are there, %d are told", blob.Len(), s.Blob())
			}
			s.Release()
			if s, err = envelope.ResumeSealing(&blob, state); err != nil {
				t.Fatal(err)
			}
			if back, err := s.State(); err != nil || !bytes.Equal(back, state) {
				t.Fatalf("another state came back: %v", err)
			}
		}
		for rest := plain; len(rest) > 0; {
			again()
			part := rest[:min(len(rest), 1+rand.IntN(40_000))]
			if _, err := s.Write(part); err != nil {
				t.Fatal(err)
			}
			rest = rest[len(part):]
		}
		again()
		h, secret, err := s.Finish()
		if err != nil {
			t.Fatal(err)
		}
		again()
		if h2, _, err := s.Finish(); err != nil || h2.Blob != h.Blob || h2.Padded != h.Padded || h2.Com != h.Com {
			t.Errorf("%d bytes: finished again it is another: %v", n, err)
		}
		src, err := h.Open(secret, &blob, int64(n))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(src)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: got %d others, %v", n, len(got), err)
		}
	}
}
