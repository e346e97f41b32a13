package gateway

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"vitalog/chart"
	"vitalog/directory"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/section"
)

// node is a resource that a search looks at: a version in a chart, or one of the directory. A search makes one for each match, so it holds no
// more than that.
type node struct {
	version *chart.Version
	listed  directory.Resource
}

func (n node) kind() string {
	if n.version != nil {
		return n.version.Item.Type
	}
	return n.listed.Type()
}

func (n node) id() string {
	if n.version != nil {
		return n.version.Item.ID
	}
	return n.listed.ID()
}

func (n node) name() string { return n.kind() + "/" + n.id() }

// fhir is the resource as it was received, and what readers call it.
func (n node) fhir() (*fhir.Resource, fhir.Identity) {
	if n.version != nil {
		return n.version.Item.Resource(), n.version.Identity()
	}
	return n.listed.FHIR(), fhir.Identity{ID: n.listed.ID(), Updated: n.listed.Updated()}
}

func (n node) render() []byte {
	if n.version != nil {
		return n.version.Render("")
	}
	return n.listed.Render()
}

// world is what one search can see: the directory, and of one patient's chart the sections that it opened. What a reference leads to in
// another section of that chart opens the section, which leaves its row; where it isn't shared the resource isn't there.
type world struct {
	g       *gateway
	ctx     context.Context
	who     exchange.Asker
	chartID string // "" is none
	opened  []*exchange.Opened
	tried   map[section.Section]bool
	failed  error
	ended   gaps // sections that were refused although they were shared when the answer began

	met map[*chain]map[string]bool // what chains led to, and whether it fulfils them
	had map[*has]map[string]bool   // what is referred to by those that fulfil

	bring func(kind string, q url.Values) ([]node, error) // of a search across patients: what is included is opened alone; nil: by sections
}

func (g *gateway) newWorld(ctx context.Context, who exchange.Asker, chartID string) *world {
	return &world{g: g, ctx: ctx, who: who, chartID: chartID, tried: map[section.Section]bool{}, met: map[*chain]map[string]bool{}, had: map[*has]map[string]bool{}}
}

// close gives back what was opened, when the answer is written.
func (w *world) close() {
	for _, o := range w.opened {
		o.Close()
	}
}

func (w *world) open(want exchange.Want) error {
	for _, all := range [][]section.Section{want.Sections, want.Also} {
		for _, s := range all {
			w.tried[s] = true
		}
	}
	o, err := w.g.Member.Open(w.ctx, w.who, w.chartID, want)
	if err != nil {
		return err
	}
	w.opened = append(w.opened, o)
	return nil
}

// get is what a reference leads to; ok is false if that is nothing within reach.
func (w *world) get(x fhir.Reference) (n node, ok bool) {
	switch {
	case x.Base != "" && x.Base != w.g.Base || w.failed != nil:
		return node{}, false
	case isListed(x.Type):
		if l, ok := w.g.Directory.Get(x.Type, x.ID); ok && w.g.Member.lists(x.Type) {
			return node{listed: l}, true
		}
		return node{}, false
	}
	if n, ok = w.inChart(x); ok || w.chartID == "" {
		return n, ok
	}
	at, known, err := w.g.Member.Locate(x.Type, x.ID)
	if err != nil {
		w.failed = err
	}
	if err != nil || !known || at.Chart != w.chartID || w.tried[at.Section] {
		return node{}, false
	}
	err = w.open(exchange.Want{Sections: []section.Section{at.Section}})
	if refused := (*exchange.Refused)(nil); errors.As(err, &refused) {
		w.ended.end(refused.Why.String())
	} else if err != nil && !errors.Is(err, exchange.ErrNotShared) {
		w.failed = err
	}
	return w.inChart(x)
}

func (w *world) inChart(x fhir.Reference) (n node, ok bool) {
	for _, o := range w.opened {
		if r := o.Chart.Get(x.Type, x.ID); r != nil && !r.Deleted() {
			return node{version: r.Current()}, true
		}
	}
	return node{}, false
}

// find are all resources of a type that fulfil the conditions, in their order.
func (w *world) find(kind string, c *conditions) (all []node, err error) {
	if isListed(kind) {
		if !w.g.Member.lists(kind) {
			return nil, nil
		}
		listed, err := w.g.Directory.Search(kind, c.query)
		if err != nil {
			return nil, err
		}
		for _, l := range listed {
			all = append(all, node{listed: l})
		}
	}
	for _, o := range w.opened {
		versions, err := o.Chart.Search(kind, c.query)
		if err != nil {
			return nil, err
		}
		all = slices.Grow(all, len(versions))
		for _, v := range versions {
			all = append(all, node{version: v})
		}
	}
	if len(c.chains)+len(c.has) > 0 {
		all = slices.DeleteFunc(all, func(n node) bool { return !w.joins(c, n) })
	}
	return all, w.failed
}

// joins tells whether a resource fulfils what is about others.
func (w *world) joins(c *conditions, n node) bool {
	for _, ch := range c.chains {
		if !w.follows(ch, n) {
			return false
		}
	}
	for _, h := range c.has {
		if !w.referred(h)[n.name()] {
			return false
		}
	}
	return true
}

func (w *world) follows(ch *chain, n node) bool {
	res, as := n.fhir()
	if w.met[ch] == nil {
		w.met[ch] = map[string]bool{}
	}
	for _, x := range fhir.Links(res, as, ch.param) {
		c, name := ch.to[x.Type], x.Type+"/"+x.ID
		if c == nil {
			continue
		}
		met, known := w.met[ch][name]
		if !known {
			if to, ok := w.get(x); ok {
				met = c.search.Matches(to.fhir()) && w.joins(c, to)
			}
			w.met[ch][name] = met
		}
		if met {
			return true
		}
	}
	return false
}

// referred is what those refer to that fulfil h.
func (w *world) referred(h *has) map[string]bool {
	if w.had[h] == nil {
		w.had[h] = map[string]bool{}
		all, err := w.find(h.search.Type, h.conditions)
		if err != nil {
			w.failed = err
		}
		for _, n := range all {
			w.eachLink(n, h.param, func(x fhir.Reference) { w.had[h][x.Type+"/"+x.ID] = true })
		}
	}
	return w.had[h]
}

func (w *world) eachLink(n node, param string, f func(fhir.Reference)) {
	res, as := n.fhir()
	for _, x := range fhir.Links(res, as, param) {
		if x.Base == "" || x.Base == w.g.Base {
			f(x)
		}
	}
}

// included is what a page brings besides its matches.
func (w *world) included(includes []include, page []node) (out []node, err error) {
	seen := map[string]bool{}
	for _, n := range page {
		seen[n.name()] = true
	}
	add := func(n node) {
		if !seen[n.name()] {
			seen[n.name()] = true
			out = append(out, n)
		}
	}
	from := page
	for round := range maxRounds + 1 {
		done := len(out)
		for _, i := range includes {
			if round > 0 && !i.iterate {
				continue
			}
			if err := w.include(i, from, add); err != nil {
				return nil, err
			}
			if len(out) > maxIncluded {
				return nil, tooMuchIncluded()
			}
		}
		if from = out[done:]; len(from) == 0 {
			break
		}
	}
	return out, w.failed
}

func tooMuchIncluded() error {
	return badRequest("too-costly", "The page would bring more than %d other resources. Ask for fewer matches by _count, or include less.", maxIncluded)
}

func (w *world) include(i include, from []node, add func(node)) error {
	if w.bring != nil && !(i.reverse && isListed(i.typ)) {
		return w.brought(i, from, add)
	}
	if !i.reverse {
		for _, n := range from {
			if n.kind() != i.typ {
				continue
			}
			w.eachLink(n, i.param, func(x fhir.Reference) {
				if i.target == "" || i.target == x.Type {
					if to, ok := w.get(x); ok {
						add(to)
					}
				}
			})
		}
		return nil
	}
	wanted := map[string]bool{}
	for _, n := range from {
		if i.target == "" || i.target == n.kind() {
			wanted[n.name()] = true
		}
	}
	all, err := w.find(i.typ, &conditions{query: url.Values{}})
	for _, n := range all {
		refers := false
		w.eachLink(n, i.param, func(x fhir.Reference) { refers = refers || wanted[x.Type+"/"+x.ID] })
		if refers {
			add(n)
		}
	}
	return err
}

// origins are the types from which a search looks backwards, by _has and _revinclude.
func (a *ask) origins() (types []string) {
	for _, i := range a.includes {
		if i.reverse {
			types = append(types, i.typ)
		}
	}
	return append(types, a.conditions.origins()...)
}

func (c *conditions) origins() (types []string) {
	for _, h := range c.has {
		types = append(append(types, h.search.Type), h.conditions.origins()...)
	}
	for _, ch := range c.chains {
		if len(ch.to) > 1 { // a chain with _has behind it names its type
			continue
		}
		for _, to := range ch.to {
			types = append(types, to.origins()...)
		}
	}
	return types
}
