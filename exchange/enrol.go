package exchange

import (
	"context"
	"fmt"
	"slices"

	"vitalog/chart"
	"vitalog/consent"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"
)

// Newcomer is a patient whose keys were drawn and who is not enrolled yet.
type Newcomer struct {
	ID    string // of the chart
	state *chartState
	known []string // identifiers, "system|value"
}

// NewPatient draws the keys of a patient who has no app yet. Nothing is written: see Keep and Enrol. The identifiers, "system|value", lead to
// the chart as soon as it is kept.
func (m *Member) NewPatient(identifiers ...string) (*Newcomer, error) {
	wrapped, patient, err := m.ring.NewPatient()
	if err != nil {
		return nil, fmt.Errorf("enrolling a patient: %w", err)
	}
	h := handleOf(patient)
	c := &chartState{ID: patient.ChartID(), Custody: wrapped, Enrolling: expiry(), Inbox: h.Inbox, InboxKey: h.Key, Sections: map[section.Section]*sectionState{}}
	for _, s := range section.Clinical() {
		c.Sections[s] = &sectionState{Log: patient.Log(s), Owner: patient.Private(s).Exchange()[:]}
	}
	return &Newcomer{ID: c.ID, state: c, known: identifiers}, nil
}

// Enrol takes a patient who has no app yet into this member's custody, and returns the id of the new chart. The logs carry no owner
// lock: until the patient claims them this member reads as a traced grantee, like everybody else.
//
// Crash points: the wrapped root is durable before the first log exists, so nothing that is on the ledger is lost; what a crash leaves
// is completed by the first publication into the chart.
func (m *Member) Enrol(ctx context.Context) (chartID string, err error) {
	n, err := m.NewPatient()
	if err != nil {
		return "", err
	}
	if err := m.Keep("", nil, n); err != nil {
		return "", err
	}
	if _, err := m.Publish(ctx, Asker{}, n.ID, nil); err != nil {
		return "", fmt.Errorf("enrolling a patient: %w", err)
	}
	return n.ID, nil
}

// ready is a chart to be written to. While its patient is not enrolled one caller has it at a time, until done: two would seal the note about
// the keys differently under one id.
func (m *Member) ready(ctx context.Context, chartID string) (c *chartState, done func(), err error) {
	for {
		if c, err = m.index.chart(chartID); err != nil {
			return nil, nil, err
		}
		if c == nil {
			return nil, nil, ErrNotShared
		}
		if c.Enrolling == 0 {
			return c, func() {}, nil
		}
		busy, done := m.index.hold(chartID)
		if busy == nil {
			c, err = m.index.chart(chartID) // it may have been completed meanwhile
			return c, done, err
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// hold takes a chart for one caller, or tells when the one who has it is done.
func (x *index) hold(chartID string) (busy chan struct{}, done func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if busy := x.held[chartID]; busy != nil {
		return busy, nil
	}
	mine := make(chan struct{})
	x.held[chartID] = mine
	return nil, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.held, chartID)
		close(mine)
	}
}

// enrolment is what is still to be done for a patient: logs for every section, also for those that stay empty, so that a missing one tells
// nothing; a grant to this member for treatment; the note for the patient, once they claim the chart, who is behind the keys.
type enrolment struct {
	m       *Member
	chart   string
	patient *keyring.Patient
	expires uint64 // of the operations
	before  map[section.Section][]*op.Operation
}

// enrolment prepares what the ledger does not have yet. The reader keys are durable when it returns.
func (m *Member) enrolment(c *chartState) (*enrolment, error) {
	patient, err := m.ring.Patient(c.Custody)
	if err != nil {
		return nil, err
	}
	expires, err := m.enrolmentExpiry(c)
	if err != nil {
		return nil, err
	}
	x := &enrolment{m: m, chart: c.ID, patient: patient, expires: expires, before: map[section.Section][]*op.Operation{}}
	var keys [][]byte
	for _, s := range section.All() {
		log := patient.Log(s)
		head, err := m.node.Ledger().Head(log)
		if err != nil {
			return nil, err
		}
		if head == nil {
			t, err := m.ring.Ticket(uint16(m.number), op.CreateSubject(log))
			if err != nil {
				return nil, err
			}
			reader := patient.ReaderPublic(s, 1)
			keys = append(keys, reader[:], patient.Private(s).Exchange()[:])
			x.before[s] = append(x.before[s], op.Sign(m.network, patient.Owner(s), log, expires, &op.Create{Salt: patient.Salt(s), EpochKey: reader.Hash(), Ticket: *t}))
		}
		terms := consent.Terms{Key: m.ring.Grantee(log, Treat).Public(), Rights: consent.Read | consent.Write, Ranges: []consent.Range{{To: consent.Forever}}}
		granted := head != nil && slices.ContainsFunc(head.Terms(), func(g consent.Grant) bool { return g.Key == terms.Key })
		if !granted && slices.Contains(section.Clinical(), s) {
			nonce := m.Derive("enrolment", log.String())
			x.before[s] = append(x.before[s], op.SignAgain(m.network, patient.Owner(s), log, expires, [16]byte(nonce[:]), &op.Grant{Terms: terms}))
		}
	}
	return x, m.store.PutAll(keys)
}

// enrolmentExpiry is the expiry of the operations of an enrolment: that of the first attempt, so that they are the same operations and the
// ledger takes them once, until they are void.
func (m *Member) enrolmentExpiry(c *chartState) (uint64, error) {
	expires := c.Enrolling
	if expires >= m.node.Ledger().Clock() && expires+uint64(op.MaxClockSkew.Milliseconds()) >= nowMillis() {
		return expires, nil
	}
	expires = expiry()
	return expires, m.index.update(c.ID, func(c *chartState) error {
		c.Enrolling = expires
		return nil
	})
}

// join puts the operations before what is published into the same logs. The note is the draft of that number.
func (x *enrolment) join(parts []*part, number int) (all []*part, note Draft, err error) {
	bySection := map[section.Section]*part{}
	for _, p := range parts {
		bySection[p.section] = p
	}
	for _, s := range section.All() {
		p := bySection[s]
		if p == nil {
			p = &part{writer: writer{log: x.patient.Log(s)}, section: s}
		}
		p.before = x.before[s]
		p.reader = func(epoch uint32) *key.Exchange { return x.patient.ReaderPublic(s, epoch) }
		if s == section.Index {
			p.signer, p.sign, p.owner = x.patient.Owner(s), x.patient.Owner(s), x.patient.Private(s).Exchange()
			p.author, p.drafts = chart.Author{}, []int{number}
			p.again = &again{Once: Once{Key: "enrolment", At: x.expires - uint64(patience.Milliseconds())}, m: x.m, chart: x.chart, section: s}
		}
		all = append(all, p)
	}
	note, err = x.note()
	return all, note, err
}

// note says who is behind the keys: this member, in every section.
func (x *enrolment) note() (Draft, error) {
	var own note
	for _, s := range section.Clinical() {
		i, err := x.m.introduce(x.patient.Log(s), Treat)
		if err != nil {
			return Draft{}, err
		}
		own.Introductions = append(own.Introductions, i.Encode())
	}
	return own.draft()
}

// complete notes that nothing is left to be done.
func (x *enrolment) complete() error {
	return x.m.index.update(x.chart, func(c *chartState) error {
		c.Enrolling = 0
		for _, st := range c.Sections {
			if !slices.Contains(st.Purposes, Treat) {
				st.Purposes = append(st.Purposes, Treat)
			}
		}
		return nil
	})
}

// Custody is the chart of a patient in this member's custody, with the patient's powers; ErrNotShared for every other chart, and from the moment
// in which the patient claims it.
func (m *Member) Custody(chartID string) (*Patient, error) {
	c, err := m.index.chart(chartID)
	if err != nil {
		return nil, err
	}
	if c == nil || c.Custody == nil || c.claimed() {
		return nil, ErrNotShared
	}
	keys, err := m.ring.Patient(c.Custody)
	if err != nil {
		return nil, err
	}
	return &Patient{home: m, keys: keys, network: m.network, custodial: true}, nil
}
