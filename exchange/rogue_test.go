package exchange_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/key"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/release"
	"vitalog/section"
)

// A member whose gateway skips the access has everything else: the grant, the reader key, the ciphertext, the header with its locks. It
// gets nothing from the other members, whatever it shows them instead of an allowed access of its own.
func TestAGatewayThatSkipsTheAccessGetsNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	for _, err := range []error{w.grant(ctx, 0, "write", "TREAT", nil), w.grant(ctx, 1, "read", "TREAT", nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.settle(t, ctx)
	if _, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), w.patient.ChartID(), []exchange.Draft{w.pulse(t)}); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	vitals := exchange.Want{Sections: []section.Section{section.Vitals}}
	honest, err := w.Nodes[1].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), vitals)
	if err != nil {
		t.Fatal(err)
	}
	log, allowed := honest.Rows[0].Log, honest.Rows[0].Entry

	rogue := w.Nodes[1]
	cert, err := rogue.Ring.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	calls := peer.NewClient(rogue.Genesis, cert)
	defer calls.Close()
	session := key.NewDecapsulating([32]byte{1})
	detail := []byte("a detail that nobody sealed")

	before := func(e *op.Entry) (all []uint64) {
		for n := range e.Number {
			all = append(all, n)
		}
		return all
	}
	// What a gateway could show, each with a session key of its own.
	show := func(e *op.Entry) {
		for holder := range rogue.Genesis.Members {
			q := release.Request{Log: e.Log, Number: e.Number, Session: *session.Exchange(), Detail: detail, Entries: before(e)}
			if reply, err := calls.Call(ctx, holder, "release", q.Encode()); err == nil {
				t.Errorf("member %d released %d bytes", holder, len(reply))
			} else if errors.As(err, new(*peer.Error)) && (peer.KindOf(err) == peer.Invalid || peer.KindOf(err) == peer.Unavailable) {
				t.Errorf("member %d did not look at the request: %v", holder, err)
			}
		}
	}
	head, err := rogue.Chain.Ledger().Head(log)
	if err != nil {
		t.Fatal(err)
	}
	for n := range head.Size {
		e, err := rogue.Chain.Ledger().Entry(log, n)
		if err != nil {
			t.Fatal(err)
		}
		show(e)
	}
	show(&op.Entry{Log: log, Number: head.Size + 7}) // one that is not there

	// An access that is on the ledger and allowed, but stopped before the release: no plaintext, and a trace.
	if _, err := w.patient.Stop(ctx, func(g exchange.Shared) bool { return g.Member == 1 }); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	e, err := rogue.Chain.Ledger().Entry(log, allowed)
	if err != nil {
		t.Fatal(err)
	}
	if e.Says.(*op.Accessed).Why != consent.Allowed {
		t.Fatal("the first access was not allowed")
	}
	show(e)

	// And one of its own making, refused on the ledger.
	sum := sha256.Sum256(detail)
	body := &op.Access{Ranges: []consent.Range{{From: 2, To: 3}}, Session: session.Exchange().Hash(), Detail: sum}
	o := op.Sign(rogue.Genesis.Network(), rogue.Ring.Grantee(log, "TREAT"), log, uint64(time.Now().Add(time.Minute).UnixMilli()), body)
	results, err := rogue.Chain.Submit(ctx, o)
	if err != nil || results[0].Err() != nil || results[0].Count != 1 {
		t.Fatalf("the access is not on the ledger: %+v, %v", results, err)
	}
	if e, err = rogue.Chain.Ledger().Entry(log, results[0].First); err != nil {
		t.Fatal(err)
	}
	if e.Says.(*op.Accessed).Why == consent.Allowed {
		t.Fatal("a stopped member was allowed")
	}
	show(e)
}

// Who is not in the genesis can't even connect, and a member that was granted nothing finds no key to try with.
func TestNobodyReadsWhatWasNotShared(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	if err := w.grant(ctx, 0, "write", "TREAT", nil); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	published, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), w.patient.ChartID(), []exchange.Draft{w.pulse(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, absent := w.Nodes[2].Member.Open(ctx, asker("TREAT"), "00000000-0000-8000-8000-000000000000", exchange.Want{Sections: []section.Section{section.Vitals}})
	_, unshared := w.Nodes[2].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), exchange.Want{Sections: []section.Section{section.Vitals}})
	if !errors.Is(absent, exchange.ErrNotShared) || absent.Error() != unshared.Error() {
		t.Errorf("not there says %q, not shared says %q", absent, unshared)
	}
	// The grantee key that member 2 would have, had it been introduced, is refused without an entry.
	n := w.Nodes[2]
	body := &op.Access{Ranges: []consent.Range{{From: published[0].Entry, To: published[0].Entry + 1}}}
	o := op.Sign(n.Genesis.Network(), n.Ring.Grantee(published[0].Log, "TREAT"), published[0].Log, uint64(time.Now().Add(time.Minute).UnixMilli()), body)
	results, err := n.Chain.Submit(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Err() == nil || results[0].Count != 0 {
		t.Errorf("a key that was never granted anything got %+v", results[0])
	}
	w.settle(t, ctx)
	if log, err := w.patient.Activity(ctx); err != nil || len(log.Rows) != 0 {
		t.Errorf("the patient sees %d rows, %v", len(log.Rows), err)
	}
}
