package ledger

import (
	"slices"

	"vitalog/op"
	"vitalog/threshold"
)

// tick ends a phase whose time is over.
func (s *stage) tick(o *op.Operation, b *op.Tick) *Result {
	if !slices.ContainsFunc(s.l.genesis.Members, func(m op.Member) bool { return m.Sign == o.Signer }) {
		return no(NotMember, "")
	}
	c := s.copy()
	switch end := c.public(s.l).Deadline; {
	case b.Gen != c.gen:
		return no(WrongPhase, "generation %d, now %d is made", b.Gen, c.gen)
	case end == 0:
		return no(WrongPhase, "%v waits for %d validators", c.phase, op.Threshold(len(c.dealers)))
	case s.clock < end:
		return no(WrongPhase, "%v lasts %d ms more", c.phase, end-s.clock)
	}
	return s.proceed(c, true)
}

// proceed moves the ceremony on as far as it can go, and makes c the stage's.
func (s *stage) proceed(c *ceremony, timeUp bool) *Result {
	k := op.Threshold(len(c.dealers))
	if c.phase == PhaseHello && c.since == 0 && count(c.dealers, func(d *Dealer) bool { return d.Hello != nil }) >= k {
		c.since = s.clock // the others have one phase's time from now
	}
	for c.phase != PhaseDone && (timeUp || c.complete()) {
		timeUp = false
		for i := range c.dealers {
			if d := &c.dealers[i]; c.awaited(i) && !d.spoke(c.phase) {
				d.In = false
			}
		}
		if count(c.dealers, func(d *Dealer) bool { return d.In }) < k {
			c.restart()
			break
		}
		c.phase, c.since = c.phase+1, s.clock
		if c.phase == PhaseJustify && !slices.ContainsFunc(c.indices(), c.awaited) {
			c.phase = PhaseDone
		}
		if c.phase == PhaseDone && !s.newKey(c, k) {
			c.restart()
		}
	}
	s.ceremony = c
	return &Result{}
}

// complete tells whether all have spoken that the phase waits for.
func (c *ceremony) complete() bool {
	return !slices.ContainsFunc(c.indices(), func(i int) bool { return c.awaited(i) && !c.dealers[i].spoke(c.phase) })
}

// awaited tells whether the phase waits for dealer i. A holder that missed a phase as a dealer still has its verdict on the others' deals.
func (c *ceremony) awaited(i int) bool {
	switch d := &c.dealers[i]; c.phase {
	case PhaseHello:
		return true
	case PhaseVerdict:
		return d.Hello != nil
	case PhaseJustify:
		return d.In && len((&Ceremony{Dealers: c.dealers}).Complaints(i)) > 0
	default:
		return d.In
	}
}

func (d *Dealer) spoke(p Phase) bool {
	switch p {
	case PhaseHello:
		return d.Hello != nil
	case PhaseCommit:
		return d.Commit != nil
	case PhaseReveal:
		return d.Reveal != nil
	case PhaseVerdict:
		return d.Verdict != nil
	default:
		return d.Justify != nil
	}
}

// restart begins the next attempt from nothing.
func (c *ceremony) restart() {
	c.attempt++
	c.phase, c.since, c.dealers = PhaseHello, 0, make([]Dealer, len(c.dealers))
}

// newKey adds up what the remaining dealers dealt. It fails only if their parts cancel each other out.
func (s *stage) newKey(c *ceremony, k int) bool {
	var parts [][]threshold.Point2
	for i := range c.dealers {
		if c.dealers[i].In {
			parts = append(parts, c.dealers[i].Reveal.Commitments)
		}
	}
	poly, err := threshold.SumCommitments(parts)
	if err != nil {
		return false
	}
	s.keys = append(slices.Clip(s.keys), &op.NetworkKey{Gen: c.gen, Set: 1, K: k, Holders: s.l.genesis.Validators(), Poly: poly})
	return true
}

func (c *ceremony) indices() []int {
	out := make([]int, len(c.dealers))
	for i := range out {
		out[i] = i
	}
	return out
}

func count(dealers []Dealer, is func(*Dealer) bool) (n int) {
	for i := range dealers {
		if is(&dealers[i]) {
			n++
		}
	}
	return n
}
