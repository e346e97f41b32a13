package exchange

import (
	"context"
	"errors"
	"fmt"

	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/section"
)

// What the home member answers about logs is held against receipts here: it may withhold an answer, and not alter one unseen.

// Proof gets the receipt of an entry and verifies it with nothing but the genesis.
func (p *Patient) Proof(ctx context.Context, log key.Log, entry uint64) (*receipt.Verified, error) {
	return proof(ctx, p.home, log, entry)
}

func proof(ctx context.Context, home Home, log key.Log, entry uint64) (*receipt.Verified, error) {
	r, err := home.Receipt(ctx, log, entry)
	if err != nil {
		return nil, fmt.Errorf("receipt for %v: %w", log, err)
	}
	v, err := r.Verify(home.Genesis())
	if err != nil {
		return nil, fmt.Errorf("receipt for %v: %w", log, err)
	}
	if v.Log != log || v.Number != entry {
		return nil, fmt.Errorf("receipt for %v is about another entry", log)
	}
	return v, nil
}

// networkKey is the newest network key, proven: to a key that the home member made up it would read what it has a grant for without a
// trace.
func (p *Patient) networkKey(ctx context.Context) (*op.NetworkKey, error) {
	k, _, err := networkKey(ctx, p.home, p.keys.Log(section.Index))
	return k, err
}

// networkKey is proven with a receipt of a log, which it returns too.
func networkKey(ctx context.Context, home Home, log key.Log) (*op.NetworkKey, *receipt.Verified, error) {
	newest, before, err := home.NetworkKey(ctx)
	if err != nil {
		return nil, nil, err
	}
	v, err := proof(ctx, home, log, 0)
	if err != nil {
		return nil, nil, err
	}
	if op.KeysHash(before, newest) != v.State.Keys {
		return nil, nil, errors.New("the home member shows a network key that is not the one which the validators signed")
	}
	return newest, v, nil
}

// head is the state of a log that the validators signed.
func (p *Patient) head(ctx context.Context, log key.Log) (*op.Head, error) {
	v, err := p.Proof(ctx, log, 0)
	if err != nil {
		return nil, err
	}
	return v.Head, nil
}

// entries reads a whole log.
func (p *Patient) entries(ctx context.Context, log key.Log) ([]Placed, error) {
	entries, _, err := p.prove(ctx, log)
	return entries, err
}

// prove reads a whole log and holds it against a receipt. An incomplete log is an error: somebody hides something.
func (p *Patient) prove(ctx context.Context, log key.Log) ([]Placed, *receipt.Verified, error) {
	return prove(ctx, p.home, log)
}

func prove(ctx context.Context, home Home, log key.Log) ([]Placed, *receipt.Verified, error) {
	v, err := proof(ctx, home, log, 0)
	if err != nil {
		return nil, nil, err
	}
	entries, err := home.Entries(ctx, log, 0, v.Head.Size)
	if err != nil {
		return nil, nil, err
	}
	var f merkle.Frontier
	for _, e := range entries {
		f.Append(e.Hash())
	}
	if uint64(len(entries)) != v.Head.Size || f.Root() != v.Head.Root {
		return nil, nil, fmt.Errorf("%v: the home member shows %d entries that are not the %d which the validators signed", log, len(entries), v.Head.Size)
	}
	return entries, v, nil
}

// placed proves that an operation is on the ledger as it was signed, at the place that the home member says, and returns its block.
func (p *Patient) placed(ctx context.Context, o *op.Operation, number uint64) (block uint64, err error) {
	v, err := p.Proof(ctx, o.Log, number)
	if err != nil {
		return 0, err
	}
	want := op.Entry{Log: o.Log, Number: number, At: v.Entry.At, Signer: o.Signer, Says: o.Body}
	if v.Entry.Hash() != want.Hash() {
		return 0, fmt.Errorf("%v entry %d is not the %v that was signed", o.Log, number, o.Body.Kind())
	}
	e, err := p.home.Entries(ctx, o.Log, number, number+1)
	if err != nil {
		return 0, err
	}
	if len(e) != 1 || e[0].Block > v.Height {
		return 0, fmt.Errorf("%v entry %d: the home member does not say in which block it is", o.Log, number)
	}
	return e[0].Block, nil
}
