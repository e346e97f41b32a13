// Package key has the nouns that are made of keys: a network, a log, a record, who signs and who is sealed to.
//
// It promises that signatures verify by ZIP-215 everywhere (the rule of the consensus engine; two rules would fork the chain),
// and that a secret neither prints nor compares. It refuses text with the wrong prefix:
//
//	log:5f…  rec:9c…  vk:03…      a log, a record, a verifying key, each followed by 64 hex digits
//
// See spec/keys.md.
package key

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"github.com/oasisprotocol/curve25519-voi/curve"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"vitalog/wire"
)

// Network identifies a network for ever: the hash of its first genesis.
type Network [32]byte

// Log identifies one section of one patient's chart. Nothing tells which.
type Log [32]byte

// Record identifies one sealed record, for ever, in one log.
type Record [32]byte

// Verifier is an Ed25519 public key: of an owner, a grantee or a member.
type Verifier [32]byte

// Signature is an Ed25519 signature.
type Signature [64]byte

func (n Network) String() string  { return "net:" + hex.EncodeToString(n[:]) }
func (l Log) String() string      { return "log:" + hex.EncodeToString(l[:]) }
func (r Record) String() string   { return "rec:" + hex.EncodeToString(r[:]) }
func (v Verifier) String() string { return "vk:" + hex.EncodeToString(v[:]) }

func (n Network) MarshalText() ([]byte, error)  { return []byte(n.String()), nil }
func (l Log) MarshalText() ([]byte, error)      { return []byte(l.String()), nil }
func (r Record) MarshalText() ([]byte, error)   { return []byte(r.String()), nil }
func (v Verifier) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

func (n *Network) UnmarshalText(b []byte) error  { return wire.UnmarshalHex(n[:], "net:", b) }
func (l *Log) UnmarshalText(b []byte) error      { return wire.UnmarshalHex(l[:], "log:", b) }
func (r *Record) UnmarshalText(b []byte) error   { return wire.UnmarshalHex(r[:], "rec:", b) }
func (v *Verifier) UnmarshalText(b []byte) error { return wire.UnmarshalHex(v[:], "vk:", b) }

// LogID is the only id that first, the first owner key of a log, can create with this salt.
func LogID(network Network, first Verifier, salt [32]byte) Log {
	return Log(wire.Sum("vitalog/v1/log", network[:], first[:], salt[:]))
}

// RecordID binds a record to its log and its writer, so that nobody else can claim it.
func RecordID(network Network, log Log, writer Verifier, salt [16]byte) Record {
	return Record(wire.Sum("vitalog/v1/rid", network[:], log[:], writer[:], salt[:]))
}

// zip215 is the acceptance rule that the consensus engine uses.
var zip215 = &voi.Options{Verify: voi.VerifyOptionsZIP_215}

// Verify tells whether v signed message.
func (v Verifier) Verify(message []byte, sig Signature) bool {
	return voi.VerifyWithOptions(v[:], message, sig[:], zip215)
}

// Sound is false for bytes that are no point of the curve, and for the few points of small order: ZIP-215 accepts signatures under those
// that anybody can make. Whoever gives a key a role asks this first.
func (v Verifier) Sound() bool {
	var y curve.CompressedEdwardsY
	var p curve.EdwardsPoint
	if _, err := y.SetBytes(v[:]); err != nil {
		return false
	}
	if _, err := p.SetCompressedY(&y); err != nil {
		return false
	}
	return !p.IsSmallOrder()
}

// Batch verifies many signatures at about twice the speed of one by one, and says of each what Verify says. The zero value is not ready: use
// NewBatch.
type Batch struct{ v *voi.BatchVerifier }

// expanded is up to how many signatures tables of the keys' multiples pay.
const expanded = 8

// NewBatch makes room for n signatures.
func NewBatch(n int) *Batch {
	b := &Batch{voi.NewBatchVerifierWithCapacity(n)}
	if n > expanded {
		b.v.ForceNoPublicKeyExpansion()
	}
	return b
}

// Add appends one signature.
func (b *Batch) Add(v Verifier, message []byte, sig Signature) {
	b.v.AddWithOptions(v[:], message, sig[:], zip215)
}

// Verify tells whether all are valid, and which.
func (b *Batch) Verify() (all bool, each []bool) { return b.v.Verify(nil) }

// Signer performs signatures with a key that it doesn't give away.
type Signer interface {
	Public() Verifier
	Sign(message []byte) Signature
}

// Signing is an Ed25519 private key in memory.
type Signing struct {
	_    [0]func() // not comparable
	priv ed25519.PrivateKey
}

// NewSigning derives the key pair of a 32-byte seed.
func NewSigning(seed [32]byte) *Signing { return &Signing{priv: ed25519.NewKeyFromSeed(seed[:])} }

// Public is the key that verifies what s signs.
func (s *Signing) Public() Verifier { return Verifier(s.priv.Public().(ed25519.PublicKey)) }

// Sign signs message itself, not a digest.
func (s *Signing) Sign(message []byte) Signature { return Signature(ed25519.Sign(s.priv, message)) }

// Format keeps the key out of text, whatever the verb.
func (Signing) Format(f fmt.State, _ rune) { io.WriteString(f, "(signing key)") }

// LogValue keeps the key out of logs.
func (Signing) LogValue() slog.Value { return redacted }

var redacted = slog.StringValue("(secret)")
