package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"vitalog/internal/bench"
)

func (p *program) storageBenchCommand() *cobra.Command {
	var o bench.StorageOptions
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the stores, packs and a bucket with synthetic records",
		Long: `Puts synthetic records into a store of its own in the system's directory for temporary files, packs them into a bucket, reads them, reads it all for rot,
tells the index from the bucket alone and destroys a few. With --url it does the same in a bucket at a cloud, phase by phase beside a directory of this machine, under
a prefix of its own (in a directory: in a new one below it) that is removed at the end; what a member has there is not touched. Credentials come from their usual
places. --latency has each call of the bucket take longer, as if it were elsewhere.

Each record has a header of 2.7 kB and a ciphertext of --size bytes. A million of them take 4 GB, at both places.`,
		Example: "  vitalog storage bench\n  vitalog storage bench --latency 30ms\n  vitalog storage bench --url 's3://records?region=eu-central-1' --records 1000000 --json",
		Args:    cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Bucket, "url", "", "a bucket to measure beside a directory: s3://…, azblob://…, gs://…, file:///directory")
	f.DurationVar(&o.Latency, "latency", 0, "what each call of that bucket takes longer; without --url: of a second directory")
	f.IntVar(&o.Records, "records", 20_000, "records to put")
	f.IntVar(&o.Size, "size", 0, "bytes of a ciphertext (default 700 to 1,300, as those of synthetic patients)")
	f.DurationVar(&o.For, "for", 2*time.Second, "how long each rate is measured")
	p.jsonFlag(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		switch {
		case o.Records < bench.ChartRecords:
			return misused("--records %d: want at least a chart, %d", o.Records, bench.ChartRecords)
		case o.Size < 0 || o.Size > 8<<20:
			return misused("--size %d: want up to 8 MiB", o.Size)
		case o.For <= 0 || o.Latency < 0:
			return misused("--for %v --latency %v: want times to come", o.For, o.Latency)
		}
		serving()
		bar := p.progress()
		defer bar.done()
		headed := false
		o.Note = func(how string) { bar.show("%s", how) }
		o.Tell = func(m bench.StorageMeasure) error {
			bar.done()
			if p.json {
				return p.line(m)
			}
			if !headed {
				headed = true
				p.print("%s", bench.StorageHead(m.Places))
			}
			p.print("%s", m.Row())
			return nil
		}
		return bench.Storage(ctx, o)
	})
	return c
}
