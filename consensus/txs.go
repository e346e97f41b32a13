package consensus

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// cacheBytes is how much of decoded transactions a generation of the cache holds.
const cacheBytes = 64 << 20

// tx is a transaction of operations.
type tx struct {
	key wire.Hash // SHA-256 of its bytes
	ops []*op.Operation
}

// txCache remembers transactions whose signatures were verified, from the mempool until their block is committed, so that this node
// decodes and verifies each once. It forgets the older half when it is full.
type txCache struct {
	network key.Network

	mu       sync.Mutex
	new, old map[wire.Hash]*tx
	size     int // bytes in new
}

func newTxCache(network key.Network) *txCache {
	return &txCache{network: network, new: map[wire.Hash]*tx{}}
}

func (c *txCache) get(k wire.Hash) *tx {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.new[k]; t != nil {
		return t
	}
	return c.old[k]
}

func (c *txCache) put(t *tx, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size += size; c.size > cacheBytes {
		c.old, c.new, c.size = c.new, map[wire.Hash]*tx{}, size
	}
	c.new[t.key] = t
}

func (c *txCache) drop(keys []wire.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		delete(c.new, k)
		delete(c.old, k)
	}
}

// has tells whether the transaction is known and verified.
func (c *txCache) has(b []byte) bool { return c.get(sha256.Sum256(b)) != nil }

// decoded reads a transaction without verifying it.
func (c *txCache) decoded(b []byte) (*tx, error) {
	k := wire.Hash(sha256.Sum256(b))
	if t := c.get(k); t != nil {
		return t, nil
	}
	ops, err := op.DecodeTx(c.network, b)
	return &tx{k, ops}, err
}

// verified is admit for transactions that stand or fall together.
func (c *txCache) verified(raw [][]byte) error {
	_, errs := c.admit(raw)
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	return nil
}

// admit reads transactions, verifies every signature in them that was not verified before, all together, and remembers the transactions
// in which all verify. What is wrong in one doesn't touch the others.
func (c *txCache) admit(raw [][]byte) (txs []*tx, errs []error) {
	txs, errs = make([]*tx, len(raw)), make([]error, len(raw))
	var ops []*op.Operation // to be verified
	var fresh []int         // their transactions
	for i, b := range raw {
		if txs[i], errs[i] = c.decoded(b); errs[i] == nil && c.get(txs[i].key) == nil {
			ops, fresh = append(ops, txs[i].ops...), append(fresh, i)
		}
	}
	valid := verify(ops)
	for _, i := range fresh {
		t := txs[i]
		if j := slices.Index(valid[:len(t.ops)], false); j >= 0 {
			errs[i] = fmt.Errorf("operation %v: %w", t.ops[j].ID(), op.ErrSignature)
		} else {
			c.put(t, len(raw[i]))
		}
		valid = valid[len(t.ops):]
	}
	return txs, errs
}

// minPart is the smallest part of a batch for a processor of its own. In smaller batches a signature costs up to twice as much.
const minPart = 128

// verify checks signatures in batches, on all processors.
func verify(ops []*op.Operation) []bool {
	out := make([]bool, len(ops))
	part := max(minPart, (len(ops)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for from := 0; from < len(ops); from += part {
		to := min(from+part, len(ops))
		if from == 0 && to == len(ops) {
			verifyPart(ops, out)
			break
		}
		wg.Go(func() { verifyPart(ops[from:to], out[from:to]) })
	}
	wg.Wait()
	return out
}

func verifyPart(ops []*op.Operation, out []bool) {
	if len(ops) == 1 {
		out[0] = ops[0].Verify()
		return
	}
	b := key.NewBatch(len(ops))
	for _, o := range ops {
		id := o.ID()
		b.Add(o.Signer, id[:], o.Sig)
	}
	_, each := b.Verify()
	copy(out, each)
}
