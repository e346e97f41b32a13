package op

import (
	"fmt"

	"vitalog/key"
	"vitalog/merkle"
	"vitalog/wire"
)

// Proof shows that an entry stands in a log, the log's head in the array of heads, and the array's root in a state, whose hash is the
// app hash that the validators sign. It is self-contained; what it rests on is State.Hash().
type Proof struct {
	Height    uint64 // the block after which the state was so
	Entry     []byte // encoded
	EntryPath []wire.Hash
	Head      []byte // encoded
	HeadPath  []wire.Hash
	State     State
}

// Check follows the proof for entry number of log and returns what it shows, of the state whose hash is p.State.Hash(). Whether that
// state is the network's is for the receipt to tell.
func (p *Proof) Check(log key.Log, number uint64) (*Entry, *Head, error) {
	e, err := DecodeEntry(log, number, p.Entry)
	if err != nil {
		return nil, nil, fmt.Errorf("proof: %w", err)
	}
	h, err := DecodeHead(p.Head)
	if err != nil {
		return nil, nil, fmt.Errorf("proof: %v: %w", log, err)
	}
	if h.Log != log {
		return nil, nil, fmt.Errorf("proof: head of %v, want %v", h.Log, log)
	}
	if err := merkle.VerifyInclusion(h.Root, h.Size, number, EntryHash(log, number, p.Entry), p.EntryPath); err != nil {
		return nil, nil, fmt.Errorf("proof: entry %d of %v: %w", number, log, err)
	}
	if err := merkle.VerifyInclusion(p.State.Heads, p.State.Count, h.Number, HeadHash(log, p.Head), p.HeadPath); err != nil {
		return nil, nil, fmt.Errorf("proof: head of %v: %w", log, err)
	}
	return e, h, nil
}

// Append writes the proof's only encoding.
func (p *Proof) Append(w *wire.Writer) {
	w.U64(p.Height)
	w.Bytes(p.Entry)
	appendPath(w, p.EntryPath)
	w.Bytes(p.Head)
	appendPath(w, p.HeadPath)
	w.Fixed(p.State.Heads[:])
	w.U64(p.State.Count)
	w.U64(p.State.Clock)
	w.Fixed(p.State.Keys[:])
	w.Fixed(p.State.Rest[:])
}

// Read reads what Append wrote.
func (p *Proof) Read(r *wire.Reader) {
	p.Height = r.U64()
	p.Entry = r.Bytes(MaxEntry)
	p.EntryPath = readPath(r)
	p.Head = r.Bytes(MaxHead)
	p.HeadPath = readPath(r)
	r.Fixed(p.State.Heads[:])
	p.State.Count, p.State.Clock = r.U64(), r.U64()
	r.Fixed(p.State.Keys[:])
	r.Fixed(p.State.Rest[:])
}

// Encode is Append's bytes.
func (p *Proof) Encode() []byte {
	var w wire.Writer
	p.Append(&w)
	return w.Done()
}

// DecodeProof reads a proof. It doesn't follow it: see Check.
func DecodeProof(b []byte) (*Proof, error) {
	r, p := wire.NewReader(b), &Proof{}
	p.Read(r)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	return p, nil
}

func appendPath(w *wire.Writer, path []wire.Hash) {
	w.U8(uint8(len(path)))
	for i := range path {
		w.Fixed(path[i][:])
	}
}

func readPath(r *wire.Reader) []wire.Hash {
	n := int(r.U8())
	if n > merkle.MaxPath {
		r.Fail(fmt.Errorf("a path of %d hashes, at most %d: %w", n, merkle.MaxPath, wire.ErrOversized))
		return nil
	}
	path := make([]wire.Hash, n)
	for i := range path {
		r.Fixed(path[i][:])
	}
	return path
}
