package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/section"
)

// MaxOrders is how many orders to destroy are proven at once.
const MaxOrders = 64

// Ordered names an order to destroy: an entry of a log.
type Ordered struct {
	Log   key.Log
	Entry uint64
}

// Before tells whether the order stands before another one, by log and entry.
func (o Ordered) Before(x Ordered) bool {
	if c := bytes.Compare(o.Log[:], x.Log[:]); c != 0 {
		return c < 0
	}
	return o.Entry < x.Entry
}

// Certificate proves orders to destroy, and what members have said of them since.
func (m *Member) Certificate(ctx context.Context, orders ...Ordered) (*receipt.Certificate, error) {
	if len(orders) == 0 || len(orders) > MaxOrders {
		return nil, fmt.Errorf("%w: a certificate of %d orders", ErrInvalid, len(orders))
	}
	c, first := &receipt.Certificate{}, uint64(0)
	for i, o := range orders {
		proven, at, err := m.proveOrder(ctx, o)
		if err != nil {
			return nil, err
		}
		if i == 0 || at < first {
			first = at
		}
		c.Orders = append(c.Orders, *proven)
	}
	for i := range m.genesis.Members {
		upto, entry, err := m.node.Ledger().Deleted(i)
		if err != nil {
			return nil, err
		}
		log := op.StoredLog(m.network, m.genesis.Members[i].Sign)
		if upto == 0 {
			continue
		}
		e, err := m.node.Ledger().Entry(log, entry)
		if err != nil {
			return nil, err
		}
		if says, ok := e.Says.(*op.Cleared); !ok || says.Before <= first {
			continue // of what was ordered before
		}
		r, err := m.node.Receipt(ctx, log, entry)
		if err != nil {
			return nil, err
		}
		c.Deletions = append(c.Deletions, r)
	}
	return c, nil
}

// proveOrder proves an order and the records that it names, and tells its time.
func (m *Member) proveOrder(ctx context.Context, o Ordered) (proven *receipt.Order, at uint64, err error) {
	h, err := m.Head(ctx, o.Log)
	if err != nil {
		return nil, 0, err
	}
	if o.Entry >= h.Size {
		return nil, 0, fmt.Errorf("%w: no entry %d of %v", ErrInvalid, o.Entry, o.Log)
	}
	r, err := m.Receipt(ctx, o.Log, o.Entry)
	if err != nil {
		return nil, 0, err
	}
	e, head, err := r.Proof.Check(o.Log, o.Entry)
	if err != nil {
		return nil, 0, err
	}
	d, ok := e.Says.(*op.Destroy)
	if !ok {
		return nil, 0, fmt.Errorf("%w: entry %d of %v orders nothing destroyed", ErrInvalid, o.Entry, o.Log)
	}
	proven = &receipt.Order{Destroy: r}
	for _, x := range d.Ranges {
		for n := x.From; n < x.To; n++ {
			entry, path, err := m.node.Ledger().ProveIn(head, n)
			if err != nil {
				return nil, 0, err
			}
			proven.Records = append(proven.Records, receipt.Record{Number: n, Entry: entry, Path: path})
		}
	}
	return proven, e.At, nil
}

// Erasure is an order of the patient's, or of an author, to erase records of a section, as it stands on the ledger.
type Erasure struct {
	Section section.Section
	Ordered
	Signer  key.Verifier
	At      time.Time // on the ledger clock
	Block   uint64
	Destroy bool // false: the records are blocked only
	Entries []uint64
}

// Erasures lists what was ordered erased in sections, each log held against a receipt.
func (p *Patient) Erasures(ctx context.Context, sections ...section.Section) (out []Erasure, err error) {
	for _, s := range sections {
		entries, err := p.entries(ctx, p.keys.Log(s))
		if errors.Is(err, ErrNotShared) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", s, err)
		}
		for _, e := range entries {
			x := Erasure{Section: s, Ordered: Ordered{Log: e.Log, Entry: e.Number}, Signer: e.Signer, At: time.UnixMilli(int64(e.At)), Block: e.Block}
			switch says := e.Says.(type) {
			case *op.Block:
				x.Entries = entriesOf(says.Ranges)
			case *op.Destroy:
				x.Destroy, x.Entries = true, entriesOf(says.Ranges)
			default:
				continue
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// entriesOf are the entries in ranges.
func entriesOf(ranges []consent.Range) (out []uint64) {
	for _, r := range ranges {
		for n := r.From; n < r.To; n++ {
			out = append(out, n)
		}
	}
	return out
}

// Certificate proves orders to destroy, any number of them, and what members have said since, held against the genesis.
func (p *Patient) Certificate(ctx context.Context, orders ...Ordered) (*receipt.Certificate, []receipt.Erased, error) {
	orders = slices.Clone(orders)
	slices.SortFunc(orders, func(a, b Ordered) int {
		if a.Before(b) {
			return -1
		}
		return 1
	})
	whole := &receipt.Certificate{}
	newest := map[key.Log]*receipt.Receipt{} // of each member's deletions
	for batch := range slices.Chunk(orders, MaxOrders) {
		c, err := p.home.Certificate(ctx, batch...)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate: %w", err)
		}
		for i, o := range c.Orders {
			if len(c.Orders) != len(batch) || batch[i] != (Ordered{o.Destroy.Log, o.Destroy.Number}) {
				return nil, nil, errors.New("the home member's certificate is of other orders")
			}
		}
		whole.Orders = append(whole.Orders, c.Orders...)
		for _, d := range c.Deletions {
			if last := newest[d.Log]; last == nil || last.Number < d.Number {
				newest[d.Log] = d
			}
		}
	}
	g := p.home.Genesis()
	for i := range g.Members {
		if d := newest[op.StoredLog(p.network, g.Members[i].Sign)]; d != nil {
			whole.Deletions = append(whole.Deletions, d)
		}
	}
	erased, err := whole.Verify(g)
	return whole, erased, err
}
