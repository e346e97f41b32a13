package consensus_test

import (
	"sync"
	"testing"

	"vitalog/ledger"
	"vitalog/op"
)

// Transactions that come from peers at the same time are verified together; what is wrong in one is its own.
func TestOneBadSignatureAmongThoseThatArriveTogetherRejectsThatTransactionAlone(t *testing.T) {
	n := newNetwork(t, 1, 0)
	n.start()
	n.makeKey()
	c := n.newChart("ann")
	const txs, each = 60, 3
	var raw [][]byte
	wrong := map[int]bool{17: true, 41: true}
	for i := range txs {
		ops := make([]*op.Operation, each)
		for j := range ops {
			ops[j] = c.records(1)
		}
		if wrong[i] {
			ops[1].Sig[40] ^= 1
		}
		raw = append(raw, op.EncodeTx(n.genesis.Network(), ops))
	}
	raw = append(raw, []byte("no transaction"))
	wrong[txs] = true

	codes := make([]uint32, len(raw))
	var all sync.WaitGroup
	all.Add(len(raw))
	for i := range raw {
		go func() {
			if err := n.members[0].node.Arrive(raw[i], func(code uint32) { codes[i] = code; all.Done() }); err != nil {
				t.Error(err)
				all.Done()
			}
		}()
	}
	all.Wait()
	for i, code := range codes {
		if (code != uint32(ledger.OK)) != wrong[i] {
			t.Errorf("transaction %d: got code %d, wrong is %v", i, code, wrong[i])
		}
	}
	const want = 2 + (txs-2)*each // create and grant come first
	size := func() uint64 {
		h, err := n.members[0].node.Ledger().Head(c.log)
		if err != nil {
			t.Fatal(err)
		}
		return h.Size
	}
	n.members[0].until("all good operations are executed", func() bool { return size() >= want })
	mustSubmit(t, n.members[0], c.records(1)) // whatever waited is in a block before or with it
	if got := size(); got != want+1 {
		t.Errorf("the log has %d entries, want %d", got, want+1)
	}
}
