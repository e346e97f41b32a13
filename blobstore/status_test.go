package blobstore_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/kv"
	"vitalog/pack"
)

func TestStatusTellsWhatWaitsForTheBucketAndSinceWhen(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	if k := s.Status(); k.FreshItems != 0 || !k.FreshSince.IsZero() || !k.Packed.IsZero() {
		t.Errorf("of a new store: %+v", k)
	}
	before := time.Now()
	l := load{sizes: []int{1, 3000, pack.MaxItem + 1}}
	if err := l.put(s.Store, 5); err != nil {
		t.Fatal(err)
	}
	if k := s.Status(); k.FreshItems != 8 || k.Fresh < pack.MaxItem || k.FreshSince.Before(before) {
		t.Errorf("of eight items: %+v", k)
	}
	b.fail = func(call string) (bool, bool) { return call == "put", false }
	if _, err := s.Flush(t.Context()); err == nil {
		t.Error("it was packed into a bucket that takes nothing")
	}
	if k := s.Status(); k.FreshItems != 8 || k.FreshSince.IsZero() || !k.Packed.IsZero() {
		t.Errorf("after a flush that failed: %+v", k)
	}
	b.fail = nil
	flush(t, s.Store)
	packed := s.Status()
	if packed.FreshItems != 0 || packed.Fresh != 0 || !packed.FreshSince.IsZero() || packed.Packed.Before(before) || packed.Packs == 0 || packed.Items != 9 {
		t.Errorf("after a flush: %+v", packed)
	}
	if _, err := s.Put(blob(77)); err != nil {
		t.Fatal(err)
	}
	s = s.crash(t, b)
	if k := s.Status(); k.FreshItems == 0 || !k.Packed.Equal(packed.Packed.Truncate(time.Millisecond)) || !k.FreshSince.Equal(k.Packed) {
		t.Errorf("after a crash what is fresh came since the last flush: %+v", k)
	}
}

func TestStatusTellsHowFarAllWasReadAlsoAfterACrash(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	defer func() { shut(t, s.db, s.Store) }()
	l := load{sizes: []int{3000, 2*pack.MaxItem + 1}}
	if err := l.put(s.Store, 1); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	scrub := func() int64 {
		t.Helper()
		n, err := s.Scrub(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	read := scrub()
	if k := s.Status(); k.Scrubbing != read || !k.Scrubbed.IsZero() || k.Round < float64(k.Bytes)/(1<<20) {
		t.Errorf("after a pack of %d bytes: %+v", read, k)
	}
	s = s.crash(t, b)
	if k := s.Status(); k.Scrubbing != read || k.Scrubbing == k.Bytes {
		t.Errorf("after a crash: %+v", k)
	}
	for n := read; n > 0; {
		n = scrub()
	}
	ended := s.Status().Scrubbed
	if k := s.Status(); ended.IsZero() || k.Scrubbing != 0 {
		t.Errorf("when all was read: %+v", k)
	}
	scrub()
	s = s.crash(t, b)
	if k := s.Status(); !k.Scrubbed.Equal(ended.Truncate(time.Millisecond)) || k.Scrubbing == 0 {
		t.Errorf("in the next round, after a crash: %+v", k)
	}
}

// A round whose end a clock noted that was years ahead doesn't keep the next one waiting for years.
func TestPacksAreReadAgainAlsoAfterTheClockWasWrong(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	if err := (&load{sizes: []int{3000}}).put(s.Store, 1); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	ended := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(time.Now().AddDate(9, 0, 0).UnixMilli()))
	if err := s.db.Prefix("blobs/").Write([]kv.Change{{Key: []byte("s"), Value: ended}}); err != nil {
		t.Fatal(err)
	}
	s = s.crash(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer func() { shut(t, s.db, s.Store) }()
	read := false
	b.fail = func(call string) (bool, bool) {
		if call == "get" { // nothing else reads: nothing is fresh, and the listing is as it was left
			read = true
			cancel()
		}
		return false, false
	}
	s.Keep(ctx, blobstore.Schedule{Pause: time.Millisecond}, slog.New(slog.DiscardHandler))
	if cancel(); !read {
		t.Error("nothing was read")
	}
}

// said is a log that passes on the beginning of each message.
type said struct {
	slog.Handler
	c chan string
}

func (s said) Handle(_ context.Context, r slog.Record) error { s.c <- r.Message; return nil }

func TestStatusTellsTheLastErrorAlsoWhenItIsOver(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	var away atomic.Bool
	away.Store(true)
	b.fail = func(string) (bool, bool) { return away.Load(), false }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	log := said{slog.NewTextHandler(io.Discard, nil), make(chan string, 10)}
	go func() { done <- s.Keep(ctx, blobstore.Schedule{}, slog.New(log)) }()
	<-log.c
	if k := s.Status(); k.Away.IsZero() || !strings.Contains(k.Why, errCloud.Error()) || k.LastError != k.Why || k.Failed.IsZero() {
		t.Errorf("while it doesn't answer: %+v", k)
	}
	away.Store(false)
	for range 2 { // more than a pack: it isn't waited for any longer
		if _, err := s.Put(blob(pack.MaxItem)); err != nil {
			t.Fatal(err)
		}
	}
	<-log.c
	if k := s.Status(); !k.Away.IsZero() || k.Why != "" || !strings.Contains(k.LastError, errCloud.Error()) || k.Failed.IsZero() {
		t.Errorf("when it answers again: %+v", k)
	}
	stop()
	<-done
	shut(t, s.db, s.Store)
}
