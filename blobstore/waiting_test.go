package blobstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// owned is a shelf of whose own records others do what how says.
type owned struct {
	*shelf
	how     blobstore.Elsewhere
	records []blobstore.Record // with their blobs, also where these came by themselves
}

func own(t testing.TB, disk *vfs.MemFS, b *bucket) *owned {
	o := &owned{shelf: shelve(t, disk, b), how: blobstore.Scarce}
	o.wait()
	return o
}

func (o *owned) wait() {
	o.StayUntil(func(records []blobstore.Record) ([]blobstore.Elsewhere, error) {
		return slices.Repeat([]blobstore.Elsewhere{o.how}, len(records)), nil
	})
}

// put puts records, the large ones and every seventh as attachments come: the ciphertext first.
func (o *owned) put(t testing.TB, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		b := blob(n)
		i := len(o.records)
		h := envelope.Header{Padded: 1024, Blob: sha256.Sum256(b), Author: make([]byte, 40)}
		h.Log, h.Created, h.Network.Gen = key.Log{7}, uint64(i), 1
		r := blobstore.Record{Log: h.Log, ID: key.Record{byte(i), 7}, Header: h.Encode(), Blob: b, Own: true}
		o.records = append(o.records, r)
		if n > pack.MaxItem || i%7 == 0 {
			w := o.Create()
			w.Own(r.Log, r.ID)
			w.Write(b)
			if _, _, err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			r.Blob = nil
		}
		if err := o.PutRecords([]blobstore.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
}

func (o *owned) check(t testing.TB) {
	t.Helper()
	for _, r := range o.records {
		header, err := o.Header(r.Log, r.ID)
		if err != nil || !bytes.Equal(header, r.Header) {
			t.Errorf("the header of %d bytes: got %d, %v", len(r.Blob), len(header), err)
		}
		got, err := o.Get(sum(r.Blob), huge)
		if err != nil || !bytes.Equal(got, r.Blob) {
			t.Errorf("%d bytes: got %d, %v", len(r.Blob), len(got), err)
		}
	}
}

func (o *owned) leave(t testing.TB) blobstore.Status {
	t.Helper()
	if err := o.Leave(); err != nil {
		t.Fatal(err)
	}
	return o.Status()
}

// crash is the store after a loss of power.
func (o *owned) crash(t testing.TB, b *bucket) {
	o.shelf = o.shelf.crash(t, b)
	o.wait()
}

var ownSizes = []int{100, 0, 3000, 5000, blobstore.Small, blobstore.Small + 1, 40_000, 300_000, pack.MaxItem, pack.MaxItem + 1, 2*pack.MaxItem + 12345}

func TestWhatIsAMembersOwnStaysUntilOthersHoldIt(t *testing.T) {
	b := &bucket{}
	o := own(t, vfs.NewCrashableMem(), b)
	o.put(t, ownSizes...)
	theirs := load{sizes: []int{1, 20_000}}
	if err := theirs.put(o.Store, 0); err != nil {
		t.Fatal(err)
	}
	flush(t, o.Store)
	waits := o.leave(t)
	if waits.Fresh != 0 || waits.FreshItems != 0 || waits.Waits == 0 || waits.WaitBlobs == 0 || waits.WaitSince.IsZero() {
		t.Errorf("packed, and nobody else has it: %+v", waits)
	}
	puts := b.count("put")
	flush(t, o.Store)
	for _, crashed := range []bool{false, true} {
		if crashed {
			o.crash(t, b)
		}
		flush(t, o.Store)
		if s := o.Status(); s.Waiting != waits.Waiting || s.Waits != waits.Waits || s.WaitBlobs != waits.WaitBlobs || s.Fresh != 0 || b.count("put") != puts {
			t.Errorf("crashed %v: it waits and was packed again, by %d puts: %+v", crashed, b.count("put")-puts, s)
		}
		b.objects = map[string][]byte{}
		o.check(t)
		found := sweep(t, o.Store)
		if found.Again != waits.Waits {
			t.Errorf("crashed %v: of %d packs that wait the bucket has again %+v", crashed, waits.Waits, found)
		}
		flush(t, o.Store) // attachments, whose packs don't wait
		puts = b.count("put")
		waits = o.Status()
	}
	if len(o.lost.headers) != 0 || slices.ContainsFunc(o.records, func(r blobstore.Record) bool { return slices.Contains(o.lost.blobs, sum(r.Blob)) }) {
		t.Errorf("told as lost: %d headers, %d blobs", len(o.lost.headers), len(o.lost.blobs))
	}
	o.how = blobstore.Unnamed // its operation may be on its way
	if s := o.leave(t); s.Waits != waits.Waits || s.WaitBlobs != waits.WaitBlobs {
		t.Errorf("what no entry names yet has left: %+v", s)
	}
	o.how = blobstore.Held
	if s := o.leave(t); s.Waiting != 0 || s.Waits+s.WaitBlobs != 0 || s.Fresh != 0 {
		t.Errorf("others hold it: %+v", s)
	}
	o.crash(t, b)
	flush(t, o.Store)
	o.emptied(t)
	o.check(t)
	b.fail = func(string) (bool, bool) { return true, false }
	if _, err := o.Get(sum(o.records[3].Blob), huge); !errors.Is(err, blobstore.ErrAway) {
		t.Errorf("it is in the bucket alone, which doesn't answer: %v", err)
	}
	b.fail = nil
	shut(t, o.db, o.Store)
}

// emptied holds that no file of a blob, or of a pack, is on the disk.
func (o *owned) emptied(t testing.TB) {
	t.Helper()
	dirs := []string{"waiting"}
	for _, r := range o.records {
		dirs = append(dirs, "objects/"+wire.Hash(sum(r.Blob)).String()[:2])
	}
	for _, dir := range dirs {
		names, err := o.disk.List("blobs/" + dir)
		if err != nil || len(names) > 0 {
			t.Errorf("in %s: %v, %v", dir, names, err)
		}
	}
}

func TestWhatWaitsIsReadWithoutTheCloud(t *testing.T) {
	b := &bucket{}
	o := own(t, vfs.NewCrashableMem(), b)
	o.put(t, ownSizes[:8]...)
	flush(t, o.Store)
	b.fail = func(string) (bool, bool) { return true, false }
	o.check(t)
	for _, r := range o.records {
		if near, err := o.Near(sum(r.Blob)); !near || err != nil {
			t.Errorf("%d bytes are not near: %v", len(r.Blob), err)
		}
	}
	b.fail = nil
	names, err := o.disk.List("blobs/waiting")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, n := range names { // rot
		f, err := o.disk.OpenReadWrite("blobs/waiting/"+n, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(bytes.Repeat([]byte{5}, 20_000), 100)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	o.check(t)
	shut(t, o.db, o.Store)
}

// What lies in the bucket alone, since it wasn't this member's own or was never named, doesn't let what is put again leave.
func TestWhatIsPutAgainAsAMembersOwnWaits(t *testing.T) {
	b := &bucket{}
	o := own(t, vfs.NewCrashableMem(), b)
	o.put(t, 100, 3000, 5000)
	o.how = blobstore.Held
	flush(t, o.Store)
	if s := o.leave(t); s.Waits+s.WaitBlobs != 0 {
		t.Fatalf("others hold it: %+v", s)
	}
	o.how = blobstore.Scarce
	if err := o.PutRecords(o.records); err != nil {
		t.Fatal(err)
	}
	flush(t, o.Store)
	if s := o.leave(t); s.Waits == 0 || s.Fresh != 0 {
		t.Errorf("it was put again: %+v", s)
	}
	b.objects = map[string][]byte{}
	o.check(t)
	shut(t, o.db, o.Store)
}

// Packs are found to be gone one by one, and what was in them is packed again in between.
func TestALargeBlobThatLosesOnePieceAfterTheOtherIsPackedAgainAndLeaves(t *testing.T) {
	b := &bucket{}
	o := own(t, vfs.NewCrashableMem(), b)
	o.put(t, pack.MaxItem+12345)
	flush(t, o.Store)
	b.objects = map[string][]byte{}
	for read := int64(1); read != 0; {
		var err error
		if read, err = o.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		flush(t, o.Store)
	}
	sweep(t, o.Store)
	flush(t, o.Store)
	o.how = blobstore.Held
	if s := o.leave(t); s.Fresh+s.Waiting != 0 {
		t.Errorf("others hold it: %+v", s)
	}
	o.emptied(t)
	o.check(t)
	shut(t, o.db, o.Store)
}

func TestWhatIsDestroyedWaitsNowhere(t *testing.T) {
	b := &bucket{}
	o := own(t, vfs.NewCrashableMem(), b)
	o.put(t, ownSizes...)
	flush(t, o.Store)
	var gone []blobstore.Destroyed
	names := map[any]bool{}
	for i, r := range o.records {
		if i%2 == 0 {
			gone = append(gone, blobstore.Destroyed{Record: r, Hash: sha256.Sum256(r.Blob)})
			names[r.ID], names[wire.Hash(sum(r.Blob))] = true, true
		}
	}
	if err := o.Destroy(gone); err != nil {
		t.Fatal(err)
	}
	if err := o.Expunge(t.Context(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	objects := slices.Collect(func(yield func([]byte) bool) {
		for _, object := range b.copy() {
			if !yield(object) {
				return
			}
		}
		files, err := o.disk.List("blobs/waiting")
		if err != nil || len(files) == 0 {
			t.Errorf("nothing waits: %v", err)
		}
		for _, n := range files {
			f, err := o.disk.Open("blobs/waiting/" + n)
			if err != nil {
				t.Fatal(err)
			}
			st, err := f.Stat()
			object := make([]byte, st.Size())
			_, errRead := f.ReadAt(object, 0)
			if err := errors.Join(err, errRead, f.Close()); err != nil {
				t.Fatal(err)
			}
			if !yield(object) {
				return
			}
		}
	})
	kept := 0
	for _, object := range objects {
		table, err := storageKey.Open(object)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range table.Items {
			kept++
			if names[x.Record] || names[x.Hash] {
				t.Error("an object has what was destroyed")
			}
		}
	}
	if kept == 0 {
		t.Error("nothing was found at all")
	}
	var left []blobstore.Record
	for i, r := range o.records {
		if i%2 == 1 {
			left = append(left, r)
		} else if has, err := o.Has(sum(r.Blob)); has || err != nil {
			t.Errorf("%d bytes are still there: %v", len(r.Blob), err)
		}
	}
	o.records = left
	b.objects = map[string][]byte{}
	o.check(t) // what was packed anew waits as before
	shut(t, o.db, o.Store)
}

// What it costs that packs wait: copies of them are written and removed. CPU is told too, for the disk is everybody's.
func BenchmarkFlush(b *testing.B) {
	const many = 20_000
	for _, own := range []bool{false, true} {
		b.Run(fmt.Sprintf("own=%v", own), func(b *testing.B) {
			var busy time.Duration
			for b.Loop() {
				b.StopTimer()
				dir := b.TempDir()
				db, err := kv.Open(filepath.Join(dir, "db"))
				if err != nil {
					b.Fatal(err)
				}
				s, err := blobstore.Open(filepath.Join(dir, "blobs"), db)
				if err != nil {
					b.Fatal(err)
				}
				c, err := cloud.Open(b.Context(), "file://"+filepath.Join(dir, "bucket"), cloud.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Attach(c, storageKey, nil); err != nil {
					b.Fatal(err)
				}
				s.StayUntil(func(records []blobstore.Record) ([]blobstore.Elsewhere, error) {
					return slices.Repeat([]blobstore.Elsewhere{blobstore.Held}, len(records)), nil
				})
				var all []blobstore.Record
				for i := range many {
					content := make([]byte, 1000)
					mrand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(content)
					h := envelope.Header{Padded: 1024, Blob: sha256.Sum256(content), Author: make([]byte, 300)}
					h.Log, h.Created, h.Network.Gen = key.Log{byte(i % 20)}, uint64(i), 1
					all = append(all, blobstore.Record{Log: h.Log, ID: sha256.Sum256(content[:40]), Header: h.Encode(), Blob: content, Own: own})
				}
				for some := range slices.Chunk(all, 500) {
					if err := s.PutRecords(some); err != nil {
						b.Fatal(err)
					}
				}
				before := cpu(b)
				b.StartTimer()
				flush(b, s)
				if err := s.Leave(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				busy += cpu(b) - before
				shut(b, db, s)
				b.StartTimer()
			}
			b.ReportMetric(float64(many*b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(busy.Nanoseconds())/float64(many*b.N), "cpu-ns/record")
		})
	}
}

// cpu is how long the process has computed.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
