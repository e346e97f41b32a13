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
// final. Entries that are no records are refused, and then nothing is blocked. Blocking again does nothing.
func (p *Patient) Erase(ctx context.Context, s section.Section, entries ...uint64) (block uint64, err error) {
	return p.erase(ctx, s, entries, func(r []consent.Range) op.Statement { return op.NewBlock(r...) })
}

// Destroy is Erase, and has every member delete locks, header and ciphertext, from its disk and its bucket. What stays on the ledger of a record is a commitment with a
// salt that is nowhere any more.
func (p *Patient) Destroy(ctx context.Context, s section.Section, entries ...uint64) (block uint64, err error) {
	return p.erase(ctx, s, entries, func(r []consent.Range) op.Statement { return op.NewDestroy(r...) })
}

func (p *Patient) erase(ctx context.Context, s section.Section, entries []uint64, says func([]consent.Range) op.Statement) (block uint64, err error) {
	var ranges []consent.Range
	for _, n := range entries {
		if last := len(ranges) - 1; last >= 0 && n < ranges[last].To {
			return 0, fmt.Errorf("%w: entries to be erased are named once each, ascending", ErrInvalid)
		}
		ranges = extend(ranges, n)
	}
	if len(ranges) == 0 {
		return 0, fmt.Errorf("%w: no entries to be erased", ErrInvalid)
	}
	ops := []*op.Operation{op.Sign(p.network, p.keys.Owner(s), p.keys.Log(s), expiry(), says(ranges))}
	results, err := submitAll(ctx, p.home, ops...)
	if err != nil {
		return 0, fmt.Errorf("erasing in %v: %w", s, err)
	}
	err = p.place(ctx, ops, results, func(_ int, _, at uint64) { block = at })
	return block, err
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
