package consensus_test

import (
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/wire"
)

var update = flag.Bool("update", false, "write spec/testdata/receipt.json from a new network")

func TestReceiptsOfEveryKindOfEntryVerifyWithTheGenesisAlone(t *testing.T) {
	n := newNetwork(t, 4, 1)
	n.start()
	n.makeKey()
	c := everyKind(n)
	head, err := n.members[4].node.Ledger().Head(c.log)
	if err != nil || head == nil {
		t.Fatal(head, err)
	}
	kinds := map[op.Kind]bool{}
	vector := vector{Genesis: n.genesis}
	for number := range head.Size {
		m := n.members[number%5] // the observer too
		x, err := m.node.Receipt(timeout(t, time.Minute), c.log, number)
		if err != nil {
			t.Fatal(err)
		}
		b := x.Encode()
		x, err = receipt.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		v, err := x.Verify(n.genesis)
		if err != nil {
			t.Fatalf("entry %d: %v", number, err)
		}
		if v.Log != c.log || v.Number != number || v.Of != 4 || v.Signed < 3 || v.Height != x.Header.Height || v.Head.Size != head.Size {
			t.Errorf("entry %d: verified as %+v", number, v)
		}
		if since := time.Since(v.Time); since < -time.Minute || since > time.Minute {
			t.Errorf("entry %d: header of %v", number, v.Time)
		}
		kinds[v.Entry.Says.Kind()] = true
		engineAgrees(t, n.genesis, x)
		for i := 0; i < len(b); i += 1 + rand.IntN(40) {
			bad := append([]byte{}, b...)
			bad[i] ^= 1 << rand.IntN(8)
			if x, err := receipt.Decode(bad); err == nil {
				if _, err := x.Verify(n.genesis); err == nil {
					t.Errorf("entry %d: a receipt with byte %d of %d changed verifies", number, i, len(b))
				}
			}
		}
		vector.add(v, b)
		if number == 0 {
			t.Logf("a receipt has %d bytes", len(b))
		}
	}
	for _, k := range []op.Kind{op.KindCreate, op.KindAppend, op.KindGrant, op.KindRevoke, op.KindAccess, op.KindRotate, op.KindRekeyOwner,
		op.KindRekeyGrantee, op.KindBlock, op.KindDestroy, op.KindPost, op.KindKeep} {
		if !kinds[k] {
			t.Errorf("no %v was among the entries", k)
		}
	}
	other := newNetwork(t, 4, 0).genesis
	x, err := n.members[0].node.Receipt(timeout(t, time.Minute), c.log, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Verify(other); !errors.Is(err, receipt.ErrVote) { // the same keys, another chain
		t.Errorf("with another genesis: got %v, want ErrVote", err)
	}
	if *update {
		vector.write(t)
	}
}

// everyKind makes a log with an entry of each kind.
func everyKind(n *network) *chart {
	c := n.newChart("ann")
	next, other, poster := signing("next owner"), signing("next grantee"), signing("poster")
	n.submit(c.records(2), c.access(2, 4), n.sign(c.owner, c.log, op.NewBlock(consent.Range{From: 2, To: 3})),
		n.sign(c.owner, c.log, op.NewDestroy(consent.Range{From: 2, To: 3})))
	n.submit(n.sign(c.grantee, c.log, &op.Keep{Destroy: 6, Ranges: []consent.Range{{From: 2, To: 3}}, Until: uint64(time.Now().AddDate(10, 0, 0).UnixMilli())}))
	n.submit(n.sign(c.grantee, c.log, op.NewRekeyGrantee(n.genesis.Network(), c.log, c.grantee.Public(), other)))
	n.submit(n.sign(c.owner, c.log, &op.Revoke{Grant: 1}), n.sign(c.owner, c.log, &op.Rotate{Epoch: 2, EpochKey: seed("epoch 2")}))
	n.submit(n.sign(poster, c.log, &op.Post{Message: seed("message"), Size: 100, Ticket: n.ticket(op.PostSubject(c.log, poster.Public()))}))
	n.submit(n.sign(c.owner, c.log, op.NewRekeyOwner(n.genesis.Network(), c.log, c.owner.Public(), next)))
	n.level()
	return c
}

// engineAgrees compares what package receipt hashes and signs with the engine's own.
func engineAgrees(t *testing.T, g *op.Genesis, x *receipt.Receipt) {
	t.Helper()
	h := &x.Header
	e := types.Header{Version: cmtversion.Consensus{Block: h.BlockVersion, App: h.AppVersion}, ChainID: g.ChainID(), Height: int64(h.Height), Time: h.Time,
		LastCommitHash: h.LastCommit[:], DataHash: h.Data[:], ValidatorsHash: h.Validators[:], NextValidatorsHash: h.NextValidators[:],
		ConsensusHash: h.Params[:], AppHash: h.App[:], LastResultsHash: h.LastResults[:], EvidenceHash: h.Evidence[:], ProposerAddress: h.Proposer[:]}
	if h.Last != (receipt.BlockID{}) {
		e.LastBlockID = engineID(h.Last)
	}
	got := h.Hash(g.ChainID())
	if want := e.Hash(); string(got[:]) != string(want) {
		t.Fatalf("header hash %v, the engine has %v", got, want)
	}
	id := receipt.BlockID{Hash: got, Parts: x.Commit.Parts}
	commit := &types.Commit{Height: int64(h.Height), Round: int32(x.Commit.Round), BlockID: engineID(id)}
	for _, v := range x.Commit.Votes {
		s := types.NewCommitSigAbsent()
		if v.Cast {
			s = types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, Timestamp: v.Time, Signature: v.Sig[:], ValidatorAddress: make([]byte, 20)}
		}
		commit.Signatures = append(commit.Signatures, s)
	}
	for i, v := range x.Commit.Votes {
		if !v.Cast {
			continue
		}
		got, want := receipt.SignBytes(g.ChainID(), h.Height, x.Commit.Round, id, v.Time), commit.VoteSignBytes(g.ChainID(), int32(i))
		if string(got) != string(want) {
			t.Fatalf("vote %d: signs %x, the engine's signs %x", i, got, want)
		}
	}
}

func engineID(id receipt.BlockID) types.BlockID {
	return types.BlockID{Hash: id.Hash[:], PartSetHeader: types.PartSetHeader{Total: id.Parts.Total, Hash: id.Parts.Hash[:]}}
}

func TestHeadersAndVotesHashAsInTheEngine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hash := func() (h wire.Hash) {
		for i := range h {
			h[i] = byte(r.Uint32())
		}
		return h
	}
	n := newNetwork(t, 1, 0)
	for range 300 {
		x := &receipt.Receipt{Header: receipt.Header{BlockVersion: r.Uint64() >> r.IntN(64), AppVersion: r.Uint64() >> r.IntN(64), Height: r.Uint64() >> (1 + r.IntN(62)),
			Time: time.Unix(int64(r.Uint64()>>(31+r.IntN(30))), int64(r.IntN(1e9))).UTC(), Last: receipt.BlockID{Hash: hash(), Parts: receipt.Parts{Total: r.Uint32() >> 8, Hash: hash()}},
			LastCommit: hash(), Data: hash(), Validators: hash(), NextValidators: hash(), Params: hash(), App: hash(), LastResults: hash(), Evidence: hash()},
			Commit: receipt.Commit{Round: uint32(r.Uint32() >> (1 + r.IntN(31))), Parts: receipt.Parts{Total: 1 + r.Uint32()>>(8+r.IntN(24)), Hash: hash()},
				Votes: []receipt.Vote{{Cast: true, Time: time.Unix(int64(r.Uint64()>>(31+r.IntN(30))), int64(r.IntN(1e9))).UTC(), Sig: key.Signature{1}}, {}}}}
		if r.IntN(10) == 0 {
			x.Header.Last = receipt.BlockID{}
		}
		engineAgrees(t, n.genesis, x)
	}
}

func TestTheValidatorsHaveTheEnginesOrderAndHash(t *testing.T) {
	for _, count := range []int{1, 2, 3, 4, 7, 16} {
		g := newNetwork(t, count, 1).genesis
		var vs []*types.Validator
		for _, i := range g.Validators() {
			vs = append(vs, types.NewValidator(ed25519.PubKey(g.Members[i].Consensus[:]), receipt.Power))
		}
		set := types.NewValidatorSet(vs)
		ours := receipt.Validators(g)
		for i, v := range set.Validators {
			if a := receipt.AddressOf(ours[i]); string(a[:]) != string(v.Address) {
				t.Fatalf("%d validators: place %d has %x, the engine has %x", count, i, a, v.Address)
			}
		}
		if got, want := receipt.ValidatorsHash(ours), set.Hash(); string(got[:]) != string(want) {
			t.Errorf("%d validators: hash %v, the engine has %x", count, got, want)
		}
	}
}

func TestReceiptsUnderLoadAreOfTheStateTheyWereTakenIn(t *testing.T) {
	n := newNetwork(t, 4, 0)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	for i := range 10 {
		rs := n.submit(c.records(1))
		n.members[i%4].node.WaitEntry(timeout(t, time.Minute), c.log, rs[0].First)
		x, err := n.members[i%4].node.Receipt(timeout(t, time.Minute), c.log, rs[0].First)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Verify(n.genesis); err != nil {
			t.Fatal(err)
		}
	}
}

// vector is spec/testdata/receipt.json: a real network's genesis and receipts.
type vector struct {
	Genesis  *op.Genesis     `json:"genesis"`
	Receipts []vectorReceipt `json:"receipts"`
}

type vectorReceipt struct {
	Kind    string    `json:"kind"`
	Log     key.Log   `json:"log"`
	Number  uint64    `json:"number"`
	Height  uint64    `json:"height"`
	Time    time.Time `json:"time"`
	Signed  int       `json:"signed"`
	Of      int       `json:"of"`
	Receipt []byte    `json:"receipt"`
}

func (v *vector) add(x *receipt.Verified, b []byte) {
	v.Receipts = append(v.Receipts, vectorReceipt{x.Entry.Says.Kind().String(), x.Log, x.Number, x.Height, x.Time, x.Signed, x.Of, b})
}

func (v *vector) write(t *testing.T) {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../spec/testdata/receipt.json", append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
