package key

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"vitalog/wire"
)

// Sizes of X-Wing (ML-KEM-768 + X25519, HPKE id 0x647a) with AES-256-GCM, in bytes.
const (
	ExchangeSize = 1216            // a public key
	encapsSize   = 1120            // an encapsulated key
	SealOverhead = encapsSize + 16 // what Seal adds to a plaintext
)

// ErrSealed says that a sealed message does not open: other key, other context, or altered. It never tells which.
var ErrSealed = errors.New("does not open with this key")

// Exchange is an X-Wing public key: what others seal to. The zero value is no key.
type Exchange [ExchangeSize]byte

// Hash is what the ledger holds in place of the key: its SHA-256, by which stores serve the key itself.
func (e *Exchange) Hash() wire.Hash { return sha256.Sum256(e[:]) }

// ParseExchange refuses bytes that are no X-Wing public key.
func ParseExchange(b []byte) (*Exchange, error) {
	if len(b) != ExchangeSize {
		return nil, fmt.Errorf("exchange key of %d bytes, want %d", len(b), ExchangeSize)
	}
	if _, err := hpke.MLKEM768X25519().NewPublicKey(b); err != nil {
		return nil, fmt.Errorf("exchange key: %w", err)
	}
	e := Exchange(b)
	return &e, nil
}

// Seal encrypts plaintext to e in base mode (RFC 9180): encapsulated key, then ciphertext. info names the protocol's use, aad its context.
func (e *Exchange) Seal(info string, aad, plaintext []byte) ([]byte, error) {
	pk, err := hpke.MLKEM768X25519().NewPublicKey(e[:])
	if err != nil {
		return nil, fmt.Errorf("exchange key: %w", err)
	}
	enc, s, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info))
	if err != nil {
		return nil, fmt.Errorf("sealing for %s: %w", info, err)
	}
	ct, err := s.Seal(aad, plaintext)
	if err != nil {
		return nil, fmt.Errorf("sealing for %s: %w", info, err)
	}
	return append(bytes.Clone(enc), ct...), nil
}

// Opener opens what was sealed to a key that it doesn't give away.
type Opener interface {
	Exchange() *Exchange
	Open(info string, aad, sealed []byte) ([]byte, error)
}

// Decapsulating is an X-Wing private key in memory.
type Decapsulating struct {
	_    [0]func()
	priv hpke.PrivateKey
	pub  *Exchange
}

// NewDecapsulating derives the key pair of a 32-byte seed.
func NewDecapsulating(seed [32]byte) *Decapsulating {
	priv, err := hpke.MLKEM768X25519().NewPrivateKey(seed[:])
	if err != nil {
		panic("key: 32 bytes are refused as an X-Wing seed: " + err.Error()) // the suite's own seed size
	}
	pub := Exchange(priv.PublicKey().Bytes())
	return &Decapsulating{priv: priv, pub: &pub}
}

// Exchange is the public half.
func (d *Decapsulating) Exchange() *Exchange { return d.pub }

// Open is the inverse of Exchange.Seal, or ErrSealed.
func (d *Decapsulating) Open(info string, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < SealOverhead {
		return nil, fmt.Errorf("sealed message of %d bytes: %w", len(sealed), wire.ErrTruncated)
	}
	r, err := hpke.NewRecipient(sealed[:encapsSize], d.priv, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info))
	if err != nil {
		return nil, ErrSealed
	}
	out, err := r.Open(aad, sealed[encapsSize:])
	if err != nil {
		return nil, ErrSealed
	}
	return out, nil
}

// Format keeps the key out of text, whatever the verb.
func (Decapsulating) Format(f fmt.State, _ rune) { io.WriteString(f, "(exchange key)") }

// LogValue keeps the key out of logs.
func (Decapsulating) LogValue() slog.Value { return redacted }
