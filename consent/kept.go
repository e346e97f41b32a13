package consent

import (
	"slices"

	"vitalog/key"
)

// Kept is the copies that the author of erased records keeps, as the law asks of it.
type Kept struct {
	Key key.Verifier // the author's
	Range
	Until uint64 // ledger clock, ms: the first moment no more
}

// Keeps tells whether a request needs no grant: it asks to read copies alone that its key keeps, and invokes no grant. A copy that is kept
// until a moment is not kept at that moment.
func Keeps(kept []Kept, q Request) bool {
	if q.Right != Read || q.Grant != 0 || len(q.Ranges) == 0 {
		return false
	}
	var own []Range
	for i := range kept {
		if x := &kept[i]; x.Key != q.Key || q.Now >= x.Until {
			continue
		} else if last := len(own) - 1; last >= 0 && own[last].To == x.From {
			own[last].To = x.To
		} else {
			own = append(own, x.Range)
		}
	}
	return !slices.ContainsFunc(q.Ranges, func(r Range) bool { return !Covers(own, r) })
}

// Keep adds to an ordered list what a key keeps from now on. What was said of the same entries before holds no longer, and what is no
// longer kept falls out. Of each entry there is one author, so that no two keys keep it.
func Keep(kept []Kept, k key.Verifier, ranges []Range, until, now uint64) []Kept {
	var all []Kept
	for _, x := range kept {
		if x.Until <= now {
			continue
		}
		for _, r := range ranges {
			if r.From >= x.To || r.To <= x.From {
				continue
			}
			if x.From < r.From {
				all = append(all, Kept{x.Key, Range{x.From, r.From}, x.Until})
			}
			x.From = min(r.To, x.To)
		}
		if x.From < x.To {
			all = append(all, x)
		}
	}
	for _, r := range ranges {
		all = append(all, Kept{k, r, until})
	}
	slices.SortFunc(all, func(x, y Kept) int {
		if x.From < y.From {
			return -1
		}
		return 1
	})
	out := all[:0]
	for _, x := range all {
		if last := len(out) - 1; last >= 0 && out[last].joins(&x) {
			out[last].To = x.To
		} else {
			out = append(out, x)
		}
	}
	return out
}

func (x *Kept) joins(next *Kept) bool {
	return x.To == next.From && x.Key == next.Key && x.Until == next.Until
}

// OrderedKept tells whether a list is in its only canonical form: nothing empty, ascending, no entry twice, and no more ranges than needed.
func OrderedKept(kept []Kept) bool {
	for i := range kept {
		if x := &kept[i]; x.From >= x.To || i > 0 && (x.From < kept[i-1].To || kept[i-1].joins(x)) {
			return false
		}
	}
	return true
}
