package consensus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// app is what the engine orders blocks for. Blocks come one after the other; everything else may come at any time.
type app struct {
	abci.BaseApplication
	node   *Node
	ledger *ledger.Ledger
	store  *ledgerStore
	txs    *txCache
	peers  map[string]bool // ids of the members' peer-to-peer keys
	clocks clocks

	block *staged // executed and not yet committed

	mu          sync.Mutex // guards what follows
	changed     chan struct{}
	committed   time.Time // when the last block was, by the system's clock
	subscribers []*func(*ledger.Block)
}

// staged is a block between FinalizeBlock and Commit.
type staged struct {
	height  uint64
	hash    wire.Hash // of the block
	ops     []*op.Operation
	results []ledger.Result
	keys    []wire.Hash // of its transactions in the cache
}

func newApp(n *Node, l *ledger.Ledger, s *ledgerStore) *app {
	a := &app{node: n, ledger: l, store: s, txs: newTxCache(l.Network()), peers: map[string]bool{}, changed: make(chan struct{})}
	for i := range n.config.Genesis.Members {
		a.peers[string(peerID(n.config.Genesis.Members[i].Node))] = true
	}
	return a
}

// Info tells the engine where the ledger is, so that it replays what is missing.
func (a *app) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	hash := a.ledger.AppHash()
	return &abci.ResponseInfo{AppVersion: appVersion, LastBlockHeight: int64(a.ledger.Height()), LastBlockAppHash: hash[:]}, nil
}

// InitChain refuses a genesis other than the ledger's.
func (a *app) InitChain(_ context.Context, r *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var genesis []byte
	if err := json.Unmarshal(r.AppStateBytes, &genesis); err != nil {
		return nil, fmt.Errorf("genesis in the chain: %w", err)
	}
	if g := a.ledger.Genesis(); !bytes.Equal(genesis, g.Encode()) || r.ChainId != g.ChainID() {
		return nil, fmt.Errorf("the chain %s was begun with another genesis, want %s", r.ChainId, g.ChainID())
	}
	hash := a.ledger.AppHash()
	return &abci.ResponseInitChain{AppHash: hash[:]}, nil
}

// Query answers the engine's one question: is this peer a member?
func (a *app) Query(_ context.Context, r *abci.RequestQuery) (*abci.ResponseQuery, error) {
	if id, ok := strings.CutPrefix(r.Path, "/p2p/filter/id/"); ok && a.peers[id] {
		return &abci.ResponseQuery{}, nil
	}
	if strings.HasPrefix(r.Path, "/p2p/filter/addr/") && !a.node.ending() { // the key decides, once it is known
		return &abci.ResponseQuery{}, nil
	}
	return &abci.ResponseQuery{Code: 1, Log: "not a member"}, nil
}

// CheckTx is checkTxs for one.
func (a *app) CheckTx(_ context.Context, r *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	return &abci.ResponseCheckTx{Code: uint32(a.checkTxs([][]byte{r.Tx})[0])}, nil
}

// checkTxs lets transactions into the mempool of which every signature verifies and at least one operation may be accepted. The member
// that sent one has checked that already, on a ledger that may be a block ahead of ours: so only refusals that stand whatever comes next
// count. What is refused here is gone for this member, because peers send a transaction once.
func (a *app) checkTxs(raw [][]byte) []ledger.Code {
	out := make([]ledger.Code, len(raw))
	txs, errs := a.txs.admit(raw)
	for i := range raw {
		if errs[i] != nil {
			out[i] = ledger.Malformed
		} else if out[i] = a.hopeless(txs[i]); out[i] != ledger.OK {
			a.txs.drop([]wire.Hash{txs[i].key}) // what is in the cache is let in
		}
	}
	return out
}

// hopeless is why no operation of t will ever be accepted, or OK.
func (a *app) hopeless(t *tx) (code ledger.Code) {
	for _, o := range t.ops {
		if err := a.ledger.Check(o); !errors.As(err, &code) || !final(code) {
			return ledger.OK
		}
	}
	return code
}

// final tells whether a refusal stands on every later state too.
func final(c ledger.Code) bool {
	switch c {
	case ledger.Malformed, ledger.Signature, ledger.Replayed, ledger.Expired, ledger.LogExists, ledger.WrongLogID, ledger.BadTicket,
		ledger.RecordExists, ledger.NotValidator, ledger.NotMember, ledger.BadProof:
		return true
	}
	return false
}

// FinalizeBlock executes a block that was agreed on. Signatures were verified by ProcessProposal; in block sync more than two thirds of
// the validators vouch for them.
func (a *app) FinalizeBlock(_ context.Context, r *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	height := uint64(r.Height)
	if height == a.ledger.Height() { // the engine crashed after our commit and before it had noted it
		return a.again(height)
	}
	b := &staged{height: height, hash: asHash(r.Hash)}
	var clock uint64
	counts := make([]int, len(r.Txs)) // operations of each transaction
	for i, tx := range r.Txs {
		if ms, ok := op.DecodeClock(tx); ok && i == 0 {
			clock = ms
			continue
		}
		t, err := a.txs.decoded(tx)
		if err != nil {
			counts[i] = -1
			continue
		}
		counts[i] = len(t.ops)
		b.ops, b.keys = append(b.ops, t.ops...), append(b.keys, t.key)
	}
	results, hash, err := a.ledger.Execute(height, clock, b.ops)
	if err != nil {
		return nil, a.node.fail(err)
	}
	b.results = results
	out := outcome{height: height, app: hash}
	for _, n := range counts {
		t := txOutcome{malformed: n < 0}
		for range max(n, 0) {
			t.codes, results = append(t.codes, results[0].Code), results[1:]
		}
		out.txs = append(out.txs, t)
	}
	a.block, a.store.along = b, []kv.Change{{Key: outcomeKey, Value: out.encode()}}
	return out.response(), nil
}

// Commit makes the executed block durable, then tells whoever waits.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	b := a.block
	a.block = nil
	if b == nil {
		return &abci.ResponseCommit{}, nil // of a block that FinalizeBlock found committed
	}
	// A crash before this write: the engine has the block and executes it again. After it: the engine finds the ledger one ahead, and
	// takes the outcome that it had saved itself, or ours from again.
	done, err := a.ledger.Commit()
	if err != nil {
		return nil, a.node.fail(err)
	}
	a.txs.drop(b.keys)
	a.node.queue.sent(b.keys)
	a.clocks.committed(b.hash, b.height, len(b.ops) > 0, a.node)
	a.node.waiting.settle(b.ops, b.results)
	a.mu.Lock()
	subscribers := a.subscribers
	close(a.changed)
	a.changed, a.committed = make(chan struct{}), time.Now()
	a.mu.Unlock()
	for _, f := range subscribers {
		(*f)(done)
	}
	return &abci.ResponseCommit{}, nil
}

// next is closed by the next commit. Take it before looking at what is to change.
func (a *app) next() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

func (a *app) lastCommit() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.committed
}

func asHash(b []byte) (h wire.Hash) {
	copy(h[:], b)
	return h
}
