package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/receipt"
	"vitalog/wire"
)

// Submit puts operations on the ledger.
func (m *Member) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	return m.node.Submit(ctx, ops...)
}

// Head is the committed state of a log.
func (m *Member) Head(_ context.Context, log key.Log) (*op.Head, error) {
	h, err := m.node.Ledger().Head(log)
	if err == nil && h == nil {
		return nil, ErrNotShared
	}
	return h, err
}

// Entries lists the entries from ≤ n < to of a log.
func (m *Member) Entries(_ context.Context, log key.Log, from, to uint64) ([]Placed, error) {
	var out []Placed
	err := m.node.Ledger().Entries(log, from, to, func(e *op.Entry) error {
		out = append(out, Placed{Entry: e})
		return nil
	})
	for i := range out {
		if err == nil {
			out[i].Block, err = m.node.Ledger().BlockOf(log, out[i].Number)
		}
	}
	return out, err
}

// Receipt proves an entry to anybody who has the genesis.
func (m *Member) Receipt(ctx context.Context, log key.Log, number uint64) (*receipt.Receipt, error) {
	if _, err := m.Head(ctx, log); err != nil {
		return nil, err
	}
	return m.node.Receipt(ctx, log, number)
}

// NetworkKey is the newest generation.
func (m *Member) NetworkKey(context.Context) (newest *op.NetworkKey, before wire.Hash, err error) {
	if k := m.node.Ledger().NetworkKey(0); k != nil {
		return k, m.node.Ledger().KeysBefore(), nil
	}
	return nil, before, fmt.Errorf("the network has no key yet: its ceremony is under way: %w", errNotYet)
}

var errNotYet = errors.New("try again in a moment")

// PutBlob stores bytes, to be served by their hash.
func (m *Member) PutBlob(_ context.Context, b []byte) (wire.Hash, error) { return m.store.Put(b) }

// Blob reads bytes by their hash, from the own store or any member's. What rotted here is healed with another member's copy.
func (m *Member) Blob(ctx context.Context, h wire.Hash) ([]byte, error) {
	return m.blobOf(ctx, h, func() (Damage, error) { return Damage{Blob: &h, What: "sealed item"}, nil })
}

// blobOf is Blob of what stands at a place, which is asked for where there is damage.
func (m *Member) blobOf(ctx context.Context, h wire.Hash, at func() (Damage, error)) ([]byte, error) {
	b, err := m.store.Get(h, maxBlob)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, blobstore.ErrCorrupt):
		d, err := at()
		if err != nil {
			return nil, err
		}
		d.State = Altered
		found := []Damage{d}
		if err := m.heal(ctx, found); err != nil {
			return nil, err
		}
		if !found[0].Healed {
			return nil, fmt.Errorf("blob %v is damaged here, and no other member has given a whole one: %w", h, ErrNotShared)
		}
	case errors.Is(err, blobstore.ErrNotFound), errors.Is(err, blobstore.ErrAway):
		if _, missing, err := m.bringBlobs(ctx, []wire.Hash{h}); len(missing) > 0 {
			if err != nil {
				return nil, fmt.Errorf("blob %v: %w: %w", h, ErrNotShared, err)
			}
			return nil, ErrNotShared
		}
	default:
		return nil, err
	}
	return m.store.Get(h, maxBlob)
}

// PutRecords stores records that are not yet on the ledger. A header that is there is not replaced, and none is taken for a record that is
// on the ledger: its locks can't be held against anything, and those that came with the record are the ones.
func (m *Member) PutRecords(_ context.Context, records []Sealed) error {
	batch := make([]blobstore.Record, len(records))
	for i, r := range records {
		h := r.Header
		if h.Blob != sha256.Sum256(r.Blob) {
			return fmt.Errorf("record %v: header and ciphertext don't belong together: %w", h.Record(), ErrInvalid)
		}
		raw := h.Encode()
		old, err := m.store.Header(h.Log, h.Record())
		switch {
		case errors.Is(err, blobstore.ErrNotFound):
			if e, err := m.recordEntry(h.Log, h.Record()); err != nil {
				return err
			} else if e != nil {
				return fmt.Errorf("record %v is on the ledger: %w", h.Record(), ErrConflict)
			}
		case err != nil:
			return err
		case !bytes.Equal(old, raw):
			return fmt.Errorf("header of %v: %w", h.Record(), ErrConflict)
		}
		batch[i] = blobstore.Record{Log: h.Log, ID: h.Record(), Header: raw, Blob: r.Blob, Own: true}
	}
	return m.store.PutRecords(batch)
}

// Header reads the header of a record that is on the ledger, from the own store or any member's.
func (m *Member) Header(ctx context.Context, log key.Log, record key.Record) (*envelope.Header, error) {
	e, err := m.recordEntry(log, record)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, ErrNotShared
	}
	if h, err := m.ownHeader(e); err == nil {
		return h, nil
	}
	if missing, err := m.fetchHeaders(ctx, []*op.Entry{e}); len(missing) > 0 {
		if err != nil {
			return nil, fmt.Errorf("header of %v: %w: %w", record, ErrNotShared, err)
		}
		return nil, ErrNotShared
	}
	return m.ownHeader(e)
}

// Issuer is this member: it admits the logs and posts of those who come to it.
func (m *Member) Issuer() int { return m.number }

// Ticket signs an admission ticket without seeing for what.
func (m *Member) Ticket(_ context.Context, blinded []byte) ([]byte, error) {
	return m.ring.IssueTicket(blinded)
}

// Release passes a proxy's request on to a holder of the network key. Who the proxy is stands sealed in it. A refusal is ErrNotShared with the
// holder's reason.
func (m *Member) Release(ctx context.Context, member int, request []byte) ([]byte, error) {
	if member < 0 || member >= len(m.genesis.Members) {
		return nil, fmt.Errorf("member %d: %w", member, ErrInvalid)
	}
	reply, err := m.holders.Call(ctx, member, "release", request)
	switch peer.KindOf(err) {
	case peer.Invalid:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	case peer.Denied, peer.NotFound:
		return nil, fmt.Errorf("%w: %w", ErrNotShared, err)
	}
	return reply, err
}
