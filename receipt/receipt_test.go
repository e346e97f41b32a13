package receipt_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"vitalog/key"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/wire"
)

// vector is spec/testdata/receipt.json, written by a real network of four validators: go test ./consensus -run Receipts -args -update
type vector struct {
	Genesis  *op.Genesis
	Receipts []struct {
		Kind       string
		Log        key.Log
		Number     uint64
		Height     uint64
		Time       time.Time
		Signed, Of int
		Receipt    []byte
	}
}

func load(t testing.TB) (v vector) {
	b, err := os.ReadFile("../spec/testdata/receipt.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if err := v.Genesis.Check(); err != nil || len(v.Receipts) == 0 {
		t.Fatal(len(v.Receipts), err)
	}
	return v
}

func TestTheReceiptsOfTheSpecVerify(t *testing.T) {
	v := load(t)
	for _, want := range v.Receipts {
		x, err := receipt.Decode(want.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		if string(x.Encode()) != string(want.Receipt) {
			t.Errorf("entry %d encodes differently", want.Number)
		}
		got, err := x.Verify(v.Genesis)
		if err != nil {
			t.Fatalf("entry %d: %v", want.Number, err)
		}
		if got.Log != want.Log || got.Number != want.Number || got.Entry.Says.Kind().String() != want.Kind || got.Height != want.Height ||
			!got.Time.Equal(want.Time) || got.Signed != want.Signed || got.Of != want.Of {
			t.Errorf("entry %d: got %+v, want %+v", want.Number, got, want)
		}
	}
}

func TestNoByteCanBeChanged(t *testing.T) {
	v := load(t)
	b := v.Receipts[len(v.Receipts)/2].Receipt
	for i := range b {
		bad := slices.Clone(b)
		bad[i] ^= 1 << (i % 8)
		if x, err := receipt.Decode(bad); err == nil {
			if _, err := x.Verify(v.Genesis); err == nil {
				t.Errorf("verifies with byte %d of %d changed", i, len(b))
			}
		}
	}
	for i := range b {
		if _, err := receipt.Decode(b[:i]); err == nil {
			t.Errorf("decodes when cut at %d", i)
		}
	}
	if _, err := receipt.Decode(append(slices.Clone(b), 0)); !errors.Is(err, wire.ErrTrailing) {
		t.Errorf("with a byte more: got %v", err)
	}
}

func TestTheErrorTellsTheStep(t *testing.T) {
	v := load(t)
	cast := func(x *receipt.Receipt) (out []int) {
		for i := range x.Commit.Votes {
			if x.Commit.Votes[i].Cast {
				out = append(out, i)
			}
		}
		return out
	}
	for _, c := range []struct {
		name  string
		spoil func(x *receipt.Receipt, g *op.Genesis)
		want  error
	}{
		{"another entry", func(x *receipt.Receipt, g *op.Genesis) { x.Number++ }, receipt.ErrProof},
		{"another log", func(x *receipt.Receipt, g *op.Genesis) { x.Log[0]++ }, receipt.ErrProof},
		{"another state", func(x *receipt.Receipt, g *op.Genesis) { x.Proof.State.Clock++ }, receipt.ErrState},
		{"another height", func(x *receipt.Receipt, g *op.Genesis) { x.Header.Height++ }, receipt.ErrState},
		{"another time", func(x *receipt.Receipt, g *op.Genesis) { x.Header.Time = x.Header.Time.Add(1) }, receipt.ErrVote},
		{"another round", func(x *receipt.Receipt, g *op.Genesis) { x.Commit.Round++ }, receipt.ErrVote},
		{"votes swapped", func(x *receipt.Receipt, g *op.Genesis) {
			x.Commit.Votes[0], x.Commit.Votes[1] = x.Commit.Votes[1], x.Commit.Votes[0]
		}, receipt.ErrVote},
		{"another genesis", func(x *receipt.Receipt, g *op.Genesis) { g.Name += "!" }, receipt.ErrVote},
		{"a validator more", func(x *receipt.Receipt, g *op.Genesis) {
			m := g.Members[0]
			m.Consensus[0]++
			g.Members = append(slices.Clone(g.Members), m)
		}, receipt.ErrValidators},
		{"a vote less than all", func(x *receipt.Receipt, g *op.Genesis) {
			x.Commit.Votes = x.Commit.Votes[:len(x.Commit.Votes)-1]
		}, receipt.ErrValidators},
		{"two of four", func(x *receipt.Receipt, g *op.Genesis) {
			for _, i := range cast(x)[2:] {
				x.Commit.Votes[i] = receipt.Vote{}
			}
		}, receipt.ErrQuorum},
	} {
		x, err := receipt.Decode(v.Receipts[1].Receipt)
		if err != nil {
			t.Fatal(err)
		}
		g := *v.Genesis
		c.spoil(x, &g)
		if _, err := x.Verify(&g); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	x, _ := receipt.Decode(v.Receipts[1].Receipt)
	for _, i := range cast(x)[3:] {
		x.Commit.Votes[i] = receipt.Vote{}
	}
	if got, err := x.Verify(v.Genesis); err != nil || got.Signed != 3 || got.Of != 4 {
		t.Errorf("three of four: %+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range load(f).Receipts {
		f.Add(r.Receipt)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := receipt.Decode(b); err == nil && string(x.Encode()) != string(b) {
			t.Errorf("%x encodes as %x", b, x.Encode())
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	v := load(b)
	x, err := receipt.Decode(v.Receipts[0].Receipt)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := x.Verify(v.Genesis); err != nil {
			b.Fatal(err)
		}
	}
}
