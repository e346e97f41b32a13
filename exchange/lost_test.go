package exchange_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/s3"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/wire"
)

// losesUnnamed has the bucket of member 1 lose what no entry names: keys that are in its notes, what another member has, and what nobody has.
func (w *world) losesUnnamed(t *testing.T, ctx context.Context, dir string) {
	t.Helper()
	chart, err := w.Nodes[1].Member.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.Nodes[0].Member.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	at, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), other, []exchange.Draft{w.pulse(t)})
	if err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	for _, n := range w.Nodes {
		eventually(t, ctx, "everything is everywhere", func() (bool, error) { n, err := n.Member.Missing(); return n == 0, err })
	}
	_, before := w.verified(t, ctx, 1, exchange.Verification{All: true})
	handle, err := w.Nodes[1].Member.Handle(chart)
	if err != nil {
		t.Fatal(err)
	}
	put := func(members ...int) wire.Hash {
		b := make([]byte, 1000)
		rand.Read(b)
		for _, i := range members {
			if err := w.Nodes[i].Store.PutAll([][]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		return sha256.Sum256(b)
	}
	has := func(h wire.Hash) bool {
		t.Helper()
		have, err := w.Nodes[1].Store.Has(h)
		if err != nil {
			t.Fatal(err)
		}
		return have
	}
	already, err := w.Nodes[1].Member.GivenUp()
	if err != nil {
		t.Fatal(err)
	}
	stands := func(missing int, given uint64) (bool, error) {
		n, err := w.Nodes[1].Member.Missing()
		up, upErr := w.Nodes[1].Member.GivenUp()
		return n == missing && up == already+given, errors.Join(err, upErr)
	}
	store := w.Nodes[1].Store
	packed := func() {
		t.Helper()
		if _, err := store.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	wipe := func() {
		t.Helper()
		for _, path := range objects(t, bucketOf(dir, 1)) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if found, err := store.Sweep(ctx); err != nil || found.Lost == 0 {
			t.Fatalf("a wiped bucket has lost %d packs: %v", found.Lost, err)
		}
	}

	// A record that nobody has is asked for, also when everybody has said so.
	named := w.record(t, at[0]).Blob
	ciphertext, err := store.Get(named, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	packed() // what this member wrote itself: of that pack it may have a copy still
	for _, h := range []wire.Hash{handle.Key, named} {
		b, err := store.Get(h, 1<<20)
		if err == nil {
			err = store.Delete(h)
		}
		if err == nil {
			err = store.PutAll([][]byte{b})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	shared, garbage := put(1, 2), put(1)
	packed()
	for _, i := range []int{0, 2, 3} {
		if err := w.Nodes[i].Store.Delete(named); err != nil {
			t.Fatal(err)
		}
	}
	wipe()
	eventually(t, ctx, "what nobody names or has is given up, and a record isn't", func() (bool, error) { return stands(1, 1) })
	if !has(handle.Key) || !has(shared) || has(garbage) || has(named) {
		t.Errorf("the key in the notes is there: %v, what member 2 has: %v, what nobody has: %v, the record: %v", has(handle.Key), has(shared), has(garbage), has(named))
	}
	if err := w.Nodes[3].Store.PutAll([][]byte{ciphertext}); err != nil {
		t.Fatal(err)
	}
	eventually(t, ctx, "the record is there when somebody has it", func() (bool, error) { return stands(0, 1) })

	// Nothing is given up while somebody doesn't answer.
	shared = put(1, 2)
	put(1)
	packed()
	w.Stop(t, 2)
	wipe()
	eventually(t, ctx, "the key is put back", func() (bool, error) { return w.Nodes[1].Store.Has(handle.Key) })
	w.Restart(t, 2, node.Options{})
	w.WaitReady(t)
	eventually(t, ctx, "it is told by all who has what", func() (bool, error) { return stands(0, 2) })
	if !has(shared) {
		t.Error("what a member has that didn't answer was given up")
	}
	if _, after := w.verified(t, ctx, 1, exchange.Verification{All: true}); after.Unreferenced != before.Unreferenced+2 {
		t.Errorf("%d blobs that no entry names, want the %d of before and 2", after.Unreferenced, before.Unreferenced)
	}
}

// What is lost once more while it is on its way from another member, after that has given it, is asked for once more.
func TestWhatIsLostAgainWhileItIsFetchedIsFetchedAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	var links []*s3.Proxy // to those who are asked
	w := &world{Net: testnet.StartChanged(t, 4, func(int) string { return "" }, func(member int, c *node.Config) {
		if member != 1 {
			links = append(links, callers(t, c))
		}
	}, node.Options{})}
	var drafts []exchange.Draft
	for range 600 { // more than are asked for in one request
		drafts = append(drafts, w.pulse(t))
	}
	at := w.chart(t, ctx, drafts...)
	w.settle(t, ctx)
	everything := func() (bool, error) { n, err := w.Nodes[1].Member.Missing(); return n == 0, err }
	eventually(t, ctx, "member 1 has everything", everything)
	var blobs []wire.Hash
	for i := range at {
		blobs = append(blobs, w.record(t, at[i]).Blob)
	}
	n := w.Nodes[1]
	lose := func(blobs ...wire.Hash) {
		t.Helper()
		for _, h := range blobs {
			if err := n.Store.Delete(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Member.Lost(blobs, nil); err != nil {
			t.Fatal(err)
		}
	}
	here := func(h wire.Hash) bool {
		have, err := n.Store.Has(h)
		if err != nil {
			t.Fatal(err)
		}
		return have
	}
	for _, l := range links {
		l.Late.Store(int64(100 * time.Millisecond))
	}
	for some := false; !some; some = !here(blobs[len(blobs)-1]) { // once more if the others came before this looked
		eventually(t, ctx, "member 1 has everything", everything)
		lose(blobs...)
		eventually(t, ctx, "the first is here again", func() (bool, error) { return here(blobs[0]), nil })
	}
	lose(blobs[0])
	eventually(t, ctx, "member 1 has everything again", everything)
	for i, h := range blobs {
		if !here(h) {
			t.Errorf("blob %d counts as here", i)
		}
	}
}
