package exchange

import (
	"context"
	"errors"
	"fmt"

	"vitalog/consent"
	"vitalog/op"
	"vitalog/section"
)

// Erase blocks records of a section for ever: from then on no member releases their keys to anybody. It returns the block in which that is
// final. Entries that are no records are refused, and then nothing is blocked. Blocking again does nothing. What is too much for one operation goes in several:
// after an error the first may be done.
func (p *Patient) Erase(ctx context.Context, s section.Section, entries ...uint64) (block uint64, err error) {
	err = p.EraseAll(ctx, s, false, entries, func(_ []uint64, at uint64) { block = at })
	return block, err
}

// Destroy is Erase, and has every member delete locks, header and ciphertext, from its disk and its bucket. What stays on the ledger of a record is a commitment with a
// salt that is nowhere any more.
func (p *Patient) Destroy(ctx context.Context, s section.Section, entries ...uint64) (block uint64, err error) {
	err = p.EraseAll(ctx, s, true, entries, func(_ []uint64, at uint64) { block = at })
	return block, err
}

// EraseAll is Erase, or Destroy, for any number of entries, and tells of each operation which of them it erased and in which block that is final.
func (p *Patient) EraseAll(ctx context.Context, s section.Section, destroy bool, entries []uint64, told func(entries []uint64, block uint64)) error {
	if len(entries) == 0 {
		return fmt.Errorf("%w: no entries to be erased", ErrInvalid)
	}
	for i := range entries[1:] {
		if entries[i] >= entries[i+1] {
			return fmt.Errorf("%w: entries to be erased are named once each, ascending", ErrInvalid)
		}
	}
	for len(entries) > 0 {
		var ranges []consent.Range
		n := 0
		for ; n < min(len(entries), op.MaxErasure); n++ {
			more := extend(ranges, entries[n])
			if len(more) > op.MaxRanges {
				break
			}
			ranges = more
		}
		block, err := p.erase(ctx, s, destroy, ranges)
		if err != nil {
			return err
		}
		told(entries[:n], block)
		entries = entries[n:]
	}
	return nil
}

func (p *Patient) erase(ctx context.Context, s section.Section, destroy bool, ranges []consent.Range) (block uint64, err error) {
	var says op.Statement = op.NewBlock(ranges...)
	if destroy {
		says = op.NewDestroy(ranges...)
	}
	ops := []*op.Operation{op.Sign(p.network, p.keys.Owner(s), p.keys.Log(s), expiry(), says)}
	results, err := submitAll(ctx, p.home, ops...)
	if err != nil {
		return 0, fmt.Errorf("erasing in %v: %w", s, err)
	}
	err = p.place(ctx, ops, results, func(_ int, _, at uint64) { block = at })
	return block, err
}

// Erasable are the records of a section that were not ordered blocked, or destroyed, yet. So what broke off goes on where it was.
func (p *Patient) Erasable(ctx context.Context, s section.Section, destroy bool) (entries []uint64, err error) {
	all, err := p.entries(ctx, p.keys.Log(s))
	if errors.Is(err, ErrNotShared) {
		return nil, nil // no log: nothing is in it
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", s, err)
	}
	gone := orderedGone(all, !destroy)
	for _, e := range all {
		if isRecord(e.Entry) && !gone[e.Number] {
			entries = append(entries, e.Number)
		}
	}
	return entries, nil
}

// orderedGone are the entries of a log that were ordered destroyed, and with blocks those that were ordered blocked.
func orderedGone(entries []Placed, blocks bool) map[uint64]bool {
	gone := map[uint64]bool{}
	for _, e := range entries {
		var ranges []consent.Range
		switch says := e.Says.(type) {
		case *op.Destroy:
			ranges = says.Ranges
		case *op.Block:
			if blocks {
				ranges = says.Ranges
			}
		}
		for _, n := range entriesOf(ranges) {
			gone[n] = true
		}
	}
	return gone
}

// extend adds an entry to ascending ranges, of which none has it or a later one.
func extend(ranges []consent.Range, n uint64) []consent.Range {
	if last := len(ranges) - 1; last >= 0 && ranges[last].To == n {
		ranges[last].To++
		return ranges
	}
	return append(ranges, consent.Range{From: n, To: n + 1})
}

// Erased tells whether a record was erased that is shared with this member for the purpose: to nobody else it is told that it ever was.
// It looks at the ledger and opens nothing.
func (m *Member) Erased(at Location, purpose string) (bool, error) {
	l, err := m.look(at.Log, purpose)
	if errors.Is(err, ErrNotShared) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	span := consent.Range{From: at.Entry, To: at.Entry + 1}
	if !consent.Overlaps(l.head.Erased, span) {
		return false, nil
	}
	for _, g := range l.inForce {
		if consent.Covers(g.Ranges, span) {
			return true, nil
		}
	}
	return false, nil
}
