package exchange

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/wire"
)

// fetchHeaders brings the headers of entries into the own store, each checked against the ledger; one that is there and does not fit its
// entry is healed, and so is one that was there before. It returns the entries whose header nobody gave, and what went wrong with those
// that could not be asked.
func (m *Member) fetchHeaders(ctx context.Context, entries []*op.Entry) (missing []*op.Entry, err error) {
	var absent []*op.Entry
	var found []Damage
	for _, e := range entries {
		_, err := m.ownHeader(e)
		if err == nil {
			continue
		}
		if errors.Is(err, blobstore.ErrAway) {
			absent = append(absent, e)
			continue
		}
		lost, block, lostErr := m.lost(e, headerKey(e))
		if lostErr != nil {
			return entries, lostErr
		}
		if stateOf(err) == Missing && !lost {
			absent = append(absent, e)
			continue
		}
		id := e.Says.(*op.Recorded).ID
		found = append(found, Damage{Log: e.Log, Entry: e.Number, Block: block, Writer: e.Signer, Record: &id, What: "header", State: stateOf(err)})
	}
	_, missing, err = m.bringHeaders(ctx, absent)
	if len(found) == 0 {
		return missing, err
	}
	err = errors.Join(err, m.heal(ctx, found))
	for _, d := range found {
		if !d.Healed {
			i := slices.IndexFunc(entries, func(e *op.Entry) bool { return e.Log == d.Log && e.Number == d.Entry })
			missing = append(missing, entries[i])
		}
	}
	return missing, err
}

// bringHeaders is fetchHeaders for headers that are not there, or are damaged: whole ones take their place. It tells who gave each.
func (m *Member) bringHeaders(ctx context.Context, entries []*op.Entry) (gave map[*op.Entry]int, missing []*op.Entry, err error) {
	var errs []error
	gave = map[*op.Entry]int{}
	for batch := range slices.Chunk(entries, maxAsked) {
		var mu sync.Mutex // of left and gave
		left := batch
		err := m.inTurn(ctx, nil, func(ctx context.Context, other int) (bool, error) {
			mu.Lock()
			asked := left
			mu.Unlock()
			given, err := m.askHeaders(ctx, other, asked)
			if err != nil {
				return false, err
			}
			if err := m.keepHeaders(given); err != nil {
				return false, err
			}
			mu.Lock()
			defer mu.Unlock()
			for e := range given {
				gave[e] = other
			}
			left = slices.DeleteFunc(slices.Clone(left), func(e *op.Entry) bool { return given[e] != nil })
			return len(left) == 0, nil
		})
		missing = append(missing, left...)
		if err != nil && len(left) > 0 {
			errs = append(errs, err)
		}
	}
	return gave, missing, errors.Join(errs...)
}

// askHeaders gets those headers of entries that a member has and that fit. Their locks may still be wrong.
func (m *Member) askHeaders(ctx context.Context, member int, entries []*op.Entry) (map[*op.Entry]*envelope.Header, error) {
	given := map[*op.Entry]*envelope.Header{}
	if len(entries) == 0 {
		return given, nil
	}
	reply, err := m.peers.Call(ctx, member, "headers", encodePlaces(entries))
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(reply)
	for _, e := range entries {
		raw := r.Take(int(r.U32()))
		if len(raw) == 0 {
			continue
		}
		if h, err := envelope.DecodeHeader(raw); err == nil && m.checkHeader(h, e) == nil {
			given[e] = h
		}
	}
	return given, r.End()
}

func (m *Member) keepHeaders(given map[*op.Entry]*envelope.Header) error {
	var batch []blobstore.Record
	for e, h := range given {
		batch = append(batch, blobstore.Record{Log: e.Log, ID: e.Says.(*op.Recorded).ID, Header: h.Encode()})
	}
	if len(batch) == 0 {
		return nil
	}
	return m.store.PutRecords(batch)
}

// checkHeader holds a header against the entry that commits to it.
func (m *Member) checkHeader(h *envelope.Header, e *op.Entry) error {
	rec := e.Says.(*op.Recorded)
	return h.Check(m.network, e.Log, rec.ID, e.Signer, rec.Core, rec.Blob)
}

// ownHeader reads the header of an entry from the own store. It is ErrNotShared if there is none; every other error is damage.
func (m *Member) ownHeader(e *op.Entry) (*envelope.Header, error) {
	raw, err := m.store.Header(e.Log, e.Says.(*op.Recorded).ID)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, ErrNotShared
	}
	if err != nil {
		return nil, err
	}
	h, err := envelope.DecodeHeader(raw)
	if err != nil {
		return nil, err
	}
	return h, m.checkHeader(h, e)
}

// recordEntry is the entry of a record that is on the ledger, or nil.
func (m *Member) recordEntry(log key.Log, record key.Record) (*op.Entry, error) {
	n, ok, err := m.node.Ledger().FindRecord(log, record)
	if err != nil || !ok {
		return nil, err
	}
	return m.node.Ledger().Entry(log, n)
}

// sameHeader tells whether two headers have the same locks too.
func sameHeader(a, b *envelope.Header) bool { return bytes.Equal(a.Encode(), b.Encode()) }

// serveHeaders answers for a list of places; locks are useless without a grant and a release. A header that does not fit its entry is not
// given, and healed.
func (m *Member) serveHeaders(ctx context.Context, _ int, body []byte) ([]byte, error) {
	r := wire.NewReader(body)
	asked := make([]blobstore.Record, r.Count(maxAsked, 64))
	together := map[key.Log][]key.Record{}
	for i := range asked {
		x := &asked[i]
		r.Fixed(x.Log[:])
		r.Fixed(x.ID[:])
		together[x.Log] = append(together[x.Log], x.ID)
	}
	if err := r.End(); err != nil {
		return nil, &peer.Error{Kind: peer.Invalid, Text: err.Error()}
	}
	for log, ids := range together { // what lies in the bucket, in few requests
		m.store.Warm(ctx, log, ids, nil)
	}
	var w wire.Writer
	for _, x := range asked {
		if raw := m.wholeHeader(x.Log, x.ID); len(w.Done())+len(raw) < maxReply {
			w.Bytes(raw)
		} else {
			w.Bytes(nil)
		}
	}
	return w.Done(), nil
}

// wholeHeader is a stored header that fits its entry, or nil. The ledger here may be behind that of whoever asks: then the header has at
// least to be of that record, and the other holds it against the entry.
func (m *Member) wholeHeader(log key.Log, record key.Record) []byte {
	raw, err := m.store.Header(log, record)
	if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrAway) {
		return nil
	}
	e, entryErr := m.recordEntry(log, record)
	if entryErr != nil {
		return nil
	}
	var h *envelope.Header
	if err == nil {
		h, err = envelope.DecodeHeader(raw)
	}
	switch {
	case err == nil && e == nil && h.Log == log && h.Record() == record:
		return raw
	case err == nil && e != nil && m.checkHeader(h, e) == nil:
		return raw
	case e != nil:
		m.stumbledHeader(e)
	}
	return nil
}

func encodePlaces(entries []*op.Entry) []byte {
	var w wire.Writer
	w.U32(uint32(len(entries)))
	for _, e := range entries {
		id := e.Says.(*op.Recorded).ID
		w.Fixed(e.Log[:])
		w.Fixed(id[:])
	}
	return w.Done()
}
