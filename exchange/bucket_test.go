package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/pack"
	"vitalog/section"
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
	w := &world{Net: testnet.StartInBuckets(t, 4, func(i int) string { return "file://" + bucketOf(dir, i) })}
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
		w.Restart(t, 1, node.Options{})
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
		if s := store.Status(); lost+s.Tainted+s.Found.Lost == 0 {
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
}

// Every file below a member's directory and its bucket, and what its own packs hold.
func (w *world) everything(t testing.TB, member int, bucket string, each func(content []byte)) {
	t.Helper()
	storage := w.Nodes[member].Ring.Storage()
	for _, root := range []string{w.MemberDir(member), bucket} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			each(b)
			table, err := storage.Open(b)
			if err != nil {
				return nil // no pack
			}
			for _, x := range table.Items {
				at := uint64(pack.Head) + x.At
				content, err := storage.Opener(table.Salt).Item(b[at:at+x.Sealed()], x.Place)
				if err != nil {
					return err
				}
				each(content)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
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
	})}
	drafts := []exchange.Draft{w.pulse(t), w.image(t, 40<<10), w.pulse(t), w.pulse(t)}
	at := w.chart(t, ctx, drafts...)
	if err := w.grant(ctx, 0, "read", "TREAT", nil); err != nil {
		t.Fatal(err)
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
	var secrets [][]byte
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
		secrets = append(secrets, b[len(b)/2:len(b)/2+24], header[len(header)/2:len(header)/2+24])
	}
	find := func(member int) (found []int) {
		w.everything(t, member, map[bool]string{true: w.MemberDir(3), false: bucketOf(dir, member)}[member == 3], func(content []byte) {
			for i, s := range secrets {
				if bytes.Contains(content, s) && !slices.Contains(found, i) {
					found = append(found, i)
				}
			}
		})
		return found
	}
	for i := range 3 {
		if found := find(i); len(found) != len(secrets) {
			t.Fatalf("the search finds only %v of what member %d has", found, i)
		}
	}
	if _, err := w.patient.Destroy(ctx, section.Vitals, gone[0].Entry, gone[1].Entry); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	for _, n := range w.Nodes {
		if err := n.Store.Expunge(ctx, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range w.Nodes {
		if found := find(i); len(found) > 0 {
			t.Errorf("member %d still has %v", i, found)
		}
	}
	refused := func(when string) {
		t.Helper()
		opened, err := w.Nodes[0].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), vitals)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range drafts {
			r := opened.Chart.Get(d.Resource.Type(), d.ID)
			if (r == nil) != (i < len(gone)) {
				t.Errorf("%s: record %d shows: %v", when, i, r != nil)
			}
		}
		for i, n := range w.Nodes {
			eventually(t, ctx, fmt.Sprintf("%s, member %d looks for nothing", when, i), func() (bool, error) { n, err := n.Member.Missing(); return n == 0, err })
		}
	}
	refused("destroyed")
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
}
