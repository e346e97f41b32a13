package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
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

// Elsewhere tells what other validators have said that they hold of records, as the ledger has it. It is for blobstore.Store.StayUntil, and nil where no record becomes
// available.
func (m *Member) Elsewhere() func([]blobstore.Record) ([]blobstore.Elsewhere, error) {
	if m.alone() {
		return nil
	}
	return m.elsewhere
}

func (m *Member) elsewhere(records []blobstore.Record) ([]blobstore.Elsewhere, error) {
	l := m.node.Ledger()
	upto, scarce, err := l.Unavailable(m.number)
	if err != nil {
		return nil, err
	}
	out := make([]blobstore.Elsewhere, len(records))
	var log key.Log
	var claimed uint64 // one more than the newest entry of log that is known to be in a block up to there
	for i, r := range records {
		n, named, err := l.FindRecord(r.Log, r.ID)
		if err != nil {
			return nil, err
		}
		if r.Log != log {
			log, claimed = r.Log, 0
		}
		if !named {
			continue
		}
		if n >= claimed {
			block, err := l.BlockOf(r.Log, n)
			if err != nil {
				return nil, err
			}
			if out[i] = blobstore.Scarce; block > upto {
				continue
			}
			claimed = n + 1
		}
		if out[i] = blobstore.Held; scarce > 0 {
			there, err := m.Available(Location{Log: r.Log, Entry: n})
			if err != nil {
				return nil, err
			}
			if !there {
				out[i] = blobstore.Scarce
			}
		}
	}
	return out, nil
}

// Availability is what isn't available, of all records on the ledger, as if this member had written them.
type Availability struct {
	Pending  int       `json:"pending"`           // records in blocks that too few others have claimed yet; at most 100,000 are counted
	Since    time.Time `json:"since,omitzero"`    // when the oldest of them was written
	OwnSince time.Time `json:"ownSince,omitzero"` // when the oldest of them was that this member wrote
	Scarce   int       `json:"scarce"`            // ciphertexts of older blocks that so many lack that too few hold them
}

const (
	maxPending = 100_000
	maxSigners = 5_000 // of pending records, of which it is found out whether they are this member's own
)

// Availability looks at the ledger. Where nothing ever becomes available it is ErrAlone.
func (m *Member) Availability() (Availability, error) {
	if m.alone() {
		return Availability{}, ErrAlone
	}
	l := m.node.Ledger()
	upto, scarce, err := l.Unavailable(m.number)
	a := Availability{Scarce: scarce}
	signers := map[signer]bool{} // that were looked at
	for h := upto + 1; err == nil && h <= l.Height(); h++ {
		err = l.BlockEntries(h, func(e *op.Entry) error {
			if _, ok := recorded(e); !ok {
				return nil
			}
			at := time.UnixMilli(int64(e.At)).UTC()
			if a.Pending++; a.Pending == 1 {
				a.Since = at
			}
			if a.OwnSince.IsZero() && m.isOwn(e, signers) {
				a.OwnSince = at
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

// signer is a key in the log that it wrote in.
type signer struct {
	log key.Log
	key key.Verifier
}

// isOwn tells whether this member wrote an entry, with a key that wasn't looked at before. Of one more than maxSigners it says yes: none of its own
// is older.
func (m *Member) isOwn(e *op.Entry, looked map[signer]bool) bool {
	s := signer{e.Log, e.Signer}
	if looked[s] {
		return false
	}
	looked[s] = true
	return len(looked) > maxSigners || m.purposeOf(e.Log, e.Signer) != ""
}

// Holding is what a validator has said on the ledger that it holds: all that blocks up to Upto asked for, but for what it lacks.
type Holding struct {
	Member int    `json:"member"` // its number in the genesis
	Name   string `json:"name"`
	Upto   uint64 `json:"upto"`  // 0: it said nothing, or took back what it had said
	Lacks  int    `json:"lacks"` // ciphertexts
}

// Holdings are what all validators have said, and the newest block that asked them for something.
func (m *Member) Holdings() (all []Holding, asked uint64, err error) {
	l := m.node.Ledger()
	for _, i := range m.genesis.Validators() {
		h := Holding{Member: i, Name: m.genesis.Members[i].Name}
		if h.Upto, err = l.Stored(i); err == nil {
			err = l.Lacking(i, func(wire.Hash) error { h.Lacks++; return nil })
		}
		if err != nil {
			return nil, 0, err
		}
		all = append(all, h)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return all, m.recorded, nil
}
