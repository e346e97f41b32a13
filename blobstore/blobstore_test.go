package blobstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/wire"
)

const huge = 1 << 40

func TestABlobComesBackUnderItsHashAfterARestart(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	sizes := []int{0, 1, blobstore.Small - 1, blobstore.Small, blobstore.Small + 1, 256 << 10, 256<<10 + 1, 3 << 20, 9<<20 + 17}
	for _, n := range sizes {
		h, err := s.Put(blob(n))
		if err != nil || h != sha256.Sum256(blob(n)) {
			t.Fatalf("%d bytes: got %v, %v", n, h, err)
		}
		if again, err := s.Put(blob(n)); err != nil || again != h {
			t.Errorf("%d bytes again: got %v, %v", n, again, err)
		}
	}
	shut(t, db, s)
	_, s = open(t, dir)
	for _, n := range sizes {
		h := wire.Hash(sha256.Sum256(blob(n)))
		if got, err := s.Get(h, huge); err != nil || !bytes.Equal(got, blob(n)) {
			t.Errorf("Get: %d bytes: got %d, %v", n, len(got), err)
		}
		r, err := s.Reader(h)
		if err != nil {
			t.Fatalf("Reader: %d bytes: %v", n, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, blob(n)) {
			t.Errorf("Reader: %d bytes: got %d, %v", n, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if ok, err := s.Has(h); err != nil || !ok {
			t.Errorf("Has: %d bytes: got %v, %v", n, ok, err)
		}
		if _, err := s.Get(h, int64(n)-1); n > 0 && !errors.Is(err, wire.ErrOversized) {
			t.Errorf("%d bytes with a lower limit: got %v, want %v", n, err, wire.ErrOversized)
		}
	}
	seen := map[wire.Hash]int64{}
	if err := s.Each(func(h wire.Hash, size int64) error { seen[h] = size; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, n := range sizes {
		if h := wire.Hash(sha256.Sum256(blob(n))); seen[h] != int64(n) {
			t.Errorf("Each: %d bytes: got %d", n, seen[h])
		}
	}
	if len(seen) != len(sizes) {
		t.Errorf("Each: got %d blobs, want %d", len(seen), len(sizes))
	}
}

func TestPiecesMakeTheSameBlobAsTheWhole(t *testing.T) {
	_, s := open(t, t.TempDir())
	whole := blob(600_000)
	w := s.Create()
	r := rand.New(rand.NewPCG(1, 2))
	for rest := whole; len(rest) > 0; {
		n := min(len(rest), r.IntN(70_000))
		if got, err := w.Write(rest[:n]); err != nil || got != n {
			t.Fatalf("got %d, %v", got, err)
		}
		rest = rest[n:]
	}
	h, size, err := w.Commit()
	if err != nil || h != sha256.Sum256(whole) || size != int64(len(whole)) {
		t.Errorf("got %v of %d bytes, %v", h, size, err)
	}
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("a committed writer took more")
	}
	if _, _, err := w.Commit(); err == nil {
		t.Error("a writer was committed twice")
	}
}

func TestAnAbortedBlobLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	_, s := open(t, dir)
	for _, n := range []int{100, 600_000} {
		w := s.Create()
		if _, err := w.Write(blob(n)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		if _, _, err := w.Commit(); err == nil {
			t.Error("an aborted writer was committed")
		}
		if _, err := s.Get(sha256.Sum256(blob(n)), huge); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("%d bytes: got %v, want %v", n, err, blobstore.ErrNotFound)
		}
	}
	if left := files(t, filepath.Join(dir, "blobs", "tmp")); len(left) > 0 {
		t.Errorf("tmp holds %v", left)
	}
}

func TestADeletedBlobIsGoneAndMayBeDeletedAgain(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	for _, n := range []int{100, 100_000} {
		h, err := s.Put(blob(n))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Delete(h); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		if ok, err := s.Has(h); ok || err != nil {
			t.Errorf("%d bytes: Has: %v, %v", n, ok, err)
		}
	}
	shut(t, db, s)
	_, s = open(t, dir)
	if _, err := s.Get(sha256.Sum256(blob(100_000)), huge); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("after a restart: got %v, want %v", err, blobstore.ErrNotFound)
	}
	if _, err := s.Reader(wire.Hash{}); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("Reader of none: got %v, want %v", err, blobstore.ErrNotFound)
	}
}

func TestAHeaderIsReplacedAndDeletedByLogAndRecord(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	a, b := key.Log{1}, key.Log{2}
	rid := key.Record{3}
	for _, put := range []struct {
		log    key.Log
		header string
	}{{a, "first"}, {b, "other log"}, {a, "second"}} {
		if err := s.PutHeader(put.log, rid, []byte(put.header)); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, db, s)
	_, s = open(t, dir)
	for log, want := range map[key.Log]string{a: "second", b: "other log"} {
		if got, err := s.Header(log, rid); err != nil || string(got) != want {
			t.Errorf("%v: got %q, %v, want %q", log, got, err, want)
		}
	}
	for range 2 {
		if err := s.DeleteHeader(a, rid); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Header(a, rid); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("deleted: got %v, want %v", err, blobstore.ErrNotFound)
	}
	if got, err := s.Header(b, rid); err != nil || string(got) != "other log" {
		t.Errorf("the other log's: got %q, %v", got, err)
	}
	if err := s.PutHeader(a, rid, make([]byte, blobstore.MaxHeader+1)); !errors.Is(err, wire.ErrOversized) {
		t.Errorf("over the limit: got %v, want %v", err, wire.ErrOversized)
	}
}

func TestManyRecordsAreKeptTogether(t *testing.T) {
	_, s := open(t, t.TempDir())
	var list []blobstore.Record
	for i := range 50 {
		list = append(list, blobstore.Record{Log: key.Log{1}, ID: key.Record{byte(i)}, Header: fmt.Append(nil, i), Blob: blob(1000 * i)})
	}
	if err := s.PutRecords(list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if got, err := s.Header(r.Log, r.ID); err != nil || !bytes.Equal(got, r.Header) {
			t.Errorf("%v: got %q, %v", r.ID, got, err)
		}
		if got, err := s.Get(sha256.Sum256(r.Blob), huge); err != nil || !bytes.Equal(got, r.Blob) {
			t.Errorf("%v: blob of %d bytes: got %d, %v", r.ID, len(r.Blob), len(got), err)
		}
	}
}

func TestManyBlobsAreStoredTogetherAndDamagedOnesMended(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	if err := s.PutAll(nil); err != nil {
		t.Fatal(err)
	}
	h := wire.Hash(sha256.Sum256(blob(100)))
	if err := db.Prefix("blobs/b").Write([]kv.Change{{Key: h[:], Value: []byte("rot")}}); err != nil {
		t.Fatal(err)
	}
	all := [][]byte{blob(0), blob(100), blob(blobstore.Small + 1)}
	if err := s.PutAll(all); err != nil {
		t.Fatal(err)
	}
	shut(t, db, s)
	_, s = open(t, dir)
	for _, b := range all {
		if got, err := s.Get(sha256.Sum256(b), huge); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: got %d, %v", len(b), len(got), err)
		}
	}
}

func TestManyMayPutTheSameBlobAtOnce(t *testing.T) {
	_, s := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			n := []int{1000, 100_000}[i%2]
			if _, err := s.Put(blob(n)); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		})
	}
	wg.Wait()
	if all := whole(t, s); all != 2 {
		t.Errorf("got %d blobs, want 2", all)
	}
}

func TestDamageIsFoundNeverServedAndMendedByPut(t *testing.T) {
	for _, n := range []int{100, 100_000, 9 << 20} {
		for name, harm := range map[string]func([]byte) []byte{
			"a flipped bit":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"a lost end":      func(b []byte) []byte { return b[:len(b)-1] },
			"everything lost": func(b []byte) []byte { return b[:0] },
			"a byte too many": func(b []byte) []byte { return append(b, 0) },
		} {
			dir := t.TempDir()
			db, s := open(t, dir)
			h, err := s.Put(blob(n))
			if err != nil {
				t.Fatal(err)
			}
			damage(t, dir, db, h, harm(blob(n)))
			if got, err := s.Get(h, huge); !errors.Is(err, blobstore.ErrCorrupt) || got != nil {
				t.Errorf("%d bytes, %s: Get: got %d bytes, %v", n, name, len(got), err)
			}
			if _, err := s.Reader(h); !errors.Is(err, blobstore.ErrCorrupt) {
				t.Errorf("%d bytes, %s: Reader: got %v, want %v", n, name, err, blobstore.ErrCorrupt)
			}
			if _, err := s.Verify(h); !errors.Is(err, blobstore.ErrCorrupt) {
				t.Errorf("%d bytes, %s: Verify: got %v, want %v", n, name, err, blobstore.ErrCorrupt)
			}
			if _, err := s.Put(blob(n)); err != nil {
				t.Errorf("%d bytes, %s: Put: %v", n, name, err)
			}
			if got, err := s.Get(h, huge); err != nil || !bytes.Equal(got, blob(n)) {
				t.Errorf("%d bytes, %s: after Put: got %d bytes, %v", n, name, len(got), err)
			}
			shut(t, db, s)
		}
	}
}

// Small blobs lie in the key-value store's own files, whose blocks have checksums.
func TestASmallBlobThatRotsInTheFilesOfTheStoreIsDamagedAndMendedByPut(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	var content []byte
	var h wire.Hash
	for range 4 { // the last in the order of the keys has a block to itself
		b := make([]byte, 20<<10)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		got, err := s.Put(b)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(got[:], h[:]) > 0 {
			content, h = b, got
		}
	}
	shut(t, db, s)
	db, s = open(t, dir) // moves it from the log to a table
	shut(t, db, s)
	flipped := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".log") {
			return err
		}
		b, err := os.ReadFile(path)
		if at := bytes.Index(b, content[5000:5100]); err == nil && at >= 0 {
			b[at] ^= 1
			flipped++
			return os.WriteFile(path, b, 0o600)
		}
		return err
	})
	if err != nil || flipped == 0 {
		t.Fatalf("the blob is in %d files, %v", flipped, err)
	}
	_, s = open(t, dir)
	if got, err := s.Get(h, huge); !errors.Is(err, blobstore.ErrCorrupt) || got != nil {
		t.Errorf("got %d bytes, %v, want %v", len(got), err, blobstore.ErrCorrupt)
	}
	if again, err := s.Put(content); err != nil || again != h {
		t.Errorf("Put: %v", err)
	}
	if got, err := s.Get(h, huge); err != nil || !bytes.Equal(got, content) {
		t.Errorf("after Put: got %d bytes, %v", len(got), err)
	}
}

func TestALargeBlobThatRotsWhileItIsReadGivesNoWrongByte(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	want := blob(9 << 20)
	h, err := s.Put(want)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader(h)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first := make([]byte, 1000)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(want)
	bad[5<<20] ^= 1
	damage(t, dir, db, h, bad)
	rest, err := io.ReadAll(r)
	if !errors.Is(err, blobstore.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, blobstore.ErrCorrupt)
	}
	if got := append(first, rest...); len(got) > 5<<20 || !bytes.Equal(got, want[:len(got)]) {
		t.Errorf("read %d bytes up to the damage at %d", len(got), 5<<20)
	}
}

func TestAStoreOfANewerProgramIsRefusedWithTheReason(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	shut(t, db, s)
	if err := os.WriteFile(filepath.Join(dir, "blobs", "format"), []byte("vitalog blobs 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir)
	_, err := blobstore.Open(filepath.Join(dir, "blobs"), db)
	if err == nil || !strings.Contains(err.Error(), `format "vitalog blobs 2\n", this program reads "vitalog blobs 1\n": use a newer program`) {
		t.Errorf("got %v", err)
	}
}

func TestObjectsWithoutAFormatAreNotTakenForAStore(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	if _, err := s.Put(blob(100_000)); err != nil {
		t.Fatal(err)
	}
	shut(t, db, s)
	if err := os.Remove(filepath.Join(dir, "blobs", "format")); err != nil {
		t.Fatal(err)
	}
	if _, err := blobstore.Open(filepath.Join(dir, "blobs"), openDB(t, dir)); err == nil {
		t.Error("opened")
	}
}

func TestOnlyOneHasAStoreOpenAndAClosedOneSaysSo(t *testing.T) {
	dir := t.TempDir()
	db, s := open(t, dir)
	if _, err := blobstore.Open(filepath.Join(dir, "blobs"), db); err == nil {
		t.Error("opened twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, put := s.Put([]byte("x"))
	_, get := s.Get(wire.Hash{}, 1)
	for name, err := range map[string]error{"Put": put, "Get": get, "PutHeader": s.PutHeader(key.Log{}, key.Record{}, nil), "Delete": s.Delete(wire.Hash{}), "Close": s.Close()} {
		if !errors.Is(err, blobstore.ErrClosed) {
			t.Errorf("%s: got %v, want %v", name, err, blobstore.ErrClosed)
		}
	}
}

// blob is n bytes, the same each time.
func blob(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

// damage puts b where the blob of hash h lies.
func damage(t *testing.T, dir string, db *kv.DB, h wire.Hash, b []byte) {
	t.Helper()
	path := filepath.Join(dir, "blobs", "objects", h.String()[:2], h.String())
	_, err := os.Stat(path)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	} else {
		err = db.Write([]kv.Change{{Key: append([]byte("blobs/b"), h[:]...), Value: b}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func openDB(t testing.TB, dir string) *kv.DB {
	t.Helper()
	db, err := kv.Open(filepath.Join(dir, "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t testing.TB, dir string) (*kv.DB, *blobstore.Store) {
	t.Helper()
	db := openDB(t, dir)
	s, err := blobstore.Open(filepath.Join(dir, "blobs"), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return db, s
}

func shut(t testing.TB, db *kv.DB, s *blobstore.Store) {
	t.Helper()
	if err := errors.Join(s.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// whole counts the blobs of a store, none of which may be damaged.
func whole(t *testing.T, s *blobstore.Store) (n int) {
	t.Helper()
	err := s.Each(func(h wire.Hash, _ int64) error {
		n++
		_, err := s.Verify(h)
		return err
	})
	if err != nil {
		t.Errorf("reading every blob: %v", err)
	}
	return n
}
