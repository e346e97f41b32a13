// Package release gives out the network's half of a record's key, for accesses that are on the ledger and for nothing else.
//
// It promises that a member gives its part only for an access that its own ledger has committed as allowed, that is still allowed in the
// ledger's latest state, is at most two minutes old, and whose sealed detail it has stored for the patient; and that the part opens
// exactly the records that the access names, for the session key that the access names. It refuses to sign or combine any value that a
// caller supplies: identities are built from the member's own committed state.
//
//	access 12 of log:5f…: allowed, entries [3,5), session key e0…    on the ledger
//	member 2 → (entry 3, partial a1…) (entry 4, partial 97…)         sealed to session key e0…
//
// It also takes the member through the ceremony that makes the network key. See spec/release.md.
package release

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/wire"
)

// Chain is the member's own copy of the ledger and its way to add to it: a consensus.Node, or a ledger driven in process.
// Its methods are safe for concurrent use.
type Chain interface {
	Ledger() *ledger.Ledger
	// Submit returns one result for each operation, after its block is durable here. Submitting an operation again is harmless.
	Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error)
	// WaitEntry returns nil once the entry is committed here.
	WaitEntry(ctx context.Context, log key.Log, number uint64) error
	// Subscribe calls fn after each durable block, in order. fn does not block.
	Subscribe(fn func(*ledger.Block)) (cancel func())
}

// Caller reaches the holders: peer.Client directly, or a relay through a home member. A refusal comes back as a *peer.Error.
// Calls are safe to repeat and may run at the same time.
type Caller interface {
	Call(ctx context.Context, member int, route string, body []byte) ([]byte, error)
}

// patience is how long a holder waits until its own ledger has the access.
const patience = 2 * time.Second

// Service is one holder of the network key.
type Service struct {
	// Log gets numbers of generations, phases and shares. nil: nothing is logged.
	Log *slog.Logger
	// Now is the member's own clock. nil: time.Now. An access that is old by either clock is refused.
	Now func() time.Time

	chain   Chain
	ring    *keyring.Ring
	store   *blobstore.Store
	calls   Caller
	network key.Network
	member  int
	share   uint16 // 0: an observer, which holds none
	kept    chan struct{}
	once    sync.Once
}

// New is the service of the member whose ring it is. Set its fields before its first use.
func New(chain Chain, ring *keyring.Ring, store *blobstore.Store, calls Caller) (*Service, error) {
	s := &Service{Log: slog.New(slog.DiscardHandler), Now: time.Now, chain: chain, ring: ring, store: store, calls: calls, member: -1, kept: make(chan struct{})}
	g := chain.Ledger().Genesis()
	s.network = g.Network()
	for i := range g.Members {
		if g.Members[i].Sign == ring.Member().Public() {
			s.member = i
		}
	}
	if s.member < 0 {
		return nil, errors.New("release: this ring's member is not in the genesis")
	}
	s.share = uint16(slices.Index(g.Validators(), s.member) + 1)
	return s, nil
}

// Routes are what other members may call. Both answer to anybody: a request is authorised by what the ledger says, not by who relays it.
func (s *Service) Routes() map[string]peer.Handler {
	return map[string]peer.Handler{"release": s.release, "deal": s.deal}
}

// release answers a Request with a Reply.
func (s *Service) release(ctx context.Context, _ int, body []byte) ([]byte, error) {
	q, err := DecodeRequest(body)
	if err != nil {
		return nil, peer.Errorf(peer.Invalid, "%v", err)
	}
	access, groups, err := s.give(ctx, q)
	if err != nil {
		return nil, err
	}
	reply := &Reply{}
	for _, g := range groups {
		sealed, err := SealGroup(&q.Session, access, g.gen, g.set, s.member, g.given)
		if err != nil {
			return nil, peer.Errorf(peer.Invalid, "the session key is not usable")
		}
		reply.Groups = append(reply.Groups, sealed)
	}
	return reply.Encode(), nil
}

// give decides on a request and computes what it is owed, with the hash of the access's entry.
func (s *Service) give(ctx context.Context, q *Request) (access wire.Hash, groups []group, err error) {
	a, err := s.await(ctx, q)
	if err != nil {
		return access, nil, err
	}
	if err := s.decide(a); err != nil {
		return access, nil, err
	}
	tasks, err := s.tasks(a, q.Entries)
	if err != nil {
		return access, nil, err
	}
	// The patient gets to know who reads before anybody does. A crash after this leaves a detail without a release.
	if _, err := s.store.Put(q.Detail); err != nil {
		s.Log.Error("storing an access detail", "err", err)
		return access, nil, peer.Errorf(peer.Unavailable, "the access detail could not be stored")
	}
	if groups, err = s.partials(ctx, tasks); err != nil {
		return access, nil, err
	}
	// A revoke or an erasure that was committed meanwhile counts.
	if err := s.decide(a); err != nil {
		return access, nil, err
	}
	for i := range groups {
		groups[i].given = a.standing(groups[i].given)
	}
	return a.hash, groups, nil
}

// Near answers calls to the own member in process and passes the others on to calls. A Client on it has the own member's partials without
// the sealing, which would hide them from nobody but this process.
func (s *Service) Near(calls Caller) Caller { return near{s, calls} }

type near struct {
	s     *Service
	calls Caller
}

func (n near) Call(ctx context.Context, member int, route string, body []byte) ([]byte, error) {
	if h := n.s.Routes()[route]; h != nil && member == n.s.member {
		return h(ctx, member, body)
	}
	return n.calls.Call(ctx, member, route, body)
}
