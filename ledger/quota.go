package ledger

import (
	"vitalog/key"
	"vitalog/op"
)

const hour = 3_600_000 // ms

// A log has a token bucket of operations and one of bytes, refilled evenly over an hour and never above one hour's worth. A grantee key
// has half of that for itself, and all who are not owners leave a quarter of the log's to the owners: a patient can always revoke.

// full is a bucket of one hour's worth.
func full(p op.Params, part uint64, now uint64) op.Bucket {
	return op.Bucket{Operations: max(1, p.LogOperations/uint32(part)), Bytes: p.LogBytes / part, At: now}
}

// refill adds what the time since b.At has brought. Time is taken in steps of one operation, so that no fraction is lost.
func refill(b op.Bucket, most op.Bucket) op.Bucket {
	elapsed := most.At - b.At
	if elapsed >= hour {
		return most
	}
	gained := elapsed * uint64(most.Operations) / hour
	if gained == 0 {
		return b
	}
	took := (gained*hour + uint64(most.Operations) - 1) / uint64(most.Operations)
	b.Operations = min(most.Operations, b.Operations+uint32(gained))
	b.Bytes = min(most.Bytes, b.Bytes+mulDiv(took, most.Bytes))
	b.At += took
	if b.Operations == most.Operations && b.Bytes == most.Bytes {
		b.At = most.At
	}
	return b
}

// mulDiv is ms·most/hour without overflow: ms is less than an hour.
func mulDiv(ms, most uint64) uint64 { return most/hour*ms + most%hour*ms/hour }

// take is b after one operation of so many bytes, if at least reserve is left in it.
func take(b op.Bucket, bytes uint64, reserve op.Bucket) (op.Bucket, bool) {
	if b.Operations < 1+reserve.Operations || b.Bytes < bytes+reserve.Bytes {
		return b, false
	}
	b.Operations--
	b.Bytes -= bytes
	return b, true
}

// charge takes an operation from the log's quota, and from the key's if it is a grantee's. It is the last check: if it refuses nothing
// has changed, else the operation happens.
func (s *stage) charge(g *log, signer key.Verifier, bytes uint64) *Result {
	p := s.l.genesis.Params
	var reserve op.Bucket
	if !g.head.Owns(signer) {
		reserve = op.Bucket{Operations: p.LogOperations / 4, Bytes: p.LogBytes / 4}
	}
	ofLog, ok := take(refill(g.head.Quota, full(p, 1, s.clock)), bytes, reserve)
	if !ok {
		return no(Quota, "of the log")
	}
	if by := granted(g.head, signer); by != nil {
		ofKey, ok := take(refill(by.Share, full(p, 2, s.clock)), bytes, op.Bucket{})
		if !ok {
			return no(Quota, "of the key")
		}
		by.Share = ofKey
	}
	g.head.Quota, g.dirty = ofLog, true
	return nil
}

// granted is the first grant of a key: it keeps the key's quota and refusals.
func granted(h *op.Head, k key.Verifier) *op.Granted {
	for i := range h.Grants {
		if h.Grants[i].Key == k {
			return &h.Grants[i]
		}
	}
	return nil
}
