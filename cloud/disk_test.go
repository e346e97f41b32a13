package cloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
)

type harness struct {
	system vfs.FS
	dir    string
}

func (h harness) MakeDriver(context.Context) (driver.Bucket, error) {
	return openDisk(h.system, h.dir)
}

func (h harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	return &disk{fs: h.system, dir: h.dir + "/nothing"}, nil
}

func (h harness) HTTPClient() *http.Client         { return nil }
func (h harness) SupportsCopy() bool               { return true }
func (h harness) SupportsNonSlashDelimiters() bool { return true }
func (h harness) Close()                           {}

func TestABucketInADirectoryKeepsTheContractOfDrivers(t *testing.T) {
	drivertest.RunConformanceTests(t, func(_ context.Context, t *testing.T) (drivertest.Harness, error) {
		return harness{vfs.Default, t.TempDir()}, nil
	}, nil)
}

// Objects are put and deleted by many at once until the machine loses its power in the middle of an operation of the disk. What was
// acknowledged is there on the next start, whole; what was deleted is not.
func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	const writers = 8
	least := 100000
	if testing.Short() {
		least = 5000
	}
	put, deleted, crashes := 0, 0, uint64(0)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := uint64(0); put < least; round++ {
		crashes++
		r := rand.New(rand.NewPCG(seed, round))
		mem := vfs.NewCrashableMem()
		at := 200 + r.Int64N(12000)
		var crashed *vfs.MemFS
		var operations atomic.Int64
		var stopped atomic.Bool
		var once sync.Once
		acknowledged := make([]map[string]string, writers)
		gone := make([]map[string]bool, writers)
		pending := make([]string, writers) // whose delete or put was not acknowledged
		var mu sync.Mutex                  // between acknowledging and the crash: what is noted when the power goes is what counts
		injector := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if operations.Add(1) >= at {
				once.Do(func() {
					mu.Lock()
					defer mu.Unlock()
					stopped.Store(true)
					crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: rand.New(rand.NewPCG(seed, round))})
				})
				return errors.New("no power")
			}
			return nil
		})
		var all sync.WaitGroup
		ctx := context.Background()
		b, err := Open(ctx, "file:///bucket", Options{Disk: errorfs.Wrap(mem, injector), Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		for w := range writers {
			acknowledged[w], gone[w] = map[string]string{}, map[string]bool{}
			mine := rand.New(rand.NewPCG(seed^round, uint64(w)))
			all.Go(func() {
				for n := 0; !stopped.Load(); n++ {
					name := fmt.Sprintf("packs/%02x/%d-%d", mine.IntN(64), w, n)
					content := fmt.Sprintf("%s in round %d", name, round)
					pending[w] = name
					err := b.Put(ctx, name, []byte(content))
					mu.Lock()
					if err == nil && !stopped.Load() {
						acknowledged[w][name] = content
						pending[w] = ""
					}
					mu.Unlock()
					if err != nil {
						return
					}
					if mine.IntN(10) > 0 {
						continue
					}
					for victim := range acknowledged[w] {
						mu.Lock()
						pending[w] = victim
						delete(acknowledged[w], victim)
						mu.Unlock()
						err := b.Delete(ctx, victim)
						mu.Lock()
						if err == nil && !stopped.Load() {
							gone[w][victim] = true
							pending[w] = ""
						}
						mu.Unlock()
						if err != nil {
							return
						}
						break
					}
				}
			})
		}
		all.Wait()
		b, err = Open(ctx, "file:///bucket", Options{Disk: crashed, Tries: 1})
		if err != nil {
			t.Fatalf("round %d: after the crash: %v", round, err)
		}
		listed := map[string]bool{}
		if err := b.Each(ctx, "", func(name string, _ int64) error { listed[name] = true; return nil }); err != nil {
			t.Fatal(err)
		}
		for w := range writers {
			for name, want := range acknowledged[w] {
				if got, err := b.Get(ctx, name, 0, -1); err != nil || string(got) != want || !listed[name] {
					t.Fatalf("round %d: %s was acknowledged: got %q, %v, listed %v", round, name, got, err, listed[name])
				}
			}
			for name := range gone[w] {
				if _, err := b.Get(ctx, name, 0, -1); !errors.Is(err, ErrNotFound) || listed[name] {
					t.Fatalf("round %d: %s was deleted: got %v, listed %v", round, name, err, listed[name])
				}
			}
			if name := pending[w]; name != "" {
				if got, err := b.Get(ctx, name, 0, -1); err == nil && string(got) != fmt.Sprintf("%s in round %d", name, round) {
					t.Fatalf("round %d: %s was not acknowledged and is %q: neither absent nor whole", round, name, got)
				}
			}
			put += len(acknowledged[w]) + len(gone[w])
			deleted += len(gone[w])
		}
	}
	t.Logf("%d puts and %d deletes acknowledged over %d crashes, none lost", put, deleted, crashes)
}

func TestADirectoryThatIsNoBucketIsRefused(t *testing.T) {
	ctx := context.Background()
	for name, lay := range map[string]func(vfs.FS) error{
		"something else": func(f vfs.FS) error { return writeFile(f, "/b/letter.txt", "Dear") },
		"another format": func(f vfs.FS) error { return writeFile(f, "/b/format", "vitalog bucket 2\n") },
		"objects without a format": func(f vfs.FS) error {
			return errors.Join(f.MkdirAll("/b/objects", 0o700), writeFile(f, "/b/objects/x", "x"))
		},
	} {
		mem := vfs.NewMem()
		if err := errors.Join(mem.MkdirAll("/b", 0o700), lay(mem)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(ctx, "file:///b", Options{Disk: mem}); err == nil {
			t.Errorf("%s: was opened", name)
		}
	}
}

func TestAnUnmountedDirectoryIsAwayAndNotEmpty(t *testing.T) {
	ctx := context.Background()
	mem := vfs.NewMem()
	b, err := Open(ctx, "file:///b", Options{Disk: mem, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(ctx, "packs/1", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := mem.RemoveAll("/b"); err != nil {
		t.Fatal(err)
	}
	_, got := b.Get(ctx, "packs/1", 0, -1)
	for what, err := range map[string]error{"get": got, "put": b.Put(ctx, "packs/2", []byte("2")), "delete": b.Delete(ctx, "packs/1"),
		"each": b.Each(ctx, "", func(string, int64) error { return nil })} {
		if !errors.Is(err, ErrAway) {
			t.Errorf("%s: got %v, want %v", what, err, ErrAway)
		}
	}
}

func TestAFailedWriteLeavesNothingBehind(t *testing.T) {
	ctx := context.Background()
	for at := int32(1); ; at++ {
		mem := vfs.NewMem()
		var n atomic.Int32
		var armed atomic.Bool
		injector := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if armed.Load() && op.Kind != errorfs.OpRemove && op.Kind != errorfs.OpStat && n.Add(1) == at {
				return &fs.PathError{Op: "disk", Path: op.Path, Err: errorfs.ErrInjected}
			}
			return nil
		})
		b, err := Open(ctx, "file:///b", Options{Disk: errorfs.Wrap(mem, injector), Tries: 2, Pause: 1})
		if err != nil {
			t.Fatal(err)
		}
		armed.Store(true)
		if err := b.Put(ctx, "packs/1", []byte("content")); err != nil {
			t.Fatalf("step %d failed once: %v", at, err)
		}
		if got, err := b.Get(ctx, "packs/1", 0, -1); err != nil || string(got) != "content" {
			t.Fatalf("step %d failed once: got %q, %v", at, got, err)
		}
		if left, err := mem.List("/b/tmp"); err != nil || len(left) > 0 {
			t.Errorf("step %d failed once: tmp holds %v, %v", at, left, err)
		}
		if n.Load() < at {
			if at < 5 {
				t.Errorf("only %d steps", at)
			}
			return
		}
		if b.Usage().Retries == 0 {
			t.Errorf("step %d failed once: no retry was counted", at)
		}
	}
}

func writeFile(f vfs.FS, name, content string) error {
	w, err := f.Create(name, category)
	if err != nil {
		return err
	}
	_, err = w.Write([]byte(content))
	return errors.Join(err, w.Close())
}
