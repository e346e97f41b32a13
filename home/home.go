// Package home is how a patient's app reaches the network: the service that a home member offers, and the connection to it.
//
// It promises that the member only relays: what passes is sealed, signed or public. It refuses bodies over their limits and gives
// admission tickets at a bounded rate. Whoever connects stays anonymous; nothing that they do is tied to an account.
//
//	POST /app/v1/head      body: log id (32 bytes)         →  200, the head as on the ledger (spec/log.md)
//	POST /app/v1/blob      body: SHA-256 (32 bytes)        →  200, the bytes | 404
//	POST /app/v1/submit    body: operations                →  200, a code, a place and a detail for each
//
// Bodies are in the wire encoding. See spec/home.md.
package home

import (
	"fmt"

	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// Prefix is where the service is mounted.
const Prefix = "/app/v1/"

// Limits of one call, in bytes.
const (
	maxBody    = 80 << 20 // a blob on its way to the store
	maxSubmit  = 4 << 20
	maxDetail  = 1024
	maxHeader  = 64 << 10
	maxPage    = 1024 // entries in one answer
	maxRelease = 512 << 10
	maxEntry   = 64 << 10
	maxLink    = 40 + grant.MaxLinkFile
)

func encodeOperations(network key.Network, ops []*op.Operation) []byte {
	var w wire.Writer
	w.U32(uint32(len(ops)))
	for _, o := range ops {
		w.Bytes(o.Encode(network))
	}
	return w.Done()
}

func decodeOperations(network key.Network, b []byte) ([]*op.Operation, error) {
	r := wire.NewReader(b)
	ops := make([]*op.Operation, 0, 8)
	for range r.Count(op.MaxOperations, 4) {
		raw := r.Bytes(op.MaxTx)
		if r.Err() != nil {
			break
		}
		o, err := op.Decode(network, raw)
		if err != nil {
			return nil, err
		}
		ops = append(ops, o)
	}
	return ops, r.End()
}

func encodeResults(results []ledger.Result) []byte {
	var w wire.Writer
	w.U32(uint32(len(results)))
	for _, x := range results {
		w.U32(uint32(x.Code))
		w.Bytes([]byte(x.Detail[:min(len(x.Detail), maxDetail)]))
		w.Fixed(x.Log[:])
		w.U64(x.First)
		w.U32(uint32(x.Count))
	}
	return w.Done()
}

func decodeResults(b []byte) ([]ledger.Result, error) {
	r := wire.NewReader(b)
	out := make([]ledger.Result, r.Count(op.MaxOperations, 52))
	for i := range out {
		x := &out[i]
		x.Code = ledger.Code(r.U32())
		x.Detail = string(r.Bytes(maxDetail))
		r.Fixed(x.Log[:])
		x.First, x.Count = r.U64(), int(r.U32())
	}
	return out, r.End()
}

func encodeOrders(orders []exchange.Ordered) []byte {
	var w wire.Writer
	w.U32(uint32(len(orders)))
	for _, o := range orders {
		w.Fixed(o.Log[:])
		w.U64(o.Entry)
	}
	return w.Done()
}

func decodeOrders(b []byte) ([]exchange.Ordered, error) {
	r := wire.NewReader(b)
	out := make([]exchange.Ordered, r.Count(exchange.MaxOrders, 40))
	for i := range out {
		o := &out[i]
		r.Fixed(o.Log[:])
		if o.Entry = r.U64(); r.Err() == nil && i > 0 && !out[i-1].Before(*o) {
			r.Fail(fmt.Errorf("orders that are not ascending: %w", wire.ErrNonCanonical))
		}
	}
	if r.Err() == nil && len(out) == 0 {
		r.Fail(fmt.Errorf("no orders: %w", wire.ErrNonCanonical))
	}
	return out, r.End()
}

func encodeEntries(entries []exchange.Placed) []byte {
	var w wire.Writer
	w.U32(uint32(len(entries)))
	for _, e := range entries {
		w.U64(e.Block)
		w.Bytes(e.Encode())
	}
	return w.Done()
}

func decodeEntries(log key.Log, from uint64, b []byte) ([]exchange.Placed, error) {
	r := wire.NewReader(b)
	out := make([]exchange.Placed, r.Count(maxPage, 12))
	for i := range out {
		out[i].Block = r.U64()
		raw := r.Bytes(maxEntry)
		if r.Err() != nil {
			break
		}
		e, err := op.DecodeEntry(log, from+uint64(i), raw)
		if err != nil {
			return nil, err
		}
		out[i].Entry = e
	}
	return out, r.End()
}
