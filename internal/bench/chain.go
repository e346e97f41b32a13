package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

const (
	callers      = 4096 // that submit at the same time
	batchSize    = 100  // records in one operation
	batchCallers = 512
	manyHeads    = 1_000_000
	blockSize    = 1000 // heads that a block changes
)

func (b *network) publish(ctx context.Context) ([]Measure, error) {
	const each = 50
	rate, err := b.rate(ctx, 4, func(ctx context.Context, n uint64) error {
		id := b.charts[n%patients]
		drafts := make([]exchange.Draft, each)
		for i := range drafts {
			drafts[i] = observation(id, section.PatientGenerated, "")
		}
		_, err := b.nodes[0].Member.Publish(ctx, physician, id, drafts)
		return err
	})
	return []Measure{{What: "resources sealed one by one, durable and committed", Value: rate * each, Unit: "resources/s", Bar: "≥ 700, then 2,500 in records of several", Others: "HAPI 2,214 on 8 vCPU, wso2 517-621 on two cores, neither sealed"}}, err
}

// sign makes an operation of the first member's, in one of the logs.
func (b *network) sign(n uint64, body func(head *op.Head) op.Body) (*op.Operation, error) {
	log := b.logs[n%uint64(len(b.logs))]
	head, err := b.nodes[0].Chain.Ledger().Head(log)
	if err != nil {
		return nil, err
	}
	expires := uint64(time.Now().Add(5 * time.Minute).UnixMilli())
	return op.Sign(b.id, b.nodes[0].Ring.Grantee(log, exchange.Treat), log, expires, body(head)), nil
}

// submit puts operations on the ledger through all members in turn, and counts how many a second were executed well.
func (b *network) submit(ctx context.Context, atOnce int, body func(head *op.Head) op.Body) (float64, error) {
	return b.rate(ctx, atOnce, func(ctx context.Context, n uint64) error {
		o, err := b.sign(n, body)
		if err != nil {
			return err
		}
		results, err := b.nodes[n%members].Chain.Submit(ctx, o)
		if err == nil {
			err = results[0].Err()
		}
		return err
	})
}

func (b *network) operations(ctx context.Context) ([]Measure, error) {
	detail, err := b.nodes[0].Member.PutBlob(ctx, []byte("one detail for all")) // so that no member has to look for details
	if err != nil {
		return nil, err
	}
	rate, err := b.submit(ctx, callers, func(*op.Head) op.Body {
		return &op.Access{Ranges: []consent.Range{{From: 0, To: 1}}, Session: wire.Sum("bench"), Detail: detail}
	})
	return []Measure{{What: fmt.Sprintf("operations signed one by one, %d in flight", callers), Value: rate, Unit: "operations/s", Bar: "≥ 8,000", Others: "Fabric 2.5: 2,947 tx/s on 120 threads"}}, err
}

func (b *network) batches(ctx context.Context) ([]Measure, error) {
	gen := b.nodes[0].Chain.Ledger().NetworkKey(0).Gen
	var size atomic.Int64
	var once sync.Once
	rate, err := b.submit(ctx, batchCallers, func(head *op.Head) op.Body {
		a := &op.Append{Epoch: head.Epoch, NetGen: gen, Records: make([]op.Record, batchSize)}
		for i := range a.Records {
			r := &a.Records[i]
			rand.Read(r.ID[:])
			rand.Read(r.Core[:])
			rand.Read(r.Blob[:])
			r.Size = 10
		}
		once.Do(func() {
			log := b.logs[0]
			o := op.Sign(b.id, b.nodes[0].Ring.Grantee(log, exchange.Treat), log, 1, a)
			size.Store(int64(len(o.Encode(b.id))))
		})
		return a
	})
	return []Measure{
		{What: fmt.Sprintf("records in operations of %d, ledger alone", batchSize), Value: rate * batchSize, Unit: "records/s", Bar: "≥ 20,000", Others: "Tessera 1,587 entries/s"},
		{What: "ledger per record, in a block", Value: float64(size.Load()) / batchSize, Unit: "bytes", Bar: "≤ 150"},
	}, err
}

// heads is what a block of a thousand changed logs costs the array of a million heads: encoding, hashing, and the root.
func (b *network) heads(context.Context) ([]Measure, error) {
	array := merkle.NewArray(make([]wire.Hash, manyHeads))
	heads := make([]op.Head, blockSize)
	for i := range heads {
		h := &heads[i]
		h.Number, h.Log, h.Owners, h.Epoch = uint64(i)*977, key.Log(wire.Sum("bench", wire.U64(uint64(i)))), []key.Verifier{{1}}, 1
		for j := range 5 {
			h.Grants = append(h.Grants, op.Granted{Grant: consent.Grant{Entry: uint64(j), Terms: consent.Terms{Rights: consent.Read, Ranges: []consent.Range{{To: consent.Forever}}}}})
		}
	}
	took, err := b.timed(func() error {
		s := array.Stage()
		for i := range heads {
			heads[i].Size++
			s.Set(heads[i].Number, heads[i].Hash())
		}
		s.Root()
		s.Apply()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return []Measure{
		{What: "head updates at a million logs, a thousand a block", Value: blockSize / (milliseconds(took, 50) / 1000), Unit: "heads/s", Bar: "≥ 20,000"},
		{What: "most memory of the process, with four members, until here", Value: residentPeak(), Unit: "MiB"},
	}, nil
}
