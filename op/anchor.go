package op

import (
	"fmt"

	"vitalog/key"
	"vitalog/wire"
)

// Use says what an anchor's hash is of. Numbers are permanent.
type Use uint8

// UsePortal is a release of the patient's app: spec/portal.md.
const UsePortal Use = 1

// Anchor puts the hash of something that is not on the ledger on it, with the time and who stands for it. It belongs in AnchorLog alone.
type Anchor struct {
	Use  Use
	Hash wire.Hash
}

// AnchorSalt is what a member's anchor log is created with.
func AnchorSalt() [32]byte { return wire.Sum("vitalog/v1/anchors") }

// AnchorLog is the log of a member's anchors. Whoever has the genesis knows it.
func AnchorLog(network key.Network, member key.Verifier) key.Log {
	return key.LogID(network, member, AnchorSalt())
}

func (*Anchor) Kind() Kind { return KindAnchor }
func (b *Anchor) append(w *wire.Writer) {
	w.U8(uint8(b.Use))
	w.Fixed(b.Hash[:])
}
func (b *Anchor) read(r *wire.Reader) {
	if b.Use = Use(r.U8()); r.Err() == nil && b.Use != UsePortal {
		r.Fail(fmt.Errorf("an anchor of use %d: %w", b.Use, wire.ErrNonCanonical))
	}
	r.Fixed(b.Hash[:])
}
