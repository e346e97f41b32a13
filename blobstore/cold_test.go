package blobstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestWhatIsPackedReadsAsBeforeAndIsInTheBucketAlone(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := loaded
	if err := l.put(s.Store, 50); err != nil {
		t.Fatal(err)
	}
	l.check(t, s.Store)
	flush(t, s.Store)
	if n := s.fresh(t); n != 0 {
		t.Errorf("%d things are still fresh", n)
	}
	l.check(t, s.Store)
	before := b.count("put")
	flush(t, s.Store)
	if n := b.count("put"); n != before {
		t.Errorf("nothing is fresh, and %d objects were put", n-before)
	}
	if err := l.put(s.Store, 50); err != nil { // again, of which nothing is to be packed again
		t.Fatal(err)
	}
	flush(t, s.Store)
	if n := b.count("put"); n != before || s.fresh(t) != 0 {
		t.Errorf("all was there, and %d objects were put; %d things are fresh", n-before, s.fresh(t))
	}
	s = s.crash(t, b)
	l.check(t, s.Store)
	if found := sweep(t, s.Store); found.Packs != len(b.objects) || found.Lost+found.Adopted+found.Deleted+found.Foreign != 0 {
		t.Errorf("the listing found %+v of %d objects", found, len(b.objects))
	}
	shut(t, s.db, s.Store)
}

func TestTheIndexComesBackFromTheBucketAlone(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := loaded
	if err := l.put(s.Store, 50); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	changed := key.Record{7}
	l.headers[changed] = []byte("a newer header")
	if err := s.PutHeader(key.Log{1}, changed, l.headers[changed]); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	shut(t, s.db, s.Store)

	b.objects["packs/zz"], b.objects["packs/00/"+strings.Repeat("00", 32)] = []byte("rubbish"), []byte("no pack, and named like one: vitalog pack 1, say, or so")
	s = shelve(t, vfs.NewCrashableMem(), b)
	if found := sweep(t, s.Store); found.Adopted != len(b.objects)-2 || found.Foreign != 2 || found.Lost+found.Deleted != 0 {
		t.Errorf("found %+v of %d objects", found, len(b.objects))
	}
	l.check(t, s.Store)
	if found := sweep(t, s.Store); found.Packs != len(b.objects)-2 || found.Adopted+found.Deleted+found.Lost != 0 {
		t.Errorf("found again %+v", found)
	}
	if found, err := s.Reindex(t.Context()); err != nil || found.Adopted != len(b.objects)-2 || found.Lost+found.Deleted != 0 {
		t.Errorf("told anew: %+v, %v", found, err)
	}
	l.check(t, s.Store)
	if found, err := blobstoreOf(t, b, pack.NewKey([32]byte{43})).Sweep(t.Context()); err != nil || found.Adopted != 0 || found.Foreign != len(b.objects) {
		t.Errorf("with another member's key: %+v, %v", found, err)
	}
	shut(t, s.db, s.Store)
}

func blobstoreOf(t *testing.T, b *bucket, k *pack.Key) *blobstore.Store {
	t.Helper()
	_, s := open(t, t.TempDir())
	if err := s.Attach(b, k, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// Every call to the bucket fails once, before or after it did what it was asked, and the process dies there; or the disk crashes after the
// call. What was acknowledged is there at once, and after it goes on there is no object too many.
func TestACrashAtAnyCallOfTheBucketLosesNothing(t *testing.T) {
	for _, how := range []string{"failed", "failed but happened", "died after"} {
		for at := 0; ; at++ {
			b := &bucket{}
			s := shelve(t, vfs.NewCrashableMem(), b)
			l := load{sizes: []int{1, 3000, blobstore.Small + 1, pack.MaxItem + 1}}
			if err := l.put(s.Store, 5); err != nil {
				t.Fatal(err)
			}
			n, reached := 0, false
			var left *vfs.MemFS
			b.fail = func(string) (before, after bool) {
				if n++; n-1 != at {
					return left != nil, false // a process that died asks for nothing
				}
				reached = true
				if how == "died after" {
					left = s.disk.CrashClone(vfs.CrashCloneCfg{})
				}
				return how == "failed", how != "failed"
			}
			ctx := t.Context()
			_, err := s.Flush(ctx)
			if err == nil {
				err = s.Delete(sha256.Sum256(blob(3000)))
				l.sizes = []int{1, blobstore.Small + 1, pack.MaxItem + 1}
			}
			if err == nil {
				_, err = s.Repack(ctx, time.Now().Add(time.Second))
			}
			if err == nil {
				_, err = s.Sweep(ctx)
			}
			if !reached {
				t.Logf("%s at each of %d calls", how, at)
				shut(t, s.db, s.Store)
				break
			}
			if !errors.Is(err, blobstore.ErrAway) {
				t.Fatalf("%s at call %d: got %v, want %v", how, at, err, blobstore.ErrAway)
			}
			b.fail = nil
			if left == nil {
				left = s.disk.CrashClone(vfs.CrashCloneCfg{})
			}
			shut(t, s.db, s.Store)
			s = shelve(t, left, b)
			l.has(t, s.Store)
			flush(t, s.Store)
			sweep(t, s.Store)
			if _, err := s.Repack(ctx, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			l.has(t, s.Store)
			if found := sweep(t, s.Store); found.Packs != len(b.objects) || found.Foreign+found.Lost+found.Adopted+found.Deleted != 0 || s.fresh(t) != 0 || len(s.lost.blobs) != 0 {
				t.Errorf("afterwards: %+v, %d objects, %d fresh, %d lost", found, len(b.objects), s.fresh(t), len(s.lost.blobs))
			}
			shut(t, s.db, s.Store)
			if t.Failed() {
				t.Fatalf("%s at call %d", how, at)
			}
		}
	}
}

// A bucket that loses, alters, cuts or forgets: what is not whole any more is told, all of it and nothing else; nothing wrong is read; and when
// it is put again all is well.
func TestABucketThatRotsIsFoundOut(t *testing.T) {
	for name, rot := range map[string]func(b *bucket, old map[string][]byte){
		"wiped":       func(b *bucket, _ map[string][]byte) { b.objects = map[string][]byte{} },
		"rolled back": func(b *bucket, old map[string][]byte) { b.objects = old },
		"altered": func(b *bucket, _ map[string][]byte) {
			for i, name := range slices.Sorted(maps.Keys(b.objects)) {
				if i%2 == 0 {
					o := b.objects[name]
					o[rand.IntN(len(o))] ^= 4
				}
			}
		},
		"cut": func(b *bucket, _ map[string][]byte) {
			for name, o := range b.objects {
				b.objects[name] = o[:len(o)-1-rand.IntN(len(o)/2)]
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bucket{}
			s := shelve(t, vfs.NewCrashableMem(), b)
			early := load{sizes: []int{1, 3000, pack.MaxItem + 1}}
			if err := early.put(s.Store, 20); err != nil {
				t.Fatal(err)
			}
			flush(t, s.Store)
			old := b.copy()
			l := load{sizes: []int{1, 3000, 40_000, 300_000, pack.MaxItem + 1}}
			if err := l.put(s.Store, 200); err != nil {
				t.Fatal(err)
			}
			flush(t, s.Store)
			rot(b, old)
			for _, n := range l.sizes {
				if got, err := s.Get(sha256.Sum256(blob(n)), huge); err == nil && !bytes.Equal(got, blob(n)) {
					t.Errorf("%d wrong bytes are read", n)
				}
			}
			sweep(t, s.Store)
			for {
				n, err := s.Scrub(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					break
				}
			}
			told := map[any]bool{}
			for _, h := range s.lost.blobs {
				told[h] = true
			}
			for _, r := range s.lost.headers {
				told[r.ID] = true
			}
			for _, n := range l.sizes {
				h := wire.Hash(sha256.Sum256(blob(n)))
				_, err := s.Get(h, huge)
				if told[h] != errors.Is(err, blobstore.ErrNotFound) || !told[h] && err != nil {
					t.Errorf("of %d bytes: told as lost: %v, got %v", n, told[h], err)
				}
			}
			for r := range l.headers {
				_, err := s.Header(key.Log{r[0] % 3}, r)
				if told[r] != errors.Is(err, blobstore.ErrNotFound) || !told[r] && err != nil {
					t.Errorf("header %x: told as lost: %v, got %v", r[:2], told[r], err)
				}
			}
			if len(told) == 0 {
				t.Error("nothing was told")
			}
			if err := l.put(s.Store, 200); err != nil {
				t.Fatal(err)
			}
			flush(t, s.Store)
			if _, err := s.Repack(t.Context(), time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			l.check(t, s.Store)
			if found := sweep(t, s.Store); found.Packs != len(b.objects) || found.Lost+found.Foreign+found.Deleted != 0 {
				t.Errorf("afterwards %+v of %d objects", found, len(b.objects))
			}
			for name, o := range b.objects {
				if h := sum(o); name != fmt.Sprintf("packs/%x/%x", h[:1], h) {
					t.Errorf("%s is damaged still", name)
				}
			}
			shut(t, s.db, s.Store)
		})
	}
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

func TestWhatWasDestroyedIsInNoObjectAndDoesNotComeBack(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, 40_000, 300_000}}
	if err := l.put(s.Store, 9); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	old := b.copy()
	gone := []blobstore.Destroyed{{Record: blobstore.Record{Log: key.Log{1}, ID: key.Record{4}}, Hash: sum(blob(3000))}, {Record: blobstore.Record{Log: key.Log{2}, ID: key.Record{5}}, Hash: sum(blob(300_000))}}
	secrets := [][]byte{blob(3000), blob(300_000)[1000:2000], l.headers[key.Record{4}], l.headers[key.Record{5}]}
	for i, secret := range secrets {
		if !inBucket(t, old, secret) {
			t.Fatalf("the search doesn't find secret %d while it is there", i)
		}
	}
	if err := s.Destroy(gone); err != nil {
		t.Fatal(err)
	}
	absent := func(when string) {
		t.Helper()
		for _, g := range gone {
			if _, err := s.Header(g.Log, g.ID); !errors.Is(err, blobstore.ErrNotFound) {
				t.Errorf("%s: header: got %v", when, err)
			}
			if _, err := s.Get(g.Hash, huge); !errors.Is(err, blobstore.ErrNotFound) {
				t.Errorf("%s: blob: got %v", when, err)
			}
		}
	}
	absent("destroyed")
	if _, err := s.Repack(t.Context(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for i, secret := range secrets {
		if inBucket(t, b.copy(), secret) {
			t.Errorf("secret %d is still in the bucket", i)
		}
	}
	// Everything that could bring it back: a bucket rolled back, a peer that sends it, and a new start.
	b.objects = old
	sweep(t, s.Store)
	absent("rolled back")
	if _, err := s.Put(blob(3000)); !errors.Is(err, blobstore.ErrDestroyed) {
		t.Errorf("put again: got %v", err)
	}
	if err := s.PutAll([][]byte{blob(3000), blob(300_000), blob(77)}); err != nil {
		t.Error(err)
	}
	if err := s.PutRecords([]blobstore.Record{{Log: key.Log{1}, ID: key.Record{4}, Header: []byte("again"), Blob: blob(3000)}, {Log: key.Log{1}, ID: key.Record{90}, Header: []byte("new"), Blob: blob(78)}}); err != nil {
		t.Error(err)
	}
	absent("put again")
	for _, n := range []int{77, 78} {
		if _, err := s.Get(sum(blob(n)), huge); err != nil {
			t.Errorf("what was put with it: %v", err)
		}
	}
	if _, err := s.Repack(t.Context(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for i, secret := range secrets {
		if inBucket(t, b.copy(), secret) {
			t.Errorf("secret %d is in the bucket again", i)
		}
	}
	s = s.crash(t, b)
	absent("after a start")
	shut(t, s.db, s.Store)
}

func TestAChartThatLiesTogetherIsReadInFewRequests(t *testing.T) {
	const records = 2000
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	log := key.Log{3}
	var all []blobstore.Record
	var ids []key.Record
	var blobs []wire.Hash
	for i := range records {
		r := blobstore.Record{Log: log, ID: key.Record{byte(i), byte(i >> 8)}, Header: blob(2700 + i), Blob: blob(10_000 + i)[:900]}
		all, ids, blobs = append(all, r), append(ids, r.ID), append(blobs, sum(r.Blob))
	}
	if err := s.PutRecords(all); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	before := b.count("get")
	s.Warm(t.Context(), log, ids, blobs)
	asked := b.count("get") - before
	t.Logf("%d requests for %d records", asked, records)
	if asked == 0 || asked > records/50 {
		t.Errorf("%d requests for %d records", asked, records)
	}
	for i := range all {
		if got, err := s.Get(blobs[i], huge); err != nil || !bytes.Equal(got, all[i].Blob) {
			t.Fatalf("record %d: %v", i, err)
		}
		if got, err := s.Header(log, ids[i]); err != nil || !bytes.Equal(got, all[i].Header) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if n := b.count("get") - before; n != asked {
		t.Errorf("%d more requests afterwards", n-asked)
	}
	// What was read ahead is not served when it has changed since.
	if err := s.PutHeader(log, ids[0], []byte("another")); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	if got, err := s.Header(log, ids[0]); err != nil || string(got) != "another" {
		t.Errorf("a header that was read ahead, and changed: got %q, %v", got, err)
	}
	shut(t, s.db, s.Store)
}

func TestACloudThatDoesNotAnswerIsNoDamage(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, 300_000}}
	if err := l.put(s.Store, 9); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	b.fail = func(string) (bool, bool) { return true, false }
	for _, n := range l.sizes {
		if _, err := s.Get(sum(blob(n)), huge); !errors.Is(err, blobstore.ErrAway) || errors.Is(err, blobstore.ErrCorrupt) || errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := s.Sweep(t.Context()); !errors.Is(err, blobstore.ErrAway) {
		t.Errorf("Sweep: got %v", err)
	}
	if _, err := s.Put(blob(77)); err != nil {
		t.Errorf("what is new is taken: %v", err)
	}
	b.fail = nil
	l.check(t, s.Store)
	if len(s.lost.blobs)+len(s.lost.headers) > 0 {
		t.Error("something was told as lost")
	}
	shut(t, s.db, s.Store)
}

// While members read, write, change and destroy, the store moves things into a bucket that fails now and then.
func TestWhatIsAcknowledgedStaysWhileItMoves(t *testing.T) {
	b := &bucket{}
	var r = rand.New(rand.NewPCG(1, 2))
	b.fail = func(call string) (bool, bool) { return r.IntN(20) == 0, r.IntN(20) == 0 }
	s := shelve(t, vfs.NewCrashableMem(), b)
	ctx, stop := context.WithCancel(t.Context())
	var keeper sync.WaitGroup
	keeper.Go(func() {
		for ctx.Err() == nil {
			_, _ = s.Flush(ctx)
			_, _ = s.Repack(ctx, time.Now())
			_, _ = s.Sweep(ctx)
			_, _ = s.Scrub(ctx)
		}
	})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 9))
			headers := map[byte][]byte{}
			gone := map[int]bool{}
			for i := 0; i < 100 || ctx.Err() == nil && (b.count("put") < 10 || b.count("delete") < 10); i++ {
				n := 1_000*w + r.IntN(60)
				h := wire.Hash(sum(blob(n)))
				switch r.IntN(6) {
				case 0, 1:
					if _, err := s.Put(blob(n)); err != nil {
						t.Errorf("put: %v", err)
					}
					gone[n] = false
				case 2:
					if err := s.Delete(h); err != nil {
						t.Errorf("delete: %v", err)
					}
					gone[n] = true
				case 3:
					headers[byte(n)] = fmt.Appendf(nil, "header %d of writer %d", i, w)
					if err := s.PutHeader(key.Log{byte(w)}, key.Record{byte(n)}, headers[byte(n)]); err != nil {
						t.Errorf("header: %v", err)
					}
				case 4:
					was, put := gone[n]
					got, err := s.Get(h, huge)
					if errors.Is(err, blobstore.ErrAway) {
						continue
					}
					if there := put && !was; there != (err == nil && bytes.Equal(got, blob(n))) || !there && !errors.Is(err, blobstore.ErrNotFound) {
						t.Errorf("blob of %d bytes, put %v, deleted %v: got %d, %v", n, put, was, len(got), err)
					}
				case 5:
					for rec, want := range headers {
						got, err := s.Header(key.Log{byte(w)}, key.Record{rec})
						if !errors.Is(err, blobstore.ErrAway) && (err != nil || !bytes.Equal(got, want)) {
							t.Errorf("header: got %q, %v, want %q", got, err, want)
						}
					}
				}
			}
		})
	}
	writers.Wait()
	stop()
	keeper.Wait()
	if len(s.lost.blobs)+len(s.lost.headers) > 0 {
		t.Errorf("told as lost: %v", s.lost)
	}

	shut(t, s.db, s.Store)
}

func TestAStoreLooksAfterItsBucketByItself(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, pack.MaxItem + 1}}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	away := make(chan struct{})
	var once sync.Once
	b.fail = func(call string) (bool, bool) {
		if call == "put" {
			once.Do(func() { close(away) })
		}
		return false, false
	}
	go func() {
		done <- s.Keep(ctx, blobstore.Schedule{}, slog.New(slog.DiscardHandler))
	}()
	if err := l.put(s.Store, 9); err != nil { // more than a pack, which it needn't wait for
		t.Fatal(err)
	}
	<-away
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Keep: got %v", err)
	}
	l.check(t, s.Store)
	shut(t, s.db, s.Store)
}
