package fhir

import (
	"slices"
	"sync"
)

// Index narrows searches over resources of one type, which have numbers from 0 on. It promises to leave out no resource that a search
// matches, and leaves in some that it doesn't: Search.Matches has the last word. What it needs for a parameter it makes when a search
// first asks for it, and keeps: eight bytes for each code, reference or word of a resource, sixteen for a date. It holds hashes, times and
// the first five letters of words, and nothing else of the resources. It is safe for concurrent use.
//
//	code = 2345-7 or 8302-2    a hash of each code, and the number of the resource that has it, sorted
//	date = ge2020              the second in which each ends, and the number, sorted
type Index struct {
	n    int
	each func(yield func(number int, r *Resource, as Identity))

	mu   sync.Mutex
	made map[param]*postings
}

// maxIndexed is how many resources an Index can number.
const maxIndexed = 1 << numberBits

// NewIndex is the index of n resources, which each tells whenever a parameter is asked for the first time: always the same ones, with
// numbers below n, of which some may be left out.
func NewIndex(n int, each func(yield func(number int, r *Resource, as Identity))) *Index {
	return &Index{n: n, each: each, made: map[param]*postings{}}
}

// Used tells whether the index was asked for anything that it keeps.
func (x *Index) Used() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.made) > 0
}

// few is how many resources are sooner read than narrowed down.
const few = 32

// Narrow is a set that has the numbers of all resources that fulfil s. ok is false if the index can't tell: it may be any.
func (x *Index) Narrow(s *Search) (set Numbers, ok bool) {
	if x.n <= few || x.n > maxIndexed {
		return nil, false
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		if !c.indexed() {
			continue
		}
		if ok && set.few() {
			break
		}
		also := NewNumbers(x.n)
		for j := range c.values {
			c, v := c, &c.values[j]
			if c.kind == composite { // by its code
				c = &v.parts[0]
				v = &c.values[0]
			}
			x.of(c.param).add(also, c, v)
		}
		if ok {
			set.and(also)
		} else {
			set, ok = also, true
		}
	}
	return set, ok
}

// indexed tells whether postings narrow the condition.
func (c *condition) indexed() bool {
	switch {
	case slices.Contains([]string{"not", "missing", "contains", "text", "identifier"}, c.modifier), c.kind == number, c.kind == quantity, c.kind == fulltext:
		return false
	case c.kind == composite:
		return composites[c.paths].at[0] == "" && len(composites[c.paths].at) == 1 && !slices.ContainsFunc(c.values, func(v value) bool { return !v.parts[0].indexed() })
	}
	return !slices.ContainsFunc(c.values, func(v value) bool {
		return c.kind == token && v.anyCode || c.kind == date && v.prefix == "ne"
	})
}

// of are the postings of a parameter.
func (x *Index) of(p param) *postings {
	x.mu.Lock()
	defer x.mu.Unlock()
	made := x.made[p]
	if made == nil {
		made = &postings{}
		x.each(func(number int, r *Resource, as Identity) { made.post(p, uint64(number), r, as) })
		made.sort()
		x.made[p] = made
	}
	return made
}
