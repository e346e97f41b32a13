package keyring

import (
	"fmt"

	"vitalog/key"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

// secrets are what the file holds.
type secrets struct {
	_        [0]func()
	joined   bool
	network  key.Network
	member   [32]byte
	tickets  []byte // PKCS#8 of the RSA key; empty in a patient's ring
	own      bool   // a patient's ring
	root     [32]byte
	shares   []share // ascending by generation, one set each
	ceremony *ceremony
}

// share is the member's share of one generation of the network key.
type share struct {
	gen, set uint32
	x        uint16
	secret   threshold.Scalar
}

// ceremony is the member's part in the making of a network key, until it ends.
type ceremony struct {
	gen, attempt uint32
	k            int
	seed         [32]byte // polynomial, exchange key and salt are derived from it
	deals        [][]byte // sealed, for receiver i+1; empty for one who has no exchange key; nil until they are made
	taken        []taken  // ascending by dealer
	shown        []uint16 // receivers whose deal was shown in the open, ascending
}

// taken is a deal that was received and verified.
type taken struct {
	dealer uint16
	share  threshold.Scalar
}

const maxPKCS8 = 4096

func (s *secrets) encode() []byte {
	var w wire.Writer
	w.Bool(s.joined)
	w.Fixed(s.network[:])
	w.Fixed(s.member[:])
	w.Bytes(s.tickets)
	w.Bool(s.own)
	w.Fixed(s.root[:])
	w.U32(uint32(len(s.shares)))
	for i := range s.shares {
		x := &s.shares[i]
		w.U32(x.gen)
		w.U32(x.set)
		w.U16(x.x)
		w.Fixed(x.secret[:])
	}
	w.Bool(s.ceremony != nil)
	if c := s.ceremony; c != nil {
		c.append(&w)
	}
	return w.Done()
}

func (c *ceremony) append(w *wire.Writer) {
	w.U32(c.gen)
	w.U32(c.attempt)
	w.U32(uint32(c.k))
	w.Fixed(c.seed[:])
	w.U32(uint32(len(c.deals)))
	for _, d := range c.deals {
		w.Bytes(d)
	}
	w.U32(uint32(len(c.taken)))
	for i := range c.taken {
		w.U16(c.taken[i].dealer)
		w.Fixed(c.taken[i].share[:])
	}
	w.U32(uint32(len(c.shown)))
	for _, x := range c.shown {
		w.U16(x)
	}
}

func decodeSecrets(b []byte) (*secrets, error) {
	r := wire.NewReader(b)
	s := &secrets{joined: r.Bool()}
	r.Fixed(s.network[:])
	r.Fixed(s.member[:])
	s.tickets = r.Bytes(maxPKCS8)
	s.own = r.Bool()
	r.Fixed(s.root[:])
	s.shares = make([]share, r.Count(1<<16, 42))
	for i := range s.shares {
		x := &s.shares[i]
		x.gen, x.set, x.x = r.U32(), r.U32(), r.U16()
		r.Fixed(x.secret[:])
	}
	if r.Bool() {
		s.ceremony = readCeremony(r)
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return s, nil
}

func readCeremony(r *wire.Reader) *ceremony {
	c := &ceremony{gen: r.U32(), attempt: r.U32(), k: int(r.U32())}
	if r.Err() == nil && (c.k < 1 || c.k > op.MaxMembers) {
		r.Fail(fmt.Errorf("a ceremony of threshold %d: %w", c.k, wire.ErrOversized))
	}
	r.Fixed(c.seed[:])
	for range r.Count(op.MaxMembers, 4) {
		c.deals = append(c.deals, r.Bytes(op.MaxSealed))
	}
	c.taken = make([]taken, r.Count(op.MaxMembers, 34))
	for i := range c.taken {
		c.taken[i].dealer = r.U16()
		r.Fixed(c.taken[i].share[:])
	}
	c.shown = make([]uint16, r.Count(op.MaxMembers, 2))
	for i := range c.shown {
		c.shown[i] = r.U16()
	}
	return c
}

// wipe overwrites a copy that is not used any more. Go may have moved others; the file is what must not keep them.
func (s *secrets) wipe() {
	clear(s.member[:])
	clear(s.tickets)
	clear(s.root[:])
	clear(s.shares)
	if c := s.ceremony; c != nil {
		clear(c.seed[:])
		clear(c.taken)
	}
}
