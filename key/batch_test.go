package key_test

import (
	"crypto/sha512"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"vitalog/key"
)

// signed is a signature, good or not, and what its verification alone says.
type signed struct {
	name    string
	by      key.Verifier
	message []byte
	sig     key.Signature
	valid   bool
}

// A member that verifies alone, one that verifies in a batch, and those whose batches are cut differently must agree on every signature.
func TestABatchSaysOfEachSignatureWhatItsVerificationAloneSays(t *testing.T) {
	all := crafted(t)
	valid := slices.DeleteFunc(slices.Clone(all), func(x signed) bool { return !x.valid })
	bad := all[slices.IndexFunc(all, func(x signed) bool { return !x.valid })]
	if len(valid) < 50 || len(all)-len(valid) < 50 {
		t.Fatalf("%d of %d signatures are valid: too few of one kind to tell", len(valid), len(all))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, from := range [][]signed{all, valid, append(slices.Clone(valid), bad)} {
		for _, size := range []int{1, 2, 3, 8, 9, 64, len(from)} { // with tables and without, and by either algorithm
			for range 6 {
				r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
				checkBatch(t, from[:size])
			}
		}
	}
}

func checkBatch(t *testing.T, batch []signed) {
	t.Helper()
	b, want := key.NewBatch(len(batch)), true
	for _, x := range batch {
		b.Add(x.by, x.message, x.sig)
		want = want && x.valid
	}
	got, each := b.Verify()
	if got != want {
		t.Fatalf("batch of %d: got %v, want %v", len(batch), got, want)
	}
	for i, x := range batch {
		if each[i] != x.valid {
			t.Fatalf("batch of %d: %s: %x by %v is %v, alone %v", len(batch), x.name, x.sig, x.by, each[i], x.valid)
		}
	}
}

// crafted has signatures whose key, R or both are off by a point of small order, which a rule with the cofactor takes and one without
// does not; encodings that are not reduced; and of each kind some that no rule takes.
func crafted(t *testing.T) []signed {
	var all []signed
	add := func(name string, by key.Verifier, message string, sig key.Signature) {
		all = append(all, signed{name, by, []byte(message), sig, by.Verify([]byte(message), sig)})
		all = append(all, signed{name + ", altered", by, []byte(message), flip(sig), by.Verify([]byte(message), flip(sig))})
	}
	for i, enc := range smallOrder {
		small, s := unhex(t, enc), key.NewSigning([32]byte{byte(i)})
		good := s.Sign([]byte("message"))
		add("good", s.Public(), "message", good)
		add("another message", s.Public(), "massage", good)
		add("key and R of small order", key.Verifier(small), "message", key.Signature(append(unhex(t, smallOrder[i*5%len(smallOrder)]), make([]byte, 32)...)))
		add("good key, R of small order", s.Public(), "message", key.Signature(append(slices.Clone(small), good[32:]...)))
		for _, off := range []struct{ key, r bool }{{true, false}, {false, true}, {true, true}} {
			by, sig := offBy(t, small, off.key, off.r, byte(i))
			if !by.Verify([]byte("message"), sig) {
				t.Fatalf("a signature with a point of small order in key (%v) or R (%v) is refused alone", off.key, off.r)
			}
			add(fmt.Sprint("off by a point of small order ", off), by, "message", sig)
		}
	}
	return all
}

// offBy signs with a key, an R or both to which a point of small order was added.
func offBy(t *testing.T, small []byte, inKey, inR bool, seed byte) (key.Verifier, key.Signature) {
	a, r := scalar.NewFromUint64(uint64(seed)+1_000_003), scalar.NewFromUint64(uint64(seed)+7_000_003)
	point := func(s *scalar.Scalar, off bool) (out curve.CompressedEdwardsY) {
		var p, q curve.EdwardsPoint
		p.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, s)
		if off {
			var y curve.CompressedEdwardsY
			if _, err := y.SetBytes(small); err != nil {
				t.Fatal(err)
			}
			if _, err := q.SetCompressedY(&y); err != nil {
				t.Fatal(err)
			}
			p.Add(&p, &q)
		}
		out.SetEdwardsPoint(&p)
		return out
	}
	public, bigR := point(a, inKey), point(r, inR)
	digest := sha512.Sum512(slices.Concat(bigR[:], public[:], []byte("message")))
	h, err := scalar.NewFromBytesModOrderWide(digest[:])
	if err != nil {
		t.Fatal(err)
	}
	s := scalar.New().Mul(h, a)
	s.Add(s, r)
	sig := key.Signature(append(bigR[:], make([]byte, 32)...))
	if err := s.ToBytes(sig[32:]); err != nil {
		t.Fatal(err)
	}
	return key.Verifier(public), sig
}
