package blobstore_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/pack"
	"vitalog/wire"
)

// inspection looks at a store's headers as if they were to be what the load has.
func (l *load) inspection(s *blobstore.Store) *blobstore.Inspection {
	return s.Inspect(func(_ key.Log, id key.Record, header []byte) error {
		if !bytes.Equal(header, l.headers[id]) {
			return errUnfit
		}
		return nil
	})
}

var errUnfit = errors.New("another header")

// harm turns a bit over in what the bucket has of an item.
func (b *bucket) harm(t *testing.T, n pack.Name) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, o := range b.objects {
		table, err := storageKey.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range table.Items {
			if x.Name == n {
				o = bytes.Clone(o)
				o[uint64(pack.Head)+x.At+x.Sealed()/2] ^= 1
				b.objects[name] = o
				return
			}
		}
	}
	t.Fatalf("%v is in no object", n)
}

func TestAnInspectionReadsEachPackOnceAndWhatTheBucketHasNow(t *testing.T) {
	const items = 14_000
	b := &bucket{}
	s := shelve(t, vfs.NewCrashableMem(), b)
	l := load{headers: map[key.Record][]byte{}}
	var all []blobstore.Record
	var blobs []wire.Hash
	var ids []key.Record
	log := key.Log{3}
	for i := range items / 2 {
		r := blobstore.Record{Log: log, ID: key.Record{byte(i), byte(i >> 8)}, Header: blob(2700 + i%900), Blob: blob(10_000 + i)[:900]}
		l.headers[r.ID] = r.Header
		all, ids, blobs = append(all, r), append(ids, r.ID), append(blobs, sum(r.Blob))
	}
	if err := s.PutRecords(all); err != nil {
		t.Fatal(err)
	}
	flush(t, s.Store)
	packs := len(b.objects)
	if packs < 3 {
		t.Fatalf("all is in %d packs", packs)
	}
	// In no order that means anything, by several at once.
	look := func(i *blobstore.Inspection) (bad map[any]error) {
		bad = map[any]error{}
		var mu sync.Mutex
		var g sync.WaitGroup
		order := rand.Perm(items / 2)
		for part := range 4 {
			g.Go(func() {
				for _, n := range order[part*len(order)/4 : (part+1)*len(order)/4] {
					size, err := i.Blob(t.Context(), blobs[n])
					if err == nil && size != 900 {
						err = errors.New("another size")
					}
					headerErr := i.Header(t.Context(), log, ids[n])
					mu.Lock()
					if err != nil {
						bad[blobs[n]] = err
					}
					if headerErr != nil {
						bad[ids[n]] = headerErr
					}
					mu.Unlock()
				}
			})
		}
		g.Wait()
		return bad
	}
	before := b.count("get")
	if bad := look(l.inspection(s.Store)); len(bad) > 0 {
		t.Errorf("of what is whole %d are not: %v", len(bad), bad)
	}
	if asked := b.count("get") - before; asked != packs {
		t.Errorf("%d requests for %d packs", asked, packs)
	}

	// What was read ahead is whole, and the bucket has something else.
	s.Warm(t.Context(), log, ids[:10], blobs[:10])
	b.harm(t, pack.Name{Kind: pack.Blob, Hash: blobs[3]})
	b.harm(t, pack.Name{Kind: pack.Header, Log: log, Record: ids[4]})
	l.headers[ids[5]] = []byte("what the ledger says")
	if got, err := s.Get(blobs[3], huge); err != nil || !bytes.Equal(got, all[3].Blob) {
		t.Errorf("what was read ahead: %v", err)
	}
	i := l.inspection(s.Store)
	bad := look(i)
	if len(bad) != 3 || !errors.Is(bad[blobs[3]], blobstore.ErrCorrupt) || !errors.Is(bad[ids[4]], blobstore.ErrCorrupt) || !errors.Is(bad[ids[5]], errUnfit) {
		t.Errorf("of three that are harmed it finds %v", bad)
	}

	// What is put anew is fresh, and what was packed anew is looked at where it lies now.
	if err := s.PutRecords([]blobstore.Record{all[3], all[4], {Log: log, ID: ids[5], Header: l.headers[ids[5]]}}); err != nil {
		t.Fatal(err)
	}
	if bad := look(i); len(bad) > 0 {
		t.Errorf("after all was put again: %v", bad)
	}
	flush(t, s.Store)
	if n, err := s.Repack(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(n, err)
	}
	for _, i := range []*blobstore.Inspection{i, l.inspection(s.Store)} {
		if bad := look(i); len(bad) > 0 {
			t.Errorf("after all was packed: %v", bad)
		}
	}

	// A cloud that doesn't answer is no damage, nor is it the end; packs that are gone cost one request each.
	i = l.inspection(s.Store)
	b.fail = func(string) (bool, bool) { return true, false }
	if _, err := i.Blob(t.Context(), blobs[0]); !errors.Is(err, blobstore.ErrAway) {
		t.Errorf("a cloud that is away: %v", err)
	}
	b.fail = nil
	for err := blobstore.ErrAway; errors.Is(err, blobstore.ErrAway) && t.Context().Err() == nil; { // one asks again, after as short a silence as it failed in
		_, err = i.Blob(t.Context(), blobs[0])
	}
	if bad := look(i); len(bad) > 0 {
		t.Errorf("when it is back: %v", bad)
	}
	b.mu.Lock()
	packs = len(b.objects)
	clear(b.objects)
	b.mu.Unlock()
	before = b.count("get")
	bad = look(l.inspection(s.Store))
	for n, err := range bad {
		if !errors.Is(err, blobstore.ErrCorrupt) {
			t.Fatalf("of a bucket that is gone: %v: %v", n, err)
		}
	}
	if asked := b.count("get") - before; len(bad) != items || asked != packs {
		t.Errorf("%d of %d are found gone, in %d requests for %d packs", len(bad), items, asked, packs)
	}
	if _, err := i.Blob(t.Context(), wire.Hash{1}); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("what was never there: %v", err)
	}
	shut(t, s.db, s.Store)
}
