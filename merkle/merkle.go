// Package merkle has the trees under every log and under the array of heads: RFC 6962 over 32-byte leaves.
//
// It promises that one root fits one list of leaves, and that a proof of log2 n hashes shows that a leaf stands at a place in it. It
// refuses a proof that is too long, too short, or for another place.
//
//	        root                    the proof of 4 is [ 5, H(0-3) ]: the siblings on the way up
//	      /      \
//	   H(0-3)   H(4-5)              with six leaves or seven, the left side is the same
//	   /    \    /   \
//	H(0-1) H(2-3) 4   5
//
// See spec/log.md.
package merkle

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"vitalog/wire"
)

// ErrProof says that a proof does not lead from the leaf to the root.
var ErrProof = errors.New("inclusion proof does not lead to the root")

// MaxPath is the longest proof that there can be, in hashes.
const MaxPath = 64

// LeafHash is the node of a leaf: SHA-256(00 ‖ leaf).
func LeafHash(leaf wire.Hash) wire.Hash {
	var b [1 + 32]byte
	copy(b[1:], leaf[:])
	return sha256.Sum256(b[:])
}

// NodeHash is the node above two nodes: SHA-256(01 ‖ left ‖ right).
func NodeHash(left, right wire.Hash) wire.Hash {
	var b [1 + 64]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// EmptyRoot is the root over no leaves: SHA-256 of nothing.
func EmptyRoot() wire.Hash { return sha256.Sum256(nil) }

// VerifyInclusion tells whether leaf stands at index among size leaves under root.
func VerifyInclusion(root wire.Hash, size, index uint64, leaf wire.Hash, proof []wire.Hash) error {
	if index >= size {
		return fmt.Errorf("leaf %d of %d: %w", index, size, ErrProof)
	}
	node, last := LeafHash(leaf), size-1
	for _, p := range proof {
		// Where a node has no sibling on the right, it stands in for its parent.
		for last > 0 && index&1 == 0 && index == last {
			index, last = index>>1, last>>1
		}
		if last == 0 {
			return fmt.Errorf("%d hashes are too many: %w", len(proof), ErrProof)
		}
		if index&1 == 1 {
			node = NodeHash(p, node)
		} else {
			node = NodeHash(node, p)
		}
		index, last = index>>1, last>>1
	}
	for last > 0 && index == last && index&1 == 0 {
		index, last = index>>1, last>>1
	}
	if last != 0 {
		return fmt.Errorf("%d hashes are too few: %w", len(proof), ErrProof)
	}
	if node != root {
		return ErrProof
	}
	return nil
}

// Prove collects the proof for the leaf at index among size leaves. node returns the hash of a complete subtree: number i of those with
// 2^level leaves (so node(0, i) is the hash of leaf i).
func Prove(size, index uint64, node func(level int, i uint64) (wire.Hash, error)) ([]wire.Hash, error) {
	if index >= size {
		return nil, fmt.Errorf("leaf %d of %d: %w", index, size, ErrProof)
	}
	var proof []wire.Hash
	for level := 0; (size-1)>>level > 0; level++ {
		sibling := (index >> level) ^ 1
		if sibling > (size-1)>>level {
			continue
		}
		h, err := subtree(size, level, sibling, node)
		if err != nil {
			return nil, err
		}
		proof = append(proof, h)
	}
	return proof, nil
}

// subtree is the hash of a subtree that may reach beyond the last leaf.
func subtree(size uint64, level int, i uint64, node func(int, uint64) (wire.Hash, error)) (wire.Hash, error) {
	if i<<level+1<<level <= size {
		return node(level, i)
	}
	left, err := subtree(size, level-1, 2*i, node)
	if err != nil || 2*i+1 > (size-1)>>(level-1) {
		return left, err
	}
	right, err := subtree(size, level-1, 2*i+1, node)
	return NodeHash(left, right), err
}
