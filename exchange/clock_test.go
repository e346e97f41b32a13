package exchange_test

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/internal/testnet"
	"vitalog/kv"
	"vitalog/node"
)

// What nobody gave is asked for again after a time, which is noted as a moment: one that a clock told that was years ahead isn't waited for.
func TestWhatIsMissingIsFetchedAlsoAfterTheClockWasWrong(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a network")
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 2, 0)}
	r := w.newReader(t, ctx, 1, 1)
	h := w.record(t, w.publish(t, ctx, 0, r.chart)).Blob
	w.settle(t, ctx)
	eventually(t, ctx, "member 1 has it", func() (bool, error) { return w.Nodes[1].Store.Has(h) })
	w.Stop(t, 1)
	data := filepath.Join(w.MemberDir(1), "data")
	db, err := kv.Open(filepath.Join(data, "db"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := blobstore.Open(filepath.Join(data, "blobs"), db)
	if err != nil {
		t.Fatal(err)
	}
	later := append(binary.BigEndian.AppendUint64(nil, uint64(time.Now().AddDate(9, 0, 0).UnixMilli())), 1)
	lack := kv.Change{Key: append([]byte("m"), h[:]...), Value: later}
	if err := errors.Join(store.Delete(h), db.Prefix("member/").Write([]kv.Change{lack}), store.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	w.Restart(t, 1, node.Options{})
	w.WaitReady(t)
	soon, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	eventually(t, soon, "it is fetched", func() (bool, error) { return w.Nodes[1].Store.Has(h) })
}
