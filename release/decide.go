package release

import (
	"context"
	"crypto/sha256"
	"time"

	"vitalog/consent"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/wire"
)

// access is a committed access that a request named, with what the latest state says about it.
type access struct {
	*op.Entry
	says   *op.Accessed
	hash   wire.Hash
	erased []consent.Range // blocked by the latest decide; none for an author who keeps what it reads
}

// await fetches the access that q names, once the own ledger has it, and holds q against what never changes. Refusals, here and below, have
// no log, no entry and no key in them: any relay may read them.
func (s *Service) await(ctx context.Context, q *Request) (*access, error) {
	l := s.chain.Ledger()
	e, err := l.Entry(q.Log, q.Number)
	if err == nil && e == nil {
		wait, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if s.chain.WaitEntry(wait, q.Log, q.Number) == nil {
			e, err = l.Entry(q.Log, q.Number)
		}
	}
	if err != nil {
		s.Log.Error("reading an access", "err", err)
		return nil, peer.Errorf(peer.Unavailable, "the ledger could not be read")
	}
	if e == nil {
		if h, err := l.Head(q.Log); err == nil && h == nil {
			return nil, peer.Errorf(peer.NotFound, "this member's ledger has no such log")
		}
		return nil, peer.Errorf(peer.Later, "the access is not on this member's ledger yet")
	}
	says, ok := e.Says.(*op.Accessed)
	switch {
	case !ok:
		return nil, peer.Errorf(peer.Denied, "the entry is no access")
	case says.Why != consent.Allowed:
		return nil, peer.Errorf(peer.Denied, "the access was refused: %v", says.Why)
	case says.Further:
		return nil, peer.Errorf(peer.Denied, "nothing is released for a further use")
	case q.Session.Hash() != says.Session:
		return nil, peer.Errorf(peer.Denied, "the access was made for another session key")
	case sha256.Sum256(q.Detail) != says.Detail:
		return nil, peer.Errorf(peer.Denied, "the access was made with another detail")
	}
	return &access{Entry: e, says: says, hash: e.Hash()}, nil
}

// decide holds the access against the latest state: is it still fresh, and would it still be allowed?
func (s *Service) decide(a *access) error {
	l := s.chain.Ledger()
	// The ledger clock stands still while nobody writes, the own clock may be wrong: the later of the two counts.
	now := max(l.Clock(), uint64(s.Now().UnixMilli()))
	if now > a.At && now-a.At > uint64(op.ReleaseWindow/time.Millisecond) {
		return peer.Errorf(peer.Denied, "the access is older than two minutes")
	}
	head, err := l.Head(a.Log)
	if err != nil || head == nil {
		s.Log.Error("reading a head", "err", err)
		return peer.Errorf(peer.Unavailable, "the ledger could not be read")
	}
	q := consent.Request{Key: a.Signer, Grant: a.says.Grant, Right: consent.Read, Ranges: a.says.Ranges, Now: now}
	if q.Grant == 0 { // it was allowed because its signer keeps all of it, erased as it is
		if !consent.Keeps(head.Kept, q) {
			return peer.Errorf(peer.Denied, "no longer allowed: %v", consent.Erased)
		}
		return nil
	}
	_, why := consent.Decide(regardlessOfUses(head.Terms()), nil, q)
	if why != consent.Allowed {
		return peer.Errorf(peer.Denied, "no longer allowed: %v", why)
	}
	a.erased = head.Erased
	return nil
}

// regardlessOfUses lifts the limits on uses: this access was counted when it was allowed, and may have been the last.
func regardlessOfUses(grants []consent.Grant) []consent.Grant {
	for i := range grants {
		grants[i].Uses = 0
	}
	return grants
}

// blocked tells whether the record of entry n was erased.
func (a *access) blocked(n uint64) bool {
	return consent.Overlaps(a.erased, consent.Range{From: n, To: n + 1})
}

// standing drops the partials of records that were erased meanwhile.
func (a *access) standing(given []Given) []Given {
	out := given[:0]
	for _, g := range given {
		if !a.blocked(g.Number) {
			out = append(out, g)
		}
	}
	return out
}
