package chart

import (
	"slices"
	"strings"

	"vitalog/fhir"
)

// table holds the resources of one type. It is immutable, and nil without any.
//
// Each resource has a number, under which the search index knows it, and keeps it when it changes. Tables that with makes share the index
// of the table that they come from; what they changed since is marked and looked at by every search, until it is so much that a new
// index, made when it is first needed, costs less.
//
//	table A   a:0 b:1 c:2          index of a b c
//	table B   a:0 b:1 c:2' d:3     the same index; changed 2 3
type table struct {
	byID     []*Resource // ascending
	numbered []*Resource
	problems int // items left out

	index   *fhir.Index  // of the first resources in numbered, as they were when it was made
	changed fhir.Numbers // since
}

// find is where the resource of that id is in byID, or would be.
func (t *table) find(id string) (int, bool) {
	if t == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(t.byID, id, func(r *Resource, id string) int { return strings.Compare(r.ID, id) })
}

// with is a table that has more items, which are given by id and in the order of the fold.
func (t *table) with(items map[string][]*Version) *table {
	if t == nil {
		t = &table{}
	}
	next := &table{numbered: append(make([]*Resource, 0, len(t.numbered)+len(items)), t.numbered...), problems: t.problems}
	var fresh, known []*Resource
	for id, list := range items {
		if at, ok := t.find(id); ok {
			old := t.byID[at]
			r := newResource(merge(old.items, list, (*Version).compare))
			r.number = old.number
			next.numbered[r.number] = r
			next.problems += r.problems() - old.problems()
			known = append(known, r)
		} else {
			r := newResource(list)
			next.problems += r.problems()
			fresh = append(fresh, r)
		}
	}
	slices.SortFunc(fresh, byID) // so that the same records get the same numbers
	for _, r := range fresh {
		r.number = len(next.numbered)
		next.numbered = append(next.numbered, r)
	}
	next.byID = merge(t.byID, fresh, byID)
	for _, r := range known {
		at, _ := next.find(r.ID)
		next.byID[at] = r
	}
	next.keepIndex(t, slices.Concat(known, fresh))
	return next
}

// keepIndex takes over the index of the table that t was made of, as long as little was changed.
func (t *table) keepIndex(old *table, changed []*Resource) {
	if old.index == nil || !old.index.Used() || old.changed.Len()+len(changed) > 64+len(t.numbered)/16 {
		t.newIndex()
		return
	}
	t.index = old.index
	t.changed = fhir.NewNumbers(len(t.numbered))
	copy(t.changed, old.changed)
	for _, r := range changed {
		t.changed.Add(r.number)
	}
}

func (t *table) newIndex() {
	t.changed = fhir.NewNumbers(len(t.numbered))
	numbered := t.numbered
	t.index = fhir.NewIndex(len(numbered), func(yield func(int, *fhir.Resource, fhir.Identity)) {
		for n, r := range numbered {
			if v := r.Current(); !r.Deleted() {
				yield(n, v.Item.resource, fhir.Identity{ID: r.ID, Updated: v.Updated(), Ref: v.Item.ref})
			}
		}
	})
}

func byID(a, b *Resource) int { return strings.Compare(a.ID, b.ID) }
