package kv_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/kv"
)

func TestWhatWasWrittenIsThereAfterClosingAndInItsOwnPartOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db := open(t, dir)
	a, b := db.Prefix("a/"), db.Prefix("b/")
	write(t, a, "k", "in a", "empty", "")
	write(t, b, "k", "in b")
	if err := a.Write([]kv.Change{{Key: []byte("gone"), Value: []byte("x")}, {Key: []byte("gone")}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	defer db.Close()
	for _, c := range []struct {
		part *kv.DB
		key  string
		want []byte
	}{{db.Prefix("a/"), "k", []byte("in a")}, {db.Prefix("b/"), "k", []byte("in b")}, {db.Prefix("a/"), "empty", []byte{}},
		{db.Prefix("a/"), "gone", nil}, {db.Prefix("c/"), "k", nil}, {db.Prefix("a").Prefix("/"), "k", []byte("in a")}} {
		got, err := c.part.Get([]byte(c.key))
		if err != nil || string(got) != string(c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: got %q, %v, want %q", c.key, got, err, c.want)
		}
	}
}

func TestScanAndIterateKeepToTheirRangeAndPart(t *testing.T) {
	db := open(t, t.TempDir())
	defer db.Close()
	write(t, db.Prefix("a/"), "z", "other part")
	write(t, db.Prefix("c/"), "a", "other part")
	p := db.Prefix("b/")
	write(t, p, "1", "x", "2", "x", "3", "x", "\xff\xff", "x")
	for _, c := range []struct {
		from, to, want, down string
	}{{"", "", "123\xff\xff", "\xff\xff321"}, {"2", "", "23\xff\xff", "\xff\xff32"}, {"2", "3", "2", "2"}, {"3", "2", "", ""}} {
		var from, to []byte
		if c.from != "" {
			from = []byte(c.from)
		}
		if c.to != "" {
			to = []byte(c.to)
		}
		var up, down string
		if err := p.Scan(from, to, func(k, _ []byte) error { up += string(k); return nil }); err != nil {
			t.Fatal(err)
		}
		i, err := p.Iterate(from, to, true)
		if err != nil {
			t.Fatal(err)
		}
		for ; i.Valid(); i.Next() {
			down += string(i.Key())
		}
		if err := errors.Join(i.Err(), i.Close()); err != nil {
			t.Fatal(err)
		}
		if up != c.want || down != c.down {
			t.Errorf("[%q,%q): got %q up, %q down, want %q, %q", c.from, c.to, up, down, c.want, c.down)
		}
	}
	stop := errors.New("enough")
	if err := p.Scan(nil, nil, func(_, _ []byte) error { return stop }); err != stop {
		t.Errorf("got %v, want the caller's error", err)
	}
}

// Tables are filtered on every level, and what was written over or deleted is found as it is now.
func TestFirstFindsTheFirstKeyThatHasAValueInItsOwnPartOnly(t *testing.T) {
	db := open(t, t.TempDir())
	defer db.Close()
	p, other := db.Prefix("p/"), db.Prefix("q/")
	var many, absent [][]byte
	for i := range 20_000 {
		k, a := fmt.Sprint("k", i), fmt.Sprint("a", i)
		many, absent = append(many, []byte(k)), append(absent, []byte(a))
		if err := errors.Join(p.WriteLater(change(k, strings.Repeat("filler", 500))), other.WriteLater(change(a, ""))); err != nil { // several tables' worth
			t.Fatal(err)
		}
	}
	write(t, p, "empty", "")
	if err := p.Write([]kv.Change{{Key: many[7]}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		keys [][]byte
		want int
	}{{nil, -1}, {absent, -1}, {many[7:8], -1}, {many[7:9], 1}, {slices.Concat(absent, many[19_999:]), 20_000}, {many, 0}, {[][]byte{[]byte("k"), []byte("empty")}, 1}} {
		if got, err := p.First(c.keys); err != nil || got != c.want {
			t.Errorf("of %d keys: got %d, %v, want %d", len(c.keys), got, err, c.want)
		}
	}
}

func TestAnotherFormatIsRefusedWithTheReason(t *testing.T) {
	for version, want := range map[byte]string{
		1: "format version 1, this program reads 2: use the program that wrote it, or begin with a new directory",
		3: "format version 3, this program reads 2: use a newer program",
	} {
		dir := t.TempDir()
		db := open(t, dir)
		if v, err := db.Get([]byte("\x00format")); err != nil || !bytes.Equal(v, []byte{0, 2}) {
			t.Fatalf("a new store says %x, %v, want 0002", v, err)
		}
		if err := db.Write([]kv.Change{{Key: []byte("\x00format"), Value: []byte{0, version}}}); err != nil {
			t.Fatal(err)
		}
		db.Close()
		for range 2 { // the refusal changes nothing
			_, err := kv.Open(dir)
			if want := "store in " + dir + ": " + want; err == nil || err.Error() != want {
				t.Fatalf("got %v, want %s", err, want)
			}
		}
	}
}

func TestTwoProcessesDoNotShareADirectory(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	defer db.Close()
	if second, err := kv.Open(dir); err == nil {
		second.Close()
		t.Fatal("a second opening succeeded")
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	db := open(t, t.TempDir())
	db.Close()
	_, errGet := db.Get([]byte("k"))
	_, errIter := db.Iterate(nil, nil, false)
	_, errFirst := db.First([][]byte{[]byte("k")})
	for _, err := range []error{errGet, errIter, errFirst, db.Close(), db.Write(change("k", "v")), db.WriteLater(change("k", "v"))} {
		if err != kv.ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
	}
}

// The disk is full at the n-th change, for every n that occurs; then power fails. What Write said to be durable is there, and nothing
// is there by half.
func TestAFullDiskIsAnErrorAndLosesNothingThatWasWritten(t *testing.T) {
	for n := int64(0); ; n++ {
		if finished := fillUp(t, n); finished {
			if n < 20 {
				t.Fatalf("only %d changes of the disk were tried", n)
			}
			return
		}
	}
}

func fillUp(t *testing.T, n int64) (finished bool) {
	mem := vfs.NewCrashableMem()
	var left atomic.Int64
	left.Store(n)
	full := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if o.Kind.ReadOrWrite() == errorfs.OpIsWrite && o.Kind != errorfs.OpFilePreallocate && left.Add(-1) < 0 {
			return syscall.ENOSPC
		}
		return nil
	}))
	const batches = 12
	written := -1
	if db, err := kv.OpenFS(full, "db"); err == nil {
		for i := range batches {
			if err := db.Write(pair(i)); err != nil {
				if !errors.Is(err, syscall.ENOSPC) || !errors.Is(db.Failed(), syscall.ENOSPC) {
					t.Fatalf("change %d: got %v, want no space", n, err)
				}
				if err := db.WriteLater(pair(i)); err == nil {
					t.Fatalf("change %d: a write after the failure succeeded", n)
				}
				break
			}
			written = i
		}
		for i := range written + 1 { // reads go on
			if v, err := db.Get(fmt.Appendf(nil, "a%d", i)); err != nil || v == nil {
				t.Fatalf("change %d: reading pair %d after the failure: %q, %v", n, i, v, err)
			}
		}
		db.Close()
	}
	db, err := kv.OpenFS(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, uint64(n)))}), "db")
	if err != nil {
		t.Fatalf("change %d: opening after the crash: %v", n, err)
	}
	defer db.Close()
	for i := range batches {
		a, errA := db.Get(fmt.Appendf(nil, "a%d", i))
		b, errB := db.Get(fmt.Appendf(nil, "b%d", i))
		if errA != nil || errB != nil || (a == nil) != (b == nil) || i <= written && a == nil {
			t.Fatalf("change %d, %d pairs written: pair %d is %v, %v (%v, %v)", n, written+1, i, a != nil, b != nil, errA, errB)
		}
	}
	return written == batches-1 && left.Load() >= 0
}

// Tables are flushed in the background when the disk is full: it must neither end the process nor hang Close.
func TestADiskThatFillsDuringAFlushLeavesTheStoreReadable(t *testing.T) {
	var full atomic.Bool
	db, err := kv.OpenFS(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(o errorfs.Op) error {
		if full.Load() && o.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	})), "db")
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1<<20)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if w == 0 && i == 20 {
					full.Store(true)
				}
				if db.WriteLater([]kv.Change{{Key: fmt.Appendf(nil, "%d/%d", w, i), Value: value}}) != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if v, err := db.Get([]byte("0/3")); err != nil || len(v) != len(value) {
		t.Errorf("reading after the failure: %d bytes, %v", len(v), err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkWriteFromManyCallers(b *testing.B) {
	db := open(b, b.TempDir())
	defer db.Close()
	var n atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := db.Write(change(fmt.Sprint(n.Add(1)), "one hundred bytes of value or so")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func open(t testing.TB, dir string) *kv.DB {
	t.Helper()
	db, err := kv.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func write(t testing.TB, db *kv.DB, pairs ...string) {
	t.Helper()
	var batch []kv.Change
	for i := 0; i < len(pairs); i += 2 {
		batch = append(batch, change(pairs[i], pairs[i+1])...)
	}
	if err := db.Write(batch); err != nil {
		t.Fatal(err)
	}
}

func change(k, v string) []kv.Change { return []kv.Change{{Key: []byte(k), Value: []byte(v)}} }

func pair(i int) []kv.Change {
	return append(change(fmt.Sprint("a", i), fmt.Sprint(i)), change(fmt.Sprint("b", i), fmt.Sprint(i))...)
}

func TestWhatIsDeletedAndPurgedIsInNoFile(t *testing.T) {
	dir := t.TempDir()
	db, err := kv.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	secret := bytes.Repeat([]byte("a secret"), 50)
	part := db.Prefix("part/")
	if err := part.Write([]kv.Change{{Key: []byte("k"), Value: secret}, {Key: []byte("stays"), Value: []byte("here")}}); err != nil {
		t.Fatal(err)
	}
	holding := func() (n, logs int) {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, secret[:24]) {
				n++
			}
			if filepath.Ext(f) == ".log" {
				logs++
			}
		}
		return n, logs
	}
	if n, _ := holding(); n == 0 {
		t.Fatal("the search doesn't find what is there")
	}
	for range 3 { // as often as one likes: old logs don't pile up
		if err := part.Write([]kv.Change{{Key: []byte("k")}}); err != nil {
			t.Fatal(err)
		}
		if err := part.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n, logs := holding(); n > 0 || logs > 7 {
		t.Errorf("%d files still have it, and there are %d logs", n, logs)
	}
	if v, err := part.Get([]byte("stays")); err != nil || string(v) != "here" {
		t.Errorf("got %q, %v", v, err)
	}
}
