package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"

	"golang.org/x/sync/errgroup"
)

const (
	sendEvery   = 100 * time.Millisecond // what comes meanwhile goes together
	sendTime    = 5 * time.Second        // of one attempt
	sendAgain   = time.Second            // after one that left something
	sendAtOnce  = 32                     // charts
	maxTogether = 64                     // uses of one chart
)

// note has the further uses of a reading in the outbox: when it returns they are durable. What the ledger would not take now, because the
// quota is used up, is not noted, and the reading fails as it would without a chart in memory. The rest of the reading may have taken a
// while: what the patient ended in it, and what nothing may be noted for any more, goes on the ledger at once, allowed or refused.
func (m *Member) note(ctx context.Context, r *reading, out *Opened) error {
	u := &use{since: time.Now(), Further: grant.Further{Chart: r.state.ID}}
	late := m.outbox.late(r.state.ID)
	var now []*plan
	for _, p := range r.plans {
		if !p.further {
			continue
		}
		why, err := m.decide(p)
		if err != nil {
			return err
		}
		if p.further = why == consent.Allowed && !late; !p.further {
			now = append(now, p)
			continue
		}
		o, err := m.sign(r.who, p)
		if err != nil {
			return err
		}
		if err := notTaken(m.node.Ledger().Check(o)); err != nil {
			return err
		}
		u.Accesses = append(u.Accesses, grant.FurtherAccess{Purpose: r.who.Purpose, Size: p.size, Detail: p.detail, Op: o})
		out.Rows = append(out.Rows, Row{Log: p.log, Records: len(p.records), Section: p.section, InOutbox: true})
	}
	if len(u.Accesses) > 0 {
		if err := m.outbox.put(u); err != nil {
			return err
		}
	}
	return m.ask(ctx, r, now, out)
}

// Flushed waits until the further uses that were noted so far are on the ledger.
func (m *Member) Flushed(ctx context.Context) error { return m.outbox.flushed(ctx) }

// keepSending puts the outbox on the ledger, until ctx ends. Of one chart one batch is on its way at a time: its logs must not meet in a
// transaction.
func (m *Member) keepSending(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(sendAtOnce)
	defer g.Wait()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.outbox.wake:
		}
		pause.Reset(sendEvery)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
		for _, batch := range m.outbox.take() {
			g.Go(func() error {
				answered, err := m.send(ctx, batch)
				if err != nil && ctx.Err() == nil {
					m.log.Warn("further uses are not on the ledger yet", "reads", len(batch), "err", err)
				}
				switch left := m.outbox.done(batch, answered); {
				case err != nil:
					time.AfterFunc(sendAgain, func() { ring(m.outbox.wake) })
				case left:
					ring(m.outbox.wake)
				}
				return nil
			})
		}
	}
}

// send submits the accesses of a batch and takes out those that are committed. An error says why some are left; answered, that the ledger
// said so.
//
// Crash points: the details are durable before their accesses are submitted. An access that was committed and is still in the outbox is
// found again; one that is signed anew is durable before it is submitted, with the next attempt.
func (m *Member) send(ctx context.Context, batch []*use) (answered bool, err error) {
	var ops []*op.Operation
	var details [][]byte
	for _, u := range batch {
		for _, a := range u.Accesses {
			ops, details = append(ops, a.Op), append(details, a.Detail)
		}
	}
	if err := m.store.PutAll(details); err != nil {
		return false, fmt.Errorf("storing the access details: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	results, err := m.node.Submit(within, ops...)
	if err != nil {
		return false, err
	}
	var changes []kv.Change
	var left []error
	rests := make([][]grant.FurtherAccess, len(batch)) // what is left of each, once that is durable
	for i, u := range batch {
		var rest []grant.FurtherAccess
		changed := false
		for _, a := range u.Accesses {
			done, err := m.settle(&a, results[0])
			results = results[1:]
			if !done {
				rest = append(rest, a)
			}
			changed = changed || err == nil
			left = append(left, err)
		}
		if rests[i] = rest; changed {
			change, err := m.outbox.change(&use{number: u.number, Further: grant.Further{Chart: u.Chart, Accesses: rest}})
			if err != nil {
				return false, err
			}
			changes = append(changes, change)
		}
	}
	if err := m.outbox.db.Write(changes); err != nil {
		return false, fmt.Errorf("crossing out further uses: %w", err)
	}
	for i, u := range batch {
		u.Accesses = rests[i]
	}
	return true, errors.Join(left...)
}

// settle tells whether an access is done with. One that never will be executed is signed anew, and is not done.
func (m *Member) settle(a *grant.FurtherAccess, r ledger.Result) (done bool, err error) {
	var e *op.Entry
	switch r.Code {
	case ledger.OK:
		if r.Count > 0 {
			e, err = m.node.Ledger().Entry(r.Log, r.First)
		}
	case ledger.Replayed, ledger.Expired:
		if e, err = m.findAccess(a); err == nil && e == nil && r.Code == ledger.Expired {
			a.Op = op.Sign(m.network, m.ring.Grantee(a.Op.Log, a.Purpose), a.Op.Log, expiry(), a.Op.Body)
			return false, nil
		}
	default:
		return false, notTaken(r.Err())
	}
	if err != nil {
		return false, err
	}
	if e == nil || e.Says.(*op.Accessed).Why != consent.Allowed {
		m.memory.drop(a.Op.Log) // the patient ended it meanwhile
	}
	return true, nil
}

// findAccess looks in the log for the entry that a further use became; nil if there is none.
func (m *Member) findAccess(a *grant.FurtherAccess) (found *op.Entry, err error) {
	head, err := m.node.Ledger().Head(a.Op.Log)
	if err != nil || head == nil {
		return nil, err
	}
	err = m.node.Ledger().Entries(a.Op.Log, a.Size, head.Size, func(e *op.Entry) error {
		if said, ok := e.Says.(*op.Accessed); ok && said.Detail == a.Op.Body.(*op.Access).Detail {
			found = e
		}
		return nil
	})
	return found, err
}
