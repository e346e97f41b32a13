package wire_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"vitalog/wire"
)

func TestSumIsWhatItsDocSays(t *testing.T) {
	network, log := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	text := "0000000e" + hex.EncodeToString([]byte("vitalog/v1/rid")) + "00000020" + hex.EncodeToString(network) + "00000020" + hex.EncodeToString(log)
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := wire.Sum("vitalog/v1/rid", network, log), wire.Hash(sha256.Sum256(raw)); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNoTwoListsOfFieldsHaveOneSum(t *testing.T) {
	seen := map[wire.Hash]int{}
	for i, c := range [][][]byte{{}, {{}}, {{}, {}}, {[]byte("ab")}, {[]byte("a"), []byte("b")}, {[]byte("ab"), {}}, {{}, []byte("ab")}, {[]byte("b"), []byte("a")}} {
		h := wire.Sum("t", c...)
		if j, dup := seen[h]; dup {
			t.Errorf("lists %d and %d have one sum", j, i)
		}
		seen[h] = i
	}
	if wire.Sum("ta", []byte("b")) == wire.Sum("t", []byte("ab")) || wire.Sum("t") == wire.Sum("u") {
		t.Error("domains run into fields")
	}
}

func TestFieldsAreBigEndianAndOfFixedWidth(t *testing.T) {
	var w wire.Writer
	w.U8(1)
	w.U16(0x0203)
	w.U32(0x04050607)
	w.U64(0x08090a0b0c0d0e0f)
	w.Bool(true)
	w.Bool(false)
	w.Fixed([]byte{0xf0, 0xf1})
	w.Bytes([]byte{0xe0})
	w.Bytes(nil)
	const want = "0102030405060708090a0b0c0d0e0f0100f0f100000001e000000000"
	if got := hex.EncodeToString(w.Done()); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	r := wire.NewReader(w.Done())
	var two [2]byte
	if a, b, c, d, e, f := r.U8(), r.U16(), r.U32(), r.U64(), r.Bool(), r.Bool(); a != 1 || b != 0x0203 || c != 0x04050607 || d != 0x08090a0b0c0d0e0f || !e || f {
		t.Error("numbers or flags differ")
	}
	if r.Fixed(two[:]); two != [2]byte{0xf0, 0xf1} || !bytes.Equal(r.Bytes(1), []byte{0xe0}) || len(r.Bytes(0)) != 0 || r.End() != nil {
		t.Errorf("bytes differ: %v", r.Err())
	}
	if got := wire.U64(math.MaxUint64 - 1); hex.EncodeToString(got) != "fffffffffffffffe" {
		t.Errorf("got %x", got)
	}
}

func TestAReaderEndsWithItsFirstError(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		read func(*wire.Reader)
		want error
	}{
		"nothing left":            {"", func(r *wire.Reader) { r.U8() }, wire.ErrTruncated},
		"half a number":           {"0001", func(r *wire.Reader) { r.U32() }, wire.ErrTruncated},
		"a rest":                  {"0001", func(r *wire.Reader) { r.U8() }, wire.ErrTrailing},
		"a flag of 2":             {"02", func(r *wire.Reader) { r.Bool() }, wire.ErrNonCanonical},
		"a field over its limit":  {"0000000501020304ff", func(r *wire.Reader) { r.Bytes(4) }, wire.ErrOversized},
		"a field over the rest":   {"0000000501020304", func(r *wire.Reader) { r.Bytes(9) }, wire.ErrTruncated},
		"the largest length":      {"ffffffff00", func(r *wire.Reader) { r.Bytes(math.MaxInt) }, wire.ErrTruncated},
		"a count over its limit":  {"00000003000000", func(r *wire.Reader) { r.Count(2, 1) }, wire.ErrOversized},
		"a count over the rest":   {"000000030000000000", func(r *wire.Reader) { r.Count(9, 2) }, wire.ErrTruncated},
		"the largest count":       {"ffffffff", func(r *wire.Reader) { r.Count(math.MaxInt, math.MaxInt) }, wire.ErrTruncated},
		"fixed bytes":             {"00", func(r *wire.Reader) { r.Fixed(make([]byte, 2)) }, wire.ErrTruncated},
		"a negative number":       {"00", func(r *wire.Reader) { r.Take(-1) }, wire.ErrTruncated},
		"the caller's complaint":  {"", func(r *wire.Reader) { r.Fail(wire.ErrNonCanonical); r.U8() }, wire.ErrNonCanonical},
		"the first of two errors": {"02", func(r *wire.Reader) { r.Bool(); r.U8(); r.Fail(wire.ErrOversized) }, wire.ErrNonCanonical},
	} {
		in, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		r := wire.NewReader(in)
		c.read(r)
		if err := r.End(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if r.U64() != 0 || r.Bool() || r.Take(0) != nil || r.Bytes(9) != nil || r.Count(9, 1) != 0 {
			t.Errorf("%s: something is read after the error", name)
		}
	}
}

func TestWhatIsReadAsBytesIsACopy(t *testing.T) {
	in := []byte{0, 0, 0, 1, 7}
	got := wire.NewReader(in).Bytes(1)
	in[4] = 8
	if got[0] != 7 {
		t.Error("a field changes with the input")
	}
}

func TestHashesHaveOneText(t *testing.T) {
	h := wire.Sum("t")
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back wire.Hash
	if err := json.Unmarshal(b, &back); err != nil || back != h {
		t.Errorf("got %v: %v", back, err)
	}
	good := h.String()
	for name, text := range map[string]string{"upper case": "AB" + good[2:], "too short": good[2:], "too long": good + "00", "no hex": "zz" + good[2:], "nothing": ""} {
		got := wire.Hash{1}
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
		if got != (wire.Hash{1}) {
			t.Errorf("%s: the value changed", name)
		}
	}
	var four [4]byte
	if err := wire.UnmarshalHex(four[:], "p:", []byte("p:00ff10ab")); err != nil || four != [4]byte{0, 0xff, 0x10, 0xab} {
		t.Errorf("got %x: %v", four, err)
	}
	if err := wire.UnmarshalHex(four[:], "p:", []byte("q:00ff10ab")); err == nil {
		t.Error("another prefix is accepted")
	}
}

// FuzzReader reads fields as the input itself says; what was read and written again must be the input.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5}, []byte("\x01\x00\x02\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x02ab"))
	f.Fuzz(func(t *testing.T, fields, b []byte) {
		r := wire.NewReader(b)
		var w wire.Writer
		for _, x := range fields {
			switch x % 6 {
			case 0:
				w.U8(r.U8())
			case 1:
				w.U16(r.U16())
			case 2:
				w.U32(r.U32())
			case 3:
				w.U64(r.U64())
			case 4:
				w.Bool(r.Bool())
			case 5:
				w.Bytes(r.Bytes(1 << 10))
			}
			if r.Err() != nil {
				return
			}
		}
		if r.End() == nil && !bytes.Equal(w.Done(), b) {
			t.Errorf("%x is written again as %x", b, w.Done())
		}
	})
}
