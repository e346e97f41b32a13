package threshold_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"vitalog/threshold"
	"vitalog/wire"
)

var id = wire.Sum("test", []byte("record"))

// network deals the sum of dealers' polynomials to n holders, as the ceremony does.
func network(t testing.TB, dealers, k, n int) (poly []threshold.Point2, shares []threshold.Scalar) {
	t.Helper()
	var commitments [][]threshold.Point2
	dealt := make([][]threshold.Scalar, n)
	for range dealers {
		p := threshold.NewPolynomial(k)
		commitments = append(commitments, p.Commitments())
		for i := range dealt {
			dealt[i] = append(dealt[i], p.Share(uint16(i+1)))
		}
	}
	poly, err := threshold.SumCommitments(commitments)
	if err != nil {
		t.Fatal(err)
	}
	for i := range dealt {
		shares = append(shares, threshold.SumScalars(dealt[i]))
	}
	return poly, shares
}

func parts(t testing.TB, shares []threshold.Scalar, xs ...uint16) []threshold.Part {
	t.Helper()
	var out []threshold.Part
	for _, x := range xs {
		p, err := threshold.Partial(&shares[x-1], id)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, threshold.Part{X: x, P: p})
	}
	return out
}

func TestAnyKMembersReleaseWhatWasEncapsulated(t *testing.T) {
	for _, c := range []struct {
		k, n int
		xs   [][]uint16
	}{
		{1, 1, [][]uint16{{1}}},
		{3, 4, [][]uint16{{1, 2, 3}, {1, 2, 4}, {4, 3, 1}, {2, 3, 4}}},
		{5, 7, [][]uint16{{1, 2, 3, 4, 5}, {7, 3, 5, 2, 6}}},
		{27, 40, [][]uint16{spread(27, 40)}},
	} {
		poly, shares := network(t, min(c.n, 4), c.k, c.n)
		u, secret, err := threshold.Encapsulate(poly[0], id)
		if err != nil {
			t.Fatal(err)
		}
		for _, xs := range c.xs {
			combined, err := threshold.Combine(parts(t, shares, xs...))
			if err != nil {
				t.Fatalf("%d of %d, shares %v: %v", c.k, c.n, xs, err)
			}
			if !threshold.VerifyCombined(combined, id, poly[0]) {
				t.Errorf("%d of %d, shares %v: the combined key does not verify", c.k, c.n, xs)
			}
			if got, err := threshold.Decapsulate(combined, u, id); err != nil || got != secret {
				t.Errorf("%d of %d, shares %v: got another secret, error %v", c.k, c.n, xs, err)
			}
		}
	}
}

func spread(k, n int) []uint16 {
	var xs []uint16
	for i := range k {
		xs = append(xs, uint16(n-i*n/k))
	}
	return xs
}

func TestFewerThanKMembersReleaseNothing(t *testing.T) {
	poly, shares := network(t, 4, 3, 4)
	u, secret, _ := threshold.Encapsulate(poly[0], id)
	for _, xs := range [][]uint16{{1}, {1, 2}, {3, 4}} {
		combined, err := threshold.Combine(parts(t, shares, xs...))
		if err != nil {
			t.Fatal(err)
		}
		if threshold.VerifyCombined(combined, id, poly[0]) {
			t.Errorf("shares %v: the combined key verifies", xs)
		}
		if got, _ := threshold.Decapsulate(combined, u, id); got == secret {
			t.Errorf("shares %v: got the secret", xs)
		}
	}
}

func TestAKeyOpensItsOwnIdentityOnly(t *testing.T) {
	poly, shares := network(t, 1, 1, 1)
	other := wire.Sum("test", []byte("another record"))
	u, secret, _ := threshold.Encapsulate(poly[0], other)
	combined, _ := threshold.Combine(parts(t, shares, 1))
	for _, x := range []wire.Hash{id, other} {
		if got, _ := threshold.Decapsulate(combined, u, x); got == secret {
			t.Errorf("the key for %v opened what is for %v", id, other)
		}
	}
	if threshold.VerifyCombined(combined, other, poly[0]) {
		t.Error("the key for one identity verifies for another")
	}
}

func TestAWrongPartNamesItsHolder(t *testing.T) {
	poly, shares := network(t, 4, 3, 4)
	ps := parts(t, shares, 1, 2, 3, 4)
	for _, p := range ps {
		if !threshold.VerifyPart(p, id, poly) {
			t.Errorf("the part of share %d does not verify", p.X)
		}
	}
	if threshold.VerifyPart(threshold.Part{X: 2, P: ps[0].P}, id, poly) {
		t.Error("the part of share 1 passes for that of share 2")
	}
	if threshold.VerifyPart(threshold.Part{X: 0, P: ps[0].P}, id, poly) {
		t.Error("a part without share number verifies")
	}
	if threshold.VerifyPart(ps[0], wire.Hash{1}, poly) {
		t.Error("a part verifies for another identity")
	}
	if threshold.VerifyPart(ps[0], id, nil) {
		t.Error("a part verifies against no commitments")
	}
}

func TestDealsAreCheckedAgainstTheirCommitments(t *testing.T) {
	p := threshold.NewPolynomial(3)
	c := p.Commitments()
	if !threshold.VerifyShare(c, 2, p.Share(2)) {
		t.Error("a good deal does not verify")
	}
	if threshold.VerifyShare(c, 3, p.Share(2)) || threshold.VerifyShare(c[:2], 2, p.Share(2)) || threshold.VerifyShare(c, 0, p.Share(2)) {
		t.Error("a deal verifies for another number or polynomial")
	}
	q := threshold.NewPolynomial(3)
	sum, err := threshold.SumCommitments([][]threshold.Point2{c, q.Commitments()})
	if err != nil {
		t.Fatal(err)
	}
	if !threshold.VerifyShare(sum, 4, threshold.SumScalars([]threshold.Scalar{p.Share(4), q.Share(4)})) {
		t.Error("the sum of two deals does not fit the sum of the commitments")
	}
	if _, err := threshold.SumCommitments([][]threshold.Point2{c, q.Commitments()[:2]}); err == nil {
		t.Error("commitments of different length were added")
	}
	if _, err := threshold.SumCommitments(nil); err == nil {
		t.Error("commitments of nobody were added")
	}
}

func TestAPolynomialComesBackFromItsSeed(t *testing.T) {
	p := threshold.NewPolynomial(3)
	if q := threshold.PolynomialFrom(p.Reveal(), 3); q.Share(7) != p.Share(7) || q.Commitments()[2] != p.Commitments()[2] {
		t.Error("the same seed gave another polynomial")
	}
}

func TestPossessionIsProvenForOneKeyInOneContext(t *testing.T) {
	p, q := threshold.NewPolynomial(2), threshold.NewPolynomial(2)
	public, proof := p.Commitments()[0], p.Prove([]byte("ceremony 1, dealer 2"))
	if !threshold.VerifyPossession(public, []byte("ceremony 1, dealer 2"), proof) {
		t.Error("a good proof does not verify")
	}
	if threshold.VerifyPossession(public, []byte("ceremony 1, dealer 3"), proof) {
		t.Error("a proof verifies in another context")
	}
	// The rogue key: chosen so that the sum with the honest one is the attacker's own. Its maker cannot prove possession.
	if threshold.VerifyPossession(q.Commitments()[0], []byte("ceremony 1, dealer 2"), proof) {
		t.Error("a proof verifies for another key")
	}
}

func TestPointsAndScalarsAreDecodedStrictly(t *testing.T) {
	poly, shares := network(t, 1, 1, 1)
	u, _, _ := threshold.Encapsulate(poly[0], id)
	good := parts(t, shares, 1)[0].P

	for name, text := range map[string]string{
		"identity":            "c0" + strings.Repeat("00", 47),
		"outside the group":   "a" + strings.Repeat("0", 95), // x = 0, y = ±2: on the curve, of order 3
		"off the curve":       "80" + strings.Repeat("00", 46) + "01",
		"x above the modulus": "9f" + strings.Repeat("ff", 47),
		"uncompressed form":   "00" + strings.Repeat("00", 47),
		"zero bytes":          strings.Repeat("00", 48),
		"identity with sign":  "e0" + strings.Repeat("00", 47),
		"identity with rest":  "c0" + strings.Repeat("00", 46) + "01",
	} {
		b, _ := hex.DecodeString(text)
		p := threshold.Point1(b)
		if _, err := threshold.Combine([]threshold.Part{{X: 1, P: p}}); err == nil {
			t.Errorf("%s: combined", name)
		}
		if _, err := threshold.Decapsulate(p, u, id); err == nil {
			t.Errorf("%s: decapsulated", name)
		}
		if threshold.VerifyCombined(p, id, poly[0]) || threshold.VerifyPossession(poly[0], nil, p) {
			t.Errorf("%s: verified", name)
		}
		wide := threshold.Point2(append(b, make([]byte, 48)...))
		if _, err := threshold.Decapsulate(good, wide, id); err == nil {
			t.Errorf("%s: taken as U", name)
		}
		if _, _, err := threshold.Encapsulate(wide, id); err == nil {
			t.Errorf("%s: taken as a network key", name)
		}
		if _, err := threshold.SumCommitments([][]threshold.Point2{{wide}}); err == nil {
			t.Errorf("%s: taken as a commitment", name)
		}
	}
	order, _ := hex.DecodeString("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001")
	for _, s := range []threshold.Scalar{{}, threshold.Scalar(order), threshold.Scalar(bytes.Repeat([]byte{0xff}, 32))} {
		if _, err := threshold.Partial(&s, id); err == nil {
			t.Errorf("scalar %x taken as a share", s[:])
		}
		if threshold.VerifyShare(poly, 1, s) {
			t.Errorf("scalar %x verifies as a share", s[:])
		}
	}
}

// FuzzPoint: what decodes has one encoding, and circl takes it too. Combining the part of a single share gives that part.
func FuzzPoint(f *testing.F) {
	_, shares := network(f, 1, 1, 1)
	p := parts(f, shares, 1)[0].P
	f.Add(p[:])
	f.Add(append([]byte{0xc0}, make([]byte, 47)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != len(p) {
			return
		}
		got, err := threshold.Combine([]threshold.Part{{X: 1, P: threshold.Point1(b)}})
		if err == nil && got != threshold.Point1(b) {
			t.Errorf("%x encodes again to %x", b, got)
		}
		judge(t, b)
	})
}

func TestCombineRefusesNumbersGivenTwice(t *testing.T) {
	_, shares := network(t, 1, 2, 3)
	ps := parts(t, shares, 1, 2)
	zero, twice := ps[0], ps[1]
	zero.X, twice.X = 0, 1
	for name, in := range map[string][]threshold.Part{"none": nil, "zero": {zero, ps[1]}, "twice": {ps[0], twice}, "too many": make([]threshold.Part, threshold.MaxShares+1)} {
		if _, err := threshold.Combine(in); err == nil {
			t.Errorf("%s: combined", name)
		}
	}
}

func TestSharesAndPolynomialsDoNotPrint(t *testing.T) {
	p := threshold.NewPolynomial(2)
	s, seed := p.Share(1), p.Reveal()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "polynomial", p, "share", s)
	out := log.String() + fmt.Sprintf("%v %+v %#v %s %x %d %v %+v %#v %s %x %d %v", p, p, p, p, p, p, s, s, s, s, s, s, []threshold.Scalar{s})
	for _, secret := range [][]byte{s[:], seed[:]} {
		for _, form := range []string{string(secret), hex.EncodeToString(secret[:8]), fmt.Sprint(secret[:4])[1:12]} {
			if strings.Contains(out, form) {
				t.Errorf("printed a secret: %q", out)
			}
		}
	}
}
