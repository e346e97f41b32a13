package blobstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/wire"
)

var writes = flag.Int("writes", 20_000, "acknowledged writes of the test that crashes store and bucket")

const writesOfAWorld = 2_500

// A store and its bucket, both on a disk that loses power at any write of a file, also while it comes up after the last time: what was acknowledged is
// there, as it was put last, and what was destroyed isn't, nor in any pack. In every other world the bucket is empty after each crash: all was put by the
// member's own clients, and nobody else has it. So it is now and then without a crash.
func TestAStoreAndItsBucketThatCrashAnywhereLoseNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		*writes = min(*writes, 5_000)
	}
	var acknowledged, crashes, destroyed, reindexed, left, again atomic.Int64
	t.Run("worlds", func(t *testing.T) {
		for seed := range uint64(max(*writes/writesOfAWorld, 1)) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				w := &tier{t: t, r: rand.New(rand.NewPCG(seed, 7)), disk: vfs.NewCrashableMem(), records: map[int]*tierRecord{}, wiped: seed%2 == 1}
				for w.acknowledged < writesOfAWorld && !t.Failed() {
					w.live()
				}
				w.end()
				acknowledged.Add(int64(w.acknowledged))
				crashes.Add(int64(w.crashes))
				reindexed.Add(int64(w.reindexed))
				left.Add(w.left.Load())
				again.Add(w.again.Load())
				for _, x := range w.records {
					if x.destroyed {
						destroyed.Add(1)
					}
				}
			})
		}
	})
	t.Logf("%d acknowledged writes, %d crashes, %d records destroyed, the index told from the bucket %d times, %d packs waited no more, %d were put again", acknowledged.Load(), crashes.Load(), destroyed.Load(),
		reindexed.Load(), left.Load(), again.Load())
	if crashes.Load() == 0 || destroyed.Load() == 0 || reindexed.Load() == 0 || left.Load() == 0 || again.Load() == 0 {
		t.Error("something never happened")
	}
}

// tier is what is known of a store in a bucket: what it acknowledged, and what was under way when it died.
type tier struct {
	t         *testing.T
	r         *rand.Rand
	disk      *vfs.MemFS
	crashes   int
	reindexed int
	again     atomic.Int64
	left      atomic.Int64
	held      atomic.Bool // what waits may leave
	wiped     bool

	telling sync.RWMutex // locked while the index is told from the bucket: what wasn't yet can't be read

	mu           sync.Mutex // of the following, while a store lives
	records      map[int]*tierRecord
	next         int // number of the next record
	acknowledged int
}

// tierRecord is a record: its versions count from 1, and the blob comes with the first.
type tierRecord struct {
	version, trying int // of the header: acknowledged, and perhaps
	destroying      bool
	destroyed       bool
	fresh           bool // changed since the last crash
}

// copy is what is known now.
func (w *tier) copy() map[int]*tierRecord {
	out := make(map[int]*tierRecord, len(w.records))
	for i, x := range w.records {
		copied := *x
		out[i] = &copied
	}
	return out
}

func tierLog(i int) key.Log { return key.Log{9, byte(i % 5)} }

func tierID(i int) key.Record {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("id"), uint64(i)))
}

func tierBlob(i int) []byte {
	b := make([]byte, 40+i%200)
	if i%97 == 0 {
		b = make([]byte, blobstore.Small+1+i%5000)
	}
	binary.BigEndian.PutUint64(b, uint64(i))
	return b
}

func tierHeader(i, version int) []byte {
	h := envelope.Header{Padded: 1024, Blob: sha256.Sum256(tierBlob(i)), Author: make([]byte, 1+i%90)}
	h.Log, h.Created, h.Network.Gen = tierLog(i), uint64(version), 1
	return h.Encode()
}

// open opens the store on a disk, with its bucket.
func (w *tier) open(disk vfs.FS) (*kv.DB, *blobstore.Store) {
	w.t.Helper()
	db, err := kv.OpenFS(disk, "db")
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := blobstore.OpenFS(disk, "blobs", db)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := cloud.Open(context.Background(), "file:///bucket", cloud.Options{Disk: disk})
	if err != nil {
		w.t.Fatal(err)
	}
	err = s.Attach(b, storageKey, func(blobs []wire.Hash, headers []blobstore.Record) error {
		w.t.Errorf("told as lost: %d blobs, %d headers", len(blobs), len(headers))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	s.StayUntil(w.elsewhere)
	return db, s
}

// own tells whether this member's own clients put a record.
func (w *tier) own(i int) bool { return w.wiped || i%2 == 0 }

// elsewhere has others hold all or nothing.
func (w *tier) elsewhere(records []blobstore.Record) ([]blobstore.Elsewhere, error) {
	if w.held.Load() {
		return slices.Repeat([]blobstore.Elsewhere{blobstore.Held}, len(records)), nil
	}
	return slices.Repeat([]blobstore.Elsewhere{blobstore.Scarce}, len(records)), nil
}

// wipe empties the bucket.
func (w *tier) wipe() {
	b, err := cloud.Open(context.Background(), "file:///bucket", cloud.Options{Disk: w.disk})
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	err = b.Each(context.Background(), "", func(name string, _ int64) error { names = append(names, name); return nil })
	for _, name := range names {
		err = errors.Join(err, b.Delete(context.Background(), name))
	}
	if err := errors.Join(err, b.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// live opens the store, holds it against what is known, and lets it work until the disk crashes.
func (w *tier) live() {
	at, n := int64(w.r.IntN(1<<(3+w.r.IntN(7)))), atomic.Int64{}
	// All that wasn't synced goes, or nothing: the key-value store relies on names of one directory coming in their order, as file systems keep it.
	unsynced := 100 * w.r.IntN(2)
	writer, keeper := rand.New(rand.NewPCG(w.r.Uint64(), 2)), rand.New(rand.NewPCG(w.r.Uint64(), 3))
	var left *vfs.MemFS
	var known map[int]*tierRecord
	var acknowledged, next int
	var dead atomic.Bool
	crash := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		left = w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rand.New(rand.NewPCG(1, 1))})
		known, next, acknowledged = w.copy(), w.next, w.acknowledged
		dead.Store(true)
	}
	disk := errorfs.Wrap(w.disk, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if o.Kind.ReadOrWrite() == errorfs.OpIsWrite && n.Add(1)-1 == at {
			crash()
		}
		return nil
	}))
	db, s := w.open(disk)
	if !dead.Load() {
		w.restart(s, &dead)
	}
	if !w.wiped && w.r.IntN(2) == 0 {
		if err := w.leave(s); err != nil {
			w.t.Error(err)
		}
	}
	var both sync.WaitGroup
	both.Go(func() { w.write(s, writer, &dead) })
	both.Go(func() { w.keep(s, keeper, &dead) })
	both.Wait()
	if left == nil {
		crash()
	}
	shut(w.t, db, s)
	w.disk, w.records, w.next, w.acknowledged = left, known, next, acknowledged
	w.crashes++
	if w.wiped {
		w.wipe()
	}
}

// restart does what a member does first, and looks at what changed last and at some of the rest.
func (w *tier) restart(s *blobstore.Store, dead *atomic.Bool) {
	found, err := s.Sweep(context.Background())
	if err != nil {
		w.t.Error(err)
	}
	w.again.Add(int64(found.Again))
	var look, again []int
	for i, x := range w.records {
		if x.fresh || w.r.IntN(20) == 0 {
			look = append(look, i)
		}
		if x.destroying && !x.destroyed {
			again = append(again, i)
		}
	}
	w.check(s, look)
	w.destroy(s, again)
	for _, i := range look {
		x := w.records[i]
		header, err := s.Header(tierLog(i), tierID(i))
		happened := err == nil && bytes.Equal(header, tierHeader(i, x.trying))
		w.mu.Lock()
		if x.fresh = false; !dead.Load() && !x.destroying { // what was under way happened or didn't, and stays so
			if happened {
				x.version = x.trying
			}
			x.trying = x.version
		}
		w.mu.Unlock()
	}
}

// check reads records, and holds them against what is known.
func (w *tier) check(s *blobstore.Store, look []int) {
	for log := range 5 {
		var ids []key.Record
		var blobs []wire.Hash
		for _, i := range look {
			if i%5 == log && !w.records[i].destroying {
				ids, blobs = append(ids, tierID(i)), append(blobs, sha256.Sum256(tierBlob(i)))
			}
		}
		s.Warm(context.Background(), tierLog(log), ids, blobs)
	}
	for _, i := range look {
		w.one(s, i, *w.records[i])
	}
}

// one reads a record of which x was known before it was read, and perhaps more happened since.
func (w *tier) one(s *blobstore.Store, i int, x tierRecord) {
	header, err := s.Header(tierLog(i), tierID(i))
	blob, blobErr := s.Get(sha256.Sum256(tierBlob(i)), huge)
	gone := errors.Is(err, blobstore.ErrNotFound)
	switch {
	case err != nil && !gone || blobErr != nil && !errors.Is(blobErr, blobstore.ErrNotFound):
		w.t.Errorf("record %d: %v, %v", i, err, blobErr)
	case x.destroyed && (!gone || blobErr == nil):
		w.t.Errorf("record %d was destroyed, and is back: %v, %v", i, err, blobErr)
	case x.destroying:
	case x.version > 0 && (gone || blobErr != nil):
		w.t.Errorf("record %d was acknowledged, and is lost: %v, %v", i, err, blobErr)
	case !gone && !bytes.Equal(header, tierHeader(i, x.version)) && !bytes.Equal(header, tierHeader(i, x.trying)):
		w.t.Errorf("record %d has another header than version %d or %d", i, x.version, x.trying)
	case blobErr == nil && !bytes.Equal(blob, tierBlob(i)):
		w.t.Errorf("record %d has another blob", i)
	}
}

// write puts, changes, destroys and reads, until the disk crashes.
func (w *tier) write(s *blobstore.Store, r *rand.Rand, dead *atomic.Bool) {
	for !dead.Load() && w.count() < writesOfAWorld {
		switch r.IntN(8) {
		case 0, 1, 2:
			w.put(s, 1+r.IntN(40))
		case 3:
			w.change(s, r)
		case 4:
			if r.IntN(4) == 0 && w.next > 0 {
				w.destroy(s, []int{r.IntN(w.next)})
			}
		default:
			if w.next == 0 {
				continue
			}
			i := r.IntN(w.next)
			w.mu.Lock()
			x := *w.records[i]
			w.mu.Unlock()
			w.telling.RLock()
			w.one(s, i, x)
			w.telling.RUnlock()
		}
	}
}

// put puts new records.
func (w *tier) put(s *blobstore.Store, n int) {
	var batch []blobstore.Record
	w.mu.Lock()
	from := w.next
	for range n {
		i := w.next
		w.next++
		w.records[i] = &tierRecord{trying: 1, fresh: true}
		batch = append(batch, blobstore.Record{Log: tierLog(i), ID: tierID(i), Header: tierHeader(i, 1), Blob: tierBlob(i), Own: w.own(i)})
	}
	w.mu.Unlock()
	if err := s.PutRecords(batch); err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := from; i < from+n; i++ {
		w.records[i].version = 1
	}
	w.acknowledged += n
}

// change puts another header of a record.
func (w *tier) change(s *blobstore.Store, r *rand.Rand) {
	w.mu.Lock()
	if w.next == 0 {
		w.mu.Unlock()
		return
	}
	i := r.IntN(w.next)
	x := w.records[i]
	if x.destroying || x.version == 0 || x.trying != x.version {
		w.mu.Unlock()
		return
	}
	x.trying++
	x.fresh = true
	w.mu.Unlock()
	if err := s.PutRecords([]blobstore.Record{{Log: tierLog(i), ID: tierID(i), Header: tierHeader(i, x.trying), Own: w.own(i)}}); err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	x.version = x.trying
	w.acknowledged++
}

// destroy destroys records.
func (w *tier) destroy(s *blobstore.Store, which []int) {
	var gone []blobstore.Destroyed
	w.mu.Lock()
	for _, i := range which {
		w.records[i].destroying, w.records[i].fresh = true, true
		gone = append(gone, blobstore.Destroyed{Record: blobstore.Record{Log: tierLog(i), ID: tierID(i)}, Hash: sha256.Sum256(tierBlob(i))})
	}
	w.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	if err := s.Destroy(gone); err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range which {
		w.records[i].destroyed = true
	}
	w.acknowledged += len(which)
}

// keep packs, lists, reads and rewrites, until the disk crashes.
func (w *tier) keep(s *blobstore.Store, r *rand.Rand, dead *atomic.Bool) {
	ctx := context.Background()
	for !dead.Load() && w.count() < writesOfAWorld {
		var err error
		switch r.IntN(14) {
		case 0, 1, 2, 3, 4:
			_, err = s.Flush(ctx)
		case 5, 6:
			err = s.Expunge(ctx, time.Now().Add(time.Second))
		case 7, 8:
			_, err = s.Sweep(ctx)
		case 9, 10:
			_, err = s.Scrub(ctx)
		case 11, 12:
			if w.wiped {
				w.wipe()
				var found blobstore.Swept
				found, err = s.Sweep(ctx)
				w.again.Add(int64(found.Again))
				break
			}
			err = w.leave(s)
		default:
			err = w.reindex(ctx, s)
		}
		if err != nil {
			w.t.Error(err)
		}
	}
}

// leave has others hold all that waits.
func (w *tier) leave(s *blobstore.Store) error {
	before := s.Status().Waits
	w.held.Store(true)
	err := s.Leave()
	w.held.Store(false)
	w.left.Add(int64(before - s.Status().Waits))
	return err
}

func (w *tier) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acknowledged
}

// reindex has the bucket alone tell what lies where. A crash in the middle of it is mended by the listing of the next start.
func (w *tier) reindex(ctx context.Context, s *blobstore.Store) error {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.reindexed++
	_, err := s.Reindex(ctx)
	return err
}

// end looks at everything, and into every pack.
func (w *tier) end() {
	db, s := w.open(w.disk)
	defer shut(w.t, db, s)
	ctx := context.Background()
	for _, x := range w.records {
		x.fresh = true
	}
	var alive atomic.Bool
	w.restart(s, &alive)
	if _, err := s.Flush(ctx); err != nil {
		w.t.Fatal(err)
	}
	var some []int // whose packs have them still
	for range 50 {
		some = append(some, w.r.IntN(w.next))
	}
	w.destroy(s, some)
	if found, err := s.Reindex(ctx); err != nil || found.Lost+found.Foreign > 0 {
		w.t.Fatalf("told from the bucket: %+v, %v", found, err)
	}
	var all []int
	gone := map[any]bool{}
	for i, x := range w.records {
		if all = append(all, i); x.destroyed {
			gone[tierID(i)], gone[wire.Hash(sha256.Sum256(tierBlob(i)))] = true, true
		}
	}
	w.check(s, all)
	if w.wiped {
		w.wipe()
		found, err := s.Sweep(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		w.again.Add(int64(found.Again))
		w.check(s, all)
	}
	if err := w.leave(s); err != nil || s.Status().Waits > 0 {
		w.t.Fatalf("%d packs wait though others hold them: %v", s.Status().Waits, err)
	}
	w.check(s, all)
	if err := s.Expunge(ctx, time.Now().Add(time.Second)); err != nil {
		w.t.Fatal(err)
	}
	b, err := cloud.Open(ctx, "file:///bucket", cloud.Options{Disk: w.disk})
	if err != nil {
		w.t.Fatal(err)
	}
	err = b.Each(ctx, "packs/", func(name string, _ int64) error {
		object, err := b.Get(ctx, name, 0, -1)
		if err != nil {
			return err
		}
		table, err := storageKey.Open(object)
		if err != nil {
			return err
		}
		for _, x := range table.Items {
			if gone[x.Record] || gone[x.Hash] {
				w.t.Errorf("%s has what was destroyed", name)
			}
		}
		return nil
	})
	if err := errors.Join(err, b.Close()); err != nil {
		w.t.Error(err)
	}
}

// What is put again while the bucket tells the index isn't lost: it is fresh.
func TestWhatIsPutWhileTheIndexIsToldIsNotLost(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	l := load{sizes: []int{1, 3000, 300_000}}
	if err := l.put(s.Store, 5); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	old := b.copy()
	again := load{sizes: l.sizes}
	b.fail = func(call string) (bool, bool) {
		if call == "list" {
			if err := again.put(s.Store, 5); err != nil {
				t.Error(err)
			}
		}
		return false, false
	}
	if _, err := s.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	again.check(t, s.Store)
	flush(t, s.Store)
	b.objects = map[string][]byte{}
	if found := sweep(t, s.Store); found.Lost == 0 {
		t.Errorf("a bucket that is empty: %+v", found)
	}
	if len(s.lost.blobs) != 0 || len(s.lost.headers) != 0 {
		t.Errorf("told as lost: %d blobs, %d headers of %d objects", len(s.lost.blobs), len(s.lost.headers), len(old))
	}
	again.check(t, s.Store)
}
