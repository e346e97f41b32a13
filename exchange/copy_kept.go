package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

const (
	keepEvery  = 2 * time.Second // how often copies are looked at that something is to be done about
	keepRarely = 5 * time.Minute // at most so long after what failed
)

// keepCopies does what is to be done about author copies, until ctx ends.
func (m *Member) keepCopies(ctx context.Context) error {
	wait := keepEvery
	for {
		err := errors.Join(m.tendCopies(ctx), m.overCopies(m.passed()))
		if wait = min(2*wait, keepRarely); err == nil {
			wait = keepEvery
		} else if ctx.Err() == nil {
			m.log.Warn("looking after author copies", "err", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-m.copies.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// passed is a moment, ms, that the ledger's clock and the own have passed: a clock that is wrong destroys nothing.
func (m *Member) passed() uint64 { return min(m.node.Ledger().Clock(), nowMillis()) }

// overCopies ends what is kept no longer at a moment, ms.
func (m *Member) overCopies(now uint64) error {
	m.copies.making.Lock()
	defer m.copies.making.Unlock()
	for _, c := range m.copies.list() {
		if c.Blob != (wire.Hash{}) && c.Until <= now {
			if err := m.endCopy(c); err != nil {
				return err
			}
			m.log.Info("an author copy's time is over: it is destroyed", "log", c.Log.String(), "entry", c.Entry)
		}
	}
	return nil
}

// tendCopies makes the copies that are still to be made, and says of all that they are kept.
func (m *Member) tendCopies(ctx context.Context) error {
	errs := []error{m.lateCopies(m.passed())}
	say := map[keepGroup][]*authorCopy{}
	for _, c := range m.copies.list() {
		if c.Gone && !c.Said {
			g := keepGroup{c.Log, c.Destroy, c.Purpose, c.Until}
			say[g] = append(say[g], c)
		}
	}
	for g, all := range say {
		errs = append(errs, m.sayKept(ctx, g, all))
	}
	return errors.Join(errs...)
}

// lateCopies does (2) and (3) of destroy, where they could not be done, at a moment, ms.
func (m *Member) lateCopies(now uint64) error {
	m.copies.making.Lock()
	defer m.copies.making.Unlock()
	return errors.Join(m.takeOut(nil, now))
}

// keepGroup is what one keep may say.
type keepGroup struct {
	log     key.Log
	destroy uint64
	purpose string
	until   uint64
}

// sayKept has the ledger say of copies that they are kept. What it will not have is destroyed.
func (m *Member) sayKept(ctx context.Context, g keepGroup, all []*authorCopy) error {
	signer := m.ring.Grantee(g.log, g.purpose)
	head, err := m.node.Ledger().Head(g.log)
	if err != nil || head == nil {
		return errors.Join(fmt.Errorf("keeping in %v: %w", g.log, ErrNotShared), err)
	}
	var left []*authorCopy
	for _, c := range all {
		q := consent.Request{Key: signer.Public(), Right: consent.Read, Ranges: []consent.Range{{From: c.Entry, To: c.Entry + 1}}, Now: g.until - 1}
		if consent.Keeps(head.Kept, q) { // it was said before a crash
			if err := m.saidKept(c); err != nil {
				return err
			}
			continue
		}
		left = append(left, c)
	}
	for len(left) > 0 {
		var ranges []consent.Range
		n := 0
		for ; n < min(len(left), op.MaxErasure); n++ {
			next := extend(ranges, left[n].Entry)
			if len(next) > op.MaxRanges {
				break
			}
			ranges = next
		}
		o := op.Sign(m.network, signer, g.log, expiry(), &op.Keep{Destroy: g.destroy, Ranges: ranges, Until: g.until})
		results, err := m.node.Submit(ctx, o)
		if err == nil {
			err = results[0].Err()
		}
		refused := errors.Is(err, ledger.NotUntil) || errors.Is(err, ledger.NotAuthor) || errors.Is(err, ledger.NotGranted) || errors.Is(err, ledger.NoSuchEntry) ||
			errors.Is(err, ledger.TooManyErased) // what waits for the list to become shorter would keep this member from saying deleted of anything
		if err != nil && !refused {
			return fmt.Errorf("keeping in %v: %w", g.log, err)
		}
		for _, c := range left[:n] {
			done := m.saidKept
			if refused {
				done = m.endCopy
			}
			if err := done(c); err != nil {
				return err
			}
		}
		if refused {
			m.log.Error("the ledger does not let this member keep what it wrote: it is destroyed", "log", g.log.String(), "records", n, "err", err)
		}
		left = left[n:]
	}
	return nil
}

func (m *Member) saidKept(c *authorCopy) error {
	said := *c
	said.Said = true
	return m.noteCopies(&said)
}
