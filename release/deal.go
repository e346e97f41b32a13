package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/wire"
)

// dealSize is that of a sealed deal in bytes.
const dealSize = key.SealOverhead + 32

// fetchMost is how long one dealer may take to hand over a deal, and how soon it is asked again.
const fetchMost, fetchAgain = time.Second, 100 * time.Millisecond

// DealRequest asks a dealer for the sealed deal of one receiver.
type DealRequest struct {
	Gen, Attempt uint32
	Receiver     uint16 // share number
}

// Encode is the request's only encoding.
func (q *DealRequest) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	w.U32(q.Gen)
	w.U32(q.Attempt)
	w.U16(q.Receiver)
	return w.Done()
}

// DecodeDealRequest reads it.
func DecodeDealRequest(b []byte) (*DealRequest, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != Version {
		return nil, fmt.Errorf("deal request: format version %d, this program reads %d", v, Version)
	}
	q := &DealRequest{Gen: r.U32(), Attempt: r.U32(), Receiver: r.U16()}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("deal request: %w", err)
	}
	return q, nil
}

// deal hands out a sealed deal of this dealer, to anybody: only the receiver's key of this ceremony opens it.
func (s *Service) deal(_ context.Context, _ int, body []byte) ([]byte, error) {
	q, err := DecodeDealRequest(body)
	if err != nil {
		return nil, peer.Errorf(peer.Invalid, "%w", err)
	}
	b, err := s.ring.CeremonyDeal(q.Gen, q.Attempt, q.Receiver)
	if err != nil {
		return nil, peer.Errorf(peer.NotFound, "no deal of attempt %d at generation %d for share %d", q.Attempt, q.Gen, q.Receiver)
	}
	return b, nil
}

// fate is what became of a dealer's deal.
type fate uint8

const (
	missing fate = iota
	taken        // checked, and on disk
	wrong        // doesn't open, or doesn't fit
)

// verdict collects the deals and says which are missing or wrong. Who is late gets half the phase.
func (s *Service) verdict(ctx context.Context, c *ledger.Ceremony, a *attempt) (op.Body, time.Duration, error) {
	s.collect(ctx, c, a)
	out := &op.Verdict{Gen: c.Gen}
	waiting := false
	for i := range c.Dealers {
		if x := uint16(i + 1); c.Dealers[i].In && a.deals[x] != taken && x != s.share {
			out.Complain = append(out.Complain, x)
			waiting = waiting || a.deals[x] == missing
		}
	}
	half := time.UnixMilli(int64(c.Since + (c.Deadline-c.Since)/2))
	if waiting && s.Now().Before(half) {
		return nil, fetchAgain, nil
	}
	for _, x := range out.Complain {
		s.Log.Warn("complaining about a deal", "generation", c.Gen, "attempt", c.Attempt, "dealer", x, "share", s.share)
	}
	return out, 0, nil
}

// collect fetches the deals that are still missing, from all dealers at once.
func (s *Service) collect(ctx context.Context, c *ledger.Ceremony, a *attempt) {
	ctx, cancel := context.WithTimeout(ctx, fetchMost)
	defer cancel()
	var wg sync.WaitGroup
	fates := make([]fate, len(c.Dealers))
	for i := range c.Dealers {
		x := uint16(i + 1)
		if fates[i] = a.deals[x]; fates[i] == missing && c.Dealers[i].In {
			wg.Go(func() {
				var err error
				if fates[i], err = s.take(ctx, c, x); err != nil && ctx.Err() == nil {
					s.Log.Info("deal not taken", "generation", c.Gen, "attempt", c.Attempt, "dealer", x, "err", err)
				}
			})
		}
	}
	wg.Wait()
	for i, f := range fates {
		a.deals[uint16(i+1)] = f
	}
}

// take gets the deal of one dealer and keeps it in the ring, if it is the one that was revealed and fits the commitments.
func (s *Service) take(ctx context.Context, c *ledger.Ceremony, dealer uint16) (fate, error) {
	d := &c.Dealers[dealer-1]
	hash := d.Reveal.Deals[s.share-1]
	if hash == (wire.Hash{}) {
		return wrong, fmt.Errorf("dealer %d revealed no deal for share %d", dealer, s.share)
	}
	sealed, err := s.fetch(ctx, c, dealer, hash)
	if err != nil {
		return missing, err
	}
	switch err := s.ring.TakeDeal(c.Gen, c.Attempt, dealer, s.share, sealed, d.Reveal.Commitments); {
	case errors.Is(err, keyring.ErrBadDeal):
		return wrong, err
	case err != nil:
		return missing, err
	}
	return taken, nil
}

// fetch looks in the own ring and store before it asks the dealer.
func (s *Service) fetch(ctx context.Context, c *ledger.Ceremony, dealer uint16, hash wire.Hash) ([]byte, error) {
	if dealer == s.share {
		return s.ring.CeremonyDeal(c.Gen, c.Attempt, s.share)
	}
	if b, err := s.store.Get(hash, dealSize); err == nil {
		return b, nil
	}
	q := DealRequest{Gen: c.Gen, Attempt: c.Attempt, Receiver: s.share}
	b, err := s.calls.Call(ctx, c.Dealers[dealer-1].Member, "deal", q.Encode())
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(b) != hash {
		return nil, fmt.Errorf("dealer %d sent another deal than it revealed", dealer)
	}
	return b, nil
}
