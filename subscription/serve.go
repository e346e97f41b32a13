package subscription

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"vitalog/key"
)

const (
	maxBackoff = 10 * time.Minute
	maxTries   = 6 // of a record that does not open, before its event is told without it
)

// server serves one subscription. It is for one goroutine, which alone changes the position; others read it.
type server struct {
	*Book
	s     *sub
	said  time.Time // when the endpoint was last told anything
	view  *view     // of the events that are to be sent next; nil: to be opened
	tries int       // of what does not open, or of a member that can't now
}

// serve tells a subscription's events until ctx ends.
func (b *Book) serve(ctx context.Context, s *sub) {
	x := &server{Book: b, s: s, said: time.Now()}
	defer func() { x.view.close() }()
	for ctx.Err() == nil {
		wait, news, err := x.turn(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			b.Log.Warn("a subscription waits", "subscription", s.ID, "err", err)
			x.drop()
			x.tries++
			wait, news = b.backoff(x.tries), false
		}
		pause := time.NewTimer(wait)
		wake := s.wake
		if !news {
			wake = nil // nothing new makes a failure shorter
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// backoff is how long the n-th failure in a row waits: with jitter, so that those who failed together don't come back together.
func (b *Book) backoff(n int) time.Duration {
	d := maxBackoff
	if n < 30 {
		d = min(b.Backoff<<(n-1), maxBackoff)
	}
	return d/2 + rand.N(d/2+1)
}

// forever is longer than a member runs between restarts.
const forever = 365 * 24 * time.Hour

// turn does one thing, and tells how long to wait for the next, and whether news end the wait.
//
//	(1) an endpoint that is new or failed is asked with a notification that holds nothing
//	(2) what the ledger has of new events gets numbers, which are durable with the cursors
//	(3) events are sent, as far as the subscriber may know them now
//	(4) that they were is durable
//
// Crash points: after (2) they are sent with the same numbers; after (3) they are sent again.
func (x *server) turn(ctx context.Context) (wait time.Duration, news bool, err error) {
	if x.s.at.Status == "off" {
		return forever, false, nil
	}
	if x.s.Terms.End != nil && !time.Now().Before(*x.s.Terms.End) {
		return forever, false, x.move(func(p *position) { p.Status, p.Failure = "off", "its end has come" })
	}
	if x.s.at.Status != "active" { // (1)
		kind := "heartbeat"
		if !x.s.at.Greeted {
			kind = "handshake"
		}
		if err := x.post(ctx, &x.s.Terms, x.notification(x.s, kind, Empty, x.s.at.Events, nil, nil)); err != nil {
			return x.failed(ctx, err)
		}
		x.said = time.Now()
		if err := x.move(func(p *position) { p.Greeted = true }); err != nil {
			return 0, false, err
		}
	}
	pending, err := x.events(x.s.ID, x.s.at.Sent, x.s.at.Events, x.s.count())
	if err == nil && len(pending) == 0 {
		if pending, err = x.number(ctx); err != nil { // (2)
			return 0, false, err
		}
	}
	if err != nil {
		return 0, false, err
	}
	if len(pending) > 0 {
		return x.send(ctx, pending)
	}
	if x.s.at.Status != "active" {
		if err := x.move((*position).well); err != nil {
			return 0, false, err
		}
	}
	return x.idle(ctx)
}

// well is a position of which nothing is wrong.
func (p *position) well() { p.Status, p.Failure, p.Failures = "active", "", 0 }

// move changes how far the subscription has come, durably.
func (x *server) move(change func(p *position), events ...event) error {
	x.s.mu.Lock()
	old := x.s.at
	change(&x.s.at)
	x.s.mu.Unlock()
	err := x.keep(x.s, false, old.Sent, events...)
	if err != nil {
		x.s.mu.Lock()
		x.s.at = old
		x.s.mu.Unlock()
	}
	return err
}

// failed notes that the endpoint did not take something.
func (x *server) failed(ctx context.Context, why error) (wait time.Duration, news bool, err error) {
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	x.drop()
	err = x.move(func(p *position) {
		p.Failures++
		p.Status, p.Failure = "error", fmt.Sprintf("%v; attempt %d of %d", why, p.Failures, x.Attempts)
		if p.Failures >= x.Attempts || errors.Is(why, errGone) {
			p.Status, p.Failure = "off", fmt.Sprintf("%v; off after %d attempts. Nothing is lost: update it with status requested, and it goes on where it stood", why, p.Failures)
		}
	})
	return x.backoff(x.s.at.Failures), false, err
}

func (x *server) drop() {
	x.view.close()
	x.view = nil
}

// number gives numbers to the next events. A record is opened where it takes that to know what the event is.
func (x *server) number(ctx context.Context) ([]event, error) {
	for {
		found, next, err := x.look(ctx, x.s)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, x.stand(next)
		}
		if x.s.opens() {
			places := make([]place, len(found))
			for i, c := range found {
				places[i] = c.place
			}
			x.drop()
			if x.view, err = x.open(ctx, x.s, x.s.asker(), places); err != nil {
				return nil, err
			}
			if n := len(x.view.broken); n > 0 && x.tries < maxTries {
				return nil, fmt.Errorf("%d records did not open", n)
			}
		}
		x.tries = 0
		var events []event
		for _, c := range found {
			for _, e := range x.s.events(c, x.view) {
				e.Number = x.s.at.Events + uint64(len(events)) + 1
				events = append(events, e)
			}
		}
		if err := x.move(func(p *position) { p.Next, p.Events = next, p.Events+uint64(len(events)) }, events...); err != nil {
			return nil, err
		}
		if len(events) > 0 {
			return events[:min(len(events), x.s.count())], nil
		}
		x.drop()
	}
}

// stand notes where looking goes on when there was nothing. A crash may undo it: then it is looked through again.
func (x *server) stand(next map[key.Log]uint64) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.at.Next = next
	return nil
}

// send tells events, and notes that they were.
func (x *server) send(ctx context.Context, pending []event) (wait time.Duration, news bool, err error) {
	known, err := x.permitted(x.s, pending)
	if err != nil {
		return 0, false, err
	}
	last := pending[len(pending)-1].Number
	if len(known) > 0 {
		if x.view == nil && x.s.Terms.Content != Empty {
			if x.view, err = x.open(ctx, x.s, x.s.asker(), placesOf(known)); err != nil {
				return 0, false, err
			}
			if n := len(x.view.broken); n > 0 && x.tries < maxTries {
				return 0, false, fmt.Errorf("%d records did not open", n)
			}
		}
		if err := x.post(ctx, &x.s.Terms, x.notification(x.s, "event-notification", x.s.Terms.Content, last, known, x.view)); err != nil { // (3)
			return x.failed(ctx, err)
		}
		x.said = time.Now()
	}
	x.tries = 0
	if err := x.move(func(p *position) { p.well(); p.Sent = last }); err != nil { // (4)
		return 0, false, err
	}
	if last == x.s.at.Events {
		x.drop()
	}
	return 0, true, nil
}

func placesOf(events []event) (out []place) {
	for _, e := range events {
		out = append(out, place{e.Section, e.Log, e.Entry})
	}
	return out
}

// permitted are those of events that the subscriber may know of now.
func (b *Book) permitted(s *sub, events []event) (out []event, err error) {
	logs, err := b.watched(s)
	if err != nil {
		return nil, err
	}
	for _, x := range events {
		w := logs[x.Log]
		if w == nil {
			continue
		}
		e, err := b.Chain.Ledger().Entry(x.Log, x.Entry)
		if err != nil {
			return nil, err
		}
		if e != nil && s.concerns(w, e) {
			out = append(out, x)
		}
	}
	return out, nil
}

// idle waits for news, sends heartbeats and sees the end come.
func (x *server) idle(ctx context.Context) (wait time.Duration, news bool, err error) {
	wait = forever
	if x.s.Terms.Heartbeat > 0 {
		wait = time.Until(x.said.Add(time.Duration(x.s.Terms.Heartbeat) * time.Second))
		if wait <= 0 {
			if err := x.post(ctx, &x.s.Terms, x.notification(x.s, "heartbeat", Empty, x.s.at.Events, nil, nil)); err != nil {
				return x.failed(ctx, err)
			}
			x.said = time.Now()
			return 0, true, nil
		}
	}
	if x.s.Terms.End != nil {
		wait = min(wait, time.Until(*x.s.Terms.End))
	}
	return wait, true, nil
}
