package consensus

import (
	"context"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/store"

	"vitalog/key"
	"vitalog/ledger"
)

// Status is how a node is doing.
type Status struct {
	Height       uint64        // of the ledger
	Clock        time.Time     // of the ledger: when the last block with operations was proposed
	LastBlock    time.Time     // time in the header of the last block; stale while nothing happens
	Ready        bool          // caught up; false while it catches up
	Peers        int           // members connected
	Validators   int           // in the network
	Reachable    int           // validators connected, this one included; blocks need more than two thirds
	HaltedFor    time.Duration // how long operations have been waiting with no block; 0 when nothing waits
	ClockSuspect bool          // the others agree on a clock that this member's own contradicts: its proposals are refused
	ClockOff     time.Duration // how far the own clock is ahead, if it is suspect
	Abstains     bool          // it lost its last vote, and doesn't vote until two blocks were made without it
	Failed       error         // why the node stopped by itself
}

// Status is as of now.
func (n *Node) Status() Status {
	l := n.Ledger()
	s := Status{Height: l.Height(), Clock: time.UnixMilli(int64(l.Clock())).UTC(), Ready: n.Ready(), Failed: n.failure.get()}
	s.Abstains = n.vote.abstains(int64(s.Height))
	s.ClockOff = n.app.clocks.suspect()
	s.ClockSuspect = s.ClockOff != 0
	if since, ok := n.waiting.since(); ok {
		if last := n.app.lastCommit(); last.After(since) {
			since = last
		}
		s.HaltedFor = time.Since(since)
	}
	n.blocks(func(b *store.BlockStore) {
		if m := b.LoadBlockMeta(b.Height()); m != nil {
			s.LastBlock = m.Header.Time
		}
	})
	peers := n.engine.Switch().Peers()
	s.Peers = peers.Size()
	for i := range n.config.Genesis.Members {
		if m := &n.config.Genesis.Members[i]; m.Validator {
			s.Validators++
			if i == n.config.Member || peers.Has(peerID(m.Node)) {
				s.Reachable++
			}
		}
	}
	return s
}

// Subscribe calls f after each block that is durable here, in order, until cancel. f must not block.
func (n *Node) Subscribe(f func(*ledger.Block)) (cancel func()) {
	a, p := n.app, &f
	a.mu.Lock()
	defer a.mu.Unlock()
	a.subscribers = append(a.subscribers[:len(a.subscribers):len(a.subscribers)], p)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		var rest []*func(*ledger.Block)
		for _, x := range a.subscribers {
			if x != p {
				rest = append(rest, x)
			}
		}
		a.subscribers = rest
	}
}

// WaitEntry waits until entry number of log is committed here.
func (n *Node) WaitEntry(ctx context.Context, log key.Log, number uint64) error {
	for {
		next := n.app.next()
		h, err := n.Ledger().Head(log)
		if err == nil && h != nil && number < h.Size {
			return nil
		}
		select {
		case <-n.closing: // and perhaps the store with it
			err = n.stopped()
		default:
		}
		if err == nil {
			err = n.waitNext(ctx, next)
		}
		if err != nil {
			return fmt.Errorf("consensus: waiting for entry %d of %v: %w", number, log, err)
		}
	}
}

// waitNext waits for a commit.
func (n *Node) waitNext(ctx context.Context, next <-chan struct{}) error {
	select {
	case <-next:
		return nil
	case <-n.closing:
		return n.stopped()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Block is the transactions of a block as they were agreed on: first the clock, then operations; empty for a proof block. It returns
// nil, false if this node doesn't have the block.
func (n *Node) Block(height uint64) (txs [][]byte, ok bool) {
	n.blocks(func(s *store.BlockStore) {
		if b := s.LoadBlock(int64(height)); b != nil {
			txs, ok = b.Txs.ToSliceOfBytes(), true
		}
	})
	return txs, ok
}
