package blobstore_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// bucket keeps objects in memory. It never lets an object change, and fails when it is told to, before or after it did what it was asked.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	calls   map[string]int
	fail    func(call string) (before, after bool)
}

var errCloud = errors.New("connection reset")

func (b *bucket) call(ctx context.Context, what string, do func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.calls == nil {
		b.calls = map[string]int{}
	}
	b.calls[what]++
	before, after := false, false
	if b.fail != nil {
		before, after = b.fail(what)
	}
	if before {
		return errCloud
	}
	err := do()
	if after {
		return errCloud
	}
	return err
}

func (b *bucket) Put(ctx context.Context, name string, content []byte) error {
	return b.call(ctx, "put", func() error {
		if old, ok := b.objects[name]; ok && !bytes.Equal(old, content) {
			return errors.New("an object was to be changed")
		}
		if b.objects == nil {
			b.objects = map[string][]byte{}
		}
		b.objects[name] = bytes.Clone(content)
		return nil
	})
}

func (b *bucket) Get(ctx context.Context, name string, at, n int64) (out []byte, err error) {
	err = b.call(ctx, "get", func() error {
		o, ok := b.objects[name]
		if !ok {
			return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		from, to := min(at, int64(len(o))), int64(len(o))
		if n >= 0 {
			to = min(from+n, to)
		}
		out = bytes.Clone(o[from:to])
		return nil
	})
	return out, err
}

func (b *bucket) Delete(ctx context.Context, name string) error {
	return b.call(ctx, "delete", func() error { delete(b.objects, name); return nil })
}

func (b *bucket) Each(ctx context.Context, prefix string, f func(string, int64) error) error {
	return b.call(ctx, "list", func() error {
		for _, name := range slices.Sorted(maps.Keys(b.objects)) {
			if strings.HasPrefix(name, prefix) {
				if err := f(name, int64(len(b.objects[name]))); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (b *bucket) Close() error { return nil }

func (b *bucket) count(what string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[what]
}

// copy is the bucket as it is now.
func (b *bucket) copy() map[string][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string][]byte{}
	for name, o := range b.objects {
		out[name] = bytes.Clone(o)
	}
	return out
}

var storageKey = pack.NewKey([32]byte{42})

// losses are what a store told as lost.
type losses struct {
	blobs   []wire.Hash
	headers []blobstore.Record
}

func (l *losses) tell(blobs []wire.Hash, headers []blobstore.Record) error {
	l.blobs, l.headers = append(l.blobs, blobs...), append(l.headers, headers...)
	return nil
}

// shelf is a store on a disk that can crash, with a bucket that outlives it.
type shelf struct {
	*blobstore.Store
	disk *vfs.MemFS
	db   *kv.DB
	lost losses
}

func shelve(t testing.TB, disk *vfs.MemFS, b *bucket) *shelf {
	t.Helper()
	return shelveIn(t, disk, b)
}

func shelveIn(t testing.TB, disk *vfs.MemFS, b blobstore.Bucket) *shelf {
	t.Helper()
	s := &shelf{disk: disk}
	var err error
	if s.db, err = kv.OpenFS(disk, "db"); err != nil {
		t.Fatal(err)
	}
	if s.Store, err = blobstore.OpenFS(disk, "blobs", s.db); err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(b, storageKey, s.lost.tell); err != nil {
		t.Fatal(err)
	}
	return s
}

// crash is the store after a loss of power that took what was not synced.
func (s *shelf) crash(t testing.TB, b *bucket) *shelf {
	t.Helper()
	left := s.disk.CrashClone(vfs.CrashCloneCfg{})
	shut(t, s.db, s.Store)
	return shelve(t, left, b)
}

// load is what a store was given: blobs by their size, and headers.
type load struct {
	sizes   []int
	headers map[key.Record][]byte
}

var loaded = load{sizes: []int{0, 1, 3000, blobstore.Small, blobstore.Small + 1, 300_000, pack.MaxItem, pack.MaxItem + 1, 2*pack.MaxItem + 12345}}

func (l *load) put(s *blobstore.Store, headers int) error {
	for _, n := range l.sizes {
		if _, err := s.Put(blob(n)); err != nil {
			return err
		}
	}
	l.headers = map[key.Record][]byte{}
	for i := range headers {
		r := key.Record{byte(i), byte(i >> 8)}
		l.headers[r] = blob(2000 + i)
		if err := s.PutHeader(key.Log{byte(i % 3)}, r, l.headers[r]); err != nil {
			return err
		}
	}
	return nil
}

// has reads everything once.
func (l *load) has(t *testing.T, s *blobstore.Store) {
	t.Helper()
	for _, n := range l.sizes {
		if got, err := s.Get(sum(blob(n)), huge); err != nil || !bytes.Equal(got, blob(n)) {
			t.Errorf("Get of %d bytes: got %d, %v", n, len(got), err)
		}
	}
	for r, want := range l.headers {
		if got, err := s.Header(key.Log{r[0] % 3}, r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("header %x: got %d bytes, %v", r[:2], len(got), err)
		}
	}
}

// check reads everything in every way.
func (l *load) check(t *testing.T, s *blobstore.Store) {
	t.Helper()
	l.has(t, s)
	look := l.inspection(s)
	for r := range l.headers {
		if err := look.Header(t.Context(), key.Log{r[0] % 3}, r); err != nil {
			t.Errorf("inspecting header %x: %v", r[:2], err)
		}
	}
	for _, n := range l.sizes {
		want := blob(n)
		h := wire.Hash(sum(want))
		if size, err := s.Size(h); err != nil || size != int64(n) {
			t.Errorf("Size of %d bytes: got %d, %v", n, size, err)
		}
		if ok, err := s.Has(h); err != nil || !ok {
			t.Errorf("Has of %d bytes: got %v, %v", n, ok, err)
		}
		if size, err := s.Verify(h); err != nil || size != int64(n) {
			t.Errorf("Verify of %d bytes: got %d, %v", n, size, err)
		}
		if size, err := look.Blob(t.Context(), h); err != nil || size != int64(n) {
			t.Errorf("inspecting %d bytes: got %d, %v", n, size, err)
		}
		if _, err := s.Get(h, int64(n)-1); n > 0 && !errors.Is(err, wire.ErrOversized) {
			t.Errorf("Get of %d bytes with a lower limit: got %v", n, err)
		}
		if r, err := s.Reader(h); err != nil {
			t.Errorf("Reader of %d bytes: %v", n, err)
		} else if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Reader of %d bytes: got %d, %v", n, len(got), err)
		}
		at := rand.IntN(max(n, 1))
		if n > 0 {
			if got, err := s.Part(h, int64(at), 100_000); err != nil || !bytes.Equal(got, want[at:min(n, at+100_000)]) {
				t.Errorf("Part of %d bytes at %d: got %d, %v", n, at, len(got), err)
			}
		}
		r, err := s.ReaderAt(h)
		if err != nil {
			t.Errorf("ReaderAt of %d bytes: %v", n, err)
			continue
		}
		if got, err := io.ReadAll(io.NewSectionReader(r, int64(at), r.Size())); err != nil || !bytes.Equal(got, want[min(at, n):]) {
			t.Errorf("ReaderAt of %d bytes at %d: got %d, %v", n, at, len(got), err)
		}
		r.Close()
	}
	seen := map[wire.Hash]int64{}
	if err := s.Each(func(h wire.Hash, size int64) error { seen[h] = size; return nil }); err != nil {
		t.Error(err)
	}
	for _, n := range l.sizes {
		if size, ok := seen[sha256.Sum256(blob(n))]; !ok || size != int64(n) {
			t.Errorf("Each: of %d bytes: got %d, %v", n, size, ok)
		}
	}
}

func flush(t testing.TB, s *blobstore.Store) {
	t.Helper()
	if _, err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func sweep(t testing.TB, s *blobstore.Store) blobstore.Swept {
	t.Helper()
	found, err := s.Sweep(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// fresh counts what is on the disk and not in the bucket.
func (s *shelf) fresh(t testing.TB) (n int) {
	t.Helper()
	count := func(_, _ []byte) error { n++; return nil }
	if err := errors.Join(s.db.Prefix("blobs/b").Scan(nil, nil, count), s.db.Prefix("blobs/h").Scan(nil, nil, count)); err != nil {
		t.Fatal(err)
	}
	for i := range 256 {
		names, err := s.disk.List(fmt.Sprintf("blobs/objects/%02x", i))
		if err != nil {
			t.Fatal(err)
		}
		n += len(names)
	}
	return n
}

func blobstoreOf(t *testing.T, b *bucket, k *pack.Key) *blobstore.Store {
	t.Helper()
	_, s := open(t, t.TempDir())
	if err := s.Attach(b, k, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }

// inBucket tells whether somebody with the storage key finds content in a bucket.
func inBucket(t *testing.T, objects map[string][]byte, content []byte) bool {
	t.Helper()
	for _, o := range objects {
		table, err := storageKey.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range table.Items {
			at := uint64(pack.Head) + x.At
			got, err := storageKey.Opener(table.Salt).Item(o[at:at+x.Sealed()], x.Place)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(got, content) {
				return true
			}
		}
	}
	return false
}

func (s *shelf) put(t *testing.T, records ...blobstore.Record) {
	t.Helper()
	if err := s.PutRecords(records); err != nil {
		t.Fatal(err)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	crand.Read(b)
	return b
}
