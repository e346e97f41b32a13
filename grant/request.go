package grant

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

const requestInfo = "vitalog/v1/request"

// RequestID names a request in the answer and in the details of later accesses. It is random.
type RequestID [16]byte

// Request is a member's wish for a grant, posted to a patient's inbox.
type Request struct {
	ID            RequestID
	Network       key.Network
	Inbox         key.Log // the log that it is posted to
	Member        uint16  // number in the genesis of who asks
	Purpose       string  // v3-ActReason code
	Rights        consent.Rights
	Sections      []section.Section // wished, ascending
	Introductions []Introduction    // of a grantee key per log that the asker knows, ascending by log; none if it knows only the inbox
	From, Until   uint64            // the period of care that the wished data is from: Unix ms, Until excluded; 0: open
	Lasts         uint64            // for how long the grant is wished, ms; 0: until it is revoked
	Uses          uint32            // accesses wished; 0: any number

	Practitioner string // identifier of the person who asks; empty for a machine
	Name         string
	Role         string
	Organisation string // as the patient knows it, a department for instance; the member's name is in the genesis
	Reason       string // in words, for the patient
}

// NewRequestID draws an id.
func NewRequestID() (id RequestID) {
	rand.Read(id[:])
	return id
}

// Seal signs the request with the member's long-term key and seals it to the owner's exchange key of the inbox.
func (q *Request) Seal(to *key.Exchange, sign key.Signer) ([]byte, error) {
	var w wire.Writer
	q.append(&w)
	d := requestDigest(w.Done())
	sig := sign.Sign(d[:])
	w.Fixed(sig[:])
	if _, _, err := decodeRequest(w.Done()); err != nil {
		return nil, fmt.Errorf("request to %v: %w", q.Inbox, err)
	}
	return seal(to, requestInfo, concat(q.Network[:], q.Inbox[:]), w.Done())
}

// OpenRequest opens a request that was posted to inbox, and checks the signatures of the request and of each introduction.
func OpenRequest(o key.Opener, g *op.Genesis, inbox key.Log, sealed []byte) (*Request, error) {
	network := g.Network()
	b, err := open(o, requestInfo, concat(network[:], inbox[:]), sealed)
	if err != nil {
		return nil, fmt.Errorf("request in %v: %w", inbox, err)
	}
	q, sig, err := decodeRequest(b)
	if err != nil {
		return nil, fmt.Errorf("request in %v: %w", inbox, err)
	}
	if q.Network != network || q.Inbox != inbox {
		return nil, fmt.Errorf("request in %v: it was written for another inbox", inbox)
	}
	k, err := memberKey(g, q.Member)
	if err != nil {
		return nil, fmt.Errorf("request in %v: %w", inbox, err)
	}
	if d := requestDigest(b[:len(b)-len(sig)]); !k.Verify(d[:], sig) {
		return nil, fmt.Errorf("request in %v by member %d: %w", inbox, q.Member, op.ErrSignature)
	}
	for i := range q.Introductions {
		if err := q.Introductions[i].Verify(g); err != nil {
			return nil, fmt.Errorf("request in %v: %w", inbox, err)
		}
	}
	return q, nil
}

func requestDigest(unsigned []byte) wire.Hash { return wire.Sum(requestInfo, unsigned) }

func (q *Request) append(w *wire.Writer) {
	w.U8(Version)
	w.Fixed(q.ID[:])
	w.Fixed(q.Network[:])
	w.Fixed(q.Inbox[:])
	w.U16(q.Member)
	w.Bytes([]byte(q.Purpose))
	w.U8(uint8(q.Rights))
	appendSections(w, q.Sections)
	w.U32(uint32(len(q.Introductions)))
	for i := range q.Introductions {
		q.Introductions[i].append(w)
	}
	w.U64(q.From)
	w.U64(q.Until)
	w.U64(q.Lasts)
	w.U32(q.Uses)
	for _, s := range []string{q.Practitioner, q.Name, q.Role, q.Organisation, q.Reason} {
		w.Bytes([]byte(s))
	}
}

func decodeRequest(b []byte) (*Request, key.Signature, error) {
	r := wire.NewReader(b)
	readVersion(r)
	q := &Request{}
	r.Fixed(q.ID[:])
	r.Fixed(q.Network[:])
	r.Fixed(q.Inbox[:])
	q.Member = r.U16()
	q.Purpose = readPurpose(r)
	q.Rights = readRights(r)
	if q.Sections = readSections(r); r.Err() == nil && len(q.Sections) == 0 {
		r.Fail(fmt.Errorf("no section is asked for: %w", wire.ErrNonCanonical))
	}
	q.Introductions = make([]Introduction, r.Count(MaxIntroductions, minIntroduction))
	for i := range q.Introductions {
		x := &q.Introductions[i]
		x.read(r)
		if r.Err() != nil {
			break
		}
		if x.Member != q.Member || x.Purpose != q.Purpose {
			r.Fail(fmt.Errorf("introduction by another member or for another purpose: %w", wire.ErrNonCanonical))
		}
		if i > 0 && bytes.Compare(q.Introductions[i-1].Log[:], x.Log[:]) >= 0 {
			r.Fail(fmt.Errorf("introductions out of order: %w", wire.ErrNonCanonical))
		}
	}
	q.From, q.Until, q.Lasts = r.U64(), r.U64(), r.U64()
	if q.Until != 0 && q.Until <= q.From {
		r.Fail(fmt.Errorf("a period that ends before it begins: %w", wire.ErrNonCanonical))
	}
	q.Uses = r.U32()
	q.Practitioner = readLine(r, MaxID)
	q.Name, q.Role, q.Organisation = readLine(r, MaxName), readLine(r, MaxName), readLine(r, MaxName)
	q.Reason = readLines(r, MaxReason)
	var sig key.Signature
	r.Fixed(sig[:])
	return q, sig, r.End()
}

func appendSections(w *wire.Writer, list []section.Section) {
	w.U8(uint8(len(list)))
	for _, s := range list {
		w.U8(uint8(s))
	}
}

func readSections(r *wire.Reader) []section.Section {
	n := int(r.U8())
	var out []section.Section
	for i := range n {
		s := readSection(r)
		if r.Err() != nil {
			return nil
		}
		if i > 0 && s <= out[i-1] {
			r.Fail(fmt.Errorf("sections out of order: %w", wire.ErrNonCanonical))
			return nil
		}
		out = append(out, s)
	}
	return out
}
