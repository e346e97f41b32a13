package exchange

import (
	"context"

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

// Receipts are those that say what changed.
func Receipts(said, upto uint64, missing, back []wire.Hash) ([]op.Body, bool) {
	return receipts(said, upto, missing, back)
}
