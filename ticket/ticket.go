// Package ticket has admission tickets: a member's blind signature (RFC 9474, RSABSSA-SHA384-PSS-Randomized) over a subject that the
// member does not see, so that it can limit how many logs and posts it admits without learning which.
//
// It promises that a ticket fits its subject alone and that nobody, the issuer included, can tell from a ticket when it was issued. It
// refuses keys of other than KeyBits.
//
//	request := Blind(issuer, subject)  →  the member signs request.Blinded  →  ticket := request.Finish(signature)
//
// See spec/operations.md.
package ticket

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/blindsign/blindrsa"

	"vitalog/wire"
)

// KeyBits is the size of an issuer's modulus.
const KeyBits = 2048

// SignatureSize is the size of a ticket's signature in bytes.
const SignatureSize = KeyBits / 8

const variant = blindrsa.SHA384PSSRandomized

// ErrTicket says that a ticket was not issued by that member for that subject.
var ErrTicket = errors.New("admission ticket does not verify")

// Ticket is the signature of member number Issuer over a subject.
type Ticket struct {
	Issuer uint16 // index in the list of members
	Prefix [32]byte
	Sig    [SignatureSize]byte
}

// Append writes the ticket's encoding.
func (t *Ticket) Append(w *wire.Writer) {
	w.U16(t.Issuer)
	w.Fixed(t.Prefix[:])
	w.Fixed(t.Sig[:])
}

// Read reads the ticket's encoding.
func (t *Ticket) Read(r *wire.Reader) {
	t.Issuer = r.U16()
	r.Fixed(t.Prefix[:])
	r.Fixed(t.Sig[:])
}

// Key is an issuer's public key: DER of its SubjectPublicKeyInfo.
type Key []byte

// ParseKey checks the encoding and the size.
func ParseKey(der []byte) (*rsa.PublicKey, error) {
	k, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("ticket key: %w", err)
	}
	pk, ok := k.(*rsa.PublicKey)
	if !ok || pk.N.BitLen() != KeyBits {
		return nil, fmt.Errorf("ticket key: want RSA of %d bits", KeyBits)
	}
	if again, err := x509.MarshalPKIXPublicKey(pk); err != nil || !bytes.Equal(again, der) {
		return nil, fmt.Errorf("ticket key: %w", wire.ErrNonCanonical)
	}
	return pk, nil
}

// Verify checks a ticket against its issuer's key.
func (t *Ticket) Verify(issuer *rsa.PublicKey, subject wire.Hash) error {
	v, err := blindrsa.NewVerifier(variant, issuer)
	if err != nil {
		return fmt.Errorf("ticket key: %w", err)
	}
	if v.Verify(append(t.Prefix[:], subject[:]...), t.Sig[:]) != nil {
		return ErrTicket
	}
	return nil
}

// Request is a ticket on its way.
type Request struct {
	Blinded []byte // what the issuer sees
	issuer  uint16
	prefix  [32]byte
	client  blindrsa.Client
	state   blindrsa.State
}

// Blind prepares a request to member number issuer.
func Blind(issuer uint16, pk *rsa.PublicKey, subject wire.Hash) (*Request, error) {
	c, err := blindrsa.NewClient(variant, pk)
	if err != nil {
		return nil, fmt.Errorf("ticket key: %w", err)
	}
	prepared, err := c.Prepare(rand.Reader, subject[:])
	if err != nil {
		return nil, fmt.Errorf("ticket request: %w", err)
	}
	blinded, state, err := c.Blind(rand.Reader, prepared)
	if err != nil {
		return nil, fmt.Errorf("ticket request: %w", err)
	}
	return &Request{Blinded: blinded, issuer: issuer, prefix: [32]byte(prepared), client: c, state: state}, nil
}

// Format keeps prefix and blinding, by which its ticket could be recognised, out of text.
func (Request) Format(f fmt.State, _ rune) { io.WriteString(f, "(ticket request)") }

// LogValue keeps them out of logs.
func (Request) LogValue() slog.Value { return slog.StringValue("(secret)") }

// Finish takes off the blinding and checks the result.
func (q *Request) Finish(sig []byte) (*Ticket, error) {
	out, err := q.client.Finalize(q.state, sig)
	if err != nil || len(out) != SignatureSize {
		return nil, ErrTicket
	}
	return &Ticket{Issuer: q.issuer, Prefix: q.prefix, Sig: [SignatureSize]byte(out)}, nil
}

// Sign is the issuer's part. It learns nothing about the subject.
func Sign(sk *rsa.PrivateKey, blinded []byte) ([]byte, error) {
	if len(blinded) != SignatureSize {
		return nil, fmt.Errorf("ticket request of %d bytes, want %d", len(blinded), SignatureSize)
	}
	out, err := blindrsa.NewSigner(sk).BlindSign(blinded)
	if err != nil {
		return nil, fmt.Errorf("ticket request: %w", err)
	}
	return out, nil
}

// Own is a ticket for a subject of the issuer's own, who need not hide it from itself. It is not to be told from one that was signed
// blindly, and costs a fourth: nothing is blinded and taken off again.
func Own(issuer uint16, sk *rsa.PrivateKey, subject wire.Hash) (*Ticket, error) {
	t := &Ticket{Issuer: issuer}
	rand.Read(t.Prefix[:])
	hashed := sha512.Sum384(append(t.Prefix[:], subject[:]...))
	sig, err := rsa.SignPSS(rand.Reader, sk, crypto.SHA384, hashed[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil || len(sig) != SignatureSize {
		return nil, fmt.Errorf("ticket: %w", err)
	}
	t.Sig = [SignatureSize]byte(sig)
	return t, nil
}
