package testnet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/consensus"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/testnet"
	"vitalog/ledger"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
)

var physician = exchange.Asker{Practitioner: "p", Name: "P", Role: "physician", Purpose: exchange.Treat}

var vitals = exchange.Want{Sections: []section.Section{section.Vitals}}

// publish has a member write one record into a chart.
func publish(ctx context.Context, m *node.Node, chart, id string) error {
	r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","code":{"text":"pulse"},"note":[{"text":%q}],"valueQuantity":{"value":60.0}}`, id))
	if err != nil {
		return err
	}
	_, err = m.Member.Publish(ctx, physician, chart, []exchange.Draft{{Resource: r, ID: id, Section: section.Vitals, Group: id}})
	return err
}

func enrol(t *testing.T, ctx context.Context, m *node.Node) string {
	t.Helper()
	chart, err := m.Member.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

func write(t *testing.T, ctx context.Context, m *node.Node, chart string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := publish(ctx, m, chart, id); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
}

// until has f become true, asked anew after each block of m and now and then besides.
func until(t *testing.T, ctx context.Context, m *node.Node, what string, f func() bool) {
	t.Helper()
	blocks := make(chan struct{}, 1)
	defer m.Chain.Subscribe(func(*ledger.Block) {
		select {
		case blocks <- struct{}{}:
		default:
		}
	})()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-blocks:
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came to be that %s: %+v", what, m.Chain.Status())
		}
	}
}

// whole waits until a member has what another has, and finds no damage in it.
func whole(t *testing.T, ctx context.Context, m, other *node.Node) {
	t.Helper()
	until(t, ctx, m, "it has all blocks and ciphertexts", func() bool {
		missing, err := m.Member.Missing()
		if err != nil {
			t.Fatal(err)
		}
		return m.Chain.Ledger().Height() >= other.Chain.Ledger().Height() && missing == 0
	})
	checked, err := m.Member.Verify(ctx, exchange.Verification{}, func(d exchange.Damage) error {
		t.Errorf("damage: %+v", d)
		return nil
	}, func(exchange.Checked) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("checked %+v", checked)
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestAMemberWithANewDiskComesBackByItselfAndVotesAgain(t *testing.T) {
	n := testnet.Start(t, 4, 0)
	ctx := limit(t)
	chart := enrol(t, ctx, n.Nodes[0])
	place, err := fhir.Parse([]byte(`{"resourceType":"Organization","name":"Ward of member 3"}`))
	if err != nil {
		t.Fatal(err)
	}
	ward, _, err := n.Nodes[3].Directory.Put(place)
	if err != nil {
		t.Fatal(err)
	}
	until(t, ctx, n.Nodes[0], "the ward is known elsewhere", func() bool { return n.Nodes[0].Directory.Heads()[3] == 1 })
	write(t, ctx, n.Nodes[0], chart, "a", "b", "c")
	claimed := func() uint64 {
		upto, err := n.Nodes[0].Chain.Ledger().Stored(3)
		if err != nil {
			t.Fatal(err)
		}
		return upto
	}
	until(t, ctx, n.Nodes[0], "member 3 has said that it holds something", func() bool { return claimed() > 0 })
	n.Stop(t, 3)
	write(t, ctx, n.Nodes[0], chart, "d", "e")
	if err := os.RemoveAll(filepath.Join(n.MemberDir(3), "data")); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	n.Restart(t, 3, node.Options{})
	n.WaitReady(t)
	t.Logf("ready after %v", time.Since(begun))
	m := n.Nodes[3]
	if _, ok := m.Directory.Get("Organization", ward.ID()); !ok {
		t.Error("its own directory entry did not come back")
	}
	if second, _, err := m.Directory.Put(fhirOf(t, `{"resourceType":"Organization","name":"Another ward"}`)); err != nil || second.Version() != "2" {
		t.Errorf("its next directory entry: %v, %v", second, err)
	}
	until(t, ctx, m, "it may vote, although nobody writes", func() bool { return !m.Chain.Status().Abstains })
	t.Logf("votes after %v", time.Since(begun))
	whole(t, ctx, m, n.Nodes[0])
	log, tookBack := op.StoredLog(m.Genesis.Network(), m.Genesis.Members[3].Sign), false
	until(t, ctx, n.Nodes[0], "it has taken back what it had claimed, and claims anew", func() bool {
		if err := n.Nodes[0].Chain.Ledger().Entries(log, 1, 1000, func(e *op.Entry) error {
			tookBack = tookBack || e.Says.(*op.Stored).Upto == 0
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return tookBack && claimed() > 0
	})
	n.Stop(t, 0) // now its vote is needed
	write(t, ctx, m, enrol(t, ctx, m), "f")
}

func fhirOf(t *testing.T, text string) *fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAMemberThatIsCutOffSaysSoAndCatchesUpWhenTheNetworkIsMended(t *testing.T) {
	n, lines := behindLines(t, 4)
	ctx := limit(t)
	for i := range 3 {
		n.Restart(t, i, node.Options{})
	}
	n.WaitReady(t)
	until(t, ctx, n.Nodes[0], "the three are connected", func() bool {
		return n.Nodes[0].Chain.Status().Peers == 2 && n.Nodes[1].Chain.Status().Peers == 2
	})
	chart := enrol(t, ctx, n.Nodes[0]) // has each call each once
	write(t, ctx, n.Nodes[0], chart, "a")
	lines.mark()
	n.Restart(t, 3, node.Options{})
	n.WaitReady(t)
	m := n.Nodes[3]
	own := enrol(t, ctx, m)
	whole(t, ctx, m, n.Nodes[0])

	lines.cutOff(3)
	until(t, ctx, m, "it knows that it is alone", func() bool { return m.Chain.Status().Reachable == 1 })
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := publish(short, m, own, "lonely"); !errors.Is(err, consensus.ErrNoQuorum) {
		t.Errorf("the member that is cut off says %v, want ErrNoQuorum", err)
	}
	write(t, ctx, n.Nodes[0], chart, "b", "c", "d")

	lines.mend()
	mended := time.Now()
	until(t, ctx, m, "it has caught up", func() bool { return m.Chain.Ledger().Height() >= n.Nodes[0].Chain.Ledger().Height() })
	t.Logf("caught up %v after mending", time.Since(mended))
	write(t, ctx, m, own, "lonely")
	whole(t, ctx, m, n.Nodes[0])
	whole(t, ctx, n.Nodes[0], m)
}

func TestAMemberWhoseClockJumpsByHoursHoldsUpNobodyAndLosesNothing(t *testing.T) {
	n := testnet.Start(t, 4, 0)
	ctx := limit(t)
	chart := enrol(t, ctx, n.Nodes[0])
	n.Stop(t, 3)
	var jump atomic.Int64
	n.Restart(t, 3, node.Options{Now: func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }})
	n.WaitReady(t)
	m := n.Nodes[3]
	own := enrol(t, ctx, m)
	wrote := 0
	name := func() string { wrote++; return fmt.Sprint("n", wrote) }
	for _, off := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		jump.Store(int64(off))
		for m.Chain.Status().ClockOff == 0 {
			write(t, ctx, n.Nodes[0], chart, name())
		}
		if got := m.Chain.Status().ClockOff; (got - off).Abs() > time.Minute {
			t.Errorf("its clock is said to be off by %v, want %v", got, off)
		}
		write(t, ctx, m, own, name())
		jump.Store(0)
		for m.Chain.Status().ClockOff != 0 {
			write(t, ctx, m, own, name())
		}
	}
	for _, x := range n.Nodes[:3] {
		if s := x.Chain.Status(); s.ClockOff != 0 {
			t.Errorf("member %d suspects its own clock: %+v", x.Number, s)
		}
	}
	whole(t, ctx, m, n.Nodes[0])
}
