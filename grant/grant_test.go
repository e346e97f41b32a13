package grant_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

func TestAMessageOpensForItsKeyInItsLogAndNowhereElse(t *testing.T) {
	w := newWorld()
	m := w.message()
	sealed, err := m.Seal(w.exchange[1].Exchange(), w.seeds())
	if err != nil {
		t.Fatal(err)
	}
	got, seeds, err := grant.Open(w.exchange[1], m.Network, m.Log, m.Terms.Key, sealed)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("got %+v, %v, want %+v", got, err, m)
	}
	if len(seeds) != 2 || seeds[1].Epoch != 3 || *seeds[1].Reader().Exchange() != *w.labs.Reader(3).Exchange() {
		t.Errorf("the seeds are not those of epochs 1 and 3: %v", seeds)
	}
	for name, try := range map[string]func() error{
		"another member": func() error {
			_, _, err := grant.Open(w.exchange[0], m.Network, m.Log, m.Terms.Key, sealed)
			return err
		},
		"another network": func() error {
			_, _, err := grant.Open(w.exchange[1], key.Network{1}, m.Log, m.Terms.Key, sealed)
			return err
		},
		"another log": func() error {
			_, _, err := grant.Open(w.exchange[1], m.Network, key.Log{1}, m.Terms.Key, sealed)
			return err
		},
		"another key": func() error {
			_, _, err := grant.Open(w.exchange[1], m.Network, m.Log, w.signers[0].Public(), sealed)
			return err
		},
		"an altered byte": func() error {
			bad := bytes.Clone(sealed)
			bad[len(bad)-1] ^= 1
			_, _, err := grant.Open(w.exchange[1], m.Network, m.Log, m.Terms.Key, bad)
			return err
		},
	} {
		if err := try(); !errors.Is(err, key.ErrSealed) {
			t.Errorf("%s: got %v, want %v", name, err, key.ErrSealed)
		}
	}
}

func TestAMessageWhoseTextContradictsItsSealIsRefused(t *testing.T) {
	w := newWorld()
	m := w.message()
	sealed, err := m.Seal(w.exchange[1].Exchange(), nil)
	if err != nil {
		t.Fatal(err)
	}
	aad := cat(m.Network[:], m.Log[:], m.Terms.Key[:])
	plain := raw(t, w.exchange[1], "vitalog/v1/grant", aad, sealed)
	other := key.Log{9}
	forged, err := w.exchange[1].Exchange().Seal("vitalog/v1/grant", cat(m.Network[:], other[:], m.Terms.Key[:]), pad(plain))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := grant.Open(w.exchange[1], m.Network, other, m.Terms.Key, forged); err == nil {
		t.Error("a message for one log opened in another")
	}
}

func TestSeedsNeitherPrintNorStandInAMessage(t *testing.T) {
	w := newWorld()
	secret := w.labs.ReaderSeed(1)
	s := grant.NewSeed(1, secret)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "seed", s)
	j, _ := json.Marshal(s)
	for _, text := range []string{fmt.Sprintf("%v", s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%v", []grant.Seed{s}), log.String(), string(j)} {
		if strings.Contains(text, fmt.Sprintf("%x", secret[:4])) || strings.Contains(text, fmt.Sprint(secret[:4])[1:]) {
			t.Errorf("the seed stands in %q", text)
		}
	}
	if reflect.TypeFor[grant.Seed]().Comparable() {
		t.Error("seeds compare")
	}
}

func TestWhatAKeyringWrapsOfSeedsComesBack(t *testing.T) {
	w := newWorld()
	b := grant.EncodeSeeds(w.seeds())
	got, err := grant.DecodeSeeds(b)
	if err != nil || len(got) != 2 || !bytes.Equal(grant.EncodeSeeds(got), b) {
		t.Errorf("got %v, %v", got, err)
	}
	twice := grant.EncodeSeeds([]grant.Seed{grant.NewSeed(3, seed("a")), grant.NewSeed(3, seed("b"))})
	if _, err := grant.DecodeSeeds(twice); !errors.Is(err, wire.ErrNonCanonical) {
		t.Errorf("two seeds of one epoch: got %v, want %v", err, wire.ErrNonCanonical)
	}
}

func TestAMessageIsNotSealedWhenItsReaderWouldRefuseIt(t *testing.T) {
	w := newWorld()
	for name, alter := range map[string]func(*grant.Message){
		"unknown section":        func(m *grant.Message) { m.Section = 99 },
		"section zero":           func(m *grant.Message) { m.Section = 0 },
		"purpose in small print": func(m *grant.Message) { m.Purpose = "treat" },
		"no purpose":             func(m *grant.Message) { m.Purpose = "" },
		"long label":             func(m *grant.Message) { m.Label = strings.Repeat("x", grant.MaxLabel+1) },
		"label with a newline":   func(m *grant.Message) { m.Label = "a\nb" },
		"label that turns round": func(m *grant.Message) { m.Label = "a\u202eb" },
		"label not in UTF-8":     func(m *grant.Message) { m.Label = "\xff" },
		"no exchange key":        func(m *grant.Message) { clear(m.Owner[:]); m.Owner[0], m.Owner[1] = 0xff, 0xff },
		"no rights":              func(m *grant.Message) { m.Terms.Rights = 0 },
		"unknown right":          func(m *grant.Message) { m.Terms.Rights |= 0x80 },
		"reading nothing":        func(m *grant.Message) { m.Terms.Ranges = nil },
		"ranges out of order":    func(m *grant.Message) { m.Terms.Ranges = []consent.Range{{From: 5, To: 6}, {From: 1, To: 2}} },
		"ends before it begins":  func(m *grant.Message) { m.Terms.Until = m.Terms.From },
	} {
		m := w.message()
		alter(m)
		if _, err := m.Seal(w.exchange[1].Exchange(), nil); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
	many := make([]grant.Seed, grant.MaxSeeds+1)
	for i := range many {
		many[i] = grant.NewSeed(uint32(i+1), [32]byte{})
	}
	if _, err := w.message().Seal(w.exchange[1].Exchange(), many); !errors.Is(err, wire.ErrOversized) {
		t.Errorf("%d seeds: got %v, want %v", len(many), err, wire.ErrOversized)
	}
	if _, err := w.message().Seal(w.exchange[1].Exchange(), many[:grant.MaxSeeds]); err != nil {
		t.Errorf("%d seeds: %v", grant.MaxSeeds, err)
	}
}

func TestAnIntroductionIsBelievedOnlyFromTheMemberItNames(t *testing.T) {
	w := newWorld()
	i := w.introduction(t, w.labs.Log(w.network))
	if err := i.Verify(w.genesis); err != nil {
		t.Fatal(err)
	}
	got, err := grant.DecodeIntroduction(i.Encode())
	if err != nil || *got != *i {
		t.Errorf("decoded: got %+v, %v, want %+v", got, err, i)
	}
	elsewhere := *w.genesis
	elsewhere.Name = "another network"
	if err := i.Verify(&elsewhere); !errors.Is(err, op.ErrSignature) {
		t.Errorf("another network: got %v, want %v", err, op.ErrSignature)
	}
	for name, alter := range map[string]func(*grant.Introduction){
		"member": func(i *grant.Introduction) { i.Member = 0 }, "unknown member": func(i *grant.Introduction) { i.Member = 2 },
		"log": func(i *grant.Introduction) { i.Log[0] ^= 1 }, "purpose": func(i *grant.Introduction) { i.Purpose = "HRESCH" },
		"key": func(i *grant.Introduction) { i.Grantee[0] ^= 1 },
	} {
		bad := *i
		alter(&bad)
		if err := bad.Verify(w.genesis); err == nil {
			t.Errorf("an introduction with another %s is believed", name)
		}
	}
	if _, err := grant.Introduce(w.network, 1, w.signers[1], key.Log{}, "for treatment", w.grantee.Public()); err == nil {
		t.Error("a purpose that is no code was signed")
	}
}

func TestAMailboxAndAHandleReadAsTheyWereWritten(t *testing.T) {
	w := newWorld()
	m := &grant.Mailbox{Letters: []grant.Letter{{Key: w.grantee.Public(), Sealed: []byte("one")}, {Key: w.signers[0].Public(), Sealed: []byte{}}}}
	got, err := grant.DecodeMailbox(m.Encode())
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, %v, want %+v", got, err, m)
	}
	h := w.message().Handle
	if got, err := grant.ParseHandle(h.String()); err != nil || got != h {
		t.Errorf("%s: got %v, %v", h, got, err)
	}
	for _, bad := range []string{"", "vitalog:", h.String()[1:], h.String() + "A", h.String()[:len(h.String())-1], strings.Replace(h.String(), "vitalog:", "", 1)} {
		if _, err := grant.ParseHandle(bad); err == nil {
			t.Errorf("%q is taken for a handle", bad)
		}
	}
}
