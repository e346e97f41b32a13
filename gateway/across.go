package gateway

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/panel"
	"vitalog/scope"
	"vitalog/section"
)

const (
	maxAcross    = 100 // results on a page of a search across patients
	acrossAtOnce = 32  // charts that are opened side by side
)

// goesAcross tells whether a search that names no patient, which is what is wrong with it, is one across patients here, and for this token.
func (m reach) goesAcross(kind string, wrong error) bool {
	p, ok := errors.AsType[*problem](wrong)
	return ok && p.code == "required" && m.AcrossMode() != panel.None && m.access.Scopes.Allows(scope.Need{Rights: m.rights, Type: kind, Beyond: true})
}

// searchAcross answers a search that names no patient. The index says where matches may be; those charts are opened, and what matches in them
// is the answer.
func (g *gateway) searchAcross(w http.ResponseWriter, r *http.Request, who exchange.Asker, kind, address string, q, links url.Values) error {
	after, err := parseAfter(q)
	if err != nil {
		return err
	}
	delete(q, "_after")
	a, err := parseAsk(kind, q, lenient(r))
	if err != nil {
		return asSearchProblem(err)
	}
	for _, name := range a.ignored {
		delete(links, name)
	}
	types, err := g.typesAcross(kind, a)
	if err != nil {
		return err
	}
	lacks, err := g.Member.AcrossLacks(who.Purpose, append(placesOf(types), placesOfIncludes(a.includes)...)) // before anything is opened for this answer
	if err != nil {
		return err
	}
	s := &acrossing{g: g, ctx: r.Context(), who: who, kind: kind, conditions: a.conditions}
	defer s.close() // what was found is rendered when its page is written
	matches, err := s.narrow()
	if errors.Is(err, panel.ErrWide) {
		return badRequest("too-costly", "Too much has what the search asks for. Ask for more conditions, or name a patient.")
	}
	if err != nil {
		return asSearchProblem(err)
	}
	whole := a.count || a.page.count == 0 || q.Get("_total") == "accurate" || q.Has("_sort")
	if whole && after != nil {
		return badRequest("invalid", "_after goes on with pages without _sort, _total and _summary=count. Follow the links as they are.")
	}
	a.page.count = min(a.page.count, maxAcross, g.acrossCharts())
	from, to := a.page.of(len(matches))
	if after != nil {
		from, _ = slices.BinarySearchFunc(matches, *after, func(f, last panel.Found) int { return cmp.Or(byPlace(f, last), -1) })
		to = min(from+a.page.count, len(matches))
	}
	for from < to && to < len(matches) && byPlace(matches[to-1], matches[to]) == 0 { // in two sections: on one page
		to++
	}
	if whole {
		from, to = 0, len(matches)
	}
	nodes, err := s.open(matches[from:to])
	if err != nil {
		return err
	}
	more, counted := to < len(matches), from == 0 && to == len(matches)
	total := len(nodes)
	if whole {
		if q.Has("_sort") {
			if err := sortAcross(kind, a.query["_sort"], nodes); err != nil {
				return asSearchProblem(err)
			}
		}
		from, to = a.page.of(len(nodes))
		more = to < len(nodes)
		if nodes = nodes[from:to]; a.count || a.page.count == 0 {
			nodes, more = nil, false
		}
	}
	included, err := s.included(a.includes, nodes)
	if err != nil {
		return err
	}
	gaps := g.gaps(w, s.ended, s.opened()...)
	if a.untold || !counted || lacks || gaps.any() {
		total = -1
	}
	page := make([]node, len(nodes))
	for i, n := range nodes {
		page[i] = n.node
	}
	send := []fhir.Link{{Relation: "self", URL: a.page.link(address, links)}}
	if more {
		next := a.page
		next.offset = to
		if !whole {
			last := matches[to-1]
			next.offset = 0
			links.Set("_after", last.Chart+"/"+last.ID)
		}
		send = append(send, fhir.Link{Relation: "next", URL: next.link(address, links)})
	}
	header(w)
	w.WriteHeader(http.StatusOK)
	b := fhir.NewBundleWriter(w, "searchset", total, send...)
	for _, f := range rendered(page, a) {
		b.Entry(fhir.Out{FullURL: g.Base + "/" + f.kind + "/" + f.id, Resource: f.render(), Mode: "match"})
	}
	for _, f := range rendered(included, a) {
		b.Entry(fhir.Out{FullURL: g.Base + "/" + f.kind + "/" + f.id, Resource: f.render(), Mode: "include"})
	}
	for _, o := range gaps.outcomes() {
		b.Entry(fhir.Out{Resource: o, Mode: "outcome"})
	}
	if lacks {
		b.Entry(fhir.Out{Resource: lackingAcross(), Mode: "outcome"})
	}
	b.Close() // its error is that the client has gone
	return nil
}

// lackingAcross says that there may be more than the index knows.
func lackingAcross() []byte {
	return fhir.Outcome(fhir.Issue{Severity: fhir.Warning, Code: "incomplete",
		Text: "This member's index across patients lacks records that may match, so the answer may lack results, and the number of all is not told. " +
			"A search that names a patient is complete. The member's operator completes the index: vitalog index rebuild."})
}

// typesAcross are the types that a search looks at, if a search across patients can, and a scope covers all of each.
func (g *gateway) typesAcross(kind string, a *ask) ([]string, error) {
	cant := func(what string) error {
		return badRequest("not-supported", "%s is not supported across patients: chains and _has lead from and to the patient, one deep. Name a patient.", what)
	}
	types := []string{kind}
	for _, h := range a.has {
		if kind != "Patient" || h.param != "patient" && h.param != "subject" || len(h.has)+len(h.chains) > 0 {
			return nil, cant("This _has")
		}
		types = append(types, h.search.Type)
	}
	for _, c := range a.chains {
		to := c.to["Patient"]
		if to == nil || c.param != "patient" && c.param != "subject" || len(to.has)+len(to.chains) > 0 {
			return nil, cant("This chain")
		}
		types = append(types, "Patient")
	}
	if len(a.conditions.query) == 0 && len(types) == 1 {
		return nil, badRequest("required", "A search for %s needs patient, or at least one condition across patients: there is no list of everything.", kind)
	}
	if !a.narrows() {
		return nil, badRequest("too-costly", "Across patients nothing in this search says in which charts to look: what it asks is seen in opened charts only. Name a patient, or add one of these, without :missing, :not, :contains and :text: %s.",
			strings.Join(fhir.Narrowing(kind), ", "))
	}
	for _, t := range types {
		if !g.Member.access.Scopes.Covers(scope.Need{Rights: g.Member.rights, Type: t, Beyond: true}, nil) {
			return nil, outOfScope(t, g.Member.rights)
		}
	}
	return types, nil
}

// narrows tells whether the index knows of charts that a search need not look into.
func (a *ask) narrows() bool {
	all := []*conditions{a.conditions}
	for _, h := range a.has {
		all = append(all, h.conditions)
	}
	for _, c := range a.chains {
		all = append(all, c.to["Patient"])
	}
	return slices.ContainsFunc(all, func(c *conditions) bool { return len(c.search.Keys()) > 0 })
}

// acrossCharts is how many charts one search may open.
func (g *gateway) acrossCharts() int { return cmp.Or(g.AcrossCharts, maxAcross) }

// parseAfter reads _after, the last result of the page before: chart/id. nil if there is none.
func parseAfter(q url.Values) (*panel.Found, error) {
	v, err := single(q, "_after")
	if err != nil || v == "" {
		return nil, err
	}
	chart, id, _ := strings.Cut(v, "/")
	if fhir.ValidID(chart) && fhir.ValidID(id) && !q.Has("_offset") {
		return &panel.Found{Chart: chart, ID: id}, nil
	}
	return nil, badRequest("value", "_after is made by this member, in the link to the next page. Follow that link as it is.")
}

func placesOf(types []string) (out []section.Section) {
	for _, t := range types {
		out = append(out, section.Where(t)...)
	}
	return out
}

// saysAcross has the capability statement say what searches across patients there are.
func (g *gateway) saysAcross(rest *restServer) {
	if g.Member.AcrossMode() == panel.None {
		rest.Documentation += " A search in charts names one patient."
		return
	}
	of := map[panel.Mode]string{panel.Own: "records that this member wrote, and those of patients in its custody", panel.All: "records that the patients' grants open any number of times"}
	rest.Documentation += " With a scope of user/ or system/ a search needs no patient: it looks among " + of[g.Member.AcrossMode()] + ". Tokens, strings, references, URIs, dates, _id and _lastUpdated without " +
		"modifiers, and :exact, say which charts to look into, and one of them must be there; everything else is checked in the opened charts. Chains and _has lead from and to the patient, _include and _revinclude " +
		"to other resources of the charts that are opened. _sort, _total=accurate and _summary=count are answered where no more patients may match than the charts that one search may open, which are " + strconv.Itoa(g.acrossCharts()) + ". " +
		"It opens the charts of what it shows. A warning of code incomplete says when the index lacks something; then no total is told."
	for i := range rest.Resource {
		for j := range rest.Resource[i].SearchParam {
			p := &rest.Resource[i].SearchParam[j]
			if strings.Contains(p.Documentation, "required") {
				p.Documentation += "; across patients not"
			}
		}
	}
}
