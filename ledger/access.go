package ledger

import (
	"vitalog/consent"
	"vitalog/key"
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
	q := consent.Request{Key: o.Signer, Grant: b.Grant, Right: consent.Read, Ranges: b.Ranges, Now: s.clock}
	grant, why := consent.Decide(g.head.Terms(), g.head.Erased, q)
	if consent.Keeps(g.head.Kept, q) {
		grant, why = 0, consent.Allowed
	}
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
	if r := s.records(g, o.Signer, owner, ranges); r != nil {
		return r
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

// records refuses ranges that have anything but records, of other authors too unless any author does.
func (s *stage) records(g *log, signer key.Verifier, any bool, ranges []consent.Range) *Result {
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
			if !any && !s.same(g, e.Signer, signer) {
				return no(NotAuthor, "of entry %d", n)
			}
		}
	}
	return nil
}

// keep notes that the author of destroyed records keeps its copy. An owner has no need to: its own device keeps what it likes.
func (s *stage) keep(g *log, o *op.Operation, b *op.Keep) *Result {
	if granted(g.head, o.Signer) == nil {
		return no(NotGranted, "")
	}
	if r := s.records(g, o.Signer, false, b.Ranges); r != nil {
		return r
	}
	if r := s.destroyed(g, b); r != nil {
		return r
	}
	if b.Until <= s.clock || b.Until-s.clock > uint64(op.MaxKeep.Milliseconds()) {
		return no(NotUntil, "%d, the ledger clock is at %d", b.Until, s.clock)
	}
	kept := consent.Keep(g.head.Kept, o.Signer, b.Ranges, b.Until, s.clock)
	if len(kept) > op.MaxKept {
		return no(TooManyErased, "at most %d that are kept", op.MaxKept)
	}
	r := s.enter(g, o, b)
	if r.Code == OK {
		g.head.Kept = kept
	}
	return r
}

// destroyed refuses a keep of anything but what its destroy names, and one that comes when all should have deleted it: what is only blocked stays everywhere,
// and is nobody's to open.
func (s *stage) destroyed(g *log, b *op.Keep) *Result {
	if b.Destroy >= g.head.Size {
		return no(NoSuchEntry, "%d, the log has %d", b.Destroy, g.head.Size)
	}
	e := s.entry(g, b.Destroy)
	if s.err != nil {
		return no(Malformed, "")
	}
	d, ok := e.Says.(*op.Destroy)
	if !ok {
		return no(NoSuchEntry, "entry %d is no destroy", b.Destroy)
	}
	if s.clock-e.At > uint64(op.KeepWithin.Milliseconds()) {
		return no(NotUntil, "%d ms after the destroy", s.clock-e.At)
	}
	for _, x := range b.Ranges {
		if !consent.Covers(d.Ranges, x) {
			return no(NoSuchEntry, "of [%d,%d) not all is destroyed by entry %d", x.From, x.To, b.Destroy)
		}
	}
	return nil
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
