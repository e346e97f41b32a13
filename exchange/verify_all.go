package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"vitalog/consensus"
	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// signedWithin is how long a verification waits until the validators have signed the newest state, which takes them one block.
const signedWithin = 10 * time.Second

// state holds the state that all logs were proven to against the validators' signatures. Where they can't sign it, that is ErrNoQuorum.
func (w *walk) state(ctx context.Context) error {
	l := w.m.node.Ledger()
	if l.Logs() == 0 {
		return nil
	}
	head, err := l.HeadByNumber(l.Logs() - 1)
	if err != nil || head == nil {
		return nil // told already
	}
	waiting, cancel := context.WithTimeout(ctx, signedWithin)
	defer cancel()
	r, err := w.m.node.Receipt(waiting, head.Log, 0)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the validators have not signed the newest state: %w: %w", consensus.ErrNoQuorum, err)
	}
	if err != nil {
		return err
	}
	v, err := r.Verify(w.m.genesis)
	if err != nil {
		return w.tell(ctx, []Damage{{Log: head.Log, What: "state", State: Altered}})
	}
	w.c.Signed, w.c.Of = v.Signed, v.Of
	return nil
}

// notes holds what this member wrote down about charts against the ledger: logs that are there, and resources that are in records.
func (w *walk) notes(ctx context.Context) error {
	x, l := w.m.index, w.m.node.Ledger()
	logs := map[string]map[key.Log]bool{} // by chart
	bad := func(log key.Log, entry uint64) error {
		return w.tell(ctx, []Damage{{Log: log, Entry: entry, What: "note", State: Altered}})
	}
	err := x.db.Scan([]byte{'c'}, []byte{'d'}, func(k, v []byte) error {
		w.c.Notes++
		var c chartState
		if err := x.unseal(k, v, &c); err != nil {
			return bad(key.Log{}, 0)
		}
		logs[c.ID] = map[key.Log]bool{}
		for _, st := range c.Sections {
			logs[c.ID][st.Log] = true
			head, err := l.Head(st.Log)
			if err != nil {
				return err
			}
			if head == nil && len(st.Purposes) > 0 { // before its first grant a log may not be there yet
				if err := bad(st.Log, 0); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	err = x.db.Scan([]byte{'i'}, []byte{'j'}, func(k, v []byte) error {
		w.c.Notes++
		var chart string
		if err := x.unseal(k, v, &chart); err != nil || logs[chart] == nil {
			return bad(key.Log{}, 0)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return x.db.Scan([]byte{'r'}, []byte{'s'}, func(k, v []byte) error {
		w.c.Notes++
		var at Location
		if err := x.unseal(k, v, &at); err != nil {
			return bad(key.Log{}, 0)
		}
		e, err := l.Entry(at.Log, at.Entry)
		if err != nil {
			return err
		}
		if _, ok := recorded(e); !ok || !logs[at.Chart][at.Log] {
			return bad(at.Log, at.Entry)
		}
		return ctx.Err()
	})
}

func recorded(e *op.Entry) (*op.Recorded, bool) {
	if e == nil {
		return nil, false
	}
	rec, ok := e.Says.(*op.Recorded)
	return rec, ok
}

// namedAtOnce is how many names of blobs are held in memory, at 8 bytes each. Where there are more the ledger is walked several times.
const namedAtOnce = 4 << 20

// unreferenced counts the blobs that no entry names.
func (w *walk) unreferenced(ctx context.Context) error {
	passes := w.c.Blobs/namedAtOnce + 1
	width := math.MaxUint64/passes + 1 // of a slice of the first 8 bytes of hashes; 0: all of them
	for pass := range passes {
		within := func(h wire.Hash) (uint64, bool) {
			x := binary.BigEndian.Uint64(h[:])
			return x, width == 0 || x/width == pass
		}
		var known []uint64
		for n := range w.m.node.Ledger().Logs() {
			head, err := w.m.node.Ledger().HeadByNumber(n)
			if err != nil || head == nil {
				continue // told already
			}
			err = w.m.node.Ledger().Entries(head.Log, 0, head.Size, func(e *op.Entry) error {
				for _, x := range names(e) {
					if first, in := within(x.blob); in && x.what != "header" {
						known = append(known, first)
					}
				}
				return ctx.Err()
			})
			if ctx.Err() != nil {
				return err
			}
		}
		for _, c := range w.m.copies.list() {
			if first, in := within(c.Blob); in {
				known = append(known, first)
			}
		}
		slices.Sort(known)
		err := w.m.store.Each(func(h wire.Hash, size int64) error {
			first, in := within(h)
			if _, found := slices.BinarySearch(known, first); in && !found {
				w.c.Unreferenced++
				w.c.UnreferencedBytes += uint64(size)
			}
			return ctx.Err()
		})
		if err != nil {
			return errors.Join(errors.New("listing the stored blobs"), err)
		}
	}
	return nil
}
