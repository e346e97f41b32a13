package merkle

import (
	"fmt"
	"math/bits"
	"slices"

	"vitalog/wire"
)

// Frontier is the right edge of a growing tree: one hash for each complete subtree, the largest first. It is all that is needed to
// append and to know the root. The zero value is the empty tree.
type Frontier struct {
	size  uint64
	nodes []wire.Hash // as many as size has bits set
}

// Size is the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Append adds a leaf and returns the hashes of the subtrees that it completes, of 2 leaves, 4 leaves and so on. The one of 2^k leaves
// is number (place of the leaf)>>k of its level.
func (f *Frontier) Append(leaf wire.Hash) (completed []wire.Hash) {
	node := LeafHash(leaf)
	for level := 0; f.size>>level&1 == 1; level++ {
		node = NodeHash(f.nodes[len(f.nodes)-1], node)
		f.nodes = f.nodes[:len(f.nodes)-1]
		completed = append(completed, node)
	}
	f.nodes = append(f.nodes, node)
	f.size++
	return completed
}

// Root is the hash over all leaves.
func (f *Frontier) Root() wire.Hash {
	if f.size == 0 {
		return EmptyRoot()
	}
	root := f.nodes[len(f.nodes)-1]
	for i := len(f.nodes) - 2; i >= 0; i-- {
		root = NodeHash(f.nodes[i], root)
	}
	return root
}

// Clone is an independent copy.
func (f *Frontier) Clone() *Frontier { return &Frontier{f.size, slices.Clone(f.nodes)} }

// Encode is the size and the hashes.
func (f *Frontier) Encode() []byte {
	var w wire.Writer
	w.U64(f.size)
	for i := range f.nodes {
		w.Fixed(f.nodes[i][:])
	}
	return w.Done()
}

// DecodeFrontier reads what Encode wrote.
func DecodeFrontier(b []byte) (*Frontier, error) {
	r := wire.NewReader(b)
	f := &Frontier{size: r.U64()}
	for range bits.OnesCount64(f.size) {
		var h wire.Hash
		r.Fixed(h[:])
		f.nodes = append(f.nodes, h)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("frontier of %d leaves: %w", f.size, err)
	}
	return f, nil
}
