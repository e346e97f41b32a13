package release

import (
	"fmt"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// Version of the formats in this package.
const Version = 1

// Request asks a holder for its part of the keys of the records that an access names. It tells who asks only to the patient, in Detail; the
// rest stands on the ledger, so it is not sealed.
type Request struct {
	Log     key.Log
	Number  uint64       // entry of the access
	Session key.Exchange // what the reply is sealed to; its hash stands in the entry
	Detail  []byte       // as sealed to the log's owner; its SHA-256 stands in the entry
	Entries []uint64     // records that the access names and whose parts are wanted, ascending
}

// Encode is the request's only encoding.
func (q *Request) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	w.Fixed(q.Log[:])
	w.U64(q.Number)
	w.Fixed(q.Session[:])
	w.Bytes(q.Detail)
	w.U32(uint32(len(q.Entries)))
	for _, n := range q.Entries {
		w.U64(n)
	}
	return w.Done()
}

// DecodeRequest reads a request of at most op.MaxSealed bytes of detail and op.MaxAccessEntries entries.
func DecodeRequest(b []byte) (*Request, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != Version {
		return nil, fmt.Errorf("release request: format version %d, this program reads %d", v, Version)
	}
	q := &Request{}
	r.Fixed(q.Log[:])
	q.Number = r.U64()
	r.Fixed(q.Session[:])
	q.Detail = r.Bytes(op.MaxSealed)
	q.Entries = make([]uint64, r.Count(op.MaxAccessEntries, 8))
	for i := range q.Entries {
		if q.Entries[i] = r.U64(); i > 0 && q.Entries[i] <= q.Entries[i-1] {
			r.Fail(fmt.Errorf("entries out of order: %w", wire.ErrNonCanonical))
		}
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("release request: %w", err)
	}
	return q, nil
}
