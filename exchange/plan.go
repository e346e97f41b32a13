package exchange

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"vitalog/chart"
	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

// plan is one access: the entries of one log, at most op.MaxAccessEntries.
type plan struct {
	section section.Section
	log     key.Log
	size    uint64 // entries of the log when it was planned
	signer  key.Signer
	owner   *key.Exchange
	grant   uint64 // that is invoked; 0: any
	counted bool   // by a limit of uses: what it gives is used once
	until   uint64 // ledger clock, ms: when the grant ends; 0: it does not
	turns   int    // of the section
	ranges  []consent.Range
	records []*op.Entry
	held    []chart.Opened // of records: what is open already
	lacking []*op.Entry    // of records: what is to be opened
	opened  []chart.Opened // of them
	further bool           // a further use that need not wait for the ledger
	session *key.Decapsulating
	detail  []byte
	access  *op.Entry // nil: refused and counted, or in the outbox, without an entry
	block   uint64
	refused *Refused

	keepOpen func(a *chart.Attachment, plain *plaintext) // takes the one attachment; nil: of attachments the manifest is read
}

// look is a log as the newest committed state has it, for one of this member's keys.
type look struct {
	head    *op.Head
	terms   []consent.Grant
	signer  key.Signer
	inForce []*consent.Grant // that let the key read
}

func (m *Member) look(log key.Log, purpose string) (*look, error) {
	head, err := m.node.Ledger().Head(log)
	if err != nil || head == nil {
		return nil, errors.Join(fmt.Errorf("%v is not on the ledger: %w", log, ErrNotShared), err)
	}
	l := &look{head: head, terms: head.Terms(), signer: m.ring.Grantee(log, purpose)}
	for i := range l.terms {
		q := consent.Request{Key: l.signer.Public(), Grant: l.terms[i].Entry, Right: consent.Read, Now: nowMillis()}
		if _, why := consent.Decide(l.terms, nil, q); why == consent.Allowed {
			l.inForce = append(l.inForce, &l.terms[i])
		}
	}
	return l, nil
}

// recordsOf lists the records of a section that are not erased, ascending. Entries never change: only those that came since are read. The
// caller holds the chart's mu.
func (m *Member) recordsOf(o *openSection, l *look) ([]*op.Entry, error) {
	if o.seen < l.head.Size {
		err := m.node.Ledger().Entries(o.log, o.seen, l.head.Size, func(e *op.Entry) error {
			if isRecord(e) {
				o.records = append(o.records, e)
			}
			o.seen = e.Number + 1
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return l.standing(o.records), nil
}

// standing are those of the records that are not erased.
func (l *look) standing(records []*op.Entry) []*op.Entry {
	if len(l.head.Erased) == 0 {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), func(e *op.Entry) bool { return consent.Overlaps(l.head.Erased, just(e)) })
}

// plan finds the records to ask for, and for each the grant that allows it: what one grant covers is asked for under that grant, because
// an access is decided as a whole. Where no grant in force covers anything the plan is to ask all the same, and granted is false. What is
// held and no longer allowed is dropped. The caller holds the chart's mu.
func (m *Member) plan(x *openChart, o *openSection, owner *key.Exchange, only []uint64) (plans []*plan, granted bool, dropped int, err error) {
	l, err := m.look(o.log, x.key.purpose)
	if err != nil {
		return nil, false, 0, err
	}
	var all []*op.Entry
	if only == nil {
		all, err = m.recordsOf(o, l)
	}
	for _, n := range only {
		var e *op.Entry
		if e, err = m.node.Ledger().Entry(o.log, n); err != nil {
			break
		}
		if e != nil && isRecord(e) {
			all = append(all, e)
		}
	}
	if err != nil {
		return nil, false, 0, err
	}
	all = l.standing(all)
	between := func(gap consent.Range) bool { // is another record in it?
		i := sort.Search(len(all), func(i int) bool { return all[i].Number >= gap.From })
		return only != nil || i < len(all) && all[i].Number < gap.To || consent.Overlaps(l.head.Erased, gap)
	}
	shared := l.share(all)
	granted = len(l.inForce) > 0
	for _, y := range shared {
		granted = granted && y.grant != nil
		base := plan{section: o.section, log: o.log, size: l.head.Size, signer: l.signer, owner: owner, turns: o.turns}
		if y.grant != nil {
			base.grant, base.counted, base.until = y.grant.Entry, y.counted, y.until
		}
		for _, part := range cut(y.records, func(span, gap consent.Range) bool {
			return y.grant != nil && consent.Covers(y.grant.Ranges, span) && !between(gap)
		}) {
			p := base
			p.ranges, p.records = part.ranges, part.records
			plans = append(plans, &p)
		}
	}
	if only != nil && !granted { // what else is held of the section?
		if all, err = m.recordsOf(o, l); err != nil {
			return nil, false, 0, err
		}
		shared = l.share(all)
	}
	if only == nil || !granted {
		dropped = x.refit(o, shared)
	}
	return plans, granted, dropped, nil
}

func isRecord(e *op.Entry) bool {
	_, ok := e.Says.(*op.Recorded)
	return ok
}

// just is one entry as a range.
func just(e *op.Entry) consent.Range { return consent.Range{From: e.Number, To: e.Number + 1} }

// under is the records that are asked for under one grant; nil: under any.
type under struct {
	grant   *consent.Grant
	counted bool
	until   uint64
	records []*op.Entry
}

// share gives each record to a grant that is in force and covers it: to the one that covers most, and to a counted one only if need be.
func (l *look) share(records []*op.Entry) []under {
	var out []under
	for left := records; len(left) > 0; {
		var best, rest []*op.Entry
		var by under
		for _, g := range l.inForce {
			counted, until := l.limits(g)
			if by.grant != nil && (counted && !by.counted || counted == by.counted && len(best) == len(left)) {
				continue
			}
			var covered, others []*op.Entry
			for _, e := range left {
				if consent.Covers(g.Ranges, just(e)) {
					covered = append(covered, e)
				} else {
					others = append(others, e)
				}
			}
			if len(covered) > 0 && (by.grant == nil || !counted && by.counted || len(covered) > len(best)) {
				by, best, rest = under{grant: g, counted: counted, until: until}, covered, others
			}
		}
		if by.grant == nil {
			break
		}
		by.records = best
		out, left = append(out, by), rest
	}
	if len(out) == 0 && len(records) > 0 {
		out = append(out, under{records: records[:min(len(records), op.MaxAccessEntries)]})
	}
	return out
}

// limits tells whether an access under a grant is counted on it, or on one that it was cut from, and when the first of them ends.
func (l *look) limits(g *consent.Grant) (counted bool, until uint64) {
	for g != nil {
		counted, until = counted || g.Uses != 0, sooner(until, g.Until)
		if g.Parent == 0 {
			break
		}
		g = consent.Find(l.terms, g.Parent)
	}
	return counted, until
}

// refit drops what is held of a section and isn't shared for any number of uses, and tells how many bytes that was. The caller holds mu.
func (x *openChart) refit(o *openSection, shared []under) (dropped int) {
	if len(o.held) == 0 {
		return 0
	}
	stay := make(map[uint64]bool, len(o.held))
	o.until = 0
	for _, y := range shared {
		if y.grant == nil || y.counted {
			continue
		}
		o.until = sooner(o.until, y.until)
		for _, e := range y.records {
			if _, held := o.held[e.Number]; held {
				stay[e.Number] = true
			}
		}
	}
	return x.drop(o, stay)
}

// sooner is the earlier of two moments, of which 0 never comes.
func sooner(a, b uint64) uint64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// piece is as many records as one access may name.
type piece struct {
	ranges  []consent.Range
	records []*op.Entry
	named   uint64 // entries
}

// maxBridge is how many entries that are no records a range may span, rather than end.
const maxBridge = 16

// cut groups records, ascending, into accesses: runs become ranges. bridge tells whether a range may go on over the entries between.
func cut(records []*op.Entry, bridge func(span, gap consent.Range) bool) []piece {
	var out []piece
	for _, e := range records {
		if len(out) > 0 && out[len(out)-1].add(e, bridge) {
			continue
		}
		out = append(out, piece{ranges: []consent.Range{just(e)}, records: []*op.Entry{e}, named: 1})
	}
	return out
}

// add takes one more record, if there is room.
func (p *piece) add(e *op.Entry, bridge func(span, gap consent.Range) bool) bool {
	last := &p.ranges[len(p.ranges)-1]
	gap := consent.Range{From: last.To, To: e.Number}
	long := e.Number - last.To + 1
	switch {
	case p.named+long <= op.MaxAccessEntries && (long == 1 || long <= maxBridge+1 && bridge(consent.Range{From: last.From, To: e.Number + 1}, gap)):
		last.To = e.Number + 1
		p.named += long
	case p.named < op.MaxAccessEntries && len(p.ranges) < op.MaxRanges:
		p.ranges = append(p.ranges, just(e))
		p.named++
	default:
		return false
	}
	p.records = append(p.records, e)
	return true
}
