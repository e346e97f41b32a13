package keyring

import (
	"fmt"
	"slices"

	"vitalog/threshold"
	"vitalog/wire"
)

// KeepShare keeps the member's share x of generation gen, durably. A newer share set replaces the older, whose share is deleted.
func (r *Ring) KeepShare(gen, set uint32, x uint16, secret threshold.Scalar) error {
	return r.change(fmt.Sprintf("share of generation %d, set %d", gen, set), func(s *secrets) error {
		return s.keep(share{gen: gen, set: set, x: x, secret: secret})
	})
}

func (s *secrets) keep(n share) error {
	if n.x == 0 {
		return fmt.Errorf("share number 0 is the secret itself")
	}
	i, held := slices.BinarySearchFunc(s.shares, n.gen, func(h share, gen uint32) int { return int(int64(h.gen) - int64(gen)) })
	if !held {
		s.shares = slices.Insert(s.shares, i, n)
		return nil
	}
	if h := s.shares[i]; h.set > n.set || h.set == n.set && h != n {
		return fmt.Errorf("share %d of set %d is held already", h.x, h.set)
	}
	s.shares[i] = n
	return nil
}

// Partial is the partial key for id under the member's share of generation gen, and the share set that it belongs to. The caller makes
// id from what its own ledger has committed. The error is ErrNoShare if the ring holds none.
func (r *Ring) Partial(gen uint32, id wire.Hash) (part threshold.Part, set uint32, err error) {
	r.mu.RLock()
	h, ok := r.s.share(gen)
	r.mu.RUnlock()
	if !ok {
		return part, 0, fmt.Errorf("generation %d: %w", gen, ErrNoShare)
	}
	defer clear(h.secret[:])
	p, err := threshold.Partial(&h.secret, id)
	if err != nil {
		return part, 0, fmt.Errorf("generation %d: %w", gen, err)
	}
	return threshold.Part{X: h.x, P: p}, h.set, nil
}

// HasShare tells whether the ring holds a share of generation gen.
func (r *Ring) HasShare(gen uint32) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.s.share(gen)
	return ok
}

func (s *secrets) share(gen uint32) (share, bool) {
	for _, h := range s.shares {
		if h.gen == gen {
			return h, true
		}
	}
	return share{}, false
}
