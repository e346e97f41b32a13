package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/op"
	"vitalog/wire"
)

// placeOf is where something published stands.
func placeOf(p exchange.Published) exchange.Location {
	return exchange.Location{Log: p.Log, Entry: p.Entry}
}

// said is what a member has last said that it holds, and how many receipts it made.
func (w *world) said(t testing.TB, member int) (upto uint64, lacking []wire.Hash, receipts uint64) {
	t.Helper()
	n := w.Nodes[0]
	l := n.Chain.Ledger()
	upto, err := l.Stored(member)
	if err == nil {
		err = l.Lacking(member, func(h wire.Hash) error { lacking = append(lacking, h); return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	head, err := l.Head(op.StoredLog(n.Genesis.Network(), n.Genesis.Members[member].Sign))
	if err != nil {
		t.Fatal(err)
	}
	if head != nil {
		receipts = head.Size - 1
	}
	return upto, lacking, receipts
}

func (w *world) publish(t testing.TB, ctx context.Context, member int, chart string) exchange.Published {
	t.Helper()
	at, err := w.Nodes[member].Member.Publish(ctx, asker("TREAT"), chart, []exchange.Draft{w.pulse(t)})
	if err != nil {
		t.Fatal(err)
	}
	return at[0]
}

func TestARecordIsAvailableOnceEnoughOthersSayThatTheyHoldIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 4, 0)}
	writer := w.Nodes[0].Member
	chart, err := writer.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	at := w.publish(t, ctx, 0, chart)
	enough := func(at exchange.Published) bool {
		claims := 0
		for i := 1; i < 4; i++ {
			if w.claims(t, i, at) {
				claims++
			}
		}
		return claims >= 2
	}
	if there, err := writer.Available(placeOf(at)); err != nil || there && !enough(at) {
		t.Fatalf("as soon as it is written: available %v, %v", there, err)
	}
	if a, err := writer.Availability(); err != nil || !enough(at) && (a.Pending == 0 || a.Since.IsZero() || a.OwnSince.IsZero() || a.OwnSince.Before(a.Since)) {
		t.Errorf("before enough others have said anything: %+v, %v", a, err)
	}
	if a, err := w.Nodes[2].Member.Availability(); err == nil && a.Pending > 0 && !a.OwnSince.IsZero() {
		t.Errorf("somebody who wrote nothing: %+v", a)
	}
	short, done := context.WithTimeout(ctx, time.Millisecond)
	defer done()
	if left, err := writer.AwaitAvailable(short, placeOf(at)); !enough(at) && (!errors.Is(err, context.DeadlineExceeded) || len(left) != 1) {
		t.Errorf("waiting for a millisecond: %v, %v", left, err)
	}
	if _, err := writer.AwaitAvailable(ctx, placeOf(at)); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 4; i++ {
		if w.claims(t, i, at) {
			if has, err := w.Nodes[i].Store.Has(w.record(t, at).Blob); err != nil || !has {
				t.Errorf("member %d claims what it doesn't hold: %v", i, err)
			}
		}
	}
	if !enough(at) {
		t.Error("available before two others claimed it")
	}

	// When nothing more comes there are no more receipts: one member's last is followed by nobody's.
	for i := range w.Nodes {
		eventually(t, ctx, fmt.Sprintf("member %d has claimed it", i), func() (bool, error) { return w.claims(t, i, at), nil })
	}
	height := w.Nodes[0].Chain.Ledger().Height()
	for i, n := range w.Nodes {
		_, _, before := w.said(t, i)
		if err := n.Member.TellStored(ctx, 3); err != nil {
			t.Fatal(err)
		}
		if _, _, after := w.said(t, i); after != before {
			t.Errorf("member %d made %d receipts of nothing", i, after-before)
		}
	}
	if now := w.Nodes[0].Chain.Ledger().Height(); now > height+1 { // the proof block of the last receipt
		t.Errorf("the ledger went on from block %d to %d", height, now)
	}
	if a, err := writer.Availability(); err != nil || a != (exchange.Availability{}) {
		t.Errorf("when all is claimed: %+v, %v", a, err)
	}

	// With one of the others away two are left, and both are needed.
	w.Stop(t, 3)
	at = w.publish(t, ctx, 0, chart)
	for i := range 3 {
		if err := w.Nodes[i].Member.Followed(ctx, at.Block); err != nil {
			t.Fatal(err)
		}
		eventually(t, ctx, fmt.Sprintf("member %d has it", i), func() (bool, error) { n, err := w.Nodes[i].Member.Missing(); return n == 0, err })
	}
	tells := func(member int) {
		t.Helper()
		if err := w.Nodes[member].Member.TellStored(ctx, 2); err != nil {
			t.Fatal(err)
		}
	}
	tells(1)
	if there, err := writer.Available(placeOf(at)); err != nil || there && !w.claims(t, 2, at) {
		t.Errorf("claimed by member 1, available %v, %v", there, err)
	}
	tells(2)
	eventually(t, ctx, "what members 1 and 2 claim is available", func() (bool, error) { return writer.Available(placeOf(at)) })

	// A member that lost a ciphertext, and finds nobody who has it, takes its claim back.
	h := w.record(t, at).Blob
	b, err := w.Nodes[2].Store.Get(h, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := w.Nodes[i].Store.Delete(h); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		w.verified(t, ctx, i, exchange.Verification{Heal: true})
		tells(i)
		eventually(t, ctx, fmt.Sprintf("member %d lacks it", i), func() (bool, error) {
			upto, lacking, _ := w.said(t, i)
			return upto >= at.Block && len(lacking) == 1 && lacking[0] == h, nil
		})
	}
	if there, err := writer.Available(placeOf(at)); there || err != nil {
		t.Errorf("one of three others says that it holds it, and it is available: %v", err)
	}
	if a, err := writer.Availability(); err != nil || a.Pending != 0 || a.Scarce != 1 {
		t.Errorf("when one is lacking: %+v, %v", a, err)
	}
	// One that comes back, and finds neither that ciphertext with the others nor the header of a newer record, claims none of the two before it has them.
	newer := w.publish(t, ctx, 0, chart)
	rec := w.record(t, newer)
	for i := range 3 {
		n := w.Nodes[i]
		if err := n.Member.Followed(ctx, newer.Block); err != nil {
			t.Fatal(err)
		}
		eventually(t, ctx, fmt.Sprintf("member %d has the newer record", i), func() (bool, error) { return n.Store.Has(rec.Blob) })
		eventually(t, ctx, fmt.Sprintf("member %d has its header", i), func() (bool, error) {
			_, err := n.Store.Header(newer.Log, rec.ID)
			return err == nil, nil
		})
	}
	header, err := w.Nodes[2].Store.Header(newer.Log, rec.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := w.Nodes[i].Store.DeleteHeader(newer.Log, rec.ID); err != nil {
			t.Fatal(err)
		}
	}
	w.Restart(t, 3, node.Options{})
	w.WaitReady(t)
	back := w.Nodes[3].Member
	lacks := func(at exchange.Published) {
		t.Helper()
		err := back.TellStored(ctx, 3)
		if err == nil {
			err = writer.Followed(ctx, w.Nodes[3].Chain.Ledger().Height()) // whose ledger says what is claimed
		}
		if err != nil {
			t.Fatal(err)
		}
		if w.claims(t, 3, at) {
			t.Errorf("member 3 claims entry %d, which it doesn't hold", at.Entry)
		}
	}
	if err := back.Followed(ctx, newer.Block); err != nil {
		t.Fatal(err)
	}
	lacks(newer)
	just := []blobstore.Record{{Log: newer.Log, ID: rec.ID}}
	if err := errors.Join(w.Nodes[2].Store.PutHeader(newer.Log, rec.ID, header), back.Lost(nil, just)); err != nil { // which has it asked for at once
		t.Fatal(err)
	}
	eventually(t, ctx, "member 3 has the header", func() (bool, error) {
		_, err := w.Nodes[3].Store.Header(newer.Log, rec.ID)
		return err == nil, nil
	})
	lacks(at)
	if _, err := w.Nodes[2].Store.Put(b); err != nil {
		t.Fatal(err)
	}
	if err := back.Lost([]wire.Hash{h}, nil); err != nil {
		t.Fatal(err)
	}
	w.verified(t, ctx, 1, exchange.Verification{Heal: true})
	tells(1)
	eventually(t, ctx, "what is healed is available", func() (bool, error) { return writer.Available(placeOf(at)) })
	eventually(t, ctx, "member 3 claims both", func() (bool, error) { return w.claims(t, 3, at) && w.claims(t, 3, newer), nil })

	// Who lost no more than a header says so too.
	for _, n := range w.Nodes {
		if err := n.Store.DeleteHeader(newer.Log, rec.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := back.Lost(nil, just); err != nil {
		t.Fatal(err)
	}
	lacks(newer)
}

// claims tells whether a member has said that it holds what was published.
func (w *world) claims(t testing.TB, member int, at exchange.Published) bool {
	t.Helper()
	upto, lacking, _ := w.said(t, member)
	return upto >= at.Block && !slices.Contains(lacking, w.record(t, at).Blob)
}

func TestWhatIsMissingIsSaidBeforeTheHeightThatLacksIt(t *testing.T) {
	for _, x := range []struct {
		missing, back int
		all           bool
	}{{0, 0, true}, {1, 0, true}, {60, 61, true}, {61, 60, true}, {960, 0, true}, {961, 0, false}, {5000, 5000, false}} {
		hashes := func(n int, of byte) (out []wire.Hash) {
			for i := range n {
				out = append(out, wire.Hash{byte(n - i), byte((n - i) >> 8), of})
			}
			return out
		}
		bodies, all := exchange.Receipts(7, 9, hashes(x.missing, 0), hashes(x.back, 1))
		missing, back := 0, 0
		for i, b := range bodies {
			says, err := op.DecodeBody(op.KindStored, op.EncodeBody(b)) // ascending, and not too many
			if err != nil {
				t.Fatal(err)
			}
			s := says.(*op.Stored)
			missing, back = missing+len(s.Missing), back+len(s.Back)
			if raised := s.Upto == 9; raised != (all && i == len(bodies)-1) || !raised && s.Upto != 7 {
				t.Errorf("%+v: receipt %d of %d raises to %d", x, i, len(bodies), s.Upto)
			}
		}
		if all != x.all || all && (missing != x.missing || back != x.back) || len(bodies) > 16 {
			t.Errorf("%+v: %d receipts say %d and %d, all %v", x, len(bodies), missing, back, all)
		}
	}
	if bodies, all := exchange.Receipts(7, 7, nil, nil); len(bodies) != 0 || !all {
		t.Errorf("%d receipts of nothing", len(bodies))
	}
}
