package ledger

import (
	"errors"
	"fmt"
	"slices"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// What members say that they have deleted (spec/erasure.md). It is made of the receipts' entries alone.

// deleted takes a member's deletion receipt, in its own log of receipts and in no other.
func (s *stage) deleted(g *log, o *op.Operation, b *op.Deleted) *Result {
	if want := op.StoredLog(s.l.network, o.Signer); o.Log != want {
		return no(WrongLogID, "the signer's deletion receipts belong in %v", want)
	}
	if !g.head.Owns(o.Signer) {
		return no(NotOwner, "")
	}
	member := s.member(o.Signer)
	if member < 0 {
		return no(NotMember, "")
	}
	last, inBlock := s.gone[member]
	if !inBlock {
		last, _ = decodeDeletion(s.get(at(atDeleted, uint64(member))))
	}
	switch {
	case b.Upto >= s.height:
		return no(OutOfLine, "block %d is not committed before block %d", b.Upto, s.height)
	case b.Upto <= last:
		return no(OutOfLine, "block %d after block %d", b.Upto, last)
	}
	r := s.enter(g, o, &op.Cleared{Deleted: *b, Before: s.firstAfter(b.Upto)})
	if r.Code == OK {
		if s.gone == nil {
			s.gone = map[int]uint64{}
		}
		s.gone[member] = b.Upto
		s.put(at(atDeleted, uint64(member)), append(wire.U64(b.Upto), wire.U64(r.First)...))
	}
	return r
}

func (s *stage) member(k key.Verifier) int {
	return slices.IndexFunc(s.l.genesis.Members, func(m op.Member) bool { return m.Sign == k })
}

// firstAfter is the time of the first entry after a committed block; the block's in the making has the ledger clock's.
func (s *stage) firstAfter(height uint64) uint64 {
	t := s.clock
	err := s.l.store.Scan(at(atBlock, height+1), at(atBlock, s.height), func(_, v []byte) error {
		first := decodeRuns(v)[0]
		t = s.entryAt(first.log, first.first)
		return errFound
	})
	if s.err == nil && !errors.Is(err, errFound) {
		s.err = err
	}
	return t
}

// entryAt is the time of a committed entry, which stands after its kind.
func (s *stage) entryAt(log, n uint64) uint64 {
	b := s.get(at(atEntry, log, n))
	if s.err == nil && len(b) < 9 {
		s.err = fmt.Errorf("entry %d of log %d has %d bytes", n, log, len(b))
	}
	if s.err != nil {
		return 0
	}
	return number(b[1:])
}

func decodeDeletion(b []byte) (upto, entry uint64) {
	if len(b) != 16 {
		return 0, 0
	}
	return number(b), number(b[8:])
}

// Deleted is the height up to which a member has said that everything ordered destroyed is gone, and the entry of its log of receipts that says
// so; 0 if it said nothing.
func (l *Ledger) Deleted(member int) (upto, entry uint64, err error) {
	b, err := l.store.Get(at(atDeleted, uint64(member)))
	if err != nil {
		return 0, 0, fmt.Errorf("ledger: %w", err)
	}
	upto, entry = decodeDeletion(b)
	return upto, entry, nil
}
