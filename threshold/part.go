package threshold

import (
	"fmt"

	"github.com/cloudflare/circl/ecc/bls12381"

	"vitalog/wire"
)

// Part is the partial key of the holder of share X, from 1.
type Part struct {
	X uint16
	P Point1
}

// Partial is share's key for id, in constant time. The caller makes id from what its own ledger committed, never from what is asked.
func Partial(share *Scalar, id wire.Hash) (Point1, error) {
	s, err := share.decode()
	if err != nil {
		return Point1{}, fmt.Errorf("share: %w", err)
	}
	q := identity(id)
	q.ScalarMult(s, q)
	return encode1(q), nil
}

// VerifyPart tells whether part is the key for id of the share that poly, the commitments to the network key, promises to its number.
func VerifyPart(part Part, id wire.Hash, poly []Point2) bool {
	c, err := decodeAll(poly)
	if err != nil || part.X == 0 {
		return false
	}
	return verify(part.P, identity(id), evaluate(c, part.X))
}

// VerifyCombined tells whether p is public's key for id.
func VerifyCombined(p Point1, id wire.Hash, public Point2) bool {
	pk, err := public.decode()
	return err == nil && verify(p, identity(id), pk)
}

// verify is e(p, g2) = e(q, public): a BLS signature on q.
func verify(p Point1, q *bls12381.G1, public *bls12381.G2) bool {
	g, err := p.decode()
	if err != nil {
		return false
	}
	return bls12381.ProdPairFrac([]*bls12381.G1{g, q}, []*bls12381.G2{bls12381.G2Generator(), public}, []int{1, -1}).IsIdentity()
}

// evaluate is Σ c[j]·x^j by Horner's rule. All of it is public.
func evaluate(c []*bls12381.G2, x uint16) *bls12381.G2 {
	sum := *c[len(c)-1]
	for j := len(c) - 2; j >= 0; j-- {
		times(&sum, x)
		sum.Add(&sum, c[j])
	}
	return &sum
}

// times sets p to x·p, for a small public x.
func times(p *bls12381.G2, x uint16) {
	var q bls12381.G2
	q.SetIdentity()
	for bit := 15; bit >= 0; bit-- {
		q.Double()
		if x>>bit&1 == 1 {
			q.Add(&q, p)
		}
	}
	*p = q
}
