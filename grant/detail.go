package grant

import (
	"fmt"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

const detailInfo = "vitalog/v1/detail"

// NoMember stands in a detail for a person who reads with keys of their own: a proxy (spec/proxy.md).
const NoMember = 65535

// Detail is what the patient is told of one access: who, in which role, for which purpose and why. The members that keep it see a blob.
type Detail struct {
	Practitioner string // identifier of the person at the member; empty for a machine
	Name         string
	Role         string
	Member       uint16    // number in the genesis, where its name stands, or NoMember
	Organisation string    // as the patient knows it, a department for instance
	Purpose      string    // v3-ActReason code
	Reason       string    // in words
	Request      RequestID // that led to the grant; zero if none did
	Machine      bool      // no person asked: a nightly job, a device
}

// Use is the one access that a detail belongs to.
type Use struct {
	Network key.Network
	Log     key.Log
	Session wire.Hash    // as in the access operation
	Grantee key.Verifier // that signs it
}

// Seal signs the detail for this use, with the member's long-term key or a proxy's grantee key, and seals it to the owner's exchange key of the log.
func (d *Detail) Seal(to *key.Exchange, sign key.Signer, u Use) ([]byte, error) {
	var w wire.Writer
	d.append(&w)
	digest := u.digest(w.Done())
	sig := sign.Sign(digest[:])
	w.Fixed(sig[:])
	if _, _, err := decodeDetail(w.Done()); err != nil {
		return nil, fmt.Errorf("access detail for %v: %w", u.Log, err)
	}
	return seal(to, detailInfo, u.context(), w.Done())
}

// OpenDetail opens the detail of a use and checks that the member it names has signed it, or the grantee key if it names none.
func OpenDetail(o key.Opener, g *op.Genesis, u Use, sealed []byte) (*Detail, error) {
	if u.Network != g.Network() {
		return nil, fmt.Errorf("access detail for %v: %w", u.Log, op.ErrNetwork)
	}
	b, err := open(o, detailInfo, u.context(), sealed)
	if err != nil {
		return nil, fmt.Errorf("access detail for %v: %w", u.Log, err)
	}
	d, sig, err := decodeDetail(b)
	if err != nil {
		return nil, fmt.Errorf("access detail for %v: %w", u.Log, err)
	}
	k := u.Grantee
	if d.Member != NoMember {
		if k, err = memberKey(g, d.Member); err != nil {
			return nil, fmt.Errorf("access detail for %v: %w", u.Log, err)
		}
	}
	if digest := u.digest(b[:len(b)-len(sig)]); !k.Verify(digest[:], sig) {
		return nil, fmt.Errorf("access detail for %v by member %d: %w", u.Log, d.Member, op.ErrSignature)
	}
	return d, nil
}

func (u *Use) context() []byte { return concat(u.Network[:], u.Log[:], u.Session[:], u.Grantee[:]) }

func (u *Use) digest(unsigned []byte) wire.Hash {
	return wire.Sum(detailInfo, u.Network[:], u.Log[:], u.Session[:], u.Grantee[:], unsigned)
}

func (d *Detail) append(w *wire.Writer) {
	w.U8(Version)
	for _, s := range []string{d.Practitioner, d.Name, d.Role} {
		w.Bytes([]byte(s))
	}
	w.U16(d.Member)
	for _, s := range []string{d.Organisation, d.Purpose, d.Reason} {
		w.Bytes([]byte(s))
	}
	w.Fixed(d.Request[:])
	w.Bool(d.Machine)
}

func decodeDetail(b []byte) (*Detail, key.Signature, error) {
	r := wire.NewReader(b)
	readVersion(r)
	d := &Detail{}
	d.Practitioner = readLine(r, MaxID)
	d.Name, d.Role = readLine(r, MaxName), readLine(r, MaxName)
	d.Member = r.U16()
	d.Organisation = readLine(r, MaxName)
	d.Purpose = readPurpose(r)
	d.Reason = readLines(r, MaxReason)
	r.Fixed(d.Request[:])
	if d.Machine = r.Bool(); r.Err() == nil && d.Machine == (d.Practitioner != "") {
		r.Fail(fmt.Errorf("a machine with a practitioner, or neither: %w", wire.ErrNonCanonical))
	}
	var sig key.Signature
	r.Fixed(sig[:])
	return d, sig, r.End()
}
