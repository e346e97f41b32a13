package exchange

import (
	"context"
	"errors"

	"vitalog/blobstore"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// heal puts other members' copies in the place of what is damaged or lost, all that is found in a few calls, and notes each as an incident. It fills in Healed and
// From. What nobody gave is tried again later, by itself.
//
// Crash points: a copy is stored before the incident says so; an incident that a crash kept from being written down is found again, or is
// healed.
func (m *Member) heal(ctx context.Context, found []Damage) error {
	if err := m.mend(ctx, found); err != nil {
		return err
	}
	var later []ledger.Change
	for i := range found {
		if d := &found[i]; d.Blob != nil && !d.Healed {
			later = append(later, ledger.Change{Key: damagedKey(*d.Blob), Value: lack{}.later()})
		} else if d.Record != nil && !d.Healed {
			later = append(later, ledger.Change{Key: placeKey(d.Log, *d.Record), Value: lack{}.later()})
		}
	}
	if len(later) == 0 {
		return nil
	}
	return m.index.db.Write(later)
}

// mend is heal without trying again later.
func (m *Member) mend(ctx context.Context, found []Damage) error {
	var hashes []wire.Hash
	var entries []*op.Entry
	places := map[*op.Entry]*Damage{}
	for i := range found {
		switch d := &found[i]; {
		case d.Blob != nil:
			hashes = append(hashes, *d.Blob)
		case d.Record != nil:
			e, err := m.node.Ledger().Entry(d.Log, d.Entry)
			if err != nil {
				return err
			}
			entries, places[e] = append(entries, e), d
		}
	}
	gave, _, _ := m.bringBlobs(ctx, hashes)
	for i := range found {
		if d := &found[i]; d.Blob != nil {
			d.healedBy(gave, *d.Blob)
		}
	}
	gaveHeader, _, _ := m.bringHeaders(ctx, entries)
	for e, d := range places {
		if from, ok := gaveHeader[e]; ok {
			d.Healed, d.From = true, &from
		}
	}
	return m.incidents.note(found)
}

func (d *Damage) healedBy(gave map[wire.Hash]int, h wire.Hash) {
	if from, ok := gave[h]; ok {
		d.Healed, d.From = true, &from
	}
}

// stumbled notes that a stored blob was found damaged by somebody who can't wait for it to be healed, and has it healed soon.
func (m *Member) stumbled(h wire.Hash) {
	err := m.incidents.note([]Damage{{Blob: &h, What: "sealed item", State: Altered}})
	if err == nil {
		err = m.index.db.Write([]ledger.Change{{Key: damagedKey(h), Value: []byte{}}})
	}
	if err != nil {
		m.log.Error("a stored blob is damaged, and that can't be written down", "blob", h.String(), "err", err)
		return
	}
	ring(m.lacking)
}

// stumbledHeader is stumbled for the header of an entry.
func (m *Member) stumbledHeader(e *op.Entry) {
	block, err := m.node.Ledger().BlockOf(e.Log, e.Number)
	if err == nil {
		id := e.Says.(*op.Recorded).ID
		err = m.incidents.note([]Damage{{Log: e.Log, Entry: e.Number, Block: block, Writer: e.Signer, Record: &id, What: "header", State: Altered}})
	}
	if err == nil {
		err = m.index.db.Write([]ledger.Change{{Key: headerKey(e), Value: []byte{}}})
	}
	if err != nil {
		m.log.Error("a stored header is damaged, and that can't be written down", "log", e.Log.String(), "entry", e.Number, "err", err)
		return
	}
	ring(m.lacking)
}

// pullDamaged heals what was found damaged and could not be healed then.
func (m *Member) pullDamaged(ctx context.Context, due []lack) (map[string]bool, error) {
	var found []Damage
	for _, l := range due {
		h := wire.Hash(l.key[1:])
		_, err := m.store.Verify(h)
		if err == nil {
			if err := m.incidents.note([]Damage{{Blob: &h, What: "sealed item", State: Altered, Healed: true}}); err != nil {
				return nil, err
			}
			continue
		}
		found = append(found, Damage{Blob: &h, What: "sealed item", State: stateOf(err)})
	}
	if err := m.mend(ctx, found); err != nil {
		return nil, err
	}
	left := map[string]bool{}
	for _, d := range found {
		if !d.Healed {
			left[string(damagedKey(*d.Blob))] = true
		}
	}
	return left, nil
}

// recheck notes as healed what has come back since by itself: somebody asked for it, or wrote it again.
func (m *Member) recheck(ctx context.Context, look *blobstore.Inspection) error {
	var whole []Damage
	for _, x := range m.incidents.open() {
		d := Damage{Log: x.Log, Entry: x.Entry, Block: x.Block, What: x.What, State: x.State, Healed: true}
		err := error(ErrNotShared)
		if x.Blob != (wire.Hash{}) {
			d.Blob = &x.Blob
			_, err = look.Blob(ctx, x.Blob)
		} else if x.What == authorCopyLost {
			err = m.copyWhole(ctx, look, copyPlace{x.Log, x.Entry})
		} else if x.What == "header" {
			e, entryErr := m.node.Ledger().Entry(x.Log, x.Entry)
			if entryErr != nil {
				return entryErr
			}
			if rec, ok := recorded(e); ok {
				err = look.Header(ctx, x.Log, rec.ID)
			}
		}
		if err == nil {
			whole = append(whole, d)
		}
	}
	return m.incidents.note(whole)
}

func damagedKey(h wire.Hash) []byte { return append([]byte{lackWhole}, h[:]...) }

// stateOf is what an error of the store says about what was to be read.
func stateOf(err error) string {
	if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, ErrNotShared) {
		return Missing
	}
	return Altered
}

// lost tells whether this member once held what an entry names and that is not there now: it is a validator, has followed the ledger to
// the entry, and is not fetching it still, or has tried often enough.
func (m *Member) lost(e *op.Entry, k []byte) (lost bool, block uint64, err error) {
	if block, err = m.node.Ledger().BlockOf(e.Log, e.Number); err != nil || !m.genesis.Members[m.number].Validator {
		return false, block, err
	}
	m.mu.Lock()
	followed := m.height
	m.mu.Unlock()
	if block > followed {
		return false, block, nil
	}
	v, err := m.index.db.Get(k)
	return v == nil || len(v) == 9 && v[8] >= lackTries, block, err
}

// lackTries is how often something was asked for in vain before it counts as missing: it has taken half a minute.
const lackTries = 4

// fetchCiphertexts is fetchBlobs for the ciphertexts of records: of those that this member held before, and has no more, it is an incident.
func (m *Member) fetchCiphertexts(ctx context.Context, records []*op.Entry) (missing []wire.Hash, err error) {
	var absent []wire.Hash
	var found []Damage
	for _, e := range records {
		h := e.Says.(*op.Recorded).Blob
		near, err := m.store.Near(h)
		if err != nil {
			return nil, err
		}
		if near {
			continue
		}
		have, err := m.store.Has(h)
		if err != nil {
			return nil, err
		}
		if have {
			absent = append(absent, h)
			continue
		}
		lost, _, err := m.lost(e, blobKey(h))
		if err != nil {
			return nil, err
		}
		if !lost {
			absent = append(absent, h)
			continue
		}
		d, err := m.damaged(e, held{"ciphertext", h})
		if err != nil {
			return nil, err
		}
		d.State = Missing
		found = append(found, d)
	}
	_, missing, err = m.bringBlobs(ctx, absent)
	if len(found) == 0 {
		return missing, err
	}
	err = errors.Join(err, m.heal(ctx, found))
	for _, d := range found {
		if !d.Healed {
			missing = append(missing, *d.Blob)
		}
	}
	return missing, err
}
