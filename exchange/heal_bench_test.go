package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vitalog/blobstore"
	"vitalog/exchange"
	"vitalog/node"
	"vitalog/op"
)

// BenchmarkHeal wipes the bucket of one of four validators, all of whose ciphertext is in S3, and waits until that has everything again. late is how far away the
// others' buckets are, who have nothing of them in their memory at first: gets are the requests that they make for a thousand records.
func BenchmarkHeal(b *testing.B) {
	for _, x := range []struct {
		records int
		late    time.Duration
	}{{5_000, 0}, {20_000, 30 * time.Millisecond}, {100_000, 0}} {
		b.Run(fmt.Sprintf("%d records, %v", x.records, x.late), func(b *testing.B) {
			records := x.records
			ctx := context.Background()
			schedule := blobstore.Schedule{Fresh: time.Second, List: time.Second, Scrub: -1}
			c := startInClouds(b, schedule)
			n := c.Nodes[1]
			charts := c.charts(b, ctx)
			c.fill(b, ctx, charts, records)
			whole := func() (bytes int64) {
				eventually(b, ctx, "everything is in the bucket", func() (bool, error) {
					missing, err := n.Member.Missing()
					s := n.Store.Status()
					bytes = s.Bytes
					return missing == 0 && s.Fresh == 0 && s.Found.Lost == 0, err
				})
				return bytes
			}
			whole()
			for i, n := range c.Nodes {
				eventually(b, ctx, fmt.Sprintf("all of member %d is in its bucket", i), func() (bool, error) { return n.Store.Status().Fresh == 0, nil })
			}
			for _, i := range []int{0, 2, 3} {
				c.Stop(b, i)
				c.Restart(b, i, node.Options{Schedule: schedule, Cloud: impatient})
			}
			c.WaitReady(b)
			gets := func() (n uint64) {
				for _, i := range []int{0, 2, 3} {
					s, err := c.Nodes[i].Storage(ctx, false)
					if err != nil {
						b.Fatal(err)
					}
					n += s.Usage.Gets
				}
				return n
			}
			asked := gets()
			c.others.Late.Store(int64(x.late / 2)) // there, and back
			defer c.others.Late.Store(0)
			var bytes int64
			for b.Loop() {
				c.wipe(b)
				wiped := time.Now()
				eventually(b, ctx, "the bucket is listed", func() (bool, error) { return !n.Store.Status().Listed.Before(wiped.Add(time.Second)), nil })
				bytes += whole()
			}
			b.ReportMetric(float64(records*b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(bytes)/b.Elapsed().Seconds()/1e6, "MB/s")
			b.ReportMetric(float64(bytes)/float64(records*b.N), "B/record")
			b.ReportMetric(float64(gets()-asked)/float64(records*b.N)*1000, "gets/1000")
			c.others.Late.Store(0)
			if found, checked := c.verified(b, ctx, 1, exchange.Verification{}); len(found) > 0 || checked.Pending > 0 || checked.Headers < uint64(records) {
				b.Errorf("%d damaged, %+v", len(found), checked)
			}
		})
	}
}

// BenchmarkVerifyInS3 holds all of a member's ciphertext, which is in S3 30 ms away, against the ledger; and beside it a part of the records each by itself, by as many
// at once as there are processors, which is how it was done before packs were read whole.
func BenchmarkVerifyInS3(b *testing.B) {
	const records, alone = 20_000, 1000
	ctx := context.Background()
	c := startInClouds(b, blobstore.Schedule{Fresh: time.Second})
	c.fill(b, ctx, c.charts(b, ctx), records)
	n := c.Nodes[1]
	eventually(b, ctx, "everything is in the bucket", func() (bool, error) { return n.Store.Status().Fresh == 0, nil })
	all := c.recorded(b, 1)
	c.network.Late.Store(int64(15 * time.Millisecond)) // there, and back
	defer c.network.Late.Store(0)
	var byPacks, byItself time.Duration
	var bytes uint64
	for b.Loop() {
		began := time.Now()
		found, checked := c.verified(b, ctx, 1, exchange.Verification{})
		byPacks += time.Since(began)
		if bytes += checked.Bytes; len(found) > 0 || checked.Pending > 0 || checked.Headers < records {
			b.Fatalf("%d damaged, %+v", len(found), checked)
		}
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		began = time.Now()
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for _, e := range all[:alone] {
			g.Go(func() error {
				rec := e.Says.(*op.Recorded)
				_, err := n.Store.Header(e.Log, rec.ID)
				_, blobErr := n.Store.Verify(rec.Blob)
				return errors.Join(err, blobErr)
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		byItself += time.Since(began)
	}
	fast, slow := float64(len(all)*b.N)/byPacks.Seconds(), float64(alone*b.N)/byItself.Seconds()
	b.ReportMetric(fast, "records/s")
	b.ReportMetric(slow, "alone/s")
	b.ReportMetric(fast/slow, "times")
	b.ReportMetric(float64(bytes)/byPacks.Seconds()/1e6, "MB/s")
}

// recorded lists the entries of a member's ledger that have records.
func (w *world) recorded(t testing.TB, member int) (all []*op.Entry) {
	t.Helper()
	l := w.Nodes[member].Chain.Ledger()
	for n := range l.Logs() {
		head, err := l.HeadByNumber(n)
		if err == nil {
			err = l.Entries(head.Log, 0, head.Size, func(e *op.Entry) error {
				if _, ok := e.Says.(*op.Recorded); ok {
					all = append(all, e)
				}
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// charts are ten new ones, of all members.
func (c *clouds) charts(b *testing.B, ctx context.Context) (all []string) {
	for part := range 10 {
		chart, err := c.Nodes[part%4].Member.Enrol(ctx)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, chart)
	}
	c.settle(b, ctx)
	return all
}

// fill writes records of one observation each into the charts, and waits until all members have them.
func (c *clouds) fill(b *testing.B, ctx context.Context, charts []string, records int) {
	var g errgroup.Group
	for part, chart := range charts {
		var batches [][]exchange.Draft
		for left := records / 10; left > 0; left -= 500 {
			drafts := make([]exchange.Draft, min(500, left))
			for i := range drafts {
				drafts[i] = c.pulse(b)
			}
			batches = append(batches, drafts)
		}
		g.Go(func() error {
			for _, drafts := range batches {
				if _, err := c.Nodes[part%4].Member.Publish(ctx, asker("TREAT"), chart, drafts); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	c.settle(b, ctx)
	for i, n := range c.Nodes {
		eventually(b, ctx, fmt.Sprintf("member %d has everything", i), func() (bool, error) { n, err := n.Member.Missing(); return n == 0, err })
	}
}
