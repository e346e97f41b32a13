package exchange

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/wire"
)

// maxLate is how long a further use may wait for the ledger before others wait with it.
const maxLate = 5 * time.Second

// outbox is the further uses that are not on the ledger yet, on the disk.
type outbox struct {
	db      *kv.DB
	ring    *keyring.Ring
	network key.Network
	wake    chan struct{} // there is something to send

	mu     sync.Mutex
	next   uint64
	charts map[string]*queue
	sent   chan struct{} // closed and replaced when something is done
}

// queue is the uses of one chart, in their order.
type queue struct {
	uses    []*use
	sending bool
}

// use is one reading of an open chart, and what of it isn't on the ledger yet.
type use struct {
	grant.Further
	number   uint64
	since    time.Time // zero: from before the start
	answered bool      // the ledger was reached, and doesn't take it now
}

// openOutbox reads what the last run left. A use that can't be read stays where it is.
func openOutbox(db *kv.DB, ring *keyring.Ring, network key.Network, log *slog.Logger) (*outbox, error) {
	o := &outbox{db: db, ring: ring, network: network, wake: make(chan struct{}, 1), charts: map[string]*queue{}, sent: make(chan struct{})}
	err := db.Scan([]byte("u"), []byte("v"), func(k, v []byte) error {
		u, err := o.open(k, v)
		if err != nil {
			log.Error("a further use in the outbox can't be read: a patient may miss a row", "key", hex.EncodeToString(k), "err", err)
			return nil
		}
		o.queue(u)
		return nil
	})
	if len(o.charts) > 0 {
		o.wake <- struct{}{}
	}
	return o, err
}

func (o *outbox) open(k, sealed []byte) (*use, error) {
	if len(k) != 9 {
		return nil, fmt.Errorf("key of %d bytes, want 9: %w", len(k), wire.ErrNonCanonical)
	}
	number := binary.BigEndian.Uint64(k[1:])
	o.next = number + 1
	plain, err := o.ring.OpenLocal(k, sealed)
	if err != nil {
		return nil, err
	}
	f, err := grant.DecodeFurther(o.network, plain)
	if err != nil {
		return nil, err
	}
	return &use{Further: *f, number: number}, nil
}

func useKey(number uint64) []byte { return binary.BigEndian.AppendUint64([]byte("u"), number) }

// put makes a use durable, and has it sent.
func (o *outbox) put(u *use) error {
	o.mu.Lock()
	u.number = o.next
	o.next++
	o.mu.Unlock()
	change, err := o.change(u)
	if err != nil {
		return err
	}
	if err := o.db.Write([]kv.Change{change}); err != nil { // together with those of others
		return fmt.Errorf("noting a further use: %w", err)
	}
	o.mu.Lock()
	o.queue(u)
	o.mu.Unlock()
	ring(o.wake)
	return nil
}

// change is what the disk is to have of a use; nothing when all of it is done.
func (o *outbox) change(u *use) (kv.Change, error) {
	k := useKey(u.number)
	if len(u.Accesses) == 0 {
		return kv.Change{Key: k}, nil
	}
	plain, err := u.Encode(o.network)
	if err != nil {
		return kv.Change{}, err
	}
	return kv.Change{Key: k, Value: o.ring.SealLocal(k, plain)}, nil
}

// queue appends a use. The caller holds mu, or is alone.
func (o *outbox) queue(u *use) {
	if o.charts[u.Chart] == nil {
		o.charts[u.Chart] = &queue{}
	}
	o.charts[u.Chart].uses = append(o.charts[u.Chart].uses, u)
}

// late tells whether a use has been waiting for so long that this chart must not be answered from memory: of any chart while the ledger
// says nothing, of this one whatever it says.
func (o *outbox) late(chart string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, q := range o.charts {
		if u := q.uses[0]; (name == chart || !u.answered) && time.Since(u.since) > maxLate {
			return true
		}
	}
	return false
}

// take gives the uses of a chart that are to be sent together, for each chart of which none are on their way.
func (o *outbox) take() (batches [][]*use) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range o.charts {
		if !q.sending {
			q.sending = true
			batches = append(batches, q.uses[:min(len(q.uses), maxTogether)])
		}
	}
	return batches
}

// done takes out what is done of a batch. answered: the ledger was reached, and doesn't take the rest now.
func (o *outbox) done(batch []*use, answered bool) (left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := batch[0].Chart
	q := o.charts[name]
	q.sending = false
	for _, u := range batch {
		u.answered = answered
	}
	// A new list: the batch is a part of the old one.
	q.uses = slices.DeleteFunc(slices.Clone(q.uses), func(u *use) bool { return len(u.Accesses) == 0 })
	if left = len(q.uses) > 0; !left {
		delete(o.charts, name)
	}
	close(o.sent)
	o.sent = make(chan struct{})
	return left
}

// flushed waits until the uses that are there now are on the ledger.
func (o *outbox) flushed(ctx context.Context) error {
	o.mu.Lock()
	end := o.next
	o.mu.Unlock()
	for {
		o.mu.Lock()
		left, sent := 0, o.sent
		for _, q := range o.charts {
			for _, u := range q.uses {
				if u.number < end {
					left++
				}
			}
		}
		o.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-sent:
		case <-ctx.Done():
			return fmt.Errorf("%d further uses of open charts are not on the ledger yet; they are on the disk and will be: %w", left, ctx.Err())
		}
	}
}
