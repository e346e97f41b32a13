package testnet_test

import (
	"errors"
	"fmt"
	"testing"

	"vitalog/blobstore"
	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
)

// The member's disk fails after so many writes from the destroy on, at all stages between it and the end of what follows from it.
func TestAnAuthorThatCrashesAnywhereWhileItsRecordIsDestroyedKeepsItsCopyAndNothingElse(t *testing.T) {
	const rounds = 8
	n := testnet.Start(t, 1, 0)
	ctx := limit(t)
	n.Stop(t, 0)
	c, err := node.Load(n.MemberDir(0))
	if err != nil {
		t.Fatal(err)
	}
	c.Retention = exchange.Retention{Days: 3650}
	if err := c.Save(n.MemberDir(0)); err != nil {
		t.Fatal(err)
	}
	d := newDisk()
	started := keep(t, n, 0, d)
	m := next(t, ctx, started)
	chart := enrol(t, ctx, m)
	var at []exchange.Location
	var records []*op.Recorded
	for i := range rounds {
		id := fmt.Sprint("r", i)
		write(t, ctx, m, chart, id)
		x, _, err := m.Member.Locate("Observation", id)
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Chain.Ledger().Entry(x.Log, x.Entry)
		if err != nil {
			t.Fatal(err)
		}
		at, records = append(at, x), append(records, e.Says.(*op.Recorded))
	}
	isKept := func(i int) bool {
		for _, k := range m.Member.KeptCopies() {
			if k.Entry == at[i].Entry {
				return true
			}
		}
		return false
	}
	crashes := 0
	for i := range rounds {
		if err := m.Member.Followed(ctx, m.Chain.Ledger().Height()); err != nil {
			t.Fatal(err)
		}
		d.left.Store(int64(1 + 5*i)) // all takes about forty
		destroy := func() {
			patient, err := m.Member.Custody(chart)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = patient.Destroy(ctx, section.Vitals, at[i].Entry) // it may be on the ledger or not
		}
		destroy()
		down := func() bool {
			select {
			case <-m.Down():
				return true
			default:
				return false
			}
		}
		until(t, ctx, m, "the copy is kept, or the member is down", func() bool { return down() || isKept(i) })
		crashed := down()
		d.room()
		if crashed {
			crashes++
			m = next(t, ctx, started)
		}
		head, err := m.Chain.Ledger().Head(at[i].Log)
		if err != nil {
			t.Fatal(err)
		}
		if !consent.Overlaps(head.Erased, consent.Range{From: at[i].Entry, To: at[i].Entry + 1}) {
			destroy()
		}
		until(t, ctx, m, fmt.Sprint("copy ", i, " is kept"), func() bool { return isKept(i) })
	}
	if crashes < rounds/2 {
		t.Errorf("it crashed only %d times of %d", crashes, rounds)
	}
	head, err := m.Chain.Ledger().Head(at[0].Log)
	if err != nil {
		t.Fatal(err)
	}
	said := uint64(0)
	for _, k := range head.Kept {
		said += k.To - k.From
	}
	if copies := m.Member.KeptCopies(); len(copies) != rounds || said != rounds {
		t.Errorf("%d copies are there, the ledger says %d, want %d", len(copies), said, rounds)
	}
	who := physician
	who.Reason = "the law asks"
	for i, k := range m.Member.KeptCopies() {
		opened, err := m.Member.OpenCopy(ctx, who, k.Name)
		if err != nil {
			t.Errorf("copy %d: %v", i, err)
			continue
		}
		if id := opened.Content.Items[0].ID; id != fmt.Sprint("r", i) {
			t.Errorf("copy %d is of %s", i, id)
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
		if _, err := m.Store.Header(at[i].Log, records[i].ID); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("the header of record %d is still there: %v", i, err)
		}
		if has, err := m.Store.Has(records[i].Blob); has || err != nil {
			t.Errorf("the ciphertext of record %d is still there: %v", i, err)
		}
	}
}
