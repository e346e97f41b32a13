package exchange

import (
	"context"
	"sync"

	"vitalog/op"
)

// What a member says that it has deleted: spec/erasure.md.

const atErased = 'e' // → the newest block followed that ordered something destroyed

// deletions is what a member is about to say.
type deletions struct {
	mu sync.Mutex // one receipt after the other
	// Of what the blocks up to upto ordered, all was handed to the store when it had counted ordered calls; 0: nothing is waited for.
	upto, ordered uint64
}

// keepDeleting says on the ledger what this member has deleted, until ctx ends. Every member does: who orders no blocks holds records too.
func (m *Member) keepDeleting(ctx context.Context) error {
	if err := m.node.WaitReady(ctx); err != nil {
		return err
	}
	for {
		if err := untilNextClaim(ctx); err != nil {
			return err
		}
		if err := m.tellDeleted(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("saying what is deleted here", "err", err)
		}
	}
}

// tellDeleted says it when all is gone that was ordered until it looked before, and nothing where nothing was ordered since the last time. What this
// member keeps as the author stands on the ledger first.
//
// Crash points: the store notes durably what it still has to take out, and only a store without such a note is believed; what was handed to it is counted
// after the blocks that ordered it were followed.
func (m *Member) tellDeleted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d := &m.deletions
	d.mu.Lock()
	defer d.mu.Unlock()
	said, _, err := m.node.Ledger().Deleted(m.number)
	if err != nil {
		return err
	}
	m.mu.Lock()
	followed, erased := m.height, m.erased
	m.mu.Unlock()
	if erased <= said {
		d.upto = 0
		return nil
	}
	if m.copies.undecided() {
		return nil
	}
	if d.upto <= said {
		d.upto, d.ordered = followed, m.store.Ordered()
	}
	if !m.store.Gone(d.ordered) {
		return nil
	}
	if gone, err := m.across.purge(ctx, d.upto); !gone || err != nil {
		return err
	}
	upto := d.upto
	if erased <= upto {
		upto = followed // nothing was ordered between
	}
	if err := m.say(ctx, op.StoredSalt(), &op.Deleted{Upto: upto}); err != nil {
		return err
	}
	d.upto = 0
	return nil
}
