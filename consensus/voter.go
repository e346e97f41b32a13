package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/libs/protoio"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"vitalog/kv"
	"vitalog/op"
)

// voter signs proposals and votes, each step of a round once, and remembers the last one on the disk so that it never signs the opposite.
//
// A member without the file may have voted before it lost it. It writes one that says: the last vote was at unknown, which forbids every
// other. When it knows a height that it can't have voted beyond, it writes that one. See settled.
type voter struct {
	key  signer
	fail func(error) // the disk did not take a vote: the node ends

	mu   sync.Mutex
	cell *kv.Cell
	last lastVote
}

// A last vote that was never made: the member abstains up to its height.
const (
	unknown   = math.MaxInt64 // height
	lastRound = math.MaxInt32 // no round of that height comes after it
)

// openVoter reads the last vote.
func (n *Node) openVoter() (*voter, error) {
	path := filepath.Join(n.config.Dir, "vote")
	cell, b, err := kv.OpenCell(path)
	if errors.Is(err, kv.ErrCorrupt) {
		return nil, fmt.Errorf("last vote: %w\nhint: one of four validators or more may take the file away, and abstains until two blocks were made without it; "+
			"of fewer it needs a new vote key", err)
	}
	if err != nil {
		return nil, fmt.Errorf("last vote: %w", err)
	}
	v := &voter{key: signer{n.config.Vote}, cell: cell, fail: func(err error) {
		if !n.ending() {
			_ = n.fail(fmt.Errorf("last vote: %w", err))
		}
	}}
	if b != nil {
		if v.last, err = decodeLastVote(b); err != nil {
			return nil, errors.Join(fmt.Errorf("last vote in %s: %w", path, err), cell.Close())
		}
		return v, nil
	}
	if others, enough := n.others(); others < enough && n.app.ledger.Height() > 0 {
		return nil, errors.Join(fmt.Errorf("last vote: %s was missing, but the ledger is at height %d, and without this member there are too few validators to show "+
			"what it can't have voted on\nhint: never restore or move it; a member that lost it needs a new vote key", path, n.app.ledger.Height()), cell.Close())
	}
	return v, v.abstain(unknown)
}

// abstain forbids votes up to height.
func (v *voter) abstain(height int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := lastVote{height: height, round: lastRound, step: stepPrecommit}
	if height == 0 {
		l = lastVote{}
	}
	return v.put(l)
}

// put makes a vote the last one, durably. The caller holds the lock.
func (v *voter) put(l lastVote) error {
	if err := v.cell.Put(l.encode()); err != nil {
		v.fail(err)
		return err
	}
	v.last = l
	return nil
}

// until is the height up to which the member abstains; 0 if it has voted since, or never lost its last vote.
func (v *voter) until() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last.round == lastRound && v.last.step == stepPrecommit {
		return v.last.height
	}
	return 0
}

// abstains tells whether the member must not vote on the block after height.
func (v *voter) abstains(height int64) bool { return height < v.until() }

// close closes the file: the member votes no more.
func (v *voter) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cell.Close()
}

func (v *voter) GetPubKey() (crypto.PubKey, error) { return v.key.PubKey(), nil }

// SignVote signs a prevote or a precommit. There are no vote extensions here.
func (v *voter) SignVote(chain string, vote *cmtproto.Vote) (err error) {
	step := stepPrevote
	switch {
	case vote.Type == cmtproto.PrecommitType:
		step = stepPrecommit
	case vote.Type != cmtproto.PrevoteType:
		return fmt.Errorf("a vote of type %v", vote.Type)
	}
	if len(vote.Extension) > 0 {
		return errors.New("a vote with an extension")
	}
	message := types.VoteSignBytes(chain, vote)
	vote.Signature, err = v.sign(vote.Height, vote.Round, step, message, func(last []byte) (bool, error) {
		timeOf := func(c *cmtproto.CanonicalVote) *time.Time { return &c.Timestamp }
		return sameButTime(last, message, &cmtproto.CanonicalVote{}, &cmtproto.CanonicalVote{}, timeOf, &vote.Timestamp)
	})
	return err
}

// SignProposal signs a proposal.
func (v *voter) SignProposal(chain string, p *cmtproto.Proposal) (err error) {
	message := types.ProposalSignBytes(chain, p)
	p.Signature, err = v.sign(p.Height, p.Round, stepPropose, message, func(last []byte) (bool, error) {
		timeOf := func(c *cmtproto.CanonicalProposal) *time.Time { return &c.Timestamp }
		return sameButTime(last, message, &cmtproto.CanonicalProposal{}, &cmtproto.CanonicalProposal{}, timeOf, &p.Timestamp)
	})
	return err
}

// timed is a message of the engine's that has a time.
type timed interface {
	Reset()
	String() string
	ProtoMessage()
	Marshal() ([]byte, error)
}

// sameButTime tells whether two messages, read into before and now, differ in nothing but their time. Then it sets at to the first one's.
func sameButTime[M timed](first, second []byte, before, now M, timeOf func(M) *time.Time, at *time.Time) (bool, error) {
	if err := errors.Join(protoio.UnmarshalDelimited(first, before), protoio.UnmarshalDelimited(second, now)); err != nil {
		return false, err
	}
	was := *timeOf(before)
	*timeOf(before) = *timeOf(now)
	x, errX := before.Marshal()
	y, errY := now.Marshal()
	if err := errors.Join(errX, errY); err != nil || !bytes.Equal(x, y) {
		return false, err
	}
	*at = was
	return true, nil
}

// sign signs the bytes of a step that comes after the last one. The last one itself it gives again, where the bytes are the same, or differ in
// nothing but their time: same compares them with the last bytes and takes their time over. Everything else is refused.
//
// Crash points: the step, its bytes and its signature are durable before the signature leaves this function. A crash before the engine has
// sent it has the engine ask for the same step again.
func (v *voter) sign(height int64, round int32, step int8, message []byte, same func(last []byte) (bool, error)) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := lastVote{height: height, round: round, step: step, message: message}
	switch order := next.compare(&v.last); {
	case order < 0:
		return nil, fmt.Errorf("step %v comes before the last one that was signed, %v", &next, &v.last)
	case order == 0 && v.last.signature == nil:
		return nil, fmt.Errorf("step %v: this member abstains", &next)
	case order == 0:
		if !bytes.Equal(message, v.last.message) {
			if ok, err := same(v.last.message); err != nil || !ok {
				return nil, errors.Join(fmt.Errorf("step %v was signed with other content", &next), err)
			}
		}
		return bytes.Clone(v.last.signature), nil
	}
	sig, err := v.key.Sign(message)
	if err != nil {
		return nil, err
	}
	next.signature = sig
	if err := v.put(next); err != nil {
		return nil, fmt.Errorf("step %v is not signed, because it can't be remembered: %w", &next, err)
	}
	return sig, nil
}

// settled tells whether it is known when this member may vote, and finds out when it can.
//
// A member that voted at V had the block V-1, which more than two thirds of the validators signed, and these had the block V-2. Once
// more than two thirds, without this member, have said how far they are, one honest validator at least is among both: so the greatest
// height H that was said is V-2 or more, and what is above H+2 was never voted on here. What somebody says counts when this member has
// the block itself, which nobody can make up. Where nobody has a block the network is being founded.
func (c *catchUp) settled() bool {
	v := c.node.vote
	if v.until() != unknown {
		return true
	}
	own := int64(c.node.Ledger().Height())
	var heard, empty int
	var top int64
	for _, h := range c.sources.reports(c.node) {
		if h == 0 {
			empty++
		}
		if h <= own {
			heard, top = heard+1, max(top, h)
		}
	}
	_, enough := c.node.others()
	switch {
	case own == 0 && empty == heard && empty+c.node.validator(c.node.config.Member) >= enough:
		_ = v.abstain(0) // an error ends the node
	case top > 0 && heard >= enough:
		c.node.config.Log.Warn("this member does not know its last vote, and abstains until two blocks were made without it", "height", own, "until", top+2)
		_ = v.abstain(top + 2)
	default:
		return false
	}
	return true
}

// others is how many validators there are besides this member, and how many make a block.
func (n *Node) others() (others, enough int) {
	all := len(n.config.Genesis.Validators())
	return all - n.validator(n.config.Member), op.Threshold(all)
}

// validator is 1 if the member is a validator, else 0.
func (n *Node) validator(member int) int {
	if n.config.Genesis.Members[member].Validator {
		return 1
	}
	return 0
}
