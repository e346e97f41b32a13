package threshold

import (
	"fmt"
	"math/big"
	"slices"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"

	"vitalog/wire"
)

// Quorum is the numbers of exactly the k shares that are needed, with their Lagrange coefficients: made once for the holders that answer,
// used for each record. It doesn't change, so goroutines may share it.
type Quorum struct {
	xs    []uint16
	sizes []*big.Int // of the coefficients
	minus []bool     // their signs
	scale *big.Int   // what the sum is multiplied with; nil: 1
}

// NewQuorum takes 1 to MaxShares numbers, none of them zero or twice.
func NewQuorum(xs []uint16) (*Quorum, error) {
	if len(xs) == 0 || len(xs) > MaxShares {
		return nil, fmt.Errorf("%d parts, want 1 to %d", len(xs), MaxShares)
	}
	seen := map[uint16]bool{}
	for i, x := range xs {
		if x == 0 || seen[x] {
			return nil, fmt.Errorf("part %d: share number %d is zero or given twice", i, x)
		}
		seen[x] = true
	}
	q := &Quorum{xs: slices.Clone(xs)}
	nums, den := coefficients(xs)
	for _, n := range nums {
		q.minus = append(q.minus, n.Sign() < 0)
		q.sizes = append(q.sizes, n.Abs(n))
	}
	if den.Cmp(big.NewInt(1)) != 0 {
		q.scale = den.ModInverse(den, order)
	}
	return q, nil
}

// Shares are the numbers that NewQuorum got. They are not to be changed.
func (q *Quorum) Shares() []uint16 { return q.xs }

// Combined is the key of one identity, from k parts.
type Combined struct{ p bls.G1Affine }

// Combine interpolates the key for an identity from one part of each share, in the order of the numbers that NewQuorum got: too few or a
// wrong one give another point, which VerifyCombined refuses and Decapsulate turns into another secret. Coefficients are public, so
// time depends on the numbers.
//
// Each part is checked to be on the curve, the group is checked of the sum alone. A part outside the group that slips through has
// something added that its coefficient cancels: the sum is the same as without. The reader has no secret that a bad point could draw out.
func (q *Quorum) Combine(parts []Point1) (*Combined, error) {
	if len(parts) != len(q.xs) {
		return nil, fmt.Errorf("%d parts of %d shares", len(parts), len(q.xs))
	}
	points := make([]bls.G1Affine, len(parts))
	for i := range parts {
		p, err := parts[i].affine()
		if err != nil {
			return nil, fmt.Errorf("part of share %d: %w", q.xs[i], err)
		}
		if points[i] = *p; q.minus[i] {
			points[i].Neg(p)
		}
	}
	sum := combination(q.sizes, points)
	if !sum.IsInSubGroup() {
		return nil, fmt.Errorf("parts add up to what is %w", errPoint)
	}
	if q.scale != nil {
		sum.ScalarMultiplication(sum, q.scale)
	}
	out := &Combined{}
	if out.p.FromJacobian(sum); out.p.IsInfinity() {
		return nil, fmt.Errorf("parts add up to %w", errIdentity)
	}
	return out, nil
}

// Point is the key's encoding.
func (c *Combined) Point() Point1 { return c.p.Bytes() }

// Decapsulate brings the secret back that was encapsulated with u. A wrong key gives another secret, not an error: only who holds a
// commitment to the secret can tell.
func (c *Combined) Decapsulate(u Point2, id wire.Hash) (secret [32]byte, err error) {
	ug, err := u.affine()
	if err != nil {
		return secret, fmt.Errorf("lock value U: %w", err)
	}
	g, err := bls.Pair([]bls.G1Affine{c.p}, []bls.G2Affine{*ug})
	if err != nil {
		panic("threshold: " + err.Error()) // only for lists that differ in length
	}
	return derive(&g, &u, id), nil
}

// Combine is NewQuorum's Combine for one record.
func Combine(parts []Part) (Point1, error) {
	xs, points := make([]uint16, len(parts)), make([]Point1, len(parts))
	for i := range parts {
		xs[i], points[i] = parts[i].X, parts[i].P
	}
	q, err := NewQuorum(xs)
	if err != nil {
		return Point1{}, err
	}
	c, err := q.Combine(points)
	if err != nil {
		return Point1{}, err
	}
	return c.Point(), nil
}

// Decapsulate is Combined's Decapsulate for a key that was encoded.
func Decapsulate(combined Point1, u Point2, id wire.Hash) (secret [32]byte, err error) {
	p, err := combined.affine()
	if err == nil && !p.IsInSubGroup() {
		err = errPoint
	}
	if err != nil {
		return secret, fmt.Errorf("combined key: %w", err)
	}
	return (&Combined{*p}).Decapsulate(u, id)
}
