package exchange

import (
	"context"
	"errors"

	"vitalog/blobstore"
	"vitalog/wire"
)

// copies has all author copies looked at.
func (w *walk) copies() {
	for _, c := range w.m.copies.list() {
		if c.Blob != (wire.Hash{}) {
			w.items = append(w.items, item{held: held{authorCopyLost, c.Blob}, copy: c})
		}
	}
}

// judgeCopy tells damage of an author copy from the end of its time.
func (m *Member) judgeCopy(x *item) (*Damage, error) {
	gone, err := m.store.WasDestroyed(blobstore.Destroyed{Hash: x.blob})
	if err != nil || gone {
		return nil, err
	}
	d, err := m.copyDamage(x.copy, stateOf(x.err))
	return &d, err
}

// copyDamage is damage of a copy. It doesn't have the blob's hash, which stands in sealed notes alone, nor the record, whose own header and
// ciphertext are not meant.
func (m *Member) copyDamage(c *authorCopy, state string) (Damage, error) {
	d := Damage{Log: c.Log, Entry: c.Entry, Writer: m.ring.Grantee(c.Log, c.Purpose).Public(), What: authorCopyLost, State: state}
	var err error
	d.Block, err = m.node.Ledger().BlockOf(c.Log, c.Entry)
	return d, err
}

// lostCopies notes that the bucket lost copies.
func (m *Member) lostCopies(lost []*authorCopy) error {
	found := make([]Damage, len(lost))
	for i, c := range lost {
		m.log.Error("the bucket lost an author copy, which nobody else has", "log", c.Log.String(), "entry", c.Entry)
		var err error
		if found[i], err = m.copyDamage(c, Missing); err != nil {
			return err
		}
	}
	return m.incidents.note(found)
}

// stumbledCopy notes that a copy was found damaged by who opens it.
func (m *Member) stumbledCopy(c *authorCopy, why error) error {
	if !errors.Is(why, blobstore.ErrCorrupt) && !errors.Is(why, blobstore.ErrNotFound) {
		return nil
	}
	d, err := m.copyDamage(c, stateOf(why))
	return errors.Join(err, m.incidents.note([]Damage{d}))
}

// copyWhole is nil where a copy is whole, and where its time is over.
func (m *Member) copyWhole(ctx context.Context, look *blobstore.Inspection, p copyPlace) error {
	c := m.copies.get(p)
	if c == nil {
		return nil
	}
	_, err := look.Blob(ctx, c.Blob)
	return err
}
