package ledger

import (
	"fmt"
	"slices"

	"vitalog/op"
	"vitalog/wire"
)

// Phase is a step of the ceremony that makes the network key. The numbers are permanent: they are hashed.
type Phase uint8

const (
	PhaseHello   Phase = 1 // validators offer fresh exchange keys; it lasts until k of them have
	PhaseCommit  Phase = 2 // dealers fix what they will reveal
	PhaseReveal  Phase = 3 // dealers show commitments and the hashes of their deals
	PhaseVerdict Phase = 4 // holders say which deals they lack
	PhaseJustify Phase = 5 // accused dealers show the deals to everybody
	PhaseDone    Phase = 6 // there is a key
)

var phaseText = [...]string{"none", "hello", "commit", "reveal", "verdict", "justify", "done"}

// String is the phase's name.
func (p Phase) String() string {
	if int(p) < len(phaseText) {
		return phaseText[p]
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// Ceremony is how far the making of the network key has come. Contributions are kept until the next ceremony; they are not to be changed.
type Ceremony struct {
	Gen      uint32 // of the key that is made
	Attempt  uint32 // from 1
	Phase    Phase
	Since    uint64   // ledger clock when the phase began, ms; 0: the clock doesn't run yet
	Deadline uint64   // from then on a tick ends the phase; 0: it waits
	K        int      // shares needed later, and dealers needed now
	Dealers  []Dealer // Dealers[i] is the holder of share i+1
}

// Dealer is one validator in the ceremony.
type Dealer struct {
	Member  int
	In      bool // has missed nothing: its part is in the key
	Hello   *op.Hello
	Commit  *op.Commit
	Reveal  *op.Reveal
	Verdict *op.Verdict
	Justify *op.Justify
}

// Complaints are the share numbers of the holders that lack a deal of dealer i, ascending.
func (c *Ceremony) Complaints(i int) []uint16 {
	var out []uint16
	for j := range c.Dealers {
		if v := c.Dealers[j].Verdict; v != nil && slices.Contains(v.Complain, uint16(i+1)) {
			out = append(out, uint16(j+1))
		}
	}
	return out
}

// ceremony is the state's part. Once committed it doesn't change; a stage works on a copy.
type ceremony struct {
	gen, attempt uint32
	phase        Phase
	since        uint64
	dealers      []Dealer
	sum          wire.Hash
}

// Ceremony is the ceremony as committed.
func (l *Ledger) Ceremony() Ceremony {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.ceremony.public(l)
}

func (c *ceremony) public(l *Ledger) Ceremony {
	out := Ceremony{Gen: c.gen, Attempt: c.attempt, Phase: c.phase, Since: c.since, K: op.Threshold(len(c.dealers)), Dealers: slices.Clone(c.dealers)}
	for i, m := range l.genesis.Validators() {
		out.Dealers[i].Member = m
	}
	if c.since != 0 && c.phase != PhaseDone {
		out.Deadline = c.since + l.genesis.Params.CeremonyPhase
	}
	return out
}

// encode is the ceremony's only encoding: numbers, then for each dealer a flag and the five contributions, empty where missing.
func (c *ceremony) encode() []byte {
	var w wire.Writer
	w.U32(c.gen)
	w.U32(c.attempt)
	w.U8(uint8(c.phase))
	w.U64(c.since)
	w.U32(uint32(len(c.dealers)))
	for i := range c.dealers {
		d := &c.dealers[i]
		w.Bool(d.In)
		keep(&w, d.Hello)
		keep(&w, d.Commit)
		keep(&w, d.Reveal)
		keep(&w, d.Verdict)
		keep(&w, d.Justify)
	}
	return w.Done()
}

func keep[B interface {
	op.Body
	comparable
}](w *wire.Writer, b B) {
	var none B
	if w.Bool(b != none); b != none {
		w.Bytes(op.EncodeBody(b))
	}
}

func kept[B op.Body](r *wire.Reader, kind op.Kind) (none B) {
	if !r.Bool() {
		return none
	}
	b, err := op.DecodeBody(kind, r.Bytes(op.MaxBody))
	if err != nil {
		r.Fail(err)
		return none
	}
	return b.(B)
}

// loadCeremony reads the ceremony, or begins the first one of a network of n validators.
func loadCeremony(s Store, n int) (*ceremony, error) {
	b, err := s.Get(at(atCeremony))
	if err != nil {
		return nil, err
	}
	c := &ceremony{gen: 1, attempt: 1, phase: PhaseHello, dealers: make([]Dealer, n)}
	if b == nil {
		c.sum = ceremonySum(c.encode())
		return c, nil
	}
	r := wire.NewReader(b)
	c.gen, c.attempt, c.phase, c.since = r.U32(), r.U32(), Phase(r.U8()), r.U64()
	if got := int(r.U32()); got != n {
		return nil, fmt.Errorf("ceremony of %d validators, the network has %d", got, n)
	}
	for i := range c.dealers {
		d := &c.dealers[i]
		d.In = r.Bool()
		d.Hello = kept[*op.Hello](r, op.KindHello)
		d.Commit = kept[*op.Commit](r, op.KindCommit)
		d.Reveal = kept[*op.Reveal](r, op.KindReveal)
		d.Verdict = kept[*op.Verdict](r, op.KindVerdict)
		d.Justify = kept[*op.Justify](r, op.KindJustify)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	c.sum = ceremonySum(b)
	return c, nil
}

func ceremonySum(b []byte) wire.Hash { return wire.Sum("vitalog/v1/state/ceremony", b) }
