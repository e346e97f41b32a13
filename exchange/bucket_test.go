package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/node"
)

// bucketOf is the directory of a member's bucket.
func bucketOf(dir string, member int) string { return filepath.Join(dir, fmt.Sprint("bucket", member)) }

// objects are the files of a bucket that hold packs.
func objects(t testing.TB, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil && i.Size() > 1000 {
				paths = append(paths, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// What happens to one member's bucket: nothing wrong is read, here or elsewhere, and what it had comes back from the others by itself.
func TestAMemberWhoseBucketIsLostOrAlteredGetsItsCiphertextBackFromTheOthers(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	dir := t.TempDir()
	w := &world{Net: testnet.StartInBuckets(t, 4, func(i int) string { return "file://" + bucketOf(dir, i) }, node.Options{})}
	var drafts []exchange.Draft
	for i := range 120 {
		if i%10 == 0 {
			drafts = append(drafts, w.image(t, 40<<10))
		} else {
			drafts = append(drafts, w.pulse(t))
		}
	}
	w.chart(t, ctx, drafts...)
	for _, m := range []int{0, 1} {
		if err := w.grant(ctx, m, "read", "TREAT", nil); err != nil {
			t.Fatal(err)
		}
	}
	settled := func() {
		t.Helper()
		w.settle(t, ctx)
		eventually(t, ctx, "member 1 has everything", func() (bool, error) { n, err := w.Nodes[1].Member.Missing(); return n == 0, err })
	}
	whole := func(when string) {
		t.Helper()
		if found, c := w.verified(t, ctx, 1, exchange.Verification{All: true}); len(found) > 0 || c.Pending > 0 || c.Blobs < uint64(len(drafts)) || c.Headers < uint64(len(drafts)) {
			t.Errorf("%s: %v, %+v", when, found, c)
		}
	}
	settled()
	for _, n := range w.Nodes {
		if _, err := n.Store.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	bucket := bucketOf(dir, 1)
	if len(objects(t, bucket)) == 0 {
		t.Fatal("nothing is in the bucket")
	}
	whole("in the bucket")

	for _, harm := range []struct {
		name string
		do   func() error
	}{
		{"wiped", func() error {
			return errors.Join(os.RemoveAll(bucket), os.MkdirAll(bucket, 0o700))
		}},
		{"altered", func() error {
			for _, path := range objects(t, bucket) {
				b, err := os.ReadFile(path)
				for i := 100; i < len(b); i += 5000 {
					b[i] ^= 8
				}
				if err := errors.Join(err, os.WriteFile(path, b, 0o600)); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		w.Stop(t, 1)
		if err := harm.do(); err != nil {
			t.Fatal(err)
		}
		told := lost{slog.NewTextHandler(io.Discard, nil), new(atomic.Int64)}
		w.Restart(t, 1, node.Options{Log: slog.New(told)})
		w.WaitReady(t)
		stop := w.reads(ctx, 1, drafts)
		store, lost := w.Nodes[1].Store, 0
		for n := int64(-1); n != 0; {
			found, err := store.Sweep(ctx)
			if err != nil {
				t.Fatal(err)
			}
			lost += found.Lost
			if n, err = store.Scrub(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if s := store.Status(); int64(lost+s.Tainted+s.Found.Lost)+told.items.Load() == 0 { // the member looks too
			t.Errorf("%s: nothing was found out", harm.name)
		}
		settled()
		if err := stop(); err != nil {
			t.Errorf("%s: reads: %v", harm.name, err)
		}
		whole(harm.name)
		if _, err := store.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Repack(ctx, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		whole(harm.name + ", packed anew")
	}
	w.losesUnnamed(t, ctx, dir)
}
