package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"vitalog/kv"
)

// maxBatch is the bytes of items that Since returns at once; one item may be larger.
const maxBatch = 4 << 20

// Heads are the numbers of the last items held, by member: what to ask others for lies behind them.
func (d *Directory) Heads() []uint64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]uint64, len(d.heads))
	for m, h := range d.heads {
		out[m] = h.seq
	}
	return out
}

// Await has Put and Update refuse with ErrIncomplete until Done: this member's own items may be at other members only, since its store was
// lost, and a number must not be given twice.
func (d *Directory) Await() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.awaited = make(chan struct{})
}

// Done ends Await: what other members have of this member's own items is here.
func (d *Directory) Done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.awaited != nil {
		close(d.awaited)
		d.awaited = nil
	}
}

// Complete tells whether Put and Update are taken.
func (d *Directory) Complete() bool { return d.waits() == nil }

// WaitComplete waits until Complete.
func (d *Directory) WaitComplete(ctx context.Context) error {
	c := d.waits()
	if c == nil {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrIncomplete, ctx.Err())
	}
}

func (d *Directory) waits() chan struct{} {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.awaited
}

// Since are at most limit items of a member after number seq, in order, of 4 MiB together. It returns none if there is nothing new.
func (d *Directory) Since(member int, seq uint64, limit int) ([]*Item, error) {
	if member < 0 || member >= len(d.genesis.Members) {
		return nil, fmt.Errorf("directory: no member %d", member)
	}
	d.mu.RLock()
	last := d.heads[member].seq
	d.mu.RUnlock()
	var out []*Item
	size := 0
	for n := seq; n < last && len(out) < limit && size < maxBatch; n++ {
		v, err := d.db.Get(itemKey(member, n+1))
		if err != nil {
			return nil, fmt.Errorf("directory: item %d of member %d: %w", n+1, member, err)
		}
		i, err := DecodeItem(v)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
		size += len(v)
	}
	return out, nil
}

// Accept takes items of any member, this one included when its own copy was lost. They must be signed by the member and follow what is
// held, or be held already. Those before the first that is refused are kept; the error says which one and why.
func (d *Directory) Accept(items []*Item) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed != nil {
		return d.failed
	}
	var batch []kv.Change
	store := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := d.db.Write(batch); err != nil {
			d.failed = fmt.Errorf("directory: storing %d items: %w", len(batch), err)
			return d.failed
		}
		batch = nil
		return nil
	}
	defer func() { err = errors.Join(err, store()) }() // before d.mu is given back: nobody has seen the items
	for _, given := range items {
		i, err := DecodeItem(given.Encode()) // nothing that the caller may still change
		if err != nil {
			return err
		}
		if i.Member < len(d.heads) && i.Seq <= d.heads[i.Member].seq {
			if err := store(); err != nil {
				return err
			}
			if err := d.held(i); err != nil {
				return err
			}
			continue
		}
		if err := d.next(i); err != nil {
			return err
		}
		batch = append(batch, kv.Change{Key: itemKey(i.Member, i.Seq), Value: i.Encode()})
		d.keep(i)
	}
	return nil
}

// next checks that i is the item after those held, and its member's.
func (d *Directory) next(i *Item) error {
	if i.Member >= len(d.heads) {
		return fmt.Errorf("directory: item of member %d of %d: %w", i.Member, len(d.heads), ErrSignature)
	}
	if hash := i.Hash(d.network); !d.genesis.Members[i.Member].Sign.Verify(hash[:], i.Sig) {
		return fmt.Errorf("directory: item %d of member %d: %w", i.Seq, i.Member, ErrSignature)
	}
	switch h := d.heads[i.Member]; {
	case i.Seq != h.seq+1:
		return fmt.Errorf("directory: item %d of member %d after %d: %w", i.Seq, i.Member, h.seq, ErrOrder)
	case i.Prev != h.hash:
		return fmt.Errorf("directory: item %d of member %d: %w", h.seq, i.Member, ErrForked)
	}
	return nil
}

// held checks that an item whose number is held is that item.
func (d *Directory) held(i *Item) error {
	v, err := d.db.Get(itemKey(i.Member, i.Seq))
	if err != nil {
		return fmt.Errorf("directory: item %d of member %d: %w", i.Seq, i.Member, err)
	}
	if string(v) == string(i.Encode()) {
		return nil
	}
	if hash := i.Hash(d.network); !d.genesis.Members[i.Member].Sign.Verify(hash[:], i.Sig) {
		return fmt.Errorf("directory: item %d of member %d: %w", i.Seq, i.Member, ErrSignature)
	}
	return fmt.Errorf("directory: item %d of member %d: %w", i.Seq, i.Member, ErrForked)
}

// itemKey orders items by member and number.
func itemKey(member int, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, uint16(member)), seq)
}
