package receipt

import (
	"errors"
	"fmt"
	"time"

	"vitalog/key"
	"vitalog/op"
)

// The steps at which a receipt can fail.
var (
	ErrProof      = errors.New("the entry does not follow from the state")
	ErrState      = errors.New("the header is not of this state")
	ErrValidators = errors.New("the validators are not the genesis'")
	ErrVote       = errors.New("a validator's signature does not verify")
	ErrQuorum     = errors.New("too few validators signed")
)

// Verified is what a receipt shows.
type Verified struct {
	Log    key.Log
	Number uint64
	Entry  *op.Entry
	State  op.State
	Head   *op.Head  // of the log, in the state that was agreed on: nothing is missing below its size
	Height uint64    // of the header
	Time   time.Time // of the header, agreed on by the validators
	Signed int       // validators that signed
	Of     int       // validators
}

// Verify follows the receipt from the entry to the validators of the network that g founded. It rests on g alone.
func (x *Receipt) Verify(g *op.Genesis) (*Verified, error) {
	entry, head, err := x.Proof.Check(x.Log, x.Number)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w: %w", ErrProof, err)
	}
	if state := x.Proof.State.Hash(); x.Header.App != state {
		return nil, fmt.Errorf("receipt: %w: it has app hash %v, want %v", ErrState, x.Header.App, state)
	}
	if x.Header.Height != x.Proof.Height+1 {
		return nil, fmt.Errorf("receipt: %w: it is of height %d, want %d", ErrState, x.Header.Height, x.Proof.Height+1)
	}
	set := Validators(g)
	if want := ValidatorsHash(set); x.Header.Validators != want {
		return nil, fmt.Errorf("receipt: %w: header %d has %v, want %v", ErrValidators, x.Header.Height, x.Header.Validators, want)
	}
	signed, err := x.votes(g.ChainID(), set)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return &Verified{Log: x.Log, Number: x.Number, Entry: entry, State: x.Proof.State, Head: head, Height: x.Header.Height, Time: x.Header.Time,
		Signed: signed, Of: len(set)}, nil
}

// votes counts the signatures of set over the header. One that is wrong counts against the whole receipt: an honest one has none.
func (x *Receipt) votes(chain string, set []key.Verifier) (signed int, err error) {
	c := &x.Commit
	if len(c.Votes) != len(set) {
		return 0, fmt.Errorf("%w: votes of %d validators, want %d", ErrValidators, len(c.Votes), len(set))
	}
	id := BlockID{x.Header.Hash(chain), c.Parts}
	for i, v := range c.Votes {
		if !v.Cast {
			continue
		}
		if !set[i].Verify(SignBytes(chain, x.Header.Height, c.Round, id, v.Time), v.Sig) {
			return 0, fmt.Errorf("%w: validator %d of %d, over header %v of height %d", ErrVote, i+1, len(set), id.Hash, x.Header.Height)
		}
		signed++
	}
	if 3*signed <= 2*len(set) {
		return 0, fmt.Errorf("%w: %d of %d, more than two thirds are needed", ErrQuorum, signed, len(set))
	}
	return signed, nil
}
