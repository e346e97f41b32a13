package bench

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"golang.org/x/sync/errgroup"

	"vitalog/exchange"
	"vitalog/section"
)

// Grown is what was measured when the network held so many records.
type Grown struct {
	Records        int     `json:"records"`
	Publish        float64 `json:"publishPerSecond"` // records, while it grew to this size
	ReadP50        float64 `json:"readP50Ms"`        // of one record that was never opened
	ReadP99        float64 `json:"readP99Ms"`
	BytesPerRecord float64 `json:"bytesPerRecord"` // on one member's disk, everything counted
	HeapMiB        float64 `json:"heapMiB"`        // of the process with four members, after a collection
}

const grownHead = "| records | published | read p50 | read p99 | disk of a member per record | heap of four members |\n|---|---|---|---|---|---|"

func (g Grown) row() string {
	return fmt.Sprintf("| %d | %s/s | %s ms | %s ms | %s B | %s MiB |", g.Records, digits(g.Publish), digits(g.ReadP50), digits(g.ReadP99), digits(g.BytesPerRecord), digits(g.HeapMiB))
}

const (
	growBatch = 250  // records published at once
	growChart = 1000 // records of one patient
	growReads = 60   // records left closed at each size, to be read
)

// grow fills a network of its own with records and measures at each size.
func grow(ctx context.Context, o Options) (out []Grown, err error) {
	b, err := start(ctx, o.For, o.Through)
	if err != nil {
		return nil, err
	}
	defer b.close()
	have := 0
	for _, size := range o.Grow {
		o.Begin(fmt.Sprintf("growth to %d records", size))
		began, from := time.Now(), have
		var last []spot
		for have < size {
			charts := min(4, (size-have+growChart-1)/growChart)
			spots := make([][]spot, charts)
			g, gctx := errgroup.WithContext(ctx)
			for i := range charts {
				want := min(growChart, size-have)
				have += want
				g.Go(func() (err error) { spots[i], err = b.fillChart(gctx, want); return err })
			}
			if err := g.Wait(); err != nil {
				return out, err
			}
			last = spots[0]
		}
		rate := float64(have-from) / time.Since(began).Seconds()
		if err := b.settle(ctx); err != nil {
			return out, err
		}
		take := takes(last[:min(len(last), growReads)])
		took, err := b.timed(func() error { return b.openNext(ctx, take) })
		if err != nil {
			return out, err
		}
		disk, err := b.bytes()
		if err != nil {
			return out, err
		}
		out = append(out, Grown{Records: have, Publish: rate, ReadP50: milliseconds(took, 50), ReadP99: milliseconds(took, 99),
			BytesPerRecord: float64(disk) / float64(have), HeapMiB: heap()})
	}
	return out, nil
}

// fillChart enrols a patient with so many records and says where they are.
func (b *network) fillChart(ctx context.Context, records int) (out []spot, err error) {
	id, err := b.nodes[0].Member.Enrol(ctx)
	if err != nil {
		return nil, err
	}
	for len(out) < records {
		drafts := make([]exchange.Draft, min(growBatch, records-len(out)))
		for i := range drafts {
			drafts[i] = observation(id, section.Vitals, "")
		}
		done, err := b.nodes[0].Member.Publish(ctx, physician, id, drafts)
		if err != nil {
			return nil, err
		}
		for _, d := range done {
			out = append(out, spot{id, section.Vitals, d.Entry})
		}
	}
	return out, nil
}

// heap is what a collection finds in use, in MiB. What is allocated is more, by what was used since.
func heap() float64 {
	runtime.GC() // what pools keep goes with the second
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return float64(live[0].Value.Uint64()) / (1 << 20)
}
