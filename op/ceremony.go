package op

import (
	"fmt"

	"vitalog/key"
	"vitalog/threshold"
	"vitalog/wire"
)

// The operations of the ceremony that makes the network key: spec/release.md. Each is signed by a validator's member key, in no log, and
// names the generation of the key that is being made.

// Hello offers a fresh exchange key, to which the others seal their deals. It is erased after the ceremony.
type Hello struct {
	Gen      uint32
	Exchange key.Exchange
}

func (*Hello) Kind() Kind { return KindHello }
func (b *Hello) append(w *wire.Writer) {
	w.U32(b.Gen)
	w.Fixed(b.Exchange[:])
}
func (b *Hello) read(r *wire.Reader) {
	b.Gen = r.U32()
	r.Fixed(b.Exchange[:])
}

// Commit fixes a dealer's reveal before anybody shows theirs.
type Commit struct {
	Gen    uint32
	Reveal wire.Hash // Reveal.Hash of what will be revealed
}

func (*Commit) Kind() Kind { return KindCommit }
func (b *Commit) append(w *wire.Writer) {
	w.U32(b.Gen)
	w.Fixed(b.Reveal[:])
}
func (b *Commit) read(r *wire.Reader) {
	b.Gen = r.U32()
	r.Fixed(b.Reveal[:])
}

// Reveal shows a dealer's commitments, the proof that it knows the secret behind them, and the hashes of its sealed deals.
type Reveal struct {
	Gen         uint32
	Salt        [32]byte
	Commitments []threshold.Point2 // k of them; the first is the dealer's part of the network key
	Proof       threshold.Point1   // of possession of the first
	Deals       []wire.Hash        // SHA-256 of the sealed deal for each receiver, in the order of the shares
}

// Hash is what Commit commits to.
func (b *Reveal) Hash(dealer key.Verifier) wire.Hash {
	var w wire.Writer
	b.append(&w)
	return wire.Sum("vitalog/v1/ceremony/reveal", dealer[:], w.Done())
}

// PossessionContext is what a dealer's proof of possession signs beside its point, so that it fits one attempt of one ceremony only.
func PossessionContext(network key.Network, gen, attempt uint32, dealer key.Verifier) []byte {
	h := wire.Sum("vitalog/v1/ceremony/possession", network[:], wire.U64(uint64(gen)), wire.U64(uint64(attempt)), dealer[:])
	return h[:]
}

func (*Reveal) Kind() Kind { return KindReveal }
func (b *Reveal) append(w *wire.Writer) {
	w.U32(b.Gen)
	w.Fixed(b.Salt[:])
	w.U32(uint32(len(b.Commitments)))
	for i := range b.Commitments {
		w.Fixed(b.Commitments[i][:])
	}
	w.Fixed(b.Proof[:])
	w.U32(uint32(len(b.Deals)))
	for i := range b.Deals {
		w.Fixed(b.Deals[i][:])
	}
}
func (b *Reveal) read(r *wire.Reader) {
	b.Gen = r.U32()
	r.Fixed(b.Salt[:])
	b.Commitments = make([]threshold.Point2, r.Count(MaxMembers, len(threshold.Point2{})))
	for i := range b.Commitments {
		r.Fixed(b.Commitments[i][:])
	}
	r.Fixed(b.Proof[:])
	b.Deals = make([]wire.Hash, r.Count(MaxMembers, len(wire.Hash{})))
	for i := range b.Deals {
		r.Fixed(b.Deals[i][:])
	}
}

// Verdict says which dealers gave the signer no valid deal; none is good news.
type Verdict struct {
	Gen      uint32
	Complain []uint16 // share numbers of the dealers, ascending
}

func (*Verdict) Kind() Kind { return KindVerdict }
func (b *Verdict) append(w *wire.Writer) {
	w.U32(b.Gen)
	w.U32(uint32(len(b.Complain)))
	for _, x := range b.Complain {
		w.U16(x)
	}
}
func (b *Verdict) read(r *wire.Reader) {
	b.Gen = r.U32()
	b.Complain = make([]uint16, r.Count(MaxMembers, 2))
	for i := range b.Complain {
		b.Complain[i] = r.U16()
		if i > 0 && b.Complain[i] <= b.Complain[i-1] {
			r.Fail(fmt.Errorf("complaints out of order: %w", wire.ErrNonCanonical))
		}
	}
}

// Justify answers complaints by showing the deals to everybody.
type Justify struct {
	Gen   uint32
	Deals []Justification
}

// Justification is one deal in the open.
type Justification struct {
	Receiver uint16 // share number of the complainer
	Share    threshold.Scalar
}

func (*Justify) Kind() Kind { return KindJustify }
func (b *Justify) append(w *wire.Writer) {
	w.U32(b.Gen)
	w.U32(uint32(len(b.Deals)))
	for i := range b.Deals {
		w.U16(b.Deals[i].Receiver)
		w.Fixed(b.Deals[i].Share[:])
	}
}
func (b *Justify) read(r *wire.Reader) {
	b.Gen = r.U32()
	b.Deals = make([]Justification, r.Count(MaxMembers, 34))
	for i := range b.Deals {
		b.Deals[i].Receiver = r.U16()
		r.Fixed(b.Deals[i].Share[:])
		if i > 0 && b.Deals[i].Receiver <= b.Deals[i-1].Receiver {
			r.Fail(fmt.Errorf("justifications out of order: %w", wire.ErrNonCanonical))
		}
	}
}

// Tick moves the ceremony on when a phase is over by the ledger clock. Any member may submit it.
type Tick struct{ Gen uint32 }

func (*Tick) Kind() Kind              { return KindTick }
func (b *Tick) append(w *wire.Writer) { w.U32(b.Gen) }
func (b *Tick) read(r *wire.Reader)   { b.Gen = r.U32() }
