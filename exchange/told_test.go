package exchange_test

import (
	"context"
	"testing"
	"time"
)

// The last page of a custodian's audit, beside all of it with every detail, after 300 accesses.
func BenchmarkCustodiansAudit(b *testing.B) {
	const accesses, page = 300, 20
	ctx := context.Background()
	reader, chart, entries := ward(b, 1)
	m := newWorld().Nodes[0].Member // the custodian
	for range accesses {
		read(b, reader, chart, entries)
	}
	for ready := false; !ready; { // the last of them are in the outbox for a moment
		t, err := m.Told(ctx, chart, time.Time{}, time.Time{})
		if err != nil {
			b.Fatal(err)
		}
		ready = len(t.Deeds) >= accesses
	}
	var paged, whole time.Duration
	for b.Loop() {
		began := time.Now()
		t, err := m.Told(ctx, chart, time.Time{}, time.Time{})
		for i := 0; err == nil && i < page; i++ {
			err = t.Explain(ctx, &t.Deeds[i])
		}
		if err != nil || t.Deeds[0].Detail == nil {
			b.Fatal(err)
		}
		paged += time.Since(began)
		began = time.Now()
		p, err := m.Custody(chart)
		if err != nil {
			b.Fatal(err)
		}
		all, err := p.Activity(ctx)
		if err != nil || len(all.Rows) < accesses {
			b.Fatal(len(all.Rows), err)
		}
		whole += time.Since(began)
	}
	b.ReportMetric(float64(paged.Microseconds())/1000/float64(b.N), "page-ms")
	b.ReportMetric(float64(whole.Microseconds())/1000/float64(b.N), "whole-ms")
	b.ReportMetric(float64(whole)/float64(paged), "ratio")
}
