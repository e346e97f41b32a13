package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"vitalog/definition"
	"vitalog/fhir"
)

// shape is how much of a resource was asked for. The zero value is all of it.
type shape struct {
	summary  string          // _summary: true, text or data
	elements map[string]bool // _elements; nil: all
}

// parseShape reads _summary and _elements.
func parseShape(q url.Values) (s shape, err error) {
	v, err := single(q, "_summary")
	if err != nil {
		return s, err
	}
	switch v {
	case "true", "text", "data":
		s.summary = v
	case "false":
	default:
		if q.Has("_summary") {
			return s, badRequest("value", "_summary is true, text, data or false, and in a search count.")
		}
	}
	v, err = single(q, "_elements")
	if err == nil && q.Has("_elements") {
		s.elements = map[string]bool{}
		for e := range strings.SplitSeq(v, ",") {
			s.elements[e[strings.LastIndexByte(e, '.')+1:]] = true
		}
	}
	return s, err
}

// shapeOfRead reads the parameters of a read, which are all about the form of the answer.
func shapeOfRead(r *http.Request) (shape, error) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return shape{}, err
	}
	s, err := parseShape(q)
	if err != nil {
		return s, err
	}
	delete(q, "_summary")
	delete(q, "_elements")
	return s, noneOf(q, "a read")
}

// render is a resource as far as it was asked for. What R4 demands of every resource of its type is always there.
func (s *shape) render(whole []byte) []byte {
	if s.summary == "" && s.elements == nil {
		return whole
	}
	r, err := fhir.Parse(whole)
	if err != nil { // with its id and version it is larger than what is taken
		return whole
	}
	return r.Subset(func(member string, value fhir.Value) fhir.Value {
		plain := strings.TrimPrefix(member, "_")
		element, must := definition.Element(r.Type(), plain)
		switch {
		case !must && s.elements != nil && !s.elements[plain] && !s.elements[element],
			!must && s.summary == "text" && element != "text",
			s.summary == "data" && element == "text":
			return nil
		case s.summary == "true":
			return definition.Brief(r.Type(), member, value)
		}
		return value
	})
}
