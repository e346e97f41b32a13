package release

import (
	"fmt"

	"vitalog/key"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

// MaxGenerations of the network key in one reply.
const MaxGenerations = 16

// infoReply is what sealed partials are for: HPKE's info.
const infoReply = "vitalog/v1/partials"

// Reply is what one holder gives for an access: one group for each generation of the network key that the records were sealed under.
type Reply struct{ Groups []Group }

// Group has the partials of one generation, sealed to the session key.
type Group struct {
	Gen, Set uint32
	Sealed   []byte
}

// Given is a holder's partial for the record of one entry.
type Given struct {
	Number uint64
	Part   threshold.Point1
}

const givenSize = 8 + 48

// Encode is the reply's only encoding.
func (p *Reply) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	w.U8(uint8(len(p.Groups)))
	for i := range p.Groups {
		w.U32(p.Groups[i].Gen)
		w.U32(p.Groups[i].Set)
		w.Bytes(p.Groups[i].Sealed)
	}
	return w.Done()
}

// DecodeReply reads a reply. Its groups stand in the order of their generations.
func DecodeReply(b []byte) (*Reply, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != Version {
		return nil, fmt.Errorf("release reply: format version %d, this program reads %d", v, Version)
	}
	n := int(r.U8())
	if n > MaxGenerations {
		r.Fail(fmt.Errorf("%d generations, at most %d: %w", n, MaxGenerations, wire.ErrOversized))
		n = 0
	}
	p := &Reply{Groups: make([]Group, n)}
	for i := range p.Groups {
		g := &p.Groups[i]
		g.Gen, g.Set = r.U32(), r.U32()
		g.Sealed = r.Bytes(key.SealOverhead + 4 + op.MaxAccessEntries*givenSize)
		if i > 0 && g.Gen <= p.Groups[i-1].Gen {
			r.Fail(fmt.Errorf("generations out of order: %w", wire.ErrNonCanonical))
		}
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("release reply: %w", err)
	}
	return p, nil
}

// SealGroup seals partials to the session key of the access whose entry has this hash.
func SealGroup(session *key.Exchange, access wire.Hash, gen, set uint32, member int, given []Given) (Group, error) {
	var w wire.Writer
	w.U32(uint32(len(given)))
	for i := range given {
		w.U64(given[i].Number)
		w.Fixed(given[i].Part[:])
	}
	sealed, err := session.Seal(infoReply, replyContext(access, gen, set, member), w.Done())
	return Group{Gen: gen, Set: set, Sealed: sealed}, err
}

// Open is the inverse of SealGroup: the partials in the order of their entries.
func (g *Group) Open(session key.Opener, access wire.Hash, member int) ([]Given, error) {
	plain, err := session.Open(infoReply, replyContext(access, g.Gen, g.Set, member), g.Sealed)
	if err != nil {
		return nil, fmt.Errorf("release reply: %w", err)
	}
	r := wire.NewReader(plain)
	given := make([]Given, r.Count(op.MaxAccessEntries, givenSize))
	for i := range given {
		given[i].Number = r.U64()
		r.Fixed(given[i].Part[:])
		if i > 0 && given[i].Number <= given[i-1].Number {
			r.Fail(fmt.Errorf("entries out of order: %w", wire.ErrNonCanonical))
		}
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("release reply: %w", err)
	}
	return given, nil
}

func replyContext(access wire.Hash, gen, set uint32, member int) []byte {
	var w wire.Writer
	w.Fixed(access[:])
	w.U32(gen)
	w.U32(set)
	w.U32(uint32(member))
	return w.Done()
}
