package op

import (
	"fmt"

	"vitalog/threshold"
	"vitalog/wire"
)

// State is what the app hash commits to: everything that execution reads.
type State struct {
	Heads wire.Hash // root of the array of heads
	Count uint64    // logs
	Clock uint64    // ledger clock, ms
	Keys  wire.Hash // network keys of all generations: KeysHash
	Rest  wire.Hash // network, ticket counts, ceremony, replay windows
}

// Hash is the app hash.
func (s *State) Hash() wire.Hash {
	return wire.Sum("vitalog/v1/state", s.Heads[:], wire.U64(s.Count), wire.U64(s.Clock), s.Keys[:], s.Rest[:])
}

// KeysHash adds a generation of the network key to the hash of those before, which is zero for the first. Who holds the newest key and the
// hash of those before can show it to anybody who has a receipt: so that a writer never seals to a key that the members don't share.
func KeysHash(before wire.Hash, newest *NetworkKey) wire.Hash {
	return wire.Sum("vitalog/v1/state/keys", before[:], newest.Encode())
}

// NetworkKey is one generation of the members' key. Nobody has the secret; holders have shares of it.
type NetworkKey struct {
	Gen     uint32 // from 1
	Set     uint32 // share set: grows when the shares are dealt anew
	K       int    // shares needed
	Holders []int  // member numbers; Holders[i] holds share i+1
	Poly    []threshold.Point2
}

// Public is the key to which network locks are made.
func (n *NetworkKey) Public() threshold.Point2 { return n.Poly[0] }

// Encode is the key's only encoding.
func (n *NetworkKey) Encode() []byte {
	var w wire.Writer
	w.U32(n.Gen)
	w.U32(n.Set)
	w.U16(uint16(n.K))
	w.U32(uint32(len(n.Holders)))
	for _, m := range n.Holders {
		w.U16(uint16(m))
	}
	w.U32(uint32(len(n.Poly)))
	for i := range n.Poly {
		w.Fixed(n.Poly[i][:])
	}
	return w.Done()
}

// DecodeNetworkKey reads a key.
func DecodeNetworkKey(b []byte) (*NetworkKey, error) {
	r := wire.NewReader(b)
	n := &NetworkKey{Gen: r.U32(), Set: r.U32(), K: int(r.U16())}
	n.Holders = make([]int, r.Count(MaxMembers, 2))
	for i := range n.Holders {
		n.Holders[i] = int(r.U16())
	}
	n.Poly = make([]threshold.Point2, r.Count(MaxMembers, len(threshold.Point2{})))
	for i := range n.Poly {
		r.Fixed(n.Poly[i][:])
	}
	if r.Err() == nil && len(n.Poly) == 0 {
		r.Fail(fmt.Errorf("no polynomial: %w", wire.ErrNonCanonical))
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("network key: %w", err)
	}
	return n, nil
}
