package ledger

import (
	"slices"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/ticket"
	"vitalog/wire"
)

func (s *stage) create(o *op.Operation, b *op.Create) *Result {
	if want := key.LogID(s.l.network, o.Signer, b.Salt); o.Log != want {
		return no(WrongLogID, "signer and salt make %v", want)
	}
	if !o.Signer.Sound() {
		return no(UnsoundKey, "")
	}
	if s.log(o.Log) != nil {
		return no(LogExists, "%v", o.Log)
	}
	if r := s.admit(&b.Ticket, op.CreateSubject(o.Log)); r != nil {
		return r
	}
	h := &op.Head{Number: s.count, Log: o.Log, Owners: []key.Verifier{o.Signer}, Epoch: 1, EpochKey: b.EpochKey, Quota: full(s.l.genesis.Params, 1, s.clock)}
	g := &log{head: h, frontier: &merkle.Frontier{}}
	if r := s.charge(g, o.Signer, entryCost(o)); r != nil {
		return r
	}
	s.count++
	s.spend(&b.Ticket)
	s.put(logAt(o.Log), wire.U64(h.Number))
	s.hold(g)
	return &Result{First: s.write(g, o.Signer, b), Count: 1}
}

// admit checks an admission ticket.
func (s *stage) admit(t *ticket.Ticket, subject wire.Hash) *Result {
	if int(t.Issuer) >= len(s.l.issuers) {
		return no(BadTicket, "there is no member %d", t.Issuer)
	}
	if s.tickets[t.Issuer] >= s.l.genesis.Params.LogsPerMember {
		return no(TicketsSpent, "of member %d", t.Issuer)
	}
	if t.Verify(s.l.issuers[t.Issuer], subject) != nil {
		return no(BadTicket, "of member %d", t.Issuer)
	}
	return nil
}

// spend counts an admission ticket. The committed counts stay as they are.
func (s *stage) spend(t *ticket.Ticket) {
	s.tickets = slices.Clone(s.tickets)
	s.tickets[t.Issuer]++
}

// anchor puts a hash into the signer's own log of anchors, and into no other: so it stands in nobody's chart.
func (s *stage) anchor(g *log, o *op.Operation, b *op.Anchor) *Result {
	if want := op.AnchorLog(s.l.network, o.Signer); o.Log != want {
		return no(WrongLogID, "the signer's anchors belong in %v", want)
	}
	if !g.head.Owns(o.Signer) {
		return no(NotOwner, "")
	}
	return s.enter(g, o, b)
}

// post leaves a message for the owner: by a key made for it, with a ticket, or by a grantee with the right to.
func (s *stage) post(g *log, o *op.Operation, b *op.Post) *Result {
	if granted(g.head, o.Signer) != nil {
		if b.Ticket != (ticket.Ticket{}) {
			return no(BadTicket, "a grantee posts without a ticket")
		}
		if r := s.allowed(g, o.Signer, consent.Post); r != nil {
			return r
		}
		return s.enter(g, o, b)
	}
	if g.head.Owns(o.Signer) || s.origin(g, o.Signer) != (key.Verifier{}) || s.posted(g, o.Signer) {
		return no(KeyInUse, "a post is signed by a fresh key")
	}
	if r := s.admit(&b.Ticket, op.PostSubject(o.Log, o.Signer)); r != nil {
		return r
	}
	r := s.enter(g, o, b)
	if r.Code == OK {
		s.spend(&b.Ticket)
		s.put(posterAt(g.head.Number, o.Signer), wire.U64(r.First))
		if g.posters == nil {
			g.posters = map[key.Verifier]bool{}
		}
		g.posters[o.Signer] = true
	}
	return r
}

// posted tells whether a key has used up its ticket.
func (s *stage) posted(g *log, k key.Verifier) bool {
	return g.posters[k] || s.get(posterAt(g.head.Number, k)) != nil
}
