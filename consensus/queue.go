package consensus

import (
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cometbft/cometbft/mempool"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// gather is the least time between two flushes: what comes meanwhile travels together.
const gather = time.Millisecond

// maxFill is how many bytes of operations fit into a transaction.
const maxFill = op.MaxTx - 5

// opSize is what an operation takes in a transaction.
func opSize(o *op.Operation) int { return 4 + o.Size() }

// queue holds what the next flush takes, and what was handed to the mempool and is in no block yet.
type queue struct {
	mu      sync.Mutex
	parcels []*parcel
	offered map[wire.Hash]offered
	wake    chan struct{} // has room for one
}

// offered is a transaction of this node on its way.
type offered struct {
	*tx
	bytes []byte
}

// call is one call of Submit.
type call struct{ _ byte }

// parcel is the operations of one call for one log, in order. They stay together.
type parcel struct {
	call *call
	ops  []*op.Operation
}

func (q *queue) add(parcels map[key.Log]*parcel) {
	if len(parcels) == 0 {
		return
	}
	q.mu.Lock()
	for _, p := range parcels {
		q.parcels = append(q.parcels, p)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) take() []*parcel {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.parcels
	q.parcels = nil
	return out
}

// flushQueue is the one goroutine that makes transactions. The first operation after a pause goes at once; while many come they gather.
func (n *Node) flushQueue() {
	var last time.Time
	for {
		select {
		case <-n.queue.wake:
		case <-n.closing:
			return
		}
		if rest := gather - time.Since(last); rest > 0 {
			select {
			case <-time.After(rest):
			case <-n.closing:
				return
			}
		}
		n.flush(n.queue.take())
		last = time.Now()
	}
}

// flush verifies the signatures, packs the operations into transactions and hands these to the mempool.
func (n *Node) flush(parcels []*parcel) {
	var all []*op.Operation
	for _, p := range parcels {
		all = append(all, p.ops...)
	}
	valid := verify(all)
	for _, p := range parcels {
		kept := p.ops[:0:0]
		for i, o := range p.ops {
			if valid[i] {
				kept = append(kept, o)
				continue
			}
			n.waiting.answer(o.ID(), answer{result: ledger.Result{Code: ledger.Signature, Log: o.Log}})
		}
		valid, p.ops = valid[len(p.ops):], kept
	}
	for _, ops := range pack(parcels) {
		b := op.EncodeTx(n.Ledger().Network(), ops)
		t := &tx{key: wire.Hash(sha256.Sum256(b)), ops: ops}
		n.app.txs.put(t, len(b)) // CheckTx lets it in
		x := offered{t, b}
		n.queue.keep(x)
		n.offer(x)
	}
}

func (q *queue) keep(x offered) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.offered[x.key] = x
}

// sent forgets transactions that are in a durable block.
func (q *queue) sent(keys []wire.Hash) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range keys {
		delete(q.offered, k)
	}
}

// pack shuffles the parcels and puts them into as few transactions as it easily can, never two of one call into the same.
func pack(parcels []*parcel) [][]*op.Operation {
	type bin struct {
		ops   []*op.Operation
		bytes int
		calls map[*call]bool
	}
	rand.Shuffle(len(parcels), func(i, j int) { parcels[i], parcels[j] = parcels[j], parcels[i] })
	var bins []*bin
next:
	for _, p := range parcels {
		size := 0
		for _, o := range p.ops {
			size += opSize(o)
		}
		if size == 0 {
			continue
		}
		for _, b := range bins {
			if !b.calls[p.call] && b.bytes+size <= maxFill && len(b.ops)+len(p.ops) <= op.MaxOperations {
				b.ops, b.bytes, b.calls[p.call] = append(b.ops, p.ops...), b.bytes+size, true
				continue next
			}
		}
		bins = append(bins, &bin{p.ops, size, map[*call]bool{p.call: true}})
	}
	rand.Shuffle(len(bins), func(i, j int) { bins[i], bins[j] = bins[j], bins[i] })
	out := make([][]*op.Operation, len(bins))
	for i, b := range bins {
		out[i] = b.ops
	}
	return out
}

// offer hands a transaction to the mempool. When that is full it waits for a block; callers give up by their own time limits.
func (n *Node) offer(x offered) {
	for {
		next := n.app.next()
		err := n.engine.Mempool().CheckTx(x.bytes, nil, mempool.TxInfo{})
		if err == nil || errors.Is(err, mempool.ErrTxInCache) { // the latter is on its way already
			return
		}
		if full := (mempool.ErrMempoolIsFull{}); !errors.As(err, &full) {
			for _, o := range x.ops {
				n.waiting.answer(o.ID(), answer{err: err})
			}
			return
		}
		select {
		case <-next:
		case <-n.closing:
			return
		}
	}
}

// stall is how long nothing may happen to operations that wait, while there is a quorum, until they are offered again.
const stall = 1500 * time.Millisecond

// reviveStalled offers transactions again that no other member has. Peers send a transaction once; a member that was full or was still
// catching up has dropped it, and members without a transaction wait for one.
func (n *Node) reviveStalled() {
	tick := time.NewTicker(stall / 3)
	defer tick.Stop()
	pause := stall
	var last time.Time
	for {
		select {
		case <-tick.C:
		case <-n.closing:
			return
		}
		switch s := n.Status(); {
		case s.HaltedFor == 0:
			pause = stall
		case s.HaltedFor > pause && time.Since(last) > pause && s.Reachable >= op.Threshold(s.Validators):
			n.revive()
			last, pause = time.Now(), min(2*pause, 20*stall)
		}
	}
}

func (n *Node) revive() {
	n.queue.mu.Lock()
	var again []offered
	for k, x := range n.queue.offered {
		if n.waiting.any(x.ops) {
			again = append(again, x)
		} else {
			delete(n.queue.offered, k)
		}
	}
	n.queue.mu.Unlock()
	if len(again) == 0 {
		return
	}
	n.config.Log.Warn("operations wait without a block: offering them again", "transactions", len(again))
	n.engine.Mempool().Flush() // else it would say that it knows them; those of other members are with them
	for _, x := range again {
		n.app.txs.put(x.tx, len(x.bytes))
		n.offer(x)
	}
}
