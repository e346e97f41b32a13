package exchange

import (
	"context"
	"slices"
	"sort"
	"time"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
)

// Told are accesses to the records of a patient in custody, from the custodian's own ledger, and what the custodian wrote.
type Told struct {
	Deeds   []Deed // newest first; without Detail, and without the counts of records and blocks
	patient *Patient
	entries map[place]*op.Entry // of those whose detail can be opened
}

// place is where an entry stands.
type place struct {
	log    key.Log
	number uint64
}

// Told lists the accesses of a time, which begins at from and ends before until; zero times bound nothing. Of each log only the entries of that time are read, and no
// detail is opened: see Explain. It is ErrNotShared for a chart that is not in custody here.
func (m *Member) Told(ctx context.Context, chartID string, from, until time.Time) (*Told, error) {
	p, err := m.Custody(chartID)
	if err != nil {
		return nil, err
	}
	names, _, err := p.names(ctx)
	if err != nil {
		return nil, err
	}
	t := &Told{patient: p, entries: map[place]*op.Entry{}}
	for _, s := range section.All() {
		if err := t.read(m, s, names, from, until); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(t.Deeds, func(a, b Deed) int { return b.At.Compare(a.At) })
	return t, nil
}

// read takes what a log has of the time.
func (t *Told) read(m *Member, s section.Section, names map[key.Verifier]named, from, until time.Time) error {
	log, l := t.patient.keys.Log(s), m.node.Ledger()
	head, err := l.Head(log)
	if err != nil || head == nil {
		return err
	}
	first, err := since(l, head, from)
	if err != nil {
		return err
	}
	end := head.Size
	if !until.IsZero() {
		if end, err = since(l, head, until); err != nil {
			return err
		}
	}
	own := map[key.Verifier]string{} // purposes of signers, "" of others
	return l.Entries(log, first, end, func(e *op.Entry) error {
		d := Deed{Activity: Activity{At: time.UnixMilli(int64(e.At)), Log: log, Entry: e.Number, Section: s}}
		by := e.Signer
		switch said := e.Says.(type) {
		case *op.Accessed:
			d.Further, d.Why, d.Ranges = said.Further, said.Why, said.Ranges
			t.entries[place{log, e.Number}] = e
		case *op.Refusals:
			by, d.Count, d.Why = said.Key, int(said.Count), consent.NoRight
		case *op.Recorded:
			if _, known := own[by]; !known {
				own[by] = m.purposeOf(log, by)
			}
			if d.Purpose = own[by]; d.Purpose == "" {
				return nil // another's, or the patient's own
			}
			d.Wrote, d.Records, d.Ranges, d.Member = true, 1, append(d.Ranges, just(e)), m.Name()
			t.Deeds = append(t.Deeds, d)
			return nil
		default:
			return nil
		}
		d.named(names, by, m.genesis)
		t.Deeds = append(t.Deeds, d)
		return nil
	})
}

// since is the number of a log's first entry that is not before a time: entries stand in the order of the ledger's clock.
func since(l *ledger.Ledger, head *op.Head, at time.Time) (n uint64, err error) {
	if at.IsZero() {
		return 0, nil
	}
	ms := uint64(max(at.UnixMilli(), 0))
	i := sort.Search(int(head.Size), func(i int) bool {
		e, failed := l.Entry(head.Log, uint64(i))
		if failed != nil || e == nil {
			err = failed
			return true
		}
		return e.At >= ms
	})
	return uint64(i), err
}

// Explain opens what was said of who asked, and why. What nobody has, or doesn't open, leaves the deed without it.
func (t *Told) Explain(ctx context.Context, d *Deed) (err error) {
	if e := t.entries[place{d.Log, d.Entry}]; e != nil {
		d.Detail, err = t.patient.detail(ctx, d.Section, Placed{Entry: e})
	}
	return err
}
