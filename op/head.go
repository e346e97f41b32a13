package op

import (
	"fmt"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/wire"
)

// Head is the state of one log: all that execution reads of it, apart from the entries under Root.
type Head struct {
	Number   uint64 // creation number: its place in the array of heads
	Log      key.Log
	Owners   []key.Verifier
	Epoch    uint32    // of the reader key, from 1
	EpochKey wire.Hash // of the reader key's public half
	Size     uint64    // entries
	Root     wire.Hash // RFC 6962 root over the hashes of the entries
	Grants   []Granted // in the order of their entries
	Erased   []consent.Range
	Kept     []consent.Kept // copies that authors keep of what is erased; those whose time is over, until the list next changes
	Quota    Bucket
}

// Granted is a grant as the head keeps it.
type Granted struct {
	consent.Grant
	Share   Bucket // the key's part of the log's quota
	Hour    uint64 // the last hour, of the ledger clock, in which the key was refused
	Refused uint32 // how often in that hour
}

// Bucket is a token bucket: what was left of it at a moment.
type Bucket struct {
	Operations uint32
	Bytes      uint64
	At         uint64 // ledger clock, ms
}

func (x *Bucket) append(w *wire.Writer) {
	w.U32(x.Operations)
	w.U64(x.Bytes)
	w.U64(x.At)
}

func (x *Bucket) read(r *wire.Reader) { x.Operations, x.Bytes, x.At = r.U32(), r.U64(), r.U64() }

// Encode is the head's only encoding.
func (h *Head) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	w.U64(h.Number)
	w.Fixed(h.Log[:])
	w.U8(uint8(len(h.Owners)))
	for i := range h.Owners {
		w.Fixed(h.Owners[i][:])
	}
	w.U32(h.Epoch)
	w.Fixed(h.EpochKey[:])
	w.U64(h.Size)
	w.Fixed(h.Root[:])
	w.U32(uint32(len(h.Grants)))
	for i := range h.Grants {
		g := &h.Grants[i]
		w.U64(g.Entry)
		(&Grant{Terms: g.Terms}).append(&w)
		w.U32(g.Used)
		w.Bool(g.Revoked)
		g.Share.append(&w)
		w.U64(g.Hour)
		w.U32(g.Refused)
	}
	w.U32(uint32(len(h.Erased)))
	for _, x := range h.Erased {
		w.U64(x.From)
		w.U64(x.To)
	}
	w.U32(uint32(len(h.Kept)))
	for i := range h.Kept {
		x := &h.Kept[i]
		w.Fixed(x.Key[:])
		w.U64(x.From)
		w.U64(x.To)
		w.U64(x.Until)
	}
	h.Quota.append(&w)
	return w.Done()
}

// DecodeHead reads a head.
func DecodeHead(b []byte) (*Head, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != Version {
		return nil, fmt.Errorf("head: format version %d, this program reads %d", v, Version)
	}
	h := &Head{Number: r.U64()}
	r.Fixed(h.Log[:])
	n := int(r.U8())
	if r.Err() == nil && (n == 0 || n > MaxOwners) {
		r.Fail(fmt.Errorf("%d owners: %w", n, wire.ErrOversized))
	}
	for range n {
		var v key.Verifier
		r.Fixed(v[:])
		h.Owners = append(h.Owners, v)
	}
	h.Epoch = r.U32()
	r.Fixed(h.EpochKey[:])
	h.Size = r.U64()
	r.Fixed(h.Root[:])
	h.Grants = make([]Granted, r.Count(MaxGrants, 100))
	for i := range h.Grants {
		g := &h.Grants[i]
		g.Entry = r.U64()
		var body Grant
		body.read(r)
		if body.Message != (wire.Hash{}) {
			r.Fail(fmt.Errorf("grant %d carries a message: %w", g.Entry, wire.ErrNonCanonical))
		}
		g.Terms = body.Terms
		g.Used, g.Revoked = r.U32(), r.Bool()
		g.Share.read(r)
		g.Hour, g.Refused = r.U64(), r.U32()
	}
	h.Erased = make([]consent.Range, r.Count(MaxErased, 16))
	for i := range h.Erased {
		h.Erased[i] = consent.Range{From: r.U64(), To: r.U64()}
	}
	if r.Err() == nil && !consent.Ordered(h.Erased) {
		r.Fail(fmt.Errorf("erased entries: %w", wire.ErrNonCanonical))
	}
	h.Kept = make([]consent.Kept, r.Count(MaxKept, 56))
	for i := range h.Kept {
		x := &h.Kept[i]
		r.Fixed(x.Key[:])
		x.From, x.To, x.Until = r.U64(), r.U64(), r.U64()
	}
	if r.Err() == nil && !consent.OrderedKept(h.Kept) {
		r.Fail(fmt.Errorf("kept entries: %w", wire.ErrNonCanonical))
	}
	h.Quota.read(r)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	return h, nil
}

// HeadOf tells which head was encoded, without reading the rest of it.
func HeadOf(encoded []byte) (number uint64, log key.Log, err error) {
	r := wire.NewReader(encoded)
	if v := r.U8(); r.Err() == nil && v != Version {
		return 0, log, fmt.Errorf("head: format version %d, this program reads %d", v, Version)
	}
	number = r.U64()
	r.Fixed(log[:])
	if err := r.Err(); err != nil {
		return 0, log, fmt.Errorf("head: %w", err)
	}
	return number, log, nil
}

// Hash is the leaf of the array of heads.
func (h *Head) Hash() wire.Hash { return HeadHash(h.Log, h.Encode()) }

// HeadHash is Hash of an encoded head.
func HeadHash(log key.Log, encoded []byte) wire.Hash {
	return wire.Sum("vitalog/v1/head", log[:], encoded)
}

// Terms lists the grants as consent.Decide takes them.
func (h *Head) Terms() []consent.Grant {
	out := make([]consent.Grant, len(h.Grants))
	for i := range h.Grants {
		out[i] = h.Grants[i].Grant
	}
	return out
}

// Owns tells whether v is an owner key of the log.
func (h *Head) Owns(v key.Verifier) bool {
	for i := range h.Owners {
		if h.Owners[i] == v {
			return true
		}
	}
	return false
}
