package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/pack"
	"vitalog/wire"
)

// keep has a store look after itself by a schedule, until the test ends.
func keep(t *testing.T, s *blobstore.Store, o blobstore.Schedule) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Keep(ctx, o, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// eventually waits for something that nobody is told of.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(what)
		}
	}
}

func TestAStoreByItselfTakesOutWhatWasDeletedListsAndSaysWhenTheCloudIsAway(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, 40_000}}
	if err := l.put(s.Store, 3); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	b.objects["packs/zz"] = []byte("rubbish")
	if err := s.Delete(sum(blob(3000))); err != nil {
		t.Fatal(err)
	}
	if k := s.Status(); k.Items != 5 || k.Dead < 3000 || k.Tainted != 1 {
		t.Errorf("of six items one was deleted: %+v", k)
	}
	t.Cleanup(func() { shut(t, s.db, s.Store) })
	keep(t, s.Store, blobstore.Schedule{Fresh: 5 * time.Millisecond, Expunge: 4 * time.Millisecond, List: time.Hour, Scrub: -1, Again: time.Millisecond})
	eventually(t, "what was deleted is in the bucket still", func() bool { return s.Status().Tainted == 0 && b.count("delete") > 0 })
	if k := s.Status(); k.Found.Foreign != 1 || k.Found.Packs != 1 || k.Listed.IsZero() {
		t.Errorf("the listing is told as %+v", k)
	}
	b.mu.Lock()
	b.fail = func(string) (bool, bool) { return true, false }
	b.mu.Unlock()
	for range 2 { // more than a pack
		if _, err := s.Put(blob(pack.MaxItem)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it doesn't see that the cloud is away", func() bool { return !s.Status().Away.IsZero() })
	first := s.Status()
	eventually(t, "it doesn't ask again", func() bool { return s.Status().Failed.After(first.Failed) })
	if now := s.Status(); !now.Away.Equal(first.Away) {
		t.Errorf("it is away since %v, and then since %v", first.Away, now.Away)
	}
}

func TestAStoreWithoutABucketTakesOutWhatWasDestroyedByItself(t *testing.T) {
	_, s := open(t, t.TempDir())
	h, err := s.Put(blob(3000))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, s, blobstore.Schedule{Destroyed: time.Millisecond})
	if err := s.Destroy([]blobstore.Destroyed{{Hash: h}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was destroyed is on the disk still", func() bool { return s.Gone(s.Ordered()) })
}

func TestPacksOfWhichHalfIsDeadAndManySmallOnesAreMadeAnew(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	repack := func() int {
		t.Helper()
		n, err := s.Repack(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	header := func(id byte, version int) {
		t.Helper()
		if err := s.PutHeader(key.Log{1}, key.Record{id}, blob(2000+version)); err != nil {
			t.Fatal(err)
		}
	}
	for id := range byte(3) {
		header(id, 0)
	}
	flush(t, s.Store)
	header(0, 1)
	flush(t, s.Store)
	if n := repack(); n != 0 {
		t.Errorf("of a third that is dead %d packs are made anew", n)
	}
	header(1, 1)
	flush(t, s.Store)
	if n := repack(); n != 1 || len(b.objects) != 3 {
		t.Errorf("%d packs are made anew, of %d one was half dead", n, len(b.objects))
	}
	for id := range byte(5) {
		header(10+id, 0)
		flush(t, s.Store)
	}
	if n := repack(); n != 8 || len(b.objects) != 1 {
		t.Errorf("%d small packs are made one, %d are left", n, len(b.objects))
	}
	// The next pack is a newer one, also to a store that knows of it by the bucket alone.
	for version := 1; version < 4; version++ {
		fresh := shelve(t, vfs.NewCrashableMem(), b)
		sweep(t, fresh.Store)
		if got, err := fresh.Header(key.Log{1}, key.Record{2}); err != nil || !bytes.Equal(got, blob(2000+max(0, 9*(version-1)))) {
			t.Errorf("at version %d: got %d bytes, %v", version, len(got), err)
		}
		if err := fresh.PutHeader(key.Log{1}, key.Record{2}, blob(2000+9*version)); err != nil {
			t.Fatal(err)
		}
		flush(t, fresh.Store)
		shut(t, fresh.db, fresh.Store)
	}
}

func TestAPackThatIsAlteredWhenItIsToBeMadeAnewLosesNothingElse(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	l := load{sizes: []int{1, 3000, 30_000}}
	if err := l.put(s.Store, 9); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	for _, o := range b.objects {
		o[pack.Head+500] ^= 1 // of the first header
	}
	if err := s.Delete(sum(blob(30_000))); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Repack(t.Context(), time.Now().Add(time.Second)); n != 1 || err != nil {
		t.Fatalf("%d packs were made anew, %v", n, err)
	}
	if len(s.lost.headers) != 1 || len(s.lost.blobs) != 0 {
		t.Errorf("%d headers and %d blobs are told as lost", len(s.lost.headers), len(s.lost.blobs))
	}
	l.sizes = l.sizes[:2]
	delete(l.headers, s.lost.headers[0].ID)
	l.check(t, s.Store)
}

func TestWhatTheBucketDoesNotTellAnyMoreIsLostWhenTheIndexIsToldAnew(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	l := load{sizes: []int{1, 3000, 40_000}}
	if err := l.put(s.Store, 9); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	b.objects = map[string][]byte{}
	if _, err := s.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.lost.headers) != 9 || len(s.lost.blobs) != 3 {
		t.Errorf("%d headers and %d blobs are told as lost", len(s.lost.headers), len(s.lost.blobs))
	}
}

func TestOfALargeBlobThatRotsBeforeItIsPackedNoWrongByteIsRead(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	right := blob(pack.MaxItem + 1)
	h, err := s.Put(right)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.disk.OpenReadWrite("blobs/objects/"+h.String()[:2]+"/"+h.String(), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{right[9] ^ 1}, 9); err != nil {
		t.Fatal(err)
	}
	f.Close()
	flush(t, s.Store)
	if len(b.objects) > 0 {
		t.Errorf("%d packs have it", len(b.objects))
	}
	r, err := s.Reader(h)
	if err == nil {
		var got []byte
		if got, err = io.ReadAll(r); err == nil {
			t.Errorf("%d bytes are read, right: %v", len(got), bytes.Equal(got, right))
		}
		r.Close()
	}
	if !errors.Is(err, blobstore.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// grow makes a growing file, as an upload does.
func grow(t *testing.T, s *blobstore.Store, name string, content []byte) {
	t.Helper()
	g, err := s.Grow(name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Write(content)
	if err := errors.Join(err, g.Sync(), g.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAGrowingFileBecomesItsBlobForGoodAndNoOther(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	for _, n := range []int{3000, 300_000} {
		right := blob(n)
		h := wire.Hash(sum(right))
		wrong := bytes.Clone(right)
		wrong[n/2] ^= 1
		grow(t, s.Store, "wrong", wrong)
		if err := s.Become("wrong", h, blobstore.Record{}); !errors.Is(err, blobstore.ErrCorrupt) {
			t.Errorf("%d bytes with another hash: got %v", n, err)
		}
		grow(t, s.Store, "right", right)
		if err := s.Become("right", h, blobstore.Record{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Ungrow("right"); err != nil {
			t.Fatal(err)
		}
		if s = s.crash(t, b); !s.hasBlob(h, right) {
			t.Errorf("%d bytes are not there after a crash", n)
		}
		if err := s.Destroy([]blobstore.Destroyed{{Hash: h}}); err != nil {
			t.Fatal(err)
		}
		grow(t, s.Store, "again", right)
		if err := s.Become("again", h, blobstore.Record{}); !errors.Is(err, blobstore.ErrDestroyed) {
			t.Errorf("%d bytes that were destroyed: got %v", n, err)
		}
		if w, err := s.Resume(h); !errors.Is(err, blobstore.ErrDestroyed) {
			w.Abort()
			t.Errorf("%d bytes that were destroyed, from another member: got %v", n, err)
		}
	}
}

func (s *shelf) hasBlob(h wire.Hash, want []byte) bool {
	got, err := s.Get(h, huge)
	return err == nil && bytes.Equal(got, want)
}

// While what was destroyed is taken out something else is destroyed: the note of that stays, over a crash too.
func TestWhatIsDestroyedWhileOtherThingsAreTakenOutIsTakenOutToo(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	for _, n := range []int{2000, 3000, 4000} {
		if _, err := s.Put(blob(n)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, s.Store)
	destroy := func(n int) {
		t.Helper()
		if err := s.Destroy([]blobstore.Destroyed{{Hash: sum(blob(n))}}); err != nil {
			t.Error(err)
		}
	}
	destroy(2000)
	once := true
	b.fail = func(call string) (bool, bool) {
		if call == "delete" && once {
			once = false
			destroy(3000)
		}
		return false, false
	}
	if err := s.Expunge(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.fail = nil
	if !inBucket(t, b.copy(), blob(3000)) {
		t.Fatal("it went at once")
	}
	if s.Gone(s.Ordered()) {
		t.Error("it counts as gone")
	}
	if s = s.crash(t, b); s.Gone(s.Ordered()) {
		t.Error("after a crash it counts as gone")
	}
	if err := s.Expunge(t.Context(), time.Now().Add(-time.Hour)); err != nil || !s.Gone(s.Ordered()) || inBucket(t, b.copy(), blob(3000)) {
		t.Errorf("it isn't taken out: %v", err)
	}
}
