// Package threshold is the arithmetic of the network key: a key on BLS12-381 that the members hold in shares, to which anybody
// encapsulates a secret under an identity, and whose partial keys for that identity k members combine.
//
// It promises that fewer than k partial keys tell nothing about the secret, that a wrong one can be told by its holder's number, and
// constant time wherever a share is touched. It refuses points outside the prime-order groups, the identity point, and scalars that
// are zero or not below the order. It never takes a point to be multiplied by a share: an identity is always hashed here.
//
//	U, secret = Encapsulate(key, id)          b7c2…(96)  5e11…(32)         at the writer
//	Partial(share 1, id), (share 3, id), …    8f0a…(48)  a93d…(48) …       at k members
//	Decapsulate(Combine(partials), U, id)     5e11…(32)                    at the reader
//
// The construction is the hashed Boneh-Franklin KEM over hash-to-curve of RFC 9380. See spec/release.md.
package threshold

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/ecc/bls12381"
)

// Encoded values, compressed as in the IETF pairing-curves draft. Decoding checks curve and subgroup.
type (
	Point1 [48]byte // in G1: partial and combined release keys, proofs of possession
	Point2 [96]byte // in G2: commitments, the network key, U of a network lock
	Scalar [32]byte // big-endian, below the group order; a share, hence it doesn't print
)

// MaxShares is the largest number of shares, and of coefficients, that this package works with.
const MaxShares = 128

var (
	errPoint    = errors.New("not a point of the prime-order group")
	errIdentity = errors.New("the identity point")
	errScalar   = errors.New("a scalar that is zero or not below the order")
)

func (p *Point1) decode() (*bls12381.G1, error) {
	var g bls12381.G1
	if err := g.SetBytes(p[:]); err != nil || p[0]&0x80 == 0 {
		return nil, errPoint
	}
	if g.IsIdentity() {
		return nil, errIdentity
	}
	return &g, nil
}

func (p *Point2) decode() (*bls12381.G2, error) {
	var g bls12381.G2
	if err := g.SetBytes(p[:]); err != nil || p[0]&0x80 == 0 {
		return nil, errPoint
	}
	if g.IsIdentity() {
		return nil, errIdentity
	}
	return &g, nil
}

func (s *Scalar) decode() (*bls12381.Scalar, error) {
	var k bls12381.Scalar
	if err := k.UnmarshalBinary(s[:]); err != nil || k.IsZero() == 1 {
		return nil, errScalar
	}
	return &k, nil
}

func encode1(g *bls12381.G1) Point1 { return Point1(g.BytesCompressed()) }
func encode2(g *bls12381.G2) Point2 { return Point2(g.BytesCompressed()) }

func encodeScalar(k *bls12381.Scalar) Scalar {
	b, err := k.MarshalBinary()
	if err != nil {
		panic("threshold: " + err.Error()) // never returned
	}
	return Scalar(b)
}

func decodeAll(commitments []Point2) ([]*bls12381.G2, error) {
	if len(commitments) == 0 || len(commitments) > MaxShares {
		return nil, fmt.Errorf("%d commitments, want 1 to %d", len(commitments), MaxShares)
	}
	out := make([]*bls12381.G2, len(commitments))
	for i := range commitments {
		g, err := commitments[i].decode()
		if err != nil {
			return nil, fmt.Errorf("commitment %d: %w", i, err)
		}
		out[i] = g
	}
	return out, nil
}

// Format keeps shares out of text, whatever the verb.
func (Scalar) Format(f fmt.State, _ rune) { io.WriteString(f, "(share)") }

// LogValue keeps shares out of logs.
func (Scalar) LogValue() slog.Value { return slog.StringValue("(secret)") }
