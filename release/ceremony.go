package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
)

const (
	retryAfter = time.Second           // a step that failed
	tickApart  = 50 * time.Millisecond // share number x ticks x of these after the deadline, so that one tick does
	tickAgain  = 250 * time.Millisecond
	submitMost = 15 * time.Second
)

// Run takes part in every ceremony of the network key until ctx ends. Each step is taken from what the ring holds on disk and what the
// ledger has committed, so it may be stopped anywhere and run again.
func (s *Service) Run(ctx context.Context) error {
	if s.share == 0 {
		<-ctx.Done() // an observer: there is no share for it
		return nil
	}
	news := make(chan struct{}, 1)
	defer s.chain.Subscribe(func(*ledger.Block) {
		select {
		case news <- struct{}{}:
		default:
		}
	})()
	var a attempt
	for {
		var timer <-chan time.Time
		if wait := s.step(ctx, &a); wait > 0 {
			timer = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case <-timer:
		}
	}
}

// attempt is what Run remembers of one attempt. Losing it costs time, nothing else.
type attempt struct {
	gen, number uint32
	deals       map[uint16]fate // by dealer
	over        bool            // nothing is left to do
}

// step does what there is to do now, and says when to look again if nothing happens before; 0: only when something happens.
func (s *Service) step(ctx context.Context, a *attempt) time.Duration {
	c := s.chain.Ledger().Ceremony()
	if a.gen != c.Gen || a.number != c.Attempt {
		*a = attempt{gen: c.Gen, number: c.Attempt, deals: map[uint16]fate{}}
		s.Log.Info("ceremony of the network key", "generation", c.Gen, "attempt", c.Attempt, "share", s.share)
	}
	if a.over {
		return 0
	}
	if c.Phase == ledger.PhaseDone {
		return s.finish(ctx, &c, a)
	}
	body, wait, err := s.due(ctx, &c, a)
	if err == nil && body != nil {
		err = s.submit(ctx, body)
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("ceremony step failed", "generation", c.Gen, "attempt", c.Attempt, "phase", c.Phase.String(), "err", err)
		wait = retryAfter
	}
	return sooner(wait, s.tick(ctx, &c))
}

// due is what this member has yet to say in the phase, nil if nothing, or not before wait is over.
func (s *Service) due(ctx context.Context, c *ledger.Ceremony, a *attempt) (body op.Body, wait time.Duration, err error) {
	me := &c.Dealers[s.share-1]
	switch {
	case c.Phase == ledger.PhaseHello && me.Hello == nil:
		x, err := s.ring.BeginCeremony(c.Gen, c.Attempt, c.K) // the secrets are on disk before anybody hears of them
		if err != nil {
			return nil, 0, err
		}
		return &op.Hello{Gen: c.Gen, Exchange: *x}, 0, nil
	case c.Phase == ledger.PhaseCommit && me.In && me.Commit == nil:
		r, err := s.reveal(c) // the deals are on disk before anybody can hold this member to them
		if err != nil {
			return nil, 0, err
		}
		return &op.Commit{Gen: c.Gen, Reveal: r.Hash(s.ring.Member().Public())}, 0, nil
	case c.Phase == ledger.PhaseReveal && me.In && me.Reveal == nil:
		r, err := s.reveal(c) // the same as was committed to
		if err != nil {
			return nil, 0, err
		}
		return r, 0, nil
	case c.Phase == ledger.PhaseVerdict && me.Hello != nil && me.Verdict == nil:
		return s.verdict(ctx, c, a)
	case c.Phase == ledger.PhaseJustify && me.In && me.Justify == nil:
		return s.justify(c)
	}
	return nil, 0, nil
}

func (s *Service) reveal(c *ledger.Ceremony) (*op.Reveal, error) {
	receivers := make([]*key.Exchange, len(c.Dealers))
	for i := range c.Dealers {
		if h := c.Dealers[i].Hello; h != nil {
			receivers[i] = &h.Exchange
		}
	}
	return s.ring.CeremonyReveal(c.Gen, c.Attempt, s.share, op.PossessionContext(s.network, c.Gen, c.Attempt, s.ring.Member().Public()), receivers)
}

// justify shows the deals that others say they lack. A dealer about whom nobody complained has nothing to say.
func (s *Service) justify(c *ledger.Ceremony) (op.Body, time.Duration, error) {
	out := &op.Justify{Gen: c.Gen}
	for _, x := range c.Complaints(int(s.share) - 1) {
		j, err := s.ring.CeremonyJustify(c.Gen, c.Attempt, s.share, x, c.Dealers[x-1].Verdict)
		if err != nil {
			return nil, 0, err
		}
		out.Deals = append(out.Deals, j)
	}
	if len(out.Deals) == 0 {
		return nil, 0, nil
	}
	return out, 0, nil
}

// submit puts one statement of this member on the ledger. What was said before, or too late, is no failure: the ledger shows where it is.
func (s *Service) submit(ctx context.Context, body op.Body) error {
	ctx, cancel := context.WithTimeout(ctx, submitMost)
	defer cancel()
	expires := uint64(s.Now().Add(op.MaxWindow / 2).UnixMilli())
	results, err := s.chain.Submit(ctx, op.Sign(s.network, s.ring.Member(), key.Log{}, expires, body))
	if err != nil {
		return fmt.Errorf("submitting %v: %w", body.Kind(), err)
	}
	if err := results[0].Err(); err != nil && !errors.Is(err, ledger.WrongPhase) {
		return fmt.Errorf("%v: %w", body.Kind(), err)
	}
	return nil
}

// tick moves the ceremony on if its phase is over by the own clock, and says when that will be if it isn't.
func (s *Service) tick(ctx context.Context, c *ledger.Ceremony) time.Duration {
	if c.Deadline == 0 {
		return 0
	}
	turn := time.UnixMilli(int64(c.Deadline)).Add(time.Duration(s.share) * tickApart)
	if wait := turn.Sub(s.Now()); wait > 0 {
		return wait
	}
	if now := s.chain.Ledger().Ceremony(); now.Phase != c.Phase || now.Attempt != c.Attempt || now.Gen != c.Gen {
		return 0
	}
	if err := s.submit(ctx, &op.Tick{Gen: c.Gen}); err != nil && ctx.Err() == nil {
		s.Log.Warn("tick failed", "generation", c.Gen, "phase", c.Phase.String(), "err", err)
	}
	return tickAgain // the proposer's clock may be behind this one
}

// sooner is the shorter of two waits, of which 0 is no wait at all.
func sooner(x, y time.Duration) time.Duration {
	if x == 0 || y != 0 && y < x {
		return y
	}
	return x
}
