package release_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vitalog/release"
)

// latency answers with replies that were made beforehand, each after a while.
type latency struct {
	replies [][]byte // by member
	takes   []time.Duration
	asked   atomic.Int32
}

func (l *latency) Call(ctx context.Context, member int, _ string, _ []byte) ([]byte, error) {
	l.asked.Add(1)
	select {
	case <-time.After(l.takes[member]):
		return l.replies[member], nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestABusyNetworkIsNotAskedMoreThanItNeeds(t *testing.T) {
	net := newNetwork(t, 4, time.Minute)
	c := newChart(t, net, net.ceremony(), 2)
	a := c.ask(c.reader)
	l := &latency{takes: make([]time.Duration, 4)}
	for i := range net.genesis.Members {
		q := release.Request{Log: a.Entry.Log, Number: a.Entry.Number, Session: *a.Session.Exchange(), Detail: a.Detail, Entries: c.entries()}
		reply, err := net.Call(t.Context(), i, "release", q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		l.replies = append(l.replies, reply)
	}
	synctest.Test(t, func(t *testing.T) {
		r := release.NewClient(net.genesis, l)
		open := func(takes ...time.Duration) (asked int32, took time.Duration) {
			synctest.Wait() // until those that were given up before have heard it
			l.takes = takes
			l.asked.Store(0)
			began := time.Now()
			if _, _, err := r.Open(t.Context(), net.members[0].ledger.NetworkKey, a, c.wants); err != nil {
				t.Fatal(err)
			}
			return l.asked.Load(), time.Since(began)
		}
		const quick, busy, hangs = 5 * time.Millisecond, 300 * time.Millisecond, time.Hour
		if asked, _ := open(busy, busy, busy, busy); asked != 4 {
			t.Errorf("%d holders were asked when all of them were slow for the first time, want 4", asked)
		}
		for range 5 {
			open(busy, busy, busy, busy)
		}
		if asked, took := open(busy, busy, busy, busy); asked != 3 || took != busy {
			t.Errorf("%d holders were asked within %v of a network that is busy, want 3 within %v", asked, took, busy)
		}
		r.First = []int{2}
		if _, took := open(busy, busy, hangs, busy); took > 3*busy {
			t.Errorf("%v with a holder that hangs in a network that is busy, want at most %v", took, 3*busy)
		}
		for range 10 {
			open(quick, quick, quick, quick)
		}
		if _, took := open(quick, quick, hangs, quick); took > 2*release.DefaultHedge {
			t.Errorf("%v with a holder that hangs in a network that is quick again, want at most %v", took, 2*release.DefaultHedge)
		}
	})
}
