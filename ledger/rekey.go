package ledger

import (
	"vitalog/key"
	"vitalog/op"
)

// rotate begins the next epoch of the log's reader key.
func (s *stage) rotate(g *log, o *op.Operation, b *op.Rotate) *Result {
	if !g.head.Owns(o.Signer) {
		return no(NotOwner, "")
	}
	if b.Epoch != g.head.Epoch+1 {
		return no(StaleEpoch, "%d, want %d", b.Epoch, g.head.Epoch+1)
	}
	r := s.enter(g, o, b)
	if r.Code == OK {
		g.head.Epoch, g.head.EpochKey = b.Epoch, b.EpochKey
	}
	return r
}

func (s *stage) rekeyOwner(g *log, o *op.Operation, b *op.RekeyOwner) *Result {
	if !g.head.Owns(o.Signer) {
		return no(NotOwner, "")
	}
	if r := s.mayReplace(g, o, b.New, b.Proof); r != nil {
		return r
	}
	r := s.enter(g, o, b)
	if r.Code == OK {
		for i := range g.head.Owners {
			if g.head.Owners[i] == o.Signer {
				g.head.Owners[i] = b.New
			}
		}
	}
	return r
}

// rekeyGrantee moves all grants of a key, ended ones too, its authorship and the copies that it keeps.
func (s *stage) rekeyGrantee(g *log, o *op.Operation, b *op.RekeyGrantee) *Result {
	if granted(g.head, o.Signer) == nil {
		return no(NotGranted, "")
	}
	if r := s.mayReplace(g, o, b.New, b.Proof); r != nil {
		return r
	}
	r := s.enter(g, o, b)
	if r.Code == OK {
		for i := range g.head.Grants {
			if g.head.Grants[i].Key == o.Signer {
				g.head.Grants[i].Key = b.New
			}
		}
		for i := range g.head.Kept {
			if g.head.Kept[i].Key == o.Signer {
				g.head.Kept[i].Key = b.New
			}
		}
		first := s.first(g, o.Signer)
		s.setOrigin(g, o.Signer, first)
		s.setOrigin(g, b.New, first)
	}
	return r
}

// mayReplace tells whether a key is fresh in this log and agrees to take over.
func (s *stage) mayReplace(g *log, o *op.Operation, next key.Verifier, proof key.Signature) *Result {
	if !next.Sound() {
		return no(UnsoundKey, "")
	}
	if g.head.Owns(next) || granted(g.head, next) != nil || s.origin(g, next) != (key.Verifier{}) || s.posted(g, next) {
		return no(KeyInUse, "")
	}
	if subject := op.RekeySubject(s.l.network, o.Log, o.Signer, next); !next.Verify(subject[:], proof) {
		return no(BadProof, "")
	}
	return nil
}

// origin is the first key of the grantee that k is or was a key of; zero if its key never changed.
func (s *stage) origin(g *log, k key.Verifier) key.Verifier {
	if v, ok := g.origins[k]; ok {
		return v
	}
	if b := s.get(originAt(g.head.Number, k)); b != nil {
		return key.Verifier(b)
	}
	return key.Verifier{}
}

func (s *stage) setOrigin(g *log, k, first key.Verifier) {
	if g.origins == nil {
		g.origins = map[key.Verifier]key.Verifier{}
	}
	g.origins[k] = first
	s.put(originAt(g.head.Number, k), first[:])
}

// first is origin, or the key itself.
func (s *stage) first(g *log, k key.Verifier) key.Verifier {
	if v := s.origin(g, k); v != (key.Verifier{}) {
		return v
	}
	return k
}

// same tells whether two keys are of one grantee.
func (s *stage) same(g *log, x, y key.Verifier) bool { return s.first(g, x) == s.first(g, y) }
