package consensus

import (
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"

	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// outcomeKey holds, among the ledger's keys and written with its last block, the outcome of that block.
var outcomeKey = []byte("\x00outcome")

// outcome is what members agree on about an executed block: it is in the header of the next.
type outcome struct {
	height uint64
	app    wire.Hash
	txs    []txOutcome
}

type txOutcome struct {
	malformed bool          // did not decode
	codes     []ledger.Code // of its operations
}

func (o *outcome) response() *abci.ResponseFinalizeBlock {
	r := &abci.ResponseFinalizeBlock{AppHash: o.app[:], TxResults: make([]*abci.ExecTxResult, len(o.txs))}
	for i, t := range o.txs {
		r.TxResults[i] = &abci.ExecTxResult{}
		if t.malformed {
			r.TxResults[i].Code = uint32(ledger.Malformed)
		}
		var w wire.Writer
		for _, c := range t.codes {
			w.U32(uint32(c))
			if r.TxResults[i].Code == 0 { // the mempool lets a transaction come again if not all of it was executed
				r.TxResults[i].Code = uint32(c)
			}
		}
		r.TxResults[i].Data = w.Done()
	}
	return r
}

func (o *outcome) encode() []byte {
	var w wire.Writer
	w.U64(o.height)
	w.Fixed(o.app[:])
	w.U32(uint32(len(o.txs)))
	for _, t := range o.txs {
		w.Bool(t.malformed)
		w.U32(uint32(len(t.codes)))
		for _, c := range t.codes {
			w.U32(uint32(c))
		}
	}
	return w.Done()
}

func decodeOutcome(b []byte) (*outcome, error) {
	r := wire.NewReader(b)
	o := &outcome{height: r.U64()}
	r.Fixed(o.app[:])
	o.txs = make([]txOutcome, r.Count(maxBlock, 5))
	for i := range o.txs {
		t := &o.txs[i]
		t.malformed = r.Bool()
		t.codes = make([]ledger.Code, r.Count(op.MaxOperations, 4))
		for j := range t.codes {
			t.codes[j] = ledger.Code(r.U32())
		}
	}
	return o, r.End()
}

// again is the outcome of the block that is committed already.
func (a *app) again(height uint64) (*abci.ResponseFinalizeBlock, error) {
	b, err := a.store.Get(outcomeKey)
	if err != nil {
		return nil, a.node.fail(err)
	}
	o, err := decodeOutcome(b)
	if err != nil || o.height != height {
		return nil, a.node.fail(fmt.Errorf("the outcome of block %d is not in the store: %v", height, err))
	}
	a.block = nil
	return o.response(), nil
}
