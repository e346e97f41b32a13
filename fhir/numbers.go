package fhir

import (
	"iter"
	"math/bits"
)

// Numbers is a set of numbers of resources, one bit each.
type Numbers []uint64

// NewNumbers is an empty set for numbers below n.
func NewNumbers(n int) Numbers { return make(Numbers, (n+63)/64) }

// Add puts a number into the set.
func (s Numbers) Add(n int) { s[n/64] |= 1 << (n % 64) }

// Len is how many numbers there are in the set.
func (s Numbers) Len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// few tells whether narrowing the set further costs more than it saves.
func (s Numbers) few() bool { return s.Len() <= few }

// All are the numbers, ascending.
func (s Numbers) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(64*i + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Or adds the numbers of t, a set for no higher numbers than s.
func (s Numbers) Or(t Numbers) {
	for i := range t {
		s[i] |= t[i]
	}
}

// and keeps what is in t too.
func (s Numbers) and(t Numbers) {
	for i := range s {
		s[i] &= t[i]
	}
}
