// Package ledger is the state machine that every member runs: signed operations in, numbered entries and an app hash out.
//
// It promises that the same operations in the same order give the same entries and the same app hash on every member, whether it ran
// through or was reopened between blocks, and that everything which execution reads is committed by that hash. It refuses what
// consent, ownership, epochs, quotas or the replay window forbid, and a refused operation leaves no trace, with one exception: an
// access by a key that was once granted something becomes an entry also when it is refused.
//
//	log:5f…   0  create    owner
//	          1  grant     vk:03… read [0,∞)
//	          2  record    rec:9c…
//	          3  access    vk:03… [2,3)  allowed under grant 1
//	          4  revoke    grant 1
//	          5  access    vk:03… [2,3)  refused: revoked
//
// Execute stages a block on top of the committed state, Commit makes it durable in one write and visible. See spec/log.md.
package ledger

import (
	"crypto/rsa"
	"fmt"
	"sync"

	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/ticket"
	"vitalog/wire"
)

// Ledger is the committed state in a store, and at most one staged block. It is safe for concurrent use.
type Ledger struct {
	genesis *op.Genesis
	network key.Network
	issuers []*rsa.PublicKey // of tickets, by member
	store   Store

	executing sync.Mutex // held by Execute and Commit
	staged    *stage

	numbers numbers

	mu        sync.RWMutex // guards what follows and its agreement with the store; written by Commit alone
	height    uint64
	state     op.State
	heads     *merkle.Array
	tickets   []uint64 // accepted, by member
	keys      []*op.NetworkKey
	ceremony  *ceremony
	windows   *windows
	keySum    wire.Hash // of keys
	ticketSum wire.Hash // of tickets
}

// Open reads the state that s holds, or begins the network that g founds if s is empty. It refuses a store of another network and one
// whose parts don't fit together.
func Open(g *op.Genesis, s Store) (*Ledger, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{genesis: g, network: g.Network(), store: s, windows: &windows{}}
	for i := range g.Members {
		k, err := ticket.ParseKey(g.Members[i].Tickets)
		if err != nil {
			return nil, fmt.Errorf("ledger: member %d: %w", i, err)
		}
		l.issuers = append(l.issuers, k)
	}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("ledger: opening: %w", err)
	}
	return l, nil
}
