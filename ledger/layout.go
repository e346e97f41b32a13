package ledger

import (
	"encoding/binary"

	"vitalog/key"
	"vitalog/op"
)

// Keys of the store. A first byte tells the kind; numbers are big-endian, so that a scan is in order.
//
//	m                           height, state, network               the last commit
//	h log#                      head
//	l log id                    log#                                 the log's creation number
//	e log# entry#               entry
//	f log#                      frontier of the log's tree
//	n log# level index          hash of a complete subtree of 2^level entries; level 3, 6, 9…
//	r log# record id            entry#                               for ever, erased or not
//	u sha256                    01 or 02                             named by a record, or by anything else
//	p log# key                  entry#                               a key that posted with a ticket: it may not again
//	o log# key                  key                                  the grantee's first key, for all keys it ever had, once it has had two
//	b height                    (log#, first entry#, count)…         what the block added, in order
//	a log# last entry#          height                           the block that added the run of entries that ends there
//	t                           tickets accepted, for each member
//	k gen                       network key
//	c                           ceremony
//	s member#                   height up to which the member says that it holds what blocks asked for
//	x member# sha256            01: but not this
//	d member#                   upto, entry#                         the member's last deletion receipt
//	w minute height             ids of operations that expire in that minute, in order
const (
	atMeta     = 'm'
	atHead     = 'h'
	atLog      = 'l'
	atEntry    = 'e'
	atFrontier = 'f'
	atNode     = 'n'
	atRecord   = 'r'
	atNamed    = 'u'
	atPoster   = 'p'
	atOrigin   = 'o'
	atBlock    = 'b'
	atRun      = 'a'
	atTickets  = 't'
	atKey      = 'k'
	atCeremony = 'c'
	atUpto     = 's'
	atLacking  = 'x'
	atDeleted  = 'd'
	atWindow   = 'w'
)

// nodeLevels is how far apart the levels of stored nodes are. Those between are hashed when a proof needs them, from at most four pairs: a
// node for seven entries instead of one for each.
const nodeLevels = 3

// at is a key of the store with up to two numbers.
func at(kind byte, numbers ...uint64) []byte {
	b := make([]byte, 1, 1+8*len(numbers)+1)
	b[0] = kind
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func logAt(log key.Log) []byte { return append([]byte{atLog}, log[:]...) }

func recordAt(log uint64, rid key.Record) []byte { return append(at(atRecord, log), rid[:]...) }

func posterAt(log uint64, k key.Verifier) []byte { return append(at(atPoster, log), k[:]...) }

func originAt(log uint64, k key.Verifier) []byte { return append(at(atOrigin, log), k[:]...) }

func nodeAt(log uint64, level int, i uint64) []byte {
	b := append(at(atNode, log), byte(level))
	return binary.BigEndian.AppendUint64(b, i)
}

// number reads a value that is one number.
func number(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// run is a row of entries that one block added to one log.
type run struct{ log, first, count uint64 }

// entryCost is what the operation takes from the quota beyond its own size: the sealed message that it makes members keep.
func entryCost(o *op.Operation) uint64 {
	if p, ok := o.Body.(*op.Post); ok {
		return uint64(o.Size()) + uint64(p.Size)
	}
	return uint64(o.Size())
}
