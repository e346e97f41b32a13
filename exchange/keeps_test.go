package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// keeps has member 0, which must keep what it writes for ten years, write records that the patient destroys.
func (w *world) keeps(t *testing.T, ctx context.Context, dir string) {
	w.Stop(t, 0)
	c, err := node.Load(w.MemberDir(0))
	if err != nil {
		t.Fatal(err)
	}
	c.Retention = exchange.Retention{Years: 10}
	if err := c.Save(w.MemberDir(0)); err != nil {
		t.Fatal(err)
	}
	w.Restart(t, 0, node.Options{})
	w.WaitReady(t)
	drafts := []exchange.Draft{w.pulse(t), w.image(t, 40<<10), w.pulse(t)}
	at, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), w.patient.ChartID(), drafts)
	if err != nil {
		t.Fatal(err)
	}
	scan := w.attachment(t, ctx, w.patient.ChartID(), 200<<10)
	w.settle(t, ctx)
	for i, n := range w.Nodes {
		eventually(t, ctx, "everything is everywhere", func() (bool, error) { n, err := n.Member.Missing(); return n == 0, err })
		if i < 3 {
			if _, err := n.Store.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := []exchange.Published{at[0], at[1], {Log: scan.Log, Entry: scan.Entry}}
	secrets := w.secrets(t, gone)
	if _, err := w.patient.Destroy(ctx, section.Vitals, gone[0].Entry, gone[1].Entry, gone[2].Entry); err != nil {
		t.Fatal(err)
	}
	author := w.Nodes[0].Member
	kept := func() []exchange.KeptCopy {
		t.Helper()
		eventually(t, ctx, "the ledger says what is kept", func() (bool, error) { return len(author.KeptCopies()) == len(gone), nil })
		return author.KeptCopies()
	}
	copies := kept()
	w.settle(t, ctx)
	for i, n := range w.Nodes {
		if err := n.Store.Expunge(ctx, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		w.everything(t, i, map[bool]string{true: w.MemberDir(3), false: bucketOf(dir, i)}[i == 3], func(content []byte) {
			for j, s := range secrets { // nor has the author it as it was: only as its own copy
				if bytes.Contains(content, s) {
					t.Errorf("member %d still has %d", i, j)
				}
			}
		})
	}
	keepers, err := w.patient.Keepers(ctx, section.Vitals)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for _, k := range keepers {
		n += k.Entries.To - k.Entries.From
		if years := time.Until(k.Until).Hours() / 24 / 365.25; k.Member != "Member 0" || k.Until != k.Until.Truncate(24*time.Hour) || years < 9.99 || years > 10.01 {
			t.Errorf("the patient sees %+v", k)
		}
	}
	if n != uint64(len(gone)) {
		t.Errorf("the patient sees that %d records are kept", n)
	}
	orders, err := w.patient.Erasures(ctx, section.Vitals)
	if err != nil {
		t.Fatal(err)
	}
	_, shown, err := w.patient.Certificate(ctx, orders[len(orders)-1].Ordered)
	if err != nil {
		t.Fatal(err)
	}
	n = 0
	for _, k := range shown[0].Kept {
		n += k.To - k.From
		if k.Key != w.Nodes[0].Ring.Grantee(gone[0].Log, "TREAT").Public() || k.Until != copies[0].Until {
			t.Errorf("the certificate shows %+v", k)
		}
	}
	if n != uint64(len(gone)) {
		t.Errorf("the certificate shows that %d records are kept", n)
	}
	if _, err := w.Nodes[0].Store.Flush(ctx); err != nil { // its own copy is in its bucket too
		t.Fatal(err)
	}
	w.Stop(t, 0)
	w.Restart(t, 0, node.Options{})
	w.WaitReady(t)
	author, copies = w.Nodes[0].Member, kept()

	why := exchange.Asker{Practitioner: "vance", Name: "Iris Vance", Role: "records officer", Purpose: "HLEGAL", Reason: "a court asks"}
	for i, k := range copies {
		if k.Entry != gone[i].Entry || k.Chart != w.patient.ChartID() || k.Section != section.Vitals {
			t.Fatalf("kept: %+v, want entry %d", k, gone[i].Entry)
		}
		opened, err := author.OpenCopy(ctx, why, k.Name)
		if err != nil {
			t.Fatal(err)
		}
		switch it := opened.Content.Items[0]; {
		case i < 2 && (opened.Bytes != nil || it.ID != drafts[i].ID || !bytes.Equal(it.Raw, drafts[i].Resource.Raw())):
			t.Errorf("copy %d opens to %s %s", i, it.Type, it.ID)
		case i == 2:
			if b, err := io.ReadAll(opened.Bytes); err != nil || len(b) != 200<<10 {
				t.Errorf("the attachment's copy has %d bytes: %v", len(b), err)
			}
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	w.settle(t, ctx) // the patient's home is another member
	seen, err := w.patient.Activity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range seen.Rows[:3] {
		want := consent.Range{From: gone[2-i].Entry, To: gone[2-i].Entry + 1}
		if d := row.Detail; row.Why != consent.Allowed || row.Member != "Member 0" || d == nil || d.Name != why.Name || d.Purpose != "HLEGAL" || d.Reason != why.Reason || row.Ranges[0] != want {
			t.Errorf("the patient sees %+v, %+v", row, d)
		}
	}
	// Nobody else opens it, and the author by no other way.
	for i, n := range w.Nodes {
		if _, err := n.Member.OpenCopy(ctx, why, copies[0].Name); i > 0 && !errors.Is(err, exchange.ErrNotShared) {
			t.Errorf("member %d: %v", i, err)
		}
		if len(n.Member.KeptCopies()) > 0 && i > 0 {
			t.Errorf("member %d keeps something", i)
		}
	}
	if o, err := author.Open(ctx, asker("TREAT"), w.patient.ChartID(), vitals); err != nil || o.Chart.Get(drafts[0].Resource.Type(), drafts[0].ID) != nil || o.Chart.Get(drafts[2].Resource.Type(), drafts[2].ID) == nil {
		t.Errorf("the chart has what was destroyed: %v", err)
	}
	for _, n := range []int{0, 1} {
		refused, err := w.asksFor(ctx, n, gone[0])
		if err != nil || refused != consent.Erased && refused != consent.NoRight {
			t.Errorf("member %d asks for it under its grant: %v, %v", n, refused, err)
		}
	}
	if _, err := author.OpenCopy(ctx, exchange.Asker{Purpose: "HLEGAL"}, copies[0].Name); !errors.Is(err, exchange.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	w.losesCopies(t, ctx, bucketOf(dir, 0), why, copies)

	// Its time is over.
	if err := author.EndCopies(copies[0].Until.Add(-time.Second)); err != nil || len(author.KeptCopies()) != len(gone) {
		t.Fatalf("before its time %d are kept: %v", len(author.KeptCopies()), err)
	}
	if err := author.EndCopies(copies[0].Until); err != nil || len(author.KeptCopies()) > 0 {
		t.Fatalf("%d are kept for ever: %v", len(author.KeptCopies()), err)
	}
	w.verified(t, ctx, 0, exchange.Verification{})
	for _, x := range author.Incidents(1000).List {
		if x.What == "author copy" && x.Healed == nil {
			t.Errorf("of copies whose time is over something is still to be healed: %+v", x)
		}
	}
	if _, err := author.OpenCopy(ctx, why, copies[0].Name); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("after its time: %v", err)
	}
}

// asksFor has a member's key ask the ledger for a record as if it were one that its grants cover, and tells the decision.
func (w *world) asksFor(ctx context.Context, member int, at exchange.Published) (consent.Reason, error) {
	n := w.Nodes[member]
	head, err := n.Chain.Ledger().Head(at.Log)
	if err != nil {
		return 0, err
	}
	signer := n.Ring.Grantee(at.Log, "TREAT")
	grant := uint64(0)
	for _, g := range head.Grants {
		if g.Key == signer.Public() {
			grant = g.Entry
		}
	}
	o := op.Sign(n.Genesis.Network(), signer, at.Log, uint64(time.Now().Add(time.Minute).UnixMilli()),
		&op.Access{Grant: grant, Ranges: []consent.Range{{From: at.Entry, To: at.Entry + 1}}, Session: wire.Hash{1}, Detail: wire.Hash{2}})
	results, err := n.Chain.Submit(ctx, o)
	if err != nil {
		return 0, err
	}
	e, err := n.Chain.Ledger().Entry(at.Log, results[0].First)
	if err != nil {
		return 0, err
	}
	return e.Says.(*op.Accessed).Why, nil
}
