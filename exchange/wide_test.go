package exchange_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/op"
	"vitalog/section"
)

// wide is a chart in which member 0 wrote records of one observation each into one section, which member 1 may read.
func (w *world) wide(t testing.TB, ctx context.Context, records int) (chart string) {
	t.Helper()
	chart, err := w.Nodes[0].Member.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Nodes[0].Member.Custody(chart)
	if err != nil {
		t.Fatal(err)
	}
	s := exchange.Share{Member: 1, Purpose: "TREAT", Rights: consent.Read, Sections: []section.Section{section.Vitals}, Label: "wide"}
	if _, err := p.Grant(ctx, s); err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(make([]struct{}, records), 500) {
		drafts := make([]exchange.Draft, len(part))
		for i := range drafts {
			drafts[i] = w.pulse(t)
		}
		if _, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), chart, drafts); err != nil {
			t.Fatal(err)
		}
	}
	w.settle(t, ctx)
	return chart
}

// opensWide opens the section and wants all of its records, in as few accesses as name them.
func (w *world) opensWide(t testing.TB, ctx context.Context, chart string, records int) time.Duration {
	t.Helper()
	began := time.Now()
	opened, err := w.Nodes[1].Member.Open(ctx, asker("TREAT"), chart, vitals)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	defer opened.Close()
	if opened.Chart.Len() != records || len(opened.Errors) > 0 {
		t.Fatalf("%d of %d records open, %d do not", opened.Chart.Len(), records, len(opened.Errors))
	}
	if want := (records + op.MaxAccessEntries - 1) / op.MaxAccessEntries; len(opened.Rows) != want {
		t.Errorf("%d records left %d rows on the ledger, want %d", records, len(opened.Rows), want)
	}
	return took
}

func TestAChartOfFiveThousandRecordsInOneSectionOpens(t *testing.T) {
	if testing.Short() {
		t.Skip("it seals and releases 5,000 records")
	}
	const records = 5000
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	chart := w.wide(t, ctx, records)
	took := w.opensWide(t, ctx, chart, records)
	t.Logf("%d records in %v on %d processors", records, took.Round(time.Millisecond), runtime.GOMAXPROCS(0))
}

// BenchmarkWideChart opens charts of which nothing is in memory: the cost of a record must not grow with their number.
func BenchmarkWideChart(b *testing.B) {
	for _, records := range []int{500, 5000} {
		b.Run(fmt.Sprint(records), func(b *testing.B) {
			ctx := context.Background()
			w := newWorld()
			chart := w.wide(b, ctx, records)
			b.ResetTimer()
			var all time.Duration
			for b.Loop() {
				w.Nodes[1].Member.CloseCharts()
				all += w.opensWide(b, ctx, chart, records)
			}
			b.ReportMetric(float64(all.Microseconds())/float64(b.N*records), "µs/record")
		})
	}
}
