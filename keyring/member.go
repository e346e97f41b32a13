package keyring

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"vitalog/key"
	"vitalog/op"
	"vitalog/pack"
	"vitalog/ticket"
	"vitalog/wire"
)

// Public is the member's entry for a genesis: its six public keys. Name, kind, endpoints and whether it validates are the caller's to fill in.
func (r *Ring) Public() (op.Member, error) {
	if r.tickets == nil {
		return op.Member{}, fmt.Errorf("keyring %s: %w", r.path, ErrNoTickets)
	}
	der, err := x509.MarshalPKIXPublicKey(r.tickets.Public())
	if err != nil {
		return op.Member{}, fmt.Errorf("keyring %s: ticket key: %w", r.path, err)
	}
	return op.Member{
		Sign: r.member.Public(), Exchange: r.exchange.Exchange()[:], TLS: r.tls.Public(),
		Consensus: r.vote.Public(), Node: r.node.Public(), Tickets: ticket.Key(der),
	}, nil
}

// Member signs ceremonies, introductions, provenance and access details.
func (r *Ring) Member() key.Signer { return r.member }

// Vote signs the votes of consensus.
func (r *Ring) Vote() key.Signer { return r.vote }

// Node authenticates the connections of consensus.
func (r *Ring) Node() key.Signer { return r.node }

// Tokens signs what the member's gateway issues to its own clients.
func (r *Ring) Tokens() key.Signer { return r.tokens }

// Storage seals and opens the packs that the member keeps in a cloud.
func (r *Ring) Storage() *pack.Key { return pack.NewKey(r.storage) }

// Exchange opens what others seal to the member: grant messages, release requests.
func (r *Ring) Exchange() key.Opener { return r.exchange }

// Grantee is the member's key for one log and one purpose of use (v3-ActReason code). It is derived: nothing is written.
func (r *Ring) Grantee(log key.Log, purpose string) key.Signer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	context := append(append([]byte{}, log[:]...), purpose...)
	return key.NewSigning(key.Derive(r.s.member[:], "vitalog/v1/member/grantee", context))
}

// IssueTicket signs a blinded admission ticket. The member does not learn for what; whom it serves is the caller's to decide.
func (r *Ring) IssueTicket(blinded []byte) ([]byte, error) {
	if r.tickets == nil {
		return nil, fmt.Errorf("keyring %s: %w", r.path, ErrNoTickets)
	}
	return ticket.Sign(r.tickets, blinded)
}

// Ticket is an admission ticket for a subject of the member's own: of a patient whom it enrols, say. issuer is its number in the genesis.
func (r *Ring) Ticket(issuer uint16, subject wire.Hash) (*ticket.Ticket, error) {
	if r.tickets == nil {
		return nil, fmt.Errorf("keyring %s: %w", r.path, ErrNoTickets)
	}
	return ticket.Own(issuer, r.tickets, subject)
}

// Certificate is the member's for TLS, self-signed by the key that the genesis pins. It is the same each time and does not expire: the
// genesis decides whom to trust, not a date.
func (r *Ring) Certificate() (tls.Certificate, error) {
	s := tlsSigner{r.tls}
	t := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "vitalog member"},
		NotBefore:             time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 4.1.2.5: no well-defined end
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, s.Public(), s)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("keyring %s: certificate: %w", r.path, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s}, nil
}

// tlsSigner is the TLS key as the standard library wants it, still without giving it away.
type tlsSigner struct{ k *key.Signing }

func (s tlsSigner) Public() crypto.PublicKey {
	v := s.k.Public()
	return ed25519.PublicKey(v[:])
}

func (s tlsSigner) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != 0 {
		return nil, errors.New("keyring: Ed25519 signs messages, not digests")
	}
	sig := s.k.Sign(message)
	return sig[:], nil
}
