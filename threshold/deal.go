package threshold

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/ecc/bls12381"

	"vitalog/wire"
)

// Polynomial is a dealer's secret: its value at 0 is the dealer's part of the network key, its value at x the deal to share x.
type Polynomial struct {
	_    [0]func() // not comparable
	seed [32]byte
	c    []bls12381.Scalar
}

// NewPolynomial draws a polynomial of k coefficients, 1 to MaxShares.
func NewPolynomial(k int) *Polynomial {
	var seed [32]byte
	rand.Read(seed[:])
	return PolynomialFrom(seed, k)
}

// PolynomialFrom derives the polynomial of a secret seed, so that a dealer that restarts in a ceremony deals the same.
func PolynomialFrom(seed [32]byte, k int) *Polynomial {
	if k < 1 || k > MaxShares {
		panic(fmt.Sprintf("threshold: a polynomial of %d coefficients, want 1 to %d", k, MaxShares))
	}
	p := &Polynomial{seed: seed, c: make([]bls12381.Scalar, k)}
	for i := range p.c {
		label := binary.BigEndian.AppendUint16(nil, uint16(i))
		b, err := hkdf.Key(sha256.New, seed[:], []byte("vitalog/v1/ceremony/polynomial"), string(label), 48)
		if err != nil {
			panic("threshold: " + err.Error()) // only for more than 8160 bytes
		}
		reduce(&p.c[i], b)
	}
	return p
}

// reduce sets k to the 384-bit big-endian b modulo the order, in constant time and with a bias below 2^-128.
func reduce(k *bls12381.Scalar, b []byte) {
	var half, shift, low bls12381.Scalar
	half.SetUint64(1 << 32)
	shift.Mul(&half, &half)
	shift.Mul(&shift, &shift) // 2^128
	for i := 0; i < len(b); i += 16 {
		var word [32]byte
		copy(word[16:], b[i:i+16])
		if err := low.UnmarshalBinary(word[:]); err != nil {
			panic("threshold: " + err.Error()) // 128 bits are below the order
		}
		k.Mul(k, &shift)
		k.Add(k, &low)
	}
}

// Reveal copies the seed out, for the keyring's file. Nothing else calls it.
func (p *Polynomial) Reveal() [32]byte { return p.seed }

// Commitments are the coefficients times the generator of G2; the first is the dealer's part of the network key.
func (p *Polynomial) Commitments() []Point2 {
	out := make([]Point2, len(p.c))
	for i := range p.c {
		var g bls12381.G2
		g.ScalarMult(&p.c[i], bls12381.G2Generator())
		out[i] = encode2(&g)
	}
	return out
}

// Share is the polynomial's value at x, from 1, in constant time. It panics at 0, where the secret is.
func (p *Polynomial) Share(x uint16) Scalar {
	if x == 0 {
		panic("threshold: share number 0 is the secret itself")
	}
	var at, sum bls12381.Scalar
	at.SetUint64(uint64(x))
	for i := len(p.c) - 1; i >= 0; i-- {
		sum.Mul(&sum, &at)
		sum.Add(&sum, &p.c[i])
	}
	return encodeScalar(&sum)
}

// Prove shows that the dealer knows the secret behind its first commitment, against keys made from those of others. context names
// the ceremony, the attempt and the dealer.
func (p *Polynomial) Prove(context []byte) Point1 {
	var g bls12381.G2
	g.ScalarMult(&p.c[0], bls12381.G2Generator())
	q := possession(encode2(&g), context)
	q.ScalarMult(&p.c[0], q)
	return encode1(q)
}

// VerifyPossession checks what Prove made for public, a first commitment.
func VerifyPossession(public Point2, context []byte, proof Point1) bool {
	pk, err := public.decode()
	return err == nil && verify(proof, possession(public, context), pk)
}

func possession(public Point2, context []byte) *bls12381.G1 {
	m := wire.Sum("vitalog/v1/ceremony/possession", public[:], context)
	var q bls12381.G1
	q.Hash(m[:], []byte(possessionDomain))
	return &q
}

// VerifyShare tells whether share is the value at x of the polynomial behind the commitments, in constant time in the share.
func VerifyShare(commitments []Point2, x uint16, share Scalar) bool {
	c, err := decodeAll(commitments)
	if err != nil || x == 0 {
		return false
	}
	s, err := share.decode()
	if err != nil {
		return false
	}
	var g bls12381.G2
	g.ScalarMult(s, bls12381.G2Generator())
	return g.IsEqual(evaluate(c, x))
}

// SumScalars adds the shares of one number from several dealers, each verified before. It panics on one that VerifyShare refuses for
// its form: it was not verified.
func SumScalars(shares []Scalar) Scalar {
	var sum bls12381.Scalar
	for i := range shares {
		s, err := shares[i].decode()
		if err != nil {
			panic("threshold: adding up " + err.Error())
		}
		sum.Add(&sum, s)
	}
	return encodeScalar(&sum)
}

// SumCommitments adds the commitments of several dealers, all to the same number of coefficients: the commitments to their sum.
func SumCommitments(dealers [][]Point2) ([]Point2, error) {
	if len(dealers) == 0 {
		return nil, fmt.Errorf("commitments of no dealer")
	}
	sums, err := decodeAll(dealers[0])
	if err != nil {
		return nil, fmt.Errorf("dealer 0: %w", err)
	}
	for i, d := range dealers[1:] {
		c, err := decodeAll(d)
		if err != nil {
			return nil, fmt.Errorf("dealer %d: %w", i+1, err)
		}
		if len(c) != len(sums) {
			return nil, fmt.Errorf("dealer %d: %d commitments, want %d", i+1, len(c), len(sums))
		}
		for j := range c {
			sums[j].Add(sums[j], c[j])
		}
	}
	out := make([]Point2, len(sums))
	for j := range sums {
		if sums[j].IsIdentity() {
			return nil, fmt.Errorf("commitment %d adds up to %w", j, errIdentity)
		}
		out[j] = encode2(sums[j])
	}
	return out, nil
}

// Format keeps the coefficients out of text, whatever the verb.
func (Polynomial) Format(f fmt.State, _ rune) { io.WriteString(f, "(polynomial)") }

// LogValue keeps the coefficients out of logs.
func (Polynomial) LogValue() slog.Value { return slog.StringValue("(secret)") }
