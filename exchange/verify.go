package exchange

import (
	"context"

	"vitalog/blobstore"
	"vitalog/merkle"
	"vitalog/op"
)

// Verification says how much is looked at.
type Verification struct {
	All  bool // also the ledger's own hashes, this member's notes about charts, and what no entry names
	Heal bool // fetch what is damaged from another member
}

// Checked counts what was looked at.
type Checked struct {
	Logs    uint64 `json:"logs"`
	Entries uint64 `json:"entries"`
	Blobs   uint64 `json:"blobs"`
	Headers uint64 `json:"headers"`
	Bytes   uint64 `json:"bytes"`             // of blobs and headers
	Notes   uint64 `json:"notes,omitempty"`   // about charts
	Pending uint64 `json:"pending,omitempty"` // blobs and headers that are still on their way here
	Signed  int    `json:"signed,omitempty"`  // validators that signed the state to which the newest log was proven, of
	Of      int    `json:"of,omitempty"`
	// Unreferenced are blobs that no entry names: of writes under way, of crashes, and keys that cards name.
	Unreferenced      uint64 `json:"unreferenced,omitempty"`
	UnreferencedBytes uint64 `json:"unreferencedBytes,omitempty"`
}

const (
	entriesAtOnce = 1024 // read before what they name is looked at
	itemsAtOnce   = 4096 // looked at before what is damaged is healed
)

// Verify walks the ledger and holds every blob and header of this member against it, byte by byte. What is damaged is noted as an incident and told to found as it is
// seen; progress hears now and then how far it is. What is in a bucket is read pack by pack. It uses all cores, and memory that doesn't depend on how much there is. An
// error of found or progress ends it, and so does ctx.
//
// This member's author copies are looked at too: of these what is damaged is told and can't be healed.
//
// What another member wrote a moment ago and is still on its way here is no damage. Of what an observer does not hold nothing is missing.
// With All it is ErrNoQuorum if the validators can't sign the newest state; everything else was looked at then.
func (m *Member) Verify(ctx context.Context, v Verification, found func(Damage) error, progress func(Checked) error) (Checked, error) {
	look := m.inspection()
	if err := m.recheck(ctx, look); err != nil {
		return Checked{}, err
	}
	w := &walk{m: m, v: v, found: found, progress: progress, look: look}
	for n := range m.node.Ledger().Logs() {
		if err := w.log(ctx, n); err != nil {
			return w.c, err
		}
	}
	w.copies()
	if err := w.flush(ctx); err != nil || !v.All {
		return w.c, err
	}
	for _, step := range []func(context.Context) error{w.notes, w.unreferenced, w.state} {
		if err := step(ctx); err != nil {
			return w.c, err
		}
	}
	return w.c, progress(w.c)
}

// walk is one verification under way.
type walk struct {
	m        *Member
	v        Verification
	found    func(Damage) error
	progress func(Checked) error
	look     *blobstore.Inspection
	c        Checked
	items    []item
}

// log looks at one log: its entries, what they name, and with All the tree over them.
func (w *walk) log(ctx context.Context, n uint64) error {
	l := w.m.node.Ledger()
	head, err := l.HeadByNumber(n)
	if err != nil || head == nil {
		return w.tell(ctx, []Damage{{What: "head", State: stateOfLedger(err), Entry: n}})
	}
	w.c.Logs++
	var tree merkle.Frontier
	whole := true
	for from := uint64(0); from < head.Size; {
		page, bad := w.page(head, from, min(from+entriesAtOnce, head.Size))
		for _, d := range bad {
			whole = false
			if err := w.tell(ctx, []Damage{d}); err != nil {
				return err
			}
		}
		for _, e := range page {
			w.c.Entries++
			if w.v.All {
				tree.Append(e.Hash())
			}
			for _, x := range names(e) {
				w.items = append(w.items, item{held: x, e: e})
			}
		}
		from += entriesAtOnce
		if len(w.items) >= itemsAtOnce {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	if !w.v.All || head.Size == 0 {
		return ctx.Err()
	}
	if whole && tree.Root() != head.Root || w.prove(head) != nil {
		return w.tell(ctx, []Damage{{Log: head.Log, Entry: head.Size - 1, What: "head", State: Altered}})
	}
	return ctx.Err()
}

// page reads entries. Where one can't be read, or is not there, the others are read one by one.
func (w *walk) page(head *op.Head, from, to uint64) (page []*op.Entry, bad []Damage) {
	l := w.m.node.Ledger()
	err := l.Entries(head.Log, from, to, func(e *op.Entry) error {
		page = append(page, e)
		return nil
	})
	if err == nil && uint64(len(page)) == to-from {
		return page, nil
	}
	page = nil
	for n := from; n < to; n++ {
		e, err := l.Entry(head.Log, n)
		if e == nil || err != nil {
			block, _ := l.BlockOf(head.Log, n) // 0: not known either
			bad = append(bad, Damage{Log: head.Log, Entry: n, Block: block, What: "entry", State: stateOfLedger(err)})
			continue
		}
		page = append(page, e)
	}
	return page, bad
}

func stateOfLedger(err error) string {
	if err == nil {
		return Missing
	}
	return Altered
}

// prove follows the log's newest entry to its head and the head to the state.
func (w *walk) prove(head *op.Head) error {
	p, err := w.m.node.Ledger().Prove(head.Log, head.Size-1)
	if err != nil {
		return err
	}
	_, _, err = p.Check(head.Log, head.Size-1)
	return err
}
