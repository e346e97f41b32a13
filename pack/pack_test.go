package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"vitalog/key"
	"vitalog/wire"
)

var ours = NewKey([32]byte{1, 2, 3})

func bytesOf(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b)
	return b
}

func blob(content []byte) Name { return Name{Kind: Blob, Hash: sha256.Sum256(content)} }

// some is a pack with items of every interesting size, blobs and headers in turn.
func some(t testing.TB) (object []byte, table *Table, contents [][]byte) {
	t.Helper()
	b := ours.Build(7, [32]byte{9})
	for i, n := range []int{0, 1, 15, Frame - 1, Frame, Frame + 1, 3*Frame + 17, 2732} {
		content := bytesOf(n)
		name := blob(content)
		if i%2 == 1 {
			name = Name{Kind: Header, Log: key.Log{byte(i)}, Record: key.Record{byte(n)}}
		}
		if err := b.Add(name, content); err != nil {
			t.Fatal(err)
		}
		contents = append(contents, content)
	}
	object, table = b.Done()
	return object, table, contents
}

func TestWhatIsPackedComesBackWholeAndInParts(t *testing.T) {
	object, made, contents := some(t)
	table, err := ours.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	if table.Number != 7 || table.Salt != made.Salt || len(table.Items) != len(contents) {
		t.Fatalf("got %+v", table)
	}
	o := ours.Opener(table.Salt)
	for i, x := range table.Items {
		if x != made.Items[i] {
			t.Errorf("item %d: got %+v, want %+v", i, x, made.Items[i])
		}
		begin := uint64(Head) + x.At
		if got, err := o.Item(object[begin:begin+x.Sealed()], x.Place); err != nil || !bytes.Equal(got, contents[i]) {
			t.Errorf("item %d: got %d bytes, %v", i, len(got), err)
		}
		for range 20 {
			from := rand.Uint32N(x.Size + 1)
			to := from + rand.Uint32N(x.Size-from+1)
			at, end, skip, err := x.Span(from, to)
			if err != nil {
				t.Fatal(err)
			}
			got, err := o.Frames(object[at:end], at)
			if err != nil || !bytes.Equal(got[min(skip, len(got)):min(skip+int(to-from), len(got))], contents[i][from:to]) {
				t.Fatalf("item %d from %d to %d: got %d bytes, %v", i, from, to, len(got), err)
			}
		}
		if _, _, _, err := x.Span(0, x.Size+1); err == nil {
			t.Errorf("item %d: a span beyond its end", i)
		}
	}
}

func TestAnAlteredPackIsRefused(t *testing.T) {
	object, table, _ := some(t)
	o := ours.Opener(table.Salt)
	for at := range object {
		if at > 200 && at < len(object)-700 && at%1013 != 0 {
			continue
		}
		b := bytes.Clone(object)
		b[at] ^= 1 << rand.IntN(8)
		refused := 0
		if _, err := ours.Open(b); err != nil {
			if !errors.Is(err, ErrForeign) {
				t.Fatalf("byte %d: got %v", at, err)
			}
			refused++
		}
		for _, x := range table.Items {
			begin := uint64(Head) + x.At
			if _, err := o.Item(b[begin:begin+x.Sealed()], x.Place); err != nil {
				if !errors.Is(err, ErrFrame) {
					t.Fatalf("byte %d: got %v", at, err)
				}
				refused++
			}
		}
		if refused != 1 {
			t.Fatalf("byte %d altered: refused %d times, want once", at, refused)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "a head": object[:Head], "cut": object[:len(object)-1], "more": append(bytes.Clone(object), 0), "other magic": append([]byte("V"), object[1:]...)} {
		if _, err := ours.Open(b); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: got %v, want %v", name, err, ErrForeign)
		}
	}
	if _, err := NewKey([32]byte{1}).Open(object); !errors.Is(err, ErrForeign) {
		t.Errorf("another member's key: got %v", err)
	}
}

func TestAPackRefusesWhatItCouldNotGiveBack(t *testing.T) {
	b := ours.Build(1, [32]byte{})
	if err := b.Add(Name{Kind: Blob}, make([]byte, MaxItem+1)); !errors.Is(err, wire.ErrOversized) {
		t.Errorf("too large: got %v", err)
	}
	if err := errors.Join(b.AddPiece(Name{Kind: Blob}, 0, 2, nil), b.AddPiece(Name{Kind: Blob}, 1, 2, nil)); err != nil {
		t.Error(err)
	}
	for _, x := range []struct {
		kind      Kind
		piece, of uint16
	}{{Blob, 1, 2}, {Blob, 2, 2}, {Blob, 0, 0}, {Header, 0, 2}} {
		if err := b.AddPiece(Name{Kind: x.kind}, x.piece, x.of, []byte("again")); err == nil {
			t.Errorf("took %v", x)
		}
	}
	if object, _ := b.Done(); len(object) != Head+len(b.table.encode())+Overhead+Tail {
		t.Errorf("two empty items make %d bytes", len(object))
	}
}

// Nothing of what is in a pack can be seen without the key, not even how long an item is.
func TestAPackLooksLikeNoise(t *testing.T) {
	object, table, contents := some(t)
	for i, x := range table.Items {
		for _, secret := range [][]byte{x.Hash[:], x.Log[:], x.Record[:], contents[i]} {
			if len(secret) > 2 && !bytes.Equal(secret, make([]byte, len(secret))) && bytes.Contains(object, secret[:min(len(secret), 16)]) {
				t.Errorf("item %d can be seen", i)
			}
		}
	}
	if got := fmt.Sprintf("%v %+v %s", ours, ours, ours); bytes.Contains([]byte(got), []byte("1 2 3")) {
		t.Errorf("the key prints: %s", got)
	}
}

type vector struct {
	Seed, Salt, Object, SHA256 string
	Number                     uint64
	Items                      []struct {
		Kind                   Kind
		Hash, Log, Record, Hex string
		Piece, Of              uint16
	}
}

func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("../spec/testdata/packs.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(len(vectors), err)
	}
	for i, v := range vectors {
		k := NewKey([32]byte(unhex(t, v.Seed)))
		b := k.Build(v.Number, [32]byte(unhex(t, v.Salt)))
		for _, x := range v.Items {
			n := Name{Kind: x.Kind}
			if x.Kind == Blob {
				n.Hash = wire.Hash(unhex(t, x.Hash))
			} else {
				n.Log, n.Record = key.Log(unhex(t, x.Log)), key.Record(unhex(t, x.Record))
			}
			if err := b.AddPiece(n, x.Piece, x.Of, unhex(t, x.Hex)); err != nil {
				t.Fatal(err)
			}
		}
		object, _ := b.Done()
		if got := hex.EncodeToString(object); got != v.Object {
			t.Errorf("vector %d: got %s", i, got)
		}
		if sum := sha256.Sum256(object); hex.EncodeToString(sum[:]) != v.SHA256 {
			t.Errorf("vector %d: named %x", i, sum)
		}
		if table, err := k.Open(unhex(t, v.Object)); err != nil || table.Number != v.Number || len(table.Items) != len(v.Items) {
			t.Errorf("vector %d: %v", i, err)
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzTable(f *testing.F) {
	_, table, _ := some(f)
	var body uint64
	for _, x := range table.Items {
		body += x.Sealed()
	}
	f.Add(table.encode(), body)
	f.Add((&Table{Number: 1}).encode(), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, body uint64) {
		got, err := decodeTable(b, body)
		if err == nil && !bytes.Equal(got.encode(), b) {
			t.Errorf("comes back as %x", got.encode())
		}
	})
}

func FuzzOpen(f *testing.F) {
	object, _, _ := some(f)
	f.Add(object[len(object)-400:])
	f.Add(object)
	f.Fuzz(func(t *testing.T, b []byte) {
		if table, err := ours.Open(b); err == nil && len(table.Items) > MaxItems {
			t.Error("too many items")
		}
	})
}

func BenchmarkPack(b *testing.B) {
	content := bytesOf(4 << 10)
	b.SetBytes(Target)
	for b.Loop() {
		w := ours.Build(1, [32]byte{})
		for i := uint32(0); w.Size() < Target; i++ {
			if err := w.Add(Name{Kind: Blob, Hash: wire.Hash{byte(i), byte(i >> 8)}}, content); err != nil {
				b.Fatal(err)
			}
		}
		w.Done()
	}
}
