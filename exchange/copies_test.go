package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/exchange"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/pack"
	"vitalog/threshold"
	"vitalog/wire"
)

// The bucket didn't answer when the record was destroyed, so the copy is made later, without the block being followed once more. There is a crash before each write
// of that.
func TestACopyThatIsMadeLateIsToldOfWhenTheRecordItselfIsGone(t *testing.T) {
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "ring"), []byte("a passphrase for tests"))
	if err != nil {
		t.Fatal(err)
	}
	owner, public := key.NewRoot().Section(5), threshold.NewPolynomial(2).Commitments()[0]
	seal := func(keeper envelope.Author) (*envelope.Header, []byte) {
		var b bytes.Buffer
		log := owner.Log(key.Network{1})
		c := envelope.NewContext(key.Network{1}, log, ring.Grantee(log, exchange.Treat).Public(), uint64(time.Now().UnixMilli()), true)
		h, err := envelope.Seal(&b, bytes.NewReader(make([]byte, 100_000)), c, envelope.Locks{Owner: owner.Private.Exchange(), Reader: owner.Reader(1).Exchange(), Epoch: 1,
			Network: public, NetGen: 1, Author: keeper})
		if err != nil {
			t.Fatal(err)
		}
		return h, b.Bytes()
	}
	for name, keeper := range map[string]envelope.Author{"kept": ring.Author(), "not kept": nil} {
		h, ciphertext := seal(keeper)
		mem := vfs.NewCrashableMem()
		var disks []*vfs.MemFS
		watching := false
		db, store := openStore(t, errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
			if watching && o.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				disks = append(disks, mem.CrashClone(vfs.CrashCloneCfg{}))
			}
			return nil
		})))
		if err := store.PutRecords([]blobstore.Record{{Log: h.Log, ID: h.Record(), Header: h.Encode(), Blob: ciphertext}}); err != nil {
			t.Fatal(err)
		}
		k, err := exchange.OpenKeeping(ring, store, db)
		if err == nil {
			err = k.Note(h)
		}
		if watching = true; err == nil {
			err = k.Late()
		}
		if watching = false; err != nil {
			t.Fatal(err)
		}
		for i, disk := range append(disks, mem.CrashClone(vfs.CrashCloneCfg{})) {
			db, store := openStore(t, disk)
			k, err := exchange.OpenKeeping(ring, store, db)
			if err != nil {
				t.Fatal(err)
			}
			is := func() bool {
				has, err := store.Has(h.Blob)
				_, none := store.Header(h.Log, h.Record())
				return err != nil || has || !errors.Is(none, blobstore.ErrNotFound)
			}
			if ready, all := k.Copies(); is() && (all == 0 || len(ready) > 0) {
				t.Errorf("%s, crash %d: %d of %d copies are told of, and the record is still here", name, i, len(ready), all)
			}
			if err := k.Late(); err != nil {
				t.Fatal(err)
			}
			ready, all := k.Copies()
			if is() || len(ready) != all || (all == 1) != (keeper != nil) {
				t.Errorf("%s, crash %d: after the next start %d of %d copies, the record is here: %v", name, i, len(ready), all, is())
			}
			for _, blob := range append(ready, wire.Hash{})[:all] {
				if size, err := store.Verify(blob); err != nil || size != int64(len(ciphertext)) {
					t.Errorf("%s, crash %d: the copy has %d bytes, %v", name, i, size, err)
				}
			}
		}
		if len(disks) < 3 {
			t.Errorf("%s: it writes %d times", name, len(disks))
		}
	}
}

// losesCopies has member 0 find that of its copies, which are whole, one is altered in its bucket and one is missing.
func (w *world) losesCopies(t *testing.T, ctx context.Context, bucket string, why exchange.Asker, copies []exchange.KeptCopy) {
	t.Helper()
	author, store := w.Nodes[0].Member, w.Nodes[0].Store
	if _, err := store.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	damaged := func(v exchange.Verification) []exchange.Damage {
		t.Helper()
		found, _ := w.verified(t, ctx, 0, v)
		return slices.DeleteFunc(found, func(d exchange.Damage) bool { return d.What == "detail" }) // which nobody ever had: see asksFor
	}
	noted := func() (ever, open int) {
		for _, x := range author.Incidents(1000).List {
			if x.What == "author copy" {
				ever++
				if x.Healed == nil {
					open++
				}
			}
		}
		return ever, open
	}
	if found := damaged(exchange.Verification{All: true}); len(found) > 0 {
		t.Fatalf("before anything is harmed: %v", found)
	}
	blobs := author.CopyBlobs()
	missing, err := store.Get(blobs[0], 1<<20)
	if err == nil {
		err = store.Delete(blobs[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	w.flipInBucket(t, 0, bucket, blobs[1])
	want := map[uint64]string{copies[0].Entry: exchange.Missing, copies[1].Entry: exchange.Altered}
	for _, v := range []exchange.Verification{{}, {All: true, Heal: true}} {
		found := damaged(v)
		for _, d := range found {
			if d.What != "author copy" || d.State != want[d.Entry] || d.Log != copies[0].Log || d.Block == 0 || d.Healed || d.Blob != nil || !d.Alone() {
				t.Errorf("found %v", d)
			}
		}
		if ever, open := noted(); len(found) != 2 || ever != 2 || open != 2 {
			t.Errorf("%d found, %d incidents, %d not healed, want 2 of each: %v", len(found), ever, open, found)
		}
	}
	if _, err := author.OpenCopy(ctx, why, copies[1].Name); !errors.Is(err, exchange.ErrDamaged) {
		t.Errorf("an altered copy opens: %v", err)
	}
	// A backup brings one back.
	if err := store.PutAll([][]byte{missing}); err != nil {
		t.Fatal(err)
	}
	found := damaged(exchange.Verification{})
	if ever, open := noted(); len(found) != 1 || ever != 2 || open != 1 {
		t.Errorf("after one is back: %v, %d incidents, %d not healed", found, ever, open)
	}
}

// flipInBucket turns a bit over in what a member's bucket has of a blob.
func (w *world) flipInBucket(t *testing.T, member int, bucket string, h wire.Hash) {
	t.Helper()
	flipped := 0
	for _, path := range objects(t, bucket) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		table, err := w.Nodes[member].Ring.Storage().Open(b)
		if err != nil {
			continue // no pack
		}
		for _, x := range table.Items {
			if x.Kind == pack.Blob && x.Hash == h {
				b[uint64(pack.Head)+uint64(x.At)+uint64(x.Sealed()/2)] ^= 1
				flipped++
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if flipped == 0 {
		t.Fatalf("blob %v is in no object of the bucket", h)
	}
}
