package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/blobstore"
	"vitalog/exchange"
	"vitalog/keyring"
	"vitalog/kv"
)

// An upload comes in pieces; the disk stops before one operation after the other, with half of what wasn't synced. What was told as durable is there, the client goes on
// with other bytes behind it, and no byte of ciphertext is written over by another.
func TestACrashOfAnUploadLosesNoByteThatWasToldAsDurableAndSealsNoChunkTwice(t *testing.T) {
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "ring"), []byte("a passphrase for tests"))
	if err != nil {
		t.Fatal(err)
	}
	const length, piece, fold = 600_000, 90_000, 200_000
	was, later := make([]byte, length), make([]byte, length)
	rand.NewChaCha8([32]byte{1}).Read(was)
	rand.NewChaCha8([32]byte{2}).Read(later)
	for at := 0; ; at++ {
		mem := vfs.NewCrashableMem()
		var crashed *vfs.MemFS
		n, told, toldThen := -1<<30, int64(0), int64(0)
		var mu sync.Mutex // the database writes by itself too
		watched := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if o.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				if n == at {
					crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(at), 1))})
					toldThen = told
				}
				n++
			}
			return nil
		}))
		db, store := openStore(t, watched)
		u, err := exchange.NewUploading(ring, store, db, length, fold)
		if err != nil {
			t.Fatal(err)
		}
		count := func(from int) { mu.Lock(); n = from; mu.Unlock() }
		for count(0); told < length; {
			_, now, err := u.Take(t.Context(), func(from int64) io.Reader { return bytes.NewReader(was[from:min(from+piece, length)]) })
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			told = now
			mu.Unlock()
		}
		if got, err := u.Content(); err != nil || !bytes.Equal(got, was) {
			t.Fatalf("without a crash: got %d other bytes, %v", len(got), err)
		}
		if err := errors.Join(store.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		done := crashed == nil
		mu.Unlock()
		if done {
			t.Logf("crashed before each of %d operations", at)
			return
		}
		before := ciphertext(t, crashed)
		db, store = openStore(t, crashed)
		u = exchange.OpenUploading(ring, store, db, fold)
		var kept int64 = -1
		for told := int64(0); told < length; {
			from, to, err := u.Take(t.Context(), func(from int64) io.Reader { return bytes.NewReader(later[from:min(from+piece, length)]) })
			if err != nil {
				t.Fatalf("operation %d: after the crash, at %d: %v", at, from, err)
			}
			if kept < 0 {
				kept = from
			}
			told = to
		}
		if kept < toldThen {
			t.Errorf("operation %d: %d bytes were told as durable, %d are there", at, toldThen, kept)
		}
		after := ciphertext(t, crashed)
		got, err := u.Content()
		if err != nil || !bytes.Equal(got, append(was[:kept:kept], later[kept:]...)) {
			t.Errorf("operation %d: got %d other bytes than the first %d and then the later ones, %v", at, len(got), kept, err)
		}
		for i, b := range before {
			if b != 0 && b != after[i] { // 0: a hole that the crash left
				t.Errorf("operation %d: byte %d of the ciphertext was written over by another", at, i)
				break
			}
		}
		if err := errors.Join(store.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func openStore(t *testing.T, disk vfs.FS) (*kv.DB, *blobstore.Store) {
	t.Helper()
	db, err := kv.OpenFS(disk, "db")
	if err != nil {
		t.Fatal(err)
	}
	store, err := blobstore.OpenFS(disk, "blobs", db)
	if err != nil {
		t.Fatal(err)
	}
	return db.Prefix("member/"), store
}

// ciphertext is what a disk has of the upload.
func ciphertext(t *testing.T, disk vfs.FS) []byte {
	t.Helper()
	f, err := disk.Open("blobs/uploads/00ff.blob")
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAFullDiskLeavesAnUploadThatGoesOn(t *testing.T) {
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "ring"), []byte("a passphrase for tests"))
	if err != nil {
		t.Fatal(err)
	}
	const length = 300_000
	all := make([]byte, length)
	rand.NewChaCha8([32]byte{1}).Read(all)
	full := false
	mem := vfs.NewMem()
	db, store := openStore(t, errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if full && o.Kind == errorfs.OpFileWriteAt { // of the upload's files
			return syscall.ENOSPC
		}
		return nil
	})))
	u, err := exchange.NewUploading(ring, store, db, length, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	rest := func(from int64) io.Reader { return bytes.NewReader(all[from:min(from+110_000, length)]) }
	if _, n, err := u.Take(t.Context(), rest); n != 110_000 || err != nil {
		t.Fatal(n, err)
	}
	full = true
	if _, n, err := u.Take(t.Context(), rest); n != 110_000 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: at %d, %v", n, err)
	}
	full = false
	for n := int64(0); n < length; {
		var err error
		if _, n, err = u.Take(t.Context(), rest); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := u.Content(); err != nil || !bytes.Equal(got, all) {
		t.Errorf("got %d other bytes, %v", len(got), err)
	}
	if err := errors.Join(store.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}
