package gateway

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/panel"
	"vitalog/section"
)

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
	ended  gaps // of what the index still counted on
}

// placed is a match in the world of its chart.
type placed struct {
	node
	in *world
}

func (s *acrossing) close() {
	for _, w := range s.worlds {
		w.close()
	}
}

// opened is all that was opened.
func (s *acrossing) opened() (all []*exchange.Opened) {
	for _, w := range s.worlds {
		all = append(all, w.opened...)
	}
	return all
}

// narrow is what may match, in order: in charts where something may fulfil each chain and _has.
func (s *acrossing) narrow() ([]panel.Found, error) {
	var charts map[string]bool
	find := func(c *conditions) ([]panel.Found, error) {
		return s.g.Member.Across(s.ctx, s.who.Purpose, panel.Query{Type: c.search.Type, Asked: c.search.Keys(), Charts: charts})
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
	slices.SortFunc(matches, byPlace)
	return matches, err
}

// byPlace compares by chart and id.
func byPlace(a, b panel.Found) int {
	return cmp.Or(strings.Compare(a.Chart, b.Chart), strings.Compare(a.ID, b.ID))
}

// open opens what may match and keeps what does, in order.
func (s *acrossing) open(matches []panel.Found) ([]placed, error) {
	charts := map[string][]panel.Found{}
	for _, f := range matches {
		charts[f.Chart] = append(charts[f.Chart], f)
	}
	if most := s.g.acrossCharts(); len(charts) > most {
		return nil, badRequest("too-costly", "More patients may match than the %d whose charts one search opens. Ask for more conditions, or for pages without _sort, _total and _summary=count.", most)
	}
	kept := map[string][]placed{}
	g, ctx := errgroup.WithContext(s.ctx)
	g.SetLimit(acrossAtOnce)
	for id, found := range charts {
		g.Go(func() error {
			nodes, err := s.openChart(ctx, found)
			s.mu.Lock()
			defer s.mu.Unlock()
			kept[id] = nodes
			return s.endedMeanwhile(err)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []placed
	for _, id := range slices.Sorted(maps.Keys(kept)) {
		out = append(out, kept[id]...)
	}
	return out, nil
}

// endedMeanwhile takes note of an access that has ended since the index was asked. Other errors are given back. Those who call it at once hold mu.
func (s *acrossing) endedMeanwhile(err error) error {
	if refused, ok := errors.AsType[*exchange.Refused](err); ok {
		s.ended.end(refused.Why.String())
		return nil
	}
	if errors.Is(err, exchange.ErrNotShared) {
		s.ended.end("not shared any more")
		return nil
	}
	return err
}

// openChart opens what may match in one chart, with one resource for each chain and _has, and with the others only if that one doesn't do.
func (s *acrossing) openChart(ctx context.Context, found []panel.Found) ([]placed, error) {
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
		var out []placed
		for _, f := range found {
			i := slices.IndexFunc(all, func(n node) bool { return n.id() == f.ID })
			if i >= 0 && !slices.ContainsFunc(out, func(p placed) bool { return p.id() == f.ID }) {
				out = append(out, placed{all[i], w})
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, nil
}

func sortAcross(kind string, order []string, nodes []placed) error {
	by, err := fhir.ParseSort(kind, order)
	if err != nil {
		return err
	}
	type keyed struct {
		placed
		key fhir.Key
	}
	all := make([]keyed, len(nodes))
	for i, n := range nodes {
		all[i] = keyed{n, by.Key(n.fhir())}
	}
	slices.SortFunc(all, func(a, b keyed) int { return by.Compare(a.key, b.key) })
	for i, k := range all {
		nodes[i] = k.placed
	}
	return nil
}
