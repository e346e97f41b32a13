package exchange

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"vitalog/chart"
	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"

	"golang.org/x/sync/errgroup"
)

// maxContent is how much plaintext one record may hold: a resource of 64 MiB and what goes with it.
const maxContent = 80 << 20

// Want is what an asker asks for: whole sections, or some entries of one.
type Want struct {
	Sections []section.Section
	Also     []section.Section // where something may be too: opened if they are shared, tried only if there is a key for none of Sections
	Entries  []uint64          // with exactly one section: only these
}

// Open reads records of a chart: of the sections that are shared with this purpose, or, where none of them is, it asks for all that the
// member has a key for, so that the refusal is on the ledger. It, OpenBinary, which opens one record as a stream, and OpenCopy, which opens what this
// member keeps as an author, are the only functions of a member that open an envelope, all after submitAccesses.
//
//	(1) the access is submitted; every validator decides; the entry, allowed or refused, is committed
//	(2) k members release, each after looking into its own ledger
//	(3) ciphertext and headers come from the own store or another member, verified
//	(4) the records are opened, and kept in memory for the next reading
//	(5) an access to nothing but what was in memory already is in the outbox, from where it gets to the ledger within seconds
//	(6) the records are folded into a chart
//
// Crash points: before (1) nothing happened; after it a trace stands there and nothing was read. After (5) the next start puts it on the
// ledger. The caller closes what it got.
func (m *Member) Open(ctx context.Context, who Asker, chartID string, want Want) (*Opened, error) {
	c, err := m.index.chart(chartID)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, ErrNotShared
	}
	r, err := m.begin(ctx, who, c, want)
	if err != nil {
		return nil, err
	}
	out, err := m.read(ctx, r)
	if err != nil {
		r.lease.end()
		return nil, err
	}
	return out, nil
}

// read has the order of effects: see Open.
func (m *Member) read(ctx context.Context, r *reading) (*Opened, error) {
	out := &Opened{lease: r.lease}
	err := m.openLacking(ctx, r, out) // (1) to (4)
	m.land(r)                         // also of a reading that failed
	if err != nil {
		return nil, err
	}
	return m.finish(ctx, r, out)
}

// finish answers with what was opened and what was in memory.
func (m *Member) finish(ctx context.Context, r *reading, out *Opened) (*Opened, error) {
	if err := m.note(ctx, r, out); err != nil { // (5)
		return nil, err
	}
	var opened, records []chart.Opened
	for _, p := range r.plans {
		opened = append(opened, p.opened...)
		if records = append(records, p.opened...); p.refused == nil {
			records = append(records, p.held...)
		}
	}
	out.Chart = r.answer(records) // (6)
	if len(opened) == 0 {
		return out, nil
	}
	return out, m.learn(r.state.ID, opened, out.Chart)
}

// wideAccess is how many records make an access one that is released alone.
const wideAccess = 250

// openLacking puts the accesses that are not for the outbox on the ledger and opens the records that are not open yet.
func (m *Member) openLacking(ctx context.Context, r *reading, out *Opened) error {
	plans := slices.DeleteFunc(slices.Clone(r.plans), func(p *plan) bool { return p.further })
	if err := m.ask(ctx, r, plans, out); err != nil { // (1)
		return err
	}
	failed := make([][]error, len(plans))
	errs := make([]error, len(plans))
	var g errgroup.Group
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	var wide sync.Mutex // each keeps all holders busy for seconds: side by side they would run out of time together
	for i, p := range plans {
		if p.refused == nil && len(p.lacking) > 0 {
			g.Go(func() error {
				if len(p.lacking) >= wideAccess {
					wide.Lock()
					defer wide.Unlock()
				}
				p.opened, failed[i], errs[i] = m.openPlan(ctx, r.state, p) // one section that fails doesn't take the others with it
				return nil
			})
		}
	}
	_ = g.Wait() // none fails
	none := !slices.ContainsFunc(r.plans, func(p *plan) bool { return p.refused == nil && len(p.held)+len(p.opened) > 0 })
	if err := errors.Join(errs...); err != nil && (none || ctx.Err() != nil) {
		return err
	}
	for i, err := range errs {
		if refused, ok := errors.AsType[*Refused](err); ok { // ended between access and release
			out.Refused = append(out.Refused, refused)
		} else {
			out.Errors = append(out.Errors, failed[i]...)
		}
	}
	return nil
}

// ask submits the accesses of some plans and notes their rows in out. If all of the reading is refused now its error is the last refusal.
func (m *Member) ask(ctx context.Context, r *reading, plans []*plan, out *Opened) error {
	if err := m.submitAccesses(ctx, r.who, plans); err != nil {
		return err
	}
	for _, p := range plans {
		if p.refused != nil {
			out.Refused = append(out.Refused, p.refused)
		}
		if p.access != nil {
			out.Rows = append(out.Rows, Row{Log: p.log, Entry: p.access.Number, Block: p.block, Records: len(p.records), Section: p.section})
		}
	}
	if n := len(out.Refused); n > 0 && n == len(r.plans) {
		return out.Refused[n-1]
	}
	return nil
}

// sign makes a plan's access: who and why, sealed to the patient, and the operation that has its hash.
func (m *Member) sign(who Asker, p *plan) (*op.Operation, error) {
	d := grant.Detail{Practitioner: who.Practitioner, Name: who.Name, Role: who.Role, Member: uint16(m.number), Organisation: m.Name(),
		Purpose: who.Purpose, Reason: who.Reason, Machine: who.Machine}
	if d.Machine {
		d.Practitioner = "" // nobody asked
	}
	further := len(p.lacking) == 0
	var session wire.Hash
	if further {
		rand.Read(session[:]) // nothing is released
	} else {
		var seed [32]byte
		rand.Read(seed[:])
		p.session = key.NewDecapsulating(seed)
		session = p.session.Exchange().Hash()
	}
	var err error
	p.detail, err = d.Seal(p.owner, m.ring.Member(), grant.Use{Network: m.network, Log: p.log, Session: session, Grantee: p.signer.Public()})
	if err != nil {
		return nil, fmt.Errorf("%w: access detail: %w", ErrInvalid, err)
	}
	h := grant.Hash(p.detail)
	if err := m.index.noteAsked(h, who); err != nil {
		return nil, err
	}
	return op.Sign(m.network, p.signer, p.log, expiry(), &op.Access{Grant: p.grant, Further: further, Ranges: p.ranges, Session: session, Detail: h}), nil
}

// submitAccesses puts the plans' accesses on the ledger, all at once, and notes the decisions.
func (m *Member) submitAccesses(ctx context.Context, who Asker, plans []*plan) error {
	ops, details := make([]*op.Operation, len(plans)), make([][]byte, len(plans))
	for i, p := range plans {
		var err error
		if ops[i], err = m.sign(who, p); err != nil {
			return err
		}
		details[i] = p.detail
	}
	if len(ops) == 0 {
		return nil
	}
	if err := m.store.PutAll(details); err != nil {
		return fmt.Errorf("storing the access details: %w", err)
	}
	results, err := m.node.Submit(ctx, ops...)
	if err != nil {
		return fmt.Errorf("putting the access on the ledger: %w", err)
	}
	for i, r := range results {
		if err := notTaken(r.Err()); err != nil {
			return err
		}
		if r.Count == 0 {
			plans[i].refused = m.counted(plans[i])
			continue
		}
		e, err := m.node.Ledger().Entry(r.Log, r.First)
		if err != nil {
			return err
		}
		plans[i].access = e
		if plans[i].block, err = m.node.Ledger().BlockOf(r.Log, r.First); err != nil {
			return err
		}
		if said := e.Says.(*op.Accessed); said.Why != consent.Allowed {
			plans[i].refused = &Refused{Why: said.Why, Log: r.Log, Entry: r.First, Block: plans[i].block}
		}
	}
	return nil
}

// notTaken is why the ledger doesn't write an access down.
func notTaken(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ledger.NotGranted) || errors.Is(err, ledger.UnknownLog) {
		return ErrNotShared
	}
	return fmt.Errorf("putting the access on the ledger: %w", err)
}

// counted is a refusal that the ledger only counts, because there were many within the hour. Why is this member's own reading of the grants.
func (m *Member) counted(p *plan) *Refused {
	out := &Refused{Log: p.log, Why: consent.NoRight, Block: m.node.Ledger().Height()}
	if why, err := m.decide(p); err == nil && why != consent.Allowed {
		out.Why = why
	}
	return out
}

// decide is what the validators would say of an access now, as far as this member knows.
func (m *Member) decide(p *plan) (consent.Reason, error) {
	head, err := m.node.Ledger().Head(p.log)
	if err != nil || head == nil {
		return consent.NoGrant, err
	}
	q := consent.Request{Key: p.signer.Public(), Grant: p.grant, Right: consent.Read, Ranges: p.ranges, Now: nowMillis()}
	_, why := consent.Decide(head.Terms(), head.Erased, q)
	return why, nil
}
