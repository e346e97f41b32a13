package chart

import (
	"slices"

	"vitalog/fhir"
)

// Only is the chart of those resources whose current version is to be kept: what somebody sees who may not see all. c stays as it is.
func (c *Chart) Only(keep func(*Version) bool) *Chart {
	next := &Chart{records: c.records, tables: map[string]*table{}, bytes: c.bytes}
	for name, t := range c.tables {
		kept := slices.DeleteFunc(slices.Clone(t.byID), func(r *Resource) bool { return !keep(r.Current()) })
		switch len(kept) {
		case 0:
		case len(t.byID):
			next.tables[name] = t
		default:
			next.tables[name] = tableOf(kept)
		}
	}
	return next
}

// tableOf is a table of resources that are numbered anew.
func tableOf(byID []*Resource) *table {
	t := &table{byID: byID}
	for i, r := range byID {
		again := *r
		again.number = i
		byID[i] = &again
		t.problems += again.problems()
	}
	t.numbered = slices.Clone(byID)
	t.newIndex()
	return t
}

// Identity is what readers call the version.
func (v *Version) Identity() fhir.Identity {
	return fhir.Identity{ID: v.Item.ID, Updated: v.Updated(), Ref: v.Item.ref}
}

// Matches tells whether the version fulfils a search. A deletion fulfils none.
func (v *Version) Matches(s *fhir.Search) bool {
	return v.Item.resource != nil && s.Matches(v.Item.resource, v.Identity())
}
