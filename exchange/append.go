package exchange

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"vitalog/ledger"
	"vitalog/op"
)

// recordsAtOnce is how many records one append carries at most: a transaction stays well below its limit.
const recordsAtOnce = 500

// publish seals the parts and puts them on the ledger, all in one call. It fills the places in out; after ErrAgain those that it found are
// filled, and the others can be published again.
func publish(ctx context.Context, home Home, net *op.NetworkKey, parts []*part, drafts []Draft, out []Published, put func(context.Context, []Sealed) error) error {
	if err := seal(ctx, home, net, parts, drafts, out); err != nil {
		return err
	}
	// (1) Ciphertext and headers are durable before the ledger hears of them.
	var fresh []Sealed
	for _, p := range parts {
		for _, r := range p.records {
			fresh = append(fresh, r.Sealed) // also what an earlier attempt left here: it may be in the bucket alone by now
		}
	}
	if len(fresh) > 0 {
		if err := put(ctx, fresh); err != nil {
			return fmt.Errorf("storing %d records: %w", len(fresh), err)
		}
	}
	// (2) When it returns they are committed.
	return appendAll(ctx, home, net, parts, out)
}

// sent is an operation and what it is for.
type sent struct {
	part    *part
	records []*group // nil: it goes before the appends
}

// appendAll submits the operations of all parts together: they need no block of their own.
func appendAll(ctx context.Context, home Home, net *op.NetworkKey, parts []*part, out []Published) error {
	var ops []*op.Operation
	var what []sent
	for _, p := range parts {
		for _, o := range p.before {
			ops, what = append(ops, o), append(what, sent{part: p})
		}
		for records := range slices.Chunk(p.records, recordsAtOnce) {
			ops, what = append(ops, p.append(home, net, records)), append(what, sent{p, records})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	results, err := home.Submit(ctx, ops...)
	if err != nil {
		return fmt.Errorf("submitting %d operations: %w", len(ops), err)
	}
	var failed error
	for i, r := range results {
		err := what[i].settle(ctx, home, r, out)
		if failed == nil || failed == ErrAgain && err != nil {
			failed = err
		}
	}
	return failed
}

// append is the operation that puts sealed records into the log.
func (p *part) append(home Home, net *op.NetworkKey, records []*group) *op.Operation {
	body := &op.Append{Epoch: p.epoch, NetGen: net.Gen}
	for _, r := range records {
		size := uint8(bits.Len(uint(max(len(r.Blob)-1, 0))))
		body.Records = append(body.Records, op.Record{ID: r.Header.Record(), Core: r.Header.Core(), Blob: r.Header.Blob, Size: size})
	}
	return op.Sign(home.Genesis().Network(), p.signer, p.log, expiry(), body)
}

// settle takes what became of an operation.
func (s sent) settle(ctx context.Context, home Home, r ledger.Result, out []Published) error {
	n := len(s.records)
	switch {
	case r.Code == ledger.Expired:
		return ErrAgain // it was not executed and never will be
	case n == 0 && (r.Code == ledger.OK || r.Code == ledger.LogExists || r.Code == ledger.Replayed):
		return nil // it is so, by this attempt or by one before
	case n == 0:
		return fmt.Errorf("preparing the log: %w", r.Err())
	case r.Code == ledger.NotGranted, r.Code == ledger.NoRight:
		return ErrNotShared
	case r.Code == ledger.StaleEpoch, r.Code == ledger.WrongNetGen, r.Code == ledger.RecordExists && s.part.again != nil:
		return ErrAgain
	case r.Code != ledger.OK:
		return fmt.Errorf("appending %d records: %w", n, r.Err())
	}
	placed, err := home.Entries(ctx, s.part.log, r.First, r.First+uint64(r.Count))
	if err != nil {
		return err
	}
	if len(placed) != n {
		return fmt.Errorf("appending %d records: the home member shows %d", n, len(placed))
	}
	for i, g := range s.records {
		if rec, ok := placed[i].Says.(*op.Recorded); !ok || rec.ID != g.Header.Record() {
			return fmt.Errorf("appending record %v: the home member shows another entry %d", g.Header.Record(), placed[i].Number)
		}
		g.place(placed[i], out)
	}
	return nil
}

// place says of the drafts in a record where they stand.
func (g *group) place(at Placed, out []Published) {
	for _, d := range g.drafts {
		out[d] = Published{Log: at.Log, Entry: at.Number, At: time.UnixMilli(int64(at.At)), Block: at.Block}
	}
}
