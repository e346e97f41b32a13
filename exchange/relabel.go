package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitalog/chart"
	"vitalog/consent"
	"vitalog/fhir"
	"vitalog/op"
	"vitalog/section"
)

// Leaving is a resource that goes to another section, and what that takes in the one where it stood. See spec/sections.md.
type Leaving struct {
	Type, ID string
	From     Location // of the version that was the newest there
	Entries  []uint64 // of the records that have a version of it, ascending
	Others   []string `json:"-"` // type/id of what else is in those records
}

// Leave finds out what it takes for a resource to leave the section where it stands. The records that hold its versions are opened for it, from the newest
// back, and the patient sees that. Nothing is written.
func (m *Member) Leave(ctx context.Context, who Asker, resourceType, id string, from Location) (*Leaving, error) {
	l := &Leaving{Type: resourceType, ID: id, From: from}
	for next := []uint64{from.Entry}; len(next) > 0; {
		c, done, err := m.openThese(ctx, who, l, next)
		if err != nil {
			return nil, err
		}
		l.Entries = append(l.Entries, next...)
		next = nil
		for _, v := range versionsIn(c) {
			if v.Item.Type != l.Type || v.Item.ID != l.ID {
				l.Others = append(l.Others, v.Item.Type+"/"+v.Item.ID)
				continue
			}
			for _, n := range v.Item.Supersedes {
				if !slices.Contains(l.Entries, n) && !slices.Contains(next, n) {
					next = append(next, n)
				}
			}
		}
		done()
	}
	slices.Sort(l.Entries)
	return l, nil
}

// Left takes resources out of the section where they stood, once their new versions are on the ledger in another:
//
//	(1) what else is current in the records that are to go is on the ledger once more, in records of its own, and with it that the resources ended there
//	(2) the records are blocked: no member releases their keys to anybody any more
//
// Crash points: after (1) the same again does what is left; it may write (1) once more, which changes nothing that is read.
func (m *Member) Left(ctx context.Context, who Asker, all []*Leaving) error {
	for _, l := range all {
		ended, err := ending(l.Type, l.ID, l.From.Section, l.From.Entry)
		if err != nil {
			return err
		}
		c, done, err := m.openThese(ctx, who, l, l.Entries)
		if err != nil {
			return err
		}
		rest, err := m.rest(l, c)
		if err == nil {
			_, err = m.Publish(ctx, who, l.From.Chart, append([]Draft{ended}, rest...)) // (1)
		}
		done()
		if err != nil {
			return err
		}
		if err := m.block(ctx, l); err != nil { // (2)
			return err
		}
	}
	return nil
}

// ending is the end of a resource in a section.
func ending(resourceType, id string, s section.Section, entry uint64) (Draft, error) {
	stub, err := fhir.Parse([]byte(`{"resourceType":"` + resourceType + `"}`))
	return Draft{Resource: stub, ID: id, Section: s, Group: "left", Supersedes: []uint64{entry}, Deleted: true}, err
}

// rest is what else is current in records that are to go, to be sealed anew.
func (m *Member) rest(l *Leaving, c *chart.Chart) (out []Draft, err error) {
	for _, v := range versionsIn(c) {
		it := v.Item
		if it.Type == l.Type && it.ID == l.ID {
			continue
		}
		at, ok, err := m.Locate(it.Type, it.ID)
		if err != nil {
			return nil, err
		}
		if ok && (at.Log != v.Log || at.Entry != v.Entry) {
			continue // its newest version is elsewhere
		}
		d := Draft{Resource: it.Resource(), ID: it.ID, Section: v.Section, Group: "left", Refs: it.Refs, Supersedes: []uint64{v.Entry}}
		if it.Status == chart.Deleted {
			if d, err = ending(it.Type, it.ID, v.Section, v.Entry); err != nil {
				return nil, err
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// openThese opens those of the entries that aren't blocked.
func (m *Member) openThese(ctx context.Context, who Asker, l *Leaving, entries []uint64) (c *chart.Chart, done func(), err error) {
	if entries, err = m.unblocked(l, entries); err != nil {
		return nil, nil, err
	}
	if len(entries) == 0 {
		return chart.Fold(nil), func() {}, nil
	}
	opened, err := m.Open(ctx, who, l.From.Chart, Want{Sections: []section.Section{l.From.Section}, Entries: entries})
	if err != nil {
		return nil, nil, err
	}
	if len(opened.Errors) > 0 {
		opened.Close()
		return nil, nil, fmt.Errorf("opening what leaves %v: %w", l.From.Section, errors.Join(opened.Errors...))
	}
	return opened.Chart, opened.Close, nil
}

func (m *Member) unblocked(l *Leaving, entries []uint64) ([]uint64, error) {
	head, err := m.node.Ledger().Head(l.From.Log)
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, ErrNotShared
	}
	return slices.DeleteFunc(slices.Clone(entries), func(n uint64) bool {
		return consent.Overlaps(head.Erased, consent.Range{From: n, To: n + 1})
	}), nil
}

// versionsIn are all versions that a chart's records made.
func versionsIn(c *chart.Chart) (out []*chart.Version) {
	for _, t := range fhir.Types() {
		for _, r := range c.Of(t) {
			out = append(out, r.History()...)
		}
	}
	return out
}

// block blocks the records, each with the key that wrote it.
func (m *Member) block(ctx context.Context, l *Leaving) error {
	left, err := m.unblocked(l, l.Entries)
	if err != nil {
		return err
	}
	of := map[string][]consent.Range{} // by purpose
	for _, n := range left {
		e, err := m.node.Ledger().Entry(l.From.Log, n)
		if err != nil || e == nil {
			return errors.Join(fmt.Errorf("%v entry %d: %w", l.From.Log, n, ErrNotShared), err)
		}
		p := m.purposeOf(e.Log, e.Signer)
		if p == "" {
			return fmt.Errorf("%v entry %d: %w", l.From.Log, n, ErrConflict) // another's
		}
		of[p] = extend(of[p], n)
	}
	var ops []*op.Operation
	for _, p := range Purposes {
		for some := range slices.Chunk(of[p], op.MaxRanges) {
			ops = append(ops, op.Sign(m.network, m.ring.Grantee(l.From.Log, p), l.From.Log, expiry(), op.NewBlock(some...)))
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if _, err := submitAll(ctx, m, ops...); err != nil {
		return fmt.Errorf("blocking what left %v: %w", l.From.Section, err)
	}
	return nil
}
