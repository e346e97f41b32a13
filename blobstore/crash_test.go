package blobstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/wire"
)

// steps are a member's day on the disk. Each is acknowledged before the next begins.
var steps = []struct {
	put, delete int // size of the blob; 0: none
	header      string
}{
	{put: 100}, {put: 100_000}, {put: 700_000}, {header: "one"}, {put: 100_000}, {delete: 100_000}, {put: 200_000}, {header: "two"}, {delete: 100},
	{put: 100_000}, {put: 100},
}

// model is what must be there.
type model struct {
	blobs  map[int]bool // by size: false means deleted
	header string
}

func (m *model) do(s *blobstore.Store, i int) error {
	x := steps[i]
	switch {
	case x.put > 0:
		if _, err := s.Put(blob(x.put)); err != nil {
			return err
		}
		m.blobs[x.put] = true
	case x.delete > 0:
		if err := s.Delete(sha256.Sum256(blob(x.delete))); err != nil {
			return err
		}
		m.blobs[x.delete] = false
	default:
		if err := s.PutHeader(key.Log{1}, key.Record{1}, []byte(x.header)); err != nil {
			return err
		}
		m.header = x.header
	}
	return nil
}

// check holds a store against the model. The blob of open, the step that was under way, may be there or not.
func (m *model) check(t *testing.T, s *blobstore.Store, open int) {
	t.Helper()
	uncertain := 0
	if open < len(steps) {
		uncertain = steps[open].put + steps[open].delete
	}
	for n, there := range m.blobs {
		got, err := s.Get(sha256.Sum256(blob(n)), huge)
		switch {
		case err == nil && !bytes.Equal(got, blob(n)):
			t.Errorf("blob of %d bytes: other bytes came back", n)
		case n == uncertain && (err == nil || errors.Is(err, blobstore.ErrNotFound)):
		case there && err != nil:
			t.Errorf("blob of %d bytes: %v", n, err)
		case !there && !errors.Is(err, blobstore.ErrNotFound):
			t.Errorf("blob of %d bytes was deleted: got %v, want %v", n, err, blobstore.ErrNotFound)
		}
	}
	if got, err := s.Header(key.Log{1}, key.Record{1}); m.header != "" && (err != nil || string(got) != m.header) && string(got) != steps[min(open, len(steps)-1)].header {
		t.Errorf("header: got %q, %v, want %q", got, err, m.header)
	}
	whole(t, s)
}

// TestACrashBeforeAnyTouchOfTheDiskLosesNothingAcknowledged stops the disk before its first operation, its second and so on, keeping half of what was
// not synced, and looks at what is left.
func TestACrashBeforeAnyTouchOfTheDiskLosesNothingAcknowledged(t *testing.T) {
	for at := 0; ; at++ {
		mem := vfs.NewCrashableMem()
		var crashed *vfs.MemFS
		var left model
		var during int
		m := model{blobs: map[int]bool{}}
		n, step := 0, -1
		watched := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
			if o.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				if n == at {
					crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(at), 1))})
					left, during = m.copy(), step
				}
				n++
			}
			return nil
		}))
		db, err := kv.OpenFS(mem, "db")
		if err != nil {
			t.Fatal(err)
		}
		s, err := blobstore.OpenFS(watched, "data/blobs", db)
		if err != nil {
			t.Fatal(err)
		}
		for i := range steps {
			step = i
			if err := m.do(s, i); err != nil {
				t.Fatal(err)
			}
		}
		shut(t, db, s)
		if crashed == nil {
			t.Logf("crashed before each of %d operations", n)
			return
		}
		if at > 0 && at < 250 && at%25 != 0 {
			continue // the 256 directories of a new store are all alike
		}
		db, err = kv.OpenFS(crashed, "db")
		if err != nil {
			t.Fatalf("operation %d: %v", at, err)
		}
		if s, err = blobstore.OpenFS(crashed, "data/blobs", db); err != nil {
			t.Fatalf("operation %d: %v", at, err)
		}
		left.check(t, s, max(during, 0))
		if names, err := crashed.List("data/blobs/tmp"); err != nil || len(names) > 0 {
			t.Errorf("operation %d: tmp holds %v, %v", at, names, err)
		}
		for i := max(during, 0); i < len(steps); i++ { // the day goes on
			if err := left.do(s, i); err != nil {
				t.Errorf("operation %d: step %d after the crash: %v", at, i, err)
			}
		}
		left.check(t, s, len(steps))
		shut(t, db, s)
		if t.Failed() {
			t.Fatalf("crash before operation %d, in step %d", at, during)
		}
	}
}

func TestAFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	for at := 0; ; at++ {
		full, n := false, 0
		mem := vfs.NewMem()
		db, err := kv.OpenFS(mem, "db")
		if err != nil {
			t.Fatal(err)
		}
		s, err := blobstore.OpenFS(errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
			if !full || o.Kind.ReadOrWrite() != errorfs.OpIsWrite || o.Kind == errorfs.OpRemove || o.Kind == errorfs.OpFileClose {
				return nil
			}
			if n++; n > at {
				return syscall.ENOSPC
			}
			return nil
		})), "blobs", db)
		if err != nil {
			t.Fatal(err)
		}
		m := model{blobs: map[int]bool{}}
		for i := range 3 {
			if err := m.do(s, i); err != nil {
				t.Fatal(err)
			}
		}
		full = true
		_, err = s.Put(blob(900_000))
		if err == nil {
			t.Logf("the disk filled up before each of %d operations", at)
			shut(t, db, s)
			return
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "storing a blob of 900000 bytes: no space left on device") {
			t.Errorf("operation %d: got %v", at, err)
		}
		m.check(t, s, len(steps))
		if names, err := mem.List("blobs/tmp"); err != nil || len(names) > 0 {
			t.Errorf("operation %d: tmp holds %v, %v", at, names, err)
		}
		full = false
		if err := errors.Join(m.do(s, 4), m.do(s, 6)); err != nil {
			t.Errorf("operation %d: when there is room again: %v", at, err)
		}
		m.check(t, s, len(steps))
		shut(t, db, s)
	}
}

func TestAPutThatFailedButHappenedSucceedsWhenItIsRetried(t *testing.T) {
	mem := vfs.NewMem()
	db, err := kv.OpenFS(mem, "db")
	if err != nil {
		t.Fatal(err)
	}
	disk := &liar{FS: mem}
	s, err := blobstore.OpenFS(disk, "blobs", db)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, db, s)
	disk.lie = true
	if _, err := s.Put(blob(100_000)); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v, want %v", err, syscall.EIO)
	}
	disk.lie = false
	h, err := s.Put(blob(100_000))
	if err != nil || h != wire.Hash(sha256.Sum256(blob(100_000))) {
		t.Errorf("got %v, %v", h, err)
	}
	if all := whole(t, s); all != 1 {
		t.Errorf("got %d blobs, want 1", all)
	}
}

// liar makes a link and says that it did not.
type liar struct {
	vfs.FS
	lie bool
}

func (l *liar) Link(from, to string) error {
	err := l.FS.Link(from, to)
	if l.lie {
		return syscall.EIO
	}
	return err
}

func (m *model) copy() model {
	c := model{blobs: map[int]bool{}, header: m.header}
	for n, there := range m.blobs {
		c.blobs[n] = there
	}
	return c
}
