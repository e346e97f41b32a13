package exchange

import (
	"context"
	"fmt"
	"time"

	"vitalog/envelope"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/ticket"
	"vitalog/wire"
)

// Home is the member through which somebody reaches the network: a *Member for its own flows, a connection for a patient's app. It
// relays and can't read. What it answers is checked against hashes, signatures and receipts by whoever asked.
//
// All calls may block and are safe for concurrent use. What PutBlob and PutRecords were given is durable when they return. Submit returns after the
// commit, with one result per operation in their order; a refusal by the ledger is a result, an error means that the outcome isn't known.
// Blob, Part, Header and Head return ErrNotShared for what nobody has.
type Home interface {
	Genesis() *op.Genesis
	Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error)
	Head(ctx context.Context, log key.Log) (*op.Head, error)
	Entries(ctx context.Context, log key.Log, from, to uint64) ([]Placed, error)
	Receipt(ctx context.Context, log key.Log, number uint64) (*receipt.Receipt, error)
	NetworkKey(ctx context.Context) (newest *op.NetworkKey, before wire.Hash, err error) // op.KeysHash of both is the state's
	PutBlob(ctx context.Context, b []byte) (wire.Hash, error)
	Blob(ctx context.Context, h wire.Hash) ([]byte, error)
	Part(ctx context.Context, h wire.Hash, at uint64) ([]byte, error) // some of a blob from at on, 1 byte to 2 MiB; not checked
	PutRecords(ctx context.Context, records []Sealed) error
	Header(ctx context.Context, log key.Log, record key.Record) (*envelope.Header, error)
	Issuer() int // the member number whose tickets Ticket gives
	Ticket(ctx context.Context, blinded []byte) ([]byte, error)
	Introduce(ctx context.Context, member int, log key.Log, purpose string) (*grant.Introduction, error)

	// Claim and OwnerLocks pass on what a patient who claims a chart asks of a member (spec/claim.md). The home member reads neither question
	// nor answer.
	Claim(ctx context.Context, member int, sealed []byte) ([]byte, error)
	OwnerLocks(ctx context.Context, member int, asked []byte) ([]byte, error)

	// Release asks one holder of the network key for its parts, for a proxy's access (spec/release.md). The home member can't read the answer.
	Release(ctx context.Context, member int, request []byte) ([]byte, error)

	// Certificate proves orders to destroy, ascending by log and entry and at most MaxOrders, and what members have said of them since
	// (spec/erasure.md).
	Certificate(ctx context.Context, orders ...Ordered) (*receipt.Certificate, error)

	// Follow calls told, one call after the other, for each log that has or gets more entries than known says, until ctx ends, told fails or
	// nothing comes any more; its error says why. What is told is a hint: a receipt proves what is new.
	Follow(ctx context.Context, known map[key.Log]uint64, told func(News) error) error
}

// Sealed is a record that is not yet on the ledger: its header and its ciphertext.
type Sealed struct {
	Header *envelope.Header
	Blob   []byte
}

// Placed is an entry and the block that brought it.
type Placed struct {
	*op.Entry
	Block uint64
}

// patience is how long, on the ledger clock, an operation may wait for its block.
const patience = 2 * time.Minute

func expiry() uint64 { return uint64(time.Now().Add(patience).UnixMilli()) }

func nowMillis() uint64 { return uint64(time.Now().UnixMilli()) }

// buyTicket gets an admission ticket for subject from the home member, which does not learn the subject.
func buyTicket(ctx context.Context, home Home, subject wire.Hash) (*ticket.Ticket, error) {
	issuer := home.Issuer()
	pk, err := ticket.ParseKey(home.Genesis().Members[issuer].Tickets)
	if err != nil {
		return nil, err
	}
	q, err := ticket.Blind(uint16(issuer), pk, subject)
	if err != nil {
		return nil, err
	}
	sig, err := home.Ticket(ctx, q.Blinded)
	if err != nil {
		return nil, fmt.Errorf("admission ticket: %w", err)
	}
	return q.Finish(sig)
}

// submitAll submits ops and makes the first refusal an error.
func submitAll(ctx context.Context, home Home, ops ...*op.Operation) ([]ledger.Result, error) {
	results, err := home.Submit(ctx, ops...)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if err := r.Err(); err != nil {
			return results, fmt.Errorf("%v: %w", ops[i].Body.Kind(), err)
		}
	}
	return results, nil
}
