package threshold

import (
	"sync"

	"github.com/cloudflare/circl/ecc/bls12381"
	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
)

const (
	windows = 64 // of four bits, in a scalar of 32 bytes
	choices = 16
)

// comb holds multiples of the generator of G2: row i has (d + 1)·16^i·g2 for each digit d, the last row (d + 2)·16^i·g2. No digit adds
// nothing, and the sum from the last row down never meets the point that is added next, so that additions take no shortcut.
type comb struct {
	rows  [windows][choices]bls.G2Affine
	extra bls12381.Scalar // what the rows add to the scalar
}

// generator is made on first use: about 20 ms and 200 KiB.
var generator = sync.OnceValue(func() *comb {
	c := &comb{}
	_, _, _, base := bls.Generators()
	var one, sixteen, weight bls12381.Scalar
	one.SetOne()
	sixteen.SetUint64(choices)
	weight.SetOne()
	for i := range c.rows {
		var step, at bls.G2Jac
		step.FromAffine(&base)
		at.FromAffine(&base)
		c.extra.Add(&c.extra, &weight)
		if i == windows-1 {
			at.AddAssign(&step)
			c.extra.Add(&c.extra, &weight)
		}
		for d := range c.rows[i] {
			c.rows[i][d].FromJacobian(&at)
			at.AddAssign(&step)
		}
		for range 4 {
			step.DoubleAssign()
		}
		base.FromJacobian(&step)
		weight.Mul(&weight, &sixteen)
	}
	return c
})

// times is r·g2. Neither a branch nor an address depends on r, but what gnark does within one operation of the field.
func (c *comb) times(r *bls12381.Scalar) Point2 {
	var k bls12381.Scalar
	k.Sub(r, &c.extra)
	digits := encodeScalar(&k)
	var sum bls.G2Jac
	for i := windows - 1; i >= 0; i-- {
		digit := digits[31-i/2] >> (4 * (i % 2)) & 0xf
		sum.AddMixed(pick(&c.rows[i], digit))
	}
	var out bls.G2Affine
	return Point2(out.FromJacobian(&sum).Bytes())
}

// pick copies row[digit] out by reading the whole row.
func pick(row *[choices]bls.G2Affine, digit byte) *bls.G2Affine {
	var out bls.G2Affine
	for d := range row {
		differ := uint64(digit) ^ uint64(d)
		keep := (differ - 1) >> 63 * ^uint64(0) // all ones where they are equal
		p := &row[d]
		for w := range fp.Limbs {
			out.X.A0[w] |= p.X.A0[w] & keep
			out.X.A1[w] |= p.X.A1[w] & keep
			out.Y.A0[w] |= p.Y.A0[w] & keep
			out.Y.A1[w] |= p.Y.A1[w] & keep
		}
	}
	return &out
}
