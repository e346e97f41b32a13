package ledger

import (
	"fmt"

	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/wire"
)

// Prove shows that entry n stands in a log, and the log's head in the state after the last committed block.
func (l *Ledger) Prove(log key.Log, n uint64) (*op.Proof, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	g, err := l.number(log)
	if err != nil {
		return nil, err
	}
	p := &op.Proof{Height: l.height, State: l.state}
	if p.Head, err = l.store.Get(at(atHead, g)); err != nil {
		return nil, fmt.Errorf("ledger: head of %v: %w", log, err)
	}
	h, err := op.DecodeHead(p.Head)
	if err != nil {
		return nil, fmt.Errorf("ledger: %v: %w", log, err)
	}
	if p.Entry, p.EntryPath, err = l.ProveIn(h, n); err != nil {
		return nil, err
	}
	p.HeadPath = l.heads.Prove(g)
	return p, nil
}

// node is the hash of a complete subtree: number i of those of 2^level entries.
func (l *Ledger) node(h *op.Head, level int, i uint64) (wire.Hash, error) {
	switch {
	case level == 0:
		b, err := l.store.Get(at(atEntry, h.Number, i))
		return merkle.LeafHash(op.EntryHash(h.Log, i, b)), err
	case level%nodeLevels == 0:
		b, err := l.store.Get(nodeAt(h.Number, level, i))
		if err != nil || len(b) != len(wire.Hash{}) {
			return wire.Hash{}, fmt.Errorf("node %d of level %d is missing: %w", i, level, err)
		}
		return wire.Hash(b), nil
	}
	left, err := l.node(h, level-1, 2*i)
	if err != nil {
		return wire.Hash{}, err
	}
	right, err := l.node(h, level-1, 2*i+1)
	return merkle.NodeHash(left, right), err
}

// ProveIn shows that entry n stands in a log, whose head is or was h.
func (l *Ledger) ProveIn(h *op.Head, n uint64) (entry []byte, path []wire.Hash, err error) {
	if n >= h.Size {
		return nil, nil, fmt.Errorf("ledger: %w: %d of %v, which had %d", NoSuchEntry, n, h.Log, h.Size)
	}
	if entry, err = l.store.Get(at(atEntry, h.Number, n)); err == nil {
		path, err = merkle.Prove(h.Size, n, func(level int, i uint64) (wire.Hash, error) { return l.node(h, level, i) })
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: proof of %v entry %d: %w", h.Log, n, err)
	}
	return entry, path, nil
}
