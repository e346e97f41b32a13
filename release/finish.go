package release

import (
	"context"
	"errors"
	"time"

	"vitalog/keyring"
	"vitalog/ledger"
	"vitalog/threshold"
)

// WaitShare returns nil once Run has seen that this member holds its share of the newest network key.
func (s *Service) WaitShare(ctx context.Context) error {
	select {
	case <-s.kept:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish keeps the share that the ceremony gave and erases its secrets. A member that was absent, or got no deals, goes without.
func (s *Service) finish(ctx context.Context, c *ledger.Ceremony, a *attempt) time.Duration {
	n := s.chain.Ledger().NetworkKey(c.Gen)
	dealers, shown := s.dealt(c)
	err := s.ring.FinishCeremony(c.Attempt, n, s.share, dealers, shown)
	switch {
	case err == nil:
		a.over = true
		s.once.Do(func() { close(s.kept) })
		s.Log.Info("share kept", "generation", n.Gen, "set", n.Set, "share", s.share, "dealers", len(dealers))
		return 0
	case errors.Is(err, keyring.ErrCeremony):
		a.over = true // this member said no hello
		s.Log.Warn("no share of this network key", "generation", n.Gen, "share", s.share)
		return 0
	}
	// A deal is missing that this member had no chance to complain about. Dealers that haven't finished may still have it.
	if s.Now().UnixMilli() < int64(c.Since+s.chain.Ledger().Genesis().Params.CeremonyPhase) {
		s.collect(ctx, c, a)
		return retryAfter
	}
	s.Log.Error("no share of this network key", "generation", n.Gen, "share", s.share, "err", err)
	if err := s.ring.EndCeremony(c.Gen, c.Attempt); err != nil {
		return retryAfter
	}
	a.over = true
	return 0
}

// dealt lists the dealers whose parts are in the key, and those deals for this member that they had to show.
func (s *Service) dealt(c *ledger.Ceremony) (dealers []uint16, shown map[uint16]threshold.Scalar) {
	shown = map[uint16]threshold.Scalar{}
	for i := range c.Dealers {
		d := &c.Dealers[i]
		if !d.In {
			continue
		}
		dealers = append(dealers, uint16(i+1))
		if d.Justify == nil {
			continue
		}
		for _, j := range d.Justify.Deals {
			if j.Receiver == s.share {
				shown[uint16(i+1)] = j.Share
			}
		}
	}
	return dealers, shown
}
