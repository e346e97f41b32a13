package exchange

import (
	"context"
	"errors"
	"io"

	"vitalog/blobstore"
	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/release"
	"vitalog/wire"
)

// plaintext reads a large record from any place on, a chunk from the own store, or from another member where the own one is missing or
// doesn't verify. It is for one goroutine.
type plaintext struct {
	m       *Member
	h       *envelope.Header
	own     *blobstore.ReaderAt // nil: not here
	sources []*envelope.Ranges  // the own one first, if there is one
	others  int                 // of sources: where the other members begin
	good    int                 // of sources: the other member that gave last
	told    bool                // that something is wrong here
}

// plaintext opens a record's ciphertext for reading with its secret, which it has been released for. Other members are asked under ctx.
func (m *Member) plaintext(ctx context.Context, h *envelope.Header, secret *envelope.Secret) (*plaintext, error) {
	p := &plaintext{m: m, h: h}
	own, err := m.store.ReaderAt(h.Blob)
	if err == nil {
		if err := p.add(secret, own); err != nil {
			return nil, errors.Join(err, own.Close())
		}
		p.own, p.others = own, 1
	} else {
		p.damage(err)
	}
	for i := 1; i < len(m.genesis.Members); i++ {
		member := (m.number + i) % len(m.genesis.Members)
		if err := p.add(secret, &remote{call: func(at uint64) ([]byte, error) { return m.callPart(ctx, member, h.Blob, at) }}); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	p.good = p.others
	return p, nil
}

func (p *plaintext) add(secret *envelope.Secret, blob io.ReaderAt) error {
	r, err := p.h.Ranges(secret, blob)
	p.sources = append(p.sources, r)
	return err
}

// ReadAt reads as io.ReaderAt says. Its error is the own store's, with those of the other members.
func (p *plaintext) ReadAt(b []byte, at int64) (n int, err error) {
	var errs []error
	for i := range p.order() {
		n, err := p.sources[i].ReadAt(b, at)
		if err == nil || err == io.EOF {
			p.good = max(i, p.others)
			return n, err
		}
		errs = append(errs, err)
		if i < p.others {
			p.damage(err)
		}
	}
	return 0, errors.Join(errs...)
}

// order is the own store, the member that gave last, then the others.
func (p *plaintext) order() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range p.others {
			if !yield(i) {
				return
			}
		}
		n := len(p.sources) - p.others
		for i := range n {
			if !yield(p.others + (p.good-p.others+i)%n) {
				return
			}
		}
	}
}

// damage has the own copy healed, or fetched, without waiting for it.
func (p *plaintext) damage(err error) {
	if p.told {
		return
	}
	p.told = true
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		p.m.missed(p.h.Blob)
	case errors.Is(err, envelope.ErrBlob), errors.Is(err, blobstore.ErrCorrupt):
		p.m.stumbled(p.h.Blob)
	}
}

// missed has a blob fetched that a validator should hold.
func (m *Member) missed(h wire.Hash) {
	if !m.genesis.Members[m.number].Validator {
		return
	}
	if err := m.index.db.Write([]ledger.Change{{Key: blobKey(h), Value: []byte{}}}); err != nil {
		m.log.Error("a blob is missing, and that can't be written down", "blob", h.String(), "err", err)
		return
	}
	ring(m.lacking)
}

func (p *plaintext) close() error {
	if p.own == nil {
		return nil
	}
	return p.own.Close()
}

// remote is a blob at another member, read in parts, of which it holds one.
type remote struct {
	call func(at uint64) ([]byte, error)
	at   int64
	part []byte
}

// ReadAt reads as io.ReaderAt says.
func (r *remote) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		from := at + int64(n)
		if from < r.at || from >= r.at+int64(len(r.part)) {
			part, err := r.call(uint64(from))
			if err != nil {
				return n, err
			}
			if len(part) == 0 {
				return n, io.EOF
			}
			r.at, r.part = from, part
		}
		n += copy(b[n:], r.part[from-r.at:])
	}
	return n, nil
}

// openLarge reads the manifest of an attachment without the rest; nil: it is a content.
func (m *Member) openLarge(ctx context.Context, p *plan, w release.Want, secret *envelope.Secret) (*chart.Content, error) {
	plain, err := m.plaintext(ctx, w.Header, secret)
	if err != nil {
		return nil, err
	}
	a, err := openAttachment(m.genesis, w.Entry, plain, w.Header)
	if a == nil || err != nil || p.keepOpen == nil {
		if err = errors.Join(err, plain.close()); a == nil || err != nil {
			return nil, err
		}
		return &a.Content, nil
	}
	p.keepOpen(a, plain)
	return &a.Content, nil
}

// openAttachment reads the manifest of an attachment whose header was checked against its entry, and verifies it. nil: it is a content.
func openAttachment(g *op.Genesis, e *op.Entry, plain io.ReaderAt, h *envelope.Header) (*chart.Attachment, error) {
	var first [1]byte
	if _, err := plain.ReadAt(first[:], 0); err != nil {
		return nil, err
	}
	if !chart.IsAttachment(first[0]) {
		return nil, nil
	}
	a, err := chart.ReadAttachment(plain, int64(h.Padded))
	if err != nil {
		return nil, err
	}
	if err := a.Verify(h.Record()); err != nil {
		return nil, err
	}
	return a, authored(g, e, &a.Content)
}
