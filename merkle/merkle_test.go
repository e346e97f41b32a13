package merkle_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"vitalog/merkle"
	"vitalog/wire"
)

func leaf(i int) wire.Hash { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))) }

func leavesUpTo(n int) []wire.Hash {
	out := make([]wire.Hash, n)
	for i := range out {
		out[i] = leaf(i)
	}
	return out
}

// naive is the definition in RFC 6962, section 2.1.
func naive(leaves []wire.Hash) wire.Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0][:]...))
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	left, right := naive(leaves[:k]), naive(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

func TestFrontierAndArrayHaveTheRootOfRFC6962(t *testing.T) {
	var f merkle.Frontier
	a := merkle.NewArray(nil)
	for n := 0; n <= 130; n++ {
		want := naive(leavesUpTo(n))
		if f.Root() != want || f.Size() != uint64(n) {
			t.Fatalf("frontier of %d leaves: got %v, want %v", n, f.Root(), want)
		}
		if a.Root() != want || a.Len() != uint64(n) {
			t.Fatalf("array of %d leaves: got %v, want %v", n, a.Root(), want)
		}
		if got := merkle.NewArray(leavesUpTo(n)).Root(); got != want {
			t.Fatalf("array made of %d leaves: got %v, want %v", n, got, want)
		}
		f.Append(leaf(n))
		if i := a.Append(leaf(n)); i != uint64(n) {
			t.Fatalf("leaf %d was appended at %d", n, i)
		}
	}
}

func TestProofsVerifyAtTheirPlaceAndNowhereElse(t *testing.T) {
	for size := 1; size <= 40; size++ {
		leaves := leavesUpTo(size)
		a := merkle.NewArray(slices.Clone(leaves))
		nodes := subtrees(leaves)
		for i := range size {
			proof, err := merkle.Prove(uint64(size), uint64(i), func(level int, j uint64) (wire.Hash, error) { return nodes[[2]uint64{uint64(level), j}], nil })
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(proof, a.Prove(uint64(i))) {
				t.Fatalf("leaf %d of %d: log and array prove differently", i, size)
			}
			for at := range size + 1 {
				err := merkle.VerifyInclusion(a.Root(), uint64(size), uint64(at), leaf(i), proof)
				if ok := err == nil; ok != (at == i) {
					t.Errorf("leaf %d of %d proven at %d: %v", i, size, at, err)
				}
				if err != nil && !errors.Is(err, merkle.ErrProof) {
					t.Errorf("got %v, want ErrProof", err)
				}
			}
			refuse := func(what string, root wire.Hash, size uint64, l wire.Hash, p []wire.Hash) {
				if merkle.VerifyInclusion(root, size, uint64(i), l, p) == nil {
					t.Errorf("leaf %d of %d verifies with %s", i, size, what)
				}
			}
			refuse("another leaf", a.Root(), uint64(size), leaf(99), proof)
			refuse("another root", leaf(0), uint64(size), leaf(i), proof)
			refuse("a hash too many", a.Root(), uint64(size), leaf(i), append(slices.Clone(proof), leaf(0)))
			if len(proof) > 0 {
				refuse("a hash too few", a.Root(), uint64(size), leaf(i), proof[:len(proof)-1])
				refuse("the first hash missing", a.Root(), uint64(size), leaf(i), proof[1:])
			}
		}
	}
}

// subtrees are the complete subtrees as Frontier.Append reports them.
func subtrees(leaves []wire.Hash) map[[2]uint64]wire.Hash {
	nodes := map[[2]uint64]wire.Hash{}
	var f merkle.Frontier
	for i, l := range leaves {
		nodes[[2]uint64{0, uint64(i)}] = merkle.LeafHash(l)
		for k, h := range f.Append(l) {
			nodes[[2]uint64{uint64(k + 1), uint64(i >> (k + 1))}] = h
		}
	}
	return nodes
}

func TestAStageHashesLikeTheArrayMadeAnewAndLeavesItsBaseAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var leaves []wire.Hash
	a := merkle.NewArray(nil)
	for round := range 200 {
		before, next := a.Root(), slices.Clone(leaves)
		s := a.Stage()
		for range r.IntN(6) {
			l := leaf(r.Int())
			if len(next) == 0 || r.IntN(3) == 0 {
				next = append(next, l)
				s.Append(l)
			} else {
				i := r.IntN(len(next))
				next[i] = l
				s.Set(uint64(i), l)
			}
			if r.IntN(3) == 0 && s.Root() != naive(next) { // more changes may follow
				t.Fatalf("round %d: root in between", round)
			}
		}
		if got, want := s.Root(), naive(next); got != want || s.Len() != uint64(len(next)) {
			t.Fatalf("round %d: staged root %v, want %v", round, got, want)
		}
		if a.Root() != before || a.Len() != uint64(len(leaves)) {
			t.Fatalf("round %d: staging changed the array", round)
		}
		if r.IntN(4) == 0 {
			continue // dropped
		}
		s.Apply()
		if leaves = next; a.Root() != naive(leaves) {
			t.Fatalf("round %d: root after applying", round)
		}
		if len(leaves) > 0 {
			i := uint64(r.IntN(len(leaves)))
			if err := merkle.VerifyInclusion(a.Root(), a.Len(), i, leaves[i], a.Prove(i)); err != nil {
				t.Fatalf("round %d: leaf %d: %v", round, i, err)
			}
		}
	}
}

func TestSetReplacesOneLeaf(t *testing.T) {
	leaves := leavesUpTo(11)
	a := merkle.NewArray(slices.Clone(leaves))
	for i := range leaves {
		leaves[i] = leaf(100 + i)
		a.Set(uint64(i), leaves[i])
		if got, want := a.Root(), naive(leaves); got != want {
			t.Errorf("after setting %d: got %v, want %v", i, got, want)
		}
	}
}

func TestFrontierGoesOnAfterDecoding(t *testing.T) {
	var f merkle.Frontier
	for i := range 50 {
		g, err := merkle.DecodeFrontier(f.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if g.Append(leaf(i)); f.Size() != uint64(i) {
			t.Fatal("a decoded frontier shares state with its origin")
		}
		f.Append(leaf(i))
		if g.Root() != f.Root() {
			t.Fatalf("%d leaves: roots differ", i+1)
		}
	}
}

func FuzzFrontier(f *testing.F) {
	var g merkle.Frontier
	for i := range 6 {
		f.Add(g.Encode())
		g.Append(leaf(i))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := merkle.DecodeFrontier(b); err == nil && !bytes.Equal(g.Encode(), b) {
			t.Errorf("%x encodes again as %x", b, g.Encode())
		}
	})
}

// BenchmarkArray1M changes 1,000 of a million leaves at a time.
func BenchmarkArray1M(b *testing.B) {
	const n, batch = 1 << 20, 1000
	a := merkle.NewArray(make([]wire.Hash, n))
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		s := a.Stage()
		for i := range batch {
			s.Set(r.Uint64N(n), leaf(i))
		}
		s.Apply()
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "updates/s")
}
