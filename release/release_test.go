package release_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/release"
)

// request asks holder 1 for what a names; change makes it ask for something else.
func (c *chart) request(a release.Access, change func(*release.Request)) error {
	c.t.Helper()
	_, err := c.send(a, change)
	return err
}

// send is request, with the reply.
func (c *chart) send(a release.Access, change func(*release.Request)) (reply []byte, err error) {
	c.t.Helper()
	q := &release.Request{Log: c.log, Number: a.Entry.Number, Session: *a.Session.Exchange(), Detail: a.Detail, Entries: c.entries()}
	if change != nil {
		change(q)
	}
	return c.net.Call(c.t.Context(), 1, "release", q.Encode())
}

func TestAHolderRefuses(t *testing.T) {
	net := newNetwork(t, 4, time.Minute)
	k := net.ceremony()
	holder := net.members[1]
	past := func(d time.Duration) func(*chart) { return func(*chart) { net.later(d) } }
	for _, x := range []struct {
		name    string
		access  func(*chart) release.Access // nil: the reader's, to all records
		then    func(*chart)                // what happens after the access
		request func(*release.Request)
		kind    peer.Kind
		says    string
	}{
		{name: "a revoked grant", then: func(c *chart) { c.do(c.keys.Owner, &op.Revoke{Grant: c.grant}) }, kind: peer.Denied, says: "revoked"},
		{name: "a grant whose parent was revoked", access: func(c *chart) release.Access {
			child := signer()
			c.reader = signer()
			c.grant = c.give(consent.Terms{Key: c.reader.Public(), Rights: consent.SubGrant})
			c.do(c.reader, &op.Grant{Terms: consent.Terms{Key: child.Public(), Rights: consent.Read, Ranges: []consent.Range{{From: 0, To: consent.Forever}}, Parent: c.grant}})
			return c.ask(child)
		}, then: func(c *chart) { c.do(c.keys.Owner, &op.Revoke{Grant: c.grant}) }, kind: peer.Denied, says: "the grant it came from has ended"},
		{name: "a grant that ended since", access: func(c *chart) release.Access {
			brief := signer()
			c.give(consent.Terms{Key: brief.Public(), Until: net.ms() + 60_000})
			return c.ask(brief)
		}, then: past(time.Minute + time.Second), kind: peer.Denied, says: "expired"},
		{name: "a grantee that moved to another key", then: func(c *chart) {
			c.do(c.reader, op.NewRekeyGrantee(c.id, c.log, c.reader.Public(), signer()))
		}, kind: peer.Denied, says: "no such grant"},
		{name: "an erased record", then: func(c *chart) { c.do(c.keys.Owner, op.NewBlock(c.records())) }, kind: peer.Denied, says: "erased"},
		{name: "an author whose copy is kept no longer", access: func(c *chart) release.Access {
			c.keep(time.Minute)
			return c.ask(c.writer)
		}, then: past(time.Minute), kind: peer.Denied, says: "erased"},
		{name: "an author that moved to another key", access: func(c *chart) release.Access {
			c.keep(time.Hour)
			return c.ask(c.writer)
		}, then: func(c *chart) {
			c.do(c.writer, op.NewRekeyGrantee(c.id, c.log, c.writer.Public(), signer()))
		}, kind: peer.Denied, says: "erased"},
		{name: "anybody but the author who keeps its copy", access: func(c *chart) release.Access {
			a := c.ask(c.reader)
			c.keep(time.Hour)
			return a
		}, kind: peer.Denied, says: "erased"},
		{name: "an access older than two minutes by its own clock, while the ledger's stands still", then: past(op.ReleaseWindow + time.Second), kind: peer.Denied, says: "older than two minutes"},
		{name: "an access older than two minutes by the ledger clock, while its own stands still", then: func(c *chart) {
			now := net.now()
			holder.service.Now = func() time.Time { return now }
			net.later(op.ReleaseWindow + time.Second)
			c.do(c.keys.Owner, &op.Rotate{Epoch: 2})
		}, kind: peer.Denied, says: "older than two minutes"},
		{name: "another session key", request: func(q *release.Request) { q.Session = *key.NewDecapsulating([32]byte{9}).Exchange() }, kind: peer.Denied, says: "session key"},
		{name: "a session key that is none", request: func(q *release.Request) { q.Session = key.Exchange{} }, kind: peer.Denied, says: "session key"},
		{name: "a missing detail", request: func(q *release.Request) { q.Detail = nil }, kind: peer.Denied, says: "detail"},
		{name: "another detail", request: func(q *release.Request) { q.Detail = []byte("somebody else") }, kind: peer.Denied, says: "detail"},
		{name: "a refused access", access: func(c *chart) release.Access { return c.ask(c.writer) }, kind: peer.Denied, says: "right not granted"},
		{name: "a further use", access: func(c *chart) release.Access {
			return c.ask(c.reader, func(b *op.Access) { b.Further = true })
		}, kind: peer.Denied, says: "further use"},
		{name: "a record that the access doesn't name", access: func(c *chart) release.Access {
			return c.ask(c.reader, func(b *op.Access) { b.Ranges[0].To-- })
		}, request: func(q *release.Request) { q.Entries = q.Entries[1:] }, kind: peer.Denied, says: "none of the records"},
		{name: "no record", request: func(q *release.Request) { q.Entries = nil }, kind: peer.Denied, says: "none of the records"},
		{name: "an entry that is no access", request: func(q *release.Request) { q.Number = 0 }, kind: peer.Denied, says: "no access"},
		{name: "an entry that its ledger doesn't have", request: func(q *release.Request) { q.Number += 10 }, kind: peer.Later, says: "not on this member's ledger"},
		{name: "a log that its ledger doesn't have", request: func(q *release.Request) { q.Log[0]++ }, kind: peer.NotFound, says: "no such log"},
	} {
		t.Run(x.name, func(t *testing.T) {
			defer holder.start(t) // with the right clock
			c := newChart(t, net, k, 2)
			ask := x.access
			if ask == nil {
				ask = func(c *chart) release.Access { return c.ask(c.reader) }
			}
			a := ask(c)
			if x.then == nil && x.request != nil && a.Entry.Says.(*op.Accessed).Why == consent.Allowed {
				defer func() {
					if err := c.request(a, nil); err != nil {
						t.Errorf("the right request is refused too: %v", err)
					}
				}()
			}
			if x.then != nil {
				x.then(c)
			}
			err := c.request(a, x.request)
			if got := peer.KindOf(err); got != x.kind || !strings.Contains(err.Error(), x.says) {
				t.Errorf("got %v, want %v: …%s…", err, x.kind, x.says)
			}
			if err != nil && strings.Contains(err.Error(), c.log.String()[4:12]) {
				t.Errorf("the refusal names the log: %v", err)
			}
			if has, err := holder.store.Has(sha256.Sum256(a.Detail)); has || err != nil {
				t.Errorf("the detail of a refused request was stored: %v", err)
			}
		})
	}
	t.Run("what isn't wanted", func(t *testing.T) {
		c := newChart(t, net, k, 3)
		a, wanted := c.ask(c.reader), c.entries()[1:2]
		raw, err := c.send(a, func(q *release.Request) { q.Entries = wanted })
		if err != nil {
			t.Fatal(err)
		}
		reply, err := release.DecodeReply(raw)
		if err != nil {
			t.Fatal(err)
		}
		given, err := reply.Groups[0].Open(a.Session, a.Entry.Hash(), 1)
		if err != nil || len(given) != 1 || given[0].Number != wanted[0] {
			t.Errorf("for entry %d it gave %v, error %v", wanted[0], given, err)
		}
	})
	t.Run("a request that is cut off", func(t *testing.T) {
		c := newChart(t, net, k, 1)
		a := c.ask(c.reader)
		q := release.Request{Log: c.log, Number: a.Entry.Number, Session: *a.Session.Exchange(), Detail: a.Detail, Entries: c.entries()}
		b := q.Encode()
		if _, err := net.Call(t.Context(), 1, "release", b[:len(b)-1]); peer.KindOf(err) != peer.Invalid {
			t.Errorf("got %v, want %v", err, peer.Invalid)
		}
	})
	t.Run("when it can't store the detail", func(t *testing.T) {
		c := newChart(t, net, k, 1)
		a := c.ask(c.reader)
		if err := holder.store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.request(a, nil); peer.KindOf(err) != peer.Unavailable {
			t.Errorf("got %v, want %v", err, peer.Unavailable)
		}
	})
}

func TestAHolderReleases(t *testing.T) {
	net := newNetwork(t, 4, time.Minute)
	k := net.ceremony()
	holder := net.members[1]
	t.Run("after it has stored the detail", func(t *testing.T) {
		c := newChart(t, net, k, 1)
		a := c.ask(c.reader)
		if err := c.request(a, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := holder.store.Get(sha256.Sum256(a.Detail), op.MaxSealed); err != nil || string(got) != string(a.Detail) {
			t.Errorf("stored detail: %q, %v", got, err)
		}
	})
	t.Run("again, and to whoever relays the request", func(t *testing.T) {
		c := newChart(t, net, k, 1)
		a := c.ask(c.reader)
		for range 2 {
			if err := c.request(a, nil); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("for the last use that a grant allowed", func(t *testing.T) {
		c := newChart(t, net, k, 1)
		once := signer()
		c.give(consent.Terms{Key: once.Public(), Uses: 1})
		a := c.ask(once)
		if err := c.request(a, nil); err != nil {
			t.Error(err)
		}
		if e := c.ask(once).Entry.Says.(*op.Accessed); e.Why != consent.UsedUp {
			t.Errorf("a second access: %v, want %v", e.Why, consent.UsedUp)
		}
	})
	t.Run("as soon as its own ledger has the access", func(t *testing.T) {
		c := newChart(t, net, k, 1)
		holder.mu.Lock()
		holder.behind = true
		holder.mu.Unlock()
		a := c.ask(c.reader)
		waiting := make(chan struct{})
		holder.waits = func() { close(waiting) }
		defer func() { holder.waits = nil }()
		go func() {
			<-waiting
			holder.join()
		}()
		if err := c.request(a, nil); err != nil {
			t.Error(err)
		}
	})
}
