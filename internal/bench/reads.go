package bench

import (
	"context"
	"fmt"
	"sync"

	"vitalog/exchange"
	"vitalog/section"
)

const (
	readers     = 32  // at the same time
	largeRead   = 100 // records
	largeRounds = 3
)

// open reads records of one section and wants them all.
func (b *network) open(ctx context.Context, who exchange.Asker, chart string, s section.Section, entries []uint64) error {
	o, err := b.nodes[0].Member.Open(ctx, who, chart, exchange.Want{Sections: []section.Section{s}, Entries: entries})
	if err != nil {
		return err
	}
	defer o.Close()
	if len(o.Errors) > 0 || o.Chart.Len() != len(entries) {
		return fmt.Errorf("%d of %d records opened: %v", o.Chart.Len(), len(entries), o.Errors)
	}
	return nil
}

// takes gives records, one after the other.
func takes(from []spot) func() (spot, error) {
	var mu sync.Mutex
	return func() (spot, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(from) == 0 {
			return spot{}, errSpent
		}
		s := from[0]
		from = from[1:]
		return s, nil
	}
}

// openNext opens a record that take gives.
func (b *network) openNext(ctx context.Context, take func() (spot, error)) error {
	s, err := take()
	if err != nil {
		return err
	}
	return b.open(ctx, physician, s.chart, s.section, []uint64{s.entry})
}

func (b *network) readOne(ctx context.Context) ([]Measure, error) {
	take := takes(b.fresh[:len(b.fresh)/4]) // the others are for those who read at the same time
	took, err := b.timed(func() error { return b.openNext(ctx, take) })
	if err != nil {
		return nil, err
	}
	return []Measure{
		{What: "audited read of 1 record, request to plaintext, p50", Value: milliseconds(took, 50), Unit: "ms", Bar: "≤ 40 ms", Others: "CALYPSO 271-288 ms on two cores"},
		{What: "the same, p99", Value: milliseconds(took, 99), Unit: "ms", Bar: "≤ 150 ms"},
	}, nil
}

func (b *network) readHundred(ctx context.Context) ([]Measure, error) {
	var rounds [][]uint64
	id, err := b.nodes[0].Member.Enrol(ctx)
	if err != nil {
		return nil, err
	}
	for range largeRounds {
		var drafts []exchange.Draft
		for range largeRead {
			drafts = append(drafts, observation(id, section.Vitals, ""))
		}
		done, err := b.nodes[0].Member.Publish(ctx, physician, id, drafts)
		if err != nil {
			return nil, err
		}
		var entries []uint64
		for _, d := range done {
			entries = append(entries, d.Entry)
		}
		rounds = append(rounds, entries)
	}
	took, err := b.timed(func() error {
		if len(rounds) == 0 {
			return errSpent
		}
		entries := rounds[0]
		rounds = rounds[1:]
		return b.open(ctx, physician, id, section.Vitals, entries)
	})
	if err != nil {
		return nil, err
	}
	return []Measure{{What: "audited read of 100 records, p50", Value: milliseconds(took, 50), Unit: "ms", Others: "ePA 1/2: 20-50 s to open"}}, nil
}

func (b *network) readMany(ctx context.Context) ([]Measure, error) {
	take := takes(b.fresh[len(b.fresh)/4:])
	rate, err := b.rate(ctx, readers, func(ctx context.Context, _ uint64) error { return b.openNext(ctx, take) })
	return []Measure{{What: fmt.Sprintf("audited reads, each traced alone, %d at once", readers), Value: rate, Unit: "reads/s", Bar: "≥ 200, then 500", Others: "CALYPSO 6-20"}}, err
}
