package ledger

import (
	"vitalog/consent"
	"vitalog/op"
)

// access decides whether entries may be released, and writes the decision down. A key that was never granted anything gets no entry:
// it could fill a stranger's log.
func (s *stage) access(g *log, o *op.Operation, b *op.Access) *Result {
	if granted(g.head, o.Signer) == nil {
		return no(NotGranted, "")
	}
	if end := b.Ranges[len(b.Ranges)-1].To; end > g.head.Size {
		return no(NoSuchEntry, "%d, the log has %d", end-1, g.head.Size)
	}
	grant, why := consent.Decide(g.head.Terms(), g.head.Erased, consent.Request{Key: o.Signer, Grant: b.Grant, Right: consent.Read, Ranges: b.Ranges, Now: s.clock})
	if r := s.charge(g, o.Signer, entryCost(o)); r != nil {
		return r
	}
	s.settle(g, o.Signer)
	if why != consent.Allowed {
		by := granted(g.head, o.Signer)
		by.Hour = s.clock / hour
		by.Refused++
		if by.Refused > op.MaxRefusals {
			return &Result{Detail: "refused and counted: " + why.String()}
		}
	}
	if why == consent.Allowed {
		g.use(grant)
	}
	says := &op.Accessed{Access: *b, Why: why}
	says.Grant = grant
	return &Result{First: s.write(g, o.Signer, says), Count: 1}
}

// use counts an allowed access on the grant and on all that it was cut from.
func (g *log) use(grant uint64) {
	for i := len(g.head.Grants) - 1; i >= 0; i-- {
		if x := &g.head.Grants[i]; x.Entry == grant { // a parent stands before its children
			x.Used++
			grant = x.Parent
		}
	}
}

// erase blocks records for ever; a destroy also orders to delete them.
func (s *stage) erase(g *log, o *op.Operation, says op.Statement, ranges []consent.Range) *Result {
	owner := g.head.Owns(o.Signer)
	if !owner && granted(g.head, o.Signer) == nil {
		return no(NotGranted, "")
	}
	if end := ranges[len(ranges)-1].To; end > g.head.Size {
		return no(NoSuchEntry, "%d, the log has %d", end-1, g.head.Size)
	}
	for _, x := range ranges {
		for n := x.From; n < x.To; n++ {
			e := s.entry(g, n)
			if s.err != nil {
				return no(Malformed, "")
			}
			if _, ok := e.Says.(*op.Recorded); !ok {
				return no(NoSuchEntry, "entry %d is no record", n)
			}
			if !owner && !s.same(g, e.Signer, o.Signer) {
				return no(NotAuthor, "of entry %d", n)
			}
		}
	}
	erased := merge(g.head.Erased, ranges)
	if len(erased) > op.MaxErased {
		return no(TooManyErased, "at most %d", op.MaxErased)
	}
	r := s.enter(g, o, says)
	if r.Code == OK {
		g.head.Erased = erased
	}
	return r
}

// merge is the union of two ordered lists of ranges, in their canonical form.
func merge(x, y []consent.Range) []consent.Range {
	out := make([]consent.Range, 0, len(x)+len(y))
	for len(x) > 0 || len(y) > 0 {
		var next consent.Range
		if len(y) == 0 || len(x) > 0 && x[0].From <= y[0].From {
			next, x = x[0], x[1:]
		} else {
			next, y = y[0], y[1:]
		}
		if last := len(out) - 1; last >= 0 && next.From <= out[last].To {
			out[last].To = max(out[last].To, next.To)
		} else {
			out = append(out, next)
		}
	}
	return out
}
