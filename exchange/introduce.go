package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/peer"
	"vitalog/wire"
)

// Introduce gets a member's grantee key for a log and a purpose, signed by the member.
func (m *Member) Introduce(ctx context.Context, member int, log key.Log, purpose string) (*grant.Introduction, error) {
	if member == m.number {
		return m.introduce(log, purpose)
	}
	if member < 0 || member >= len(m.genesis.Members) {
		return nil, fmt.Errorf("member %d: %w", member, ErrNotShared)
	}
	var w wire.Writer
	w.Fixed(log[:])
	w.Bytes([]byte(purpose))
	reply, err := m.peers.Call(ctx, member, "introduce", w.Done())
	if err != nil {
		return nil, fmt.Errorf("introduction of %s: %w", m.genesis.Members[member].Name, err)
	}
	return grant.DecodeIntroduction(reply)
}

// introduce makes this member's own key for a log and a purpose known. Anybody may ask: nothing is written down, see purposeOf.
func (m *Member) introduce(log key.Log, purpose string) (*grant.Introduction, error) {
	if !knownPurpose(purpose) {
		return nil, fmt.Errorf("purpose of use %q: %w", purpose, ErrInvalid)
	}
	return grant.Introduce(m.network, uint16(m.number), m.ring.Member(), log, purpose, m.ring.Grantee(log, purpose).Public())
}

func (m *Member) serveIntroduce(_ context.Context, _ int, body []byte) ([]byte, error) {
	r := wire.NewReader(body)
	var log key.Log
	r.Fixed(log[:])
	purpose := string(r.Bytes(32))
	if err := r.End(); err != nil {
		return nil, &peer.Error{Kind: peer.Invalid, Text: err.Error()}
	}
	i, err := m.introduce(log, purpose)
	if errors.Is(err, ErrInvalid) {
		return nil, &peer.Error{Kind: peer.Invalid, Text: err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return i.Encode(), nil
}

func knownPurpose(p string) bool { return slices.Contains(Purposes, p) }

// Claim has a custodian answer a claim, which this member can't read.
func (m *Member) Claim(ctx context.Context, member int, sealed []byte) ([]byte, error) {
	return m.askGrantee(ctx, member, "claim", sealed, m.handOver)
}

// OwnerLocks has a member make owner locks of records that it may read.
func (m *Member) OwnerLocks(ctx context.Context, member int, asked []byte) ([]byte, error) {
	return m.askGrantee(ctx, member, "owner-locks", asked, m.ownerLocks)
}

func (m *Member) serveClaim(ctx context.Context, _ int, body []byte) ([]byte, error) {
	return served(m.handOver(ctx, body))
}

func (m *Member) serveOwnerLocks(ctx context.Context, _ int, body []byte) ([]byte, error) {
	return served(m.ownerLocks(ctx, body))
}

// askGrantee passes on what a patient asks of a member.
func (m *Member) askGrantee(ctx context.Context, member int, route string, body []byte, own func(context.Context, []byte) ([]byte, error)) ([]byte, error) {
	if member == m.number {
		answer, err := own(ctx, body)
		if refused, ok := errors.AsType[*Refused](err); ok {
			return nil, fmt.Errorf("%w: %w", ErrNotShared, refused)
		}
		return answer, err
	}
	if member < 0 || member >= len(m.genesis.Members) {
		return nil, fmt.Errorf("member %d: %w", member, ErrNotShared)
	}
	reply, err := m.peers.Call(ctx, member, route, body)
	switch peer.KindOf(err) {
	case peer.Invalid:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case peer.Denied, peer.NotFound:
		return nil, fmt.Errorf("%w: %w", ErrNotShared, err)
	}
	return reply, err
}

// served gives an error the kind that the other side acts on.
func served(answer []byte, err error) ([]byte, error) {
	refused, ok := errors.AsType[*Refused](err)
	switch {
	case ok:
		return nil, &peer.Error{Kind: peer.Denied, Text: refused.Why.String()}
	case errors.Is(err, ErrInvalid):
		return nil, &peer.Error{Kind: peer.Invalid, Text: "a claim that does not read"}
	case errors.Is(err, ErrNotShared):
		return nil, &peer.Error{Kind: peer.NotFound, Text: ErrNotShared.Error()}
	}
	return answer, err
}
