package ledger

import (
	"fmt"
	"maps"
	"slices"

	"vitalog/op"
	"vitalog/wire"
)

// What validators say that they hold (spec/storage-receipts.md). It is made of the receipts' entries alone, and kept so that the next
// receipt, and whether a record is available, can be told from it.

// holding is what the receipts of a block change for one validator.
type holding struct {
	upto    uint64
	changed map[wire.Hash]bool // lacking from now on, or no more
}

func uptoAt(member int) []byte { return at(atUpto, uint64(member)) }

func lackingAt(member int, h wire.Hash) []byte {
	return append(at(atLacking, uint64(member)), h[:]...)
}

// stored takes a validator's storage receipt, in its own log of receipts and in no other.
func (s *stage) stored(g *log, o *op.Operation, b *op.Stored) *Result {
	if want := op.StoredLog(s.l.network, o.Signer); o.Log != want {
		return no(WrongLogID, "the signer's storage receipts belong in %v", want)
	}
	if !g.head.Owns(o.Signer) {
		return no(NotOwner, "")
	}
	i := s.validator(o.Signer)
	if i < 0 {
		return no(NotValidator, "")
	}
	member := s.l.genesis.Validators()[i]
	h := s.holding(member)
	changes := len(b.Missing)+len(b.Back) > 0
	switch back := b.Upto == 0 && !changes; {
	case b.Upto >= s.height:
		return no(OutOfLine, "block %d is not committed before block %d", b.Upto, s.height)
	case back && h.upto == 0:
		return no(OutOfLine, "nothing was claimed")
	case b.Upto < h.upto && !back:
		return no(OutOfLine, "block %d after block %d", b.Upto, h.upto)
	case b.Upto == h.upto && !changes:
		return no(OutOfLine, "nothing changes")
	}
	for _, x := range b.Missing {
		if s.lacks(member, h, x) {
			return no(OutOfLine, "%v is lacking already", x)
		}
	}
	for _, x := range b.Back {
		if !s.lacks(member, h, x) {
			return no(OutOfLine, "%v was not lacking", x)
		}
	}
	r := s.enter(g, o, b)
	if r.Code != OK {
		return r
	}
	h.upto = b.Upto
	s.put(uptoAt(member), wire.U64(h.upto))
	for _, x := range b.Missing {
		h.changed[x] = true
		s.put(lackingAt(member, x), []byte{1})
	}
	for _, x := range b.Back {
		h.changed[x] = false
		s.put(lackingAt(member, x), nil)
	}
	return r
}

// holding is what a validator has said so far, this block included.
func (s *stage) holding(member int) *holding {
	h := s.holdings[member]
	if h == nil {
		h = &holding{changed: map[wire.Hash]bool{}}
		if b := s.get(uptoAt(member)); b != nil {
			h.upto = number(b)
		}
		if s.holdings == nil {
			s.holdings = map[int]*holding{}
		}
		s.holdings[member] = h
	}
	return h
}

func (s *stage) lacks(member int, h *holding, x wire.Hash) bool {
	if lacking, ok := h.changed[x]; ok {
		return lacking
	}
	return s.get(lackingAt(member, x)) != nil
}

// Stored is the height up to which a member has said that it holds what was asked of it, but for what it lacks; 0 if it said nothing.
func (l *Ledger) Stored(member int) (upto uint64, err error) {
	b, err := l.store.Get(uptoAt(member))
	if err != nil || b == nil {
		return 0, err
	}
	return number(b), nil
}

// Lacking calls each for what a member has said that it lacks, ascending, until it returns an error, which Lacking returns.
func (l *Ledger) Lacking(member int, each func(wire.Hash) error) error {
	return l.store.Scan(at(atLacking, uint64(member)), at(atLacking, uint64(member)+1), func(k, _ []byte) error { return each(wire.Hash(k[9:])) })
}

// Available tells whether more than f validators other than the writer, a member's number or -1, have said that they hold a ciphertext that an
// entry of a block names.
func (l *Ledger) Available(block uint64, blob wire.Hash, writer int) (bool, error) {
	l.mu.RLock() // of all validators the same block
	defer l.mu.RUnlock()
	holders := 0
	validators := l.genesis.Validators()
	for _, m := range validators {
		if m == writer {
			continue
		}
		upto, err := l.Stored(m)
		if err != nil {
			return false, fmt.Errorf("ledger: %w", err)
		}
		if upto < block {
			continue
		}
		lacking, err := l.store.Get(lackingAt(m, blob))
		if err != nil {
			return false, fmt.Errorf("ledger: %w", err)
		}
		if lacking == nil {
			holders++
		}
	}
	return holders > op.Faulty(len(validators)), nil
}

// Unavailable is what too few validators other than the writer are known to hold: all that blocks above upto asked for, and of the blocks up to
// there scarce ciphertexts. Where there are too few others upto is 0.
func (l *Ledger) Unavailable(writer int) (upto uint64, scarce int, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	said := map[int]uint64{}
	validators := l.genesis.Validators()
	for _, m := range validators {
		if m == writer {
			continue
		}
		if said[m], err = l.Stored(m); err != nil {
			return 0, 0, fmt.Errorf("ledger: %w", err)
		}
	}
	enough := op.Faulty(len(validators)) + 1
	if len(said) < enough {
		return 0, 0, nil
	}
	upto = slices.Sorted(maps.Values(said))[len(said)-enough]
	lacking, there := map[wire.Hash]int{}, 0 // by how many of those who are there
	for m, n := range said {
		if n < upto {
			continue
		}
		there++
		if err := l.Lacking(m, func(h wire.Hash) error { lacking[h]++; return nil }); err != nil {
			return 0, 0, fmt.Errorf("ledger: %w", err)
		}
	}
	for n := range maps.Values(lacking) {
		if there-n < enough {
			scarce++
		}
	}
	return upto, scarce, nil
}
