package exchange_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/section"
)

// ward is a network of four validators in which member 1 reads what member 0 wrote for one patient.
func ward(b *testing.B, records int) (*exchange.Member, string, []uint64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	chart, err := w.Nodes[0].Member.Enrol(ctx)
	if err != nil {
		b.Fatal(err)
	}
	p, err := w.Nodes[0].Member.Custody(chart)
	if err != nil {
		b.Fatal(err)
	}
	s := exchange.Share{Member: 1, Purpose: "TREAT", Rights: consent.Read, Sections: []section.Section{section.Vitals}, Label: "bench"}
	if _, err := p.Grant(ctx, s); err != nil {
		b.Fatal(err)
	}
	var entries []uint64
	for part := range slices.Chunk(make([]struct{}, records), 100) {
		var drafts []exchange.Draft
		for range part {
			drafts = append(drafts, w.pulse(b))
		}
		published, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), chart, drafts)
		if err != nil {
			b.Fatal(err)
		}
		for _, x := range published {
			entries = append(entries, x.Entry)
		}
	}
	w.settle(b, ctx)
	return w.Nodes[1].Member, chart, entries
}

// read opens entries that are not open.
func read(b *testing.B, m *exchange.Member, chart string, entries []uint64) time.Duration {
	m.CloseCharts()
	began := time.Now()
	opened, err := m.Open(context.Background(), asker("TREAT"), chart, exchange.Want{Sections: []section.Section{section.Vitals}, Entries: entries})
	if err != nil {
		b.Fatal(err)
	}
	defer opened.Close()
	if opened.Chart.Len() != len(entries) {
		b.Fatalf("%d of %d records opened: %v", opened.Chart.Len(), len(entries), opened.Errors)
	}
	return time.Since(began)
}

func quantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// From request to plaintext: access committed by four validators, released by three, opened.
func BenchmarkAuditedReadOfOneRecord(b *testing.B) {
	m, chart, entries := ward(b, 10)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		took = append(took, read(b, m, chart, entries[i%10:i%10+1]))
	}
	quantiles(b, took)
}

func BenchmarkAuditedReadOfAHundredRecords(b *testing.B) {
	m, chart, entries := ward(b, 100)
	var took []time.Duration
	for b.Loop() {
		took = append(took, read(b, m, chart, entries))
	}
	quantiles(b, took)
}

// A whole chart that nobody here has opened before: 500 resources of 17 sections in 119 records. Each round opens another one.
func BenchmarkColdChartOf500Resources(b *testing.B) {
	ctx := context.Background()
	w := newWorld()
	charts := make([]string, b.N)
	for i := range charts {
		charts[i] = w.chart500(b, ctx)
	}
	w.settle(b, ctx)
	var took []time.Duration
	b.ResetTimer()
	for _, chart := range charts {
		began := time.Now()
		opened, err := w.Nodes[1].Member.Open(ctx, asker("TREAT"), chart, exchange.Want{Sections: section.Clinical()})
		if err != nil {
			b.Fatal(err)
		}
		if n := opened.Chart.Len(); n != 500 {
			b.Fatalf("%d of 500 resources opened: %v", n, opened.Errors)
		}
		took = append(took, time.Since(began))
	}
	quantiles(b, took)
}

// chart500 is a patient's whose chart member 0 wrote and member 1 may read.
func (w *world) chart500(b *testing.B, ctx context.Context) string {
	chart, err := w.Nodes[0].Member.Enrol(ctx)
	if err != nil {
		b.Fatal(err)
	}
	p, err := w.Nodes[0].Member.Custody(chart)
	if err != nil {
		b.Fatal(err)
	}
	s := exchange.Share{Member: 1, Purpose: "TREAT", Rights: consent.Read, Sections: section.Clinical(), Label: "bench"}
	if _, err := p.Grant(ctx, s); err != nil {
		b.Fatal(err)
	}
	var drafts []exchange.Draft
	for i := range 500 {
		d := w.pulse(b)
		d.Section = section.Clinical()[i%17]
		d.Group = fmt.Sprint("encounter ", i/17%7)
		drafts = append(drafts, d)
	}
	if _, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), chart, drafts); err != nil {
		b.Fatal(err)
	}
	return chart
}

// Many readers at once, each read traced by an entry of its own.
func BenchmarkAuditedReadsAtOnce(b *testing.B) {
	m, chart, entries := ward(b, 10)
	for _, readers := range []int{32, 128, 256} {
		b.Run(fmt.Sprint(readers, " readers"), func(b *testing.B) { readAtOnce(b, m, chart, entries, readers) })
	}
}

func readAtOnce(b *testing.B, m *exchange.Member, chart string, entries []uint64, readers int) {
	var mu sync.Mutex
	var took []time.Duration
	b.SetParallelism(readers / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	before := processor()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			d := read(b, m, chart, entries[i%10:i%10+1])
			mu.Lock()
			took = append(took, d)
			mu.Unlock()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
	b.ReportMetric(float64((processor()-before).Microseconds())/1000/float64(b.N), "cpu-ms/read")
	quantiles(b, took)
}

// processor is the time that this process has had of the processors.
func processor() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Sealing and appending, records of one observation each.
func BenchmarkPublish(b *testing.B) {
	ctx := context.Background()
	w := newWorld()
	chart, err := w.Nodes[0].Member.Enrol(ctx)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	b.ResetTimer()
	for b.Loop() {
		var drafts []exchange.Draft
		for range 100 {
			drafts = append(drafts, w.pulse(b))
		}
		if _, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), chart, drafts); err != nil {
			b.Fatal(err)
		}
		n += 100
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
