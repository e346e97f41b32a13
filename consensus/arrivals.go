package consensus

import (
	"sync"

	abcicli "github.com/cometbft/cometbft/abci/client"
)

// maxArrivals is how many bytes of transactions may wait to be checked. Peers that send more wait.
const maxArrivals = 16 << 20

// arrivals are transactions from peers, which are checked by one goroutine at a time: nobody waits for company, but what comes while
// others are checked is checked as the next batch.
type arrivals struct {
	mu      sync.Mutex
	changed sync.Cond
	queue   []*abcicli.ReqRes
	bytes   int  // in queue
	busy    bool // there is a goroutine that takes
}

// add queues a transaction, as soon as there is room. If it is true the caller starts the goroutine that takes.
func (a *arrivals) add(r *abcicli.ReqRes) (idle bool) {
	size := len(r.Request.GetCheckTx().Tx)
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) > 0 && a.bytes+size > maxArrivals {
		a.changed.Wait()
	}
	a.queue, a.bytes = append(a.queue, r), a.bytes+size
	idle = !a.busy
	a.busy = true
	return idle
}

// take gives the goroutine what waits; nil ends it.
func (a *arrivals) take() []*abcicli.ReqRes {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.queue
	a.queue, a.bytes, a.busy = nil, 0, len(out) > 0
	a.changed.Broadcast()
	return out
}

// wait returns when all that were added are checked.
func (a *arrivals) wait() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.busy {
		a.changed.Wait()
	}
}
