// Package consensus makes all members' ledgers the same: it runs one member of the network, on CometBFT.
//
// It promises that what Submit reports as executed is durable here and agreed on by more than two thirds of the validators, that a
// retry executes nothing twice, that Receipt's proof verifies with the genesis alone, and that a crash at any moment loses nothing that
// was reported. It refuses blocks with a signature that doesn't verify or with a clock that is not the validators' own, and peers that
// the genesis doesn't name.
//
//	block 871:  clock 2026-11-23 10:04:11.482      03 ops of three patients, shuffled      01 op      01 op
//	block 872:  (empty) header: app hash after 871      the proof block: receipts of 871 end in its header
//
// See DESIGN.md in this directory, spec/receipt.md and spec/disk.md.
package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	comet "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/store"

	"vitalog/key"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// Config is what a member needs to take part.
type Config struct {
	Dir     string      // for the last vote and the engine's log; made if absent
	Genesis *op.Genesis // of the network
	Member  int         // number of this member in the genesis
	Vote    key.Signer  // the member's consensus key
	Node    key.Signer  // the member's key of peer-to-peer connections
	Listen  string      // host:port for peers; empty: the member's Peer address in the genesis
	Store   *kv.DB      // stays the caller's, who closes it after Stop
	Log     *slog.Logger
	Now     func() time.Time // the clock that proposals are made with and judged by; nil: time.Now
}

// Node is one running member.
type Node struct {
	config  Config
	app     *app
	engine  *comet.Node
	vote    *voter
	waiting *waiting
	queue   queue
	ready   chan struct{} // closed when the node has caught up
	started chan struct{} // closed when all parts of the engine run
	closing chan struct{} // closed by Stop, and when the disk fails

	reading sync.RWMutex // held while the engine's blocks are read
	gone    bool         // Stop has returned and the store may be closed

	stopOnce  sync.Once
	beginning sync.Mutex // held while consensus is made to begin
	ended     bool       // it must not begin any more; under beginning
	failure   failure
	group     sync.WaitGroup // the node's own goroutines
}

// The ways in which a node doesn't answer.
var (
	ErrNoQuorum = errors.New("no block was agreed on: too few validators are reachable")
	ErrStopped  = errors.New("the node was stopped")
)

// Start joins the network, or founds it: the ledger in c.Store is opened, replayed up to the engine's last block, and the engine dials
// the members of the genesis. The node keeps running when ctx ends; it is for starting alone.
func Start(ctx context.Context, c Config) (*Node, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	n := &Node{config: c, waiting: newWaiting(), ready: make(chan struct{}), started: make(chan struct{}), closing: make(chan struct{})}
	n.queue.wake, n.queue.offered = make(chan struct{}, 1), map[wire.Hash]offered{}
	state := &ledgerStore{DB: c.Store.Prefix("ledger/")}
	l, err := ledger.Open(c.Genesis, state)
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	n.app = newApp(n, l, state)
	if err := n.startEngine(ctx); err != nil {
		n.halt()
		return nil, fmt.Errorf("consensus: %w", err)
	}
	n.group.Go(n.flushQueue)
	n.group.Go(n.reviveStalled)
	return n, nil
}

func (c *Config) complete() error {
	if c.Genesis == nil || c.Store == nil || c.Vote == nil || c.Node == nil {
		return errors.New("genesis, store, vote key and node key are needed")
	}
	if err := c.Genesis.Check(); err != nil {
		return err
	}
	if c.Member < 0 || c.Member >= len(c.Genesis.Members) {
		return fmt.Errorf("member %d of %d", c.Member, len(c.Genesis.Members))
	}
	m := &c.Genesis.Members[c.Member]
	if m.Consensus != c.Vote.Public() || m.Node != c.Node.Public() {
		return fmt.Errorf("the keys are not those that the genesis has for member %d", c.Member)
	}
	if c.Listen == "" {
		c.Listen = m.Peer
	}
	if c.Listen == "" {
		return fmt.Errorf("no address to listen on: neither configured nor in the genesis for member %d", c.Member)
	}
	if founded := time.UnixMilli(int64(c.Genesis.Founded)); time.Until(founded) > op.MaxClockSkew {
		return fmt.Errorf("the network is founded at %s, which is yet to come by this clock", founded.UTC().Format(time.RFC3339))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Ledger is the member's own copy of the ledger.
func (n *Node) Ledger() *ledger.Ledger { return n.app.ledger }

// Ready tells whether the node has caught up with the others and takes part in consensus.
func (n *Node) Ready() bool {
	select {
	case <-n.ready:
		return true
	default:
		return false
	}
}

// WaitReady waits until Ready.
func (n *Node) WaitReady(ctx context.Context) error {
	select {
	case <-n.ready:
		return nil
	case <-n.closing:
		return n.stopped()
	case <-ctx.Done():
		return fmt.Errorf("consensus: catching up, at height %d: %w", n.Ledger().Height(), ctx.Err())
	}
}

// Nudge offers an operation to the network even though the own ledger refuses it, so that a block is made with it. It doesn't wait.
func (n *Node) Nudge(o *op.Operation) {
	n.queue.add(map[key.Log]*parcel{o.Log: {call: &call{}, ops: []*op.Operation{o}}})
}

// Stop leaves the network. Calls that wait return ErrStopped. It returns the failure that stopped the node before, if there was one.
func (n *Node) Stop() error {
	n.halt()
	n.group.Wait()
	n.reading.Lock()
	defer n.reading.Unlock()
	n.gone = true
	return n.failure.get()
}

// blocks lets f read the engine's blocks; not after Stop.
func (n *Node) blocks(f func(*store.BlockStore)) (ok bool) {
	n.reading.RLock()
	defer n.reading.RUnlock()
	if !n.gone {
		f(n.engine.BlockStore())
	}
	return !n.gone
}

// halt stops the engine, once.
func (n *Node) halt() {
	n.stopOnce.Do(func() {
		close(n.closing)
		n.beginning.Lock() // from here on consensus has begun, or never will
		n.ended = true
		n.beginning.Unlock()
		if n.engine != nil && n.engine.IsRunning() {
			if err := n.engine.Stop(); err != nil {
				n.config.Log.Warn("stopping the engine", "err", err)
			}
			n.engine.Wait()
		}
		if n.engine != nil { // it leaves these running, and with them all that they reach in memory
			if err := n.engine.ProxyApp().Stop(); err != nil {
				n.config.Log.Warn("stopping the engine's connections", "err", err)
			}
		}
		if n.vote != nil {
			_ = n.vote.close()
		}
	})
}

// ending tells whether the node is to stop. The engine would keep a connection that comes then, and its peer would take it for a good one.
func (n *Node) ending() bool {
	select {
	case <-n.closing:
		return true
	default:
		return false
	}
}

// Stopped is closed when the node stops, by Stop or because it failed: see Status.Failed.
func (n *Node) Stopped() <-chan struct{} { return n.closing }

// stopped is why the node doesn't run.
func (n *Node) stopped() error {
	if err := n.failure.get(); err != nil {
		return fmt.Errorf("consensus: %w: %w", ErrStopped, err)
	}
	return fmt.Errorf("consensus: %w", ErrStopped)
}

// fail stops the node because its disk failed: what it would go on to vote for it could not keep. It returns err.
func (n *Node) fail(err error) error {
	if n.failure.set(err) {
		n.config.Log.Error("the node stops", "err", err)
		go n.halt()
	}
	return err
}

// failure is the first of many.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) set(err error) (first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false
	}
	f.err = err
	return true
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
