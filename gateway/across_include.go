package gateway

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"vitalog/fhir"
	"vitalog/panel"
	"vitalog/scope"
	"vitalog/section"
)

// maxSought is how many resources the index is asked for at once for the sake of an _include.
const maxSought = 500

// included is what a page brings besides its matches: of the charts of these, and of the directory. The index says where it is.
func (s *acrossing) included(includes []include, page []placed) (out []node, err error) {
	if len(includes) == 0 {
		return nil, nil
	}
	of := map[*world][]node{}
	seen := map[string]bool{} // of the directory several charts may bring the same
	var worlds []*world
	for _, n := range page {
		if of[n.in] == nil {
			worlds = append(worlds, n.in)
		}
		of[n.in] = append(of[n.in], n.node)
	}
	for _, w := range worlds {
		w.bring = func(kind string, q url.Values) ([]node, error) { return s.bring(w, kind, q) }
		some, err := w.included(includes, of[w])
		if err != nil {
			return nil, err
		}
		for _, n := range some {
			if !seen[n.name()] {
				seen[n.name()] = true
				out = append(out, n)
			}
		}
		if len(out) > maxIncluded {
			return nil, tooMuchIncluded()
		}
	}
	return out, nil
}

// bring opens what fulfils q in the chart of w, if a scope covers all of the type.
func (s *acrossing) bring(w *world, kind string, q url.Values) (out []node, err error) {
	if !s.g.Member.access.Scopes.Covers(scope.Need{Rights: s.g.Member.rights, Type: kind, Beyond: true}, nil) {
		return nil, nil
	}
	search, err := fhir.ParseSearch(kind, q)
	if err != nil {
		return nil, err
	}
	found, err := s.g.Member.Across(s.ctx, s.who.Purpose, panel.Query{Type: kind, Asked: search.Keys(), Charts: map[string]bool{w.chartID: true}})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	opened, err := s.g.Member.OpenFound(s.ctx, s.who, found)
	if err != nil {
		return nil, s.endedMeanwhile(err)
	}
	w.opened = append(w.opened, opened...)
	for _, f := range found {
		for _, o := range opened {
			if r := o.Chart.Get(kind, f.ID); r != nil && !r.Deleted() {
				if n := (node{version: r.Current()}); search.Matches(n.fhir()) {
					out = append(out, n)
					break
				}
			}
		}
	}
	return out, nil
}

// brought is include in a chart of which only what is asked for is opened.
func (w *world) brought(i include, from []node, add func(node)) error {
	var names []string
	ids := map[string][]string{}
	for _, n := range from {
		if i.reverse && (i.target == "" || i.target == n.kind()) {
			names = append(names, n.name())
		}
		if i.reverse || n.kind() != i.typ {
			continue
		}
		w.eachLink(n, i.param, func(x fhir.Reference) {
			if i.target != "" && i.target != x.Type {
				return
			}
			if isListed(x.Type) {
				if to, ok := w.get(x); ok {
					add(to)
				}
			} else if !slices.Contains(ids[x.Type], x.ID) && section.Where(x.Type) != nil {
				ids[x.Type] = append(ids[x.Type], x.ID)
			}
		})
	}
	for _, kind := range slices.Sorted(maps.Keys(ids)) {
		if err := w.bringAll(kind, "_id", ids[kind], add); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	for _, param := range fhir.SearchParams(i.typ) {
		if fhir.ParamType(i.typ, param) == "reference" && (i.param == param || i.param == "*") {
			if err := w.bringAll(i.typ, param, names, add); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) bringAll(kind, param string, values []string, add func(node)) error {
	for some := range slices.Chunk(values, maxSought) {
		all, err := w.bring(kind, url.Values{param: {strings.Join(some, ",")}})
		if err != nil {
			return err
		}
		for _, n := range all {
			add(n)
		}
	}
	return nil
}

// placesOfIncludes are the sections where what is included may be.
func placesOfIncludes(includes []include) (out []section.Section) {
	for _, i := range includes {
		switch {
		case i.reverse:
			out = append(out, section.Where(i.typ)...)
		case i.target != "":
			out = append(out, section.Where(i.target)...)
		default:
			return section.Clinical()
		}
	}
	return out
}
