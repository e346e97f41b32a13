package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"vitalog/chart"
	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/release"
	"vitalog/wire"
)

// opening is the records of one allowed access on their way.
type opening struct {
	*plan
	readers map[uint32]key.Opener // by epoch; nil: not shared
	headers map[*op.Entry]*envelope.Header
	why     map[*op.Entry]error // a record has not opened
	opened  []chart.Opened
}

// openPlan has an allowed access released and opens its records. A record that fails, fails alone; err is not nil only if none opened for
// want of releases.
//
// The ledger commits to headers, but not to the locks in them. Where those of the own header don't open, each other member's header is
// tried, and the one that opens is kept.
func (m *Member) openPlan(ctx context.Context, c *chartState, p *plan) (opened []chart.Opened, failed []error, err error) {
	o := &opening{plan: p, readers: map[uint32]key.Opener{}, headers: map[*op.Entry]*envelope.Header{}, why: map[*op.Entry]error{}}
	m.gather(ctx, p.lacking) // (3), before (2): ciphertext needs no leave
	for _, e := range p.lacking {
		if o.headers[e], o.why[e] = m.ownHeader(e); o.why[e] != nil {
			o.why[e] = fmt.Errorf("header: %w", o.why[e])
			delete(o.headers, e)
		}
	}
	err = m.openWith(ctx, c, o, p.lacking)
	for i := 1; i < len(m.genesis.Members) && err == nil && ctx.Err() == nil; i++ {
		locked := slices.DeleteFunc(slices.Clone(p.lacking), func(e *op.Entry) bool { return !errors.Is(o.why[e], release.ErrAltered) })
		if len(locked) == 0 {
			break
		}
		err = m.openWith(ctx, c, o, m.otherHeaders(ctx, (m.number+i)%len(m.genesis.Members), o, locked))
	}
	for _, e := range p.lacking {
		if o.why[e] != nil {
			failed = append(failed, fmt.Errorf("%v entry %d: %w", e.Log, e.Number, o.why[e]))
		}
	}
	if len(o.opened) == 0 && err != nil {
		return nil, failed, m.ended(p, err)
	}
	return o.opened, failed, nil
}

// gatherSize is the size class of ciphertext, 4 MiB, above which it is fetched when it is read, and then perhaps not all of it.
const gatherSize = 22

// gather has ciphertext and headers of the records in the own store, as far as anybody has them.
func (m *Member) gather(ctx context.Context, records []*op.Entry) {
	m.warm(ctx, records)
	small := slices.DeleteFunc(slices.Clone(records), func(e *op.Entry) bool { return e.Says.(*op.Recorded).Size > gatherSize })
	if missing, err := m.fetchCiphertexts(ctx, small); len(missing) > 0 && err != nil {
		m.log.Warn("fetching ciphertext", "missing", len(missing), "err", err)
	}
	if missing, err := m.fetchHeaders(ctx, records); len(missing) > 0 && err != nil {
		m.log.Warn("fetching headers", "missing", len(missing), "err", err)
	}
}

// warm has what lies together in this member's bucket read together.
func (m *Member) warm(ctx context.Context, records []*op.Entry) {
	if len(records) < 2 {
		return
	}
	ids, blobs := make([]key.Record, len(records)), make([]wire.Hash, len(records))
	for i, e := range records {
		r := e.Says.(*op.Recorded)
		ids[i], blobs[i] = r.ID, r.Blob
	}
	m.store.Warm(ctx, records[0].Log, ids, blobs)
}

// otherHeaders replaces, in o, headers of entries by those of another member that differ. It returns the entries for which there was one.
func (m *Member) otherHeaders(ctx context.Context, member int, o *opening, entries []*op.Entry) (changed []*op.Entry) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for batch := range slices.Chunk(entries, maxAsked) {
		given, err := m.askHeaders(ctx, member, batch)
		if err != nil {
			return changed // the next may help
		}
		for _, e := range batch {
			if h := given[e]; h != nil && !sameHeader(h, o.headers[e]) {
				o.headers[e] = h
				changed = append(changed, e)
			}
		}
	}
	return changed
}

// openWith opens entries with the headers in o. A header that opened and is not the own one takes its place.
func (m *Member) openWith(ctx context.Context, c *chartState, o *opening, entries []*op.Entry) error {
	var wants []release.Want
	for _, e := range entries {
		h := o.headers[e]
		if h == nil {
			continue
		}
		w := release.Want{Entry: e, Header: h}
		if w.Reader, w.Epoch, o.why[e] = m.readerFor(c, o, h); o.why[e] == nil {
			wants = append(wants, w)
		}
	}
	results, incidents, err := m.release.Open(ctx, m.node.Ledger().NetworkKey, release.Access{Entry: o.access, Detail: o.detail, Session: o.session}, wants) // (2)
	for _, i := range incidents {
		m.log.Warn("a member released wrongly", "member", i.Member, "log", i.Log.String(), "entry", i.Entry)
	}
	for i, w := range wants {
		if o.why[w.Entry] = results[i].Err; results[i].Err != nil {
			continue
		}
		m.keepOther(w)
		content, err := m.openRecord(ctx, o.plan, w, results[i].Secret) // (4)
		if o.why[w.Entry] = err; err == nil {
			o.opened = append(o.opened, chart.Opened{Log: w.Entry.Log, Section: o.section, Entry: w.Entry.Number, At: w.Entry.At, Content: content})
		}
	}
	return err
}

// keepOther keeps a header whose locks open, unless it is the own one.
func (m *Member) keepOther(w release.Want) {
	if own, err := m.ownHeader(w.Entry); err == nil && sameHeader(own, w.Header) {
		return
	}
	m.log.Warn("a header's locks were damaged, another member's opened", "log", w.Entry.Log.String(), "entry", w.Entry.Number)
	if err := m.keepHeaders(map[*op.Entry]*envelope.Header{w.Entry: w.Header}); err != nil {
		m.log.Error("keeping a header", "log", w.Entry.Log.String(), "entry", w.Entry.Number, "err", err)
	}
}

// readerFor is the reader key of the newest of the header's epochs that was shared with this member.
func (m *Member) readerFor(c *chartState, o *opening, h *envelope.Header) (key.Opener, uint32, error) {
	for _, l := range slices.Backward(h.Readers) {
		reader, known := o.readers[l.Epoch]
		if !known {
			reader, _ = m.reader(c, o.section, l.Epoch) // nil: not shared
			o.readers[l.Epoch] = reader
		}
		if reader != nil {
			return reader, l.Epoch, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: no reader lock of an epoch that was shared with this member", release.ErrAltered)
}

// ended is why an allowed access was not released: because the patient ended it meanwhile, if the ledger says so, or err.
func (m *Member) ended(p *plan, err error) error {
	short, ok := errors.AsType[*release.Short](err)
	if !ok || !slices.ContainsFunc(short.Refusals, func(err error) bool { return peer.KindOf(err) == peer.Denied }) {
		return err
	}
	head, headErr := m.node.Ledger().Head(p.log)
	if headErr != nil || head == nil {
		return err
	}
	q := consent.Request{Key: p.signer.Public(), Grant: p.access.Says.(*op.Accessed).Grant, Right: consent.Read, Ranges: p.ranges, Now: nowMillis()}
	if consent.Keeps(head.Kept, q) {
		return err // an author copy, as before
	}
	switch _, why := consent.Decide(head.Terms(), head.Erased, q); why {
	case consent.Revoked, consent.ParentEnded, consent.Expired, consent.Erased:
		return &Refused{Why: why, Log: p.log, Entry: p.access.Number, Block: p.block}
	}
	return err
}

// openRecord decrypts one record and checks who made it. Ciphertext that rotted here is fetched anew. Of an attachment it reads the manifest.
func (m *Member) openRecord(ctx context.Context, p *plan, w release.Want, secret *envelope.Secret) (*chart.Content, error) {
	if h := w.Header; !h.Compressed && (h.Padded > envelope.ChunkSize || p.keepOpen != nil) {
		a, err := m.openLarge(ctx, p, w, secret)
		if a != nil || err != nil {
			return a, err
		}
	}
	blob, err := m.blobOf(ctx, w.Header.Blob, func() (Damage, error) { return m.damaged(w.Entry, held{"ciphertext", w.Header.Blob}) })
	if err != nil {
		return nil, fmt.Errorf("ciphertext: %w", err)
	}
	return decodeRecord(m.genesis, w.Entry, w.Header, secret, blob)
}

// decodeRecord opens a record whose header was checked against its entry.
func decodeRecord(g *op.Genesis, e *op.Entry, h *envelope.Header, secret *envelope.Secret, blob []byte) (*chart.Content, error) {
	r, err := h.Open(secret, bytes.NewReader(blob), maxContent)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if !h.Compressed && len(plain) > 0 && chart.IsAttachment(plain[0]) {
		a, err := openAttachment(g, e, bytes.NewReader(append(plain, 0x80)), h) // the mark, which is all of its padding
		if err != nil {
			return nil, err
		}
		return &a.Content, nil
	}
	content, err := chart.DecodeContent(plain)
	if err != nil {
		return nil, err
	}
	if err := content.Verify(h.Record()); err != nil {
		return nil, err
	}
	return content, authored(g, e, content)
}

// authored refuses a content whose author, who signed it, is neither a member nor the writer of the entry.
func authored(g *op.Genesis, e *op.Entry, c *chart.Content) error {
	if c.Author.Key == e.Signer {
		return nil // a device or the patient, who are no members
	}
	for i := range g.Members {
		if g.Members[i].Sign == c.Author.Key && g.Members[i].Name == c.Author.Member {
			return nil
		}
	}
	return fmt.Errorf("signed by %v, which is neither a member's key nor the writer's", c.Author.Key)
}

// learn remembers where the current versions of the opened resources are.
func (m *Member) learn(chartID string, opened []chart.Opened, c *chart.Chart) error {
	var found []located
	seen := map[string]bool{}
	for _, o := range opened {
		for _, it := range o.Content.Items {
			name := it.Type + "/" + it.ID
			if seen[name] {
				continue
			}
			seen[name] = true
			v := c.Get(it.Type, it.ID).Current()
			found = append(found, located{resource: name, at: Location{Chart: chartID, Section: v.Section, Log: v.Log, Entry: v.Entry, At: v.At, Deleted: v.Item.Status == chart.Deleted}})
		}
	}
	m.indexOpened(chartID, opened, c)
	return m.index.remember(found)
}
