package release_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/release"
	"vitalog/threshold"
	"vitalog/ticket"
)

// chart is one log with records in it, and those who may write and read them.
type chart struct {
	t      testing.TB
	net    *network
	id     key.Network
	netKey *op.NetworkKey
	keys   *key.SectionKeys
	log    key.Log
	writer key.Signer
	reader key.Signer
	grant  uint64 // the reader's
	wants  []release.Want
	blobs  [][]byte
}

func signer() key.Signer {
	var seed [32]byte
	rand.Read(seed[:])
	return key.NewSigning(seed)
}

// newChart enrols a patient, grants, and publishes records.
func newChart(t testing.TB, net *network, k *op.NetworkKey, records int) *chart {
	t.Helper()
	c := &chart{t: t, net: net, id: net.genesis.Network(), netKey: k, keys: key.NewRoot().Section(5), writer: signer(), reader: signer()}
	c.log = c.keys.Log(c.id)
	pk, err := ticket.ParseKey(net.genesis.Members[0].Tickets)
	if err != nil {
		t.Fatal(err)
	}
	q, err := ticket.Blind(0, pk, op.CreateSubject(c.log))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := net.members[0].ring.IssueTicket(q.Blinded)
	if err != nil {
		t.Fatal(err)
	}
	tk, err := q.Finish(sig)
	if err != nil {
		t.Fatal(err)
	}
	c.do(c.keys.Owner, &op.Create{Salt: c.keys.Salt, EpochKey: c.keys.Reader(1).Exchange().Hash(), Ticket: *tk})
	c.do(c.keys.Owner, &op.Grant{Terms: consent.Terms{Key: c.writer.Public(), Rights: consent.Write}})
	c.grant = c.give(consent.Terms{Key: c.reader.Public()})
	c.publish(records)
	return c
}

// do puts one operation in the log and returns the entry that it became.
func (c *chart) do(by key.Signer, b op.Body) *op.Entry {
	c.t.Helper()
	r := c.try(by, b)
	if err := r.Err(); err != nil {
		c.t.Fatalf("%v: %v", b.Kind(), err)
	}
	e, err := c.net.members[0].ledger.Entry(c.log, r.First)
	if err != nil || e == nil {
		c.t.Fatalf("%v: entry %d: %v", b.Kind(), r.First, err)
	}
	return e
}

func (c *chart) try(by key.Signer, b op.Body) ledger.Result {
	return c.net.commit(op.Sign(c.id, by, c.log, c.net.ms()+60_000, b))[0]
}

// give has the owner grant the right to read everything.
func (c *chart) give(t consent.Terms) uint64 {
	c.t.Helper()
	t.Rights |= consent.Read
	t.Ranges = []consent.Range{{From: 0, To: consent.Forever}}
	return c.do(c.keys.Owner, &op.Grant{Terms: t}).Number
}

func content(i int) []byte { return fmt.Appendf(nil, "record %d of the chart", i) }

func (c *chart) publish(records int) {
	c.t.Helper()
	reader := c.keys.Reader(1)
	b := &op.Append{Epoch: 1, NetGen: c.netKey.Gen}
	var headers []*envelope.Header
	for i := range records {
		var blob bytes.Buffer
		x := envelope.NewContext(c.id, c.log, c.writer.Public(), c.net.ms(), false)
		h, err := envelope.Seal(&blob, bytes.NewReader(content(i)), x, envelope.Locks{Reader: reader.Exchange(), Epoch: 1, Network: c.netKey.Public(), NetGen: c.netKey.Gen, Author: c.net.members[0].ring.Author()})
		if err != nil {
			c.t.Fatal(err)
		}
		headers, c.blobs = append(headers, h), append(c.blobs, blob.Bytes())
		b.Records = append(b.Records, op.Record{ID: x.Record(), Core: h.Core(), Blob: h.Blob, Size: 16})
	}
	first := c.do(c.writer, b).Number
	for i, h := range headers {
		e, err := c.net.members[0].ledger.Entry(c.log, first+uint64(i))
		if err != nil {
			c.t.Fatal(err)
		}
		c.wants = append(c.wants, release.Want{Entry: e, Header: h, Epoch: 1, Reader: reader})
	}
}

// records are the entries of all records.
func (c *chart) records() consent.Range {
	first := c.wants[0].Entry.Number
	return consent.Range{From: first, To: first + uint64(len(c.wants))}
}

// entries are the numbers of all records.
func (c *chart) entries() (all []uint64) {
	for n := c.records().From; n < c.records().To; n++ {
		all = append(all, n)
	}
	return all
}

// keep destroys all records, of which their author keeps its copy for a time.
func (c *chart) keep(d time.Duration) {
	c.t.Helper()
	all := c.records()
	n := c.do(c.keys.Owner, op.NewDestroy(all)).Number
	c.do(c.writer, &op.Keep{Destroy: n, Ranges: []consent.Range{all}, Until: c.net.ms() + uint64(d.Milliseconds())})
}

// ask puts an access to all records on the ledger.
func (c *chart) ask(by key.Signer, change ...func(*op.Access)) release.Access {
	c.t.Helper()
	var seed [32]byte
	rand.Read(seed[:])
	a := release.Access{Session: key.NewDecapsulating(seed), Detail: []byte("sealed to the owner: " + rand.Text())}
	b := &op.Access{Ranges: []consent.Range{c.records()}, Session: a.Session.Exchange().Hash(), Detail: sha256.Sum256(a.Detail)}
	for _, f := range change {
		f(b)
	}
	a.Entry = c.do(by, b)
	return a
}

// open is what a reader's program does.
func (c *chart) open(a release.Access, change ...func(*release.Client)) ([]release.Opened, []release.Incident, error) {
	r := release.NewClient(c.net.genesis, c.net)
	for _, f := range change {
		f(r)
	}
	return r.Open(c.t.Context(), c.net.members[0].ledger.NetworkKey, a, c.wants)
}

// reads tells whether what was opened is record i.
func (c *chart) reads(i int, o release.Opened) error {
	if o.Err != nil {
		return o.Err
	}
	r, err := c.wants[i].Header.Open(o.Secret, bytes.NewReader(c.blobs[i]), 1<<20)
	if err != nil {
		return err
	}
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil {
		return err
	}
	if !bytes.Equal(got.Bytes(), content(i)) {
		return fmt.Errorf("record %d reads %q, want %q", i, got.Bytes(), content(i))
	}
	return nil
}

// lie replaces a holder's partials by what wrong makes of them, sealed as the holder would.
func (m *member) lie(wrong func(threshold.Point1) threshold.Point1) {
	m.mangle = func(route string, body, reply []byte) []byte {
		q, err := release.DecodeRequest(body)
		if route != "release" || err != nil {
			return reply
		}
		e, err := m.ledger.Entry(q.Log, q.Number)
		if err != nil {
			panic(err)
		}
		out := &release.Reply{}
		l := m.ledger.NetworkKey(0)
		var given []release.Given
		for _, x := range e.Says.(*op.Accessed).Ranges {
			for n := x.From; n < x.To; n++ {
				r, err := m.ledger.Entry(q.Log, n)
				if err != nil {
					panic(err)
				}
				p, _, err := m.ring.Partial(l.Gen, envelope.ReleaseID(m.net.genesis.Network(), l.Gen, q.Log, r.Signer, r.Says.(*op.Recorded).ID))
				if err != nil {
					panic(err)
				}
				given = append(given, release.Given{Number: n, Part: wrong(p.P)})
			}
		}
		g, err := release.SealGroup(&q.Session, e.Hash(), l.Gen, l.Set, m.number, given)
		if err != nil {
			panic(err)
		}
		out.Groups = append(out.Groups, g)
		return out.Encode()
	}
}
