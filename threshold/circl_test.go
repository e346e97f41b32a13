package threshold_test

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/cloudflare/circl/ecc/bls12381"
	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"

	"vitalog/threshold"
	"vitalog/wire"
)

// secretByCircl is the secret of u for the key p, by constant-time arithmetic alone.
func secretByCircl(t *testing.T, p threshold.Point1, u threshold.Point2, id wire.Hash) []byte {
	t.Helper()
	var g bls12381.G1
	var h bls12381.G2
	if err := g.SetBytes(p[:]); err != nil {
		t.Fatal(err)
	}
	if err := h.SetBytes(u[:]); err != nil {
		t.Fatal(err)
	}
	ikm, _ := bls12381.Pair(&g, &h).MarshalBinary()
	out, err := hkdf.Key(sha256.New, ikm, []byte("vitalog/v1/release/kem"), string(u[:])+string(id[:]), 32)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// More network keys than are remembered, in turns, so that each is met both ways.
func TestSecretsAreThoseOfTheConstantTimeLibrary(t *testing.T) {
	type key struct {
		public threshold.Point2
		share  threshold.Scalar
	}
	keys := make([]key, 11)
	for i := range keys {
		poly, shares := network(t, 1, 1, 1)
		keys[i] = key{poly[0], shares[0]}
	}
	for i := range 60 {
		k := keys[i%len(keys)]
		if i%3 == 1 {
			k = keys[0]
		}
		var id wire.Hash
		rand.Read(id[:])
		u, secret, err := threshold.Encapsulate(k.public, id)
		if err != nil {
			t.Fatal(err)
		}
		p, err := threshold.Partial(&k.share, id)
		if err != nil {
			t.Fatal(err)
		}
		want := [32]byte(secretByCircl(t, p, u, id))
		if secret != want {
			t.Fatalf("encapsulated %x, circl finds %x", secret, want)
		}
		if got, err := threshold.Decapsulate(p, u, id); err != nil || got != want {
			t.Fatalf("decapsulated %x, circl finds %x, error %v", got, want, err)
		}
	}
}

// interpolateByCircl is Σ λ_x·P_x with coefficients modulo the order, in the most direct way.
func interpolateByCircl(t *testing.T, parts []threshold.Part) threshold.Point1 {
	t.Helper()
	var sum bls12381.G1
	sum.SetIdentity()
	for _, p := range parts {
		var g bls12381.G1
		if err := g.SetBytes(p.P[:]); err != nil {
			t.Fatal(err)
		}
		var lambda, y, d bls12381.Scalar
		lambda.SetUint64(1)
		for _, q := range parts {
			if q.X == p.X {
				continue
			}
			d.SetUint64(uint64(p.X))
			y.SetUint64(uint64(q.X))
			d.Sub(&y, &d)
			d.Inv(&d)
			lambda.Mul(&lambda, &y)
			lambda.Mul(&lambda, &d)
		}
		g.ScalarMult(&lambda, &g)
		sum.Add(&sum, &g)
	}
	return threshold.Point1(sum.BytesCompressed())
}

func TestCombinedKeysAreThoseOfTheConstantTimeLibrary(t *testing.T) {
	_, shares := network(t, 1, 3, 128)
	for _, xs := range [][]uint16{{1}, {1, 2}, {2, 1}, {1, 2, 3}, {4, 1, 2}, {127, 3, 128}, {9, 8, 7, 1, 2}, spread(43, 64), spread(85, 128)} {
		ps := parts(t, shares, xs...)
		for i := range ps {
			if i%5 == 4 {
				ps[i].P = ps[0].P // whatever the points are, a repeated one among them
			}
		}
		got, err := threshold.Combine(ps)
		if want := interpolateByCircl(t, ps); err != nil || got != want {
			t.Errorf("shares %v: combined %x, circl %x, error %v", xs, got, want, err)
		}
	}
}

func TestAQuorumServesAnyNumberOfRecords(t *testing.T) {
	_, shares := network(t, 1, 3, 4)
	xs := []uint16{4, 1, 2}
	q, err := threshold.NewQuorum(xs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		var ps []threshold.Part
		var points []threshold.Point1
		for _, x := range xs {
			p, _ := threshold.Partial(&shares[x-1], wire.Sum("test", []byte{byte(i)}))
			ps, points = append(ps, threshold.Part{X: x, P: p}), append(points, p)
		}
		got, err := q.Combine(points)
		if err != nil {
			t.Fatal(err)
		}
		if want := interpolateByCircl(t, ps); got.Point() != want {
			t.Errorf("record %d: %x, want %x", i, got.Point(), want)
		}
	}
	if _, err := q.Combine(make([]threshold.Point1, 2)); err == nil {
		t.Error("two parts of three shares were combined")
	}
}

// outside are points of the curve that are, as good as surely, not in the group: anything hashed to an x that is on it.
func outside(n int) (out [][]byte) {
	for i := byte(0); len(out) < n; i++ {
		for _, size := range []int{48, 96} {
			b := make([]byte, size)
			h := sha256.Sum256([]byte{i, byte(size)})
			copy(b[size-32:], h[:])
			copy(b[1:], h[:8])
			b[0] = 0x80 | h[8]&0x20
			out = append(out, b)
		}
	}
	return out
}

// judge holds what is taken as a point against circl.
func judge(t *testing.T, b []byte) {
	t.Helper()
	_, shares := network(t, 1, 1, 1)
	good := parts(t, shares, 1)[0].P
	switch len(b) {
	case 48:
		var g bls12381.G1
		want := g.SetBytes(b) == nil && !g.IsIdentity() && b[0]&0x80 != 0
		p := threshold.Point1(b)
		got, err := threshold.Combine([]threshold.Part{{X: 1, P: p}})
		if (err == nil) != want || want && got != p {
			t.Errorf("combining %x: %x, error %v; circl takes it: %v", b, got, err, want)
		}
		poly := threshold.NewPolynomial(1).Commitments()
		if _, err := threshold.Decapsulate(p, poly[0], id); (err == nil) != want {
			t.Errorf("decapsulating with %x: error %v; circl takes it: %v", b, err, want)
		}
	case 96:
		var g bls12381.G2
		want := g.SetBytes(b) == nil && !g.IsIdentity() && b[0]&0x80 != 0
		if _, err := threshold.Decapsulate(good, threshold.Point2(b), id); (err == nil) != want {
			t.Errorf("decapsulating %x: error %v; circl takes it: %v", b, err, want)
		}
		if _, _, err := threshold.Encapsulate(threshold.Point2(b), id); (err == nil) != want {
			t.Errorf("encapsulating to %x: error %v; circl takes it: %v", b, err, want)
		}
	}
}

func TestPointsAreTakenAndRefusedAsByTheConstantTimeLibrary(t *testing.T) {
	_, shares := network(t, 1, 1, 1)
	p, q := parts(t, shares, 1)[0].P, threshold.NewPolynomial(1).Commitments()[0]
	for _, good := range [][]byte{p[:], q[:]} {
		judge(t, good)
		for top := range 8 { // every combination of flags
			b := append([]byte{}, good...)
			b[0] = b[0]&0x1f | byte(top<<5)
			judge(t, b)
			b = make([]byte, len(good)) // zero, as x and as the identity
			b[0] = byte(top << 5)
			judge(t, b)
			b[len(b)-1] = 1
			judge(t, b)
			for i := range b { // above the modulus
				b[i] = 0xff
			}
			b[0] = b[0]&0x1f | byte(top<<5)
			judge(t, b)
		}
	}
	// x and the modulus: the same number, another encoding.
	wide := []byte{0x9a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7, 0x64, 0x77, 0x4b, 0x84, 0xf3, 0x85, 0x12,
		0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24, 0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53, 0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab}
	judge(t, wide)
	judge(t, append(wide, make([]byte, 48)...))
	for _, b := range outside(40) {
		judge(t, b)
	}
}

// A holder that adds a point outside the group to its part achieves nothing: the parts are refused, or combine as without it.
func TestAPartOutsideTheGroupDoesNoHarm(t *testing.T) {
	_, shares := network(t, 1, 3, 4)
	var three bls.G1Affine // (0, 2) is of order 3
	three.Y.SetUint64(2)
	refused, harmless := 0, 0
	for _, xs := range [][]uint16{{1, 2, 3}, {1, 2, 4}, {2, 3, 4}} {
		ps := parts(t, shares, xs...)
		want, err := threshold.Combine(ps)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ps {
			var p bls.G1Affine
			if _, err := p.SetBytes(ps[i].P[:]); err != nil {
				t.Fatal(err)
			}
			bad := slices.Clone(ps)
			bad[i].P = p.Add(&p, &three).Bytes()
			switch got, err := threshold.Combine(bad); {
			case err != nil:
				refused++
			case got == want:
				harmless++
			default:
				t.Errorf("shares %v: a point of order 3 in share %d's part changes the key", xs, xs[i])
			}
		}
	}
	if refused == 0 || harmless == 0 { // 3, -3 and 1 are the coefficients of shares 1, 2 and 3
		t.Errorf("%d refused, %d harmless: want some of both", refused, harmless)
	}
}
