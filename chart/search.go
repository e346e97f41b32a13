package chart

import (
	"iter"
	"slices"

	"vitalog/fhir"
	"vitalog/section"
)

// Search finds the current versions of a type that fulfil the query, newest first. The parameters are those of fhir.ParseSearch, and
// _sort as fhir.ParseSort reads it. Deleted resources are never found.
//
// The first search by a parameter makes an index of it, which the chart and those made of it With more records keep.
func (c *Chart) Search(resourceType string, query map[string][]string) ([]*Version, error) {
	s, by, err := fhir.ParseQuery(resourceType, query)
	if err != nil {
		return nil, err
	}
	type result struct {
		v   *Version
		key fhir.Key
	}
	var found []result
	var v *Version
	ref := func(from string) string { return v.Item.ref(from) } // one for all: a method value would be made for each
	for r := range c.tables[resourceType].candidates(s) {
		v = r.Current()
		if v.Item.Status == Deleted {
			continue
		}
		if as := (fhir.Identity{ID: r.ID, Updated: v.Updated(), Ref: ref}); s.Matches(v.Item.resource, as) {
			found = append(found, result{v, by.Key(v.Item.resource, as)})
		}
	}
	slices.SortFunc(found, func(a, b result) int { return by.Compare(a.key, b.key) })
	out := make([]*Version, len(found))
	for i, f := range found {
		out[i] = f.v
	}
	return out, nil
}

// candidates are the resources that a search may match.
func (t *table) candidates(s *fhir.Search) iter.Seq[*Resource] {
	if t == nil {
		return func(func(*Resource) bool) {}
	}
	set, ok := t.index.Narrow(s)
	if !ok {
		return slices.Values(t.byID)
	}
	all := slices.Clone(t.changed)
	all.Or(set)
	return func(yield func(*Resource) bool) {
		for n := range all.All() {
			if !yield(t.numbered[n]) {
				return
			}
		}
	}
}

// Place is the section, or the directory, that a resource belongs to.
func Place(r *fhir.Resource) (s section.Section, directory bool, err error) {
	return section.Of(r.Type(), codings(r.Codings("category")), codings(r.Codings("code")), codings(r.Security()))
}

func codings(in []fhir.Coding) []section.Coding {
	out := make([]section.Coding, len(in))
	for i, c := range in {
		out[i] = section.Coding(c)
	}
	return out
}
