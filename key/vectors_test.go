package key_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"vitalog/key"
	"vitalog/wire"
)

type bin []byte

func (u *bin) UnmarshalText(b []byte) (err error) {
	*u, err = hex.DecodeString(string(b))
	return err
}

func TestTheVectorsHold(t *testing.T) {
	raw, err := os.ReadFile("../spec/testdata/key.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Root, Network, RecordSalt bin
		Sections                  []struct {
			Section                                       uint8
			Salt, Owner, Log, ExchangeHash, RecordOfOwner bin
			Readers                                       []struct {
				Epoch      uint32
				Seed, Hash bin
			}
		}
		Derive struct {
			Secret       bin
			Use, Context string
			Key          bin
		}
		Signing struct {
			Seed, Public bin
			Message      string
			Signature    bin
		}
		Sealed struct {
			Seed                 bin
			Info, AAD, Plaintext string
			Sealed               bin
		}
		SmallOrder []string
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	root, network := key.RootFrom([32]byte(v.Root)), key.Network(v.Network)
	for _, want := range v.Sections {
		k := root.Section(want.Section)
		if k.Salt != [32]byte(want.Salt) || k.Owner.Public() != key.Verifier(want.Owner) || k.Private.Exchange().Hash() != wire.Hash(want.ExchangeHash) {
			t.Errorf("section %d: got owner %v, exchange key %v", want.Section, k.Owner.Public(), k.Private.Exchange().Hash())
		}
		log := k.Log(network)
		if log != key.Log(want.Log) {
			t.Errorf("section %d: got %v, want %x", want.Section, log, want.Log)
		}
		if got := key.RecordID(network, log, k.Owner.Public(), [16]byte(v.RecordSalt)); got != key.Record(want.RecordOfOwner) {
			t.Errorf("section %d: got %v, want %x", want.Section, got, want.RecordOfOwner)
		}
		for _, r := range want.Readers {
			if k.ReaderSeed(r.Epoch) != [32]byte(r.Seed) || k.Reader(r.Epoch).Exchange().Hash() != wire.Hash(r.Hash) {
				t.Errorf("section %d: reader key of epoch %d differs", want.Section, r.Epoch)
			}
		}
	}
	if got := key.Derive(v.Derive.Secret, v.Derive.Use, []byte(v.Derive.Context)); got != [32]byte(v.Derive.Key) {
		t.Errorf("derived %x, want %x", got, v.Derive.Key)
	}
	s := key.NewSigning([32]byte(v.Signing.Seed))
	if got := s.Sign([]byte(v.Signing.Message)); s.Public() != key.Verifier(v.Signing.Public) || got != key.Signature(v.Signing.Signature) {
		t.Errorf("got key %v and signature %x", s.Public(), got)
	}
	d := key.NewDecapsulating([32]byte(v.Sealed.Seed))
	if got, err := d.Open(v.Sealed.Info, []byte(v.Sealed.AAD), v.Sealed.Sealed); err != nil || string(got) != v.Sealed.Plaintext {
		t.Errorf("opened %q, want %q, error %v", got, v.Sealed.Plaintext, err)
	}
	if !slices.Equal(v.SmallOrder, smallOrder) {
		t.Error("the points of small order are others than the test's")
	}
}
