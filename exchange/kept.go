package exchange

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"vitalog/blobstore"
	"vitalog/chart"
	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/release"
	"vitalog/section"
)

// KeptCopy is one record that this member wrote, that the patient destroyed, and that is kept here alone until a moment.
type KeptCopy struct {
	Name    string // of the copy, at this member
	Chart   string
	Section section.Section
	Log     key.Log
	Entry   uint64
	At      time.Time // when it was recorded
	Until   time.Time // the first moment no more
}

// copyName is what operators call a copy.
func (m *Member) copyName(c *authorCopy) string {
	n := m.ring.NameLocal("name of an author copy", m.copyKey(c.place()))
	return hex.EncodeToString(n[:6])
}

// KeptCopies lists the copies that this member keeps as their author, as far as the ledger says so. Nothing is opened for it.
func (m *Member) KeptCopies() []KeptCopy {
	out := []KeptCopy{}
	for _, c := range m.copies.list() {
		if m.keeps(c) {
			out = append(out, m.keptCopy(c))
		}
	}
	return out
}

// keeps tells whether a copy is on the ledger as kept, and isn't over by the ledger's clock nor by the own.
func (m *Member) keeps(c *authorCopy) bool {
	return c.Said && c.Until > max(m.node.Ledger().Clock(), nowMillis())
}

func (m *Member) keptCopy(c *authorCopy) KeptCopy {
	return KeptCopy{Name: m.copyName(c), Chart: c.Chart, Section: c.Section, Log: c.Log, Entry: c.Entry,
		At: time.UnixMilli(int64(c.At)).UTC(), Until: time.UnixMilli(int64(c.Until)).UTC()}
}

// OpenedCopy is an author copy that was opened.
type OpenedCopy struct {
	KeptCopy
	Row     Row
	Content *chart.Content
	Bytes   *chart.Bytes // of an attachment, each verified before it is given; else nil
	close   func() error
}

// Close lets go of the bytes.
func (o *OpenedCopy) Close() error { return o.close() }

// OpenCopy opens an author copy. Its order of effects is Open's: the access is on the ledger, with who and why for the patient, before k members
// release the network's half of its key. A reason is mandatory. It is ErrNotShared for what isn't kept here.
func (m *Member) OpenCopy(ctx context.Context, who Asker, name string) (*OpenedCopy, error) {
	if who.Reason == "" || who.Purpose != Legal && !knownPurpose(who.Purpose) {
		return nil, fmt.Errorf("%w: a reason is needed, and a purpose: %s or one of %v", ErrInvalid, Legal, Purposes)
	}
	for _, c := range m.copies.list() {
		if m.keeps(c) && m.copyName(c) == name {
			return m.openCopy(ctx, who, c)
		}
	}
	return nil, ErrNotShared
}

func (m *Member) openCopy(ctx context.Context, who Asker, c *authorCopy) (*OpenedCopy, error) {
	p, err := m.planCopy(c)
	if err != nil {
		return nil, err
	}
	if err := m.submitAccesses(ctx, who, []*plan{p}); err != nil { // (1)
		return nil, err
	}
	if p.refused != nil {
		return nil, p.refused
	}
	h, err := envelope.DecodeHeader(c.Header)
	if err != nil {
		return nil, err
	}
	want := release.Want{Entry: p.records[0], Header: h, Author: m.ring.Author()}
	results, incidents, err := m.release.Open(ctx, m.node.Ledger().NetworkKey, release.Access{Entry: p.access, Detail: p.detail, Session: p.session}, []release.Want{want}) // (2)
	for _, i := range incidents {
		m.log.Warn("a member released wrongly", "member", i.Member, "log", i.Log.String(), "entry", i.Entry)
	}
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return nil, m.ended(p, err)
	}
	out := &OpenedCopy{KeptCopy: m.keptCopy(c), Row: Row{Log: p.log, Entry: p.access.Number, Block: p.block, Records: 1, Section: p.section}}
	if err := m.readCopy(c, want, results[0].Secret, out); err != nil { // (4)
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrDamaged, err), m.stumbledCopy(c, err))
	}
	return out, nil
}

// planCopy is the access to a copy, under no grant.
func (m *Member) planCopy(c *authorCopy) (*plan, error) {
	e, err := m.node.Ledger().Entry(c.Log, c.Entry)
	if err != nil || e == nil {
		return nil, errors.Join(ErrNotShared, err)
	}
	state, err := m.index.chart(c.Chart)
	if err != nil || state == nil || state.Sections[c.Section] == nil {
		return nil, errors.Join(ErrNotShared, err)
	}
	owner, err := key.ParseExchange(state.Sections[c.Section].Owner)
	if err != nil {
		return nil, err
	}
	return &plan{section: c.Section, log: c.Log, signer: m.ring.Grantee(c.Log, c.Purpose), owner: owner, ranges: []consent.Range{just(e)},
		records: []*op.Entry{e}, lacking: []*op.Entry{e}}, nil
}

// readCopy decrypts a copy and checks who made it.
func (m *Member) readCopy(c *authorCopy, w release.Want, secret *envelope.Secret, out *OpenedCopy) error {
	blob, err := m.store.ReaderAt(c.Blob)
	if err != nil {
		return err
	}
	out.close = blob.Close
	if err := m.decodeCopy(&copyReader{m, c, blob}, w, secret, out); err != nil {
		return errors.Join(err, blob.Close())
	}
	return nil
}

func (m *Member) decodeCopy(blob *copyReader, w release.Want, secret *envelope.Secret, out *OpenedCopy) error {
	if !w.Header.Compressed {
		plain, err := w.Header.Ranges(secret, blob)
		if err != nil {
			return err
		}
		a, err := openAttachment(m.genesis, w.Entry, plain, w.Header)
		if err != nil {
			return err
		}
		if a != nil {
			out.Content, out.Bytes = &a.Content, a.Bytes(plain)
			return nil
		}
	}
	ciphertext, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.blob.Size()))
	if err == nil {
		out.Content, err = decodeRecord(m.genesis, w.Entry, w.Header, secret, ciphertext)
	}
	return err
}

// copyReader is a record's ciphertext as it was, out of its copy.
type copyReader struct {
	m    *Member
	c    *authorCopy
	blob *blobstore.ReaderAt
}

// ReadAt reads as io.ReaderAt says.
func (r *copyReader) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.blob.ReadAt(b, at)
	r.m.copyStream(r.c, at).XORKeyStream(b[:n], b[:n])
	return n, err
}

// Keeper says that a member keeps its own copy of records that the patient destroyed.
type Keeper struct {
	Section section.Section
	Member  string // empty: nobody whom the patient knows
	Entries consent.Range
	Until   time.Time // the first moment no more
}

// Keepers lists who keeps what of the sections, as the validators signed it. What is kept no longer is left out.
func (p *Patient) Keepers(ctx context.Context, sections ...section.Section) ([]Keeper, error) {
	names, _, err := p.names(ctx)
	if err != nil {
		return nil, err
	}
	var out []Keeper
	for _, s := range sections {
		head, err := p.head(ctx, p.keys.Log(s))
		if err != nil {
			return nil, err
		}
		for _, x := range head.Kept {
			k := Keeper{Section: s, Entries: x.Range, Until: time.UnixMilli(int64(x.Until)).UTC()}
			if n, ok := names[x.Key]; ok && n.member >= 0 && n.member < len(p.home.Genesis().Members) {
				k.Member = p.home.Genesis().Members[n.member].Name
			}
			if x.Until > nowMillis() {
				out = append(out, k)
			}
		}
	}
	return out, nil
}

// MayBeKept lists those of the records of a section whose author has a lock of its own: where it must by law, it keeps a copy when they are destroyed.
func (p *Patient) MayBeKept(ctx context.Context, s section.Section, entries ...uint64) (out []uint64, err error) {
	log := p.keys.Log(s)
	for _, n := range entries {
		placed, err := p.home.Entries(ctx, log, n, n+1)
		if err != nil {
			return nil, err
		}
		if len(placed) != 1 || !isRecord(placed[0].Entry) {
			continue
		}
		h, err := p.home.Header(ctx, log, placed[0].Says.(*op.Recorded).ID)
		if err != nil && !errors.Is(err, ErrNotShared) {
			return nil, err
		}
		if err == nil && h.Author != nil {
			out = append(out, n)
		}
	}
	return out, nil
}

// askKeepers is how often the ledger is asked whether authors have said that they keep something.
const askKeepers = 200 * time.Millisecond

// AwaitKeepers waits until all of the records, which were destroyed, are said to be kept, or ctx ends, and tells who keeps of them what. Nobody has to
// keep a record because its author has a lock.
func (p *Patient) AwaitKeepers(ctx context.Context, s section.Section, entries ...uint64) ([]Keeper, error) {
	again := time.NewTicker(askKeepers)
	defer again.Stop()
	for {
		all, err := p.Keepers(context.WithoutCancel(ctx), s)
		if err != nil {
			return nil, err
		}
		var of []Keeper
		kept := 0
		for _, k := range all {
			n := 0
			for _, e := range entries {
				if k.Entries.From <= e && e < k.Entries.To {
					n++
				}
			}
			if kept += n; n > 0 {
				of = append(of, k)
			}
		}
		if kept == len(entries) {
			return of, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return of, nil
		}
	}
}
