package exchange

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"vitalog/blobstore"
	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/ledger"
)

// Limits of uploads. See spec/uploads.md.
const (
	uploadIdle = 24 * time.Hour // after its last byte an upload is gone
	maxUploads = 64             // that are not published
	maxPromise = 64 << 30       // bytes that they are to have together
)

// What a caller branches on.
var (
	ErrNoUpload    = errors.New("no such upload, or it was too long ago")
	ErrOffset      = errors.New("the upload is at another offset")
	ErrTooMany     = errors.New("too many uploads that are not finished")
	ErrInterrupted = errors.New("the bytes ended early; those that came are kept")
)

// Uploader is who an upload belongs to.
type Uploader struct {
	Asker
	Client string // the registered software; "" for none
}

// Upload is an attachment that comes in several requests.
type Upload struct {
	ID        string
	Chart     string
	Binary    string // logical id of the Binary
	Length    int64  // bytes that it will have
	Offset    int64  // bytes that are durable. It is Length only when the Binary is published
	Expires   time.Time
	Published *Published // nil until then
}

// uploadState is what is noted of one, sealed.
type uploadState struct {
	ID       string
	By       Uploader
	Chart    string
	Purpose  string // with whose key it is written
	Attached Attached
	Length   int64
	Touched  uint64 // ms since 1970: when the last bytes came
	Folded   int64  // of the bytes: how many are in the ciphertext
	Sealing  []byte // envelope.Sealing, with the record's secret
	Sums     []byte // chart.Summing
	Stored   bool   // the ciphertext has its name
	At       *Published
}

func (s *uploadState) upload(offset int64) *Upload {
	return &Upload{ID: s.ID, Chart: s.Chart, Binary: s.Attached.ID, Length: s.Length, Offset: offset, Expires: s.expires(), Published: s.At}
}

func (s *uploadState) expires() time.Time {
	return time.UnixMilli(int64(s.Touched)).Add(uploadIdle)
}

// BeginUpload begins an attachment of length bytes, 1 to chart.MaxAttachment, which come by ContinueUpload. It belongs to by.
func (m *Member) BeginUpload(ctx context.Context, by Uploader, chartID string, a Attached, length int64) (*Upload, error) {
	if length < 1 || length > chart.MaxAttachment {
		return nil, fmt.Errorf("%w: an attachment of %d bytes", ErrInvalid, length)
	}
	if _, err := a.item(chartID); err != nil {
		return nil, err
	}
	p, purpose, err := m.attaching(ctx, by.Asker, chartID, a.Section)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	rand.Read(id)
	s := &uploadState{ID: hex.EncodeToString(id), By: by, Chart: chartID, Purpose: purpose, Attached: a, Length: length, Touched: nowMillis()}
	m.uploads.counting.Lock()
	defer m.uploads.counting.Unlock()
	n, promised := 0, length
	if err := m.eachUpload(func(other *uploadState) error {
		if other.At == nil {
			n, promised = n+1, promised+other.Length
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if n >= maxUploads || promised > maxPromise {
		return nil, ErrTooMany
	}
	return s.upload(0), m.beginNote(s, envelope.NewContext(m.network, p.log, p.signer.Public(), nowMillis(), false))
}

// beginNote notes an upload of which no bytes came yet. Its record's secret is drawn here.
func (m *Member) beginNote(s *uploadState, c envelope.Context) error {
	sealing := envelope.NewSealing(io.Discard, c)
	defer sealing.Release()
	_, err := sealing.Write(chart.AttachmentHead())
	if err == nil {
		s.Sealing, err = sealing.State()
	}
	if err == nil {
		s.Sums, err = new(chart.Summing).State()
	}
	if err != nil {
		return err
	}
	return m.noteUpload(s)
}

// UploadOf tells of an upload without touching it: in whose chart it is.
func (m *Member) UploadOf(by Uploader, id string) (*Upload, error) {
	s, err := m.loadUpload(by, id)
	if err != nil {
		return nil, err
	}
	return s.upload(s.Folded), nil
}

// FindUpload says how far an upload is. Whoever is sending to it is stopped. If all bytes are there but it isn't published, that is done first.
func (m *Member) FindUpload(ctx context.Context, by Uploader, id string) (*Upload, error) {
	return m.withUpload(ctx, by, id, func(context.Context, *arrivingUpload) error { return nil })
}

// ContinueUpload takes what follows at offset, which must be where the upload is: else ErrOffset. Whoever is sending to it is stopped. The bytes come from body, size of
// them or an unknown number (-1), until its context ends. The last byte publishes. Whatever error there is, what came is kept.
//
// Crash points: spec/uploads.md.
func (m *Member) ContinueUpload(ctx context.Context, by Uploader, id string, offset, size int64, body func(context.Context) io.Reader) (*Upload, error) {
	return m.withUpload(ctx, by, id, func(ctx context.Context, u *arrivingUpload) error {
		switch {
		case offset != u.offset:
			return ErrOffset
		case size > u.s.Length-offset:
			return fmt.Errorf("%w: %d bytes more would be %d too many", ErrInvalid, size, size-(u.s.Length-offset))
		case offset == u.s.Length:
			return nil
		}
		return u.take(ctx, body(ctx))
	})
}

// EndUpload ends an upload that is not published; nothing of it stays. Of one that is published only the note goes.
func (m *Member) EndUpload(ctx context.Context, by Uploader, id string) error {
	if _, err := m.loadUpload(by, id); err != nil {
		return err
	}
	_, release, err := m.uploads.take(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	s, err := m.loadUpload(by, id)
	if err != nil {
		return err
	}
	return m.dropUpload(s)
}

// withUpload lets f work on an upload alone, and finishes it if all bytes are there then.
func (m *Member) withUpload(ctx context.Context, by Uploader, id string, f func(context.Context, *arrivingUpload) error) (*Upload, error) {
	if _, err := m.loadUpload(by, id); err != nil { // before anybody is stopped
		return nil, err
	}
	own, release, err := m.uploads.take(ctx, id)
	if err != nil {
		return nil, err
	}
	held := true
	defer func() {
		if held {
			release()
		}
	}()
	s, err := m.loadUpload(by, id)
	if err != nil {
		return nil, err
	}
	u := &arrivingUpload{m: m, s: s, offset: s.Length, written: s.Length}
	if s.Folded == s.Length {
		err = f(own, u)
	} else if err = u.open(); err == nil {
		err = errors.Join(f(own, u), u.close())
	}
	if err != nil || s.Folded < s.Length || s.At != nil {
		return s.upload(u.offset), err
	}
	// What is left needs no client: it goes on if this one goes away.
	ending, finished, err := m.uploads.finishing(ctx)
	if err != nil {
		return nil, err
	}
	held = false
	done := make(chan error, 1)
	go func() {
		defer finished()
		defer release()
		done <- m.finishUpload(ending, s)
	}()
	select {
	case err := <-done:
		return s.upload(s.Length), err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// finishUpload publishes what is complete, and goes on where an attempt before ended.
func (m *Member) finishUpload(ctx context.Context, s *uploadState) error {
	sealing, err := envelope.ResumeSealing(io.Discard, s.Sealing)
	if err != nil {
		return err
	}
	h, secret, err := sealing.Finish()
	if err != nil {
		return err
	}
	if !s.Stored {
		if err := m.store.Become(s.blob(), h.Blob, blobstore.Record{Log: h.Log, ID: h.Record()}); err != nil {
			if errors.Is(err, blobstore.ErrCorrupt) { // the disk lost some of it
				err = errors.Join(err, ErrNoUpload, m.dropUpload(s))
			}
			return err
		}
		s.Stored = true
		if err := m.noteUpload(s); err != nil {
			return err
		}
		if err := m.ungrow(s); err != nil {
			return err
		}
	}
	item, err := s.Attached.item(s.Chart)
	if err != nil {
		return err
	}
	c, err := m.index.chart(s.Chart)
	if err != nil {
		return err
	}
	st := c.Sections[s.Attached.Section]
	if st == nil {
		return errors.Join(ErrNotShared, m.dropUpload(s))
	}
	p, err := m.part(s.Attached.Section, st, s.Purpose, s.author(m))
	if err != nil {
		return err
	}
	at, err := m.placeOf(p, h)
	if at == nil && err == nil {
		at, err = m.appendAttachment(ctx, s.Chart, p, &sealed{h, secret, sealing.Blob()})
		if errors.Is(err, ErrNotShared) {
			return errors.Join(err, m.dropUpload(s))
		}
		if err != nil {
			if earlier, late := m.placeOf(p, h); late == nil && earlier != nil { // an attempt before was only slow
				at, err = earlier, nil
			}
		}
	}
	if err != nil {
		return err
	}
	if err := m.attached(s.Chart, s.Attached, item, at); err != nil {
		return err
	}
	done := *s
	done.At, done.Sealing, done.Sums = at, nil, nil // nobody needs the secret here any more
	if err := m.noteUpload(&done); err != nil {
		return err
	}
	*s = done
	return nil
}

// placeOf is where a record stands on the ledger, or nil.
func (m *Member) placeOf(p *part, h *envelope.Header) (*Published, error) {
	e, err := m.recordEntry(p.log, h.Record())
	if err != nil || e == nil {
		return nil, err
	}
	block, err := m.node.Ledger().BlockOf(p.log, e.Number)
	return &Published{Log: p.log, Entry: e.Number, At: time.UnixMilli(int64(e.At)), Block: block}, err
}

func (s *uploadState) author(m *Member) chart.Author {
	return chart.Author{Member: m.Name(), Practitioner: s.By.Practitioner, Name: s.By.Name, Role: s.By.Role}
}

// loadUpload is what is noted of an upload that belongs to by, or ErrNoUpload.
func (m *Member) loadUpload(by Uploader, id string) (*uploadState, error) {
	s := &uploadState{}
	found, err := m.index.load(m.index.name("b", "upload", id), s)
	if err != nil {
		return nil, err
	}
	same := s.By.Practitioner == by.Practitioner && s.By.Role == by.Role && s.By.Purpose == by.Purpose && s.By.Client == by.Client
	if !found || !same || time.Now().After(s.expires()) {
		return nil, ErrNoUpload
	}
	return s, nil
}

func (m *Member) noteUpload(s *uploadState) error {
	put, err := m.index.seal(m.index.name("b", "upload", s.ID), s)
	if err == nil {
		err = m.index.db.Write([]ledger.Change{put})
	}
	if err != nil {
		return fmt.Errorf("noting an upload: %w", err)
	}
	return nil
}

func (m *Member) eachUpload(f func(*uploadState) error) error {
	return m.index.db.Scan([]byte("b"), []byte("c"), func(k, v []byte) error {
		var s uploadState
		if err := m.index.unseal(slices.Clone(k), v, &s); err != nil {
			return fmt.Errorf("member's uploads: %w", err)
		}
		return f(&s)
	})
}

// dropUpload forgets an upload, then removes what is there of it. What a crash leaves between is removed at the next start.
func (m *Member) dropUpload(s *uploadState) error {
	if err := m.index.db.Write([]ledger.Change{{Key: m.index.name("b", "upload", s.ID)}}); err != nil {
		return fmt.Errorf("forgetting an upload: %w", err)
	}
	if s.Stored && s.At == nil {
		return errors.Join(m.ungrow(s), m.disown(s))
	}
	return m.ungrow(s)
}

// disown deletes the ciphertext of an upload that never came onto the ledger.
func (m *Member) disown(s *uploadState) error {
	sealing, err := envelope.ResumeSealing(io.Discard, s.Sealing)
	if err != nil {
		return err
	}
	h, _, err := sealing.Finish()
	if err != nil {
		return err
	}
	if e, err := m.recordEntry(h.Log, h.Record()); err != nil || e != nil {
		return err
	}
	return errors.Join(m.store.Delete(h.Blob), m.store.DeleteHeader(h.Log, h.Record()))
}

func (m *Member) ungrow(s *uploadState) error {
	return errors.Join(m.store.Ungrow(s.blob()), m.store.Ungrow(s.tail()))
}

func (s *uploadState) blob() string { return s.ID + ".blob" }
func (s *uploadState) tail() string { return s.ID + ".tail" }
