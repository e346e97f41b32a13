package ledger

import (
	"slices"

	"vitalog/key"
	"vitalog/op"
	"vitalog/threshold"
)

// contribute takes a validator's part in the ceremony. What can be checked is checked here, so that all members see the same dealers out.
func (s *stage) contribute(o *op.Operation) *Result {
	if o.Log != (key.Log{}) {
		return no(Malformed, "the ceremony is in no log")
	}
	if s.phase == PhaseDone {
		return no(WrongPhase, "there is a key of generation %d", s.gen)
	}
	if b, ok := o.Body.(*op.Tick); ok {
		return s.tick(o, b)
	}
	i := s.validator(o.Signer)
	if i < 0 {
		return no(NotValidator, "")
	}
	c := s.copy()
	if r := c.take(s.l, i, o.Body); r != nil {
		return r
	}
	return s.proceed(c, false)
}

// validator is the place of a member key among the validators, or -1.
func (s *stage) validator(k key.Verifier) int {
	return slices.IndexFunc(s.l.genesis.Validators(), func(m int) bool { return s.l.genesis.Members[m].Sign == k })
}

// copy is a ceremony that the stage may change.
func (c *ceremony) copy() *ceremony {
	out := *c
	out.dealers = slices.Clone(c.dealers)
	return &out
}

// take checks one contribution of dealer i and keeps it.
func (c *ceremony) take(l *Ledger, i int, body op.Body) *Result {
	d, n := &c.dealers[i], len(c.dealers)
	wrong := func(gen uint32, p Phase, again bool) *Result {
		switch {
		case gen != c.gen:
			return no(WrongPhase, "generation %d, now %d is made", gen, c.gen)
		case c.phase != p:
			return no(WrongPhase, "%v, now is %v", p, c.phase)
		case again:
			return no(BadCeremony, "a second %v", p)
		case p != PhaseHello && p != PhaseVerdict && !d.In, p == PhaseVerdict && d.Hello == nil:
			return no(BadCeremony, "the dealer has missed a phase")
		}
		return nil
	}
	switch b := body.(type) {
	case *op.Hello:
		if r := wrong(b.Gen, PhaseHello, d.Hello != nil); r != nil {
			return r
		}
		if _, err := key.ParseExchange(b.Exchange[:]); err != nil {
			return no(BadCeremony, "%v", err)
		}
		d.Hello, d.In = b, true
	case *op.Commit:
		if r := wrong(b.Gen, PhaseCommit, d.Commit != nil); r != nil {
			return r
		}
		d.Commit = b
	case *op.Reveal:
		if r := wrong(b.Gen, PhaseReveal, d.Reveal != nil); r != nil {
			return r
		}
		dealer := l.genesis.Members[l.genesis.Validators()[i]].Sign
		switch {
		case b.Hash(dealer) != d.Commit.Reveal:
			return no(BadCeremony, "not what was committed to")
		case len(b.Commitments) != op.Threshold(n) || len(b.Deals) != n:
			return no(BadCeremony, "%d commitments and %d deals, want %d and %d", len(b.Commitments), len(b.Deals), op.Threshold(n), n)
		case !threshold.VerifyPossession(b.Commitments[0], op.PossessionContext(l.network, c.gen, c.attempt, dealer), b.Proof):
			return no(BadCeremony, "no possession of the secret is proven")
		}
		if _, err := threshold.SumCommitments([][]threshold.Point2{b.Commitments}); err != nil {
			return no(BadCeremony, "%v", err)
		}
		d.Reveal = b
	case *op.Verdict:
		if r := wrong(b.Gen, PhaseVerdict, d.Verdict != nil); r != nil {
			return r
		}
		for _, x := range b.Complain {
			if x < 1 || int(x) > n || int(x) == i+1 || c.dealers[x-1].Reveal == nil {
				return no(BadCeremony, "a complaint about share %d", x)
			}
		}
		d.Verdict = b
	case *op.Justify:
		if r := wrong(b.Gen, PhaseJustify, d.Justify != nil); r != nil {
			return r
		}
		accused := (&Ceremony{Dealers: c.dealers}).Complaints(i)
		if len(accused) == 0 || len(b.Deals) != len(accused) {
			return no(BadCeremony, "%d deals shown, %d complaints", len(b.Deals), len(accused))
		}
		for j, x := range b.Deals {
			if x.Receiver != accused[j] || !threshold.VerifyShare(d.Reveal.Commitments, x.Receiver, x.Share) {
				return no(BadCeremony, "the deal shown for share %d", x.Receiver)
			}
		}
		d.Justify = b
	default:
		return no(Malformed, "%v is no part of the ceremony", body.Kind())
	}
	return nil
}
