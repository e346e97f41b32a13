package op

import "vitalog/wire"

// Names lists the hashes of what members hold because of an entry: a record's ciphertext, or what else stands beside the ledger.
func Names(s Statement) []wire.Hash {
	var all []wire.Hash
	name := func(h wire.Hash) {
		if h != (wire.Hash{}) {
			all = append(all, h)
		}
	}
	switch s := s.(type) {
	case *Create:
		name(s.EpochKey)
	case *Recorded:
		name(s.Blob)
	case *Grant:
		name(s.Message)
	case *Access:
		name(s.Detail)
	case *Accessed:
		name(s.Detail)
	case *Rotate:
		name(s.EpochKey)
		name(s.Mailbox)
	case *Post:
		name(s.Message)
	}
	return all
}
