package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/wire"
)

// Of the store's work.
const (
	putAtOnce   = 500      // records that are put with one wait for the disk, as an import does
	flushAt     = 64 << 20 // bytes that are fresh before they are packed
	readersMany = 16       // that read at the same time
	chartsRead  = 5        // of which the median counts
	destroyed   = 200      // records of the first chart
)

// made is a record that depends on its number alone: what of it can't be compressed is random. Its header has an owner's, a reader's and the
// network's lock.
func (b *storageBench) made(i int) blobstore.Record {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i))
	random := rand.NewChaCha8(seed)
	size := b.o.Size
	if size == 0 {
		size = 700 + i*7919%600
	}
	blob := make([]byte, size)
	random.Read(blob)
	h := envelope.Header{Padded: 1024, Blob: sha256.Sum256(blob), Owner: make([]byte, key.SealOverhead+32), Readers: []envelope.ReaderLock{{Epoch: 1, Lock: make([]byte, key.SealOverhead+32)}}}
	h.Log, h.Created, h.Network.Gen = chartOf(i), uint64(i), 1
	for _, part := range [][]byte{h.Salt[:], h.Com[:], h.Writer[:], h.Owner, h.Readers[0].Lock, h.Network.U[:], h.Network.B[:]} {
		random.Read(part)
	}
	r := blobstore.Record{Log: h.Log, Blob: blob, Header: h.Encode(), Own: true}
	random.Read(r.ID[:])
	return r
}

// chartOf is the log of a record's chart.
func chartOf(i int) (log key.Log) {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i/ChartRecords)))
	return key.Log(h)
}

func sizeOf(r *blobstore.Record) int64 { return int64(len(r.Header) + len(r.Blob)) }

// puts measures single records, each acknowledged before the next, by many at once. They are numbered behind all others.
func (b *storageBench) puts(ctx context.Context, s *shelf) ([]figure, error) {
	var given atomic.Int64
	n, err := b.rate(ctx, readersMany, func(_ context.Context, i uint64) error {
		r := b.made(b.o.Records + int(i))
		given.Add(sizeOf(&r))
		return s.store.PutRecords([]blobstore.Record{r})
	})
	s.given += given.Load()
	return []figure{{fmt.Sprintf("records put one by one, %d at once", readersMany), "records/s", n}}, err
}

// rate is network.rate.
func (b *storageBench) rate(ctx context.Context, atOnce int, f func(context.Context, uint64) error) (float64, error) {
	return (&network{span: b.o.For}).rate(ctx, atOnce, f)
}

// put puts records from one number to another, as an import does.
func (b *storageBench) put(s *shelf, from, to int) (took time.Duration, err error) {
	for ; from < to; from += putAtOnce {
		var some []blobstore.Record
		for i := from; i < min(from+putAtOnce, to); i++ {
			some = append(some, b.made(i))
			s.given += sizeOf(&some[len(some)-1])
		}
		began := time.Now()
		if err := s.store.PutRecords(some); err != nil {
			return took, err
		}
		took += time.Since(began)
	}
	return took, nil
}

// hot puts a chart and reads it while it is fresh.
func (b *storageBench) hot(ctx context.Context, s *shelf) ([]figure, error) {
	if _, err := b.put(s, 0, ChartRecords); err != nil {
		return nil, err
	}
	n, err := b.rate(ctx, 1, func(_ context.Context, i uint64) error { return b.read(s, int(i)*7919%ChartRecords) })
	return []figure{{"fresh records read, one by one", "records/s", n}}, err
}

// read reads a record and holds it against what was put.
func (b *storageBench) read(s *shelf, i int) error {
	want := b.made(i)
	header, err := s.store.Header(want.Log, want.ID)
	if err != nil {
		return err
	}
	blob, err := s.store.Get(sha256.Sum256(want.Blob), 1<<30)
	if err == nil && (!bytes.Equal(header, want.Header) || !bytes.Equal(blob, want.Blob)) {
		err = fmt.Errorf("record %d isn't what was put", i)
	}
	return err
}

// fill puts the other records, and packs them now and then.
func (b *storageBench) fill(ctx context.Context, s *shelf) ([]figure, error) {
	var putting, packing time.Duration
	flush := func() error {
		began := time.Now()
		_, err := s.store.Flush(ctx)
		if err == nil {
			err = s.store.Leave() // as others hold it by then
		}
		packing += time.Since(began)
		return err
	}
	for i := ChartRecords; i < b.o.Records; {
		to := min(i+ChartRecords, b.o.Records)
		took, err := b.put(s, i, to)
		if err != nil {
			return nil, err
		}
		putting, i = putting+took, to
		if s.store.Status().Fresh >= flushAt {
			if err := flush(); err != nil {
				return nil, err
			}
			b.o.Note(fmt.Sprintf("%d of %d records, %s", i, b.o.Records, s.name))
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	k, up := s.store.Status(), s.bucket.Usage().Up
	out := []figure{}
	if putting > 0 {
		out = append(out, figure{fmt.Sprintf("records put, %d at a time", putAtOnce), "records/s", float64(b.o.Records-ChartRecords) / putting.Seconds()})
	}
	return append(out,
		figure{"packed, put into the bucket and read back", "records/s", float64(k.Items/2) / packing.Seconds()},
		figure{"the same", "MB/s", float64(s.given) / 1e6 / packing.Seconds()},
		figure{"written to the bucket for each byte that was put", "bytes", float64(up) / float64(s.given)},
		figure{"in the bucket for each byte that was put", "bytes", float64(k.Bytes) / float64(s.given)},
	), nil
}

// cold reads single records from the bucket.
func (b *storageBench) cold(ctx context.Context, s *shelf) ([]figure, error) {
	one := func(_ context.Context, i uint64) error { return b.read(s, int(i*7919)%b.o.Records) }
	alone, err := b.rate(ctx, 1, one)
	if err != nil {
		return nil, err
	}
	many, err := b.rate(ctx, readersMany, one)
	return []figure{{"packed records read, one by one", "records/s", alone}, {fmt.Sprintf("the same, %d at once", readersMany), "records/s", many}}, err
}

// charts reads whole charts that nobody read before.
func (b *storageBench) charts(ctx context.Context, s *shelf) ([]figure, error) {
	var took []time.Duration
	var requests uint64
	for c := range min(chartsRead, b.o.Records/ChartRecords) {
		var ids []key.Record
		var blobs []wire.Hash
		for i := c * ChartRecords; i < (c+1)*ChartRecords; i++ {
			r := b.made(i)
			ids, blobs = append(ids, r.ID), append(blobs, sha256.Sum256(r.Blob))
		}
		log, before := chartOf(c*ChartRecords), s.bucket.Usage().Gets
		began := time.Now()
		s.store.Warm(ctx, log, ids, blobs)
		for i := range ids {
			if _, err := s.store.Header(log, ids[i]); err != nil {
				return nil, err
			}
			if _, err := s.store.Get(blobs[i], 1<<30); err != nil {
				return nil, err
			}
		}
		took = append(took, time.Since(began))
		requests = max(requests, s.bucket.Usage().Gets-before)
	}
	return []figure{{fmt.Sprintf("chart of %d records, p50 of %d", ChartRecords, len(took)), "ms", median(took)}, {"requests for it, at most", "gets", float64(requests)}}, nil
}

// scrub reads every pack once.
func (b *storageBench) scrub(ctx context.Context, s *shelf) ([]figure, error) {
	began, all := time.Now(), int64(0)
	for {
		n, err := s.store.Scrub(ctx)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return []figure{{"all packs read and compared", "MB/s", float64(all) / 1e6 / time.Since(began).Seconds()}}, nil
		}
		all += n
	}
}

// reindex makes the index anew.
func (b *storageBench) reindex(ctx context.Context, s *shelf) ([]figure, error) {
	items := s.store.Status().Items
	began := time.Now()
	found, err := s.store.Reindex(ctx)
	took := time.Since(began).Seconds()
	if err == nil && (found.Lost+found.Foreign+found.Deleted > 0 || s.store.Status().Items != items) {
		err = fmt.Errorf("of %d items %d are there: %+v", items, s.store.Status().Items, found)
	}
	if err != nil {
		return nil, err
	}
	if err := b.read(s, b.o.Records-1); err != nil {
		return nil, err
	}
	return []figure{{fmt.Sprintf("the index of %d items, from the bucket alone", items), "s", took}, {"the same", "items/s", float64(items) / took}}, nil
}

// destroy destroys records, as a patient may, and takes them out of the bucket.
func (b *storageBench) destroy(ctx context.Context, s *shelf) ([]figure, error) {
	var gone []blobstore.Destroyed
	var bytes int64
	for i := range destroyed {
		r := b.made(i)
		bytes += sizeOf(&r)
		gone = append(gone, blobstore.Destroyed{Record: blobstore.Record{Log: r.Log, ID: r.ID}, Hash: sha256.Sum256(r.Blob)})
	}
	before := s.bucket.Usage().Up
	began := time.Now()
	if err := s.store.Destroy(gone); err != nil {
		return nil, err
	}
	unreadable := time.Since(began)
	if err := s.store.Expunge(ctx, time.Now().Add(time.Second)); err != nil {
		return nil, err
	}
	return []figure{{fmt.Sprintf("%d records of a chart destroyed: unreadable after", destroyed), "ms", float64(unreadable.Microseconds()) / 1000}, {"out of disk and bucket after", "ms", float64(time.Since(began).Microseconds()) / 1000},
		{"written to the bucket anew for each byte of them", "bytes", float64(s.bucket.Usage().Up-before) / float64(bytes)}}, nil
}
