package exchange

import (
	"vitalog/key"
	"vitalog/op"
)

// Wrote tells whether this member wrote the entry at a place, for whatever purpose. It looks at the ledger and opens nothing.
func (m *Member) Wrote(at Location) (bool, error) {
	e, err := m.node.Ledger().Entry(at.Log, at.Entry)
	if err != nil || e == nil {
		return false, err
	}
	if _, ok := e.Says.(*op.Recorded); !ok {
		return false, nil
	}
	return m.purposeOf(at.Log, e.Signer) != "", nil
}

// RecordAt is the id of the record that an entry brought, and its block. It looks at the ledger and opens nothing.
func (m *Member) RecordAt(log key.Log, entry uint64) (key.Record, uint64, error) {
	e, err := m.node.Ledger().Entry(log, entry)
	if err != nil {
		return key.Record{}, 0, err
	}
	if e == nil || !isRecord(e) {
		return key.Record{}, 0, ErrNotShared
	}
	block, err := m.node.Ledger().BlockOf(log, entry)
	return e.Says.(*op.Recorded).ID, block, err
}
