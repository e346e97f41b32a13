package chart

import (
	"fmt"

	"vitalog/key"
	"vitalog/wire"
)

// attestationVersion of the format.
const attestationVersion = 1

// Attestation is an author's signature over a content with what it takes to check it away from the content: spec/content.md. That Content is the hash of
// what somebody holds, and Author a member's key in the genesis, is for who checks it to look up.
type Attestation struct {
	Record    key.Record
	Content   wire.Hash
	Author    key.Verifier
	Signature key.Signature
}

// Attest takes the author's signature off a content that was opened from the record rid. It is ErrSignature for one that does not verify, as that of an
// attachment's manifest, which signs the manifest.
func (c *Content) Attest(rid key.Record) (*Attestation, error) {
	a := &Attestation{Record: rid, Content: wire.Sum("vitalog/v1/content", c.unsigned()), Author: c.Author.Key, Signature: c.Signature}
	return a, a.Verify()
}

// Verify tells whether the author signed a content of that hash for that record.
func (a *Attestation) Verify() error {
	if m := wire.Sum("vitalog/v1/provenance", a.Record[:], a.Content[:]); !a.Author.Verify(m[:], a.Signature) {
		return fmt.Errorf("%v: %w", a.Record, ErrSignature)
	}
	return nil
}

// Encode is the attestation's only encoding.
func (a *Attestation) Encode() []byte {
	var w wire.Writer
	w.U8(attestationVersion)
	w.Fixed(a.Record[:])
	w.Fixed(a.Content[:])
	w.Fixed(a.Author[:])
	w.Fixed(a.Signature[:])
	return w.Done()
}

// DecodeAttestation reads what Encode wrote, and nothing else. It does not verify it.
func DecodeAttestation(b []byte) (*Attestation, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != attestationVersion {
		return nil, fmt.Errorf("attestation of version %d: %w", v, wire.ErrNonCanonical)
	}
	a := &Attestation{}
	r.Fixed(a.Record[:])
	r.Fixed(a.Content[:])
	r.Fixed(a.Author[:])
	r.Fixed(a.Signature[:])
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("attestation: %w", err)
	}
	return a, nil
}
