package blobstore_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/wire"
)

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
	if !s.Gone(s.Ordered()) {
		t.Error("something is to be taken out before anything was destroyed")
	}
	for _, g := range gone { // read ahead
		s.Warm(t.Context(), g.Log, []key.Record{g.ID}, []wire.Hash{g.Hash})
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
	// Nobody hears that it is gone before it is: not when the bucket fails half way, whether or not it did what it was asked, and not after a crash.
	for _, call := range []string{"put", "get", "delete"} {
		for _, happened := range []bool{false, true} {
			b.fail = func(c string) (bool, bool) { return c == call && !happened, c == call && happened }
			if err := s.Expunge(t.Context(), time.Time{}); err == nil {
				t.Errorf("%s failed, and it is told as done", call)
			}
			b.fail = nil
			if s.Gone(s.Ordered()) {
				t.Errorf("%s failed, and it counts as gone", call)
			}
			s = s.crash(t, b)
			if s.Gone(s.Ordered()) {
				t.Errorf("%s failed, and after a crash it counts as gone", call)
			}
		}
	}
	if err := s.Expunge(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if !s.Gone(s.Ordered()) {
		t.Error("it is taken out, and doesn't count as gone")
	}
	if s = s.crash(t, b); !s.Gone(s.Ordered()) {
		t.Error("it is taken out, and after a start it doesn't count as gone")
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

// A copy that isn't needed any more may lie in another pack than the one that is read.
func TestWhatWasDestroyedIsInNoObjectThatHasAnOlderCopyOfIt(t *testing.T) {
	record := blobstore.Record{Log: key.Log{1}, ID: key.Record{1}}
	other := blobstore.Record{Log: key.Log{1}, ID: key.Record{2}, Header: blob(5000)} // keeps the pack
	first, secret := blob(2000), blob(3000)
	for name, prepare := range map[string]func(b *bucket, s *shelf) *shelf{
		"new locks twice": func(_ *bucket, s *shelf) *shelf {
			for i, h := range [][]byte{first, blob(2001), blob(2002)} {
				beside := blobstore.Record{Log: other.Log, ID: key.Record{byte(2 + i)}, Header: blob(5000 + i)}
				s.put(t, blobstore.Record{Log: record.Log, ID: record.ID, Header: h}, beside)
				flush(t, s.Store)
			}
			return s
		},
		"a disk that was restored": func(b *bucket, s *shelf) *shelf {
			s.put(t, blobstore.Record{Log: record.Log, ID: record.ID, Header: first, Blob: secret})
			backup := s.disk.CrashClone(vfs.CrashCloneCfg{})
			s.put(t, other)
			flush(t, s.Store)
			shut(t, s.db, s.Store)
			s = shelve(t, backup, b)
			sweep(t, s.Store)
			flush(t, s.Store)
			return s
		},
	} {
		b := &bucket{}
		s := prepare(b, shelve(t, vfs.NewCrashableMem(), b))
		if !inBucket(t, b.copy(), first) {
			t.Fatalf("%s: the first header isn't there to begin with", name)
		}
		if err := s.Destroy([]blobstore.Destroyed{{Record: record, Hash: sum(secret)}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Expunge(t.Context(), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if !s.Gone(s.Ordered()) {
			t.Errorf("%s: it isn't gone", name)
		}
		for what, content := range map[string][]byte{"header": first, "ciphertext": secret} {
			if inBucket(t, b.copy(), content) {
				t.Errorf("%s: it counts as gone, and its %s is in the bucket", name, what)
			}
		}
		if got, err := s.Header(other.Log, other.ID); err != nil || len(got) < 5000 {
			t.Errorf("%s: what lay beside it: got %d bytes, %v", name, len(got), err)
		}
		shut(t, s.db, s.Store)
	}
}

func TestWhatIsDestroyedTwiceAtOnceTakesNothingElseAlong(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	record, beside := blobstore.Record{Log: key.Log{1}, ID: key.Record{1}, Header: blob(2000)}, blobstore.Record{Log: key.Log{1}, ID: key.Record{2}, Header: blob(2001)}
	s.put(t, record, beside)
	flush(t, s.Store)
	twice := blobstore.Destroyed{Record: record}
	if err := s.Destroy([]blobstore.Destroyed{twice, twice}); err != nil {
		t.Fatal(err)
	}
	if err := s.Expunge(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Header(beside.Log, beside.ID); err != nil || !bytes.Equal(got, beside.Header) {
		t.Errorf("what lay beside it: got %d bytes, %v", len(got), err)
	}
	shut(t, s.db, s.Store)
}
