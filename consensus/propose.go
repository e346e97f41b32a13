package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"vitalog/op"
	"vitalog/wire"
)

// PrepareProposal puts this member's clock before the operations, and leaves out what others would reject. A block without operations
// has no clock: it is the proof block of the one before it.
func (a *app) PrepareProposal(_ context.Context, r *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	clock := op.EncodeClock(max(uint64(a.node.config.Now().UnixMilli()), a.ledger.Clock()))
	room := r.MaxTxBytes - txSize(clock)
	out := [][]byte{clock}
	_, errs := a.txs.admit(r.Txs)
	for i, b := range r.Txs {
		if errs[i] != nil {
			continue // let in by nobody's CheckTx
		}
		if room -= txSize(b); room < 0 {
			break
		}
		out = append(out, b)
	}
	if len(out) == 1 {
		return &abci.ResponsePrepareProposal{}, nil
	}
	return &abci.ResponsePrepareProposal{Txs: out}, nil
}

// txSize is at least what a transaction takes in a block.
func txSize(b []byte) int64 { return int64(len(b)) + 8 }

// ProcessProposal is this validator's say on a proposed block.
func (a *app) ProcessProposal(_ context.Context, r *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	err := a.judge(r)
	if err != nil {
		a.node.config.Log.Warn("proposal refused", "height", r.Height, "err", err)
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

func (a *app) judge(r *abci.RequestProcessProposal) error {
	if len(r.Txs) == 0 {
		return nil
	}
	clock, ok := op.DecodeClock(r.Txs[0])
	if !ok {
		return errors.New("operations without a clock before them")
	}
	if len(r.Txs) == 1 {
		return errors.New("a clock without operations")
	}
	if err := a.txs.verified(r.Txs[1:]); err != nil { // a second clock doesn't decode
		return err
	}
	if now := a.ledger.Clock(); clock < now {
		return fmt.Errorf("its clock is %d ms behind the ledger's", now-clock)
	}
	return a.clocks.judge(asHash(r.Hash), uint64(r.Height), time.UnixMilli(int64(clock)), a.node.config.Now())
}

// clocks compares proposers' clocks with this member's own.
//
// A clock ahead of ours by more than op.MaxClockSkew is refused. One behind is refused too, but a block that is proposed again, because
// some validators are locked on it, keeps its old clock; refusing it for ever would stop the chain. So the longer a height has been
// undecided here, the older a clock may be: by twice that time.
type clocks struct {
	mu      sync.Mutex
	height  uint64
	since   time.Time                   // first proposal of height
	refused map[wire.Hash]time.Duration // proposals of height that were refused for their clock: how far our own is ahead of it
	off     time.Duration               // how far our own was ahead of the clock of a block that the others accepted and we refused
}

func (c *clocks) judge(block wire.Hash, height uint64, clock, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height != c.height {
		c.height, c.since, c.refused = height, now, map[wire.Hash]time.Duration{}
	}
	ahead := now.Sub(clock)
	if ahead < -op.MaxClockSkew || ahead > op.MaxClockSkew+2*now.Sub(c.since) {
		c.refused[block] = ahead
		return fmt.Errorf("its clock differs from this member's by %v, at most %v is allowed", -ahead, op.MaxClockSkew)
	}
	delete(c.refused, block)
	return nil
}

// committed learns who was right: if the others agreed on a block whose clock we refused, it is our clock that is off.
func (c *clocks) committed(block wire.Hash, height uint64, hasClock bool, n *Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !hasClock || height != c.height {
		return
	}
	off, wrong := c.refused[block]
	if wrong && c.off == 0 {
		n.config.Log.Warn("this member's clock is off: its proposals are refused\nhint: synchronise the clock", "by", off, "height", height)
	}
	if c.off = 0; wrong {
		c.off = off
	}
}

func (c *clocks) suspect() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}
