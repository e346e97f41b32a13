package exchange

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// destroy deletes what entries of a batch of blocks order to, but for what this member must keep as its author:
//
//	(1) that it is to be kept is durable
//	(2) its ciphertext is durable once more, under a hash that nobody knows, and so are the locks for its author alone
//	(3) header and ciphertext are destroyed here as everywhere
//	(4) keepCopies says on the ledger what is kept, until when; what the ledger won't have kept is destroyed
//	(5) keepCopies destroys the copy when its time is over
//
// Crash points: before (1) nothing is decided, and the block is followed again. After it the copy is made, whatever the configuration then says,
// and (3) waits for it: keepCopies goes on where it ended. A copy whose (4) did not come yet opens for nobody.
//
// It returns all that is ordered to be deleted.
func (m *Member) destroy(gone []*op.Entry) (all []blobstore.Destroyed, err error) {
	if len(gone) == 0 {
		return nil, nil
	}
	m.copies.making.Lock()
	defer m.copies.making.Unlock()
	for _, d := range gone {
		kept, err := m.toKeep(d)
		if err == nil {
			err = m.noteCopies(kept...) // (1)
		}
		records, recordsErr := m.toDestroy(d)
		if err = errors.Join(err, recordsErr); err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	ring(m.copies.wake)
	late, err := m.takeOut(slices.Clone(all), m.passed())
	if late != nil {
		m.log.Warn("author copies are still to be made", "err", late)
	}
	return all, err
}

// takeOut does (2), and (3) for records and for what copies are of, at a moment, ms. late is why copies couldn't be made, whose records stay. making is held.
func (m *Member) takeOut(records []blobstore.Destroyed, now uint64) (late, err error) {
	var made, ended []*authorCopy
	for _, c := range m.copies.list() {
		if c.Gone {
			continue
		}
		if c.Blob == (wire.Hash{}) {
			copied, err := m.copyOut(c, now) // (2)
			if err != nil {
				late = errors.Join(late, fmt.Errorf("entry %d of %v: %w", c.Entry, c.Log, err))
				records = slices.DeleteFunc(records, func(d blobstore.Destroyed) bool { return d.Log == c.Log && d.ID == c.ID })
				continue
			}
			if copied == nil {
				records, ended = append(records, c.record()), append(ended, c)
				continue
			}
			c = copied
		}
		records, made = append(records, c.record()), append(made, c)
	}
	if len(records) == 0 {
		return late, nil
	}
	m.log.Info("records are destroyed", "records", len(records))
	if err := m.store.Destroy(records); err != nil { // (3)
		return late, err
	}
	for i, c := range made {
		gone := *c
		gone.Gone, made[i] = true, &gone
	}
	if err := m.noteCopies(made...); err != nil {
		return late, err
	}
	for _, c := range ended {
		if err := m.dropCopy(c); err != nil {
			return late, err
		}
	}
	return late, nil
}

// toKeep lists what this member keeps of what an entry destroys.
func (m *Member) toKeep(d *op.Entry) (out []*authorCopy, err error) {
	if m.retention == (Retention{}) {
		return nil, nil
	}
	for _, r := range d.Says.(*op.Destroy).Ranges {
		err = errors.Join(err, m.node.Ledger().Entries(d.Log, r.From, r.To, func(e *op.Entry) error {
			if !isRecord(e) || m.copies.get(copyPlace{e.Log, e.Number}) != nil {
				return nil
			}
			purpose := m.purposeOf(e.Log, e.Signer)
			if purpose == "" {
				return nil
			}
			chart, s, err := m.chartOf(e.Log)
			if chart == "" || err != nil {
				return err
			}
			rec := e.Says.(*op.Recorded)
			out = append(out, &authorCopy{Chart: chart, Section: s, Log: e.Log, Entry: e.Number, At: e.At, ID: rec.ID, Hash: rec.Blob, Purpose: purpose,
				Destroy: d.Number, Lasts: m.retention.String()})
			return nil
		}))
	}
	return out, err
}

// chartOf is the chart that a log is a section of; empty if it isn't known here.
func (m *Member) chartOf(log key.Log) (chart string, s section.Section, err error) {
	ids, err := m.index.ids()
	for _, id := range ids {
		c, err := m.index.chart(id)
		if err != nil {
			return "", s, err
		}
		for s, st := range c.Sections {
			if st.Log == log {
				return id, s, nil
			}
		}
	}
	return "", s, err
}

// errNotKept says that a record isn't to be kept, or can't be.
var errNotKept = errors.New("not kept")

// copyOut makes the copy of a record, or gives nil where nothing is to be kept: it has no author's lock, its time is over, or it isn't whole here. Made
// again a copy has the same hash, so a crash leaves nothing behind.
func (m *Member) copyOut(c *authorCopy, now uint64) (*authorCopy, error) {
	made := *c
	err := m.fillCopy(&made, now)
	if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrCorrupt) {
		m.log.Warn("nothing is kept of a record of this member's: it isn't whole here", "log", c.Log.String(), "entry", c.Entry, "err", err)
		err = errNotKept
	}
	if errors.Is(err, errNotKept) {
		return nil, nil
	}
	if err == nil {
		err = m.noteCopies(&made)
	}
	return &made, err
}

func (m *Member) fillCopy(c *authorCopy, now uint64) error {
	raw, err := m.store.Header(c.Log, c.ID)
	if err != nil {
		return err
	}
	h, err := envelope.DecodeHeader(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", blobstore.ErrCorrupt, err)
	}
	lasts, err := ParseRetention(c.Lasts)
	if err != nil {
		return err
	}
	c.Until = uint64(lasts.Until(time.UnixMilli(int64(h.Created))).UnixMilli())
	if h.Author == nil || c.Until <= now {
		return errNotKept
	}
	kept, err := h.Kept()
	if err != nil {
		return err
	}
	c.Header = kept.Encode()
	from, err := m.store.Reader(c.Hash)
	if err != nil {
		return err
	}
	defer from.Close()
	w := m.store.Create()
	if _, err = io.Copy(w, &cipher.StreamReader{S: m.copyStream(c, 0), R: from}); err != nil {
		w.Abort()
		return err
	}
	c.Blob, _, err = w.Commit()
	return err
}

// copyStream is what a copy's ciphertext is encrypted with once more, from a byte on: AES-256-CTR under a key for this record alone. What it hides is
// which record's it is; whether it is whole is told by the record's own hash.
func (m *Member) copyStream(c *authorCopy, at int64) cipher.Stream {
	k := m.ring.NameLocal("author copy", c.ID[:])
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("exchange: " + err.Error()) // 32 bytes are a key
	}
	var counter [aes.BlockSize]byte
	copy(counter[8:], wire.U64(uint64(at/aes.BlockSize)))
	s := cipher.NewCTR(block, counter[:])
	var skip [aes.BlockSize]byte
	s.XORKeyStream(skip[:at%aes.BlockSize], skip[:at%aes.BlockSize])
	return s
}
