package kv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func cell(t testing.TB, disk vfs.FS, path string) (*Cell, []byte) {
	t.Helper()
	c, v, err := openCell(disk, path)
	if err != nil {
		t.Fatal(err)
	}
	return c, v
}

func TestACellHoldsWhatWasPutLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cell")
	c, v := cell(t, vfs.Default, path)
	if v != nil {
		t.Fatalf("a new one holds %q", v)
	}
	for n := range 5 {
		want := bytes.Repeat([]byte{byte(n + 1)}, 1+n*MaxCell/4)
		if n == 4 {
			want = want[:MaxCell]
		}
		if err := c.Put(want); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if c, v = cell(t, vfs.Default, path); !bytes.Equal(v, want) {
			t.Fatalf("put %d bytes, got %d", len(want), len(v))
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, MaxCell+1)} {
		if err := c.Put(bad); err == nil {
			t.Errorf("took %d bytes", len(bad))
		}
	}
	c.Close()
}

// Every bit of the file counts: what was put last is there, or the cell says that it can't tell.
func TestACellThatWasAlteredIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cell")
	c, _ := cell(t, vfs.Default, path)
	for _, v := range []string{"the one before", "the newest"} {
		if err := c.Put([]byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * cellSlot {
		b := bytes.Clone(whole)
		b[i] ^= 1 << rand.IntN(8)
		write(t, path, b)
		if _, v, err := OpenCell(path); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d altered: got %q, %v", i, v, err)
		}
	}
	for name, b := range map[string][]byte{"short": whole[:2*cellSlot-1], "long": append(bytes.Clone(whole), 0), "empty": nil,
		"slots swapped": append(bytes.Clone(whole[cellSlot:]), whole[:cellSlot]...)} {
		write(t, path, b)
		if _, v, err := OpenCell(path); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %q, %v", name, v, err)
		}
	}
}

func write(t testing.TB, path string, b []byte) {
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Crashes at any moment, of a disk that keeps any part of what was not synced, sector by sector: the value is the one that was put last, or
// the one whose Put did not return.
func TestACellSurvivesCrashes(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		mem := vfs.NewCrashableMem()
		var left atomic.Int64
		left.Store(1 << 40)
		disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
			if o.Kind.ReadOrWrite() == errorfs.OpIsWrite && left.Add(-1) < 0 {
				return syscall.EIO
			}
			return nil
		}))
		c, _ := cell(t, disk, "cell")
		last, puts := "", r.IntN(6)
		for n := range puts {
			last = fmt.Sprint("value ", n)
			if err := c.Put([]byte(last)); err != nil {
				t.Fatal(err)
			}
		}
		left.Store(int64(r.IntN(2))) // the write fails, or only the sync
		unsure := "the next"
		if err := c.Put([]byte(unsure)); !errors.Is(err, syscall.EIO) {
			t.Fatalf("put on a failed disk: %v", err)
		}
		left.Store(1 << 40)
		if err := c.Put([]byte("after a failure")); !errors.Is(err, syscall.EIO) {
			t.Fatalf("put after a failure: %v", err)
		}
		again := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
		if _, v := cell(t, again, "cell"); string(v) != last && string(v) != unsure {
			t.Fatalf("seed %d: after the crash %q, want %q or %q", seed, v, last, unsure)
		}
	}
}

// What a vote costs: a value made durable, beside a file that is written anew and renamed.
func BenchmarkCell(b *testing.B) {
	c, _ := cell(b, vfs.Default, filepath.Join(b.TempDir(), "cell"))
	defer c.Close()
	value := make([]byte, 300)
	for b.Loop() {
		if err := c.Put(value); err != nil {
			b.Fatal(err)
		}
	}
}
