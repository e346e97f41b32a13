package exchange

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// accessDays is how long a member keeps who asked for what: six years, as 45 CFR 164.528 wants it told.
const accessDays = 6*365 + 2

// Deed is what this member did in a chart.
type Deed struct {
	Activity
	Wrote bool // else it read, or was refused
}

// Deeds lists what this member did in a chart, for whatever purpose, newest first: what the ledger has of its keys, with who asked from the member's
// own sealed list. Nothing is opened for it. It is ErrNotShared for a chart that is not known here.
func (m *Member) Deeds(chartID string) ([]Deed, error) {
	c, err := m.index.chart(chartID)
	if err == nil && c == nil {
		err = ErrNotShared
	}
	if err != nil {
		return nil, err
	}
	var out []Deed
	for _, s := range section.Clinical() {
		if c.Sections[s] == nil {
			continue
		}
		more, err := m.deedsIn(s, c.Sections[s].Log)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	slices.SortStableFunc(out, func(a, b Deed) int { return b.At.Compare(a.At) })
	return out, nil
}

func (m *Member) deedsIn(s section.Section, log key.Log) (out []Deed, err error) {
	head, err := m.node.Ledger().Head(log)
	if err != nil || head == nil {
		return nil, err
	}
	own := map[key.Verifier]string{}
	for _, p := range Purposes {
		own[m.ring.Grantee(log, p).Public()] = p
	}
	var entries []Placed
	err = m.node.Ledger().Entries(log, 0, head.Size, func(e *op.Entry) error {
		entries = append(entries, Placed{Entry: e})
		return nil
	})
	if err != nil {
		return nil, err
	}
	among := recordsAmong(entries)
	for _, e := range entries {
		d := Deed{Activity: Activity{At: time.UnixMilli(int64(e.At)), Log: log, Entry: e.Number, Section: s, Member: m.Name()}}
		by := e.Signer
		switch said := e.Says.(type) {
		case *op.Accessed:
			if own[by] == "" {
				continue
			}
			d.Further, d.Why, d.Ranges = said.Further, said.Why, said.Ranges
			if d.Records, err = countRecords(among, said.Ranges); err != nil {
				return nil, err
			}
			if d.Detail, err = m.index.asked(said.Detail, e.At); err != nil {
				return nil, err
			}
		case *op.Refusals:
			by = said.Key
			d.Count, d.Why = int(said.Count), consent.NoRight
		case *op.Recorded:
			d.Wrote, d.Records, d.Ranges = true, 1, append(d.Ranges, just(e.Entry))
		default:
			continue
		}
		if d.Purpose = own[by]; d.Purpose == "" {
			continue
		}
		if d.Block, err = m.node.Ledger().BlockOf(log, e.Number); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// noteAsked writes down, sealed, who asks with the access that has this detail: the member can't open the detail again. It need not be durable before
// the access is: the ledger's row stands without it.
func (x *index) noteAsked(detail wire.Hash, who Asker) error {
	put, err := x.seal(askedKey(today(), detail), who)
	if err == nil {
		err = x.db.WriteLater([]ledger.Change{put})
	}
	if err != nil {
		return fmt.Errorf("writing down who asks: %w", err)
	}
	return nil
}

// asked is who asked with an access of that time, nil if nothing is written down.
func (x *index) asked(detail wire.Hash, at uint64) (*grant.Detail, error) {
	day := at / (24 * 60 * 60 * 1000)
	for _, d := range []uint64{day, day - 1, day + 1} { // the ledger's clock and ours
		var who Asker
		if found, err := x.load(askedKey(d, detail), &who); err != nil {
			return nil, err
		} else if found {
			return &grant.Detail{Practitioner: who.Practitioner, Name: who.Name, Role: who.Role, Purpose: who.Purpose, Reason: who.Reason, Machine: who.Machine}, nil
		}
	}
	return nil, nil
}

// askedKey is where it is written down who asked, by day so that it goes when it is old.
func askedKey(day uint64, detail wire.Hash) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("a"), day), detail[:]...)
}
