package exchange_test

import (
	"context"
	"net/http"
	"testing"

	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/exchange"
	"vitalog/home"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
	"vitalog/threshold"
	"vitalog/wire"
)

// liar is a home member that relays, but for what a test has it say. Fields that are nil are honest.
type liar struct {
	exchange.Home
	head    func(*op.Head)
	entries func([]exchange.Placed) []exchange.Placed
	submit  func([]*op.Operation) []ledger.Result
	header  func(*envelope.Header) *envelope.Header
	key     func(*op.NetworkKey)
}

func (l *liar) NetworkKey(ctx context.Context) (*op.NetworkKey, wire.Hash, error) {
	k, before, err := l.Home.NetworkKey(ctx)
	if err == nil && l.key != nil {
		l.key(k)
	}
	return k, before, err
}

func (l *liar) Head(ctx context.Context, log key.Log) (*op.Head, error) {
	h, err := l.Home.Head(ctx, log)
	if err == nil && l.head != nil {
		l.head(h)
	}
	return h, err
}

func (l *liar) Entries(ctx context.Context, log key.Log, from, to uint64) ([]exchange.Placed, error) {
	e, err := l.Home.Entries(ctx, log, from, to)
	if err == nil && l.entries != nil {
		e = l.entries(e)
	}
	return e, err
}

func (l *liar) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	if l.submit != nil {
		return l.submit(ops), nil
	}
	return l.Home.Submit(ctx, ops...)
}

func (l *liar) Header(ctx context.Context, log key.Log, record key.Record) (*envelope.Header, error) {
	h, err := l.Home.Header(ctx, log, record)
	if err == nil && l.header != nil {
		h = l.header(h)
	}
	return h, err
}

// A home member that lies is found out, or its lie changes nothing.
func TestAHomeMemberThatLiesIsFoundOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.chart(t, ctx, w.pulse(t), w.pulse(t))
	w.opens(t, ctx, 2)
	w.settle(t, ctx)
	n := w.Nodes[3]
	lies := &liar{Home: home.Dial(n.Config.URL(), n.Genesis, n.Number, http.DefaultClient)}
	p := exchange.NewPatient(lies, w.keys)
	var kept *envelope.Header
	for name, lie := range map[string]liar{
		"a head without the last entry": {head: func(h *op.Head) { h.Size-- }, entries: short},
		"a log without its last entry":  {entries: short},
		"a log without its first":       {entries: func(e []exchange.Placed) []exchange.Placed { return e[min(1, len(e)):] }},
		"an empty log":                  {head: func(h *op.Head) { h.Size = 0 }, entries: func([]exchange.Placed) []exchange.Placed { return nil }},
	} {
		lie.Home = lies.Home
		*lies = lie
		if log, err := p.Activity(ctx); err == nil {
			t.Errorf("%s: the patient sees %d rows, proven: %v", name, len(log.Rows), log.Proven)
		}
		if c, _, err := p.Record(ctx, section.Vitals); err == nil {
			t.Errorf("%s: the patient sees %d resources", name, c.Len())
		}
		if _, err := p.Sharing(ctx); err == nil {
			t.Errorf("%s: the patient sees what is shared", name)
		}
	}

	*lies = liar{Home: lies.Home, header: func(h *envelope.Header) *envelope.Header { // every record has the first one's header
		if kept == nil {
			kept = h
		}
		return kept
	}}
	if c, failed, err := p.Record(ctx, section.Vitals); err != nil || c.Len() != 1 || len(failed) != 1 {
		t.Errorf("headers exchanged: %d resources, %v, %v", c.Len(), failed, err)
	}

	// A head that forgets the grants, or names an epoch that there isn't, changes neither what is shown nor what is granted.
	*lies = liar{Home: lies.Home, head: func(h *op.Head) { h.Grants, h.Epoch = nil, 1<<31 }}
	if all, err := p.Sharing(ctx); err != nil || len(all) != 2 || all[0].Member != 0 || all[1].Member != 1 {
		t.Errorf("a head without grants: %+v, %v", all, err)
	}

	// Nothing is sealed to a network key that the home member made up.
	*lies = liar{Home: lies.Home, key: func(k *op.NetworkKey) { k.Poly[0] = threshold.NewPolynomial(1).Commitments()[0] }}
	if _, err := p.Publish(ctx, []exchange.Draft{w.pulse(t)}); err == nil {
		t.Error("the patient sealed a record to the home member's own network key")
	}

	// A stop that the home member only pretends to put on the ledger is not shown as final.
	*lies = liar{Home: lies.Home, submit: func(ops []*op.Operation) []ledger.Result {
		out := make([]ledger.Result, len(ops))
		for i, o := range ops {
			out[i] = ledger.Result{Log: o.Log, First: 1, Count: 1}
		}
		return out
	}}
	if ended, err := p.Stop(ctx, func(g exchange.Shared) bool { return g.Member == 1 }); err == nil {
		t.Errorf("a stop that never was: %+v", ended)
	}
	w.opens(t, ctx, 2)
}

func short(e []exchange.Placed) []exchange.Placed { return e[:max(len(e)-1, 0)] }

// A custodian reads with a trace, lets another member read, and stops it. The keys are shown as whose they are, and a new epoch's seed goes
// to those who read and to nobody else.
func TestACustodianReadsWithATraceAndGrantsAndStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	custodian := w.Nodes[2].Member
	chart, err := custodian.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := custodian.Publish(ctx, asker("TREAT"), chart, []exchange.Draft{w.pulse(t)}); err != nil {
		t.Fatal(err)
	}
	p, err := custodian.Custody(chart)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []int{0, 1} {
		if _, err := p.Grant(ctx, exchange.Share{Member: member, Purpose: "TREAT", Rights: consent.Read, Sections: []section.Section{section.Vitals}}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := p.Sharing(ctx)
	if err != nil {
		t.Fatal(err)
	}
	count := map[int]int{}
	for _, g := range all {
		count[g.Member]++
	}
	if len(section.Clinical()) != count[2] || count[0] != 1 || count[1] != 1 || len(all) != count[2]+2 {
		t.Errorf("grants by member: %v", count)
	}
	w.settle(t, ctx)
	read := func(member int) error {
		w.settle(t, ctx)
		opened, err := w.Nodes[member].Member.Open(ctx, asker("TREAT"), chart, vitals)
		if err == nil && (opened.Chart.Len() == 0 || len(opened.Errors) > 0) {
			t.Errorf("member %d opened %d, %v", member, opened.Chart.Len(), opened.Errors)
		}
		return err
	}
	for _, member := range []int{0, 1, 2} {
		if err := read(member); err != nil {
			t.Errorf("member %d: %v", member, err)
		}
	}
	if _, err := p.Stop(ctx, func(g exchange.Shared) bool { return g.Member == 1 }); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	if _, err := custodian.Publish(ctx, asker("TREAT"), chart, []exchange.Draft{w.pulse(t)}); err != nil {
		t.Fatal(err)
	}
	for _, member := range []int{0, 2} {
		if err := read(member); err != nil {
			t.Errorf("member %d, of the new epoch: %v", member, err)
		}
	}
	if err := read(1); err == nil {
		t.Error("a stopped member reads")
	}
	w.settle(t, ctx)
	log, err := p.Activity(ctx)
	if err != nil || len(log.Rows) != 6 || log.Unread != 0 {
		t.Fatalf("the activity: %+v, %v", log, err)
	}
	for _, row := range log.Rows {
		if row.Member == "" || row.Detail == nil {
			t.Errorf("a row without a name: %+v", row)
		}
	}
}

func TestTwoReadersAtOnceEachGetTheChartAndARow(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.chart(t, ctx, w.pulse(t), w.pulse(t))
	done := make(chan error)
	for range 6 {
		go func() {
			opened, err := w.Nodes[1].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), vitals)
			if err == nil && (opened.Chart.Len() != 2 || len(opened.Rows) != 1) {
				t.Errorf("%d resources, %d rows", opened.Chart.Len(), len(opened.Rows))
			}
			done <- err
		}()
	}
	for range 6 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	w.settle(t, ctx)
	if log, err := w.patient.Activity(ctx); err != nil || len(log.Rows) != 6 {
		t.Errorf("the patient sees %+v, %v", log, err)
	}
}
