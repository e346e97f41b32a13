package ledger

import (
	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
)

// grant gives a key rights: the owner's own, or by a grantee a part of a grant that it may hand on.
func (s *stage) grant(g *log, o *op.Operation, b *op.Grant) *Result {
	most := op.MaxGrants
	switch {
	case g.head.Owns(o.Signer):
		if b.Parent != 0 {
			return no(NoSuchGrant, "an owner's grant has no parent, this one names %d", b.Parent)
		}
	default:
		if r := s.mayHandOn(g, o.Signer, b); r != nil {
			return r
		}
		most /= 2 // grantees leave the rest to the owner
	}
	if len(g.head.Grants) >= most {
		return no(TooManyGrants, "%d", len(g.head.Grants))
	}
	if g.head.Owns(b.Key) {
		return no(KeyInUse, "an owner needs no grant")
	}
	if granted(g.head, b.Key) == nil && s.origin(g, b.Key) != (key.Verifier{}) {
		return no(KeyInUse, "the grantee has replaced this key")
	}
	if !b.Key.Sound() {
		return no(UnsoundKey, "")
	}
	r := s.enter(g, o, b)
	if r.Code == OK {
		g.head.Grants = append(g.head.Grants, op.Granted{Grant: consent.Grant{Entry: r.First, Terms: b.Terms}, Share: full(s.l.genesis.Params, 2, s.clock)})
	}
	return r
}

func (s *stage) mayHandOn(g *log, signer key.Verifier, b *op.Grant) *Result {
	if granted(g.head, signer) == nil {
		return no(NotGranted, "")
	}
	terms := g.head.Terms()
	parent := consent.Find(terms, b.Parent)
	if parent == nil || parent.Key != signer {
		return no(NoSuchGrant, "%d is no grant of the signer", b.Parent)
	}
	_, why := consent.Decide(terms, nil, consent.Request{Key: signer, Grant: b.Parent, Right: consent.SubGrant, Now: s.clock})
	if r := refused(why, consent.SubGrant); r != nil {
		return r
	}
	if !consent.Within(parent.Terms, b.Terms) {
		return no(GrantTooWide, "than grant %d", b.Parent)
	}
	depth := 2
	for p := parent; p.Parent != 0; depth++ {
		p = consent.Find(terms, p.Parent)
	}
	if depth > op.MaxDelegation {
		return no(TooManyGrants, "a chain of %d, at most %d", depth, op.MaxDelegation)
	}
	return nil
}

// revoke ends a grant: the owner any, a grantee those that it cut from its own.
func (s *stage) revoke(g *log, o *op.Operation, b *op.Revoke) *Result {
	owner := g.head.Owns(o.Signer)
	if !owner && granted(g.head, o.Signer) == nil {
		return no(NotGranted, "")
	}
	var of *op.Granted
	for i := range g.head.Grants {
		if g.head.Grants[i].Entry == b.Grant {
			of = &g.head.Grants[i]
		}
	}
	if of == nil {
		return no(NoSuchGrant, "%d", b.Grant)
	}
	if !owner {
		parent := consent.Find(g.head.Terms(), of.Parent)
		if parent == nil || parent.Key != o.Signer {
			return no(NotOwner, "and grant %d was not cut from the signer's", b.Grant)
		}
	}
	if of.Revoked {
		return no(NoSuchGrant, "%d is revoked already", b.Grant)
	}
	if owner { // free of charge: there is one for each grant, and no quota stands between a patient and a revoke
		of.Revoked, g.dirty = true, true
		return &Result{First: s.write(g, o.Signer, b), Count: 1}
	}
	r := s.enter(g, o, b)
	if r.Code == OK {
		of.Revoked = true
	}
	return r
}
