package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/key"
	"vitalog/node"
	"vitalog/op"
	"vitalog/pack"
	"vitalog/receipt"
	"vitalog/section"
)

// files gives every file below a directory.
func files(t testing.TB, root string, each func(content []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		each(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// everything gives every file below a member's directory and its bucket, and what its own packs hold.
func (w *world) everything(t testing.TB, member int, bucket string, each func(content []byte)) {
	t.Helper()
	storage := w.Nodes[member].Ring.Storage()
	for _, root := range []string{w.MemberDir(member), bucket} {
		files(t, root, func(b []byte) {
			each(b)
			table, err := storage.Open(b)
			if err != nil {
				return // no pack
			}
			for _, x := range table.Items {
				at := uint64(pack.Head) + x.At
				content, err := storage.Opener(table.Salt).Item(b[at:at+x.Sealed()], x.Place)
				if err != nil {
					t.Fatal(err)
				}
				each(content)
			}
		})
	}
}

// collect notes which of secrets are in what it is given.
func collect(secrets [][]byte, found *[]int) func(content []byte) {
	return func(content []byte) {
		for i, s := range secrets {
			if bytes.Contains(content, s) && !slices.Contains(*found, i) {
				*found = append(*found, i)
			}
		}
	}
}

// tellDeleted has every member that runs look whether it is to say that it has deleted.
func (w *world) tellDeleted(t testing.TB, ctx context.Context) {
	t.Helper()
	for i, n := range w.Nodes {
		if n == nil {
			continue
		}
		for range 2 { // what it waits for, and whether it is there
			if err := n.Member.TellDeleted(ctx); err != nil {
				t.Fatalf("member %d: %v", i, err)
			}
		}
	}
}

// deleters are the members that have said that they have deleted something.
func (w *world) deleters(t testing.TB) (who []int) {
	t.Helper()
	for i := range w.Nodes {
		if upto, _, err := w.Nodes[0].Chain.Ledger().Deleted(i); err != nil {
			t.Fatal(err)
		} else if upto > 0 {
			who = append(who, i)
		}
	}
	return who
}

func TestADestroyedRecordIsInNoFileAndNoObjectOfAnyMemberAndStaysRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	dir := t.TempDir()
	w := &world{Net: testnet.StartInBuckets(t, 4, func(i int) string {
		if i == 3 {
			return "" // it keeps everything on its disk
		}
		return "file://" + bucketOf(dir, i)
	}, node.Options{})}
	drafts := []exchange.Draft{w.pulse(t), w.image(t, 40<<10), w.pulse(t), w.pulse(t)}
	at := w.chart(t, ctx, drafts...)
	for _, m := range []int{0, 3} {
		if err := w.grant(ctx, m, "read", "TREAT", nil); err != nil {
			t.Fatal(err)
		}
	}
	w.settle(t, ctx)
	for i, n := range w.Nodes {
		eventually(t, ctx, "everything is everywhere", func() (bool, error) { n, err := n.Member.Missing(); return n == 0, err })
		if i == 3 {
			continue
		}
		if _, err := n.Store.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// What is destroyed: one record in the key-value store, and one that is large. Of each the ciphertext and the header.
	gone := at[:2]
	secrets := w.secrets(t, gone)
	find := func(member int) (found []int) {
		w.everything(t, member, map[bool]string{true: w.MemberDir(3), false: bucketOf(dir, member)}[member == 3], collect(secrets, &found))
		return found
	}
	search := func(root string) (found []int) {
		files(t, root, collect(secrets, &found))
		return found
	}
	for i := range 3 {
		if found := find(i); len(found) != len(secrets) {
			t.Fatalf("the search finds only %v of what member %d has", found, i)
		}
	}
	// A copy of a member's data from before, taken while it stood still, and brought back later.
	data, old := filepath.Join(w.MemberDir(3), "data"), filepath.Join(dir, "old")
	w.Stop(t, 3)
	if err := os.CopyFS(old, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(old, "chain", "vote")); err != nil { // which is never restored
		t.Fatal(err)
	}
	w.Restart(t, 3, node.Options{})
	w.WaitReady(t)
	w.tellDeleted(t, ctx)
	if who := w.deleters(t); len(who) > 0 {
		t.Errorf("members %v say that they have deleted before anything was destroyed", who)
	}
	order := func(p ...exchange.Published) (o exchange.Ordered) {
		t.Helper()
		var entries []uint64
		for _, x := range p {
			entries = append(entries, x.Entry)
		}
		if _, err := w.patient.Destroy(ctx, section.Vitals, entries...); err != nil {
			t.Fatal(err)
		}
		w.settle(t, ctx)
		all, err := w.patient.Erasures(ctx, section.Vitals)
		if err != nil || len(all) == 0 || !slices.Equal(all[len(all)-1].Entries, entries) {
			t.Fatalf("what was ordered: %+v, %v", all, err)
		}
		return all[len(all)-1].Ordered
	}
	first := order(gone...)
	// Nobody says it while it is there: not after a while, and not after a start between.
	w.Stop(t, 1)
	w.Restart(t, 1, node.Options{})
	w.WaitReady(t)
	w.tellDeleted(t, ctx)
	for _, i := range w.deleters(t) {
		if found := find(i); len(found) > 0 {
			t.Errorf("member %d says that it has deleted, and has %v", i, found)
		}
	}
	if _, shown, err := w.patient.Certificate(ctx, first); err != nil || shown[0].Complete() && len(find(0)) > 0 {
		t.Errorf("complete while it is there: %+v, %v", shown, err)
	}
	deleted := func(members ...int) {
		t.Helper()
		for _, i := range members {
			if err := w.Nodes[i].Store.Expunge(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
			if found := find(i); len(found) > 0 {
				t.Errorf("member %d still has %v", i, found)
			}
		}
		w.settle(t, ctx)
		w.tellDeleted(t, ctx)
		w.settle(t, ctx) // whoever proves it has heard it too
	}
	deleted(0, 1, 2, 3)
	_, shown, err := w.patient.Certificate(ctx, first)
	if err != nil || !shown[0].Complete() || len(shown[0].Records) != 2 {
		t.Fatalf("when all have deleted: %+v, %v", shown, err)
	}
	for i, x := range shown[0].Records {
		if x.ID != w.record(t, gone[i]).ID || x.Entry != gone[i].Entry {
			t.Errorf("the certificate is about %+v, want %+v", x, gone[i])
		}
	}
	for i := range w.Nodes { // so that no storage receipt comes either
		eventually(t, ctx, fmt.Sprintf("member %d has claimed the last record", i), func() (bool, error) { return w.claims(t, i, at[3]), nil })
	}
	height := w.Nodes[0].Chain.Ledger().Height()
	w.tellDeleted(t, ctx)
	if now := w.Nodes[0].Chain.Ledger().Height(); now > height+1 { // the proof block of the last receipt
		t.Errorf("nothing was destroyed, and the ledger went on from block %d to %d", height, now)
	}
	shows := func(member int) (opened bool, shown []int) {
		t.Helper()
		o, err := w.Nodes[member].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), vitals)
		if err != nil {
			return false, nil
		}
		for i, d := range drafts {
			if o.Chart.Get(d.Resource.Type(), d.ID) != nil {
				shown = append(shown, i)
			}
		}
		return true, shown
	}
	refused := func(when string) {
		t.Helper()
		for _, m := range []int{0, 3} {
			if _, shown := shows(m); !slices.Equal(shown, []int{2, 3}) {
				t.Errorf("%s: member %d is shown the records %v", when, m, shown)
			}
		}
		for i, n := range w.Nodes {
			eventually(t, ctx, fmt.Sprintf("%s, member %d looks for nothing", when, i), func() (bool, error) { n, err := n.Member.Missing(); return n == 0, err })
		}
	}
	refused("destroyed")

	// The old copy is put back. What it has nobody opens; it follows the ledger, deletes it again, and its bucket and the others don't bring it back.
	w.Stop(t, 3)
	if err := errors.Join(os.RemoveAll(data), os.Rename(old, data)); err != nil {
		t.Fatal(err)
	}
	if found := search(data); len(found) != len(secrets) {
		t.Fatalf("the old copy has only %v", found)
	}
	w.Restart(t, 3, node.Options{})
	if opened, shown := shows(3); opened && !slices.Equal(shown, []int{2, 3}) {
		t.Errorf("before it has followed the ledger, the old copy shows the records %v", shown)
	}
	w.WaitReady(t)
	refused("from the old copy")
	w.settle(t, ctx)
	deleted(3)
	w.Stop(t, 1)
	w.Restart(t, 1, node.Options{})
	w.WaitReady(t)
	refused("after a start")
	for _, p := range gone {
		for i, n := range w.Nodes {
			if has, err := n.Store.Has(w.record(t, p).Blob); err != nil || has {
				t.Errorf("member %d has it again: %v", i, err)
			}
		}
	}
	t.Run("but for its author, who must keep it", func(t *testing.T) {
		w.keeps(t, ctx, dir)
	})
	deleted(0, 1, 2, 3) // of that too

	// Of what is ordered later only some have said so far that it is gone. The certificate of both orders holds when nobody is there any more.
	second := order(at[2])
	deleted(0, 1)
	c, _, err := w.patient.Certificate(ctx, second, first)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		w.writeCertificate(t, ctx, c, at[3])
	}
	for i := range w.Nodes {
		w.Stop(t, i)
	}
	g, err := node.LoadGenesis(w.MemberDir(2))
	if err != nil {
		t.Fatal(err)
	}
	if c, err = receipt.DecodeCertificate(c.Encode()); err != nil {
		t.Fatal(err)
	}
	if shown, err = c.Verify(g); err != nil {
		t.Fatal(err)
	}
	if len(shown) != 2 || shown[0].Entry != first.Entry || !shown[0].Complete() || shown[1].Entry != second.Entry || shown[1].Deleted[0] == nil || shown[1].Deleted[1] == nil {
		t.Errorf("when nobody is there any more, the certificate shows %+v", shown)
	}
}

var update = flag.Bool("update", false, "write spec/testdata/certificate.json from this network")

// writeCertificate writes a certificate as a vector, with receipts of its network that have no place in one: an order to block, of a record, and what a
// member says that it holds.
func (w *world) writeCertificate(t testing.TB, ctx context.Context, c *receipt.Certificate, block exchange.Published) {
	t.Helper()
	if _, err := w.patient.Erase(ctx, section.Vitals, block.Entry); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	all, err := w.patient.Erasures(ctx, section.Vitals)
	if err != nil {
		t.Fatal(err)
	}
	g := w.Nodes[0].Genesis
	of := func(log key.Log, entry uint64) []byte {
		t.Helper()
		r, err := w.Nodes[0].Member.Receipt(ctx, log, entry)
		if err != nil {
			t.Fatal(err)
		}
		return r.Encode()
	}
	shown, err := c.Verify(g)
	if err != nil {
		t.Fatal(err)
	}
	holds, stored := op.StoredLog(g.Network(), g.Members[0].Sign), uint64(0)
	eventually(t, ctx, "member 0 says what it holds", func() (bool, error) {
		err := w.Nodes[0].Chain.Ledger().Entries(holds, 0, 1<<20, func(e *op.Entry) error {
			if _, ok := e.Says.(*op.Stored); ok {
				stored = e.Number
			}
			return nil
		})
		return stored > 0, err
	})
	b, err := json.MarshalIndent(map[string]any{"genesis": g, "certificate": c.Encode(), "shown": shown, "block": of(block.Log, all[len(all)-1].Entry), "record": of(block.Log, block.Entry),
		"stored": of(holds, stored)}, "", " ")
	if err == nil {
		err = os.WriteFile("../spec/testdata/certificate.json", append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// secrets are runs of bytes of records that must be nowhere when these are destroyed: out of the middle of each ciphertext and of each header, and
// its end.
func (w *world) secrets(t testing.TB, gone []exchange.Published) (out [][]byte) {
	t.Helper()
	for _, p := range gone {
		rec := w.record(t, p)
		b, err := w.Nodes[3].Store.Get(rec.Blob, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		header, err := w.Nodes[3].Store.Header(p.Log, rec.ID)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b[len(b)/2:len(b)/2+24], header[len(header)/2:len(header)/2+24], header[len(header)-40:])
	}
	return out
}
