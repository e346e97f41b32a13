package ledger

import (
	"vitalog/key"
	"vitalog/op"
)

// apply executes one operation whose signature is valid: the window and the replay first, then what its kind asks for.
func (s *stage) apply(o *op.Operation) Result {
	switch id := o.ID(); {
	case o.Expires <= s.clock:
		return *no(Expired, "%d ms ago by the ledger clock", s.clock-o.Expires)
	case o.Expires-s.clock > uint64(op.MaxWindow.Milliseconds()):
		return *no(TooFarAhead, "expires in %d ms by the ledger clock, at most %d", o.Expires-s.clock, op.MaxWindow.Milliseconds())
	case s.windows.has(id, o.Expires):
		return *no(Replayed, "operation %v", id)
	}
	if r := s.namesRecord(o.Body); r != nil {
		return s.done(o, r)
	}
	if o.Body.Kind() >= op.KindHello {
		return s.done(o, s.contribute(o))
	}
	if b, ok := o.Body.(*op.Create); ok {
		return s.done(o, s.create(o, b))
	}
	g := s.log(o.Log)
	if g == nil {
		return *no(UnknownLog, "%v", o.Log)
	}
	return s.done(o, s.inLog(g, o))
}

// done remembers an operation that was executed.
func (s *stage) done(o *op.Operation, r *Result) Result {
	r.Log = o.Log
	if r.Code == OK {
		s.windows.add(o.ID(), o.Expires)
	}
	return *r
}

func (s *stage) inLog(g *log, o *op.Operation) *Result {
	switch b := o.Body.(type) {
	case *op.Append:
		return s.append(g, o, b)
	case *op.Grant:
		return s.grant(g, o, b)
	case *op.Revoke:
		return s.revoke(g, o, b)
	case *op.Access:
		return s.access(g, o, b)
	case *op.Rotate:
		return s.rotate(g, o, b)
	case *op.RekeyOwner:
		return s.rekeyOwner(g, o, b)
	case *op.RekeyGrantee:
		return s.rekeyGrantee(g, o, b)
	case *op.Block:
		return s.erase(g, o, b, b.Ranges)
	case *op.Destroy:
		return s.erase(g, o, b, b.Ranges)
	case *op.Keep:
		return s.keep(g, o, b)
	case *op.Post:
		return s.post(g, o, b)
	case *op.Deleted:
		return s.deleted(g, o, b)
	case *op.Stored:
		return s.stored(g, o, b)
	case *op.Anchor:
		return s.anchor(g, o, b)
	}
	return no(Malformed, "%v is no operation in a log", o.Body.Kind())
}

// enter charges for the operation and writes the one entry that it becomes.
func (s *stage) enter(g *log, o *op.Operation, says op.Statement) *Result {
	if r := s.charge(g, o.Signer, entryCost(o)); r != nil {
		return r
	}
	s.settle(g, o.Signer)
	return &Result{First: s.write(g, o.Signer, says), Count: 1}
}

// settle writes how often a key was refused beyond what became entries, when it is seen again after the hour in which it was.
func (s *stage) settle(g *log, signer key.Verifier) {
	by := granted(g.head, signer)
	if by == nil || by.Refused == 0 || by.Hour == s.clock/hour {
		return
	}
	hour, refused := by.Hour, by.Refused
	by.Hour, by.Refused, g.dirty = 0, 0, true
	if refused > op.MaxRefusals {
		s.write(g, signer, &op.Refusals{Key: signer, Hour: hour, Count: refused - op.MaxRefusals})
	}
}
