package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

// Activity is one row of what the patient sees: who, at which organisation, what, why, and what came of it.
type Activity struct {
	At      time.Time
	Block   uint64
	Log     key.Log
	Entry   uint64
	Section section.Section
	Member  string        // name of the organisation behind the key
	Device  string        // or of the patient's device: one that tried to read
	Proxy   string        // or of the person who reads for the patient
	Link    bool          // or of a health link: the detail's name is what somebody said of themselves
	Detail  *grant.Detail // nil if nobody has it, or it doesn't open
	Purpose string        // that the key was granted for
	Records int
	Ranges  []consent.Range // entries asked for
	Further bool            // use of what was released before
	Why     consent.Reason
	Count   int // of refusals, in a row that stands for several
}

// ActivityLog is all of a patient's activity, and whether it is all.
type ActivityLog struct {
	Rows []Activity
	// Proven is true if every log was held against a receipt that the validators signed, and no entry is missing.
	Proven bool
	Signed int // validators that signed, at the least
	Of     int
	// Unread are notes of the patient's own about who is behind a key that did not open: rows may lack a name for it.
	Unread int
}

// Activity reads the access rows of every section and proves that none is missing: the entries hash to the root in the head, and a
// receipt shows that head under the validators' signatures.
func (p *Patient) Activity(ctx context.Context) (*ActivityLog, error) {
	names, unread, err := p.names(ctx)
	if err != nil {
		return nil, err
	}
	out := &ActivityLog{Proven: true, Unread: unread}
	for _, s := range section.All() {
		log := p.keys.Log(s)
		entries, v, err := p.prove(ctx, log)
		if err != nil {
			return nil, err
		}
		if out.Of == 0 || v.Signed < out.Signed {
			out.Signed, out.Of = v.Signed, v.Of
		}
		among := recordsAmong(entries)
		for _, e := range entries {
			row := Activity{At: time.UnixMilli(int64(e.At)), Block: e.Block, Log: log, Entry: e.Number, Section: s}
			var by key.Verifier
			switch said := e.Says.(type) {
			case *op.Accessed:
				by = e.Signer
				row.Further, row.Why, row.Ranges = said.Further, said.Why, said.Ranges
				if row.Records, err = countRecords(among, said.Ranges); err != nil {
					return nil, err
				}
				row.Detail, err = p.detail(ctx, s, e)
				if err != nil {
					return nil, err
				}
			case *op.Refusals:
				by = said.Key
				row.Count, row.Why = int(said.Count), consent.NoRight
			default:
				continue
			}
			row.named(names, by, p.home.Genesis())
			out.Rows = append(out.Rows, row)
		}
	}
	sortRows(out.Rows)
	return out, nil
}

// named fills in who is behind the key that a row is of.
func (a *Activity) named(names map[key.Verifier]named, by key.Verifier, g *op.Genesis) {
	n, ok := names[by]
	if !ok {
		return
	}
	a.Device, a.Link, a.Purpose = n.device, n.link, n.purpose
	if n.proxy != nil {
		a.Proxy = n.proxy.Name
	}
	if n.member >= 0 && n.member < len(g.Members) {
		a.Member = g.Members[n.member].Name
	}
}

// detail opens what the reader told about an access, or gives nil where nobody has it.
func (p *Patient) detail(ctx context.Context, s section.Section, e Placed) (*grant.Detail, error) {
	said := e.Says.(*op.Accessed)
	sealed, err := p.home.Blob(ctx, said.Detail)
	if errors.Is(err, ErrNotShared) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := grant.OpenDetail(p.keys.Private(s), p.home.Genesis(), grant.Use{Network: p.network, Log: e.Log, Session: said.Session, Grantee: e.Signer}, sealed)
	if err != nil {
		return nil, nil // shown as a row whose detail doesn't open
	}
	return d, nil
}

// recordsAmong tells at n how many of the first n entries of a log are records: a log with many accesses is gone through once, not once for each.
func recordsAmong(entries []Placed) []int {
	among := make([]int, len(entries)+1)
	for i, e := range entries {
		among[i+1] = among[i]
		if _, ok := e.Says.(*op.Recorded); ok {
			among[i+1]++
		}
	}
	return among
}

// countRecords is how many records ranges cover.
func countRecords(among []int, ranges []consent.Range) (n int, err error) {
	for _, x := range ranges {
		if x.To >= uint64(len(among)) || x.From > x.To {
			return 0, fmt.Errorf("an access to entries %d to %d of %d", x.From, x.To, len(among)-1)
		}
		n += among[x.To] - among[x.From]
	}
	return n, nil
}

// sortRows puts the newest first.
func sortRows(rows []Activity) {
	slices.SortStableFunc(rows, func(a, b Activity) int { return b.At.Compare(a.At) })
}
