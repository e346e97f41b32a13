package gateway

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"vitalog/fhir"
)

// Limits of searches across resources.
const (
	maxJoins    = 8    // chains and _has of one search
	maxDepth    = 3    // references that one chain or _has follows
	maxIncludes = 16   // _include and _revinclude of one search
	maxRounds   = 3    // of :iterate
	maxIncluded = 2000 // resources on a page that only _include or _revinclude brings
)

// ask is a search as it was asked, but for the patient.
type ask struct {
	*conditions
	shape
	includes []include
	page     page
	count    bool     // _summary=count: the number alone
	untold   bool     // _total=none
	ignored  []string // parameters that nobody knows, where that is lenient
}

// conditions are those that resources of one type have to fulfil.
type conditions struct {
	query  url.Values // what the chart's and the directory's own search know, with _sort
	search *fhir.Search
	chains []*chain
	has    []*has
}

// chain is fulfilled by a resource whose parameter refers to one that fulfils conditions: subject.name=x.
type chain struct {
	param string
	to    map[string]*conditions // by type
}

// has is fulfilled by a resource to which one that fulfils conditions refers by a parameter: _has:Observation:subject:code=x.
type has struct {
	param string
	*conditions
}

// include brings what a parameter of a type refers to, or, in reverse, what refers by it.
type include struct {
	typ, param string // either may be *
	target     string // "" is any
	reverse    bool
	iterate    bool
}

// parseAsk reads the parameters of a search but for the patient, who was taken out of q.
func parseAsk(kind string, q url.Values, lenient bool) (*ask, error) {
	a := &ask{}
	var err error
	if a.page, err = parsePage(q); err != nil {
		return nil, err
	}
	if err := a.form(q); err != nil {
		return nil, err
	}
	rest := url.Values{}
	joins := 0
	for _, key := range slices.Sorted(maps.Keys(q)) {
		base, modifier, _ := strings.Cut(key, ":")
		switch {
		case slices.Contains([]string{"_summary", "_elements", "_total", "_format", "_count", "_offset"}, key):
		case base == "_include", base == "_revinclude":
			for _, v := range q[key] {
				i, err := parseInclude(kind, base, modifier, v)
				if err != nil {
					return nil, err
				}
				a.includes = append(a.includes, i)
			}
		default:
			if isJoin(key) {
				joins += len(q[key])
			}
			_, err := new(asking).conditions(kind, url.Values{key: q[key]}, 0)
			var wrong *fhir.Error
			if errors.As(err, &wrong) && wrong.Kind == fhir.Unsupported && lenient {
				a.ignored = append(a.ignored, key)
				continue
			}
			if err != nil {
				return nil, err
			}
			rest[key] = q[key]
		}
	}
	if joins > maxJoins || len(a.includes) > maxIncludes {
		return nil, badRequest("too-costly", "A search has at most %d chains and _has, and at most %d _include and _revinclude. Ask for less at a time.", maxJoins, maxIncludes)
	}
	a.conditions, err = new(asking).conditions(kind, rest, 0)
	return a, err
}

// form reads the parameters about the form of the answer.
func (a *ask) form(q url.Values) (err error) {
	if a.count = len(q["_summary"]) == 1 && q.Get("_summary") == "count"; a.count {
		q = maps.Clone(q)
		delete(q, "_summary")
	}
	if a.shape, err = parseShape(q); err != nil {
		return err
	}
	if a.summary == "text" && (q.Has("_include") || q.Has("_revinclude")) {
		return badRequest("invalid", "R4 has no _include and no _revinclude with _summary=text. Leave one of them out.")
	}
	if _, err := single(q, "_format"); err != nil {
		return err
	}
	switch v, err := single(q, "_total"); {
	case err != nil:
		return err
	case v == "none":
		a.untold = true
	case v != "" && v != "accurate" && v != "estimate":
		return badRequest("value", "_total is none, estimate or accurate.")
	}
	return nil
}

func parseInclude(kind, name, modifier, v string) (include, error) {
	i := include{reverse: name == "_revinclude", iterate: modifier == "iterate"}
	parts := strings.Split(v, ":")
	wrong := badRequest("value", "%s is Type:parameter or Type:parameter:Type, and the parameter one that is a reference; GET of metadata says which there are.", name)
	if modifier != "" && !i.iterate || len(parts) > 3 {
		return i, wrong
	}
	if v == "*" && !i.reverse {
		i.typ, i.param = kind, "*"
		return i, nil
	}
	if len(parts) < 2 || !fhir.KnownType(parts[0]) || parts[1] != "*" && fhir.ParamType(parts[0], parts[1]) != "reference" {
		return i, wrong
	}
	i.typ, i.param = parts[0], parts[1]
	if len(parts) == 3 {
		if i.target = parts[2]; !fhir.KnownType(i.target) {
			return i, wrong
		}
	}
	return i, nil
}

// isJoin tells whether a parameter is about other resources too.
func isJoin(key string) bool { return strings.HasPrefix(key, "_has:") || strings.Contains(key, ".") }

// asking reads conditions. What a chain without a type may lead to is tried with each type once.
type asking struct{ known map[string]*conditions }

func (p *asking) conditions(kind string, q url.Values, depth int) (*conditions, error) {
	c := &conditions{query: url.Values{}}
	for key, values := range q {
		if !isJoin(key) {
			c.query[key] = values
			continue
		}
		if depth == maxDepth {
			return nil, &fhir.Error{Kind: fhir.Unsupported, Element: "_has or chain", Text: "follows more than three references"}
		}
		for _, v := range values {
			if err := p.join(c, kind, key, v, depth+1); err != nil {
				return nil, err
			}
		}
	}
	var err error
	c.search, _, err = fhir.ParseQuery(kind, c.query)
	return c, err
}

func (p *asking) join(c *conditions, kind, key, v string, depth int) error {
	if rest, ok := strings.CutPrefix(key, "_has:"); ok {
		parts := strings.SplitN(rest, ":", 3)
		if len(parts) != 3 || fhir.ParamType(parts[0], parts[1]) != "reference" {
			return &fhir.Error{Kind: fhir.Unsupported, Element: "_has", Text: "want _has:Type:reference:parameter"}
		}
		of, err := p.conditions(parts[0], url.Values{parts[2]: {v}}, depth)
		c.has = append(c.has, &has{parts[1], of})
		return err
	}
	name, rest, _ := strings.Cut(key, ".")
	name, typ, _ := strings.Cut(name, ":")
	if fhir.ParamType(kind, name) != "reference" || typ != "" && !fhir.KnownType(typ) {
		return &fhir.Error{Kind: fhir.Unsupported, Element: "chain", Text: "does not begin with a reference of " + kind}
	}
	ch := &chain{name, map[string]*conditions{}}
	types := []string{typ}
	if typ == "" {
		types = fhir.Types()
		if name == "patient" {
			types = []string{"Patient"}
		}
	}
	var failed error
	for _, t := range types {
		to, err := p.target(t, rest, v, depth)
		if err != nil {
			if failed == nil || !unsupported(err) {
				failed = err
			}
			continue
		}
		ch.to[t] = to
	}
	if len(ch.to) == 0 {
		return failed
	}
	c.chains = append(c.chains, ch)
	return nil
}

func (p *asking) target(typ, rest, v string, depth int) (*conditions, error) {
	key := typ + "." + rest + "=" + v
	if c, ok := p.known[key]; ok {
		if c == nil {
			return nil, &fhir.Error{Kind: fhir.Unsupported, Element: "chain", Text: "leads to no type with that parameter"}
		}
		return c, nil
	}
	c, err := p.conditions(typ, url.Values{rest: {v}}, depth)
	if err != nil {
		c = nil
	}
	if p.known == nil {
		p.known = map[string]*conditions{}
	}
	p.known[key] = c
	return c, err
}

func unsupported(err error) bool {
	var e *fhir.Error
	return errors.As(err, &e) && e.Kind == fhir.Unsupported
}

// lenient tells whether parameters that nobody knows are to be left out: Prefer: handling=lenient.
func lenient(r *http.Request) bool {
	for _, v := range r.Header.Values("Prefer") {
		for p := range strings.FieldsFuncSeq(v, func(c rune) bool { return c == ',' || c == ';' || c == ' ' }) {
			if p == "handling=lenient" {
				return true
			}
		}
	}
	return false
}
