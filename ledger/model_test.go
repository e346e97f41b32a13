package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
)

// modelLog is what consent means, told as slowly as possible: every question is answered from the list of what happened.
type modelLog struct {
	owner    string
	size     uint64
	epoch    uint32
	grants   []*modelGrant
	accesses []uint64 // grants under which an access was allowed
	erased   map[uint64]bool
	writers  map[uint64]string // of the records, by who is behind the key
	destroys map[uint64][]uint64
	kept     map[uint64]modelKept
	rids     map[string]bool
}

type modelGrant struct {
	entry   uint64
	who     string // behind the key
	terms   consent.Terms
	revoked bool
}

type modelKept struct {
	who   string
	until uint64
}

// keeps tells whether who keeps all of the entries.
func (m *modelLog) keeps(who string, now uint64, entries []uint64) bool {
	for _, n := range entries {
		if k := m.kept[n]; k.who != who || now >= k.until {
			return false
		}
	}
	return true
}

func (m *modelLog) find(entry uint64) *modelGrant {
	for _, g := range m.grants {
		if g.entry == entry {
			return g
		}
	}
	return nil
}

func (m *modelLog) inForce(g *modelGrant, now uint64) bool {
	used := uint32(0)
	for _, a := range m.accesses {
		for x := m.find(a); x != nil; x = m.find(x.terms.Parent) {
			if x == g {
				used++
			}
		}
	}
	if g.revoked || now < g.terms.From || g.terms.Until != 0 && now >= g.terms.Until || g.terms.Uses != 0 && used >= g.terms.Uses {
		return false
	}
	return g.terms.Parent == 0 || m.inForce(m.find(g.terms.Parent), now)
}

func (g *modelGrant) covers(n uint64) bool {
	for _, r := range g.terms.Ranges {
		if r.From <= n && n < r.To {
			return true
		}
	}
	return false
}

// allows is the newest grant under which who may do it, or nil; entries matter to a reader only.
func (m *modelLog) allows(who string, right consent.Rights, now uint64, entries ...uint64) *modelGrant {
	var best *modelGrant
	for _, g := range m.grants {
		ok := g.who == who && g.terms.Rights&right != 0 && m.inForce(g, now)
		for _, n := range entries {
			ok = ok && g.covers(n)
		}
		if ok {
			best = g
		}
	}
	return best
}

func (m *modelLog) known(who string) bool {
	for _, g := range m.grants {
		if g.who == who {
			return true
		}
	}
	return false
}

// random drives a log with operations of which about half are refused, and tells what must become of each.
type random struct {
	*rand.Rand
	w      *world
	logs   []*modelLog
	keys   map[string]string // which key somebody acts with: replaced by rekeying
	serial int
	later  []func() // checks of entries, when they are committed
}

var cast = []string{"hospital", "pharmacy", "lab", "insurer"}

func (r *random) ranges(size uint64) []consent.Range {
	var out []consent.Range
	for n := r.Uint64N(3); n < size && len(out) < 3; n += 1 + r.Uint64N(4) {
		x := consent.Range{From: n, To: min(n+1+r.Uint64N(3), size)}
		out = append(out, x)
		n = x.To + 1
	}
	return out
}

func entriesOf(ranges []consent.Range) (out []uint64) {
	for _, x := range ranges {
		for n := x.From; n < x.To; n++ {
			out = append(out, n)
		}
	}
	return out
}

// step makes an operation, and a function that checks its result against the model and lets the model go on.
func (r *random) step() (*op.Operation, func(ledger.Result) error) {
	w, now := r.w, r.w.clock
	m := r.logs[r.IntN(len(r.logs))]
	log := w.logOf(m.owner)
	who := cast[r.IntN(len(cast))]
	kind := r.IntN(14)
	if kind < 9 && r.IntN(2) == 0 {
		who = m.owner
	}
	owner := who == m.owner
	signer := actor(r.keys[m.owner+who])
	sign := func(b op.Body) *op.Operation {
		return op.Sign(w.g.Network(), signer, log, now+1+r.Uint64N(600_000), b)
	}
	expect := func(ok bool, then func(ledger.Result)) func(ledger.Result) error {
		return func(res ledger.Result) error {
			if (res.Code == ledger.OK) != ok {
				return fmt.Errorf("%s in the log of %s: got %v, the model says %v", who, m.owner, res.Err(), ok)
			}
			if ok {
				if res.Count > 0 && res.First != m.size { // a refusal that is only counted is nowhere
					return fmt.Errorf("entry %d, the model has %d", res.First, m.size)
				}
				m.size += uint64(res.Count)
				then(res)
			}
			return nil
		}
	}
	switch kind {
	case 0, 1, 2: // append
		r.serial++
		rid := fmt.Sprintf("%s record %d", m.owner, r.serial-r.IntN(2))
		b := &op.Append{Epoch: m.epoch - uint32(r.IntN(8)/7), NetGen: 1, Records: []op.Record{{ID: key.Record(seed(rid))}}}
		ok := (owner || m.allows(who, consent.Write, now) != nil) && b.Epoch == m.epoch && !m.rids[rid]
		return sign(b), expect(ok, func(res ledger.Result) { m.rids[rid], m.writers[res.First] = true, who })
	case 3, 4: // grant
		to := cast[r.IntN(len(cast))]
		t := consent.Terms{Key: actor(r.keys[m.owner+to]).Public(), Rights: 1 + consent.Rights(r.IntN(int(consent.AllRights))), Uses: uint32(r.IntN(4))}
		if t.Rights&consent.Read != 0 {
			t.Ranges = []consent.Range{{From: r.Uint64N(4), To: 5 + r.Uint64N(20)}}
		}
		if r.IntN(2) == 0 {
			t.Until = now + r.Uint64N(100_000)
			t.From = t.Until - min(t.Until, 1+r.Uint64N(100_000))
		}
		ok := owner
		if !owner && len(m.grants) > 0 {
			parent := m.grants[r.IntN(len(m.grants))]
			t.Parent = parent.entry
			if r.IntN(2) == 0 { // make it likely that it fits
				t.Rights, t.Ranges, t.From, t.Until = parent.terms.Rights, parent.terms.Ranges, parent.terms.From, parent.terms.Until
			}
			ok = parent.who == who && parent.terms.Rights&consent.SubGrant != 0 && m.inForce(parent, now) && m.depth(parent) < op.MaxDelegation &&
				parent.within(t)
		}
		return sign(&op.Grant{Terms: t}), expect(ok, func(res ledger.Result) { m.grants = append(m.grants, &modelGrant{entry: res.First, who: to, terms: t}) })
	case 5: // revoke
		b := &op.Revoke{Grant: r.Uint64N(m.size)}
		g := m.find(b.Grant)
		ok := g != nil && !g.revoked && (owner || g.terms.Parent != 0 && m.find(g.terms.Parent).who == who)
		return sign(b), expect(ok, func(ledger.Result) { g.revoked = true })
	case 6: // rotate
		b := &op.Rotate{Epoch: m.epoch + 1 + uint32(r.IntN(4)/3)}
		return sign(b), expect(owner && b.Epoch == m.epoch+1, func(ledger.Result) { m.epoch++ })
	case 7: // block or destroy
		rs := r.ranges(m.size)
		if len(rs) == 0 {
			break
		}
		ok := owner || m.known(who)
		for _, n := range entriesOf(rs) {
			by, record := m.writers[n]
			ok = ok && record && (owner || by == who)
		}
		b, destroy := op.Body(op.NewBlock(rs...)), r.IntN(2) == 0
		if destroy {
			b = op.NewDestroy(rs...)
		}
		return sign(b), expect(ok, func(res ledger.Result) {
			for _, n := range entriesOf(rs) {
				m.erased[n] = true
			}
			if destroy {
				m.destroys[res.First] = entriesOf(rs)
			}
		})
	case 9: // keep
		b := &op.Keep{Until: now + r.Uint64N(50_000)}
		for n := range m.size { // the newest destroy, and most often what it names
			if d := m.destroys[n]; d != nil {
				if b.Destroy, b.Ranges = n, r.ranges(m.size); r.IntN(4) > 0 {
					b.Ranges, who = []consent.Range{{From: d[0], To: d[0] + 1}}, m.writers[d[0]]
				}
			}
		}
		owner, signer = who == m.owner, actor(r.keys[m.owner+who])
		if len(b.Ranges) == 0 || owner && r.IntN(4) > 0 {
			break
		}
		ok := !owner && m.known(who) && b.Until > now
		for _, n := range entriesOf(b.Ranges) {
			ok = ok && m.writers[n] == who && slices.Contains(m.destroys[b.Destroy], n)
		}
		return sign(b), expect(ok, func(ledger.Result) {
			for _, n := range entriesOf(b.Ranges) {
				m.kept[n] = modelKept{who, b.Until}
			}
		})
	case 8: // rekey
		if owner {
			break
		}
		r.serial++
		next := fmt.Sprintf("%s %d", who, r.serial)
		b := op.NewRekeyGrantee(w.g.Network(), log, signer.Public(), actor(next))
		return sign(b), expect(m.known(who), func(ledger.Result) { r.keys[m.owner+who] = next })
	}
	rs := r.ranges(m.size)
	if len(rs) == 0 {
		rs = []consent.Range{{From: 0, To: 1}}
	}
	entries := entriesOf(rs)
	o := sign(&op.Access{Ranges: rs})
	if owner || !m.known(who) {
		return o, expect(false, nil)
	}
	g := m.allows(who, consent.Read, now, entries...)
	for _, n := range entries {
		if m.erased[n] {
			g = nil
		}
	}
	if m.keeps(who, now, entries) {
		g = &modelGrant{}
	}
	return o, expect(true, func(res ledger.Result) {
		if g != nil {
			m.accesses = append(m.accesses, g.entry)
		}
		r.decided(log, res, g)
	})
}

// decided remembers what the entry of an access must say; the entry is only there after the commit.
func (r *random) decided(log key.Log, res ledger.Result, g *modelGrant) {
	r.later = append(r.later, func() {
		if res.Count == 0 {
			if g != nil {
				r.w.t.Errorf("an access that the model allows left no entry")
			}
			return
		}
		e, err := r.w.l.Entry(log, res.First)
		if err != nil {
			r.w.t.Error(err)
			return
		}
		says := e.Says.(*op.Accessed)
		if (says.Why == consent.Allowed) != (g != nil) || g != nil && says.Grant != g.entry {
			r.w.t.Errorf("%v entry %d says %v under %d, the model %v", log, e.Number, says.Why, says.Grant, g)
		}
	})
}

func (m *modelLog) depth(g *modelGrant) (n int) {
	for ; g != nil; g = m.find(g.terms.Parent) {
		n++
	}
	return n
}

func (g *modelGrant) within(t consent.Terms) bool {
	p := g.terms
	for _, x := range t.Ranges {
		for n := x.From; n < x.To; n++ {
			if !g.covers(n) {
				return false
			}
		}
	}
	ends := p.Until == 0 || t.Until != 0 && t.Until <= p.Until
	return t.Rights&p.Rights == t.Rights && t.From >= p.From && ends
}

func TestThreeLedgersAndTheModelAgree(t *testing.T) {
	seeds, blocks := 12, 60
	if testing.Short() {
		seeds = 2
	}
	for s := range seeds {
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			g := founders(1)
			one, reopened, again := newWorld(t, g), newWorld(t, g), newWorld(t, g)
			r := &random{Rand: rand.New(rand.NewPCG(uint64(s), 7)), w: one, keys: map[string]string{}}
			var setup []*op.Operation
			for _, o := range []string{"ann", "bob"} {
				setup = append(setup, one.create(o))
				r.logs = append(r.logs, &modelLog{owner: o, size: 1, epoch: 1, erased: map[uint64]bool{}, writers: map[uint64]string{}, destroys: map[uint64][]uint64{}, kept: map[uint64]modelKept{}, rids: map[string]bool{}})
				r.keys[o+o] = o
				for _, who := range cast {
					r.keys[o+who] = who
				}
			}
			_, reveal := one.dealing(0, 1)
			for _, b := range []op.Body{hello(0), commitTo(0, reveal), reveal, &op.Verdict{Gen: 1}} {
				setup = append(setup, one.ceremony(0, b))
			}
			for _, w := range []*world{one, reopened, again} {
				w.block(setup...)
			}
			accepted, total := 0, 0
			for range blocks {
				one.clock += r.Uint64N(20_000) * r.Uint64N(2) // a whole hour would roll the counts of refusals
				reopened.clock, again.clock = one.clock, one.clock
				// The model knows what an operation becomes only after those before it, so blocks are built one operation at a time: each
				// candidate is appended, the block executed again from the committed state, and its last result compared.
				var ops []*op.Operation
				for range r.IntN(6) {
					o, check := r.step()
					ops = append(ops, o)
					results, _, err := one.l.Execute(one.l.Height()+1, one.clock, ops)
					if err != nil {
						t.Fatal(err)
					}
					last := results[len(results)-1]
					if err := check(last); err != nil {
						t.Fatalf("%v: %v", o.Body.Kind(), err)
					}
					total++
					if last.Code == ledger.OK {
						accepted++
					}
				}
				want, _ := one.block(ops...)
				for _, check := range r.later {
					check()
				}
				r.later = nil
				reopened.reopen()
				for _, o := range ops {
					_ = again.l.Check(o)
				}
				if _, _, err := again.l.Execute(again.l.Height()+1, again.clock+77, ops[:len(ops)/2]); err != nil {
					t.Fatal(err)
				}
				for name, w := range map[string]*world{"reopened": reopened, "executed twice": again} {
					got, _ := w.block(ops...)
					if !reflect.DeepEqual(got, want) || w.l.AppHash() != one.l.AppHash() {
						t.Fatalf("height %d: the ledger that was %s has another result or app hash", one.l.Height(), name)
					}
				}
			}
			if accepted < total/4 {
				t.Errorf("only %d of %d operations were accepted: the sequence tells little", accepted, total)
			}
			for _, m := range r.logs {
				if h, err := one.l.Head(one.logOf(m.owner)); err != nil || h.Size != m.size || len(h.Grants) != len(m.grants) || h.Epoch != m.epoch {
					t.Errorf("head %+v of %s, the model has %d entries and %d grants: %v", h, m.owner, m.size, len(m.grants), err)
				}
			}
		})
	}
}
