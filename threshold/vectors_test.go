package threshold_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"vitalog/threshold"
	"vitalog/wire"
)

// unhex is bytes in a vector file.
type unhex []byte

func (u *unhex) UnmarshalText(b []byte) (err error) {
	*u, err = hex.DecodeString(string(b))
	return err
}

func TestTheVectorsHold(t *testing.T) {
	raw, err := os.ReadFile("../spec/testdata/threshold.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Polynomial struct {
			Seed                unhex
			Commitments, Shares []unhex
		}
		Possession          struct{ Context, Proof unhex }
		ID, Hashed          unhex
		Partials            []unhex
		Combined, U, Secret unhex
		Sets                [][]uint16
		Refused             map[string]unhex
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	p := threshold.PolynomialFrom([32]byte(v.Polynomial.Seed), len(v.Polynomial.Commitments))
	commitments := p.Commitments()
	for i, want := range v.Polynomial.Commitments {
		if commitments[i] != threshold.Point2(want) {
			t.Errorf("commitment %d: got %x, want %x", i, commitments[i], want)
		}
	}
	if got := p.Prove(v.Possession.Context); got != threshold.Point1(v.Possession.Proof) {
		t.Errorf("proof of possession: got %x, want %x", got, v.Possession.Proof)
	}
	id, one := wire.Hash(v.ID), threshold.Scalar{31: 1}
	if got, _ := threshold.Partial(&one, id); got != threshold.Point1(v.Hashed) {
		t.Errorf("the identity's point: got %x, want %x", got, v.Hashed)
	}
	for i, want := range v.Polynomial.Shares {
		s := p.Share(uint16(i + 1))
		if s != threshold.Scalar(want) {
			t.Errorf("share %d differs from %x", i+1, want)
		}
		if got, _ := threshold.Partial(&s, id); got != threshold.Point1(v.Partials[i]) {
			t.Errorf("partial of share %d: got %x, want %x", i+1, got, v.Partials[i])
		}
		if !threshold.VerifyPart(threshold.Part{X: uint16(i + 1), P: threshold.Point1(v.Partials[i])}, id, commitments) {
			t.Errorf("partial of share %d does not verify", i+1)
		}
	}
	for _, set := range v.Sets {
		var parts []threshold.Part
		for _, x := range set {
			parts = append(parts, threshold.Part{X: x, P: threshold.Point1(v.Partials[x-1])})
		}
		if got, err := threshold.Combine(parts); err != nil || got != threshold.Point1(v.Combined) {
			t.Errorf("shares %v: got %x, want %x, error %v", set, got, v.Combined, err)
		}
	}
	if got, err := threshold.Decapsulate(threshold.Point1(v.Combined), threshold.Point2(v.U), id); err != nil || got != [32]byte(v.Secret) {
		t.Errorf("secret: got %x, want %x, error %v", got, v.Secret, err)
	}
	for name, b := range v.Refused {
		if _, err := threshold.Combine([]threshold.Part{{X: 1, P: threshold.Point1(b)}}); err == nil {
			t.Errorf("%s: %x was taken as a point", name, b)
		}
	}
}
