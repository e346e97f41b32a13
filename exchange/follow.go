package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vitalog/blobstore"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"

	"golang.org/x/sync/errgroup"
)

// followAtOnce is how many blocks are followed before the next are looked at.
const followAtOnce = 256

const atFollowed = 'z' // → the height up to which follow has done its work

// mailTime is how long following waits for the messages that a batch of blocks leaves for this member. What is late is accepted later.
const mailTime = 2 * time.Second

// Run follows the ledger until ctx ends: it opens what is left in this member's mailbox, and a validator fetches every ciphertext,
// header, detail and message that the entries name. Fetching never holds up following: a message that nobody has must not hide a grant.
// A validator says on the ledger what it holds, and every member what it has deleted. Meanwhile it puts further uses of open charts on the ledger, and drops what was ended of them; when it returns no chart is open.
//
// Crash points: what is missing is written down with the height in one step, so that nothing is forgotten; fetching twice does no harm.
func (m *Member) Run(ctx context.Context) error {
	stop := m.node.Subscribe(func(b *ledger.Block) {
		m.memory.committed(b)
		m.news.committed(b)
		ring(m.wake)
		ring(m.across.wake)
	})
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.keepPulling(ctx) })
	g.Go(func() error { return m.keepFollowing(ctx) })
	g.Go(func() error { return m.keepLooking(ctx) })
	g.Go(func() error { return m.keepSending(ctx) })
	g.Go(func() error { return m.keepClosing(ctx) })
	g.Go(func() error { return m.keepIndexing(ctx) })
	g.Go(func() error { return m.keepClaiming(ctx) })
	g.Go(func() error { return m.keepCopies(ctx) })
	g.Go(func() error { return m.keepDeleting(ctx) })
	g.Go(func() error { return m.keepUploads(ctx) })
	return g.Wait()
}

// ring wakes who waits for c, unless it is awake already.
func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (m *Member) keepFollowing(ctx context.Context) error {
	retry := time.NewTicker(pullEvery)
	defer retry.Stop()
	for {
		if err := m.follow(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("following the ledger", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.wake:
		case <-retry.C: // after an error
		}
	}
}

// Followed waits until the entries of all blocks up to height were followed.
func (m *Member) Followed(ctx context.Context, height uint64) error {
	for {
		m.mu.Lock()
		have, moved := m.height, m.moved
		m.mu.Unlock()
		if have >= height {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *Member) follow(ctx context.Context) error {
	for {
		m.mu.Lock()
		from := m.height
		m.mu.Unlock()
		to := min(m.node.Ledger().Height(), from+followAtOnce)
		if to == from {
			return nil
		}
		var batch []ledger.Change
		var mail []*op.Entry
		var destroys []*op.Entry
		newest, erased := uint64(0), uint64(0) // block with a record, with an order to destroy
		for h := from + 1; h <= to; h++ {
			err := m.node.Ledger().BlockEntries(h, func(e *op.Entry) error {
				batch = append(batch, m.needs(e)...)
				if _, ok := recorded(e); ok {
					newest = h
				}
				if _, ok := e.Says.(*op.Destroy); ok {
					destroys, erased = append(destroys, e), h
				}
				forUs, err := m.isMail(e)
				if forUs {
					mail = append(mail, e)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("block %d: %w", h, err)
			}
		}
		// Before it counts as followed: after a crash it is done again.
		destroyed, err := m.destroy(destroys)
		if err != nil {
			return err
		}
		for _, d := range destroyed {
			batch = append(batch, ledger.Change{Key: blobKey(d.Hash)}, ledger.Change{Key: placeKey(d.Log, d.ID)})
		}
		late, err := m.acceptAll(ctx, mail)
		if err != nil {
			return err
		}
		for _, e := range late {
			batch = append(batch, ledger.Change{Key: mailKey(e), Value: []byte{}})
		}
		if newest > 0 {
			batch = append(batch, ledger.Change{Key: []byte{atRecorded}, Value: wire.U64(newest)})
		}
		if erased > 0 {
			batch = append(batch, ledger.Change{Key: []byte{atErased}, Value: wire.U64(erased)})
		}
		batch = append(batch, ledger.Change{Key: []byte{atFollowed}, Value: wire.U64(to)})
		if err := m.index.db.Write(batch); err != nil {
			return err
		}
		m.mu.Lock()
		m.height, m.recorded, m.erased = to, max(m.recorded, newest), max(m.erased, erased)
		close(m.moved)
		m.moved = make(chan struct{})
		m.mu.Unlock()
		if len(batch) > 1 {
			ring(m.lacking)
		}
	}
}

// toDestroy lists what a member must delete because of an entry.
func (m *Member) toDestroy(e *op.Entry) (out []blobstore.Destroyed, err error) {
	for _, r := range e.Says.(*op.Destroy).Ranges {
		err = errors.Join(err, m.node.Ledger().Entries(e.Log, r.From, r.To, func(e *op.Entry) error {
			if rec, ok := recorded(e); ok {
				out = append(out, blobstore.Destroyed{Record: blobstore.Record{Log: e.Log, ID: rec.ID}, Hash: rec.Blob})
			}
			return nil
		}))
	}
	return out, err
}

// needs lists what a validator must hold because of an entry.
func (m *Member) needs(e *op.Entry) []ledger.Change {
	if !m.genesis.Members[m.number].Validator {
		return nil
	}
	var out []ledger.Change
	for _, x := range names(e) {
		out = append(out, ledger.Change{Key: (&item{held: x, e: e}).lackKey(), Value: []byte{}})
	}
	return out
}
