package exchange

import (
	"context"
	"errors"
	"sync/atomic"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"

	"golang.org/x/sync/errgroup"
)

// held is a blob that an entry names; a header if it has no hash.
type held struct {
	what string
	blob wire.Hash
}

// item is one thing to be looked at, and what came of it.
type item struct {
	held
	e    *op.Entry
	copy *authorCopy // instead of an entry
	size int64
	err  error
}

// names lists what members keep because of an entry.
func names(e *op.Entry) []held {
	var out []held
	blob := func(what string, h wire.Hash) {
		if h != (wire.Hash{}) {
			out = append(out, held{what, h})
		}
	}
	switch s := e.Says.(type) {
	case *op.Create:
		blob("reader key", s.EpochKey)
	case *op.Recorded:
		blob("ciphertext", s.Blob)
		out = append(out, held{what: "header"})
	case *op.Grant:
		blob("message", s.Message)
	case *op.Accessed:
		blob("detail", s.Detail)
	case *op.Rotate:
		blob("reader key", s.EpochKey)
		blob("message", s.Mailbox)
	case *op.Post:
		blob("message", s.Message)
	}
	return out
}

// inspectors look at items at once: while some wait for a pack out of the bucket others are at work on what came.
const inspectors = 8

// flush looks at the items and tells what is damaged.
func (w *walk) flush(ctx context.Context) error {
	items := w.items
	w.items = w.items[:0]
	var next atomic.Int64
	var g errgroup.Group
	for range inspectors {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(items)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				w.inspect(ctx, &items[i])
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var bad []Damage
	for i := range items {
		x := &items[i]
		w.c.Bytes += uint64(x.size)
		if x.what == "header" {
			w.c.Headers++
		} else {
			w.c.Blobs++
		}
		if x.err == nil {
			continue
		}
		d, pending, err := w.judge(ctx, x)
		if err != nil {
			return err
		}
		if pending {
			w.c.Pending++
		} else if d != nil {
			bad = append(bad, *d)
		}
	}
	if err := w.tell(ctx, bad); err != nil {
		return err
	}
	return w.progress(w.c)
}

// inspection looks at what is stored here, headers held against their entries.
func (m *Member) inspection() *blobstore.Inspection {
	return m.store.Inspect(func(log key.Log, id key.Record, raw []byte) error {
		e, err := m.recordEntry(log, id)
		if err == nil && e == nil {
			err = ErrNotShared
		}
		if err != nil {
			return err
		}
		h, err := envelope.DecodeHeader(raw)
		if err != nil {
			return err
		}
		return m.checkHeader(h, e)
	})
}

// inspect reads one thing and compares it.
func (w *walk) inspect(ctx context.Context, x *item) {
	if rec, ok := recorded(x.e); ok && x.what == "header" {
		x.err = w.look.Header(ctx, x.e.Log, rec.ID)
		return
	}
	x.size, x.err = w.look.Blob(ctx, x.blob)
}

// judge tells damage from what is still on its way and from what this member need not hold.
func (w *walk) judge(ctx context.Context, x *item) (d *Damage, pending bool, err error) {
	m := w.m
	if errors.Is(x.err, blobstore.ErrAway) {
		return nil, true, nil
	}
	if x.copy != nil {
		d, err := m.judgeCopy(x)
		return d, false, err
	}
	if stateOf(x.err) == Missing {
		d := blobstore.Destroyed{Hash: x.blob}
		if rec, ok := x.e.Says.(*op.Recorded); ok {
			d.Log, d.ID = x.e.Log, rec.ID
		}
		if gone, err := m.store.WasDestroyed(d); err != nil || gone {
			return nil, false, err
		}
		lost, _, err := m.lost(x.e, x.lackKey())
		if err != nil || !m.genesis.Members[m.number].Validator {
			return nil, false, err
		}
		if !lost {
			return nil, true, nil
		}
		if w.inspect(ctx, x); x.err == nil { // it has come since
			return nil, false, nil
		}
	}
	found, err := m.damaged(x.e, x.held)
	found.State = stateOf(x.err)
	return &found, false, err
}

func (x *item) lackKey() []byte {
	if x.what == "header" {
		return headerKey(x.e)
	}
	return blobKey(x.blob)
}

// damaged is damage of what an entry names, with its place.
func (m *Member) damaged(e *op.Entry, x held) (Damage, error) {
	d := Damage{Log: e.Log, Entry: e.Number, Writer: e.Signer, What: x.what}
	if rec, ok := e.Says.(*op.Recorded); ok {
		d.Record = &rec.ID
	}
	if x.blob != (wire.Hash{}) {
		d.Blob = &x.blob
	}
	var err error
	d.Block, err = m.node.Ledger().BlockOf(e.Log, e.Number)
	return d, err
}

// tell heals what was found, if that is wanted, writes it down and tells it.
func (w *walk) tell(ctx context.Context, bad []Damage) error {
	if len(bad) == 0 {
		return nil
	}
	err := ctx.Err()
	switch {
	case err != nil:
	case w.v.Heal:
		err = w.m.heal(ctx, bad)
	default:
		err = w.m.incidents.note(bad)
	}
	for _, d := range bad {
		if err == nil {
			err = w.found(d)
		}
	}
	return err
}
