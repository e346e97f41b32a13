package blobstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"vitalog/blobstore"
	"vitalog/wire"
)

const large = 3 << 20

// resume goes on with the blob of that hash, and wants that much of it to be there.
func resume(t *testing.T, s *blobstore.Store, h wire.Hash, have int64) *blobstore.Writer {
	t.Helper()
	w, err := s.Resume(h)
	if err != nil {
		t.Fatal(err)
	}
	if w.Size() != have {
		t.Fatalf("there are %d bytes of it, want %d", w.Size(), have)
	}
	return w
}

func TestATransferThatIsCutGoesOnWhereItWasAlsoAfterARestart(t *testing.T) {
	dir, b := t.TempDir(), blob(large)
	h := wire.Hash(sha256.Sum256(b))
	db, s := open(t, dir)
	w := resume(t, s, h, 0)
	w.Write(b[:1_000_000])
	if _, err := s.Resume(h); !errors.Is(err, blobstore.ErrBusy) {
		t.Errorf("a second at once: got %v, want %v", err, blobstore.ErrBusy)
	}
	w.Abort()
	w = resume(t, s, h, 1_000_000)
	w.Write(b[1_000_000:2_000_001])
	w.Abort()
	if ok, err := s.Has(h); ok || err != nil {
		t.Errorf("a part of it is taken for the whole: %v, %v", ok, err)
	}
	shut(t, db, s)
	_, s = open(t, dir)
	w = resume(t, s, h, 2_000_001)
	w.Write(b[2_000_001:])
	if err := w.Expect(h); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(h, huge); err != nil || !bytes.Equal(got, b) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if names, err := os.ReadDir(filepath.Join(dir, "blobs", "parts")); err != nil || len(names) > 0 {
		t.Errorf("left in parts: %v, %v", names, err)
	}
}

func TestABeginningThatWasWrongIsThrownAwayWithTheWhole(t *testing.T) {
	_, s := open(t, t.TempDir())
	b := blob(large)
	h := wire.Hash(sha256.Sum256(b))
	w := resume(t, s, h, 0)
	w.Write(make([]byte, 1_000_000))
	w.Abort()
	w = resume(t, s, h, 1_000_000)
	w.Write(b[1_000_000:])
	if err := w.Expect(h); err == nil {
		t.Fatal("taken for the blob of that hash")
	}
	w = resume(t, s, h, 0)
	w.Write(b)
	if err := w.Expect(h); err != nil {
		t.Fatal(err)
	}
}

func TestABeginningThatNobodyNeedsIsRemovedAtAStart(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	there, deleted := blob(large), blob(large+1)
	for _, b := range [][]byte{there, deleted} {
		w := resume(t, s, sha256.Sum256(b), 0)
		w.Write(b[:100_000])
		w.Abort()
	}
	if _, err := s.Put(there); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(sha256.Sum256(deleted)); err != nil {
		t.Fatal(err)
	}
	resume(t, s, sha256.Sum256(deleted), 0).Abort()
	shut(t, db, s)
	open(t, dir)
	if names, err := os.ReadDir(filepath.Join(dir, "blobs", "parts")); err != nil || len(names) > 0 {
		t.Errorf("left in parts: %v, %v", names, err)
	}
}

func TestABlobIsReadFromAnyPlaceOn(t *testing.T) {
	_, s := open(t, t.TempDir())
	for _, n := range []int{0, 1000, blobstore.Small + 1, large} {
		b := blob(n)
		h, err := s.Put(b)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.ReaderAt(h)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(io.NewSectionReader(r, int64(n/3), int64(n))); err != nil || !bytes.Equal(got, b[n/3:]) || r.Size() != int64(n) {
			t.Errorf("of %d bytes, %d from a third on: got %d, %v", n, r.Size(), len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.ReaderAt(wire.Hash{}); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("got %v, want %v", err, blobstore.ErrNotFound)
	}
}
