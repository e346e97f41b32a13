package op_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/wire"
)

func TestKindNumbersArePermanent(t *testing.T) {
	want := map[byte]string{1: "create", 2: "append", 3: "grant", 4: "revoke", 5: "access", 6: "rotate", 7: "rekey-owner", 8: "rekey-grantee", 9: "erase-block", 10: "erase-destroy",
		11: "post", 12: "keep", 13: "deleted", 15: "stored", 16: "anchor", 32: "ceremony-hello", 33: "ceremony-commit", 34: "ceremony-reveal", 35: "ceremony-verdict", 36: "ceremony-justify", 37: "ceremony-tick"}
	seen := 0
	for _, b := range samples() {
		raw := signed(t, b).Encode(network)
		if raw[0] != 1 || want[raw[1]] != b.Kind().String() {
			t.Errorf("%v is written as version %d, kind %d", b.Kind(), raw[0], raw[1])
		}
		if owner := actor("owner").Public(); !bytes.Equal(raw[2:6], network[:4]) || !bytes.Equal(raw[38:70], owner[:]) {
			t.Errorf("%v: network or signer is elsewhere", b.Kind())
		}
		seen++
	}
	if seen != len(want) {
		t.Errorf("%d kinds seen, want %d", seen, len(want))
	}
	for _, e := range entries() {
		b := e.Encode()
		if k := e.Says.Kind(); b[0] != byte(k) || k != op.KindRefusals && want[b[0]] != k.String() {
			t.Errorf("the entry of %v is written as kind %d", k, b[0])
		}
	}
	if op.KindRefusals != 64 {
		t.Errorf("refusals are kind %d", op.KindRefusals)
	}
}

func TestWhatWasSignedDecodesAndVerifies(t *testing.T) {
	for _, b := range samples() {
		o := op.Sign(network, actor("owner"), someLog, 99, b)
		raw := o.Encode(network)
		got, err := op.Decode(network, raw)
		if err != nil {
			t.Errorf("%v: %v", b.Kind(), err)
			continue
		}
		if got.ID() != o.ID() || !got.Verify() || got.Size() != len(raw) || o.Size() != len(raw) || !bytes.Equal(got.Encode(network), raw) {
			t.Errorf("%v: decoded to another operation", b.Kind())
		}
		again, err := op.DecodeBody(b.Kind(), op.EncodeBody(b))
		if err != nil || !bytes.Equal(op.EncodeBody(again), op.EncodeBody(b)) {
			t.Errorf("%v: body: %v", b.Kind(), err)
		}
	}
}

func TestEveryBitIsSigned(t *testing.T) {
	raw := signed(t, &op.Revoke{Grant: 7}).Encode(network)
	for i := range 8 * len(raw) {
		bad := slices.Clone(raw)
		bad[i/8] ^= 1 << (i % 8)
		if o, err := op.Decode(network, bad); err == nil && o.Verify() {
			t.Errorf("bit %d can be turned", i)
		}
	}
}

func TestAnOperationOfAnotherNetworkIsRefused(t *testing.T) {
	raw := signed(t, &op.Revoke{Grant: 7}).Encode(network)
	other := network
	other[0]++
	if _, err := op.Decode(other, raw); !errors.Is(err, op.ErrNetwork) {
		t.Errorf("got %v, want ErrNetwork", err)
	}
	// A network whose id begins alike has another digest.
	alike := network
	alike[31]++
	if o, err := op.Decode(alike, raw); err != nil || o.Verify() {
		t.Errorf("verifies on a network with the same first bytes: %v", err)
	}
}

func TestTruncatedAndTrailingInputIsRefused(t *testing.T) {
	for _, b := range samples() {
		raw := signed(t, b).Encode(network)
		for n := range raw {
			if n > 400 && n < len(raw)-400 { // long arrays: the rest is more of the same
				continue
			}
			if _, err := op.Decode(network, raw[:n]); err == nil {
				t.Fatalf("%v: %d of %d bytes decode", b.Kind(), n, len(raw))
			}
		}
		if _, err := op.Decode(network, append(slices.Clone(raw), 0)); !errors.Is(err, wire.ErrTrailing) {
			t.Errorf("%v with a byte too many: got %v", b.Kind(), err)
		}
		body := op.EncodeBody(b)
		if _, err := op.DecodeBody(b.Kind(), append(slices.Clone(body), 0)); !errors.Is(err, wire.ErrTrailing) {
			t.Errorf("body of %v with a byte too many: got %v", b.Kind(), err)
		}
		if _, err := op.DecodeBody(b.Kind(), body[:len(body)-1]); !errors.Is(err, wire.ErrTruncated) {
			t.Errorf("body of %v with a byte too few: got %v", b.Kind(), err)
		}
	}
	for _, e := range entries() {
		raw := e.Encode()
		for n := range raw {
			if _, err := op.DecodeEntry(someLog, 0, raw[:n]); err == nil {
				t.Errorf("entry %v: %d of %d bytes decode", e.Says.Kind(), n, len(raw))
			}
		}
		if _, err := op.DecodeEntry(someLog, 0, append(raw, 0)); !errors.Is(err, wire.ErrTrailing) {
			t.Errorf("entry %v with a byte too many: got %v", e.Says.Kind(), err)
		}
	}
	raw := someHead().Encode()
	for n := range raw {
		if _, err := op.DecodeHead(raw[:n]); err == nil {
			t.Errorf("head: %d of %d bytes decode", n, len(raw))
		}
	}
	if _, err := op.DecodeHead(append(raw, 0)); !errors.Is(err, wire.ErrTrailing) {
		t.Errorf("head with a byte too many: got %v", err)
	}
}

// Each of these would be a second encoding of something, or more than a ledger should carry.
func TestWhatHasNoCanonicalFormIsRefused(t *testing.T) {
	grant := func(change func(*op.Grant)) op.Body {
		g := &op.Grant{Terms: consent.Terms{Key: actor("lab").Public(), Rights: consent.Read, Ranges: []consent.Range{{From: 1, To: 2}}}}
		change(g)
		return g
	}
	many := make([]consent.Range, op.MaxRanges+1)
	for i := range many {
		many[i] = consent.Range{From: uint64(3 * i), To: uint64(3*i + 1)}
	}
	for name, c := range map[string]struct {
		body op.Body
		want error
	}{
		"no rights":                       {grant(func(g *op.Grant) { g.Rights, g.Ranges = 0, nil }), wire.ErrNonCanonical},
		"unknown rights":                  {grant(func(g *op.Grant) { g.Rights |= 1 << 5 }), wire.ErrNonCanonical},
		"ranges without read":             {grant(func(g *op.Grant) { g.Rights = consent.Write }), wire.ErrNonCanonical},
		"read without ranges":             {grant(func(g *op.Grant) { g.Ranges = nil }), wire.ErrNonCanonical},
		"ranges out of order":             {grant(func(g *op.Grant) { g.Ranges = []consent.Range{{From: 5, To: 6}, {From: 1, To: 2}} }), wire.ErrNonCanonical},
		"ranges that touch":               {grant(func(g *op.Grant) { g.Ranges = []consent.Range{{From: 1, To: 2}, {From: 2, To: 3}} }), wire.ErrNonCanonical},
		"an empty range":                  {grant(func(g *op.Grant) { g.Ranges = []consent.Range{{From: 1, To: 1}} }), wire.ErrNonCanonical},
		"too many ranges":                 {grant(func(g *op.Grant) { g.Ranges = many }), wire.ErrOversized},
		"an end before the beginning":     {grant(func(g *op.Grant) { g.From, g.Until = 9, 8 }), wire.ErrNonCanonical},
		"an end at the beginning":         {grant(func(g *op.Grant) { g.From, g.Until = 9, 9 }), wire.ErrNonCanonical},
		"an append of nothing":            {&op.Append{}, wire.ErrNonCanonical},
		"too many records":                {&op.Append{Records: make([]op.Record, op.MaxRecords+1)}, wire.ErrOversized},
		"a size class over 63":            {&op.Append{Records: []op.Record{{Size: 64}}}, wire.ErrOversized},
		"an access to nothing":            {&op.Access{}, wire.ErrNonCanonical},
		"an access to too many entries":   {&op.Access{Ranges: []consent.Range{{From: 0, To: op.MaxAccessEntries}, {From: 2000, To: 2001}}}, wire.ErrOversized},
		"an access without end":           {&op.Access{Ranges: []consent.Range{{From: 0, To: consent.Forever}}}, wire.ErrOversized},
		"an erasure of nothing":           {op.NewBlock(), wire.ErrNonCanonical},
		"an erasure of too many entries":  {op.NewDestroy(consent.Range{From: 0, To: op.MaxErasure + 1}), wire.ErrOversized},
		"an erasure without end":          {op.NewBlock(consent.Range{From: 0, To: 1}, consent.Range{From: 2, To: consent.Forever}), wire.ErrOversized},
		"a post that is too long":         {&op.Post{Size: op.MaxSealed + 1}, wire.ErrOversized},
		"complaints out of order":         {&op.Verdict{Complain: []uint16{3, 2}}, wire.ErrNonCanonical},
		"the same complaint twice":        {&op.Verdict{Complain: []uint16{3, 3}}, wire.ErrNonCanonical},
		"justifications out of order":     {&op.Justify{Deals: []op.Justification{{Receiver: 3}, {Receiver: 2}}}, wire.ErrNonCanonical},
		"more complaints than validators": {&op.Verdict{Complain: make([]uint16, op.MaxMembers+1)}, wire.ErrOversized},
	} {
		o := &op.Operation{Log: someLog, Body: c.body}
		if _, err := op.Decode(network, o.Encode(network)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}

	raw := signed(t, &op.Revoke{Grant: 7}).Encode(network)
	change := func(i int, b byte) []byte {
		out := slices.Clone(raw)
		out[i] = b
		return out
	}
	for name, b := range map[string][]byte{
		"another version":    change(0, 2),
		"kind 0":             change(1, 0),
		"a reserved kind":    change(1, 12),
		"an entry's kind":    change(1, 64),
		"another kind":       change(1, byte(op.KindPost)),
		"an oversized body":  append(slices.Clone(raw[:94]), 0x7f, 0xff, 0xff, 0xff),
		"a flag of 2":        bytes.Replace(signed(t, samples()[4]).Encode(network), []byte{7, 1}, []byte{7, 2}, 1),
		"nothing":            {},
		"only a version":     {1},
		"a body length of 0": append(slices.Clone(raw[:97]), 0),
	} {
		if _, err := op.Decode(network, b); err == nil {
			t.Errorf("%s decodes", name)
		}
	}
}

func TestTransactionsAreStrict(t *testing.T) {
	var ops []*op.Operation
	for _, b := range samples()[:6] {
		ops = append(ops, signed(t, b))
	}
	raw := op.EncodeTx(network, ops)
	got, err := op.DecodeTx(network, raw)
	if err != nil || len(got) != 6 || !bytes.Equal(op.EncodeTx(network, got), raw) {
		t.Fatalf("%d operations: %v", len(got), err)
	}
	one := op.EncodeTx(network, ops[3:4])
	for name, c := range map[string][]byte{
		"nothing":                         {},
		"no operations":                   op.EncodeTx(network, nil),
		"a clock":                         op.EncodeClock(7),
		"another type":                    append([]byte{9}, raw[1:]...),
		"a byte too many":                 append(slices.Clone(raw), 0),
		"a byte too few":                  raw[:len(raw)-1],
		"an operation's length too large": append(append(slices.Clone(one[:5]), 0xff, 0xff, 0xff, 0xff), one[9:]...),
		"an operation's length too small": append(append(slices.Clone(one[:5]), 0, 0, 0, 1), one[9:]...),
		"too many operations":             binary.BigEndian.AppendUint32([]byte{1}, op.MaxOperations+1),
		"too many bytes":                  make([]byte, op.MaxTx+1),
	} {
		if _, err := op.DecodeTx(network, c); err == nil {
			t.Errorf("%s decodes as a transaction", name)
		}
	}
	if ms, ok := op.DecodeClock(op.EncodeClock(1_760_000_000_000)); !ok || ms != 1_760_000_000_000 {
		t.Errorf("clock %d, %v", ms, ok)
	}
	for _, b := range [][]byte{nil, {2}, raw, append(op.EncodeClock(7), 0), op.EncodeClock(7)[:8]} {
		if _, ok := op.DecodeClock(b); ok {
			t.Errorf("%x… is a clock", b[:min(len(b), 9)])
		}
	}
}

func TestAnEntryIsBoundToItsPlace(t *testing.T) {
	for _, e := range entries() {
		raw := e.Encode()
		got, err := op.DecodeEntry(e.Log, e.Number, raw)
		if err != nil || got.Hash() != e.Hash() || !bytes.Equal(got.Encode(), raw) {
			t.Errorf("%v: %v", e.Says.Kind(), err)
			continue
		}
		moved := *e
		moved.Number++
		other := *e
		other.Log[0]++
		if moved.Hash() == e.Hash() || other.Hash() == e.Hash() {
			t.Errorf("%v has the same hash in another place", e.Says.Kind())
		}
		if len(raw) > op.MaxEntry {
			t.Errorf("%v: entry of %d bytes", e.Says.Kind(), len(raw))
		}
	}
	for _, k := range []op.Kind{0, 12, op.KindHello, op.KindTick, 63, 65} {
		if _, err := op.DecodeEntry(someLog, 0, append([]byte{byte(k)}, make([]byte, 200)...)); err == nil {
			t.Errorf("%v is an entry", k)
		}
	}
}

func TestARecordCostsTheLedger146Bytes(t *testing.T) {
	if n := len(entries()[1].Encode()); n != 146 {
		t.Errorf("an entry of one record has %d bytes", n)
	}
}

func TestHeadsAreStrict(t *testing.T) {
	h := someHead()
	got, err := op.DecodeHead(h.Encode())
	if err != nil || got.Hash() != h.Hash() || len(got.Terms()) != 2 || got.Terms()[1].Used != 2 || !got.Owns(actor("owner").Public()) || got.Owns(actor("lab").Public()) {
		t.Fatalf("%+v: %v", got, err)
	}
	for name, change := range map[string]func(*op.Head){
		"no owner":          func(h *op.Head) { h.Owners = nil },
		"too many owners":   func(h *op.Head) { h.Owners = make([]key.Verifier, op.MaxOwners+1) },
		"erased that touch": func(h *op.Head) { h.Erased = []consent.Range{{From: 1, To: 2}, {From: 2, To: 3}} },
		"kept out of order": func(h *op.Head) { h.Kept[0], h.Kept[1] = h.Kept[1], h.Kept[0] },
		"kept twice":        func(h *op.Head) { h.Kept[0].To = 6 },
		"kept in pieces":    func(h *op.Head) { h.Kept = append(h.Kept, h.Kept[1]); h.Kept[2].From, h.Kept[2].To = 7, 8 },
		"nothing kept":      func(h *op.Head) { h.Kept[1].To = h.Kept[1].From },
		"a grant's rights":  func(h *op.Head) { h.Grants[0].Rights = 0 },
	} {
		h := someHead()
		change(h)
		if _, err := op.DecodeHead(h.Encode()); err == nil {
			t.Errorf("%s: decodes", name)
		}
	}
	raw := h.Encode()
	raw[0] = 2
	if _, err := op.DecodeHead(raw); err == nil {
		t.Error("a head of another version decodes")
	}
}

func TestTheLargestHeadFits(t *testing.T) {
	h := someHead()
	g := h.Grants[1]
	for i := range op.MaxRanges - 2 {
		g.Ranges = append(g.Ranges[:len(g.Ranges):len(g.Ranges)], consent.Range{From: uint64(20 + 2*i), To: uint64(21 + 2*i)})
	}
	h.Grants = slices.Repeat([]op.Granted{g}, op.MaxGrants)
	h.Erased = make([]consent.Range, op.MaxErased)
	h.Kept = make([]consent.Kept, op.MaxKept)
	h.Owners = make([]key.Verifier, op.MaxOwners)
	if n := len(h.Encode()); n > op.MaxHead {
		t.Errorf("a head can have %d bytes, at most %d may be proven", n, op.MaxHead)
	}
}

func TestAProofHoldsForOnePlaceInOneState(t *testing.T) {
	var f merkle.Frontier
	es := entries()
	var leaves []wire.Hash
	for _, e := range es {
		f.Append(e.Hash())
		leaves = append(leaves, e.Hash())
	}
	h := someHead()
	h.Number, h.Size, h.Root = 1, uint64(len(es)), f.Root()
	heads := merkle.NewArray([]wire.Hash{seed("other head"), h.Hash(), seed("third head")})
	tree := merkle.NewArray(leaves)
	for _, e := range es {
		p := &op.Proof{Height: 9, Entry: e.Encode(), EntryPath: tree.Prove(e.Number), Head: h.Encode(), HeadPath: heads.Prove(1), State: op.State{Heads: heads.Root(), Count: 3, Clock: 7, Rest: seed("rest")}}
		got, err := op.DecodeProof(p.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if pe, ph, err := got.Check(someLog, e.Number); err != nil || pe.Hash() != e.Hash() || ph.Hash() != h.Hash() {
			t.Fatalf("entry %d: %v", e.Number, err)
		}
		for name, change := range map[string]func(*op.Proof){
			"another entry":   func(p *op.Proof) { p.Entry = es[(e.Number+1)%uint64(len(es))].Encode() },
			"a shorter path":  func(p *op.Proof) { p.EntryPath = p.EntryPath[1:] },
			"another head":    func(p *op.Proof) { o := *h; o.Epoch++; p.Head = o.Encode() },
			"a smaller log":   func(p *op.Proof) { o := *h; o.Size--; p.Head = o.Encode() },
			"another log":     func(p *op.Proof) { o := *h; o.Log[0]++; p.Head = o.Encode() },
			"no path":         func(p *op.Proof) { p.HeadPath = nil },
			"another array":   func(p *op.Proof) { p.State.Heads[0]++ },
			"a smaller array": func(p *op.Proof) { p.State.Count = 1 },
		} {
			bad := *got
			change(&bad)
			if _, _, err := bad.Check(someLog, e.Number); err == nil {
				t.Errorf("entry %d: %s passes", e.Number, name)
			}
		}
		raw := p.Encode()
		if _, err := op.DecodeProof(raw[:len(raw)-1]); err == nil {
			t.Error("a truncated proof decodes")
		}
		if _, err := op.DecodeProof(append(raw, 0)); !errors.Is(err, wire.ErrTrailing) {
			t.Errorf("a proof with a byte too many: got %v", err)
		}
	}
}

func TestThresholdIsMoreThanTwoThirds(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 10: 7, 100: 67} {
		if got := op.Threshold(n); got != want {
			t.Errorf("of %d: got %d, want %d", n, got, want)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for _, b := range samples() {
		if s := b.Kind().String(); s == "" || strings.HasPrefix(s, "kind ") {
			t.Errorf("kind %d is called %q", uint8(b.Kind()), s)
		}
	}
	if got := fmt.Sprint(op.Kind(200)); got != "kind 200" {
		t.Errorf("got %q", got)
	}
}
