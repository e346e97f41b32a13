package keyring

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"vitalog/key"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

const dealInfo = "vitalog/v1/deal"

// ErrBadDeal says that a dealer gave no deal that fits its commitments: reason for a complaint.
var ErrBadDeal = errors.New("the deal does not fit the dealer's commitments")

// BeginCeremony draws the secrets of one attempt at the network key of generation gen, with k shares needed, and returns the fresh
// exchange key for the Hello. The secrets are on disk before it returns; the same gen and attempt give the same after a restart. A later
// attempt or generation erases them, an earlier one is refused with ErrCeremony.
func (r *Ring) BeginCeremony(gen, attempt uint32, k int) (*key.Exchange, error) {
	if k < 1 || k > op.MaxMembers {
		return nil, fmt.Errorf("ceremony of generation %d: %d shares needed, want 1 to %d", gen, k, op.MaxMembers)
	}
	var out *key.Exchange
	err := r.change(ceremonyName(gen, attempt), func(s *secrets) error {
		c := s.ceremony
		switch {
		case c != nil && (c.gen > gen || c.gen == gen && c.attempt > attempt):
			return fmt.Errorf("attempt %d at generation %d is under way: %w", c.attempt, c.gen, ErrCeremony)
		case c != nil && c.gen == gen && c.attempt == attempt && c.k != k:
			return fmt.Errorf("it began with %d shares needed, not %d: %w", c.k, k, ErrCeremony)
		case c == nil || c.gen != gen || c.attempt != attempt:
			c = &ceremony{gen: gen, attempt: attempt, k: k}
			rand.Read(c.seed[:])
			s.ceremony = c
		}
		out = c.exchange().Exchange()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CeremonyReveal is what the member, as the dealer of share number self, commits to and later reveals. receivers are the exchange keys
// of the Hellos in the order of the shares, nil for a holder that sent none and whose deal hash is zero; context is what the proof of
// possession is bound to. The deals are sealed once and are on disk before it returns: later calls give the same bytes and don't look
// at receivers.
func (r *Ring) CeremonyReveal(gen, attempt uint32, self uint16, context []byte, receivers []*key.Exchange) (*op.Reveal, error) {
	network, err := r.Network()
	if err != nil {
		return nil, err
	}
	var out *op.Reveal
	err = r.change(ceremonyName(gen, attempt), func(s *secrets) error {
		c, err := s.in(gen, attempt)
		if err != nil {
			return err
		}
		p := c.polynomial()
		if len(c.deals) == 0 {
			if c.deals, err = c.seal(network, p, self, receivers); err != nil {
				return err
			}
		}
		out = &op.Reveal{Gen: gen, Salt: c.derive("salt"), Commitments: p.Commitments(), Proof: p.Prove(context)}
		for _, d := range c.deals {
			var h wire.Hash
			if len(d) > 0 {
				h = sha256.Sum256(d)
			}
			out.Deals = append(out.Deals, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *ceremony) seal(network key.Network, p *threshold.Polynomial, self uint16, receivers []*key.Exchange) ([][]byte, error) {
	if len(receivers) == 0 || len(receivers) > op.MaxMembers {
		return nil, fmt.Errorf("%d receivers, want 1 to %d", len(receivers), op.MaxMembers)
	}
	deals := make([][]byte, len(receivers))
	for i, to := range receivers {
		if to == nil {
			continue
		}
		x := uint16(i + 1)
		share := p.Share(x)
		var err error
		deals[i], err = to.Seal(dealInfo, c.dealContext(network, self, x), share[:])
		clear(share[:])
		if err != nil {
			return nil, fmt.Errorf("deal for share %d: %w", x, err)
		}
	}
	return deals, nil
}

func (c *ceremony) dealContext(network key.Network, dealer, receiver uint16) []byte {
	var w wire.Writer
	w.U32(c.gen)
	w.U32(c.attempt)
	w.U16(dealer)
	w.U16(receiver)
	h := wire.Sum(dealInfo, network[:], w.Done())
	return h[:]
}

// CeremonyDeal is the sealed deal for share number receiver, whose SHA-256 the Reveal names.
func (r *Ring) CeremonyDeal(gen, attempt uint32, receiver uint16) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c, err := r.s.in(gen, attempt)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %s: %w", r.path, ceremonyName(gen, attempt), err)
	}
	if receiver == 0 || int(receiver) > len(c.deals) || len(c.deals[receiver-1]) == 0 {
		return nil, fmt.Errorf("keyring %s: %s: no deal for share %d", r.path, ceremonyName(gen, attempt), receiver)
	}
	return slices.Clone(c.deals[receiver-1]), nil
}

// TakeDeal opens a dealer's deal for share number self, checks it against the dealer's commitments and keeps it, durably. The error is
// ErrBadDeal if it doesn't open or doesn't fit. The caller has checked its hash against the dealer's Reveal.
func (r *Ring) TakeDeal(gen, attempt uint32, dealer, self uint16, sealed []byte, commitments []threshold.Point2) error {
	network, err := r.Network()
	if err != nil {
		return err
	}
	return r.change(ceremonyName(gen, attempt), func(s *secrets) error {
		c, err := s.in(gen, attempt)
		if err != nil {
			return err
		}
		b, err := c.exchange().Open(dealInfo, c.dealContext(network, dealer, self), sealed)
		if err != nil || len(b) != len(threshold.Scalar{}) {
			return fmt.Errorf("dealer %d: %w", dealer, ErrBadDeal)
		}
		defer clear(b)
		t := taken{dealer: dealer, share: threshold.Scalar(b)}
		if len(commitments) != c.k || !threshold.VerifyShare(commitments, self, t.share) {
			return fmt.Errorf("dealer %d: %w", dealer, ErrBadDeal)
		}
		i, have := slices.BinarySearchFunc(c.taken, dealer, func(t taken, d uint16) int { return int(t.dealer) - int(d) })
		if have {
			c.taken[i] = t
		} else {
			c.taken = slices.Insert(c.taken, i, t)
		}
		return nil
	})
}

// CeremonyJustify shows the deal for share number receiver in the open, because its verdict on the ledger complains about dealer self.
// It shows fewer than k deals of one attempt, whoever complains: k of them would be the polynomial.
func (r *Ring) CeremonyJustify(gen, attempt uint32, self, receiver uint16, verdict *op.Verdict) (op.Justification, error) {
	out := op.Justification{Receiver: receiver}
	err := r.change(ceremonyName(gen, attempt), func(s *secrets) error {
		c, err := s.in(gen, attempt)
		if err != nil {
			return err
		}
		if receiver == 0 || verdict == nil || verdict.Gen != gen || !slices.Contains(verdict.Complain, self) {
			return fmt.Errorf("share %d does not complain about dealer %d", receiver, self)
		}
		if i, shown := slices.BinarySearch(c.shown, receiver); !shown {
			if len(c.shown)+1 >= c.k {
				return fmt.Errorf("deal for share %d: %d deals are shown, %d would be the secret", receiver, len(c.shown), c.k)
			}
			c.shown = slices.Insert(c.shown, i, receiver)
		}
		out.Share = c.polynomial().Share(receiver)
		return nil
	})
	if err != nil {
		return op.Justification{}, err
	}
	return out, nil
}

// FinishCeremony adds up the deals of the dealers that qualified to the member's share, number self, checks it against the new key and
// keeps it; polynomial, exchange key and deals are erased in the same write. shown are the deals for self that dealers justified on the
// ledger, by dealer. Called again it does nothing.
func (r *Ring) FinishCeremony(attempt uint32, n *op.NetworkKey, self uint16, dealers []uint16, shown map[uint16]threshold.Scalar) error {
	return r.change(ceremonyName(n.Gen, attempt), func(s *secrets) error {
		if h, ok := s.share(n.Gen); ok && h.set == n.Set && s.ceremony == nil {
			return nil
		}
		c, err := s.in(n.Gen, attempt)
		if err != nil {
			return err
		}
		var parts []threshold.Scalar
		for _, d := range dealers {
			i, have := slices.BinarySearchFunc(c.taken, d, func(t taken, d uint16) int { return int(t.dealer) - int(d) })
			switch share, open := shown[d]; {
			case have:
				parts = append(parts, c.taken[i].share)
			case open:
				parts = append(parts, share)
			default:
				return fmt.Errorf("no deal of dealer %d is here or was justified", d)
			}
		}
		defer clear(parts)
		sum, err := add(parts)
		if err != nil {
			return err
		}
		if !threshold.VerifyShare(n.Poly, self, sum) {
			return fmt.Errorf("share %d does not fit the network key", self)
		}
		s.ceremony = nil
		return s.keep(share{gen: n.Gen, set: n.Set, x: self, secret: sum})
	})
}

// add refuses what threshold.SumScalars would panic at: a justified deal comes from outside.
func add(parts []threshold.Scalar) (threshold.Scalar, error) {
	for i := range parts {
		if _, err := threshold.Partial(&parts[i], wire.Hash{}); err != nil {
			return threshold.Scalar{}, err
		}
	}
	return threshold.SumScalars(parts), nil
}

// EndCeremony erases the secrets of the attempt without a share: it failed, or the member was left out. Called again it does nothing.
func (r *Ring) EndCeremony(gen, attempt uint32) error {
	return r.change(ceremonyName(gen, attempt), func(s *secrets) error {
		if c := s.ceremony; c != nil && c.gen == gen && c.attempt == attempt {
			s.ceremony = nil
		}
		return nil
	})
}

// in is the ceremony under way, if it is this one.
func (s *secrets) in(gen, attempt uint32) (*ceremony, error) {
	if c := s.ceremony; c != nil && c.gen == gen && c.attempt == attempt {
		return c, nil
	}
	return nil, ErrCeremony
}

func (c *ceremony) derive(use string) [32]byte {
	return key.Derive(c.seed[:], "vitalog/v1/ceremony/"+use, nil)
}

func (c *ceremony) exchange() *key.Decapsulating { return key.NewDecapsulating(c.derive("exchange")) }

func (c *ceremony) polynomial() *threshold.Polynomial {
	return threshold.PolynomialFrom(c.derive("polynomial"), c.k)
}

func ceremonyName(gen, attempt uint32) string {
	return fmt.Sprintf("attempt %d at network key %d", attempt, gen)
}
