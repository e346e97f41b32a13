package ledger_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

var update = flag.Bool("update", false, "write spec/testdata/log.json anew: tickets are randomised, so this changes it")

const vectorFile = "../spec/testdata/log.json"

// vectors are a network of one member, its first blocks, and what is to be in the ledger after them.
type vectors struct {
	Genesis json.RawMessage `json:"genesis"`
	Network key.Network     `json:"network"`
	Empty   wire.Hash       `json:"emptyAppHash"` // before the first block
	Blocks  []blockVector   `json:"blocks"`       // from height 1
	Log     key.Log         `json:"log"`
	Entries []entryVector   `json:"entries"` // of the log
	Head    string          `json:"head"`
	State   stateVector     `json:"state"`
	Proof   string          `json:"proof"` // of the last entry, at the last height
	Tree    []treeVector    `json:"tree"`  // leaf i is SHA-256 of i as eight bytes
}

type blockVector struct {
	Clock      uint64        `json:"clock"`
	Operations []string      `json:"operations"`
	Codes      []ledger.Code `json:"codes"`
	AppHash    wire.Hash     `json:"appHash"`
}

type entryVector struct {
	Kind    string    `json:"kind"`
	Encoded string    `json:"encoded"`
	Hash    wire.Hash `json:"hash"`
}

type stateVector struct {
	Heads wire.Hash `json:"heads"`
	Count uint64    `json:"count"`
	Clock uint64    `json:"clock"`
	Keys  wire.Hash `json:"keys"`
	Rest  wire.Hash `json:"rest"`
}

type treeVector struct {
	Size  uint64      `json:"size"`
	Root  wire.Hash   `json:"root"`
	Index uint64      `json:"index"`
	Path  []wire.Hash `json:"path"`
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheBlocksOfTheVectorsGiveTheirAppHashes(t *testing.T) {
	if *update {
		write(t)
	}
	v := readVectors(t)
	g, err := op.ParseGenesis(v.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(g, ledger.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	if l.Network() != v.Network || l.AppHash() != v.Empty {
		t.Fatalf("network %v with app hash %v", l.Network(), l.AppHash())
	}
	for i, b := range v.Blocks {
		var ops []*op.Operation
		for _, s := range b.Operations {
			o, err := op.Decode(v.Network, unhex(t, s))
			if err != nil || !o.Verify() {
				t.Fatalf("block %d: %v", i+1, err)
			}
			ops = append(ops, o)
		}
		results, hash, err := l.Execute(uint64(i+1), b.Clock, ops)
		if err != nil {
			t.Fatal(err)
		}
		for j, r := range results {
			if r.Code != b.Codes[j] {
				t.Errorf("block %d: operation %d: got %v, want %v", i+1, j, r.Err(), b.Codes[j])
			}
		}
		if _, err := l.Commit(); err != nil || hash != b.AppHash {
			t.Fatalf("block %d: app hash %v, want %v: %v", i+1, hash, b.AppHash, err)
		}
	}
	for i, e := range v.Entries {
		got, err := l.Entry(v.Log, uint64(i))
		if err != nil || got == nil || !bytes.Equal(got.Encode(), unhex(t, e.Encoded)) || got.Hash() != e.Hash || got.Says.Kind().String() != e.Kind {
			t.Errorf("entry %d: %v, %v", i, got, err)
		}
	}
	h, err := l.Head(v.Log)
	if err != nil || !bytes.Equal(h.Encode(), unhex(t, v.Head)) {
		t.Errorf("head: %v", err)
	}
	if s := l.State(); stateVector(s) != v.State {
		t.Errorf("state %+v", s)
	}
	last := uint64(len(v.Entries) - 1)
	want := unhex(t, v.Proof)
	p, err := l.Prove(v.Log, last)
	if err != nil || !bytes.Equal(p.Encode(), want) {
		t.Errorf("proof: %v", err)
	}
	if p, err = op.DecodeProof(want); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Check(v.Log, last); err != nil || p.State.Hash() != v.Blocks[len(v.Blocks)-1].AppHash {
		t.Errorf("proof: %v", err)
	}
}

func TestTheTreesOfTheVectors(t *testing.T) {
	for _, x := range readVectors(t).Tree {
		got := tree(x.Size, x.Index)
		if got.Root != x.Root {
			t.Errorf("%d leaves: root %v, want %v", x.Size, got.Root, x.Root)
		}
		leaf := wire.Hash(leafOf(x.Index))
		if err := merkle.VerifyInclusion(x.Root, x.Size, x.Index, leaf, x.Path); err != nil {
			t.Errorf("leaf %d of %d: %v", x.Index, x.Size, err)
		}
	}
}

// write makes the vectors anew.
func write(t *testing.T) {
	w := newWorld(t, founders(1))
	v := vectors{Network: w.g.Network(), Empty: w.l.AppHash(), Log: w.logOf("owner")}
	var err error
	if v.Genesis, err = json.Marshal(w.g); err != nil {
		t.Fatal(err)
	}
	add := func(ops ...*op.Operation) {
		b := blockVector{Clock: w.clock, Operations: []string{}, Codes: []ledger.Code{}}
		results, _ := w.block(ops...)
		for i, o := range ops {
			b.Operations, b.Codes = append(b.Operations, hex.EncodeToString(o.Encode(v.Network))), append(b.Codes, results[i].Code)
		}
		b.AppHash = w.l.AppHash()
		v.Blocks = append(v.Blocks, b)
		w.clock += 10_000
	}
	poly := threshold.PolynomialFrom(seed("polynomial"), 1)
	reveal := &op.Reveal{Gen: 1, Salt: seed("salt"), Commitments: poly.Commitments(), Deals: []wire.Hash{seed("deal")}}
	reveal.Proof = poly.Prove(op.PossessionContext(v.Network, 1, 1, actor(member(0)).Public()))
	add(w.ceremony(0, hello(0)), w.ceremony(0, commitTo(0, reveal)))
	add(w.ceremony(0, reveal), w.ceremony(0, &op.Verdict{Gen: 1}))
	create := w.create("owner")
	add(w.create("somebody else"), create)
	grant := &op.Grant{Terms: consent.Terms{Key: actor("hospital").Public(), Rights: consent.Read | consent.Write, Ranges: []consent.Range{{To: consent.Forever}}}, Message: seed("message")}
	add(w.sign("owner", v.Log, grant), create)
	record := op.Record{ID: key.Record(seed("record")), Core: seed("core"), Blob: seed("blob"), Size: 12}
	add(w.sign("hospital", v.Log, &op.Append{Epoch: 1, NetGen: 1, Records: []op.Record{record}}))
	access := &op.Access{Ranges: []consent.Range{{From: 2, To: 3}}, Session: seed("session"), Detail: seed("detail")}
	add(w.sign("hospital", v.Log, access), w.sign("pharmacy", v.Log, access))
	add()
	w.clock += 600_000 // all that was executed so far has expired
	add(w.sign("owner", v.Log, &op.Revoke{Grant: 1}), w.sign("hospital", v.Log, access))

	h, err := w.l.Head(v.Log)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.l.Entries(v.Log, 0, h.Size, func(e *op.Entry) error {
		v.Entries = append(v.Entries, entryVector{e.Says.Kind().String(), hex.EncodeToString(e.Encode()), e.Hash()})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	p, err := w.l.Prove(v.Log, h.Size-1)
	if err != nil {
		t.Fatal(err)
	}
	v.Head, v.Proof, v.State = hex.EncodeToString(h.Encode()), hex.EncodeToString(p.Encode()), stateVector(w.l.State())
	for _, x := range [][2]uint64{{1, 0}, {2, 1}, {3, 2}, {5, 4}, {6, 4}, {7, 0}, {7, 6}, {8, 3}, {13, 12}, {100, 64}, {100, 99}} {
		v.Tree = append(v.Tree, tree(x[0], x[1]))
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(out, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func leafOf(i uint64) wire.Hash { return seed(string(wire.U64(i))) }

func tree(size, index uint64) treeVector {
	var leaves []wire.Hash
	for i := range size {
		leaves = append(leaves, leafOf(i))
	}
	a := merkle.NewArray(leaves)
	return treeVector{size, a.Root(), index, append([]wire.Hash{}, a.Prove(index)...)}
}
