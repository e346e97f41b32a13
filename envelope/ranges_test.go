package envelope_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"vitalog/envelope"
)

const sealedChunk = envelope.ChunkSize + 16

// noise is n bytes that don't compress.
func noise(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{7}), n) }

// sealedNoise is a record of n bytes of noise, not compressed, and its plaintext with the padding.
func (w *world) sealedNoise(n int) (r *record, s *envelope.Secret, plain []byte) {
	w.Helper()
	plain, err := io.ReadAll(noise(int64(n)))
	if err != nil {
		w.Fatal(err)
	}
	r = w.seal(string(plain), false)
	if s, err = r.header.ByOwner(w.patient.Private); err != nil {
		w.Fatal(err)
	}
	plain = append(plain, 0x80)
	return r, s, append(plain, make([]byte, int(r.header.Padded)-len(plain))...)
}

func TestAnyRangeOfARecordIsItsPlaintext(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{0, 1, envelope.ChunkSize - 1, envelope.ChunkSize, 3*envelope.ChunkSize + 77} {
		r, s, plain := w.sealedNoise(n)
		if got, want := envelope.Padded(uint64(n)), r.header.Padded; got != want {
			t.Errorf("%d bytes: told to be padded to %d, are to %d", n, got, want)
		}
		ranges, err := r.header.Ranges(s, bytes.NewReader(r.blob))
		if err != nil {
			t.Fatal(err)
		}
		if ranges.Size() != int64(len(plain)) {
			t.Fatalf("%d bytes: size %d, want %d", n, ranges.Size(), len(plain))
		}
		var places []int
		for c := 0; c <= len(plain); c += envelope.ChunkSize {
			places = append(places, c-1, c, c+1)
		}
		places = append(places, len(plain)-1, len(plain))
		for _, from := range places {
			for _, to := range places {
				if from < 0 || to < from || to > len(plain) {
					continue
				}
				got := make([]byte, to-from)
				if n, err := ranges.ReadAt(got, int64(from)); err != nil || n != len(got) || !bytes.Equal(got, plain[from:to]) {
					t.Errorf("bytes %d to %d: %d bytes, %v; other bytes: %v", from, to, n, err, !bytes.Equal(got, plain[from:to]))
				}
			}
		}
		if got, err := ranges.ReadAt(make([]byte, 9), int64(len(plain)-1)); got != 1 || !errors.Is(err, io.EOF) {
			t.Errorf("over the end: %d bytes, %v", got, err)
		}
		if _, err := ranges.ReadAt(make([]byte, 1), -1); err == nil {
			t.Error("before the beginning: no error")
		}
	}
}

func TestARangeHasNoByteOfAChunkThatIsNotItsOwn(t *testing.T) {
	w := newWorld(t)
	r, s, plain := w.sealedNoise(4*envelope.ChunkSize + 1000)
	other, otherSecret, _ := w.sealedNoise(4*envelope.ChunkSize + 1000)
	chunk := func(b []byte, i int) []byte { return b[i*sealedChunk : min((i+1)*sealedChunk, len(b))] }
	last := (len(plain) - 1) / envelope.ChunkSize
	for name, c := range map[string]struct {
		alter func(b []byte) []byte
		bad   []int // chunks that don't open; all others do
	}{
		"a flipped bit":               {func(b []byte) []byte { chunk(b, 1)[5] ^= 1; return b }, []int{1}},
		"a flipped bit in the tag":    {func(b []byte) []byte { chunk(b, 2)[sealedChunk-1] ^= 1; return b }, []int{2}},
		"two chunks swapped":          {func(b []byte) []byte { return slices.Concat(chunk(b, 1), chunk(b, 0), b[2*sealedChunk:]) }, []int{0, 1}},
		"a chunk twice":               {func(b []byte) []byte { copy(chunk(b, 2), chunk(b, 1)); return b }, []int{2}},
		"another record's chunk":      {func(b []byte) []byte { copy(chunk(b, 3), chunk(other.blob, 3)); return b }, []int{3}},
		"another record's last chunk": {func(b []byte) []byte { copy(chunk(b, last), chunk(other.blob, last)); return b }, []int{last}},
		"cut off in the last chunk":   {func(b []byte) []byte { return b[:len(b)-1] }, []int{last}},
		"cut off after a chunk":       {func(b []byte) []byte { return b[:2*sealedChunk] }, []int{2, 3, last}},
		"nothing":                     {func(b []byte) []byte { return nil }, []int{0, 1, 2, 3, last}},
	} {
		ranges, err := r.header.Ranges(s, bytes.NewReader(c.alter(bytes.Clone(r.blob))))
		if err != nil {
			t.Fatal(err)
		}
		for i := range last + 1 {
			want := plain[i*envelope.ChunkSize : min((i+1)*envelope.ChunkSize, len(plain))]
			got := make([]byte, len(want))
			_, err := ranges.ReadAt(got, int64(i*envelope.ChunkSize))
			switch bad := slices.Contains(c.bad, i); {
			case bad && !errors.Is(err, envelope.ErrBlob):
				t.Errorf("%s: chunk %d: got %v, want %v", name, i, err, envelope.ErrBlob)
			case bad && !bytes.Equal(got, make([]byte, len(got))):
				t.Errorf("%s: chunk %d: bytes came out", name, i)
			case !bad && (err != nil || !bytes.Equal(got, want)):
				t.Errorf("%s: chunk %d is whole and doesn't open: %v", name, i, err)
			}
		}
	}
	if _, err := r.header.Ranges(otherSecret, bytes.NewReader(r.blob)); !errors.Is(err, envelope.ErrCommitment) {
		t.Errorf("another record's secret: got %v, want %v", err, envelope.ErrCommitment)
	}
	// A header of another length, which no ledger has: what was a chunk in the middle is no last one.
	short := *r.header
	short.Padded = 2 * envelope.ChunkSize
	ranges, err := short.Ranges(s, bytes.NewReader(r.blob))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ranges.ReadAt(make([]byte, 1), envelope.ChunkSize); !errors.Is(err, envelope.ErrBlob) {
		t.Errorf("the middle taken for the end: got %v, want %v", err, envelope.ErrBlob)
	}
}

func TestCompressedContentHasNoRanges(t *testing.T) {
	w := newWorld(t)
	r := w.seal("compressed", true)
	s, err := r.header.ByOwner(w.patient.Private)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.header.Ranges(s, bytes.NewReader(r.blob)); err == nil {
		t.Error("no error")
	}
}

func TestLocksCanBeMadeAfterSealing(t *testing.T) {
	w := newWorld(t)
	var blob bytes.Buffer
	h, s, err := envelope.SealUnlocked(&blob, bytes.NewReader([]byte("first the bytes")), w.context(false))
	if err != nil {
		t.Fatal(err)
	}
	core := h.Core()
	if err := h.Relock(s, w.locks()); err != nil {
		t.Fatal(err)
	}
	if h.Core() != core {
		t.Error("locks changed the commitment")
	}
	if got, err := w.byGrant(&record{h, blob.Bytes(), commit(h)}, 0, 1, 2); err != nil || string(got) != "first the bytes" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Sealing, opening as a stream and opening by ranges of what doesn't compress, 64 MiB each time.
func BenchmarkLarge(b *testing.B) {
	const size = 64 << 20
	w := newWorld(b)
	content, err := io.ReadAll(noise(size))
	if err != nil {
		b.Fatal(err)
	}
	r := w.seal(string(content), false)
	s, err := r.header.ByOwner(w.patient.Private)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("seal", func() error {
		_, _, err := envelope.SealUnlocked(io.Discard, bytes.NewReader(content), w.context(false))
		return err
	})
	run("open", func() error {
		plain, err := r.header.Open(s, bytes.NewReader(r.blob), size)
		if err == nil {
			_, err = io.Copy(io.Discard, plain)
		}
		return err
	})
	ranges, err := r.header.Ranges(s, bytes.NewReader(r.blob))
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range []int{envelope.ChunkSize, 1 << 20} {
		p := make([]byte, step)
		run(fmt.Sprintf("ranges of %d KiB", step>>10), func() error {
			for at := 0; at < size; at += step {
				if _, err := ranges.ReadAt(p, int64(at)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
