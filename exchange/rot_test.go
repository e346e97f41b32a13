package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/kv"
	"vitalog/node"
	"vitalog/section"
	"vitalog/wire"
)

// rot harms every nth ciphertext of a member that is stopped, in three ways in turn, and tells which.
func (w *world) rot(t testing.TB, member, nth int, at []exchange.Published) map[wire.Hash]string {
	t.Helper()
	db, err := kv.Open(filepath.Join(w.MemberDir(member), "data", "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	small := db.Prefix("blobs/").Prefix("b")
	harmed := map[wire.Hash]string{}
	for i := 0; i < len(at); i += nth {
		h := w.record(t, at[i]).Blob
		path := filepath.Join(w.MemberDir(member), "data", "blobs", "objects", h.String()[:2], h.String())
		b, err := os.ReadFile(path)
		large := err == nil
		if !large {
			if b, err = small.Get(h[:]); err != nil || b == nil {
				t.Fatalf("blob %v: %v", h, err)
			}
		}
		switch i / nth % 3 {
		case 0:
			harmed[h] = exchange.Altered
			b[len(b)/2] ^= 1
		case 1:
			harmed[h] = exchange.Altered
			b = b[:len(b)-7]
		case 2:
			harmed[h], b = exchange.Missing, nil
		}
		switch {
		case !large:
			err = small.Write([]kv.Change{{Key: h[:], Value: b}})
		case b == nil:
			err = os.Remove(path)
		default:
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return harmed
}

// verified is what a verification of a member finds.
func (w *world) verified(t testing.TB, ctx context.Context, member int, v exchange.Verification) (found []exchange.Damage, c exchange.Checked) {
	t.Helper()
	c, err := w.Nodes[member].Member.Verify(ctx, v, func(d exchange.Damage) error { found = append(found, d); return nil }, func(exchange.Checked) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return found, c
}

// reads opens the chart at a member over and over, until it is stopped, but once at least: every answer is what was written, or an error.
func (w *world) reads(ctx context.Context, member int, drafts []exchange.Draft) (stop func() error) {
	stopped, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 0; ; {
			opened, err := w.Nodes[member].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), vitals)
			if err == nil {
				n++
				err = right(opened, drafts)
			} else if ctx.Err() == nil {
				continue // nothing wrong was shown
			}
			if err != nil {
				done <- fmt.Errorf("read %d: %w", n, err)
				return
			}
			select {
			case <-stopped:
				done <- nil
				return
			default:
			}
		}
	}()
	return func() error { close(stopped); return <-done }
}

// right tells whether a chart shows what was written, or says what it lacks.
func right(opened *exchange.Opened, drafts []exchange.Draft) error {
	for _, d := range drafts {
		r := opened.Chart.Get(d.Resource.Type(), d.ID)
		if r == nil && len(opened.Errors) == 0 {
			return fmt.Errorf("%s is missing and no error says so", d.ID)
		}
		if r != nil && !bytes.Equal(r.Current().Item.Raw, d.Resource.Raw()) {
			return fmt.Errorf("%s has other bytes", d.ID)
		}
	}
	return nil
}

func TestOfAStoreThatRotsNothingWrongIsReadAllIsFoundAndHealed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 4, 0)}
	var drafts []exchange.Draft
	for i := range 150 {
		if i%3 == 0 {
			drafts = append(drafts, w.image(t, 40<<10))
		} else {
			drafts = append(drafts, w.pulse(t))
		}
	}
	at := w.chart(t, ctx, drafts...)
	if err := w.grant(ctx, 0, "read", "TREAT", nil); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	rotten := w.Nodes[1]
	eventually(t, ctx, "member 1 has everything", func() (bool, error) { n, err := rotten.Member.Missing(); return n == 0, err })
	if found, c := w.verified(t, ctx, 1, exchange.Verification{All: true}); len(found) > 0 || c.Pending > 0 || c.Blobs < 150 || c.Headers < 150 || c.Notes == 0 || 3*c.Signed <= 2*c.Of {
		t.Fatalf("before anything is harmed: %v, %+v", found, c)
	}
	w.Stop(t, 1)
	harmed := w.rot(t, 1, 10, at)
	w.Restart(t, 1, node.Options{})
	w.WaitReady(t)
	store := w.Nodes[1].Store
	bad := at[1:4] // headers
	if err := errors.Join(store.PutHeader(bad[0].Log, w.record(t, bad[0]).ID, []byte("rubbish")), store.DeleteHeader(bad[1].Log, w.record(t, bad[1]).ID)); err != nil {
		t.Fatal(err)
	}
	bad = bad[:2]

	// While others read, what is found is what was harmed, and nothing else.
	stop := w.reads(ctx, 0, drafts)
	found, _ := w.verified(t, ctx, 1, exchange.Verification{All: true})
	if err := stop(); err != nil {
		t.Errorf("reads elsewhere: %v", err)
	}
	if len(found) != len(harmed)+len(bad) {
		t.Errorf("found %d damaged, harmed %d", len(found), len(harmed)+len(bad))
	}
	for _, d := range found {
		header := d.What == "header" && slices.ContainsFunc(bad, func(p exchange.Published) bool { return p.Log == d.Log && p.Entry == d.Entry })
		blob := d.What == "ciphertext" && d.Blob != nil && harmed[*d.Blob] == d.State
		if !header && !blob || d.Block == 0 || d.Writer != rotten.Ring.Grantee(d.Log, "TREAT").Public() && d.Writer != w.Nodes[0].Ring.Grantee(d.Log, "TREAT").Public() {
			t.Errorf("found %v", d)
		}
	}
	if k := w.Nodes[1].Member.Incidents(100); k.Unhealed != len(found) || k.Ever != uint64(len(found)) {
		t.Errorf("%d incidents, %d not healed, want %d", k.Ever, k.Unhealed, len(found))
	}

	// While this member itself is read from it heals, by reads or by the verification, and nothing wrong is read.
	stop = w.reads(ctx, 1, drafts)
	left, _ := w.verified(t, ctx, 1, exchange.Verification{All: true, Heal: true})
	for _, d := range left {
		if !d.Healed || d.From == nil || *d.From == 1 {
			t.Errorf("not healed: %v", d)
		}
	}
	w.opens(t, ctx, len(drafts))
	if err := stop(); err != nil {
		t.Errorf("reads here: %v", err)
	}
	if found, _ := w.verified(t, ctx, 1, exchange.Verification{All: true}); len(found) > 0 {
		t.Errorf("after the healing: %v", found)
	}
	// The incidents outlive the process.
	w.Stop(t, 1)
	w.Restart(t, 1, node.Options{})
	k := w.Nodes[1].Member.Incidents(100)
	if k.Unhealed != 0 || k.Ever != uint64(len(harmed)+len(bad)) || len(k.List) != int(k.Ever) {
		t.Errorf("%d incidents, %d not healed, %d listed, want %d, all healed", k.Ever, k.Unhealed, len(k.List), len(harmed)+len(bad))
	}
	for _, x := range k.List {
		if x.From == nil || x.Block == 0 || x.At.After(*x.Healed) {
			t.Errorf("incident %+v", x)
		}
	}
}

func TestADamagedCopyIsNotServedToOthersAndHealsByItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	at := w.chart(t, ctx, w.image(t, 100<<10))
	rec := w.record(t, at[0])
	for i, n := range w.Nodes {
		eventually(t, ctx, fmt.Sprintf("member %d has it", i), func() (bool, error) { return n.Store.Has(rec.Blob) })
	}
	path := filepath.Join(w.MemberDir(2), "data", "blobs", "objects", rec.Blob.String()[:2], rec.Blob.String())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Nodes[1].Store.Delete(rec.Blob); err != nil { // it asks member 2 first
		t.Fatal(err)
	}
	w.opens(t, ctx, 1)
	eventually(t, ctx, "member 2 heals", func() (bool, error) { _, err := w.Nodes[2].Store.Verify(rec.Blob); return err == nil, nil })
	eventually(t, ctx, "the incident is noted as healed", func() (bool, error) {
		k := w.Nodes[2].Member.Incidents(1000)
		i := slices.IndexFunc(k.List, func(x exchange.Incident) bool { return x.Blob == rec.Blob })
		return i >= 0 && k.List[i].Healed != nil, nil
	})
}

func FuzzDecodeIncident(f *testing.F) {
	healed, from := time.UnixMilli(1_800_000_001_000), 2
	for _, x := range []exchange.Incident{
		{At: time.UnixMilli(1_800_000_000_000), What: "ciphertext", State: exchange.Altered, Entry: 3, Block: 9, Blob: wire.Hash{1}, Healed: &healed, From: &from},
		{At: time.UnixMilli(1_800_000_000_000), What: "header", State: exchange.Missing, Entry: 3, Block: 9},
	} {
		f.Add(x.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := exchange.DecodeIncident(0, b)
		if err == nil && !bytes.Equal(x.Encode(), b) {
			t.Errorf("%x decodes and encodes as %x", b, x.Encode())
		}
	})
}

// BenchmarkVerify holds a member's stores against the ledger, whole and with one ciphertext in ten missing.
func BenchmarkVerify(b *testing.B) {
	ctx := context.Background()
	w := &world{Net: testnet.Start(b, 4, 0)}
	var drafts []exchange.Draft
	for i := range 3000 {
		if i%30 == 0 {
			drafts = append(drafts, w.image(b, 2<<20))
		} else {
			drafts = append(drafts, w.pulse(b))
		}
	}
	w.patient = w.newPatient(b, ctx)
	if _, err := w.patient.Grant(ctx, exchange.Share{Member: 0, Purpose: "TREAT", Rights: consent.Write, Sections: []section.Section{section.Vitals}}); err != nil {
		b.Fatal(err)
	}
	w.settle(b, ctx)
	at, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), w.patient.ChartID(), drafts)
	if err != nil {
		b.Fatal(err)
	}
	w.settle(b, ctx)
	for n := 1; n > 0; {
		if n, err = w.Nodes[1].Member.Missing(); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("whole", func(b *testing.B) {
		var c exchange.Checked
		for b.Loop() {
			_, c = w.verified(b, ctx, 1, exchange.Verification{All: true})
		}
		b.ReportMetric(float64(c.Entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		b.ReportMetric(float64(c.Bytes)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
	})
	b.Run("heal", func(b *testing.B) {
		healed := 0
		for b.Loop() {
			b.StopTimer()
			for i := 1; i < len(at); i += 10 {
				if err := w.Nodes[1].Store.Delete(w.record(b, at[i]).Blob); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
			found, _ := w.verified(b, ctx, 1, exchange.Verification{Heal: true})
			healed += len(found)
		}
		b.ReportMetric(float64(healed)/b.Elapsed().Seconds(), "healed/s")
	})
}
