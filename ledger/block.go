package ledger

import (
	"fmt"

	"vitalog/op"
	"vitalog/wire"
)

// Block is what a commit added.
type Block struct {
	Height     uint64
	Clock      uint64      // ledger clock after it, ms
	Entries    []*op.Entry // in the order in which they were made
	KeyChanged bool        // there is a new network key
}

// Execute stages the block of the next height: it runs ops, whose signatures were verified, one after the other on the committed
// state. What was staged before is dropped. clock is the proposer's; one that lags behind the ledger's is taken as the ledger's, and
// for a block without operations it is ignored, so that an empty block leaves the app hash as it is. An error means that the state
// could not be read, or a wrong height; never that an operation was refused: results tell that, one for each.
func (l *Ledger) Execute(height, clock uint64, ops []*op.Operation) (results []Result, appHash wire.Hash, err error) {
	l.executing.Lock()
	defer l.executing.Unlock()
	l.staged = nil
	if height != l.height+1 {
		return nil, wire.Hash{}, fmt.Errorf("ledger: block %d after block %d", height, l.height)
	}
	s := l.stage(max(clock, l.state.Clock))
	if len(ops) == 0 {
		s.clock = l.state.Clock
	}
	results = make([]Result, len(ops))
	for i, o := range ops {
		results[i] = s.apply(o)
	}
	if s.finish(); s.err != nil {
		return nil, wire.Hash{}, fmt.Errorf("ledger: block %d: %w", height, s.err)
	}
	l.staged = s
	return results, s.state.Hash(), nil
}

// Commit makes the staged block durable with one write, and visible. If the write fails, nothing is visible: open the ledger anew.
func (l *Ledger) Commit() (*Block, error) {
	l.executing.Lock()
	defer l.executing.Unlock()
	s := l.staged
	if s == nil {
		return nil, fmt.Errorf("ledger: commit without a block")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// A crash before Write returns leaves the block before or the whole block; consensus asks Height and replays.
	if err := l.store.Write(s.changes); err != nil {
		return nil, fmt.Errorf("ledger: committing block %d: %w", s.height, err)
	}
	l.staged = nil
	s.heads.Apply()
	s.windows.apply()
	b := &Block{Height: s.height, Clock: s.clock, Entries: s.entries, KeyChanged: len(s.keys) > len(l.keys)}
	l.height, l.state = s.height, s.state
	l.tickets, l.ticketSum = s.tickets, s.ticketSum
	l.keys, l.keySum = s.keys, s.keySum
	l.ceremony = s.ceremony
	return b, nil
}

// Check tells whether o would be accepted on the committed state, its signature apart. The ledger clock stands still while nothing
// happens, so o is judged at the last moment before it expires and at the clock as it is, and accepted if it would be at either.
func (l *Ledger) Check(o *op.Operation) error {
	l.mu.RLock()
	clock := l.state.Clock
	l.mu.RUnlock()
	if o.Expires > clock+1 && l.CheckAt(o.Expires-1, o) == nil {
		return nil
	}
	return l.CheckAt(clock, o)
}

// CheckAt is Check for one moment, which is not before the ledger's clock.
func (l *Ledger) CheckAt(clock uint64, o *op.Operation) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.stage(max(clock, l.state.Clock))
	s.check = true
	r := s.apply(o)
	if s.err != nil {
		return fmt.Errorf("ledger: checking: %w", s.err)
	}
	return r.Err()
}
