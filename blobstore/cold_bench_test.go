package blobstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/key"
	"vitalog/wire"
)

// far is a bucket in a directory whose answers take as long as those of a cloud.
type far struct {
	blobstore.Bucket
	latency time.Duration
}

func (f far) Get(ctx context.Context, name string, at, n int64) ([]byte, error) {
	time.Sleep(f.latency)
	return f.Bucket.Get(ctx, name, at, n)
}

// chartRecords is a chart with the sizes of the synthetic patients: a header with an owner's and a reader's lock, and a ciphertext.
func chartRecords(n int) (all []blobstore.Record, ids []key.Record, blobs []wire.Hash) {
	for i := range n {
		r := blobstore.Record{Log: key.Log{3}, ID: key.Record{byte(i), byte(i >> 8), byte(i >> 16)}, Header: blob(2732 + i%97), Blob: blob(i)}
		r.Blob = append(r.Blob[:min(len(r.Blob), 500)], blob(700+i%131)...)
		r.Blob[0], r.Blob[1], r.Blob[2] = byte(i), byte(i>>8), byte(i>>16)
		all, ids, blobs = append(all, r), append(ids, r.ID), append(blobs, sum(r.Blob))
	}
	return all, ids, blobs
}

func bucketed(b *testing.B, latency time.Duration) (*blobstore.Store, *cloud.Bucket) {
	b.Helper()
	dir := b.TempDir()
	_, s := open(b, dir)
	c, err := cloud.Open(b.Context(), "file://"+filepath.Join(dir, "bucket"), cloud.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Attach(far{c, latency}, storageKey, nil); err != nil {
		b.Fatal(err)
	}
	return s, c
}

// A chart of 2,000 records, headers and ciphertext, from a cloud that takes 30 ms for each answer: as many requests as there are spans, side by side.
func BenchmarkChartFromACloud(b *testing.B) {
	const n = 2000
	all, ids, blobs := chartRecords(n)
	for b.Loop() {
		b.StopTimer()
		s, c := bucketed(b, 30*time.Millisecond)
		if err := s.PutRecords(all); err != nil {
			b.Fatal(err)
		}
		flush(b, s)
		before := c.Usage().Gets
		b.StartTimer()
		s.Warm(b.Context(), key.Log{3}, ids, blobs)
		for i := range ids {
			if _, err := s.Header(key.Log{3}, ids[i]); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Get(blobs[i], huge); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		b.ReportMetric(float64(c.Usage().Gets-before), "requests")
		b.StartTimer()
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// What it takes to put records, pack them, and read one of them: fresh and from the bucket in a directory. Write amplification is what was written to
// the bucket for each byte that was put.
func BenchmarkRecords(b *testing.B) {
	const n = 10_000
	all, ids, blobs := chartRecords(n)
	bytes := 0
	for _, r := range all {
		bytes += len(r.Header) + len(r.Blob)
	}
	s, c := bucketed(b, 0)
	b.Run("put", func(b *testing.B) {
		for b.Loop() {
			for i := 0; i < n; i += 500 {
				if err := s.PutRecords(all[i : i+500]); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	get := func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.Get(blobs[i*7919%n], huge); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Header(key.Log{3}, ids[i*7919%n]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	}
	b.Run("get fresh", get)
	b.Run("pack", func(b *testing.B) {
		for b.Loop() {
			flush(b, s)
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		b.ReportMetric(float64(c.Usage().Up)/float64(bytes), "written/put")
	})
	b.Run("get packed", get)
	b.Run("reindex", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Reindex(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(2*n*float64(b.N)/b.Elapsed().Seconds(), "items/s")
	})
}
