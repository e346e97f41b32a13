// Package receipt is the proof that an entry is on the ledger, for whoever has the network's genesis and nothing else.
//
// It promises that a receipt which verifies was agreed on by more than two thirds of the validators: the entry stands in its log, the
// log's head in the state, the state's hash in a block's header, and the header under their signatures. It refuses a receipt in which
// any byte is not as they signed it, a set of validators other than the genesis', and fewer signatures; the error tells the step.
//
//	entry 12 of log:5f…  →  head of log:5f…, 13 entries  →  state d3…  →  header of block 871, 2026-11-23 10:04:11  →  3 of 4 validators
//
// See spec/receipt.md.
package receipt

import (
	"fmt"
	"time"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// Version of the receipt's format.
const Version = 1

// Receipt shows that entry Number of Log is on the ledger. All that it doesn't hold follows from the genesis: the chain's id, the
// validators and their order.
type Receipt struct {
	Log    key.Log
	Number uint64
	Proof  op.Proof // of the state after the block before the header's
	Header Header
	Commit Commit
}

// Header is a block's header, as the consensus engine hashes it. The chain's id is the genesis'.
type Header struct {
	BlockVersion   uint64 // of the engine's block format
	AppVersion     uint64
	Height         uint64
	Time           time.Time // UTC, ns
	Last           BlockID   // zero in the first block
	LastCommit     wire.Hash
	Data           wire.Hash // transactions
	Validators     wire.Hash
	NextValidators wire.Hash
	Params         wire.Hash
	App            wire.Hash // state after the block before
	LastResults    wire.Hash
	Evidence       wire.Hash
	Proposer       Address
}

// Address is how the engine names a validator: the first 20 bytes of the SHA-256 of its vote key.
type Address [20]byte

// BlockID names a block: the hash of its header, and of the parts in which it travels.
type BlockID struct {
	Hash  wire.Hash
	Parts Parts
}

// Parts are the number of a block's parts and the root over them.
type Parts struct {
	Total uint32
	Hash  wire.Hash
}

// Commit is the validators' agreement on a header. Votes for nothing and for another block are left out.
type Commit struct {
	Round uint32
	Parts Parts
	Votes []Vote // in the order of the validators, see Validators; one for each, Cast or not
}

// Vote is one validator's signature, with the time that it signed.
type Vote struct {
	Cast bool
	Time time.Time
	Sig  key.Signature
}

// Encode is the receipt's only encoding.
func (x *Receipt) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	w.Fixed(x.Log[:])
	w.U64(x.Number)
	x.Proof.Append(&w)
	x.Header.append(&w)
	w.U32(x.Commit.Round)
	x.Commit.Parts.append(&w)
	w.U32(uint32(len(x.Commit.Votes)))
	for i := range x.Commit.Votes {
		x.Commit.Votes[i].append(&w)
	}
	return w.Done()
}

// Decode reads a receipt. It doesn't verify it: see Verify.
func Decode(b []byte) (*Receipt, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != Version {
		return nil, fmt.Errorf("receipt: format version %d, this program reads %d", v, Version)
	}
	x := &Receipt{}
	r.Fixed(x.Log[:])
	x.Number = r.U64()
	x.Proof.Read(r)
	x.Header.read(r)
	if x.Commit.Round = r.U32(); x.Commit.Round > maxRound {
		r.Fail(fmt.Errorf("round %d: %w", x.Commit.Round, wire.ErrOversized))
	}
	x.Commit.Parts.read(r)
	x.Commit.Votes = make([]Vote, r.Count(op.MaxMembers, 1))
	for i := range x.Commit.Votes {
		x.Commit.Votes[i].read(r)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return x, nil
}

const (
	maxRound  = 1<<31 - 1       // the engine's rounds are signed 32-bit numbers
	maxHeight = 1<<63 - 1       // its heights signed 64-bit ones
	maxTime   = 253_402_300_799 // seconds: 9999-12-31T23:59:59Z, where protobuf's timestamps end
)

func (h *Header) append(w *wire.Writer) {
	w.U64(h.BlockVersion)
	w.U64(h.AppVersion)
	w.U64(h.Height)
	appendTime(w, h.Time)
	w.Fixed(h.Last.Hash[:])
	h.Last.Parts.append(w)
	for _, x := range h.hashes() {
		w.Fixed(x[:])
	}
	w.Fixed(h.Proposer[:])
}

func (h *Header) read(r *wire.Reader) {
	h.BlockVersion, h.AppVersion = r.U64(), r.U64()
	if h.Height = r.U64(); h.Height > maxHeight {
		r.Fail(fmt.Errorf("height %d: %w", h.Height, wire.ErrOversized))
	}
	h.Time = readTime(r)
	r.Fixed(h.Last.Hash[:])
	h.Last.Parts.read(r)
	for _, x := range h.hashes() {
		r.Fixed(x[:])
	}
	r.Fixed(h.Proposer[:])
}

// hashes are the header's hashes in the order in which it is hashed.
func (h *Header) hashes() []*wire.Hash {
	return []*wire.Hash{&h.LastCommit, &h.Data, &h.Validators, &h.NextValidators, &h.Params, &h.App, &h.LastResults, &h.Evidence}
}

func (p *Parts) append(w *wire.Writer) {
	w.U32(p.Total)
	w.Fixed(p.Hash[:])
}

func (p *Parts) read(r *wire.Reader) {
	p.Total = r.U32()
	r.Fixed(p.Hash[:])
}

func (v *Vote) append(w *wire.Writer) {
	w.Bool(v.Cast)
	if v.Cast {
		appendTime(w, v.Time)
		w.Fixed(v.Sig[:])
	}
}

func (v *Vote) read(r *wire.Reader) {
	if v.Cast = r.Bool(); v.Cast {
		v.Time = readTime(r)
		r.Fixed(v.Sig[:])
	}
}

func appendTime(w *wire.Writer, t time.Time) {
	w.U64(uint64(t.Unix()))
	w.U32(uint32(t.Nanosecond()))
}

func readTime(r *wire.Reader) time.Time {
	s, ns := r.U64(), r.U32()
	if s > maxTime || ns >= 1e9 {
		r.Fail(fmt.Errorf("time of %d s and %d ns: %w", s, ns, wire.ErrOversized))
		return time.Time{}
	}
	return time.Unix(int64(s), int64(ns)).UTC()
}
