package ledger_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/wire"
)

// BenchmarkHeadUpdates1M is what a block costs the array of heads when there are a million logs: 1,000 heads with five grants each are
// encoded and hashed, and the root is made anew.
func BenchmarkHeadUpdates1M(b *testing.B) {
	const logs, batch = 1_000_000, 1000
	head := func(n uint64) *op.Head {
		h := &op.Head{Number: n, Log: key.Log(wire.Sum("log", wire.U64(n))), Owners: []key.Verifier{{1}}, Epoch: 1, Size: 12}
		for i := range 5 {
			h.Grants = append(h.Grants, op.Granted{Grant: consent.Grant{Entry: uint64(i), Terms: consent.Terms{Rights: consent.Read, Ranges: []consent.Range{{To: consent.Forever}}}}})
		}
		return h
	}
	leaves := make([]wire.Hash, logs)
	for n := range leaves {
		leaves[n] = wire.Hash(wire.Sum("log", wire.U64(uint64(n))))
	}
	a := merkle.NewArray(leaves)
	var heads []*op.Head
	for i := range uint64(batch) {
		heads = append(heads, head(i*7919%logs))
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		s := a.Stage()
		for _, h := range heads {
			h.Size++
			s.Set((h.Number+uint64(i)*104729)%logs, h.Hash())
		}
		s.Root()
		s.Apply()
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "heads/s")
}

// BenchmarkHeadsMemory opens a ledger of a million logs: what it keeps in memory for each, and the most that the process took from the
// system for it. The store's own memory is apart.
func BenchmarkHeadsMemory(b *testing.B) {
	const logs = 1_000_000
	s := &manyHeads{Memory: ledger.NewMemory(), logs: logs}
	for b.Loop() {
		debug.FreeOSMemory()
		var before, open, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l, err := ledger.Open(founders(1), s)
		if err != nil || l.Logs() != logs {
			b.Fatalf("%d logs, %v", l.Logs(), err)
		}
		runtime.ReadMemStats(&open)
		debug.FreeOSMemory()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/logs, "B/head")
		b.ReportMetric(float64(open.TotalAlloc-before.TotalAlloc)/logs, "allocated-B/head")
		b.ReportMetric(float64(open.Sys-before.Sys)/logs, "peak-B/head")
		runtime.KeepAlive(l)
	}
}

// manyHeads is a store that has heads without keeping them.
type manyHeads struct {
	*ledger.Memory
	logs uint64
}

func (s *manyHeads) Scan(from, to []byte, each func(k, v []byte) error) error {
	if string(from) != "h" {
		return s.Memory.Scan(from, to, each)
	}
	h := &op.Head{Owners: []key.Verifier{{1}}, Epoch: 1, Size: 1}
	for ; h.Number < s.logs; h.Number++ {
		h.Log = key.Log(wire.Sum("log", wire.U64(h.Number)))
		if err := each(append([]byte{'h'}, wire.U64(h.Number)...), h.Encode()); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkExecute runs whole blocks over a store in memory: signatures apart, everything that a validator does.
func BenchmarkExecute(b *testing.B) {
	for _, c := range []struct {
		name string
		body func(i int) op.Body
		size int
	}{
		{"access", func(i int) op.Body {
			return &op.Access{Ranges: []consent.Range{{From: 0, To: 1}}, Detail: wire.Sum("detail", wire.U64(uint64(i)))}
		}, 1},
		{"append1", func(i int) op.Body { return records(i, 1) }, 1},
		{"append100", func(i int) op.Body { return records(i, 100) }, 100},
	} {
		b.Run(c.name, func(b *testing.B) {
			const logs, batch = 200, 500
			g := founders(1)
			g.Params.LogOperations, g.Params.LogBytes = 1<<31, 1<<50
			w := newWorld(b, g)
			w.makeKey()
			for i := range logs {
				name := fmt.Sprint("owner", i)
				w.must(w.create(name))
				w.must(w.sign(name, w.logOf(name), &op.Grant{Terms: consent.Terms{Key: actor("hospital").Public(), Rights: consent.Read | consent.Write,
					Ranges: []consent.Range{{To: consent.Forever}}}}))
			}
			ids := make([]key.Log, logs)
			for i := range ids {
				ids[i] = w.logOf(fmt.Sprint("owner", i))
			}
			n := 0
			for b.Loop() {
				b.StopTimer()
				w.clock += 100
				var ops []*op.Operation
				for range batch {
					ops = append(ops, w.sign("hospital", ids[n%logs], c.body(n)))
					n++
				}
				b.StartTimer()
				rs, _ := w.block(ops...)
				for _, r := range rs {
					if r.Code != ledger.OK {
						b.Fatal(r.Err())
					}
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ops/s")
			b.ReportMetric(float64(n*c.size)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func records(from, n int) *op.Append {
	a := &op.Append{Epoch: 1, NetGen: 1}
	for i := range n {
		a.Records = append(a.Records, op.Record{ID: key.Record(wire.Sum("rid", wire.U64(uint64(from*n+i)))), Blob: wire.Sum("blob", wire.U64(uint64(from*n+i)))})
	}
	return a
}
