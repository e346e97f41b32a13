package chart_test

import (
	"bytes"
	"errors"
	"testing"

	"vitalog/chart"
	"vitalog/key"
)

func TestAnAttestationIsCheckedWithoutTheContent(t *testing.T) {
	rid := key.Record{1}
	c := &chart.Content{Author: chart.Author{Member: "St. Elena"}, Created: 1, Items: []chart.Item{{Type: "Observation", ID: "o1", Status: chart.Active, Raw: []byte(`{"resourceType":"Observation"}`)}}}
	if err := c.Sign(key.NewSigning([32]byte{7}), rid); err != nil {
		t.Fatal(err)
	}
	a, err := c.Attest(rid)
	if err != nil {
		t.Fatal(err)
	}
	back, err := chart.DecodeAttestation(a.Encode())
	if err != nil || *back != *a || back.Verify() != nil {
		t.Errorf("got %+v, %v; want %+v", back, err, a)
	}
	for name, change := range map[string]func(x *chart.Attestation){
		"another record":  func(x *chart.Attestation) { x.Record[0]++ },
		"another content": func(x *chart.Attestation) { x.Content[0]++ },
		"another author":  func(x *chart.Attestation) { x.Author = key.NewSigning([32]byte{8}).Public() },
		"no signature":    func(x *chart.Attestation) { x.Signature = key.Signature{} },
	} {
		x := *a
		if change(&x); !errors.Is(x.Verify(), chart.ErrSignature) {
			t.Errorf("%s: it verifies", name)
		}
	}
	if _, err := c.Attest(key.Record{2}); !errors.Is(err, chart.ErrSignature) {
		t.Errorf("of another record: got %v", err)
	}
}

func FuzzAttestation(f *testing.F) {
	f.Add((&chart.Attestation{Record: key.Record{1}}).Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := chart.DecodeAttestation(b); err == nil && !bytes.Equal(a.Encode(), b) {
			t.Errorf("%x was decoded and encodes to %x", b, a.Encode())
		}
	})
}
