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
