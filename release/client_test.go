package release_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/release"
	"vitalog/threshold"
)

func TestAReader(t *testing.T) {
	net := newNetwork(t, 4, time.Minute)
	k := net.ceremony()
	m := net.members
	all := func(t *testing.T, c *chart, got []release.Opened, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range got {
			if err := c.reads(i, o); err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
	}
	whole := func(t *testing.T) { // everybody is up and honest again
		for _, x := range m {
			x.mu.Lock()
			x.down, x.stalls, x.mangle = false, false, nil
			x.mu.Unlock()
		}
	}
	other := func(p threshold.Point1) threshold.Point1 { // another point of the group than the right one
		q, err := threshold.Partial(&threshold.Scalar{31: 7}, [32]byte{1})
		if err != nil {
			panic(err)
		}
		return q
	}
	garbage := func(p threshold.Point1) threshold.Point1 { return threshold.Point1{0xff} }

	t.Run("opens every record of an access", func(t *testing.T) {
		c := newChart(t, net, k, 20)
		got, incidents, err := c.open(c.ask(c.reader))
		all(t, c, got, err)
		if len(incidents) > 0 {
			t.Errorf("incidents: %v", incidents)
		}
	})
	t.Run("opens the copy that it keeps as the author, and nobody opens it without the holders", func(t *testing.T) {
		c := newChart(t, net, k, 3)
		c.keep(time.Hour)
		author := m[0].ring.Author()
		for i := range c.wants {
			c.wants[i].Author, c.wants[i].Reader = author, nil
		}
		got, _, err := c.open(c.ask(c.writer))
		all(t, c, got, err)
		if _, err := c.wants[0].Header.ByAuthor(author, [32]byte{}); err == nil {
			t.Error("opened without what the holders give")
		}
		for i := range c.wants {
			c.wants[i].Author = m[1].ring.Author()
		}
		got, _, _ = c.open(c.ask(c.writer)) // with the right to read it, by another's lock
		for i, o := range got {
			if o.Err == nil {
				t.Errorf("record %d opened with another member's key", i)
			}
		}
	})
	t.Run("opens with any three of four holders", func(t *testing.T) {
		c := newChart(t, net, k, 2)
		for i := range m {
			m[i].down = true
			got, _, err := c.open(c.ask(c.reader))
			all(t, c, got, err)
			whole(t)
		}
	})
	t.Run("doesn't wait for a holder that doesn't answer", func(t *testing.T) {
		c := newChart(t, net, k, 2)
		m[1].stalls = true
		got, _, err := c.open(c.ask(c.reader), func(r *release.Client) { r.First, r.Hedge = []int{1}, time.Millisecond })
		all(t, c, got, err)
		whole(t)
	})
	t.Run("has its own member's part without a connection", func(t *testing.T) {
		c := newChart(t, net, k, 2)
		m[0].down, m[3].down = true, true
		r := release.NewClient(net.genesis, m[0].service.Near(net))
		got, _, err := r.Open(t.Context(), m[0].ledger.NetworkKey, c.ask(c.reader), c.wants)
		all(t, c, got, err)
		whole(t)
	})
	t.Run("opens nothing with two holders, and says why", func(t *testing.T) {
		c := newChart(t, net, k, 2)
		m[0].down, m[3].down = true, true
		got, _, err := c.open(c.ask(c.reader))
		if !errors.Is(err, release.ErrShort) || peer.KindOf(err) != peer.Unavailable {
			t.Errorf("got %v, want %v", err, release.ErrShort)
		}
		for _, o := range got {
			if o.Secret != nil || !errors.Is(o.Err, release.ErrShort) {
				t.Errorf("got %v, want %v", o.Err, release.ErrShort)
			}
		}
		whole(t)
	})
	t.Run("that gave up is told so of every record", func(t *testing.T) {
		c := newChart(t, net, k, 20)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		got, _, err := release.NewClient(net.genesis, net).Open(ctx, m[0].ledger.NetworkKey, c.ask(c.reader), c.wants)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		for _, o := range got {
			if !errors.Is(o.Err, context.Canceled) {
				t.Errorf("got %v, want %v", o.Err, context.Canceled)
			}
		}
	})
	t.Run("is told that it was revoked", func(t *testing.T) {
		c := newChart(t, net, k, 2)
		a := c.ask(c.reader)
		c.do(c.keys.Owner, &op.Revoke{Grant: c.grant})
		if _, _, err := c.open(a); !errors.Is(err, release.ErrShort) || peer.KindOf(err) != peer.Denied {
			t.Errorf("got %v, want %v", err, peer.Denied)
		}
	})
	for name, wrong := range map[string]func(threshold.Point1) threshold.Point1{"a wrong partial": other, "a partial that is no point": garbage} {
		t.Run("names who gave "+name+", and reads with another's", func(t *testing.T) {
			c := newChart(t, net, k, 5)
			m[2].lie(wrong)
			a := c.ask(c.reader)
			got, incidents, err := c.open(a, func(r *release.Client) { r.First = []int{2}; r.Hedge = time.Minute })
			all(t, c, got, err)
			if len(incidents) != 1 || incidents[0].Member != 2 || incidents[0].Log != c.log {
				t.Errorf("incidents %v, want one of member 2", incidents)
			}
			whole(t)
		})
	}
	t.Run("uses the right partials of a holder that gave a wrong one, if there is no other", func(t *testing.T) {
		c := newChart(t, net, k, 4)
		n := 0
		m[2].lie(func(p threshold.Point1) threshold.Point1 {
			if n++; n == 1 {
				return other(p)
			}
			return p
		})
		m[0].down = true
		got, incidents, err := c.open(c.ask(c.reader))
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(got[0].Err, release.ErrShort) {
			t.Errorf("record 0: got %v, want %v", got[0].Err, release.ErrShort)
		}
		for i := 1; i < len(got); i++ {
			if err := c.reads(i, got[i]); err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
		if len(incidents) != 1 || incidents[0].Member != 2 {
			t.Errorf("incidents %v, want one of member 2", incidents)
		}
		whole(t)
	})
	t.Run("takes no holder's reply for another's", func(t *testing.T) {
		c := newChart(t, net, k, 1)
		a := c.ask(c.reader)
		var stolen []byte
		m[0].mangle = func(_ string, _, reply []byte) []byte { stolen = reply; return reply }
		if _, _, err := c.open(a, func(r *release.Client) { r.First = []int{0} }); err != nil {
			t.Fatal(err)
		}
		m[0].mangle = nil
		m[1].mangle = func(string, []byte, []byte) []byte { return stolen }
		m[3].down = true
		if _, _, err := c.open(a); !errors.Is(err, release.ErrShort) {
			t.Errorf("got %v, want %v", err, release.ErrShort)
		}
		whole(t)
	})
	t.Run("loses only the record whose header was altered", func(t *testing.T) {
		for name, alter := range map[string]func(*envelope.Header){
			"commitment":               func(h *envelope.Header) { h.Com[0]++ },
			"mask of the network lock": func(h *envelope.Header) { h.Network.B[0]++ },
			"point of the network lock": func(h *envelope.Header) {
				u, _, err := threshold.Encapsulate(k.Public(), [32]byte{1})
				if err != nil {
					t.Fatal(err)
				}
				h.Network.U = u
			},
			"point that is none": func(h *envelope.Header) { h.Network.U[5]++ },
			"generation":         func(h *envelope.Header) { h.Network.Gen++ },
			"reader's lock":      func(h *envelope.Header) { h.Readers[0].Lock[3]++ },
		} {
			c := newChart(t, net, k, 3)
			alter(c.wants[1].Header)
			got, incidents, err := c.open(c.ask(c.reader))
			if err != nil || len(incidents) > 0 {
				t.Errorf("%s: error %v, incidents %v", name, err, incidents)
			}
			if !errors.Is(got[1].Err, release.ErrAltered) {
				t.Errorf("%s: got %v, want %v", name, got[1].Err, release.ErrAltered)
			}
			for _, i := range []int{0, 2} {
				if err := c.reads(i, got[i]); err != nil {
					t.Errorf("%s: record %d: %v", name, i, err)
				}
			}
		}
	})
	t.Run("loses only the record that was erased meanwhile", func(t *testing.T) {
		c := newChart(t, net, k, 3)
		a := c.ask(c.reader)
		n := c.wants[1].Entry.Number
		c.do(c.keys.Owner, op.NewBlock(consent.Range{From: n, To: n + 1}))
		got, _, err := c.open(a)
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(got[1].Err, release.ErrShort) || got[1].Secret != nil {
			t.Errorf("the erased record: got %v, want %v", got[1].Err, release.ErrShort)
		}
		for _, i := range []int{0, 2} {
			if err := c.reads(i, got[i]); err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
	})
	t.Run("gets only what the access names", func(t *testing.T) {
		c := newChart(t, net, k, 3)
		n := c.wants[1].Entry.Number
		got, _, err := c.open(c.ask(c.reader, func(b *op.Access) { b.Ranges = []consent.Range{{From: n, To: n + 1}} }))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.reads(1, got[1]); err != nil {
			t.Error(err)
		}
		if got[0].Secret != nil || got[2].Secret != nil {
			t.Error("records outside the access were opened")
		}
	})
}

func benchmarkOpen(b *testing.B, records int) {
	net := newNetwork(b, 4, time.Minute)
	c := newChart(b, net, net.ceremony(), records)
	a := c.ask(c.reader)
	for b.Loop() {
		got, _, err := c.open(a)
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range got {
			if o.Err != nil {
				b.Fatal(o.Err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*records), "µs/record")
}

func BenchmarkReleaseAndOpen1(b *testing.B)   { benchmarkOpen(b, 1) }
func BenchmarkReleaseAndOpen100(b *testing.B) { benchmarkOpen(b, 100) }
