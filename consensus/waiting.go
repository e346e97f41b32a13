package consensus

import (
	"slices"
	"sync"
	"time"

	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// remembered is how many results of the last operations a node remembers, at least; at most twice as many.
const remembered = 1 << 16

// waiting knows who waits for which operation, and what became of the last ones.
type waiting struct {
	mu       sync.Mutex
	byID     map[wire.Hash][]chan answer
	begun    time.Time // when byID was last empty
	new, old map[wire.Hash]ledger.Result
}

// answer is a result, or the reason why there will be none.
type answer struct {
	result ledger.Result
	err    error
}

func newWaiting() *waiting {
	return &waiting{byID: map[wire.Hash][]chan answer{}, new: map[wire.Hash]ledger.Result{}}
}

// join waits for an operation. If it is the first to wait it has to submit it. An operation that was executed is answered at once.
func (w *waiting) join(id wire.Hash) (c chan answer, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c = make(chan answer, 1)
	if r, ok := w.recall(id); ok {
		c <- answer{result: r}
		return c, false
	}
	if len(w.byID) == 0 {
		w.begun = time.Now()
	}
	first = len(w.byID[id]) == 0
	w.byID[id] = append(w.byID[id], c)
	return c, first
}

// leave waits no more.
func (w *waiting) leave(id wire.Hash, c chan answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.byID[id]
	for i := range rest {
		if rest[i] == c {
			rest = append(rest[:i:i], rest[i+1:]...)
			break
		}
	}
	if w.byID[id] = rest; len(rest) == 0 {
		delete(w.byID, id)
	}
}

// answer tells all who wait for an operation that is not executed.
func (w *waiting) answer(id wire.Hash, a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, ok := w.recall(id); ok { // it was, meanwhile
		a = answer{result: r}
	}
	w.tell(id, a)
}

// settle remembers what became of the operations of a durable block, and tells all who wait for them.
func (w *waiting) settle(ops []*op.Operation, results []ledger.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, o := range ops {
		r := results[i]
		if r.Code == ledger.Replayed {
			if before, ok := w.recall(o.ID()); ok {
				r = before
			}
		}
		if r.Code == ledger.OK { // what was refused may be tried again
			if len(w.new) >= remembered {
				w.old, w.new = w.new, make(map[wire.Hash]ledger.Result, remembered)
			}
			w.new[o.ID()] = r
		}
		w.tell(o.ID(), answer{result: r})
	}
}

func (w *waiting) recall(id wire.Hash) (ledger.Result, bool) {
	r, ok := w.new[id]
	if !ok {
		r, ok = w.old[id]
	}
	return r, ok
}

func (w *waiting) tell(id wire.Hash, a answer) {
	for _, c := range w.byID[id] {
		c <- a // each has room for its one answer
	}
	delete(w.byID, id)
}

// since is when operations began to wait, if any do.
func (w *waiting) since() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun, len(w.byID) > 0
}

// any tells whether one of the operations is waited for.
func (w *waiting) any(ops []*op.Operation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(ops, func(o *op.Operation) bool { return len(w.byID[o.ID()]) > 0 })
}
