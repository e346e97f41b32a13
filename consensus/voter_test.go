package consensus

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"vitalog/key"
	"vitalog/kv"
)

const chainOfVotes = "vitalog-votes"

func voterIn(t testing.TB, dir string) *voter {
	t.Helper()
	cell, b, err := kv.OpenCell(filepath.Join(dir, "vote"))
	if err != nil {
		t.Fatal(err)
	}
	v := &voter{key: signer{key.NewSigning(sha256.Sum256([]byte("voter")))}, cell: cell, fail: func(err error) { t.Log(err) }}
	if b != nil {
		if v.last, err = decodeLastVote(b); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// ballot is a step that the engine asks to be signed.
type ballot struct {
	height int64
	round  int32
	step   int8
	block  byte // 0: nil
	at     time.Time
}

// sign has a ballot signed and gives what an adversary would get: what was signed, whole, with its time.
func (b ballot) sign(v *voter) (message, signature []byte, err error) {
	id := cmtproto.BlockID{}
	if b.block != 0 {
		h := bytes.Repeat([]byte{b.block}, 32)
		id = cmtproto.BlockID{Hash: h, PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: h}}
	}
	if b.step == stepPropose {
		p := &cmtproto.Proposal{Type: cmtproto.ProposalType, Height: b.height, Round: b.round, PolRound: -1, BlockID: id, Timestamp: b.at}
		err = v.SignProposal(chainOfVotes, p)
		return types.ProposalSignBytes(chainOfVotes, p), p.Signature, err
	}
	kind := cmtproto.PrevoteType
	if b.step == stepPrecommit {
		kind = cmtproto.PrecommitType
	}
	x := &cmtproto.Vote{Type: kind, Height: b.height, Round: b.round, BlockID: id, Timestamp: b.at}
	err = v.SignVote(chainOfVotes, x)
	return types.VoteSignBytes(chainOfVotes, x), x.Signature, err
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Each row is a last vote, the next thing asked for, and whether it may be signed.
func TestAValidatorSignsEachStepOnce(t *testing.T) {
	last := ballot{7, 2, stepPrevote, 1, noon}
	for name, c := range map[string]struct {
		next ballot
		ok   bool
	}{
		"the same again":              {last, true},
		"the same, later":             {ballot{7, 2, stepPrevote, 1, noon.Add(time.Second)}, true},
		"the same, earlier":           {ballot{7, 2, stepPrevote, 1, noon.Add(-time.Second)}, true},
		"for another block":           {ballot{7, 2, stepPrevote, 2, noon}, false},
		"for no block":                {ballot{7, 2, stepPrevote, 0, noon}, false},
		"for another block and later": {ballot{7, 2, stepPrevote, 2, noon.Add(time.Second)}, false},
		"the step before":             {ballot{7, 2, stepPropose, 1, noon}, false},
		"the step after":              {ballot{7, 2, stepPrecommit, 1, noon}, true},
		"the step after, otherwise":   {ballot{7, 2, stepPrecommit, 2, noon}, true},
		"the round before":            {ballot{7, 1, stepPrecommit, 1, noon}, false},
		"the round after":             {ballot{7, 3, stepPropose, 2, noon}, true},
		"the height before":           {ballot{6, 9, stepPrecommit, 1, noon}, false},
		"the height after":            {ballot{8, 0, stepPrevote, 3, noon}, true},
	} {
		for _, again := range []bool{false, true} { // in the same process, and after a restart
			dir := t.TempDir()
			v := voterIn(t, dir)
			before, sig, err := last.sign(v)
			if err != nil {
				t.Fatal(err)
			}
			if again {
				v.close()
				v = voterIn(t, dir)
			}
			got, gotSig, err := c.next.sign(v)
			if c.ok != (err == nil) {
				t.Errorf("%s, restarted %v: %v", name, again, err)
			}
			if err == nil && c.next.step == last.step && c.next.height == last.height && c.next.round == last.round && (!bytes.Equal(got, before) || !bytes.Equal(gotSig, sig)) {
				t.Errorf("%s, restarted %v: another message or signature for the same step", name, again)
			}
			if err == nil && !v.key.PubKey().VerifySignature(got, gotSig) {
				t.Errorf("%s: the signature doesn't verify", name)
			}
			if err != nil && gotSig != nil {
				t.Errorf("%s: refused, and signed all the same", name)
			}
			v.close()
		}
	}
}

// Whatever is asked for in whatever order, with restarts at any moment: no two messages of one step are ever signed, and time never runs back.
func TestAValidatorNeverSignsTheOpposite(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		v := voterIn(t, dir)
		signed := map[[3]int64][]byte{}
		var top lastVote
		n := 0
		for range 300 {
			if r.IntN(20) == 0 {
				v.close()
				v = voterIn(t, dir)
			}
			b := ballot{top.height + int64(r.IntN(4)) - 1, int32(r.IntN(3)), int8(1 + r.IntN(3)), byte(1 + r.IntN(3)), noon.Add(time.Duration(r.IntN(3)))}
			if b.height < 1 {
				continue
			}
			message, sig, err := b.sign(v)
			if err != nil {
				continue
			}
			n++
			step := [3]int64{b.height, int64(b.round), int64(b.step)}
			if old := signed[step]; old != nil && !bytes.Equal(old, message) {
				t.Fatalf("seed %d: two messages of step %v are signed", seed, step)
			}
			if !v.key.PubKey().VerifySignature(message, sig) {
				t.Fatalf("seed %d: step %v: the signature doesn't verify", seed, step)
			}
			now := lastVote{height: b.height, round: b.round, step: b.step}
			if now.compare(&top) < 0 {
				t.Fatalf("seed %d: signed %v after %v", seed, &now, &top)
			}
			signed[step], top = message, now
		}
		if n < 50 {
			t.Errorf("seed %d: only %d of the ballots could be signed: the test shows little", seed, n)
		}
		v.close()
	}
}

func TestAValidatorThatCannotRememberSignsNothing(t *testing.T) {
	v := voterIn(t, t.TempDir())
	if _, _, err := (ballot{1, 0, stepPrevote, 1, noon}).sign(v); err != nil {
		t.Fatal(err)
	}
	v.close() // the disk is gone
	if _, sig, err := (ballot{1, 0, stepPrecommit, 1, noon}).sign(v); err == nil || sig != nil {
		t.Errorf("signed what it can't remember: %x, %v", sig, err)
	}
	if err := v.SignVote(chainOfVotes, &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 9, Extension: []byte("x")}); err == nil {
		t.Error("signed a vote with an extension")
	}
	if err := v.SignVote(chainOfVotes, &cmtproto.Vote{Type: cmtproto.ProposalType, Height: 9}); err == nil {
		t.Error("signed a proposal as a vote")
	}
}

func TestADamagedLastVoteIsNoNewOne(t *testing.T) {
	n := &Node{config: Config{Dir: t.TempDir()}}
	path := filepath.Join(n.config.Dir, "vote")
	v := voterIn(t, n.config.Dir)
	if _, _, err := (ballot{5, 0, stepPrecommit, 1, noon}).sign(v); err != nil {
		t.Fatal(err)
	}
	v.close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[600] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.openVoter(); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("got %v, want what to do about it", err)
	}
}

func FuzzLastVote(f *testing.F) {
	for _, l := range []lastVote{{}, {height: unknown, round: lastRound, step: stepPrecommit}, {7, 2, stepPrevote, []byte("message"), make([]byte, 64)}} {
		f.Add(l.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := decodeLastVote(b)
		if err != nil {
			return
		}
		if got := l.encode(); !bytes.Equal(got, b) {
			t.Fatalf("%x decodes and encodes as %x", b, got)
		}
	})
}
