package ledger_test

import (
	"errors"
	"testing"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

// refuse executes an operation that is to be refused with a code.
func (w *world) refuse(want ledger.Code, o *op.Operation) {
	w.t.Helper()
	before := w.l.State()
	rs, _ := w.block(o)
	if got := rs[0]; got.Code != want {
		w.t.Errorf("%v: got %v (%s), want %v", o.Body.Kind(), got.Code, got.Detail, want)
	}
	if after := w.l.State(); after.Rest != before.Rest || after.Heads != before.Heads {
		w.t.Errorf("%v: refused, but it left a trace", o.Body.Kind())
	}
}

func (w *world) phase(want ledger.Phase, attempt uint32) ledger.Ceremony {
	w.t.Helper()
	c := w.l.Ceremony()
	if c.Phase != want || c.Attempt != attempt {
		w.t.Fatalf("%v of attempt %d, want %v of attempt %d", c.Phase, c.Attempt, want, attempt)
	}
	w.reopen()
	return c
}

// release makes a network lock for the key and opens it with the shares that polys deal to those holders.
func (w *world) release(polys []*threshold.Polynomial, holders ...uint16) {
	w.t.Helper()
	k := w.l.NetworkKey(0)
	id := wire.Hash{7}
	u, secret, err := threshold.Encapsulate(k.Public(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	var parts []threshold.Part
	for _, x := range holders {
		var shares []threshold.Scalar
		for _, p := range polys {
			shares = append(shares, p.Share(x))
		}
		sum := threshold.SumScalars(shares)
		p, err := threshold.Partial(&sum, id)
		if err != nil {
			w.t.Fatal(err)
		}
		part := threshold.Part{X: x, P: p}
		if !threshold.VerifyPart(part, id, k.Poly) {
			w.t.Errorf("the share of holder %d does not fit the key", x)
		}
		parts = append(parts, part)
	}
	d, err := threshold.Combine(parts)
	if err != nil {
		w.t.Fatal(err)
	}
	if got, err := threshold.Decapsulate(d, u, id); err != nil || got != secret {
		w.t.Errorf("%d shares don't open what was locked: %v", len(holders), err)
	}
}

func TestACeremonyOfOneMakesAKey(t *testing.T) {
	w := newWorld(t, founders(1))
	if w.l.NetworkKey(0) != nil {
		t.Fatal("a key before the ceremony")
	}
	polys := w.makeKey()
	if k := w.l.NetworkKey(1); k == nil || k.Gen != 1 || k.Set != 1 || k.K != 1 || len(k.Holders) != 1 || w.l.NetworkKey(2) != nil {
		t.Fatalf("key %+v", k)
	}
	w.release(polys, 1)
	w.phase(ledger.PhaseDone, 1)
	w.refuse(ledger.WrongPhase, w.ceremony(0, hello(0)))
	w.refuse(ledger.WrongPhase, w.ceremony(0, &op.Tick{Gen: 1}))
}

func TestAnyThreeOfFourSharesOpen(t *testing.T) {
	w := newWorld(t, founders(4))
	polys := w.makeKey()
	w.release(polys, 1, 2, 3)
	w.release(polys, 2, 3, 4)
	w.reopen()
	w.release(polys, 4, 1, 2)
}

func TestTheBlockThatEndsTheCeremonyTellsOfTheKey(t *testing.T) {
	w := newWorld(t, founders(1))
	_, r := w.dealing(0, 1)
	var last *ledger.Block
	for _, b := range []op.Body{hello(0), commitTo(0, r), r, &op.Verdict{Gen: 1}} {
		if last != nil && last.KeyChanged {
			t.Errorf("a key before %v", b.Kind())
		}
		_, last = w.block(w.ceremony(0, b))
	}
	if !last.KeyChanged {
		t.Error("the last block has no key")
	}
	if _, b := w.block(); b.KeyChanged {
		t.Error("the block after it has one, too")
	}
}

func TestContributionsAreChecked(t *testing.T) {
	w := newWorld(t, founders(4))
	_, r := w.dealing(0, 1)
	w.refuse(ledger.NotValidator, w.sign("stranger", key.Log{}, hello(0)))
	w.refuse(ledger.Malformed, w.sign(member(0), key.Log{1}, hello(0)))
	w.refuse(ledger.WrongPhase, w.ceremony(0, commitTo(0, r)))
	w.refuse(ledger.WrongPhase, w.ceremony(0, &op.Hello{Gen: 2, Exchange: hello(0).Exchange}))
	w.must(w.ceremony(0, hello(0)))
	w.refuse(ledger.BadCeremony, w.ceremony(0, hello(0)))
	for i := 1; i < 4; i++ {
		w.must(w.ceremony(i, hello(i)))
	}

	// Dealer 1 shows the same polynomial as dealer 0: its proof of possession is another's. Dealer 2 proves for another attempt, 3 has
	// too few commitments.
	reveals := []*op.Reveal{r, nil, nil, nil}
	stolen := *r
	reveals[1] = &stolen
	_, reveals[2] = w.dealing(2, 2)
	_, reveals[3] = w.dealing(3, 1)
	reveals[3].Commitments = reveals[3].Commitments[:2]
	for i, r := range reveals {
		w.must(w.ceremony(i, commitTo(i, r)))
	}
	w.phase(ledger.PhaseReveal, 1)
	_, other := w.dealing(0, 1)
	w.refuse(ledger.BadCeremony, w.ceremony(0, other))
	w.must(w.ceremony(0, r))
	w.refuse(ledger.BadCeremony, w.ceremony(0, r))
	for i := 1; i < 4; i++ {
		w.refuse(ledger.BadCeremony, w.ceremony(i, reveals[i]))
	}
}

func TestWhoMissesAPhaseIsOutAndTooFewBeginAnew(t *testing.T) {
	w := newWorld(t, founders(4))
	tick := func() *op.Operation { return w.sign(member(3), key.Log{}, &op.Tick{Gen: 1}) }
	w.must(w.ceremony(0, hello(0)))
	w.must(w.ceremony(1, hello(1)))
	w.clock += 10 * w.g.Params.CeremonyPhase
	w.refuse(ledger.WrongPhase, tick()) // it waits for k
	w.must(w.ceremony(2, hello(2)))
	c := w.phase(ledger.PhaseHello, 1)
	if c.Deadline != w.clock+w.g.Params.CeremonyPhase || c.K != 3 {
		t.Errorf("deadline %d, k %d", c.Deadline, c.K)
	}
	w.clock = c.Deadline - 1
	w.refuse(ledger.WrongPhase, tick())
	w.clock++
	w.refuse(ledger.NotMember, w.sign("stranger", key.Log{}, &op.Tick{Gen: 1}))
	w.must(tick())
	w.phase(ledger.PhaseCommit, 1)

	polys := make([]*threshold.Polynomial, 3)
	reveals := make([]*op.Reveal, 3)
	for i := range 3 {
		polys[i], reveals[i] = w.dealing(i, 1)
		w.must(w.ceremony(i, commitTo(i, reveals[i])))
	}
	_, late := w.dealing(3, 1)
	w.refuse(ledger.WrongPhase, w.ceremony(3, commitTo(3, late)))
	w.must(w.ceremony(0, reveals[0]))
	w.must(w.ceremony(1, reveals[1]))
	w.clock += w.g.Params.CeremonyPhase
	w.must(tick()) // 2 of 4 are too few
	for i, d := range w.phase(ledger.PhaseHello, 2).Dealers {
		if d.In || d.Hello != nil || d.Commit != nil || d.Reveal != nil {
			t.Errorf("dealer %d is still there from the first attempt", i)
		}
	}

	// In the second attempt dealer 3 commits to nothing; the key comes without it, but it holds a share.
	for i := range 4 {
		w.must(w.ceremony(i, hello(i)))
	}
	for i := range 3 {
		polys[i], reveals[i] = w.dealing(i, 2)
		w.must(w.ceremony(i, commitTo(i, reveals[i])))
	}
	w.clock += w.g.Params.CeremonyPhase
	w.must(tick())
	w.phase(ledger.PhaseReveal, 2)
	w.refuse(ledger.BadCeremony, w.ceremony(3, late))
	for i := range 3 {
		w.must(w.ceremony(i, reveals[i]))
	}
	for i := range 4 {
		w.phase(ledger.PhaseVerdict, 2)
		w.must(w.ceremony(i, &op.Verdict{Gen: 1}))
	}
	w.phase(ledger.PhaseDone, 2)
	w.release(polys, 2, 3, 4)
}

func TestAComplaintIsAnsweredInTheOpenOrTheDealerIsOut(t *testing.T) {
	for _, answers := range []bool{true, false} {
		w := newWorld(t, founders(4))
		polys := make([]*threshold.Polynomial, 4)
		reveals := make([]*op.Reveal, 4)
		for i := range 4 {
			polys[i], reveals[i] = w.dealing(i, 1)
			w.must(w.ceremony(i, hello(i)))
		}
		for i := range 4 {
			w.must(w.ceremony(i, commitTo(i, reveals[i])))
		}
		for i := range 4 {
			w.must(w.ceremony(i, reveals[i]))
		}
		w.refuse(ledger.BadCeremony, w.ceremony(0, &op.Verdict{Gen: 1, Complain: []uint16{1}})) // oneself
		w.refuse(ledger.BadCeremony, w.ceremony(0, &op.Verdict{Gen: 1, Complain: []uint16{5}}))
		w.must(w.ceremony(0, &op.Verdict{Gen: 1, Complain: []uint16{2}}))
		w.must(w.ceremony(1, &op.Verdict{Gen: 1}))
		w.must(w.ceremony(2, &op.Verdict{Gen: 1, Complain: []uint16{2}}))
		w.must(w.ceremony(3, &op.Verdict{Gen: 1}))
		c := w.phase(ledger.PhaseJustify, 1)
		if got := c.Complaints(1); len(got) != 2 || got[0] != 1 || got[1] != 3 {
			t.Fatalf("complaints about share 2 by %v, want 1 and 3", got)
		}

		deal := func(x uint16, of int) op.Justification {
			return op.Justification{Receiver: x, Share: polys[of].Share(x)}
		}
		w.refuse(ledger.BadCeremony, w.ceremony(0, &op.Justify{Gen: 1})) // nobody complained
		w.refuse(ledger.BadCeremony, w.ceremony(1, &op.Justify{Gen: 1, Deals: []op.Justification{deal(1, 1)}}))
		w.refuse(ledger.BadCeremony, w.ceremony(1, &op.Justify{Gen: 1, Deals: []op.Justification{deal(1, 1), deal(3, 0)}}))
		in := polys
		if answers {
			w.must(w.ceremony(1, &op.Justify{Gen: 1, Deals: []op.Justification{deal(1, 1), deal(3, 1)}}))
		} else {
			w.clock += w.g.Params.CeremonyPhase
			w.must(w.ceremony(1, &op.Tick{Gen: 1}))
			in = []*threshold.Polynomial{polys[0], polys[2], polys[3]}
		}
		if got := w.phase(ledger.PhaseDone, 1).Dealers[1].In; got != answers {
			t.Errorf("answered %v, in %v", answers, got)
		}
		w.release(in, 1, 2, 3)
	}
}

func TestCheckLetsATickThroughThatTheClockWillAllow(t *testing.T) {
	w := newWorld(t, founders(4))
	for i := range 3 {
		w.must(w.ceremony(i, hello(i)))
	}
	// Nothing happens for a while, and the ledger clock stands still.
	tick := op.Sign(w.g.Network(), actor(member(0)), key.Log{}, w.clock+3_600_000, &op.Tick{Gen: 1})
	if err := w.l.Check(tick); err != nil {
		t.Errorf("a tick after an hour of silence: %v", err)
	}
	if err := w.l.Check(op.Sign(w.g.Network(), actor(member(0)), key.Log{}, w.clock, &op.Tick{Gen: 1})); !errors.Is(err, ledger.Expired) {
		t.Errorf("got %v, want %v", err, ledger.Expired)
	}
	if err := w.l.Check(op.Sign(w.g.Network(), actor("stranger"), key.Log{}, w.clock+100, hello(0))); !errors.Is(err, ledger.NotValidator) {
		t.Errorf("got %v, want %v", err, ledger.NotValidator)
	}
}
