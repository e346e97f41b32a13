package consensus_test

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/consensus"
	"vitalog/ledger"
)

// After a crash the engine's own state, which is written without waiting for the disk, is a block behind the ledger.
func TestALedgerOneBlockAheadOfTheEngineGoesOn(t *testing.T) {
	n := newNetwork(t, 1, 0)
	m := n.members[0]
	disk := vfs.NewCrashableMem()
	m.fs = disk
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	for range 5 {
		height := m.node.Ledger().Height()
		rs := n.submit(c.records(1))
		m.until("the proof block is there", func() bool { return m.node.Ledger().Height() >= height+2 })
		want := m.node.Ledger().AppHash()
		m.node.Stop()
		disk = disk.CrashClone(vfs.CrashCloneCfg{}) // nothing survives but what was synced
		m.stop()
		m.fs = disk
		n.start()
		if got := m.node.Ledger().AppHash(); got != want {
			t.Fatalf("after the crash: app hash %v, want %v", got, want)
		}
		if e, err := m.node.Ledger().Entry(c.log, rs[0].First); err != nil || e == nil {
			t.Fatalf("entry %d after the crash: %v, %v", rs[0].First, e, err)
		}
	}
}

// The disk is full at one change after another. Then there is space again.
func TestAFullDiskStopsTheNodeAndLosesNothing(t *testing.T) {
	n := newNetwork(t, 1, 0)
	m := n.members[0]
	disk := vfs.NewCrashableMem()
	m.fs = disk
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	executed := uint64(2)
	for round := range 12 {
		m.stop()
		var left atomic.Int64
		left.Store(1 << 40)
		m.fs = errorfs.Wrap(disk, errorfs.InjectorFunc(func(o errorfs.Op) error {
			if o.Kind.ReadOrWrite() == errorfs.OpIsWrite && o.Kind != errorfs.OpFilePreallocate && left.Add(-1) < 0 {
				return syscall.ENOSPC
			}
			return nil
		}))
		n.start()
		left.Store(int64(round))
		var err error
		o := c.records(1)
		for err == nil {
			o = c.records(1)
			var rs []ledger.Result
			if rs, err = m.node.Submit(timeout(t, time.Minute), o); err == nil {
				executed++
				if rs[0].Code != ledger.OK {
					t.Fatalf("round %d: %+v", round, rs[0])
				}
			}
		}
		if !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, consensus.ErrStopped) {
			t.Fatalf("round %d: got %v, want that the node stopped because there is no space", round, err)
		}
		if s := m.node.Status(); !errors.Is(s.Failed, syscall.ENOSPC) {
			t.Errorf("round %d: status %+v", round, s)
		}
		if err := m.stop(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("round %d: Stop gave %v", round, err)
		}
		disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rand.IntN(101), RNG: rand.New(rand.NewPCG(1, uint64(round)))})
		m.fs = disk
		n.start()
		rs, err := m.node.Submit(timeout(t, time.Minute), o) // failed, or failed but happened
		if err != nil || rs[0].Code != ledger.OK && rs[0].Code != ledger.Replayed {
			t.Fatalf("round %d: retry: %+v, %v", round, rs, err)
		}
		executed++
		if h, err := m.node.Ledger().Head(c.log); err != nil || h.Size != executed {
			t.Fatalf("round %d: %d entries, %v, want %d", round, h.Size, err, executed)
		}
	}
}
