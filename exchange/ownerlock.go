package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/release"
	"vitalog/section"
)

// claimReason is what the patient reads in the rows that a claim leaves.
const claimReason = "The patient claims the chart: the records get a lock that the patient's own key opens."

const (
	maxSkew = uint64(10 * 60 * 1000) // ms that the time of a question for owner locks may be off
	catchUp = 3 * time.Second        // that it waits for the block that makes who asks the owner
)

// ownerLocks makes owner locks of records for the owner of their log, who has asked for them: under this member's own grants, with a row in
// the log like every other reading.
//
//	(1) the access is committed  (2) k members release  (3) the secret is sealed to the owner's key; no content is opened
func (m *Member) ownerLocks(ctx context.Context, body []byte) ([]byte, error) {
	q, err := m.askedByOwner(ctx, body)
	if err != nil {
		return nil, err
	}
	if err := m.forget(q.Chart); err != nil { // if it was not yet
		return nil, err
	}
	c, err := m.index.chart(q.Chart)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, ErrNotShared
	}
	for s, st := range c.Sections {
		if st.Log == q.Log {
			locks, err := m.lockFor(ctx, c, s, q)
			if err != nil {
				return nil, err
			}
			return grant.EncodeGiven(locks), nil
		}
	}
	return nil, ErrNotShared
}

// askedByOwner reads what was asked, which an owner of the log has signed. Here the ledger may be a block behind that of who has just become the owner.
func (m *Member) askedByOwner(ctx context.Context, body []byte) (*grant.Locks, error) {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	for {
		m.mu.Lock()
		moved := m.moved
		m.mu.Unlock()
		q, err := grant.DecodeLocks(body, m.network, uint16(m.number), m.ownersOf)
		if errors.Is(err, op.ErrSignature) {
			select {
			case <-moved:
				continue
			case <-ctx.Done():
			}
		}
		if errors.Is(err, ErrNotShared) {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if now := nowMillis(); q.At+maxSkew < now || now+maxSkew < q.At {
			return nil, fmt.Errorf("%w: owner locks were asked for more than ten minutes ago, or in the future", ErrInvalid)
		}
		return q, nil
	}
}

func (m *Member) ownersOf(q *grant.Locks) ([]key.Verifier, error) {
	head, err := m.node.Ledger().Head(q.Log)
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, ErrNotShared
	}
	return head.Owners, nil
}

// lockFor gives a lock for each of the entries, nil for one that is not shared or does not open.
func (m *Member) lockFor(ctx context.Context, c *chartState, s section.Section, q *grant.Locks) ([][]byte, error) {
	at := map[uint64]int{}
	var records []*op.Entry
	for i, n := range q.Entries {
		e, err := m.node.Ledger().Entry(q.Log, n)
		if err != nil {
			return nil, err
		}
		if e != nil && isRecord(e) {
			records, at[n] = append(records, e), i
		}
	}
	records = m.lockless(ctx, records)
	out := make([][]byte, len(q.Entries))
	if len(records) == 0 {
		return out, nil
	}
	for _, purpose := range c.Sections[s].Purposes {
		l, err := m.look(q.Log, purpose)
		if err != nil {
			return nil, err
		}
		if len(l.inForce) == 0 {
			continue
		}
		plans := l.plans(s, q, records)
		who := Asker{Name: m.Name(), Role: "custodian", Purpose: purpose, Reason: claimReason, Machine: true}
		if err := m.submitAccesses(ctx, who, plans); err != nil { // (1)
			return nil, err
		}
		for _, p := range plans {
			if p.refused == nil {
				if err := m.lockAll(ctx, c, p, q.Owner, func(e *op.Entry, lock []byte) { out[at[e.Number]] = lock }); err != nil {
					return nil, err
				}
			}
		}
		break // the keys of another purpose are of the same member
	}
	return out, nil
}

// lockless are the records whose headers are here and have no owner lock: nothing is asked of the network for the others.
func (m *Member) lockless(ctx context.Context, records []*op.Entry) []*op.Entry {
	if missing, err := m.fetchHeaders(ctx, records); len(missing) > 0 && err != nil {
		m.log.Warn("fetching headers", "missing", len(missing), "err", err)
	}
	return slices.DeleteFunc(records, func(e *op.Entry) bool {
		h, err := m.ownHeader(e)
		return err != nil || h.Owner != nil
	})
}

// plans are the accesses to records, under the grants that cover them. What none covers is left out.
func (l *look) plans(s section.Section, q *grant.Locks, records []*op.Entry) (out []*plan) {
	for _, y := range l.share(l.standing(records)) {
		if y.grant == nil {
			continue
		}
		for _, part := range cut(y.records, func(_, _ consent.Range) bool { return false }) {
			out = append(out, &plan{section: s, log: q.Log, signer: l.signer, owner: q.Owner, grant: y.grant.Entry, ranges: part.ranges, records: part.records, lacking: part.records})
		}
	}
	return out
}

// lockAll has an allowed access released, and seals what it gave to the owner.
func (m *Member) lockAll(ctx context.Context, c *chartState, p *plan, owner *key.Exchange, give func(*op.Entry, []byte)) error {
	o := &opening{plan: p, readers: map[uint32]key.Opener{}}
	var wants []release.Want
	for _, e := range p.lacking {
		h, err := m.ownHeader(e)
		if err != nil {
			continue
		}
		w := release.Want{Entry: e, Header: h}
		if w.Reader, w.Epoch, err = m.readerFor(c, o, h); err == nil {
			wants = append(wants, w)
		}
	}
	results, incidents, err := m.release.Open(ctx, m.node.Ledger().NetworkKey, release.Access{Entry: p.access, Detail: p.detail, Session: p.session}, wants) // (2)
	for _, i := range incidents {
		m.log.Warn("a member released wrongly", "member", i.Member, "log", i.Log.String(), "entry", i.Entry)
	}
	if err != nil {
		return m.ended(p, err)
	}
	for i, w := range wants {
		if results[i].Err != nil {
			m.log.Warn("a record got no owner lock", "log", w.Entry.Log.String(), "entry", w.Entry.Number, "err", results[i].Err)
			continue
		}
		h := *w.Header
		if err := h.Relock(results[i].Secret, envelope.Locks{Owner: owner}); err != nil { // (3)
			return err
		}
		give(w.Entry, h.Owner)
	}
	return nil
}
