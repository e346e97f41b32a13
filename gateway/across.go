package gateway

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/panel"
	"vitalog/scope"
	"vitalog/section"
)

const (
	maxAcross    = 100 // results on a page of a search across patients, and charts that one opens
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
	lacks, err := g.Member.AcrossLacks(who.Purpose, placesOf(types)) // before anything is opened for this answer
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
	a.page.count = min(a.page.count, maxAcross)
	from, to := a.page.of(len(matches))
	whole := a.count || a.page.count == 0 || q.Get("_total") == "accurate" || q.Has("_sort")
	if whole {
		from, to = 0, len(matches)
	}
	nodes, err := s.open(matches[from:to])
	if err != nil {
		return err
	}
	broken := s.report(w)
	more, total := to < len(matches), len(nodes)
	if more || from > 0 || lacks || s.lost || broken > 0 {
		total = -1
	}
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
	if a.untold {
		total = -1
	}
	send := []fhir.Link{{Relation: "self", URL: a.page.link(address, links)}}
	if more {
		next := a.page
		next.offset = to
		send = append(send, fhir.Link{Relation: "next", URL: next.link(address, links)})
	}
	header(w)
	w.WriteHeader(http.StatusOK)
	b := fhir.NewBundleWriter(w, "searchset", total, send...)
	for _, f := range rendered(nodes, a) {
		b.Entry(fhir.Out{FullURL: g.Base + "/" + f.kind + "/" + f.id, Resource: f.render(), Mode: "match"})
	}
	if broken > 0 {
		b.Entry(fhir.Out{Resource: incompleteness(broken), Mode: "outcome"})
	}
	if lacks || s.lost {
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
	if len(a.includes) > 0 {
		return nil, cant("_include or _revinclude")
	}
	if asked, err := a.search.Keys(); err == nil && len(asked) == 0 && len(types) == 1 {
		return nil, badRequest("required", "A search for %s needs patient, or at least one condition across patients: there is no list of everything.", kind)
	}
	for _, t := range types {
		if !g.Member.access.Scopes.Covers(scope.Need{Rights: g.Member.rights, Type: t, Beyond: true}, nil) {
			return nil, outOfScope(t, g.Member.rights)
		}
	}
	return types, nil
}

func placesOf(types []string) (out []section.Section) {
	for _, t := range types {
		out = append(out, section.Where(t)...)
	}
	return out
}

// acrossing is one search across patients under way.
type acrossing struct {
	g    *gateway
	ctx  context.Context
	who  exchange.Asker
	kind string
	*conditions
	joined []map[string][]panel.Found // for each chain and _has what may fulfil it, by chart

	mu     sync.Mutex
	worlds []*world
	lost   bool // a chart that had candidates wasn't open to this member
}

func (s *acrossing) close() {
	for _, w := range s.worlds {
		w.close()
	}
}

func (s *acrossing) report(w http.ResponseWriter) (broken int) {
	for _, x := range s.worlds {
		for _, o := range x.opened {
			s.g.report(w, o)
			broken += len(o.Errors)
		}
	}
	return broken
}

// narrow is what may match, in order: in charts where something may fulfil each chain and _has.
func (s *acrossing) narrow() ([]panel.Found, error) {
	var charts map[string]bool
	find := func(c *conditions) ([]panel.Found, error) {
		asked, err := c.search.Keys()
		if err != nil {
			return nil, err
		}
		return s.g.Member.Across(s.ctx, s.who.Purpose, panel.Query{Type: c.search.Type, Asked: asked, Charts: charts})
	}
	var joins []*conditions
	for _, h := range s.has {
		joins = append(joins, h.conditions)
	}
	for _, c := range s.chains {
		joins = append(joins, c.to["Patient"])
	}
	for _, c := range joins {
		found, err := find(c)
		if err != nil {
			return nil, err
		}
		byChart := map[string][]panel.Found{}
		charts = map[string]bool{}
		for _, f := range found {
			byChart[f.Chart], charts[f.Chart] = append(byChart[f.Chart], f), true
		}
		s.joined = append(s.joined, byChart)
	}
	matches, err := find(s.conditions)
	slices.SortFunc(matches, func(a, b panel.Found) int {
		return cmp.Or(strings.Compare(a.Chart, b.Chart), strings.Compare(a.ID, b.ID), cmp.Compare(a.Section, b.Section))
	})
	return matches, err
}

// open opens what may match and keeps what does, in order.
func (s *acrossing) open(matches []panel.Found) ([]node, error) {
	charts := map[string][]panel.Found{}
	for _, f := range matches {
		charts[f.Chart] = append(charts[f.Chart], f)
	}
	if len(charts) > maxAcross {
		return nil, badRequest("too-costly", "More patients may match than the %d whose charts one search opens. Ask for more conditions, or for pages without _sort, _total and _summary=count.", maxAcross)
	}
	kept := map[string][]node{}
	g, ctx := errgroup.WithContext(s.ctx)
	g.SetLimit(acrossAtOnce)
	for id, found := range charts {
		g.Go(func() error {
			nodes, err := s.openChart(ctx, found)
			s.mu.Lock()
			defer s.mu.Unlock()
			kept[id] = nodes
			if _, ok := errors.AsType[*exchange.Refused](err); ok {
				return nil // it ended meanwhile
			}
			if errors.Is(err, exchange.ErrNotShared) {
				s.lost = true
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []node
	for _, id := range slices.Sorted(maps.Keys(kept)) {
		out = append(out, kept[id]...)
	}
	return out, nil
}

// openChart opens what may match in one chart, with one resource for each chain and _has, and with the others only if that one doesn't do.
func (s *acrossing) openChart(ctx context.Context, found []panel.Found) ([]node, error) {
	first, rest := slices.Clone(found), []panel.Found(nil)
	for _, joined := range s.joined {
		all := joined[found[0].Chart]
		first, rest = append(first, all[0]), append(rest, all[1:]...)
	}
	w := s.g.newWorld(ctx, s.who, found[0].Chart)
	for _, x := range section.Clinical() {
		w.tried[x] = true // it follows nothing to where the index did not lead
	}
	s.mu.Lock()
	s.worlds = append(s.worlds, w)
	s.mu.Unlock()
	for _, some := range [][]panel.Found{first, rest} {
		if len(some) == 0 {
			continue
		}
		opened, err := s.g.Member.OpenFound(ctx, s.who, some)
		if err != nil {
			return nil, err
		}
		w.opened = append(w.opened, opened...)
		clear(w.met)
		clear(w.had)
		all, err := w.find(s.kind, s.conditions)
		if err != nil {
			return nil, err
		}
		var out []node
		for _, f := range found {
			is := func(n node) bool { return n.id() == f.ID }
			if i := slices.IndexFunc(all, is); i >= 0 && !slices.ContainsFunc(out, is) {
				out = append(out, all[i])
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, nil
}

func sortAcross(kind string, order []string, nodes []node) error {
	by, err := fhir.ParseSort(kind, order)
	if err != nil {
		return err
	}
	type keyed struct {
		node
		key fhir.Key
	}
	all := make([]keyed, len(nodes))
	for i, n := range nodes {
		all[i] = keyed{n, by.Key(n.fhir())}
	}
	slices.SortFunc(all, func(a, b keyed) int { return by.Compare(a.key, b.key) })
	for i, k := range all {
		nodes[i] = k.node
	}
	return nil
}

// saysAcross has the capability statement say what searches across patients there are.
func (g *gateway) saysAcross(rest *restServer) {
	if g.Member.AcrossMode() == panel.None {
		rest.Documentation += " A search in charts names one patient."
		return
	}
	of := map[panel.Mode]string{panel.Own: "records that this member wrote, and those of patients in its custody", panel.All: "records that the patients' grants open any number of times"}
	rest.Documentation += " With a scope of user/ or system/ a search needs no patient: it looks among " + of[g.Member.AcrossMode()] + ". It takes tokens, strings, references, URIs, dates, _id and _lastUpdated " +
		"without modifiers, chains and _has from and to the patient, _count up to 100, _elements, _summary, and _sort, _total=accurate and _summary=count where at most 100 patients may match. " +
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
