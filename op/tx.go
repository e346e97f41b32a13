package op

import (
	"fmt"

	"vitalog/key"
	"vitalog/wire"
)

// The first byte of a transaction.
const (
	txOperations = 1
	txClock      = 2
)

// EncodeTx packs operations into a transaction.
func EncodeTx(network key.Network, ops []*Operation) []byte {
	var w wire.Writer
	w.U8(txOperations)
	w.U32(uint32(len(ops)))
	for _, o := range ops {
		w.Bytes(o.Encode(network))
	}
	return w.Done()
}

// DecodeTx reads a transaction of operations.
func DecodeTx(network key.Network, b []byte) ([]*Operation, error) {
	if len(b) > MaxTx {
		return nil, fmt.Errorf("transaction of %d bytes, at most %d: %w", len(b), MaxTx, wire.ErrOversized)
	}
	r := wire.NewReader(b)
	if t := r.U8(); r.Err() == nil && t != txOperations {
		return nil, fmt.Errorf("transaction type %d is not known", t)
	}
	n := r.Count(MaxOperations, 4)
	if r.Err() == nil && n == 0 {
		return nil, fmt.Errorf("transaction without operations: %w", wire.ErrNonCanonical)
	}
	ops := make([]*Operation, 0, n)
	for i := range n {
		raw := r.Take(int(r.U32()))
		if r.Err() != nil {
			break
		}
		o, err := Decode(network, raw)
		if err != nil {
			return nil, fmt.Errorf("transaction: operation %d: %w", i, err)
		}
		ops = append(ops, o)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	return ops, nil
}

// EncodeClock is the transaction by which a proposer tells the time, first in every block that carries operations.
func EncodeClock(ms uint64) []byte {
	var w wire.Writer
	w.U8(txClock)
	w.U64(ms)
	return w.Done()
}

// DecodeClock reads it; ok is false if the transaction is not a clock.
func DecodeClock(b []byte) (ms uint64, ok bool) {
	r := wire.NewReader(b)
	t := r.U8()
	ms = r.U64()
	return ms, r.End() == nil && t == txClock
}
