// Package consent decides who may do what in one log, from the grants that the log holds and nothing else.
//
// It promises that every validator, the patient's device and an auditor come to the same decision: Decide is a pure function of the
// grants, the request and the ledger clock. It refuses by default: no grant, no right.
//
//	grant 7: key vk:03… may read entries [0,∞) from 09:00 until 12:00, 3 times
//	Decide(grants, {key vk:03…, grant 7, read, entries [4,6), now 12:00})  =  Expired
//
// See spec/operations.md.
package consent

import (
	"math"
	"sort"
	"strings"

	"vitalog/key"
)

// Rights is a set of things that a grantee key may do in a log. The bits are permanent.
type Rights uint8

const (
	Write     Rights = 1 << 0 // append records, and supersede its own
	Read      Rights = 1 << 1 // have records released to it
	Post      Rights = 1 << 2 // post without an admission ticket
	SubGrant  Rights = 1 << 3 // grant a part of its own rights to others
	ActFor    Rights = 1 << 4 // stands for the patient: a parent, a carer, an executor
	AllRights        = Write | Read | Post | SubGrant | ActFor
)

// String lists the rights by name, "read,write".
func (r Rights) String() string {
	var out []string
	for _, n := range []struct {
		bit  Rights
		name string
	}{{Read, "read"}, {Write, "write"}, {Post, "post"}, {SubGrant, "sub-grant"}, {ActFor, "act-for"}} {
		if r&n.bit != 0 {
			out = append(out, n.name)
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ",")
}

// Forever is the open end of a range: entries that are yet to come.
const Forever = math.MaxUint64

// Range is the entries From ≤ n < To.
type Range struct{ From, To uint64 }

// Covers tells whether r lies within one of the ranges.
func Covers(ranges []Range, r Range) bool {
	for _, x := range ranges {
		if x.From <= r.From && r.To <= x.To {
			return true
		}
	}
	return false
}

// Overlaps tells whether r shares an entry with one of the ranges.
func Overlaps(ranges []Range, r Range) bool {
	for _, x := range ranges {
		if x.From < r.To && r.From < x.To {
			return true
		}
	}
	return false
}

// Ordered tells whether ranges are not empty, ascending and apart from each other: their only canonical form.
func Ordered(ranges []Range) bool {
	var end uint64
	for i, r := range ranges {
		if r.From >= r.To || i > 0 && r.From <= end {
			return false
		}
		end = r.To
	}
	return true
}

// Terms are what a grant says. Times are ledger-clock milliseconds.
type Terms struct {
	Key    key.Verifier // the grantee key
	Rights Rights
	Ranges []Range // entries that may be read; a grant without the right to read has none
	From   uint64  // first moment
	Until  uint64  // first moment no more; 0: until it is revoked
	Uses   uint32  // allowed accesses; 0: any number
	Parent uint64  // entry of the grant that this one was cut from; 0: given by the owner
}

// Grant is the state of a grant: its terms and what has become of it.
type Grant struct {
	Entry uint64 // its number in the log
	Terms
	Used    uint32
	Revoked bool
}

// Reason says why a request is refused. The numbers are permanent: they stand in entries.
type Reason uint8

const (
	Allowed     Reason = 0
	NoGrant     Reason = 1 // the key holds no grant of that number
	Revoked     Reason = 2 // stopped by the owner
	ParentEnded Reason = 3 // the grant that it was cut from has ended
	NotYet      Reason = 4 // before From
	Expired     Reason = 5 // at or after Until
	UsedUp      Reason = 6 // Uses accesses were made
	OutOfRange  Reason = 7 // entries that the grant does not cover
	NoRight     Reason = 8 // the grant is for something else
	Erased      Reason = 9 // a record asked for is blocked
	lastReason         = Erased
)

var reasonText = [...]string{"allowed", "no such grant", "revoked", "the grant it came from has ended", "not yet valid", "expired", "used up", "entries outside the grant", "right not granted", "record erased"}

// Valid tells whether r is a reason of this version.
func (r Reason) Valid() bool { return r <= lastReason }

// String is a few plain words.
func (r Reason) String() string {
	if !r.Valid() {
		return "unknown reason"
	}
	return reasonText[r]
}

// Request is what a key wants to do.
type Request struct {
	Key    key.Verifier
	Grant  uint64 // entry of the grant it invokes; 0: any of its grants
	Right  Rights // exactly one
	Ranges []Range
	Now    uint64 // ledger clock, ms
}

// Decide returns the number of the grant that allows the request, or the reason why none does: of several refusals the one of the
// newest grant, because that is the one that the reader was told of.
func Decide(grants []Grant, erased []Range, q Request) (grant uint64, why Reason) {
	why = NoGrant
	for i := len(grants) - 1; i >= 0; i-- {
		g := &grants[i]
		if g.Key != q.Key || q.Grant != 0 && g.Entry != q.Grant {
			continue
		}
		r := judge(grants, g, q)
		if r == Allowed {
			for _, x := range q.Ranges {
				if q.Right == Read && Overlaps(erased, x) {
					return g.Entry, Erased
				}
			}
			return g.Entry, Allowed
		}
		if why == NoGrant {
			grant, why = g.Entry, r
		}
	}
	return grant, why
}

// judge holds one grant against the request, and the chain of grants that it was cut from.
func judge(grants []Grant, g *Grant, q Request) Reason {
	if r := state(g, q.Now); r != Allowed {
		return r
	}
	for p := g.Parent; p != 0; {
		parent := Find(grants, p)
		if parent == nil || state(parent, q.Now) != Allowed {
			return ParentEnded
		}
		p = parent.Parent
	}
	if g.Rights&q.Right == 0 {
		return NoRight
	}
	if q.Right == Read {
		for _, x := range q.Ranges {
			if !Covers(g.Ranges, x) {
				return OutOfRange
			}
		}
	}
	return Allowed
}

// state is Allowed while the grant is in force.
func state(g *Grant, now uint64) Reason {
	switch {
	case g.Revoked:
		return Revoked
	case now < g.From:
		return NotYet
	case g.Until != 0 && now >= g.Until:
		return Expired
	case g.Uses != 0 && g.Used >= g.Uses:
		return UsedUp
	}
	return Allowed
}

// Find is the grant of entry n, or nil. Grants are in the order of their entries.
func Find(grants []Grant, n uint64) *Grant {
	i := sort.Search(len(grants), func(i int) bool { return grants[i].Entry >= n })
	if i == len(grants) || grants[i].Entry != n {
		return nil
	}
	return &grants[i]
}

// Within tells whether child asks for no more than parent has: rights, entries and period. Uses are counted on both.
func Within(parent, child Terms) bool {
	if child.Rights&^parent.Rights != 0 || child.From < parent.From {
		return false
	}
	if parent.Until != 0 && (child.Until == 0 || child.Until > parent.Until) {
		return false
	}
	for _, r := range child.Ranges {
		if !Covers(parent.Ranges, r) {
			return false
		}
	}
	return true
}
