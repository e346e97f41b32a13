package threshold

import (
	"math/big"

	"github.com/cloudflare/circl/ecc/bls12381"
	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// The widest integer coefficient for which one more multiplication by 1/den is cheaper than coefficients modulo the order.
const maxCoefficientBits = 160

var order = new(big.Int).SetBytes(bls12381.Order())

// coefficients are Lagrange's coefficients at 0 for xs: nums[i]/den, in lowest terms, or modulo the order with den 1.
//
// Over the rationals they are small for the small share numbers of a network: 6, -8 and 3 for shares 2, 3 and 4. So sums are taken with
// integers over a common denominator, which most often is 1 and otherwise costs one multiplication.
func coefficients(xs []uint16) (nums []*big.Int, den *big.Int) {
	fractions := make([]*big.Rat, len(xs))
	den = big.NewInt(1)
	for i := range xs {
		n, d := big.NewInt(1), big.NewInt(1)
		for j := range xs {
			if j != i {
				n.Mul(n, big.NewInt(int64(xs[j])))
				d.Mul(d, big.NewInt(int64(xs[j])-int64(xs[i])))
			}
		}
		fractions[i] = new(big.Rat).SetFrac(n, d)
		q := fractions[i].Denom()
		den.Mul(den, new(big.Int).Div(q, new(big.Int).GCD(nil, nil, den, q)))
	}
	nums = make([]*big.Int, len(xs))
	widest := 0
	for i, f := range fractions {
		nums[i] = new(big.Int).Mul(f.Num(), new(big.Int).Div(den, f.Denom()))
		widest = max(widest, nums[i].BitLen())
	}
	if widest <= maxCoefficientBits {
		return nums, den
	}
	inverse := new(big.Int).ModInverse(den, order)
	for _, n := range nums {
		n.Mod(n.Mul(n, inverse), order)
	}
	return nums, big.NewInt(1)
}

// combination is Σ nums[i]·points[i], for nums that aren't negative, with the doublings shared (Straus). Its time depends on nums.
func combination(nums []*big.Int, points []bls.G1Affine) *bls.G1Jac {
	var sum bls.G1Jac
	width := 0
	for _, n := range nums {
		width = max(width, n.BitLen())
	}
	for bit := width - 1; bit >= 0; bit-- {
		sum.DoubleAssign()
		for i, n := range nums {
			if n.Bit(bit) == 1 {
				sum.AddMixed(&points[i])
			}
		}
	}
	return &sum
}
