package blobstore_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// There is a crash before each write of a listing that finds the bucket empty, and one each time before it is told: what wasn't told by then is told by the next process.
func TestWhatIsLostIsToldAlsoAfterACrash(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, blobstore.Small}}
	if err := l.put(s.Store, 5); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	all := len(l.sizes) + len(l.headers)
	mem := s.disk.CrashClone(vfs.CrashCloneCfg{})
	shut(t, s.db, s.Store)
	b.objects = map[string][]byte{}

	type crash struct {
		disk *vfs.MemFS
		told int
	}
	var crashes []crash
	var told losses
	note := func() {
		crashes = append(crashes, crash{mem.CrashClone(vfs.CrashCloneCfg{}), len(told.blobs) + len(told.headers)})
	}
	watching, failing := false, true
	disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
		if watching && o.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			note()
		}
		return nil
	}))
	db, err := kv.OpenFS(disk, "db")
	if err != nil {
		t.Fatal(err)
	}
	store, err := blobstore.OpenFS(disk, "blobs", db)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Attach(b, storageKey, func(blobs []wire.Hash, headers []blobstore.Record) error {
		note()
		if failing {
			return errCloud
		}
		return told.tell(blobs, headers)
	}); err != nil {
		t.Fatal(err)
	}
	watching = true
	if _, err := store.Sweep(t.Context()); !errors.Is(err, errCloud) {
		t.Errorf("who is told fails: got %v", err)
	}
	if failing = false; len(told.blobs) > 0 {
		t.Fatal("it was told")
	}
	sweep(t, store)
	watching = false
	note()
	shut(t, db, store)
	for i, c := range crashes {
		s := shelve(t, c.disk, b)
		sweep(t, s.Store)
		if n := len(s.lost.blobs) + len(s.lost.headers); c.told+n < all {
			t.Errorf("crash %d of %d: %d were told before and %d after it, want %d", i, len(crashes), c.told, n, all)
		}
		shut(t, s.db, s.Store)
	}
	if len(crashes) < 5 {
		t.Errorf("only %d crashes", len(crashes))
	}
}

// The ciphertexts of a chart are told together, and its records in their order: other members have them so too.
func TestWhatIsLostIsToldInTheOrderInWhichItLay(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	blobs := map[key.Record]wire.Hash{}
	var records []blobstore.Record
	for i := 1; i < 97; i++ {
		records = append(records, blobstore.Record{Log: tierLog(i), ID: tierID(i), Header: tierHeader(i, 1), Blob: tierBlob(i)})
		blobs[tierID(i)] = sha256.Sum256(tierBlob(i))
	}
	if err := s.PutRecords(records); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	b.objects = map[string][]byte{}
	sweep(t, s.Store)
	slices.SortFunc(records, func(a, b blobstore.Record) int {
		return cmp.Or(bytes.Compare(a.Log[:], b.Log[:]), bytes.Compare(a.ID[:], b.ID[:]))
	})
	if len(s.lost.headers) != len(records) || len(s.lost.blobs) != len(records) {
		t.Fatalf("%d headers and %d ciphertexts were told of %d records", len(s.lost.headers), len(s.lost.blobs), len(records))
	}
	for i, r := range records {
		if s.lost.headers[i].ID != r.ID || s.lost.blobs[i] != blobs[r.ID] {
			t.Fatalf("place %d of what was told isn't of the record that lay there", i)
		}
	}
}

// What is read ahead doesn't outlive the pack it was read from: who looks whether it is here still would take it for so, and ask nobody.
func TestWhatWasReadAheadIsLostWithItsPack(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	put := func(version int) {
		t.Helper()
		r := blobstore.Record{Log: tierLog(1), ID: tierID(1), Header: tierHeader(1, version), Blob: tierBlob(1)}
		if err := s.PutRecords([]blobstore.Record{r}); err != nil {
			t.Fatal(err)
		}
		flush(t, s.Store)
	}
	put(1)
	yesterday := b.copy()
	put(2)
	blob := wire.Hash(sha256.Sum256(tierBlob(1)))
	warm := func() {
		s.Warm(t.Context(), tierLog(1), []key.Record{tierID(1)}, []wire.Hash{blob})
	}
	warm()
	b.objects = yesterday
	sweep(t, s.Store)
	if _, err := s.Header(tierLog(1), tierID(1)); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("a header is read that a rolled back bucket hasn't got: %v", err)
	}
	warm()
	b.objects = map[string][]byte{}
	sweep(t, s.Store)
	if len(s.lost.headers) != 1 || len(s.lost.blobs) != 1 {
		t.Errorf("of one record %d headers and %d ciphertexts were told as lost", len(s.lost.headers), len(s.lost.blobs))
	}
	_, err := s.Header(tierLog(1), tierID(1))
	_, blobErr := s.Get(blob, huge)
	if !errors.Is(err, blobstore.ErrNotFound) || !errors.Is(blobErr, blobstore.ErrNotFound) {
		t.Errorf("what was told as lost is read: %v, %v", err, blobErr)
	}
}

// What a process left of a pack that it hadn't noted when it died isn't taken in: something of it may have been deleted since.
func TestWhatIsDeletedAfterACrashDoesNotComeBackFromThePackThatWasUnderWay(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, 40_000}}
	if err := l.put(s.Store, 3); err != nil {
		t.Fatal(err)
	}
	b.fail = func(call string) (bool, bool) { return call == "get", call == "put" }
	if _, err := s.Flush(t.Context()); err == nil || len(b.objects) != 1 {
		t.Fatalf("%d objects were put, %v", len(b.objects), err)
	}
	b.fail = nil
	s = s.crash(t, b)
	gone := wire.Hash(sum(blob(3000)))
	if err := errors.Join(s.Delete(gone), s.DeleteHeader(key.Log{1}, key.Record{1})); err != nil {
		t.Fatal(err)
	}
	if found := sweep(t, s.Store); found.Deleted != 1 || found.Adopted != 0 || len(b.objects) != 0 {
		t.Errorf("found %+v, %d objects are left", found, len(b.objects))
	}
	if has, err := s.Has(gone); has || err != nil {
		t.Errorf("what was deleted is back: %v", err)
	}
	if _, err := s.Header(key.Log{1}, key.Record{1}); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("the header that was deleted: %v", err)
	}
	shut(t, s.db, s.Store)
}

// A pack of before that is back, and has nothing that isn't in the newer one, goes at once.
func TestAPackThatIsBackAndOfNoUseIsDeleted(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, 40_000}}
	if err := l.put(s.Store, 3); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	old := b.copy()
	if err := s.Destroy([]blobstore.Destroyed{{Record: blobstore.Record{Log: key.Log{1}, ID: key.Record{1}}}}); err != nil {
		t.Fatal(err)
	}
	delete(l.headers, key.Record{1})
	if err := s.Expunge(t.Context(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	now := b.copy()
	maps.Copy(b.objects, old)
	if found := sweep(t, s.Store); found.Deleted != len(old) || found.Lost != 0 {
		t.Errorf("found %+v", found)
	}
	if got, want := slices.Sorted(maps.Keys(b.objects)), slices.Sorted(maps.Keys(now)); !slices.Equal(got, want) {
		t.Errorf("objects %q, want %q", got, want)
	}
	l.has(t, s.Store)
	shut(t, s.db, s.Store)
}

// What rots before it is packed stays where it is found damaged, and mended; and of a pack, whoever made it, nothing is read under the hash of something else.
func TestNothingIsPackedOrReadUnderAnotherHash(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	right, rotten := blob(3000), blob(3000)
	rotten[7] ^= 1
	h := wire.Hash(sum(right))
	if _, err := s.Put(right); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Prefix("blobs/b").Write([]kv.Change{{Key: h[:], Value: rotten}}); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	if len(b.objects) != 0 || s.fresh(t) != 1 {
		t.Errorf("%d packs, %d things are fresh", len(b.objects), s.fresh(t))
	}
	if _, err := s.Get(h, huge); !errors.Is(err, blobstore.ErrCorrupt) {
		t.Errorf("what rotted: %v", err)
	}
	if _, err := s.Put(right); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	if got, err := s.Get(h, huge); err != nil || !bytes.Equal(got, right) {
		t.Errorf("what was mended: got %d bytes, %v", len(got), err)
	}

	lying := storageKey.Build(1000, [32]byte{1})
	other := wire.Hash(sum(blob(4000)))
	if err := lying.Add(pack.Name{Kind: pack.Blob, Hash: other}, rotten); err != nil {
		t.Fatal(err)
	}
	object, _ := lying.Done()
	name := sha256.Sum256(object)
	b.objects["packs/"+wire.Hash(name).String()[:2]+"/"+wire.Hash(name).String()] = object
	if found := sweep(t, s.Store); found.Adopted != 1 {
		t.Fatalf("found %+v", found)
	}
	if _, err := s.Get(other, huge); !errors.Is(err, blobstore.ErrCorrupt) {
		t.Errorf("what has another hash: %v", err)
	}
	if _, err := s.Verify(other); !errors.Is(err, blobstore.ErrCorrupt) {
		t.Errorf("verifying it: %v", err)
	}
	shut(t, s.db, s.Store)
}

// What lies in the bucket as it should needn't be fresh too, unless it was deleted while that was found out, and put once more.
func TestWhatIsDeletedAndPutAgainWhileItIsPackedStays(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{3000, 40_000}}
	put := func() error { return l.put(s.Store, 1) }
	if err := put(); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	if err := put(); err != nil {
		t.Fatal(err)
	}
	left := len(l.sizes) + len(l.headers) // of which each is read and compared
	b.fail = func(call string) (bool, bool) {
		if left--; left == 0 {
			for _, n := range l.sizes {
				if err := s.Delete(sum(blob(n))); err != nil {
					t.Error(err)
				}
			}
			if err := errors.Join(s.DeleteHeader(key.Log{}, key.Record{}), put()); err != nil {
				t.Error(err)
			}
		}
		return false, false
	}
	flush(t, s.Store)
	if left > 0 {
		t.Fatalf("%d reads less than there are things", left)
	}
	l.check(t, s.Store)
	b.fail = nil
	flush(t, s.Store)
	l.check(t, s.Store)
	shut(t, s.db, s.Store)
}
