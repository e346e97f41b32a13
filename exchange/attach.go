package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"mime"
	"slices"

	"vitalog/blobstore"
	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

// Attached is what is said of bytes that are too large for JSON: spec/attachment.md.
type Attached struct {
	ID          string // logical id of the Binary, chosen by the gateway
	ContentType string // media type, as the sender gave it
	Section     section.Section
	Supersedes  []uint64 // entries that hold the versions this one replaces
}

// PublishAttachment seals 1 to chart.MaxAttachment bytes as they come, as a Binary, and puts it on the ledger. It takes a few MiB of memory
// whatever the size. An error of r is returned as it is; what it had given is thrown away.
//
// Crash points: those of Publish. What a crash leaves of the bytes is removed at the next start.
func (m *Member) PublishAttachment(ctx context.Context, who Asker, chartID string, a Attached, r io.Reader) (*Published, error) {
	item, err := a.item(chartID)
	if err != nil {
		return nil, err
	}
	p, _, err := m.attaching(ctx, who, chartID, a.Section)
	if err != nil {
		return nil, err
	}
	s, err := m.sealAttachment(ctx, p, item, r)
	if err != nil {
		return nil, err
	}
	at, err := m.appendAttachment(ctx, chartID, p, s)
	if err != nil {
		return nil, err
	}
	return at, m.attached(chartID, a, item, at)
}

// attaching is what goes into a section of a chart that the asker may write to, told before gigabytes are sent, and the purpose with whose key.
func (m *Member) attaching(ctx context.Context, who Asker, chartID string, s section.Section) (*part, string, error) {
	if _, err := m.Publish(ctx, who, chartID, nil); err != nil { // completes an enrolment
		return nil, "", err
	}
	c, err := m.index.chart(chartID)
	if err != nil {
		return nil, "", err
	}
	st := c.Sections[s]
	if st == nil {
		return nil, "", fmt.Errorf("section %v: %w", s, ErrNotShared)
	}
	purpose := m.writePurpose(st, who.Purpose)
	if purpose == "" {
		return nil, "", fmt.Errorf("section %v: %w", s, ErrNotShared)
	}
	p, err := m.part(s, st, purpose, chart.Author{Member: m.Name(), Practitioner: who.Practitioner, Name: who.Name, Role: who.Role})
	return p, purpose, err
}

// attached notes where a Binary stands.
func (m *Member) attached(chartID string, a Attached, item chart.Item, at *Published) error {
	place := Location{Chart: chartID, Section: a.Section, Log: at.Log, Entry: at.Entry, At: uint64(at.At.UnixMilli())}
	if manifest, err := fhir.Parse(item.Raw); err == nil {
		m.indexWritten(chartID, []Draft{{Resource: manifest, ID: a.ID, Section: a.Section}}, []Published{*at})
	}
	return m.index.remember([]located{{resource: "Binary/" + a.ID, at: place}})
}

// item is the Binary that stands in the manifest.
func (a *Attached) item(patient string) (chart.Item, error) {
	if _, _, err := mime.ParseMediaType(a.ContentType); err != nil {
		return chart.Item{}, fmt.Errorf("%w: content type of an attachment: %w", ErrInvalid, err)
	}
	type reference struct {
		Reference string `json:"reference"`
	}
	raw, err := json.Marshal(struct {
		ResourceType    string    `json:"resourceType"`
		ContentType     string    `json:"contentType"`
		SecurityContext reference `json:"securityContext"`
	}{"Binary", a.ContentType, reference{"Patient/" + patient}})
	return chart.Item{Type: "Binary", ID: a.ID, Status: chart.Active, Supersedes: a.Supersedes, Raw: raw}, err
}

// sealed is a large record whose ciphertext is durable, and which has no locks yet.
type sealed struct {
	header *envelope.Header
	secret *envelope.Secret
	size   int64 // of the ciphertext
}

// sealAttachment seals what r gives into the own store. (1) When it returns the ciphertext is durable.
func (m *Member) sealAttachment(ctx context.Context, p *part, item chart.Item, r io.Reader) (*sealed, error) {
	ec := envelope.NewContext(m.network, p.log, p.signer.Public(), nowMillis(), false)
	content := chart.Content{Author: p.author, Created: ec.Created, Items: []chart.Item{item}}
	w := m.store.Create()
	w.Own(p.log, ec.Record())
	defer w.Abort()
	h, secret, err := envelope.SealUnlocked(w, chart.Attach(untilDone(ctx, r), content, p.sign, ec.Record()), ec)
	if err != nil {
		return nil, err
	}
	blob, size, err := w.Commit()
	if err == nil && blob != h.Blob {
		err = fmt.Errorf("%v was stored as %v", h.Blob, blob)
	}
	return &sealed{h, secret, size}, err
}

// untilDone is r until ctx ends.
func untilDone(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// appendAttachment makes the locks, for the epoch of now, and puts the record on the ledger. (2) When it returns it is committed. What
// the ledger refuses for good is removed.
func (m *Member) appendAttachment(ctx context.Context, chartID string, p *part, s *sealed) (*Published, error) {
	err := ErrAgain
	for try := 0; try < tries && errors.Is(err, ErrAgain); try++ {
		var at *Published
		if p.owner, err = m.ownerOf(ctx, chartID, p.section); err != nil {
			return nil, err
		}
		if at, err = m.tryAppend(ctx, p, s); err == nil {
			return at, nil
		}
	}
	if errors.Is(err, ErrNotShared) {
		err = errors.Join(err, m.store.Delete(s.header.Blob), m.store.DeleteHeader(p.log, s.header.Record()))
	}
	return nil, err
}

func (m *Member) tryAppend(ctx context.Context, p *part, s *sealed) (*Published, error) {
	net, _, err := m.NetworkKey(ctx)
	if err != nil {
		return nil, err
	}
	epoch, reader, err := p.readerKey(ctx, m)
	if err != nil {
		return nil, err
	}
	h := *s.header // without the locks of an epoch that has passed
	if err := h.Relock(s.secret, envelope.Locks{Owner: p.owner, Reader: reader, Epoch: epoch, Network: net.Public(), NetGen: net.Gen, Author: p.keeper}); err != nil {
		return nil, err
	}
	err = m.store.PutRecords([]blobstore.Record{{Log: p.log, ID: h.Record(), Header: h.Encode(), Own: true}})
	if err != nil {
		return nil, fmt.Errorf("storing the header of %v: %w", h.Record(), err)
	}
	rec := op.Record{ID: h.Record(), Core: h.Core(), Blob: h.Blob, Size: uint8(bits.Len64(uint64(s.size - 1)))}
	o := op.Sign(m.network, p.signer, p.log, expiry(), &op.Append{Epoch: epoch, NetGen: net.Gen, Records: []op.Record{rec}})
	results, err := m.Submit(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("submitting an attachment: %w", err)
	}
	out := make([]Published, 1)
	what := sent{part: p, records: []*group{{Sealed: Sealed{Header: &h}, drafts: []int{0}}}}
	return &out[0], what.settle(ctx, m, results[0], out)
}

// OpenedBinary is a Binary that was opened, by itself.
type OpenedBinary struct {
	Opened chart.Opened
	Row    Row
	// Bytes are an attachment's, each verified before it is given; nil for a Binary that has its data in it. It is good for the context of
	// the opening.
	Bytes *chart.Bytes
	close func() error
}

// Close lets go of the bytes.
func (b *OpenedBinary) Close() error { return b.close() }

// OpenBinary reads a Binary that is where at says: first the access, then the releases, then the bytes, as they are asked for. Its order of
// effects is Open's. One opening is one access, whatever ranges are read of it.
func (m *Member) OpenBinary(ctx context.Context, who Asker, at Location) (*OpenedBinary, error) {
	c, err := m.index.chart(at.Chart)
	if err != nil {
		return nil, err
	}
	if c == nil || c.Sections[at.Section] == nil || !slices.Contains(c.Sections[at.Section].Purposes, who.Purpose) {
		return nil, ErrNotShared
	}
	p, err := m.planOne(c, at, who)
	if err != nil {
		return nil, err
	}
	if err := m.submitAccesses(ctx, who, []*plan{p}); err != nil { // (1)
		return nil, err
	}
	if p.refused != nil {
		return nil, p.refused
	}
	out := &OpenedBinary{Row: Row{Log: p.log, Entry: p.access.Number, Block: p.block, Records: 1, Section: p.section}, close: func() error { return nil }}
	p.keepOpen = func(a *chart.Attachment, plain *plaintext) { out.Bytes, out.close = a.Bytes(plain), plain.close }
	opened, failed, err := m.openPlan(ctx, c, p) // (2) to (4)
	if err == nil && len(opened) == 0 {
		err = fmt.Errorf("%w: %w", ErrDamaged, errors.Join(failed...))
	}
	if err != nil {
		return nil, errors.Join(err, out.close())
	}
	out.Opened = opened[0]
	return out, nil
}

// planOne is the access to one record.
func (m *Member) planOne(c *chartState, at Location, who Asker) (*plan, error) {
	st := c.Sections[at.Section]
	owner, err := key.ParseExchange(st.Owner)
	if err != nil {
		return nil, err
	}
	x := newOpenChart(chartKey{c.ID, who.Purpose}) // nothing of it stays in memory
	plans, _, _, err := m.plan(x, x.section(at.Section, st.Log), owner, []uint64{at.Entry})
	if err != nil {
		return nil, err
	}
	if len(plans) != 1 {
		return nil, ErrNotShared
	}
	plans[0].lacking = plans[0].records
	return plans[0], nil
}

// ErrDamaged says that a record is there and did not open: its ciphertext is damaged, or out of reach.
var ErrDamaged = errors.New("the record did not open")
