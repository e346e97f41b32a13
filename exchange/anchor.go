package exchange

import (
	"context"
	"errors"
	"fmt"
	"math"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// Anchor puts a hash into this member's log of anchors, unless it is the last one of its use there. The ledger has it when Anchor returns.
func (m *Member) Anchor(ctx context.Context, use op.Use, hash wire.Hash) error {
	var last wire.Hash
	err := m.node.Ledger().Entries(op.AnchorLog(m.network, m.ring.Member().Public()), 0, math.MaxUint64, func(e *op.Entry) error {
		if a, ok := e.Says.(*op.Anchor); ok && a.Use == use {
			last = a.Hash
		}
		return nil
	})
	if err != nil || last == hash {
		return err
	}
	return m.say(ctx, op.AnchorSalt(), &op.Anchor{Use: use, Hash: hash})
}

// say puts statements into the log that this member creates with salt, once there is something to say there. The ledger has all of them when say
// returns nil.
func (m *Member) say(ctx context.Context, salt [32]byte, bodies ...op.Body) error {
	signer := m.ring.Member()
	log := key.LogID(m.network, signer.Public(), salt)
	head, err := m.node.Ledger().Head(log)
	if err != nil {
		return err
	}
	var ops []*op.Operation
	if head == nil {
		t, err := m.ring.Ticket(uint16(m.number), op.CreateSubject(log))
		if err != nil {
			return err
		}
		ops = append(ops, op.Sign(m.network, signer, log, expiry(), &op.Create{Salt: salt, Ticket: *t}))
	}
	for _, b := range bodies {
		ops = append(ops, op.Sign(m.network, signer, log, expiry(), b))
	}
	results, err := m.node.Submit(ctx, ops...)
	if err != nil {
		return fmt.Errorf("saying %v: %w", bodies[0].Kind(), err)
	}
	for _, r := range results {
		if r.Code != ledger.OK && r.Code != ledger.LogExists {
			return fmt.Errorf("saying %v: %w", bodies[0].Kind(), r.Err())
		}
	}
	return nil
}

// Anchored is the newest anchor of a member.
type Anchored struct {
	Member int
	Hash   wire.Hash
	At     uint64 // ledger clock, ms
	Block  uint64
}

// Anchors are the members' newest anchors of a use, each held against the validators' signatures. A member that has none, or whose log the
// home member doesn't show, is left out.
func Anchors(ctx context.Context, home Home, use op.Use) ([]Anchored, error) {
	g := home.Genesis()
	var out []Anchored
	for i := range g.Members {
		signer := g.Members[i].Sign
		entries, _, err := prove(ctx, home, op.AnchorLog(g.Network(), signer))
		switch {
		case errors.Is(err, ErrNotShared):
			continue
		case err != nil:
			return nil, err
		}
		if a := newestAnchor(entries, use, signer); a != nil {
			a.Member = i
			out = append(out, *a)
		}
	}
	return out, nil
}

func newestAnchor(entries []Placed, use op.Use, signer key.Verifier) (newest *Anchored) {
	for _, e := range entries {
		if a, ok := e.Says.(*op.Anchor); ok && a.Use == use && e.Signer == signer {
			newest = &Anchored{Hash: a.Hash, At: e.At, Block: e.Block}
		}
	}
	return newest
}
