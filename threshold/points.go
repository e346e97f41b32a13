package threshold

import (
	"github.com/cloudflare/circl/ecc/bls12381"
	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
)

// Two libraries compute here, and their values meet as bytes only. circl takes constant time: everything that a share or a writer's
// scalar multiplies is circl's. gnark-crypto is three to five times faster and disclaims constant time: it gets what the reader of a record
// may know anyway, and of the writer's secrets a point and a pairing, never a scalar as a branch or an index.

// affine decodes p without its subgroup check: on the curve, compressed, canonical, not the identity.
func (p *Point1) affine() (*bls.G1Affine, error) {
	var g bls.G1Affine
	var x, y, b fp.Element
	head := p[0] >> 5 // compressed, identity, sign of y
	if head != 0b100 && head != 0b101 {
		if head == 0b110 && *p == (Point1{0xc0}) {
			return nil, errIdentity
		}
		return nil, errPoint
	}
	raw := *p
	raw[0] &= 0x1f
	if err := x.SetBytesCanonical(raw[:]); err != nil {
		return nil, errPoint
	}
	b.SetUint64(4)
	y.Square(&x)
	y.Mul(&y, &x)
	y.Add(&y, &b)
	if y.Sqrt(&y) == nil {
		return nil, errPoint
	}
	if y.LexicographicallyLargest() != (head == 0b101) {
		y.Neg(&y)
	}
	g.X, g.Y = x, y
	return &g, nil
}

// affine decodes p and checks everything that decode does.
func (p *Point2) affine() (*bls.G2Affine, error) {
	var g bls.G2Affine
	if p[0]&0x80 == 0 {
		return nil, errPoint
	}
	if _, err := g.SetBytes(p[:]); err != nil {
		return nil, errPoint
	}
	if g.IsInfinity() {
		return nil, errIdentity
	}
	return &g, nil
}

// handOver brings a point of circl's to gnark.
func handOver(g *bls12381.G1) *bls.G1Affine {
	raw := g.Bytes()
	var out bls.G1Affine
	for i, to := range []*fp.Element{&out.X, &out.Y} {
		if err := to.SetBytesCanonical(raw[i*fp.Bytes : (i+1)*fp.Bytes]); err != nil {
			panic("threshold: " + err.Error()) // circl encodes canonically
		}
	}
	return &out
}
