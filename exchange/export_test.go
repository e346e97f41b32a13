package exchange

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"vitalog/blobstore"
	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// Halves is an Open that stands still between its steps, for tests of what happens there.
type Halves struct {
	m      *Member
	r      *reading
	out    *Opened
	failed error
}

// BeginOpen plans a reading and takes what is in memory.
func (m *Member) BeginOpen(ctx context.Context, who Asker, chartID string, want Want) (*Halves, error) {
	c, err := m.index.chart(chartID)
	if err != nil {
		return nil, err
	}
	r, err := m.begin(ctx, who, c, want)
	if err != nil {
		return nil, err
	}
	return &Halves{m: m, r: r, out: &Opened{lease: r.lease}}, nil
}

// OpenLacking has the accesses and the releases of what is not in memory.
func (h *Halves) OpenLacking(ctx context.Context) { h.failed = h.m.openLacking(ctx, h.r, h.out) }

// Land has what was opened in memory, for whoever asks for it next.
func (h *Halves) Land() { h.m.land(h.r) }

// Finish makes the answer.
func (h *Halves) Finish(ctx context.Context) (*Opened, error) {
	out, err := (*Opened)(nil), h.failed
	if err == nil {
		out, err = h.m.finish(ctx, h.r, h.out)
	}
	if err != nil {
		h.r.lease.end()
	}
	return out, err
}

// TellStored looks so often what there is to say of what is stored here, and says it, as Run does at the same time.
func (m *Member) TellStored(ctx context.Context, looks int) (err error) {
	for ; err == nil && looks > 0; looks-- {
		err = m.claim(ctx)
	}
	return err
}

// CopyBlobs are what is in the store of the author copies, by log and entry.
func (m *Member) CopyBlobs() (out []wire.Hash) {
	for _, c := range m.copies.list() {
		out = append(out, c.Blob)
	}
	return out
}

// EndCopies destroys the author copies that are kept no longer at a moment, as Run does at the clocks' time.
func (m *Member) EndCopies(at time.Time) error { return m.overCopies(uint64(at.UnixMilli())) }

// TellDeleted says what is deleted here, as Run does at the same time.
func (m *Member) TellDeleted(ctx context.Context) error { return m.tellDeleted(ctx) }

// Receipts are those that say what changed.
func Receipts(said, upto uint64, missing, back []wire.Hash) ([]op.Body, bool) {
	return receipts(said, upto, missing, back)
}

// Uploading is an upload of a member without a network, up to where its ciphertext has its name.
type Uploading struct {
	m  *Member
	id string
}

// NewUploading notes an upload in a store. What is in frames is folded every fold bytes.
func NewUploading(ring *keyring.Ring, store *blobstore.Store, db *kv.DB, length, fold int64) (*Uploading, error) {
	u := OpenUploading(ring, store, db, fold)
	c := envelope.NewContext(u.m.network, key.Log{1}, ring.Grantee(key.Log{1}, Treat).Public(), 1, false)
	s := &uploadState{ID: u.id, Chart: "c", Attached: Attached{ID: "b", ContentType: "image/png"}, Length: length, By: Uploader{Asker: Asker{Practitioner: "p"}}}
	return u, u.m.beginNote(s, c)
}

// OpenUploading is the same, after a restart.
func OpenUploading(ring *keyring.Ring, store *blobstore.Store, db *kv.DB, fold int64) *Uploading {
	m := &Member{ring: ring, store: store, index: openIndex(db, ring), genesis: &op.Genesis{Members: []op.Member{{Name: "St. Elena"}}}}
	m.uploads.fold = fold
	return &Uploading{m, "00ff"}
}

// Take sends it what r gives, behind what is durable, and says how much that is before and after.
func (u *Uploading) Take(ctx context.Context, r func(offset int64) io.Reader) (before, after int64, err error) {
	s := &uploadState{}
	found, err := u.m.index.load(u.m.index.name("b", "upload", u.id), s)
	if err != nil || !found {
		return 0, 0, errors.Join(err, ErrNoUpload)
	}
	a := &arrivingUpload{m: u.m, s: s, offset: s.Length}
	if s.Folded == s.Length {
		return s.Length, s.Length, nil
	}
	if err := a.open(); err != nil {
		return 0, 0, err
	}
	before = a.offset
	err = errors.Join(a.take(ctx, r(before)), a.close())
	return before, a.offset, err
}

// Content names its ciphertext, when all is there, and reads the bytes back.
func (u *Uploading) Content() ([]byte, error) {
	s := &uploadState{}
	if _, err := u.m.index.load(u.m.index.name("b", "upload", u.id), s); err != nil {
		return nil, err
	}
	sealing, err := envelope.ResumeSealing(io.Discard, s.Sealing)
	if err != nil {
		return nil, err
	}
	h, secret, err := sealing.Finish()
	if err != nil {
		return nil, err
	}
	if err := u.m.store.Become(s.blob(), h.Blob, blobstore.Record{Log: h.Log, ID: h.Record()}); err != nil {
		return nil, err
	}
	blob, err := u.m.store.ReaderAt(h.Blob)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	plain, err := h.Ranges(secret, blob)
	if err != nil {
		return nil, err
	}
	a, err := chart.ReadAttachment(plain, int64(h.Padded))
	if err != nil {
		return nil, err
	}
	if err := a.Verify(h.Record()); err != nil {
		return nil, err
	}
	return io.ReadAll(a.Bytes(plain))
}

// Keeping is a member without a network that is to keep a record of its own.
type Keeping struct{ m *Member }

// OpenKeeping opens it, also after a crash.
func OpenKeeping(ring *keyring.Ring, store *blobstore.Store, db *kv.DB) (*Keeping, error) {
	m := &Member{ring: ring, store: store, index: openIndex(db, ring), log: slog.New(slog.DiscardHandler)}
	return &Keeping{m}, m.openCopies()
}

// Note notes that the record is to be kept, which can't be done yet: its bucket doesn't answer, or there is a crash.
func (k *Keeping) Note(h *envelope.Header) error {
	return k.m.noteCopies(&authorCopy{Log: h.Log, Entry: 1, ID: h.Record(), Hash: h.Blob, Lasts: "99y"})
}

// Late does what could not be done.
func (k *Keeping) Late() error { return k.m.lateCopies(nowMillis()) }

// Copies are the hashes of the copies that the ledger is told of next, and how many there are with those of which it isn't.
func (k *Keeping) Copies() (ready []wire.Hash, all int) {
	for _, c := range k.m.copies.list() {
		if all++; c.Gone {
			ready = append(ready, c.Blob)
		}
	}
	return ready, all
}

// AskedInVain has a ciphertext that was asked for in vain wait as long as after many times. It tells whether it was asked for yet.
func (m *Member) AskedInVain(h wire.Hash) (asked bool, err error) {
	if v, err := m.index.db.Get(blobKey(h)); len(v) != 9 || err != nil {
		return false, err
	}
	return true, m.index.db.Write([]ledger.Change{{Key: blobKey(h), Value: lack{tries: 12}.later()}})
}
