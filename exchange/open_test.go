package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/consensus"
	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/section"
)

// reader is a member that may read what another wrote for one patient, who is in the other's custody.
type reader struct {
	*world
	chart  string
	owner  *exchange.Patient
	member int
}

// newReader enrols a patient at member 0 and lets a member read so many records.
func (w *world) newReader(t testing.TB, ctx context.Context, member, records int) *reader {
	t.Helper()
	chart, err := w.Nodes[0].Member.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w.Nodes[member].Member.CloseCharts() // which other tests have left open
	r := &reader{world: w, chart: chart, member: member}
	if r.owner, err = w.Nodes[0].Member.Custody(chart); err != nil {
		t.Fatal(err)
	}
	if member != 0 {
		s := exchange.Share{Member: member, Purpose: "TREAT", Rights: consent.Read, Sections: []section.Section{section.Vitals}, Label: "test"}
		if _, err := r.owner.Grant(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	for range records {
		r.write(t, ctx, w.pulse(t))
	}
	return r
}

func (r *reader) write(t testing.TB, ctx context.Context, d exchange.Draft) {
	t.Helper()
	if _, err := r.Nodes[0].Member.Publish(ctx, asker("TREAT"), r.chart, []exchange.Draft{d}); err != nil {
		t.Fatal(err)
	}
	r.settle(t, ctx)
}

// open opens the vitals for a reason of its own.
func (r *reader) open(ctx context.Context, name string) (*exchange.Opened, error) {
	who := asker("TREAT")
	who.Name, who.Reason = "Dr. "+name, name
	return r.Nodes[r.member].Member.Open(ctx, who, r.chart, vitals)
}

// mustOpen opens the vitals and tells whether that waited for the ledger.
func (r *reader) mustOpen(t testing.TB, ctx context.Context, name string) (opened *exchange.Opened, waited bool) {
	t.Helper()
	opened, err := r.open(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if len(opened.Errors)+len(opened.Refused) > 0 || len(opened.Rows) != 1 {
		t.Fatalf("%d rows, refused %v, failed %v", len(opened.Rows), opened.Refused, opened.Errors)
	}
	t.Cleanup(opened.Close)
	return opened, !opened.Rows[0].InOutbox
}

// rows counts the rows that the patient sees, by the reader's reason.
func (r *reader) rows(t testing.TB, ctx context.Context) map[string]int {
	t.Helper()
	r.settle(t, ctx)
	log, err := r.owner.Activity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, row := range log.Rows {
		if row.Detail == nil || row.Detail.Name != "Dr. "+row.Detail.Reason {
			t.Fatalf("a row does not say who and why: %+v", row)
		}
		out[fmt.Sprint(row.Detail.Reason, ", ", row.Why, ", further ", row.Further)]++
	}
	return out
}

func sameRows(t testing.TB, got map[string]int, want ...string) {
	t.Helper()
	all := 0
	for _, n := range got {
		all += n
	}
	for _, name := range want {
		if got[name] != 1 {
			t.Errorf("want one row %q, got %v", name, got)
		}
	}
	if all != len(want) {
		t.Errorf("want %d rows, got %v", len(want), got)
	}
}

// closed waits until a member holds nothing open.
func closed(t testing.TB, ctx context.Context, m *exchange.Member) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if _, bytes := m.HeldOpen(); bytes == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("a chart stays open")
		}
	}
}

func TestWhoReadsAnOpenChartHasARowOfTheirOwn(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 2)
	a, waited := r.mustOpen(t, ctx, "Okafor")
	if !waited {
		t.Error("what was never opened did not wait for the ledger")
	}
	b, waited := r.mustOpen(t, ctx, "Petit")
	if waited || b.Rows[0].Entry != 0 || b.Rows[0].Records != 2 || b.Rows[0].Log != a.Rows[0].Log {
		t.Errorf("what was open waited for the ledger, or its row is another: %+v", b.Rows[0])
	}
	if b.Chart.Len() != 2 {
		t.Errorf("%d resources, want 2", b.Chart.Len())
	}
	sameRows(t, r.rows(t, ctx), "Okafor, allowed, further false", "Petit, allowed, further true")
}

func TestTwoWhoOpenAChartAtOnceOpenItOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 3)
	var g sync.WaitGroup
	var mu sync.Mutex
	cold := 0
	for _, name := range []string{"A", "B", "C", "D"} {
		g.Go(func() {
			opened, err := r.open(ctx, name)
			if err != nil {
				t.Error(err)
				return
			}
			defer opened.Close()
			mu.Lock()
			defer mu.Unlock()
			if !opened.Rows[0].InOutbox {
				cold++
			}
			if opened.Chart.Len() != 3 || len(opened.Rows) != 1 {
				t.Errorf("%d resources, %d rows", opened.Chart.Len(), len(opened.Rows))
			}
		})
	}
	g.Wait()
	if cold != 1 {
		t.Errorf("the chart was opened %d times", cold)
	}
	if n := len(r.rows(t, ctx)); n != 4 {
		t.Errorf("%d readers have a row, want 4", n)
	}
}

func TestAStopClosesTheChartAndOverwritesIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 1)
	m := r.Nodes[1].Member
	m.CloseCharts()
	opened, err := r.open(ctx, "Okafor")
	if err != nil {
		t.Fatal(err)
	}
	var raw []byte
	for res := range opened.Chart.All() {
		raw = res.Current().Item.Raw
	}
	before := bytes.Clone(raw)
	if _, err := r.owner.Stop(ctx, func(exchange.Shared) bool { return true }); err != nil {
		t.Fatal(err)
	}
	closed(t, ctx, m) // nobody asks for the chart
	if !bytes.Equal(raw, before) {
		t.Error("the plaintext was overwritten under an answer that is being made of it")
	}
	opened.Close()
	if len(bytes.Trim(raw, "\x00")) > 0 {
		t.Error("the plaintext is still there")
	}
	opened.Close()
	var refused *exchange.Refused
	if _, err := r.open(ctx, "Petit"); !errors.As(err, &refused) || refused.Why != consent.Revoked || refused.Block == 0 {
		t.Errorf("want it refused on the ledger, got %v", err)
	}
	sameRows(t, r.rows(t, ctx), "Okafor, allowed, further false", "Petit, revoked, further false")
}

// Sections that hold nothing which this member may read are tried only where there is nothing else to read.
func TestASearchTriesNoSectionBesideTheSharedOnes(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 1)
	d := r.pulse(t)
	d.Section = section.Labs
	s := exchange.Share{Member: 1, Purpose: "TREAT", Rights: consent.Write, Sections: []section.Section{section.Labs, section.MentalHealth}, Label: "test"}
	if _, err := r.owner.Grant(ctx, s); err != nil {
		t.Fatal(err)
	}
	r.settle(t, ctx)
	r.write(t, ctx, d)
	m, want := r.Nodes[1].Member, exchange.Want{Sections: []section.Section{section.Labs, section.Vitals}, Also: []section.Section{section.MentalHealth}}
	who := asker("TREAT")
	who.Name, who.Reason = "Dr. A", "A"
	opened, err := m.Open(ctx, who, r.chart, want)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if opened.Chart.Len() != 1 || len(opened.Refused)+len(opened.Errors) != 0 {
		t.Errorf("%d resources, %d refusals, %v", opened.Chart.Len(), len(opened.Refused), opened.Errors)
	}
	who.Name, who.Reason, want.Sections = "Dr. B", "B", want.Sections[:1]
	var refused *exchange.Refused
	if _, err := m.Open(ctx, who, r.chart, want); !errors.As(err, &refused) || refused.Why != consent.NoRight {
		t.Errorf("want it refused, got %v", err)
	}
	sameRows(t, r.rows(t, ctx), "A, allowed, further false", "B, right not granted, further false")
}

func TestWithoutTheLedgerAnOpenChartIsAnsweredForFiveSecondsAndEachAnswerIsTracedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("waits five seconds, and restarts a network")
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 2, 0)}
	r := w.newReader(t, ctx, 1, 1)
	r.mustOpen(t, ctx, "before")
	r.mustOpen(t, ctx, "flushed")
	r.settle(t, ctx)
	w.Stop(t, 0)
	if _, waited := r.mustOpen(t, ctx, "noted"); waited {
		t.Error("an open chart waited for the ledger")
	}
	limit := time.NewTimer(6 * time.Second)
	defer limit.Stop()
	<-limit.C
	short, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	if opened, err := r.open(short, "unanswered"); !errors.Is(err, consensus.ErrNoQuorum) {
		t.Errorf("an open chart is answered without a trace: %v, %v", opened, err)
	}
	w.Stop(t, 1) // with what it noted
	w.Restart(t, 1, node.Options{})
	w.Restart(t, 0, node.Options{})
	w.WaitReady(t)
	if charts, _ := w.Nodes[1].Member.HeldOpen(); charts != 0 {
		t.Errorf("%d charts are open after a start", charts)
	}
	var err error
	if r.owner, err = w.Nodes[0].Member.Custody(r.chart); err != nil {
		t.Fatal(err)
	}
	got := r.rows(t, ctx)
	delete(got, "unanswered, allowed, further true") // it may have reached the ledger: a trace of what was not read
	sameRows(t, got, "before, allowed, further false", "flushed, allowed, further true", "noted, allowed, further true")
	if _, waited := r.mustOpen(t, ctx, "after"); !waited {
		t.Error("a chart is open after a start")
	}
}

func TestChartsAreClosedForOthersAndWhenNobodyLooks(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a member")
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 1, 0)}
	set := func(change func(*node.Config)) {
		w.Stop(t, 0)
		c, err := node.Load(w.MemberDir(0))
		if err != nil {
			t.Fatal(err)
		}
		change(c)
		if err := c.Save(w.MemberDir(0)); err != nil {
			t.Fatal(err)
		}
		w.Restart(t, 0, node.Options{})
		w.WaitReady(t)
	}
	set(func(c *node.Config) { c.OpenMiB = 1 })
	var charts [2]*reader
	for i := range charts {
		charts[i] = w.newReader(t, ctx, 0, 0)
		d := w.pulse(t)
		raw := strings.Replace(string(d.Resource.Raw()), `"pulse"`, `"`+strings.Repeat("x", 600<<10)+`"`, 1)
		var err error
		if d.Resource, err = fhir.Parse([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		charts[i].write(t, ctx, d)
	}
	for step, c := range []struct {
		chart  int
		waited bool
	}{{0, true}, {0, false}, {1, true}, {1, false}, {0, true}} {
		if _, waited := charts[c.chart].mustOpen(t, ctx, "A"); waited != c.waited {
			t.Errorf("step %d: chart %d waited for the ledger: %v", step, c.chart, waited)
		}
	}
	set(func(c *node.Config) { c.OpenIdle = time.Second })
	charts[0].mustOpen(t, ctx, "A")
	closed(t, ctx, w.Nodes[0].Member)
}
