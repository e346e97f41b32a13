package ledger

import (
	"errors"
	"fmt"
	"sync"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// Genesis is what the network began with. It is not to be changed.
func (l *Ledger) Genesis() *op.Genesis { return l.genesis }

// Network is the id of the network.
func (l *Ledger) Network() key.Network { return l.network }

// Height is the last committed block's.
func (l *Ledger) Height() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.height
}

// State is what the app hash commits to.
func (l *Ledger) State() op.State {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state
}

// AppHash is the hash of the state.
func (l *Ledger) AppHash() wire.Hash {
	s := l.State()
	return s.Hash()
}

// Clock is the ledger clock, ms: the time of the last block that had operations.
func (l *Ledger) Clock() uint64 { return l.State().Clock }

// Logs is how many logs there are. They are numbered from 0 in the order of their creation.
func (l *Ledger) Logs() uint64 { return l.State().Count }

// Head is the state of a log; nil if there is none.
func (l *Ledger) Head(log key.Log) (*op.Head, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n, err := l.number(log)
	if err != nil {
		if errors.Is(err, UnknownLog) {
			return nil, nil
		}
		return nil, err
	}
	return l.head(n)
}

// Names tells whether an entry names a hash, or one did that was erased since.
func (l *Ledger) Names(h wire.Hash) (bool, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	b, err := l.store.Get(namedAt(h))
	return b != nil, err
}

// HeadByNumber is the state of the log that was created as number n; nil if there is none.
func (l *Ledger) HeadByNumber(n uint64) (*op.Head, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.head(n)
}

func (l *Ledger) head(n uint64) (*op.Head, error) {
	b, err := l.store.Get(at(atHead, n))
	if err != nil {
		return nil, fmt.Errorf("ledger: head %d: %w", n, err)
	}
	if b == nil {
		return nil, nil
	}
	return op.DecodeHead(b)
}

// number is the creation number of a log, or UnknownLog.
func (l *Ledger) number(log key.Log) (uint64, error) {
	if n, ok := l.numbers.get(log); ok {
		return n, nil
	}
	b, err := l.store.Get(logAt(log))
	if err != nil {
		return 0, fmt.Errorf("ledger: %v: %w", log, err)
	}
	if b == nil {
		return 0, fmt.Errorf("ledger: %w: %v", UnknownLog, log)
	}
	n := number(b)
	l.numbers.keep(log, n)
	return n, nil
}

// numbers are the creation numbers of the logs that were asked for lately. A log's never changes.
type numbers struct {
	mu sync.RWMutex
	of map[key.Log]uint64
}

const keptNumbers = 1 << 16

func (s *numbers) get(log key.Log) (n uint64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok = s.of[log]
	return n, ok
}

func (s *numbers) keep(log key.Log, n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) >= keptNumbers || s.of == nil {
		s.of = map[key.Log]uint64{}
	}
	s.of[log] = n
}

// Entry is entry n of a log; nil if there is none.
func (l *Ledger) Entry(log key.Log, n uint64) (*op.Entry, error) {
	var out *op.Entry
	err := l.Entries(log, n, n+1, func(e *op.Entry) error {
		out = e
		return nil
	})
	return out, err
}

// Entries never change, so they are read without holding up a commit, and each may call the ledger.

// Entries calls each for the entries from ≤ n < to that exist, in order, until it returns an error, which Entries returns.
func (l *Ledger) Entries(log key.Log, from, to uint64, each func(*op.Entry) error) error {
	n, err := l.number(log)
	if err != nil {
		if errors.Is(err, UnknownLog) {
			return nil
		}
		return err
	}
	return l.store.Scan(at(atEntry, n, from), at(atEntry, n, to), func(k, v []byte) error {
		e, err := op.DecodeEntry(log, number(k[9:]), v)
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		return each(e)
	})
}

// FindRecord is the number of the entry that recorded rid.
func (l *Ledger) FindRecord(log key.Log, rid key.Record) (entry uint64, ok bool, err error) {
	n, err := l.number(log)
	if err != nil {
		if errors.Is(err, UnknownLog) {
			return 0, false, nil
		}
		return 0, false, err
	}
	b, err := l.store.Get(recordAt(n, rid))
	if b == nil || err != nil {
		return 0, false, err
	}
	return number(b), true, nil
}

// BlockEntries calls each for the entries that the block of that height added, in order, until it returns an error.
func (l *Ledger) BlockEntries(height uint64, each func(*op.Entry) error) error {
	b, err := l.store.Get(at(atBlock, height))
	if err != nil {
		return fmt.Errorf("ledger: entries of block %d: %w", height, err)
	}
	for _, r := range decodeRuns(b) {
		h, err := l.head(r.log)
		if err != nil {
			return err
		}
		for n := r.first; n < r.first+r.count; n++ {
			v, err := l.store.Get(at(atEntry, r.log, n))
			if err != nil {
				return fmt.Errorf("ledger: %v entry %d: %w", h.Log, n, err)
			}
			e, err := op.DecodeEntry(h.Log, n, v)
			if err != nil {
				return fmt.Errorf("ledger: %w", err)
			}
			if err := each(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// errFound ends a scan.
var errFound = errors.New("found")

// BlockOf is the height of the block that added entry n to a log; 0 if there is no such entry.
func (l *Ledger) BlockOf(log key.Log, n uint64) (height uint64, err error) {
	g, err := l.number(log)
	if err != nil {
		return 0, err
	}
	err = l.store.Scan(at(atRun, g, n), at(atRun, g+1), func(_, v []byte) error {
		height = number(v)
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return 0, fmt.Errorf("ledger: block of %v entry %d: %w", log, n, err)
	}
	return height, nil
}
