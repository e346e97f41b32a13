package consensus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"vitalog/consensus"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
)

func TestFourValidatorsAndAnObserverComeToTheSameLedger(t *testing.T) {
	n := newNetwork(t, 4, 1)
	n.start()
	var mu sync.Mutex
	seen := map[int][]uint64{} // heights, by member
	for _, m := range n.members {
		defer m.node.Subscribe(func(b *ledger.Block) {
			mu.Lock()
			defer mu.Unlock()
			seen[m.number] = append(seen[m.number], b.Height)
		})()
	}
	n.makeKey()
	c := n.newChart("ann")
	n.submit(c.records(3))
	rs := n.submit(c.access(2, 4))
	for _, m := range n.members {
		if err := m.node.WaitEntry(timeout(t, time.Minute), c.log, rs[0].First); err != nil {
			t.Fatal(err)
		}
		if got, want := m.node.Ledger().AppHash(), n.members[0].node.Ledger().AppHash(); got != want {
			t.Errorf("member %d has app hash %v, want %v", m.number, got, want)
		}
		if s := m.node.Status(); !s.Ready || s.Validators != 4 || s.Reachable != 4 && m.number != 4 || s.ClockSuspect || s.Failed != nil {
			t.Errorf("member %d: status %+v", m.number, s)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for m, heights := range seen {
		for i, h := range heights {
			if h != heights[0]+uint64(i) {
				t.Fatalf("member %d was told of blocks %v", m, heights)
			}
		}
	}
}

func TestOperationsOfOneCallForDifferentLogsShareNoTransaction(t *testing.T) {
	n := newNetwork(t, 1, 0)
	n.start()
	const calls, logs = 16, 5
	callOf := map[key.Log]int{}
	all := make([][]*op.Operation, calls)
	for i := range calls {
		for j := range logs {
			owner := signing(fmt.Sprint("owner ", i, j))
			log := key.LogID(n.genesis.Network(), owner.Public(), [32]byte{})
			callOf[log] = i
			all[i] = append(all[i], n.sign(owner, log, n.create(log)), n.sign(owner, log, &op.Rotate{Epoch: 2, EpochKey: seed("2")}))
		}
	}
	var wg sync.WaitGroup
	for _, ops := range all {
		wg.Go(func() { mustSubmit(t, n.members[0], ops...) })
	}
	wg.Wait()
	node := n.members[0].node
	txs, ops := 0, 0
	for h := uint64(1); h <= node.Ledger().Height(); h++ {
		b, ok := node.Block(h)
		if !ok {
			t.Fatalf("block %d is missing", h)
		}
		for i, raw := range b {
			if _, ok := op.DecodeClock(raw); ok != (i == 0) {
				t.Fatalf("block %d: a clock at place %d", h, i)
			} else if ok {
				continue
			}
			in, err := op.DecodeTx(n.genesis.Network(), raw)
			if err != nil {
				t.Fatal(err)
			}
			txs++
			logOf := map[int]key.Log{}
			for _, o := range in {
				ops++
				if other, ok := logOf[callOf[o.Log]]; ok && other != o.Log {
					t.Fatalf("block %d: two logs of one call in a transaction", h)
				}
				logOf[callOf[o.Log]] = o.Log
			}
		}
	}
	if ops != 2*calls*logs || txs < logs || txs == calls*logs {
		t.Errorf("%d operations in %d transactions; want %d, those of different callers together", ops, txs, 2*calls*logs)
	}
}

func TestARetryGivesTheSameResultAndAReplayIsTold(t *testing.T) {
	n := newNetwork(t, 1, 0)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	o := c.records(2)
	var wg sync.WaitGroup
	all := make([]ledger.Result, 8)
	for i := range all { // at the same time
		wg.Go(func() { all[i] = mustSubmit(t, n.members[0], o)[0] })
	}
	wg.Wait()
	for i, r := range append(all, n.submit(o)...) {
		if r != all[0] || r.First != 2 || r.Count != 2 {
			t.Errorf("submission %d: got %+v, want %+v", i, r, all[0])
		}
	}
	m := n.members[0]
	m.stop()
	n.start()
	rs, err := m.node.Submit(timeout(t, time.Minute), o)
	if err != nil || rs[0].Code != ledger.Replayed {
		t.Errorf("after a restart: got %+v, %v, want Replayed", rs, err)
	}
	if h, err := m.node.Ledger().Head(c.log); err != nil || h.Size != 4 {
		t.Errorf("the log has %+v, %v, want 4 entries", h, err)
	}
}

func TestRefusalsAreResults(t *testing.T) {
	n := newNetwork(t, 1, 0)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	height := n.members[0].node.Ledger().Height()
	forged := c.records(1)
	forged.Sig[5] ^= 1
	stranger := n.sign(signing("stranger"), c.log, &op.Revoke{Grant: 1})
	nowhere := n.sign(c.owner, key.Log{1}, &op.Revoke{Grant: 1})
	late := op.Sign(n.genesis.Network(), c.owner, c.log, 1, &op.Revoke{Grant: 1})
	for _, x := range []struct {
		name string
		o    *op.Operation
		want ledger.Code
	}{{"forged", forged, ledger.Signature}, {"stranger", stranger, ledger.NotGranted}, {"nowhere", nowhere, ledger.UnknownLog}, {"late", late, ledger.Expired}} {
		rs, err := n.members[0].node.Submit(timeout(t, time.Minute), x.o)
		if err != nil || rs[0].Code != x.want {
			t.Errorf("%s: got %+v, %v, want %v", x.name, rs, err, x.want)
		}
	}
	rs, err := n.members[0].node.Submit(timeout(t, time.Minute), forged, c.records(1), stranger)
	if err != nil || rs[0].Code != ledger.Signature || rs[1].Code != ledger.OK || rs[2].Code == ledger.OK {
		t.Errorf("mixed: got %+v, %v", rs, err)
	}
	if got := n.members[0].node.Ledger().Height(); got > height+3 {
		t.Errorf("refusals made blocks: height %d after %d", got, height)
	}
}

func TestOneValidatorDownIsNoticedByNobodyAndItCatchesUp(t *testing.T) {
	n := newNetwork(t, 4, 0)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	n.members[3].stop()
	var last uint64
	for range 5 {
		last = n.submit(c.records(1))[0].First
	}
	n.start(3)
	if err := n.members[3].node.WaitEntry(timeout(t, time.Minute), c.log, last); err != nil {
		t.Fatal(err)
	}
	last = mustSubmit(t, n.members[3], c.records(1))[0].First
	if err := n.members[0].node.WaitEntry(timeout(t, time.Minute), c.log, last); err != nil {
		t.Fatal(err)
	}
}

func TestTwoOfFourDownIsNoQuorumUntilOneIsBack(t *testing.T) {
	n := newNetwork(t, 4, 0)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	n.members[2].stop()
	n.members[3].stop()
	m := n.members[0]
	m.until("it knows that two are gone", func() bool { return m.node.Status().Reachable == 2 })
	o := c.records(1)
	_, err := m.node.Submit(timeout(t, 2*time.Second), o)
	if !errors.Is(err, consensus.ErrNoQuorum) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want ErrNoQuorum", err)
	}
	n.start(2)
	rs, err := m.node.Submit(timeout(t, time.Minute), o)
	if err != nil || rs[0].Code != ledger.OK {
		t.Fatalf("with three: %+v, %v", rs, err)
	}
	if h, err := m.node.Ledger().Head(c.log); err != nil || h.Size != 3 {
		t.Errorf("the log has %+v, %v, want 3 entries", h, err)
	}
}

func TestAllRestartWithTheirData(t *testing.T) {
	n := newNetwork(t, 4, 1)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	first := n.submit(c.records(5))[0].First
	before := n.members[0].node.Ledger().AppHash()
	for _, m := range n.members {
		if err := m.stop(); err != nil {
			t.Fatal(err)
		}
	}
	n.start()
	for _, m := range n.members {
		if err := m.node.WaitEntry(timeout(t, time.Minute), c.log, first+4); err != nil {
			t.Fatal(err)
		}
		if got := m.node.Ledger().AppHash(); got != before {
			t.Errorf("member %d: app hash %v, want %v", m.number, got, before)
		}
	}
	x, err := n.members[1].node.Receipt(timeout(t, time.Minute), c.log, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Verify(n.genesis); err != nil {
		t.Error(err)
	}
	n.submit(c.records(1))
}

func TestAWrongClockStopsItsOwnersProposalsAndNobodyElses(t *testing.T) {
	n := newNetwork(t, 4, 0)
	wrong := n.members[3]
	wrong.now = func() time.Time { return time.Now().Add(30 * time.Second) }
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	for range 8 { // each proposes twice
		n.submit(c.records(1))
	}
	last := mustSubmit(t, n.members[0], c.records(1))[0].First
	if err := wrong.node.WaitEntry(timeout(t, time.Minute), c.log, last); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, wrong, c.records(1))
	wrong.until("it suspects its clock", func() bool { return wrong.node.Status().ClockSuspect })
	if off := wrong.node.Status().ClockOff; off < 25*time.Second || off > 35*time.Second {
		t.Errorf("its clock is said to be off by %v, want about 30 s", off)
	}
	for _, m := range n.members[:3] {
		if s := m.node.Status(); s.ClockSuspect {
			t.Errorf("member %d suspects its own clock: %+v", m.number, s)
		}
	}
	node := n.members[0].node
	for h := uint64(1); h <= node.Ledger().Height(); h++ {
		b, ok := node.Block(h)
		if !ok || len(b) == 0 {
			continue
		}
		if ms, _ := op.DecodeClock(b[0]); time.Until(time.UnixMilli(int64(ms))) > op.MaxClockSkew {
			t.Errorf("block %d has the wrong clock", h)
		}
	}
}

func TestStopEndsWhatWaits(t *testing.T) {
	n := newNetwork(t, 4, 0)
	n.members[0].start() // alone: never ready
	m := n.members[0]
	done := make(chan error)
	go func() { done <- m.node.WaitReady(context.Background()) }()
	go func() { done <- m.node.WaitEntry(context.Background(), key.Log{1}, 0) }()
	go func() {
		_, err := m.node.Submit(context.Background(), n.sign(signing("x"), key.Log{1}, &op.Revoke{}))
		done <- err
	}()
	if err := m.node.Stop(); err != nil {
		t.Fatal(err)
	}
	m.db.Close()
	if s := m.node.Status(); s.Ready || s.Peers != 0 {
		t.Errorf("after Stop: status %+v", s)
	}
	if _, ok := m.node.Block(1); ok {
		t.Error("after Stop there is a block")
	}
	for range 3 {
		if err := <-done; !errors.Is(err, consensus.ErrStopped) {
			t.Errorf("got %v, want ErrStopped", err)
		}
	}
}

func TestStartRefusesWhatDoesNotFit(t *testing.T) {
	n := newNetwork(t, 1, 1)
	n.start(0)
	n.makeKey()
	n.members[0].node.Stop()
	good := n.members[0].config()
	for _, x := range []struct {
		name  string
		spoil func(*consensus.Config)
	}{
		{"another member's vote key", func(c *consensus.Config) { c.Vote = signing(name(1, "vote")) }},
		{"a member that there isn't", func(c *consensus.Config) { c.Member = 2 }},
		{"a directory without the last vote", func(c *consensus.Config) { c.Dir = t.TempDir() }},
		{"another network's ledger", func(c *consensus.Config) {
			g := *c.Genesis
			g.Name = "other"
			c.Genesis = &g
		}},
		{"a network of tomorrow", func(c *consensus.Config) {
			g := *c.Genesis
			g.Founded += 86_400_000
			c.Genesis = &g
		}},
	} {
		c := good
		x.spoil(&c)
		if node, err := consensus.Start(context.Background(), c); err == nil {
			node.Stop()
			t.Errorf("%s: started", x.name)
		} else {
			t.Log(x.name, ":", err)
		}
	}
	node, err := consensus.Start(context.Background(), good)
	if err != nil {
		t.Fatal(err)
	}
	node.Stop()
}
