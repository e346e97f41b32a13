package blobstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"vitalog/blobstore"
	"vitalog/wire"
)

func TestThePartsOfABlobMakeTheWholeAtAnotherStore(t *testing.T) {
	_, from := open(t, t.TempDir())
	_, to := open(t, t.TempDir())
	for _, n := range []int{1, 1000, blobstore.Small, 300_000} {
		h, err := from.Put(blob(n))
		if err != nil {
			t.Fatal(err)
		}
		if size, err := from.Size(h); err != nil || size != int64(n) {
			t.Errorf("got %d bytes, %v, want %d", size, err, n)
		}
		w := to.Create()
		for at := 0; at < n; {
			part, err := from.Part(h, int64(at), 70_000)
			if err != nil || len(part) == 0 {
				t.Fatalf("part at %d of %d: got %d bytes, %v", at, n, len(part), err)
			}
			w.Write(part)
			at += len(part)
		}
		if err := w.Expect(h); err != nil {
			t.Fatal(err)
		}
		if got, err := to.Get(h, huge); err != nil || !bytes.Equal(got, blob(n)) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
		if _, err := from.Part(h, int64(n), 1); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("a part behind the end: got %v, want %v", err, blobstore.ErrNotFound)
		}
	}
	if _, err := from.Size(wire.Hash{}); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("got %v, want %v", err, blobstore.ErrNotFound)
	}
}

func TestWhatIsNotTheExpectedBlobIsThrownAway(t *testing.T) {
	_, s := open(t, t.TempDir())
	for _, n := range []int{1000, 300_000} {
		w := s.Create()
		w.Write(blob(n))
		if err := w.Expect(wire.Hash{1}); err == nil {
			t.Errorf("%d bytes were taken for another blob", n)
		}
		if ok, err := s.Has(sha256.Sum256(blob(n))); ok || err != nil {
			t.Errorf("%d bytes: Has: %v, %v", n, ok, err)
		}
	}
}

func TestNoPartOfADamagedBlobIsGiven(t *testing.T) {
	for _, n := range []int{1000, 300_000} {
		for name, harm := range map[string]func([]byte) []byte{
			"a bit flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"truncated":     func(b []byte) []byte { return b[:len(b)-10] },
			"grown":         func(b []byte) []byte { return append(b, make([]byte, 100_000)...) },
		} {
			for _, begun := range []bool{false, true} { // parts were given before
				dir := t.TempDir()
				db, s := open(t, dir)
				h, err := s.Put(blob(n))
				if err != nil {
					t.Fatal(err)
				}
				if begun {
					if _, err := s.Part(h, 0, 10); err != nil {
						t.Fatal(err)
					}
				}
				damage(t, dir, db, h, harm(blob(n)))
				for at := 0; at < n; at += 70_000 {
					b, err := s.Part(h, int64(at), 70_000)
					if err == nil && !bytes.Equal(b, blob(n)[at:at+len(b)]) {
						t.Errorf("%s, begun %v: wrong bytes at %d of %d", name, begun, at, n)
					}
				}
				if _, err := s.Verify(h); !errors.Is(err, blobstore.ErrCorrupt) {
					t.Errorf("%s: got %v, want %v", name, err, blobstore.ErrCorrupt)
				}
			}
		}
	}
}
