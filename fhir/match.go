package fhir

import (
	"slices"
	"strings"
	"time"
)

// Matches tells whether r, known as as, fulfils every condition. A resource of another type never does.
func (s *Search) Matches(r *Resource, as Identity) bool {
	if r.kind != s.Type {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r, as) {
			return false
		}
	}
	return true
}

func (c *condition) holds(r *Resource, as Identity) bool {
	switch {
	case c.kind == composite:
		return c.holdsInOne(r, as)
	case c.kind == fulltext:
		all := r.words(c.paths == "_text")
		return c.any(func(v *value) bool {
			return !slices.ContainsFunc(v.words, func(w string) bool { return !strings.Contains(all, w) })
		})
	case c.modifier == "missing" && c.paths != "":
		return c.any(func(v *value) bool { return c.missing(r) == (v.text == "true") })
	case c.name == "_id":
		return c.any(func(v *value) bool { return v.text == as.ID }) != (c.modifier == "not")
	case c.name == "_lastUpdated":
		at := lastUpdated(as)
		return c.any(func(v *value) bool { return v.matches(at) })
	}
	found := false
	r.eachOf(c.paths, func(at []byte) bool {
		found = c.meets(at, as)
		return !found
	})
	return found != (c.modifier == "not")
}

// holdsInOne tells whether one element has both parts.
func (c *condition) holdsInOne(r *Resource, as Identity) (found bool) {
	for _, at := range composites[c.paths].at {
		descend(r.raw, at, func(e []byte) bool {
			found = c.any(func(v *value) bool { return v.parts[0].within(e, as) && v.parts[1].within(e, as) })
			return !found
		})
		if found {
			return true
		}
	}
	return false
}

// within tells whether a part of a composite holds in an element.
func (c *condition) within(e []byte, as Identity) (found bool) {
	for path := range strings.SplitSeq(c.paths, "|") {
		if !descend(e, path, func(at []byte) bool {
			found = c.meets(at, as)
			return !found
		}) {
			break
		}
	}
	return found
}

func (c *condition) any(f func(*value) bool) bool {
	for i := range c.values {
		if f(&c.values[i]) {
			return true
		}
	}
	return false
}

func (c *condition) missing(r *Resource) bool {
	missing := true
	r.eachOf(c.paths, func([]byte) bool {
		missing = false
		return false
	})
	return missing
}

// meets tells whether the element at v fulfils one of the alternatives.
func (c *condition) meets(at []byte, as Identity) (found bool) {
	switch c.modifier {
	case "text":
		return c.meetsText(at)
	case "identifier":
		id := find(at, "identifier")
		return id != nil && c.meetsToken(id)
	}
	switch c.kind {
	case token:
		return c.meetsToken(at)
	case number, quantity:
		x, ok := amountOf(at)
		return ok && c.any(func(v *value) bool {
			return v.amount.matches(v.prefix, x) && (v.text == "" || x.is(v))
		})
	case date:
		when, ok := interval(at)
		return ok && c.any(func(v *value) bool { return v.matches(when) })
	case reference:
		ref := refText(at, as)
		if ref == "" {
			return false
		}
		x := ParseReference(ref)
		return c.any(func(v *value) bool {
			if v.url != "" {
				return v.url == ref
			}
			return x.Base == "" && v.text == x.ID && (v.typ == "" || v.typ == x.Type)
		})
	case uri:
		s := text(at)
		return c.any(func(v *value) bool { return v.text == s })
	}
	eachString(at, func(s string) bool {
		found = c.meetsString(s)
		return !found
	})
	return found
}

func (c *condition) meetsToken(at []byte) (found bool) {
	eachCoding(at, func(system, code []byte) bool {
		found = c.any(func(v *value) bool {
			return (v.anySystem || says(textOnly(system), v.system)) && (v.anyCode || says(code, v.text))
		})
		return !found
	})
	return found
}

// meetsText compares what a code or a reference says in words.
func (c *condition) meetsText(at []byte) (found bool) {
	for _, path := range []string{"text", "display", "coding.display", "type.text"} {
		descend(at, path, func(s []byte) bool {
			found = found || c.meetsString(text(s))
			return !found
		})
	}
	return found
}

func (c *condition) meetsString(s string) bool {
	if c.modifier != "exact" {
		s = fold(s)
	}
	return c.any(func(v *value) bool {
		switch c.modifier {
		case "exact":
			return s == v.text
		case "contains":
			return strings.Contains(s, v.text)
		}
		return strings.HasPrefix(s, v.text)
	})
}

// eachString calls f with a string, or with any string within a HumanName or Address, until it returns false.
func eachString(at []byte, f func(string) bool) (more bool) {
	more = true
	switch at[0] {
	case '[':
		eachElement(at, func(e []byte) bool {
			more = eachString(e, f)
			return more
		})
		return more
	case '{':
		eachMember(at, func(name, e []byte) bool {
			switch {
			case nameIs(name, "use"), nameIs(name, "type"), nameIs(name, "period"), nameIs(name, "extension"):
				return true
			}
			more = eachString(e, f)
			return more
		})
		return more
	}
	return f(text(at))
}

// refText is the reference as readers see it, "" if there is none or to a contained resource.
func refText(at []byte, as Identity) string {
	ref := text(find(at, "reference"))
	switch {
	case ref == "" || ref[0] == '#':
		return ""
	case as.Ref == nil:
		return ref
	}
	return as.Ref(ref)
}

// lastUpdated is as long as what tells versions apart.
func lastUpdated(as Identity) Interval { return Interval{as.Updated, as.Updated.Add(time.Millisecond)} }

// matches compares a time in a resource with the one searched for, as https://hl7.org/fhir/R4/search.html#prefix has it. An open end
// lies beyond every time.
func (v *value) matches(t Interval) bool {
	eq := !t.From.IsZero() && !t.To.IsZero() && !t.From.Before(v.when.From) && !t.To.After(v.when.To)
	above := t.To.IsZero() || t.To.After(v.when.To)
	below := t.From.IsZero() || t.From.Before(v.when.From)
	switch v.prefix {
	case "eq":
		return eq
	case "ne":
		return !eq
	case "gt":
		return above
	case "lt":
		return below
	case "ge":
		return above || eq
	case "le":
		return below || eq
	case "sa":
		return !t.From.IsZero() && !t.From.Before(v.when.To)
	case "eb":
		return !t.To.IsZero() && !t.To.After(v.when.From)
	}
	// ap: R4 leaves the width to the server; ours is the precision of the search, once on either side
	return (t.To.IsZero() || t.To.After(v.wide.From)) && (t.From.IsZero() || t.From.Before(v.wide.To))
}
