package blobstore_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/pack"
)

// lying is a bucket whose answers are not always true, as those of a cloud that is behind, or of a machine that answers in its place.
type lying struct {
	*bucket
	twice   bool        // each object is listed two times
	blind   bool        // nothing is listed
	garbage func() bool // what is read is something else
	read    *int64      // bytes that were read
}

func (l *lying) Each(ctx context.Context, prefix string, f func(string, int64) error) error {
	return l.bucket.Each(ctx, prefix, func(name string, size int64) error {
		if l.blind {
			return nil
		}
		err := f(name, size)
		if err == nil && l.twice {
			err = f(name, size)
		}
		return err
	})
}

func (l *lying) Get(ctx context.Context, name string, at, n int64) ([]byte, error) {
	b, err := l.bucket.Get(ctx, name, at, n)
	if l.read != nil {
		*l.read += int64(len(b))
	}
	if err == nil && l.garbage != nil && l.garbage() {
		return slices.Repeat([]byte("<html>"), 1+len(b)/9)[:len(b)*2/3], nil
	}
	return b, err
}

// lie is a store with all of load in a bucket that lies from then on.
func lie(t *testing.T, l *lying) (*shelf, *load) {
	t.Helper()
	l.bucket = &bucket{}
	s := shelveIn(t, vfs.NewCrashableMem(), l)
	given := &load{sizes: []int{1, 3000, 40_000, 300_000, pack.MaxItem + 1}}
	if err := given.put(s.Store, 20); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	return s, given
}

func (s *shelf) nothingLost(t *testing.T) {
	t.Helper()
	if len(s.lost.blobs)+len(s.lost.headers) > 0 {
		t.Errorf("%d blobs and %d headers are told as lost", len(s.lost.blobs), len(s.lost.headers))
	}
}

func TestAPackThatIsListedTwiceStays(t *testing.T) {
	l := &lying{twice: true}
	s, given := lie(t, l)
	defer shut(t, s.db, s.Store)
	objects := len(l.objects)
	if found := sweep(t, s.Store); found.Packs != objects || found.Adopted+found.Deleted+found.Lost > 0 {
		t.Errorf("found %+v of %d objects", found, objects)
	}
	if len(l.objects) != objects {
		t.Errorf("of %d objects %d are left", objects, len(l.objects))
	}
	given.check(t, s.Store)
	s.nothingLost(t)
}

// Packs that a listing leaves out are looked for one by one, which must not read all that a member has.
func TestAListingThatLeavesPacksOutCostsLittle(t *testing.T) {
	l := &lying{blind: true, read: new(int64)}
	s, given := lie(t, l)
	defer shut(t, s.db, s.Store)
	*l.read = 0
	if found := sweep(t, s.Store); found.Packs != len(l.objects) || found.Adopted+found.Deleted+found.Lost > 0 {
		t.Errorf("found %+v of %d objects", found, len(l.objects))
	}
	if *l.read > 1000 {
		t.Errorf("%d bytes were read to find %d packs", *l.read, len(l.objects))
	}
	given.check(t, s.Store)
	s.nothingLost(t)
}

// Who reads all packs, and counts, comes to an end where nothing is left of them.
func TestARoundOfReadingPassesPacksThatAreGoneOrEmpty(t *testing.T) {
	for _, gone := range []bool{true, false} {
		l := &lying{}
		s, _ := lie(t, l)
		packs := len(l.objects)
		for name := range l.objects {
			if l.objects[name] = nil; gone {
				delete(l.objects, name)
			}
		}
		for i := range packs {
			if n, err := s.Scrub(t.Context()); n == 0 || err != nil {
				t.Errorf("gone %v: pack %d of %d: %d bytes, %v", gone, i, packs, n, err)
			}
		}
		if n, err := s.Scrub(t.Context()); n != 0 || err != nil {
			t.Errorf("gone %v: after the last: %d bytes, %v", gone, n, err)
		}
		shut(t, s.db, s.Store)
	}
}

// One wrong answer is not believed.
func TestAPackThatIsReadWronglyOnceIsNotDamaged(t *testing.T) {
	left := 0
	l := &lying{garbage: func() bool { left--; return left >= 0 }}
	s, given := lie(t, l)
	defer shut(t, s.db, s.Store)
	for {
		left = 1
		n, err := s.Scrub(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	left = 0
	s.nothingLost(t)
	given.check(t, s.Store)
}

// What was damaged by all answers for a while, and isn't any more when its pack is to be taken away, is there again. Nobody else may have it.
func TestAPackThatWasReadWronglyForAWhileIsTakenInAgain(t *testing.T) {
	wrong := false
	l := &lying{garbage: func() bool { return wrong }}
	s, given := lie(t, l)
	defer shut(t, s.db, s.Store)
	wrong = true
	for {
		if n, err := s.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			break
		}
	}
	if len(s.lost.blobs) != len(given.sizes) || len(s.lost.headers) != len(given.headers) {
		t.Errorf("%d blobs and %d headers are told as lost", len(s.lost.blobs), len(s.lost.headers))
	}
	wrong = false
	gone := blobstore.Destroyed{Record: blobstore.Record{Log: key.Log{1}, ID: key.Record{1}}, Hash: sum(blob(40_000))}
	secrets := [][]byte{given.headers[key.Record{1}], blob(40_000)}
	if err := s.Destroy([]blobstore.Destroyed{gone}); err != nil {
		t.Fatal(err)
	}
	if err := s.Expunge(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if inBucket(t, l.copy(), secret) {
			t.Error("what was destroyed meanwhile is in the bucket")
		}
	}
	delete(given.headers, key.Record{1})
	given.sizes = slices.DeleteFunc(given.sizes, func(n int) bool { return n == 40_000 })
	given.check(t, s.Store)
}

// A telling of the index that the cloud cuts short is ended by the next listing: what is lost is told then, and what is destroyed meanwhile doesn't count as gone before.
func TestATellingOfTheIndexThatWasCutForgetsNothing(t *testing.T) {
	for _, again := range []bool{false, true} {
		b := &bucket{}
		s := shelve(t, vfs.NewCrashableMem(), b)
		if err := (&load{sizes: []int{3000}}).put(s.Store, 5); err != nil {
			t.Fatal(err)
		}
		flush(t, s.Store)
		early := b.copy()
		later := load{sizes: []int{20_000}}
		if err := later.put(s.Store, 0); err != nil {
			t.Fatal(err)
		}
		flush(t, s.Store)
		b.objects = early // the second pack is lost
		b.fail = func(string) (bool, bool) { return true, false }
		if _, err := s.Reindex(t.Context()); !errors.Is(err, blobstore.ErrAway) {
			t.Fatalf("a cloud that is away told the index: %v", err)
		}
		if again {
			s = s.crash(t, b)
		}
		secret := blob(3000)
		if err := s.Destroy([]blobstore.Destroyed{{Hash: sum(secret)}}); err != nil {
			t.Fatal(err)
		}
		err := s.Expunge(t.Context(), time.Time{})
		if s.Gone(s.Ordered()) {
			t.Errorf("again %v: it counts as gone and is in the bucket: %v; %v", again, inBucket(t, early, secret), err)
		}
		b.fail = nil
		if found := sweep(t, s.Store); found.Adopted != 1 {
			t.Errorf("again %v: found %+v", again, found)
		}
		if len(s.lost.blobs) != 1 || s.lost.blobs[0] != sum(blob(20_000)) || len(s.lost.headers) != 0 {
			t.Errorf("again %v: %d blobs and %d headers are told as lost", again, len(s.lost.blobs), len(s.lost.headers))
		}
		if have, err := s.Has(sum(blob(20_000))); have || err != nil {
			t.Errorf("again %v: what is lost counts as there: %v, %v", again, have, err)
		}
		if err := s.Expunge(t.Context(), time.Time{}); err != nil || !s.Gone(s.Ordered()) || inBucket(t, b.copy(), secret) {
			t.Errorf("again %v: it isn't gone: %v", again, err)
		}
		shut(t, s.db, s.Store)
	}
}

// A cloud that refuses to delete, by its policy or a lock, keeps nothing else from being done.
func TestACloudThatRefusesToDeleteIsPackedIntoAndListed(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	early := load{sizes: []int{3000, 4000}}
	if err := early.put(s.Store, 5); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	rogue := b.copy()
	if err := s.Destroy([]blobstore.Destroyed{{Hash: sum(blob(3000))}}); err != nil {
		t.Fatal(err)
	}
	b.fail = func(call string) (bool, bool) { return call == "delete", false }
	late := load{sizes: []int{5000}}
	if err := late.put(s.Store, 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	kept := make(chan struct{})
	go func() {
		s.Keep(ctx, blobstore.Schedule{Fresh: time.Millisecond, List: time.Millisecond, Destroyed: time.Millisecond, Again: time.Millisecond, Scrub: -1}, slog.New(slog.DiscardHandler))
		close(kept)
	}()
	for b.count("delete") < 5 || s.fresh(t) > 0 || b.count("list") < 5 {
		if ctx.Err() != nil {
			t.Fatalf("%d deletes were refused, %d things are fresh, %d lists", b.count("delete"), s.fresh(t), b.count("list"))
		}
		runtime.Gosched()
	}
	if s.Status().Why == "" || s.Gone(s.Ordered()) {
		t.Errorf("%+v; what is destroyed counts as gone: %v", s.Status(), s.Gone(s.Ordered()))
	}
	cancel()
	<-kept
	b.fail = nil
	if err := s.Expunge(t.Context(), time.Time{}); err != nil || !s.Gone(s.Ordered()) {
		t.Errorf("when it deletes again: %v", err)
	}
	sweep(t, s.Store)
	if !inBucket(t, rogue, blob(3000)) || inBucket(t, b.copy(), blob(3000)) {
		t.Error("what was destroyed is in the bucket")
	}
	early.sizes = early.sizes[1:]
	early.check(t, s.Store)
	late.has(t, s.Store)
}
