package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/internal/testnet"
	"vitalog/ledger"
	"vitalog/node"
	"vitalog/op"
)

// clock is members' clock, which a test sets forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) options() node.Options {
	return node.Options{Now: func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }}
}

// How soon is the machine's affair, and measured. That nothing is answered from memory while a trace waits for longer than five seconds is
// another test's.
func TestFurtherUsesGetToTheLedgerByThemselves(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 1)
	r.mustOpen(t, ctx, "first")
	want := []string{"first, allowed, further false"}
	noted := 0
	for i := range 20 {
		name := fmt.Sprint("reader ", i)
		if _, waited := r.mustOpen(t, ctx, name); !waited { // on a machine that is very slow the rule of five seconds holds
			noted++
		}
		want = append(want, name+", allowed, further true")
	}
	if noted == 0 {
		t.Error("every look at an open chart waited for the ledger")
	}
	if err := r.Nodes[1].Member.Flushed(ctx); err != nil {
		t.Error(err)
	}
	sameRows(t, r.rows(t, ctx), want...)
}

func TestAFurtherUseThatExpiredBeforeTheLedgerTookItIsSignedAnewAndTracedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a network")
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 2, 0)}
	r := w.newReader(t, ctx, 1, 1)
	r.mustOpen(t, ctx, "before")
	r.settle(t, ctx)
	w.Stop(t, 0)
	if _, waited := r.mustOpen(t, ctx, "noted"); waited {
		t.Error("an open chart waited for the ledger")
	}
	noted := time.Now()
	w.Stop(t, 1)
	c := &clock{}
	c.ahead.Store(int64(118 * time.Second)) // what is signed is good for two minutes: what is signed now, for two seconds
	passed := time.NewTimer(time.Until(noted.Add(3 * time.Second)))
	defer passed.Stop()
	<-passed.C
	w.Restart(t, 1, c.options())
	w.Restart(t, 0, c.options())
	w.WaitReady(t)
	var err error
	if r.owner, err = w.Nodes[0].Member.Custody(r.chart); err != nil {
		t.Fatal(err)
	}
	sameRows(t, r.rows(t, ctx), "before, allowed, further false", "noted, allowed, further true")
	log, err := r.owner.Activity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range log.Rows {
		if row.Further && row.At.Before(noted.Add(2*time.Minute)) {
			t.Errorf("it was executed %v after it was noted: it did not expire", row.At.Sub(noted))
		}
	}
}

func TestWithTheQuotaUsedUpAnOpenChartIsAnsweredForFiveSecondsAndEachAnswerIsTracedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("waits five seconds, and starts a network")
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: &testnet.Net{Dir: t.TempDir(), Nodes: make([]*node.Node, 1)}}
	t.Cleanup(func() { w.Stop(t, 0) })
	params := op.DefaultParams
	params.LogOperations = 360 // an hour; a key has half of them, and gets three in a minute
	founder := node.Founder{Dir: filepath.Join(w.Dir, "member0"), Name: "Member 0", Kind: op.Provider, Validator: true, Passphrase: testnet.Passphrase()}
	if _, err := node.Found("test", params, []node.Founder{founder}); err != nil {
		t.Fatal(err)
	}
	c := &clock{}
	w.Restart(t, 0, c.options())
	w.WaitReady(t)
	r, other := w.newReader(t, ctx, 0, 1), w.newReader(t, ctx, 0, 1)
	other.mustOpen(t, ctx, "other")
	r.mustOpen(t, ctx, "reader 0")
	want := []string{"reader 0, allowed, further false"}
	for i := range 182 { // with one for writing and one for the first reading: four too many
		name := fmt.Sprint("reader ", i+1)
		if _, waited := r.mustOpen(t, ctx, name); waited {
			t.Errorf("%s waited for the ledger", name)
		}
		want = append(want, name+", allowed, further true")
	}
	limit, stop := context.WithTimeout(ctx, 6*time.Second)
	defer stop()
	if err := w.Nodes[0].Member.Flushed(limit); err == nil {
		t.Fatal("the ledger took more than the quota")
	}
	if opened, err := r.open(ctx, "unanswered"); !errors.Is(err, ledger.Quota) {
		t.Errorf("an open chart is answered without a trace: %v, %v", opened, err)
	}
	if _, waited := other.mustOpen(t, ctx, "another"); waited {
		t.Error("the chart of somebody else waits")
	}
	c.ahead.Store(int64(100 * time.Second)) // brings five, before what is noted expires
	sameRows(t, r.rows(t, ctx), want...)
	r.mustOpen(t, ctx, "after")
}
