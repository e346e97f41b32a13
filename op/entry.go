package op

import (
	"fmt"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/wire"
)

// Statement is what an entry says. It is the operation's body, except where one operation makes many entries or carries a decision.
type Statement = Body

// Entry is one numbered statement in a log.
type Entry struct {
	Log    key.Log
	Number uint64 // from 0, across all kinds
	At     uint64 // ledger clock, ms
	Signer key.Verifier
	Says   Statement
}

// Recorded is an entry's statement for one record of an Append.
type Recorded struct {
	Epoch, NetGen uint32
	Record
}

func (*Recorded) Kind() Kind { return KindAppend }
func (b *Recorded) append(w *wire.Writer) {
	w.U32(b.Epoch)
	w.U32(b.NetGen)
	b.Record.append(w)
}
func (b *Recorded) read(r *wire.Reader) {
	b.Epoch, b.NetGen = r.U32(), r.U32()
	b.Record.read(r)
}

// Accessed is an entry's statement for an Access: what was asked, under which grant, and the decision.
type Accessed struct {
	Access                // Grant is the one that allowed or refused; 0 if there is none
	Why    consent.Reason // Allowed, or why refused
}

func (b *Accessed) append(w *wire.Writer) {
	b.Access.append(w)
	w.U8(uint8(b.Why))
}
func (b *Accessed) read(r *wire.Reader) {
	b.Access.read(r)
	if b.Why = consent.Reason(r.U8()); !b.Why.Valid() {
		r.Fail(fmt.Errorf("reason %d: %w", uint8(b.Why), wire.ErrNonCanonical))
	}
}

// Refusals is the statement that a key was refused again, when MaxRefusals entries of that hour tell how. It is written when the hour
// is over and the key is next seen.
type Refusals struct {
	Key   key.Verifier
	Hour  uint64 // ledger clock, hours
	Count uint32
}

func (*Refusals) Kind() Kind { return KindRefusals }
func (b *Refusals) append(w *wire.Writer) {
	w.Fixed(b.Key[:])
	w.U64(b.Hour)
	w.U32(b.Count)
}
func (b *Refusals) read(r *wire.Reader) {
	r.Fixed(b.Key[:])
	b.Hour, b.Count = r.U64(), r.U32()
}

// Encode is the entry's only encoding. Log and number are not in it: they are where it stands.
func (e *Entry) Encode() []byte {
	var w wire.Writer
	w.U8(uint8(e.Says.Kind()))
	w.U64(e.At)
	w.Fixed(e.Signer[:])
	e.Says.append(&w)
	return w.Done()
}

// DecodeEntry reads the entry that stands in log at number.
func DecodeEntry(log key.Log, number uint64, b []byte) (*Entry, error) {
	r := wire.NewReader(b)
	kind := Kind(r.U8())
	e := &Entry{Log: log, Number: number, At: r.U64()}
	r.Fixed(e.Signer[:])
	if r.Err() == nil {
		switch kind {
		case KindAppend:
			e.Says = &Recorded{}
		case KindAccess:
			e.Says = &Accessed{}
		case KindDeleted:
			e.Says = &Cleared{}
		case KindRefusals:
			e.Says = &Refusals{}
		default:
			e.Says = newBody(kind)
		}
		if e.Says == nil || kind >= KindHello && kind != KindRefusals {
			return nil, fmt.Errorf("%v entry %d: %v is no kind of entry", log, number, kind)
		}
		e.Says.read(r)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%v entry %d: %w", log, number, err)
	}
	return e, nil
}

// Hash is what the log's Merkle tree holds as the leaf, and what binds a release to its access.
func (e *Entry) Hash() wire.Hash { return EntryHash(e.Log, e.Number, e.Encode()) }

// EntryHash is Hash of an encoded entry.
func EntryHash(log key.Log, number uint64, encoded []byte) wire.Hash {
	return wire.Sum("vitalog/v1/entry", log[:], wire.U64(number), encoded)
}
