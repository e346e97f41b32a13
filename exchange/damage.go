package exchange

import (
	"fmt"
	"slices"
	"time"

	"vitalog/key"
	"vitalog/wire"
)

// The states of what is damaged.
const (
	Missing = "missing"
	Altered = "altered"
)

// authorCopyLost is damage of an author copy, which can't be healed: nobody else has it.
const authorCopyLost = "author copy"

// What can be damaged, by its number on the disk (spec/disk.md).
var whatNames = []string{1: "ciphertext", 2: "header", 3: "detail", 4: "message", 5: "reader key", 6: "sealed item", 7: "entry", 8: "head", 9: "note", 10: "state",
	11: authorCopyLost}

var stateNames = []string{1: Missing, 2: Altered}

// Damage is something that this member should hold and that is missing or altered.
type Damage struct {
	Log    key.Log      `json:"log"` // zero, and so are entry, block and writer, where the place is not known
	Entry  uint64       `json:"entry"`
	Block  uint64       `json:"block"`
	Writer key.Verifier `json:"writer"` // the key that signed the entry
	Record *key.Record  `json:"record,omitempty"`
	Blob   *wire.Hash   `json:"blob,omitempty"` // what its bytes should hash to
	What   string       `json:"what"`           // ciphertext, header, detail, message, reader key, sealed item, entry, head, note, state, author copy
	State  string       `json:"state"`          // missing, altered
	Healed bool         `json:"healed"`
	From   *int         `json:"from,omitempty"` // the member whose copy healed it
}

// Alone tells that no other member can have what is damaged.
func (d Damage) Alone() bool { return d.What == authorCopyLost }

// String names the damage with its record, block and writer.
func (d Damage) String() string {
	what := d.What
	if d.Record != nil {
		what += " of " + d.Record.String()
	}
	if d.Log != (key.Log{}) {
		what += fmt.Sprintf(" (%v entry %d, block %d, written by %v)", d.Log, d.Entry, d.Block, d.Writer)
	}
	switch {
	case d.Healed:
		what += "; healed from another member"
	case d.Alone():
		what += "; nobody else has it"
	}
	return d.State + ": " + what
}

// Incident is damage that this member found in its own stores, and what became of it.
type Incident struct {
	Number uint64     `json:"number"` // they are counted from 0
	At     time.Time  `json:"at"`     // when it was found
	What   string     `json:"what"`
	State  string     `json:"state"`
	Log    key.Log    `json:"log"` // zero, and so are entry and block, where the place is not known
	Entry  uint64     `json:"entry"`
	Block  uint64     `json:"block"`
	Blob   wire.Hash  `json:"blob"` // zero for what is no blob
	Healed *time.Time `json:"healed,omitempty"`
	From   *int       `json:"from,omitempty"` // the member whose copy healed it, if known
}

const (
	incidentVersion = 1
	fromNobody      = 0xffff
)

// Encode is the only encoding of an incident, without its number, which is in the key.
func (x *Incident) Encode() []byte {
	var w wire.Writer
	w.U16(incidentVersion)
	w.U64(uint64(x.At.UnixMilli()))
	w.U8(uint8(slices.Index(whatNames, x.What)))
	w.U8(uint8(slices.Index(stateNames, x.State)))
	w.Fixed(x.Log[:])
	w.U64(x.Entry)
	w.U64(x.Block)
	w.Fixed(x.Blob[:])
	healed, from := uint64(0), uint16(fromNobody)
	if x.Healed != nil {
		healed = uint64(x.Healed.UnixMilli())
	}
	if x.From != nil {
		from = uint16(*x.From)
	}
	w.U64(healed)
	w.U16(from)
	return w.Done()
}

// DecodeIncident reads what Encode wrote, and nothing else.
func DecodeIncident(number uint64, b []byte) (*Incident, error) {
	r, x := wire.NewReader(b), &Incident{Number: number}
	if v := r.U16(); r.Err() == nil && v != incidentVersion {
		return nil, fmt.Errorf("incident %d: version %d, this program reads %d: use a newer program", number, v, incidentVersion)
	}
	x.At = time.UnixMilli(int64(r.U64())).UTC()
	what, state := int(r.U8()), int(r.U8())
	r.Fixed(x.Log[:])
	x.Entry, x.Block = r.U64(), r.U64()
	r.Fixed(x.Blob[:])
	healed, from := r.U64(), int(r.U16())
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("incident %d: %w", number, err)
	}
	if what == 0 || what >= len(whatNames) || state == 0 || state >= len(stateNames) || healed == 0 && from != fromNobody {
		return nil, fmt.Errorf("incident %d: %d is %d, healed at %d by %d: %w", number, what, state, healed, from, wire.ErrNonCanonical)
	}
	x.What, x.State = whatNames[what], stateNames[state]
	if healed != 0 {
		t := time.UnixMilli(int64(healed)).UTC()
		x.Healed = &t
	}
	if from != fromNobody {
		x.From = &from
	}
	return x, nil
}
