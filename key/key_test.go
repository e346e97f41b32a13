package key_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding"
	"encoding/hex"
	"strings"
	"testing"

	"vitalog/key"
)

// The encodings of the eight points of small order (Zcash, ZIP 215): eight canonical ones, and six with a y that is not reduced or a
// sign that x = 0 doesn't have.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

// ZIP 215 accepts every pair of them as key and as R with S = 0, for every message. Other rules accept some: the standard library is
// held beside it to show that this test tells rules apart.
func TestSignaturesAreAcceptedByZIP215AndKeysThatAnybodySignsForAreToldApart(t *testing.T) {
	message := []byte("Zcash")
	batch := key.NewBatch(len(smallOrder) * len(smallOrder))
	good := key.NewSigning([32]byte{1}).Public()
	if !good.Sound() || key.Verifier(unhex(t, "0200000000000000000000000000000000000000000000000000000000000000")).Sound() {
		t.Error("a good key is unsound, or one off the curve is sound")
	}
	differs := 0
	for _, a := range smallOrder {
		if key.Verifier(unhex(t, a)).Sound() {
			t.Errorf("key %s is sound, though anybody can sign for it", a)
		}
		for _, r := range smallOrder {
			v, sig := key.Verifier(unhex(t, a)), key.Signature(append(unhex(t, r), make([]byte, 32)...))
			if !v.Verify(message, sig) {
				t.Errorf("key %s, R %s: refused", a, r)
			}
			batch.Add(v, message, sig)
			if !ed25519.Verify(v[:], message, sig[:]) {
				differs++
			}
		}
	}
	if all, _ := batch.Verify(); !all {
		t.Error("the batch refuses what each alone is accepted for")
	}
	if differs == 0 {
		t.Error("the standard library accepts them all: the vectors tell no rules apart")
	}
}

func TestSignaturesOutsideZIP215AreRefused(t *testing.T) {
	s := key.NewSigning([32]byte{1})
	message := []byte("message")
	good := s.Sign(message)
	if !s.Public().Verify(message, good) {
		t.Fatal("a good signature is refused")
	}
	order := unhex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	unreduced, carry := good, 0
	for i := range order {
		carry += int(good[32+i]) + int(order[i])
		unreduced[32+i] = byte(carry)
		carry >>= 8
	}
	offCurve := good
	copy(offCurve[:32], unhex(t, "0200000000000000000000000000000000000000000000000000000000000000"))
	for name, sig := range map[string]key.Signature{"S above the order": unreduced, "R off the curve": offCurve, "zero": {}, "one bit": flip(good)} {
		batch := key.NewBatch(2)
		batch.Add(s.Public(), message, good)
		batch.Add(s.Public(), message, sig)
		if s.Public().Verify(message, sig) {
			t.Errorf("%s: accepted", name)
		}
		if all, each := batch.Verify(); all || !each[0] || each[1] {
			t.Errorf("%s: batch says %v, %v", name, all, each)
		}
	}
	if key.Verifier(unhex(t, "0200000000000000000000000000000000000000000000000000000000000000")).Verify(message, good) {
		t.Error("a key off the curve verifies")
	}
	if s.Public().Verify([]byte("another message"), good) || key.NewSigning([32]byte{2}).Public().Verify(message, good) {
		t.Error("a signature verifies for another message or key")
	}
}

func flip(s key.Signature) key.Signature { s[40] ^= 1; return s }

func TestIDsAreBoundToAllTheyAreMadeOf(t *testing.T) {
	var n key.Network
	var l key.Log
	var v, w key.Verifier
	w[0] = 1
	ids := map[string]bool{}
	for _, id := range []string{
		key.LogID(n, v, [32]byte{}).String(), key.LogID(key.Network{1}, v, [32]byte{}).String(), key.LogID(n, w, [32]byte{}).String(), key.LogID(n, v, [32]byte{1}).String(),
		key.RecordID(n, l, v, [16]byte{}).String(), key.RecordID(key.Network{1}, l, v, [16]byte{}).String(), key.RecordID(n, key.Log{1}, v, [16]byte{}).String(),
		key.RecordID(n, l, w, [16]byte{}).String(), key.RecordID(n, l, v, [16]byte{1}).String(),
	} {
		if ids[id] {
			t.Errorf("%s comes twice", id)
		}
		ids[id] = true
	}
}

func TestTextFormsAreReadStrictly(t *testing.T) {
	type text interface {
		encoding.TextMarshaler
		encoding.TextUnmarshaler
	}
	for prefix, x := range map[string]text{"net:": new(key.Network), "log:": new(key.Log), "rec:": new(key.Record), "vk:": new(key.Verifier)} {
		digits := strings.Repeat("0123456789abcdef", 4)
		if err := x.UnmarshalText([]byte(prefix + digits)); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
		if b, err := x.MarshalText(); err != nil || string(b) != prefix+digits {
			t.Errorf("%s: got %s, error %v", prefix, b, err)
		}
		for _, bad := range []string{"", prefix, digits, prefix + digits[1:], prefix + digits + "00", "xx:" + digits, prefix + strings.ToUpper(digits), prefix + digits[:63] + "g", " " + prefix + digits} {
			if err := x.UnmarshalText([]byte(bad)); err == nil {
				t.Errorf("%s: %q was read", prefix, bad)
			}
		}
		if b, _ := x.MarshalText(); string(b) != prefix+digits {
			t.Errorf("%s: text that was refused changed the value to %s", prefix, b)
		}
	}
}

func TestWhatIsSealedOpensWithThatKeyInThatContextOnly(t *testing.T) {
	var seed [32]byte
	rand.Read(seed[:])
	d, other := key.NewDecapsulating(seed), key.NewDecapsulating([32]byte{1})
	message := []byte("a seed")
	sealed, err := d.Exchange().Seal("info", []byte("aad"), message)
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != len(message)+key.SealOverhead {
		t.Errorf("got %d bytes, want %d", len(sealed), len(message)+key.SealOverhead)
	}
	if got, err := d.Open("info", []byte("aad"), sealed); err != nil || !bytes.Equal(got, message) {
		t.Errorf("got %q, error %v", got, err)
	}
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	encapsulated := bytes.Clone(sealed)
	encapsulated[5] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another key":            func() ([]byte, error) { return other.Open("info", []byte("aad"), sealed) },
		"another info":           func() ([]byte, error) { return d.Open("inf", []byte("aad"), sealed) },
		"another context":        func() ([]byte, error) { return d.Open("info", []byte("aa"), sealed) },
		"altered":                func() ([]byte, error) { return d.Open("info", []byte("aad"), altered) },
		"altered encapsulation":  func() ([]byte, error) { return d.Open("info", []byte("aad"), encapsulated) },
		"cut off":                func() ([]byte, error) { return d.Open("info", []byte("aad"), sealed[:len(sealed)-1]) },
		"shorter than a key":     func() ([]byte, error) { return d.Open("info", []byte("aad"), sealed[:100]) },
		"nothing":                func() ([]byte, error) { return d.Open("info", []byte("aad"), nil) },
		"sealed to another's":    func() ([]byte, error) { return other.Open("info", []byte("aad"), altered) },
		"continued by one byte ": func() ([]byte, error) { return d.Open("info", []byte("aad"), append(bytes.Clone(sealed), 0)) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestExchangeKeysAreParsedStrictly(t *testing.T) {
	good := key.NewDecapsulating([32]byte{1}).Exchange()
	if got, err := key.ParseExchange(good[:]); err != nil || *got != *good {
		t.Errorf("a good key: error %v", err)
	}
	unreduced := *good // the first two coefficients of ML-KEM's vector are 4095, above the modulus 3329
	copy(unreduced[:], []byte{0xff, 0xff, 0xff})
	for name, b := range map[string][]byte{"nothing": nil, "short": good[:key.ExchangeSize-1], "long": append(bytes.Clone(good[:]), 0), "not reduced": unreduced[:]} {
		if _, err := key.ParseExchange(b); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzParseExchange(f *testing.F) {
	good := key.NewDecapsulating([32]byte{1}).Exchange()
	f.Add(good[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := key.ParseExchange(b); err == nil && !bytes.Equal(e[:], b) {
			t.Errorf("%x encodes again to %x", b, e[:])
		}
	})
}
