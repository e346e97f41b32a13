package consensus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vitalog/ledger"
	"vitalog/op"
)

// Four validators on this machine; figures are of the whole network on its processors.

// How long a caller waits that is alone: commit p50 and p99.
func BenchmarkSubmit(b *testing.B) {
	n := newNetwork(b, 4, 0)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	n.level()
	ops := make([]*op.Operation, b.N)
	for i := range ops {
		ops[i] = c.records(1)
	}
	waits := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i, o := range ops {
		begun := time.Now()
		mustSubmit(b, n.members[i%4], o)
		waits = append(waits, time.Since(begun))
	}
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
}

// Individually signed operations per second, when 512 callers of 64 logs wait at once, and when 4,096 do.
func BenchmarkSubmitMany(b *testing.B)  { submitMany(b, 512, 1) }
func BenchmarkSubmitFlood(b *testing.B) { submitMany(b, 4096, 1) }

// Records per second, in operations of a hundred.
func BenchmarkSubmitRecords(b *testing.B) { submitMany(b, 64, 100) }

func submitMany(b *testing.B, callers, records int) {
	n := newNetwork(b, 4, 0)
	n.start()
	n.makeKey()
	const logs = 64
	charts := make([]*chart, logs)
	for i := range charts {
		charts[i] = n.newChart(fmt.Sprint("patient ", i))
	}
	n.level()
	ops := make([]*op.Operation, b.N)
	for i := range ops {
		ops[i] = charts[i%logs].records(records)
	}
	before := n.used()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	begun, computed, height := time.Now(), computing(), n.members[0].node.Ledger().Height()
	for w := range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				mustSubmit(b, n.members[w%4], ops[i])
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	took := time.Since(begun).Seconds()
	b.ReportMetric(float64((computing()-computed).Microseconds())/float64(b.N*records), "cpu-µs/record")
	b.ReportMetric(float64(n.members[0].node.Ledger().Height()-height)/took, "heights/s")
	b.ReportMetric(float64(b.N)/took, "ops/s")
	b.ReportMetric(float64(b.N*records)/took, "records/s")
	b.ReportMetric(float64(n.used()-before)/float64(b.N*records), "ledger-B/record")
}

func mustSubmit(t testing.TB, m *member, ops ...*op.Operation) []ledger.Result {
	rs, err := m.node.Submit(context.Background(), ops...)
	if err != nil {
		t.Error(err)
		return nil
	}
	for i := range rs {
		if err := rs[i].Err(); err != nil {
			t.Error(err)
		}
	}
	return rs
}

// computing is the time that processors have spent on this process: on a machine that others use too it tells more than a clock.
func computing() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// used is the bytes of keys and values in the ledger of member 0.
func (n *network) used() (total int) {
	if err := n.members[0].db.Prefix("ledger/").Scan(nil, nil, func(k, v []byte) error {
		total += len(k) + len(v)
		return nil
	}); err != nil {
		n.t.Fatal(err)
	}
	return total
}
