package fhir

import (
	"slices"
	"time"
)

// postings say for a parameter which resources have which values. Each is a key of 40 bits and the number of a resource; two values may
// come to the same key, never one value to two.
type postings struct {
	keys []uint64 // of a date the second in which it begins
	ends []uint64 // of a date the second by which it is over
	odd  []uint64 // dates that end before they begin, which no order finds
}

const (
	numberBits = 24
	maxKey     = 1<<(64-numberBits) - 1
)

// post notes what r has.
func (p *postings) post(of param, number uint64, r *Resource, as Identity) {
	put := func(list *[]uint64, key uint64) { *list = append(*list, key<<numberBits|number) }
	if of.paths == "" {
		if of.kind == date {
			p.postDate(put, lastUpdated(as))
		} else {
			put(&p.keys, hashKey(as.ID))
		}
		return
	}
	r.eachOf(of.paths, func(at []byte) bool {
		switch of.kind {
		case token:
			var room [4]Coding
			for _, x := range appendCodings(room[:0], at) {
				put(&p.keys, hashKey(x.Code))
			}
		case date:
			if when, ok := interval(at); ok {
				p.postDate(put, when)
			}
		case reference:
			if ref := refText(at, as); ref != "" {
				put(&p.keys, referenceKey(ref))
			}
		case uri:
			put(&p.keys, hashKey(text(at)))
		default:
			eachString(at, func(s string) bool {
				put(&p.keys, wordKey(fold(s), 0))
				return true
			})
		}
		return true
	})
}

func (p *postings) postDate(put func(*[]uint64, uint64), t Interval) {
	from, to := uint64(0), uint64(maxKey)
	if !t.From.IsZero() {
		from = second(t.From)
	}
	if !t.To.IsZero() {
		to = second(t.To)
	}
	put(&p.keys, from)
	put(&p.ends, to)
	if to < from {
		put(&p.odd, 0)
	}
}

func (p *postings) sort() {
	for _, list := range []*[]uint64{&p.keys, &p.ends, &p.odd} {
		slices.Sort(*list)
		*list = slices.Clip(slices.Compact(*list))
	}
}

// add puts the numbers of those that may meet the alternative v of c into the set.
func (p *postings) add(set Numbers, c *condition, v *value) {
	switch c.kind {
	case token, uri:
		addAll(set, between(p.keys, hashKey(v.text), hashKey(v.text)))
	case reference:
		key := hashKey(v.url)
		if v.url == "" {
			key = hashKey(v.text)
		}
		addAll(set, between(p.keys, key, key))
	case str:
		word := fold(v.text)
		addAll(set, between(p.keys, wordKey(word, 0), wordKey(word, 0xff)))
	case date:
		addAll(set, p.dates(v))
		addAll(set, p.odd)
	}
}

// dates are the postings of times that may match v: see value.matches. Times in one second have one key, so each comparison also takes
// what is equal.
func (p *postings) dates(v *value) []uint64 {
	from, to := second(v.when.From), second(v.when.To)
	switch v.prefix {
	case "eq":
		return between(p.keys, from, to)
	case "gt":
		return between(p.ends, to, maxKey)
	case "lt":
		return between(p.keys, 0, from)
	case "ge":
		return between(p.ends, from, maxKey)
	case "le":
		return between(p.keys, 0, to)
	case "sa":
		return between(p.keys, to, maxKey)
	case "eb":
		return between(p.ends, 0, from)
	}
	after, before := between(p.ends, second(v.wide.From), maxKey), between(p.keys, 0, second(v.wide.To))
	if len(after) < len(before) {
		return after
	}
	return before
}

// between are the postings with keys low to high, both included.
func between(list []uint64, low, high uint64) []uint64 {
	i, _ := slices.BinarySearch(list, low<<numberBits)
	list = list[i:]
	j, last := slices.BinarySearch(list, high<<numberBits|(maxIndexed-1))
	if last {
		j++
	}
	return list[:j]
}

func addAll(set Numbers, list []uint64) {
	for _, x := range list {
		set.Add(int(x & (maxIndexed - 1)))
	}
}

// hashKey is FNV-1a, folded.
func hashKey(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return (h ^ h>>40) & maxKey
}

// referenceKey is that of the id alone where a search may name the id alone.
func referenceKey(ref string) uint64 {
	if x := ParseReference(ref); x.Base == "" && x.ID != "" {
		return hashKey(x.ID)
	}
	return hashKey(ref)
}

// wordKey are the first letters of a word in its order, filled up.
func wordKey(s string, fill byte) (key uint64) {
	for i := range 5 {
		b := fill
		if i < len(s) {
			b = s[i]
		}
		key = key<<8 | uint64(b)
	}
	return key
}

// second counts from the year 1, in which the times of FHIR begin.
func second(t time.Time) uint64 { return uint64(min(max(t.Unix()-yearOne, 0), maxKey)) }

var yearOne = time.Time{}.Unix()
