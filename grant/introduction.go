package grant

import (
	"fmt"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// Introduction is a member's signed word that a grantee key is its own, for one log and one purpose. Only patients see it: on the ledger
// a grantee key has no name.
type Introduction struct {
	Member  uint16 // number in the genesis
	Log     key.Log
	Purpose string // v3-ActReason code
	Grantee key.Verifier
	Sig     key.Signature
}

// Introduce signs with the member's long-term key.
func Introduce(network key.Network, member uint16, sign key.Signer, log key.Log, purpose string, grantee key.Verifier) (*Introduction, error) {
	if !ValidPurpose(purpose) {
		return nil, fmt.Errorf("introduction: purpose of use %q: %w", purpose, wire.ErrNonCanonical)
	}
	i := &Introduction{Member: member, Log: log, Purpose: purpose, Grantee: grantee}
	d := i.digest(network)
	i.Sig = sign.Sign(d[:])
	return i, nil
}

// Verify checks that the member of the genesis has signed.
func (i *Introduction) Verify(g *op.Genesis) error {
	k, err := memberKey(g, i.Member)
	if err != nil {
		return fmt.Errorf("introduction of %v: %w", i.Grantee, err)
	}
	if d := i.digest(g.Network()); !k.Verify(d[:], i.Sig) {
		return fmt.Errorf("introduction of %v by member %d: %w", i.Grantee, i.Member, op.ErrSignature)
	}
	return nil
}

func (i *Introduction) digest(network key.Network) wire.Hash {
	var w wire.Writer
	w.U16(i.Member)
	return wire.Sum("vitalog/v1/introduction", network[:], w.Done(), i.Log[:], []byte(i.Purpose), i.Grantee[:])
}

// Encode is the introduction's only encoding.
func (i *Introduction) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	i.append(&w)
	return w.Done()
}

// DecodeIntroduction reads one; Verify tells whether to believe it.
func DecodeIntroduction(b []byte) (*Introduction, error) {
	r := wire.NewReader(b)
	readVersion(r)
	var i Introduction
	i.read(r)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("introduction: %w", err)
	}
	return &i, nil
}

const minIntroduction = 2 + 32 + 5 + 32 + 64

func (i *Introduction) append(w *wire.Writer) {
	w.U16(i.Member)
	w.Fixed(i.Log[:])
	w.Bytes([]byte(i.Purpose))
	w.Fixed(i.Grantee[:])
	w.Fixed(i.Sig[:])
}

func (i *Introduction) read(r *wire.Reader) {
	i.Member = r.U16()
	r.Fixed(i.Log[:])
	i.Purpose = readPurpose(r)
	r.Fixed(i.Grantee[:])
	r.Fixed(i.Sig[:])
}
