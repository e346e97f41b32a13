package ledger

import (
	"vitalog/op"
	"vitalog/wire"
)

// A record's ciphertext is named once, and nothing else has its hash. Else who destroys a record of its own would have every member delete
// the ciphertext of another's, or what else members hold under a hash.

const (
	namedByRecord = 1
	namedByOther  = 2 // any number of times
)

func namedAt(h wire.Hash) []byte { return append([]byte{atNamed}, h[:]...) }

// name notes what an entry names.
func (s *stage) name(says op.Statement) {
	by := byte(namedByOther)
	if says.Kind() == op.KindAppend {
		by = namedByRecord
	}
	for _, h := range op.Names(says) {
		s.put(namedAt(h), []byte{by})
		if s.named == nil {
			s.named = map[wire.Hash]byte{}
		}
		s.named[h] = by
	}
}

// namesRecord refuses what names a hash that a record's ciphertext has.
func (s *stage) namesRecord(b op.Body) *Result {
	for _, h := range op.Names(b) {
		by := s.named[h]
		if by == 0 {
			if v := s.get(namedAt(h)); len(v) == 1 {
				by = v[0]
			}
		}
		if by == namedByRecord {
			return no(NamedBefore, "%v, by a record", h)
		}
	}
	return nil
}

// namedBefore finds the first of records whose ciphertext was named before, or comes twice.
func (s *stage) namedBefore(records []op.Record) *Result {
	within, keys := make(map[wire.Hash]bool, len(records)), make([][]byte, 0, len(records))
	for i := range records {
		for _, h := range op.Names(&op.Recorded{Record: records[i]}) {
			if within[h] || s.named[h] != 0 {
				return no(NamedBefore, "%v", h)
			}
			within[h] = true
			keys = append(keys, namedAt(h))
		}
	}
	if i := s.present(keys); i >= 0 {
		return no(NamedBefore, "%x", keys[i][1:])
	}
	return nil
}
