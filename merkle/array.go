package merkle

import (
	"cmp"
	"fmt"
	"slices"

	"vitalog/wire"
)

// Array is a dense array of leaves that can be replaced, in memory, under a root of the same shape as a log's. It takes 64 bytes per
// leaf. It is not safe for concurrent use while it changes.
type Array struct{ levels [][]wire.Hash } // levels[0] are the leaves' nodes; the last level is the root alone

// NewArray hashes all leaves once. The leaves are the array's from then on.
func NewArray(leaves []wire.Hash) *Array {
	a := &Array{}
	if len(leaves) == 0 {
		return a
	}
	for i := range leaves {
		leaves[i] = LeafHash(leaves[i])
	}
	a.levels = append(a.levels, leaves)
	for level := leaves; len(level) > 1; {
		up := make([]wire.Hash, (len(level)+1)/2)
		for i := range len(level) / 2 {
			up[i] = NodeHash(level[2*i], level[2*i+1])
		}
		if len(level)%2 == 1 { // the last is alone and stands in for its parent
			up[len(up)-1] = level[len(level)-1]
		}
		a.levels, level = append(a.levels, up), up
	}
	return a
}

// Len is the number of leaves.
func (a *Array) Len() uint64 {
	if len(a.levels) == 0 {
		return 0
	}
	return uint64(len(a.levels[0]))
}

// Root is the hash over all leaves.
func (a *Array) Root() wire.Hash {
	if len(a.levels) == 0 {
		return EmptyRoot()
	}
	return a.levels[len(a.levels)-1][0]
}

// Append adds one leaf and returns its place. Many changes at once are cheaper through Stage.
func (a *Array) Append(leaf wire.Hash) uint64 {
	s := a.Stage()
	i := s.Append(leaf)
	s.Apply()
	return i
}

// Set replaces the leaf at i, which exists.
func (a *Array) Set(i uint64, leaf wire.Hash) {
	s := a.Stage()
	s.Set(i, leaf)
	s.Apply()
}

// Prove is the inclusion proof of the leaf at i, which exists.
func (a *Array) Prove(i uint64) []wire.Hash {
	if i >= a.Len() {
		panic(fmt.Sprintf("merkle: proof of leaf %d of %d", i, a.Len()))
	}
	var proof []wire.Hash
	for _, level := range a.levels[:len(a.levels)-1] {
		if sibling := i ^ 1; sibling < uint64(len(level)) {
			proof = append(proof, level[sibling])
		}
		i >>= 1
	}
	return proof
}

// Stage is a batch of changes over an array that stays as it is until they are applied. Each node above a change is hashed once.
type Stage struct {
	base    *Array
	size    uint64
	changes []change
	levels  [][]change // what the changes make of the nodes, ascending; computed by hash
	hashed  bool
}

type change struct {
	at   uint64
	node wire.Hash
}

// Stage begins a batch.
func (a *Array) Stage() *Stage { return &Stage{base: a, size: a.Len()} }

// Len is the number of leaves with the changes.
func (s *Stage) Len() uint64 { return s.size }

// Append adds a leaf and returns its place.
func (s *Stage) Append(leaf wire.Hash) uint64 {
	s.size++
	s.Set(s.size-1, leaf)
	return s.size - 1
}

// Set replaces the leaf at i, which exists. Of two changes of one leaf the later counts.
func (s *Stage) Set(i uint64, leaf wire.Hash) {
	if i >= s.size {
		panic(fmt.Sprintf("merkle: change of leaf %d of %d", i, s.size))
	}
	s.changes, s.hashed = append(s.changes, change{i, LeafHash(leaf)}), false
}

// Root is the root with the changes.
func (s *Stage) Root() wire.Hash {
	s.hash()
	if len(s.changes) == 0 {
		return s.base.Root()
	}
	return s.levels[len(s.levels)-1][0].node
}

// Apply makes the changes in the array. The stage is used up.
func (s *Stage) Apply() {
	s.hash()
	if len(s.changes) == 0 {
		return
	}
	for k, changed := range s.levels {
		if k == len(s.base.levels) {
			s.base.levels = append(s.base.levels, nil)
		}
		level := s.base.levels[k]
		for _, c := range changed {
			if c.at < uint64(len(level)) {
				level[c.at] = c.node
			} else {
				level = append(level, c.node) // changed is ascending and new nodes have no gaps
			}
		}
		s.base.levels[k] = level
	}
}

// hash computes the changed nodes level by level. Siblings stand next to each other in the sorted list of changes.
func (s *Stage) hash() {
	if s.hashed {
		return
	}
	slices.SortStableFunc(s.changes, func(x, y change) int { return cmp.Compare(x.at, y.at) })
	changed := make([]change, 0, len(s.changes))
	for i, c := range s.changes {
		if i+1 == len(s.changes) || s.changes[i+1].at != c.at {
			changed = append(changed, c)
		}
	}
	s.levels, s.hashed = [][]change{changed}, true
	for k, width := 0, s.size; width > 1 && len(changed) > 0; k, width = k+1, (width+1)/2 {
		up := make([]change, 0, len(changed)/2+1)
		for i := 0; i < len(changed); i++ {
			c, at := changed[i], changed[i].at>>1
			switch sibling := c.at ^ 1; {
			case sibling >= width: // alone: stands in for its parent
			case c.at&1 == 1:
				c.node = NodeHash(s.base.levels[k][sibling], c.node)
			case i+1 < len(changed) && changed[i+1].at == sibling:
				c.node = NodeHash(c.node, changed[i+1].node)
				i++
			default:
				c.node = NodeHash(c.node, s.base.levels[k][sibling])
			}
			up = append(up, change{at, c.node})
		}
		s.levels, changed = append(s.levels, up), up
	}
}
