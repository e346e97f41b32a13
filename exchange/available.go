package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vitalog/op"
)

// ErrAlone says that a record never becomes available: there is no validator beside the one that writes.
var ErrAlone = errors.New("no other validator is there to hold it too")

// Available tells whether more than f validators other than this member have said on the ledger that they hold a record: it outlives this
// member, and any f others.
func (m *Member) Available(at Location) (bool, error) {
	e, err := m.node.Ledger().Entry(at.Log, at.Entry)
	if err != nil {
		return false, err
	}
	r, ok := recorded(e)
	if !ok {
		return false, ErrNotShared
	}
	block, err := m.node.Ledger().BlockOf(at.Log, at.Entry)
	if err != nil {
		return false, err
	}
	return m.node.Ledger().Available(block, r.Blob, m.number)
}

// AwaitAvailable waits until records are available: what Publish returned is on the ledger and in this member's store, and now it is in others'.
// An error changes nothing about the first; left are those that were not available then.
func (m *Member) AwaitAvailable(ctx context.Context, at ...Location) (left []Location, err error) {
	if m.alone() {
		return at, ErrAlone
	}
	for left = at; ; {
		m.mu.Lock()
		moved := m.moved
		m.mu.Unlock()
		var still []Location
		for _, x := range left {
			there, err := m.Available(x)
			if err != nil {
				return left, err
			}
			if !there {
				still = append(still, x)
			}
		}
		if left = still; len(left) == 0 {
			return nil, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return left, fmt.Errorf("%d of %d records are written, and not yet known to be held by others: %w", len(left), len(at), ctx.Err())
		}
	}
}

// alone tells that no other validators can make a record available.
func (m *Member) alone() bool {
	validators := m.genesis.Validators()
	others := len(validators)
	if m.genesis.Members[m.number].Validator {
		others--
	}
	return others <= op.Faulty(len(validators))
}

// Availability is what isn't available, of all records on the ledger, as if this member had written them.
type Availability struct {
	Pending int       `json:"pending"`        // records in blocks that too few others have claimed yet; at most 100,000 are counted
	Since   time.Time `json:"since,omitzero"` // when the oldest of them was written
	Scarce  int       `json:"scarce"`         // ciphertexts of older blocks that so many lack that too few hold them
}

const maxPending = 100_000

// Availability looks at the ledger. Where nothing ever becomes available it is ErrAlone.
func (m *Member) Availability() (Availability, error) {
	if m.alone() {
		return Availability{}, ErrAlone
	}
	l := m.node.Ledger()
	upto, scarce, err := l.Unavailable(m.number)
	a := Availability{Scarce: scarce}
	for h := upto + 1; err == nil && h <= l.Height(); h++ {
		err = l.BlockEntries(h, func(e *op.Entry) error {
			if _, ok := recorded(e); !ok {
				return nil
			}
			if a.Pending++; a.Pending == 1 {
				a.Since = time.UnixMilli(int64(e.At)).UTC()
			}
			if a.Pending == maxPending {
				return errEnough
			}
			return nil
		})
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return a, err
}
