package gateway

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Limits of searches.
const (
	maxQuery      = 8 << 10  // bytes of a query string
	maxForm       = 64 << 10 // bytes of a search's form
	maxParameters = 64
	defaultCount  = 1000   // resources on a page: each page opens the chart anew, and leaves its trace
	maxCount      = 10_000 // of one page; who asks for more gets this many
)

// parseQuery reads a query string or says what is wrong with it. Semicolons do not separate.
func parseQuery(raw string) (url.Values, error) { return parseParameters(raw, maxQuery) }

func parseParameters(raw string, limit int) (url.Values, error) {
	if len(raw) > limit {
		return nil, badRequest("too-long", "The query has %d bytes, at most %d are read. Ask for less at a time.", len(raw), limit)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("invalid", "The query string can't be read. Escape it as a URL's query: %%7C for |, %%26 for &.")
	}
	delete(q, "_pretty") // how JSON is laid out is ours to say; a client that asks is not refused
	n := 0
	for _, v := range q {
		n += len(v)
	}
	if n > maxParameters {
		return nil, badRequest("too-costly", "The query has %d parameters, at most %d are read.", n, maxParameters)
	}
	return q, nil
}

// page is a part of a list of results.
type page struct{ offset, count int }

// parsePage reads _count and _offset.
func parsePage(q url.Values) (page, error) {
	p := page{count: defaultCount}
	for _, x := range []struct {
		name string
		into *int
	}{{"_count", &p.count}, {"_offset", &p.offset}} {
		v, err := single(q, x.name)
		if err != nil {
			return page{}, err
		}
		if v == "" {
			continue
		}
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return page{}, badRequest("value", "%s is %q; it must be a whole number from 0.", x.name, v)
		}
		*x.into = int(n)
	}
	p.count = min(p.count, maxCount)
	return p, nil
}

// of cuts the page out of n results.
func (p page) of(n int) (from, to int) {
	from = min(p.offset, n)
	return from, min(from+p.count, n)
}

// link is the address of a page of the search, with its parameters in one order.
func (p page) link(address string, q url.Values) string {
	out := maps.Clone(q)
	if p.offset > 0 {
		out.Set("_offset", strconv.Itoa(p.offset))
	} else {
		delete(out, "_offset")
	}
	if out.Has("_count") || p.offset > 0 {
		out.Set("_count", strconv.Itoa(p.count))
	}
	if len(out) == 0 {
		return address
	}
	return address + "?" + out.Encode()
}

// single is the value of a parameter that may stand once; "" if it does not stand at all.
func single(q url.Values, name string) (string, error) {
	switch v := q[name]; len(v) {
	case 0:
		return "", nil
	case 1:
		return v[0], nil
	}
	return "", badRequest("invalid", "%s stands more than once; give it once.", name)
}

// noParameters refuses every parameter but those about the form of the answer.
func noParameters(r *http.Request, where string) error {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	return noneOf(q, where)
}

func noneOf(q url.Values, where string) error {
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if name != "_format" {
			return badRequest("not-supported", "%.64q is no parameter of %s.", name, where)
		}
	}
	return nil
}
