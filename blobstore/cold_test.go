package blobstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/pack"
	"vitalog/wire"
)

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
	for i := range 6 { // in whatever order they are found
		l.headers[changed] = fmt.Appendf(nil, "a newer header, %d", i)
		beside := key.Record{byte(99 + 3*i)} // which keeps the pack
		l.headers[beside] = blob(100 + i)
		if err := errors.Join(s.PutHeader(key.Log{1}, changed, l.headers[changed]), s.PutHeader(key.Log{0}, beside, l.headers[beside])); err != nil {
			t.Fatal(err)
		}
		flush(t, s.Store)
	}
	shut(t, s.db, s.Store)

	for name, o := range b.copy() { // where it isn't looked for
		b.objects["packs/zz/"+name[len("packs/zz/"):]] = o
		break
	}
	b.objects["packs/zz"], b.objects["packs/00/"+strings.Repeat("00", 32)] = []byte("rubbish"), []byte("no pack, and named like one: vitalog pack 1, say, or so")
	s = shelve(t, vfs.NewCrashableMem(), b)
	if found := sweep(t, s.Store); found.Adopted != len(b.objects)-3 || found.Foreign != 3 || found.Lost+found.Deleted != 0 {
		t.Errorf("found %+v of %d objects", found, len(b.objects))
	}
	l.check(t, s.Store)
	if found := sweep(t, s.Store); found.Packs != len(b.objects)-3 || found.Adopted+found.Deleted+found.Lost != 0 {
		t.Errorf("found again %+v", found)
	}
	if found, err := s.Reindex(t.Context()); err != nil || found.Adopted != len(b.objects)-3 || found.Lost+found.Deleted != 0 {
		t.Errorf("told anew: %+v, %v", found, err)
	}
	l.check(t, s.Store)
	if found, err := blobstoreOf(t, b, pack.NewKey([32]byte{43})).Sweep(t.Context()); err != nil || found.Adopted != 0 || found.Foreign != len(b.objects) {
		t.Errorf("with another member's key: %+v, %v", found, err)
	}
	shut(t, s.db, s.Store)
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

// What was packed anew since is in the older packs as well.
func TestABucketThatWasRolledBackLosesNothingThatItsOlderPacksHave(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{1, 3000, 40_000, 300_000, 500_000}}
	if err := l.put(s.Store, 20); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	old := b.copy()
	if err := s.Delete(sha256.Sum256(blob(500_000))); err != nil {
		t.Fatal(err)
	}
	if gone, err := s.Repack(t.Context(), time.Now().Add(time.Second)); gone == 0 || err != nil {
		t.Fatalf("%d packs were made anew, %v", gone, err)
	}
	b.objects = old
	if found := sweep(t, s.Store); found.Lost == 0 || found.Adopted == 0 {
		t.Errorf("found %+v", found)
	}
	l.sizes = l.sizes[:4]
	l.has(t, s.Store)
	if len(s.lost.blobs)+len(s.lost.headers) > 0 {
		t.Errorf("%d blobs and %d headers are told as lost", len(s.lost.blobs), len(s.lost.headers))
	}
	shut(t, s.db, s.Store)
}

func TestAPackThatIsGoneWhenItIsToBeMadeAnewIsToldAsLost(t *testing.T) {
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{sizes: []int{3000, 40_000}}
	if err := l.put(s.Store, 20); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	if err := s.Delete(sha256.Sum256(blob(40_000))); err != nil {
		t.Fatal(err)
	}
	b.objects = map[string][]byte{}
	if _, err := s.Repack(t.Context(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if len(s.lost.blobs) != 1 || len(s.lost.headers) != 20 {
		t.Errorf("%d blobs and %d headers are told as lost, want 1 and 20", len(s.lost.blobs), len(s.lost.headers))
	}
	shut(t, s.db, s.Store)
}

// A bucket that loses, alters, cuts or forgets: what is not whole any more is told, all of it and nothing else; nothing wrong is read; and when
// it is put again all is well.
func TestABucketThatRotsIsFoundOut(t *testing.T) {
	for name, rot := range map[string]func(b *bucket, old map[string][]byte){
		"wiped":       func(b *bucket, _ map[string][]byte) { b.objects = map[string][]byte{} },
		"rolled back": func(b *bucket, old map[string][]byte) { b.objects = old },
		"altered": func(b *bucket, _ map[string][]byte) {
			for _, o := range b.objects {
				o[rand.IntN(len(o))] ^= 4
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
			if name == "cut" && len(s.lost.blobs) == 0 {
				t.Error("a listing doesn't see that objects are shorter than they were")
			}
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
			if len(told) == 0 || name == "altered" && len(told) > len(b.objects) {
				t.Errorf("%d things were told, of %d objects", len(told), len(b.objects))
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
	eventually(t, "it isn't asked again", func() bool { _, err := s.Get(sum(blob(1)), huge); return !errors.Is(err, blobstore.ErrAway) })
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

// What a cloud can count and measure is made of totals: how many records there are, and how large they are together. Not whose they are, nor in which order they came.
func TestWhatABucketShowsDoesNotTellWhoseTheRecordsAre(t *testing.T) {
	const records = 1200
	content := make([][]byte, records)
	inTurn, apart := make([]int, records), make([]int, records)
	for i := range records {
		content[i] = blob(4000 + i*7919%9000)
		inTurn[i] = i
		apart[i] = 2*i%records + 2*i/records
	}
	var first [2]int // objects, and their bytes
	seen := map[[16]byte]bool{}
	for _, c := range []struct {
		name     string
		patients int // have the records in turn
		order    []int
	}{{"one patient", 1, inTurn}, {"two patients in turn", 2, inTurn}, {"two patients, one after the other", 2, apart}, {"two hundred patients", 200, inTurn}, {"the same again", 2, inTurn}} {
		b := &bucket{}
		s := shelve(t, vfs.NewCrashableMem(), b)
		logs := make([]key.Log, c.patients)
		for i := range logs {
			logs[i] = key.Log(random(32))
		}
		for _, i := range c.order {
			h, err := s.Put(content[i])
			if err != nil {
				t.Fatal(err)
			}
			header := &envelope.Header{Padded: 1024, Blob: h, Owner: random(1168)}
			header.Log, header.Com = logs[i%c.patients], wire.Hash(random(32))
			raw := header.Encode()
			if _, err := envelope.DecodeHeader(raw); err != nil {
				t.Fatal(err) // it would not lie with its ciphertext
			}
			if err := s.PutHeader(header.Log, key.Record(random(32)), raw); err != nil {
				t.Fatal(err)
			}
		}
		flush(t, s.Store)
		shows, last := [2]int{}, 0
		for _, o := range b.objects {
			shows[0]++
			shows[1] += len(o)
			if len(o) < pack.Target {
				last++
			} else if len(o) > pack.Target+pack.Target/8 {
				t.Errorf("%s: an object of %d bytes", c.name, len(o))
			}
			for at := 16; at+16 <= len(o); at += 16 { // behind the magic
				k := [16]byte(o[at:])
				if seen[k] {
					t.Errorf("%s: 16 bytes stand elsewhere too", c.name)
				}
				seen[k] = true
			}
		}
		if first == ([2]int{}) {
			first = shows
		}
		if shows != first || shows[0] < 2 || last > 1 {
			t.Errorf("%s: %d objects of %d bytes, %d of them not full, want %d of %d", c.name, shows[0], shows[1], last, first[0], first[1])
		}
		shut(t, s.db, s.Store)
	}
}
