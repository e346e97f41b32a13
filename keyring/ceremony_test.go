package keyring_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

const (
	gen     = 1
	attempt = 2
)

// dealers is a ceremony of n rings with threshold k up to the reveals.
type dealers struct {
	k       int
	paths   []string
	rings   []*keyring.Ring
	hellos  []*key.Exchange
	reveals []*op.Reveal
}

func context(dealer int) []byte { return fmt.Appendf(nil, "ceremony, dealer %d", dealer) }

func deal(t *testing.T, n, k int) *dealers {
	t.Helper()
	d := &dealers{k: k}
	for range n {
		path, r := quick(t)
		e, err := r.BeginCeremony(gen, attempt, k)
		if err != nil {
			t.Fatal(err)
		}
		d.paths, d.rings, d.hellos = append(d.paths, path), append(d.rings, r), append(d.hellos, e)
	}
	for i, r := range d.rings {
		v, err := r.CeremonyReveal(gen, attempt, uint16(i+1), context(i+1), d.hellos)
		if err != nil {
			t.Fatal(err)
		}
		d.reveals = append(d.reveals, v)
	}
	return d
}

// take has the holder of share j take the deal of dealer i.
func (d *dealers) take(t *testing.T, i, j int) {
	t.Helper()
	sealed, err := d.rings[i-1].CeremonyDeal(gen, attempt, uint16(j))
	if err != nil {
		t.Fatal(err)
	}
	if h := wire.Hash(sha256.Sum256(sealed)); h != d.reveals[i-1].Deals[j-1] {
		t.Fatalf("deal %d → %d: got hash %v, the reveal says %v", i, j, h, d.reveals[i-1].Deals[j-1])
	}
	if err := d.rings[j-1].TakeDeal(gen, attempt, uint16(i), uint16(j), sealed, d.reveals[i-1].Commitments); err != nil {
		t.Fatal(err)
	}
}

func (d *dealers) key(t *testing.T, from ...int) *op.NetworkKey {
	t.Helper()
	var c [][]threshold.Point2
	for _, i := range from {
		c = append(c, d.reveals[i-1].Commitments)
	}
	poly, err := threshold.SumCommitments(c)
	if err != nil {
		t.Fatal(err)
	}
	return &op.NetworkKey{Gen: gen, Set: 1, K: d.k, Poly: poly}
}

func TestACeremonyGivesEachMemberAShareOfOneKey(t *testing.T) {
	d := deal(t, 4, 3)
	for i := 1; i <= 4; i++ {
		if v := d.reveals[i-1]; !threshold.VerifyPossession(v.Commitments[0], context(i), v.Proof) {
			t.Errorf("dealer %d: its proof of possession does not verify", i)
		}
		for j := 1; j <= 4; j++ {
			d.take(t, i, j)
		}
	}
	n := d.key(t, 1, 2, 3, 4)
	id := wire.Sum("record")
	var parts []threshold.Part
	for j, r := range d.rings {
		if err := r.FinishCeremony(attempt, n, uint16(j+1), []uint16{1, 2, 3, 4}, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.FinishCeremony(attempt, n, uint16(j+1), []uint16{1, 2, 3, 4}, nil); err != nil {
			t.Errorf("finishing again: %v", err)
		}
		part, _, err := reopen(t, d.paths[j]).Partial(gen, id)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	combined, err := threshold.Combine(parts[1:])
	if err != nil || !threshold.VerifyCombined(combined, id, n.Public()) {
		t.Errorf("three of four shares do not make the key: %v", err)
	}
}

func TestARestartInACeremonyChangesNothing(t *testing.T) {
	d := deal(t, 2, 2)
	r := reopen(t, d.paths[0])
	if e, err := r.BeginCeremony(gen, attempt, 2); err != nil || *e != *d.hellos[0] {
		t.Errorf("another exchange key after a restart: %v", err)
	}
	again, err := r.CeremonyReveal(gen, attempt, 1, context(1), nil)
	if err != nil || again.Hash(key.Verifier{}) != d.reveals[0].Hash(key.Verifier{}) {
		t.Errorf("another reveal after a restart: %v", err)
	}
	a, err := d.rings[0].CeremonyDeal(gen, attempt, 2)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := r.CeremonyDeal(gen, attempt, 2); err != nil || !slices.Equal(a, b) {
		t.Errorf("another deal after a restart: %v", err)
	}
	d.take(t, 1, 2)
	d.rings[1] = reopen(t, d.paths[1])
	d.take(t, 2, 2)
	if err := d.rings[1].FinishCeremony(attempt, d.key(t, 1, 2), 2, []uint16{1, 2}, nil); err != nil {
		t.Errorf("the deal taken before the restart is gone: %v", err)
	}
}

func TestAWrongDealIsReasonForAComplaintAndItsJustificationTakesItsPlace(t *testing.T) {
	d := deal(t, 4, 3)
	sealed, err := d.rings[0].CeremonyDeal(gen, attempt, 2)
	if err != nil {
		t.Fatal(err)
	}
	altered := slices.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for name, err := range map[string]error{
		"an altered deal":           d.rings[1].TakeDeal(gen, attempt, 1, 2, altered, d.reveals[0].Commitments),
		"the deal of another":       d.rings[2].TakeDeal(gen, attempt, 1, 3, sealed, d.reveals[0].Commitments),
		"another dealer's":          d.rings[1].TakeDeal(gen, attempt, 3, 2, sealed, d.reveals[0].Commitments),
		"against other commitments": d.rings[1].TakeDeal(gen, attempt, 1, 2, sealed, d.reveals[2].Commitments),
	} {
		if !errors.Is(err, keyring.ErrBadDeal) {
			t.Errorf("%s: got %v, want %v", name, err, keyring.ErrBadDeal)
		}
	}
	for i := 2; i <= 4; i++ {
		d.take(t, i, 2)
	}
	n := d.key(t, 1, 2, 3, 4)
	if err := d.rings[1].FinishCeremony(attempt, n, 2, []uint16{1, 2, 3, 4}, nil); err == nil {
		t.Fatal("a share was kept without the deal of dealer 1")
	}
	j, err := d.rings[0].CeremonyJustify(gen, attempt, 1, 2, &op.Verdict{Gen: gen, Complain: []uint16{1}})
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[uint16]threshold.Scalar{1: {0xff}}
	if err := d.rings[1].FinishCeremony(attempt, n, 2, []uint16{1, 2, 3, 4}, wrong); err == nil {
		t.Error("a scalar above the order was taken for a share")
	}
	wrong[1] = threshold.NewPolynomial(3).Share(2)
	if err := d.rings[1].FinishCeremony(attempt, n, 2, []uint16{1, 2, 3, 4}, wrong); err == nil {
		t.Error("a share that does not fit the key was kept")
	}
	if err := d.rings[1].FinishCeremony(attempt, n, 2, []uint16{1, 2, 3, 4}, map[uint16]threshold.Scalar{1: j.Share}); err != nil {
		t.Error(err)
	}
}

func TestADealIsShownOnlyToAComplaintAndNeverKOfThem(t *testing.T) {
	d := deal(t, 4, 3)
	r := d.rings[0]
	about := &op.Verdict{Gen: gen, Complain: []uint16{1}}
	for name, v := range map[string]*op.Verdict{"none": nil, "content": {Gen: gen}, "about another": {Gen: gen, Complain: []uint16{2}}, "of another generation": {Gen: 9, Complain: []uint16{1}}} {
		if _, err := r.CeremonyJustify(gen, attempt, 1, 2, v); err == nil {
			t.Errorf("verdict %s: the deal was shown", name)
		}
	}
	for _, x := range []uint16{2, 3} {
		j, err := r.CeremonyJustify(gen, attempt, 1, x, about)
		if err != nil || !threshold.VerifyShare(d.reveals[0].Commitments, x, j.Share) || j.Receiver != x {
			t.Fatalf("share %d: got %v, %v", x, j, err)
		}
	}
	r = reopen(t, d.paths[0])
	if _, err := r.CeremonyJustify(gen, attempt, 1, 3, about); err != nil {
		t.Errorf("the same deal again: %v", err)
	}
	if _, err := r.CeremonyJustify(gen, attempt, 1, 4, about); err == nil {
		t.Error("three deals of a polynomial with three coefficients were shown")
	}
}

func TestTheSecretsOfACeremonyEndWithIt(t *testing.T) {
	d := deal(t, 1, 1)
	d.take(t, 1, 1)
	r := d.rings[0]
	during := size(t, d.paths[0])
	if err := r.FinishCeremony(attempt, d.key(t, 1), 1, []uint16{1}, nil); err != nil {
		t.Fatal(err)
	}
	if after := size(t, d.paths[0]); after > during-1000 {
		t.Errorf("the ring has %d bytes after the ceremony, %d during it", after, during)
	}
	if _, err := reopen(t, d.paths[0]).CeremonyDeal(gen, attempt, 1); !errors.Is(err, keyring.ErrCeremony) {
		t.Errorf("a deal after the end: got %v, want %v", err, keyring.ErrCeremony)
	}
}

func TestALaterAttemptErasesAnEarlierAndIsNotUndone(t *testing.T) {
	_, r := quick(t)
	first, err := r.BeginCeremony(1, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.BeginCeremony(1, 2, 3)
	if err != nil || *second == *first {
		t.Errorf("a second attempt has the keys of the first: %v", err)
	}
	if _, err := r.BeginCeremony(1, 1, 3); !errors.Is(err, keyring.ErrCeremony) {
		t.Errorf("going back: got %v, want %v", err, keyring.ErrCeremony)
	}
	if _, err := r.BeginCeremony(1, 2, 4); !errors.Is(err, keyring.ErrCeremony) {
		t.Errorf("another threshold: got %v, want %v", err, keyring.ErrCeremony)
	}
	if err := r.EndCeremony(1, 1); err != nil {
		t.Errorf("ending one that is over: %v", err)
	}
	if again, err := r.BeginCeremony(1, 2, 3); err != nil || *again != *second {
		t.Errorf("ending the first ended the second: %v", err)
	}
	if err := r.EndCeremony(1, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CeremonyReveal(1, 2, 1, nil, []*key.Exchange{second}); !errors.Is(err, keyring.ErrCeremony) {
		t.Errorf("a reveal after the end: got %v, want %v", err, keyring.ErrCeremony)
	}
}

func TestAHolderWithoutHelloGetsNoDeal(t *testing.T) {
	_, r := quick(t)
	e, err := r.BeginCeremony(gen, attempt, 1)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.CeremonyReveal(gen, attempt, 1, nil, []*key.Exchange{e, nil})
	if err != nil || v.Deals[1] != (wire.Hash{}) || v.Deals[0] == (wire.Hash{}) {
		t.Errorf("got deals %v, %v", v.Deals, err)
	}
	if _, err := r.CeremonyDeal(gen, attempt, 2); err == nil {
		t.Error("there is a deal for a holder without a key")
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}
