package op_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

var update = flag.Bool("update", false, "write spec/testdata/operations.json anew")

const vectorFile = "../spec/testdata/operations.json"

// vectors are one operation and one entry of each kind, a head, and what must be refused.
type vectors struct {
	Network    key.Network       `json:"network"`
	Owner      string            `json:"ownerSeed"` // Ed25519 seed of the signer
	Log        key.Log           `json:"log"`
	Operations []operationVector `json:"operations"`
	Tx         struct {
		Of      []int  `json:"of"` // places in operations
		Encoded string `json:"encoded"`
		Clock   uint64 `json:"clock"`
		ClockTx string `json:"clockTx"`
	} `json:"tx"`
	Entries []entryVector `json:"entries"`
	Head    struct {
		Encoded string    `json:"encoded"`
		Hash    wire.Hash `json:"hash"`
	} `json:"head"`
	Refused []refusedVector `json:"refused"`
}

type operationVector struct {
	Kind    string    `json:"kind"`
	ID      wire.Hash `json:"id"`
	Encoded string    `json:"encoded"`
}

type entryVector struct {
	Kind    string    `json:"kind"`
	Number  uint64    `json:"number"`
	Encoded string    `json:"encoded"`
	Hash    wire.Hash `json:"hash"`
}

type refusedVector struct {
	Why     string `json:"why"`
	Encoded string `json:"encoded"` // of an operation
}

// made is the vectors as this program makes them.
func made(t *testing.T) (v vectors) {
	owner := seed("actor owner")
	v.Network, v.Owner, v.Log = network, hex.EncodeToString(owner[:]), someLog
	var txs []*op.Operation
	for i, b := range samples() {
		o := signed(t, b)
		v.Operations = append(v.Operations, operationVector{b.Kind().String(), o.ID(), hex.EncodeToString(o.Encode(network))})
		if i == 2 || i == 3 {
			txs, v.Tx.Of = append(txs, o), append(v.Tx.Of, i)
		}
	}
	v.Tx.Encoded = hex.EncodeToString(op.EncodeTx(network, txs))
	v.Tx.Clock = 1_760_000_000_000
	v.Tx.ClockTx = hex.EncodeToString(op.EncodeClock(v.Tx.Clock))
	for _, e := range entries() {
		v.Entries = append(v.Entries, entryVector{e.Says.Kind().String(), e.Number, hex.EncodeToString(e.Encode()), e.Hash()})
	}
	v.Head.Encoded, v.Head.Hash = hex.EncodeToString(someHead().Encode()), someHead().Hash()

	raw := signed(t, &op.Revoke{Grant: 7}).Encode(network)
	refuse := func(why string, at int, b ...byte) {
		bad := slices.Clone(raw)
		copy(bad[at:], b)
		v.Refused = append(v.Refused, refusedVector{why, hex.EncodeToString(bad)})
	}
	refuse("format version 2", 0, 2)
	refuse("reserved kind", 1, 14)
	refuse("kind of an entry", 1, 64)
	refuse("another network", 2, network[0]+1)
	refuse("body of another kind", 1, byte(op.KindRotate))
	refuse("body longer than there is", 94, 0, 0, 1, 0)
	raw = append(raw, 0)
	refuse("trailing byte", 0, 1)
	raw = raw[:len(raw)-2]
	refuse("truncated", 0, 1)
	raw = signed(t, samples()[2]).Encode(network)
	refuse("unknown right", 98+32, 0x23)
	refuse("no right", 98+32, 0)
	refuse("range that is empty", 98+34, 0, 0, 0, 0, 0, 0, 0, 9)
	refuse("ranges that touch", 98+50, 0, 0, 0, 0, 0, 0, 0, 9)
	raw = signed(t, &op.Stored{Upto: 57, Missing: []wire.Hash{{0x10}, {0x20}}, Back: []wire.Hash{{0x11}}}).Encode(network)
	refuse("hashes that are not ascending", 98+12, 0x20)
	refuse("missing and back at once", 98+12, 0x11)
	return v
}

func TestTheVectorsAreWhatThisProgramMakes(t *testing.T) {
	want, err := json.MarshalIndent(made(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what this program makes; if the format changed on purpose it is a new version", vectorFile)
	}
}

func TestVectorsDecodeAndRefusedOnesDoNot(t *testing.T) {
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var encoded [][]byte
	for _, x := range v.Operations {
		b := unhex(x.Encoded)
		o, err := op.Decode(v.Network, b)
		if err != nil {
			t.Errorf("%s: %v", x.Kind, err)
			continue
		}
		if o.Body.Kind().String() != x.Kind || o.ID() != x.ID || !o.Verify() || !bytes.Equal(o.Encode(v.Network), b) {
			t.Errorf("%s: other kind, id or bytes, or a signature that doesn't verify", x.Kind)
		}
		encoded = append(encoded, b)
	}
	ops, err := op.DecodeTx(v.Network, unhex(v.Tx.Encoded))
	if err != nil || len(ops) != len(v.Tx.Of) {
		t.Fatalf("%d operations in the transaction: %v", len(ops), err)
	}
	for i, o := range ops {
		if !bytes.Equal(o.Encode(v.Network), encoded[v.Tx.Of[i]]) {
			t.Errorf("operation %d of the transaction is another", i)
		}
	}
	if ms, ok := op.DecodeClock(unhex(v.Tx.ClockTx)); !ok || ms != v.Tx.Clock {
		t.Errorf("clock %d", ms)
	}
	for _, x := range v.Entries {
		e, err := op.DecodeEntry(v.Log, x.Number, unhex(x.Encoded))
		if err != nil || e.Hash() != x.Hash || e.Says.Kind().String() != x.Kind {
			t.Errorf("entry %s: %v", x.Kind, err)
		}
	}
	if h, err := op.DecodeHead(unhex(v.Head.Encoded)); err != nil || h.Hash() != v.Head.Hash {
		t.Errorf("head: %v", err)
	}
	for _, x := range v.Refused {
		if _, err := op.Decode(v.Network, unhex(x.Encoded)); err == nil {
			t.Errorf("%s: decodes", x.Why)
		}
	}
}
