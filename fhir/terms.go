package fhir

import (
	"strings"
	"unicode/utf8"
)

// Keys are what an index of resources of many patients needs of one: terms, which it can make unreadable, and times. See spec/index.md.
type Keys struct {
	Terms []string // without duplicates
	Dates []Dated
}

// Dated is a time that a parameter finds.
type Dated struct {
	Param string
	Interval
}

// maxLetters is how much of a string there is a term for.
const maxLetters = 16

const termEnd = "\x1f" // between the parts of a term

// KeysOf are those of r, known as as.
func KeysOf(r *Resource, as Identity) Keys {
	k := Keys{Terms: []string{r.kind}}
	have := map[string]bool{}
	for _, name := range SearchParams(r.kind) {
		p, _ := lookup(r.kind, name)
		start := r.kind + termEnd + name + termEnd
		add := func(rest string) {
			if t := start + rest; !have[t] {
				have[t] = true
				k.Terms = append(k.Terms, t)
			}
		}
		switch {
		case name == "_id":
			add(as.ID)
		case name == "_lastUpdated":
			k.Dates = append(k.Dates, Dated{name, lastUpdated(as)})
		default:
			r.eachOf(p.paths, func(at []byte) bool {
				if p.kind != date {
					eachTerm(p.kind, at, as, add)
				} else if when, ok := interval(at); ok {
					k.Dates = append(k.Dates, Dated{name, when})
				}
				return true
			})
		}
	}
	return k
}

func eachTerm(kind paramKind, at []byte, as Identity, add func(string)) {
	switch kind {
	case token:
		for _, x := range appendCodings(nil, at) {
			add(x.Code)
			add(x.System + termEnd)
			add(x.System + termEnd + x.Code)
		}
	case reference:
		ref := refText(at, as)
		if ref == "" {
			return
		}
		add(ref)
		if x := ParseReference(ref); x.Base == "" {
			add(x.ID)
			add(x.Type + "/" + x.ID)
		}
	case uri:
		add(text(at))
	case str:
		eachString(at, func(s string) bool {
			s = fold(s)
			for n := range prefixLengths(s) {
				add(s[:n])
			}
			return true
		})
	}
}

// prefixLengths calls yield with the bytes of the first letter of s, of its first two, and so on.
func prefixLengths(s string) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for n, letters := 0, 0; n < len(s) && letters < maxLetters; letters++ {
			_, size := utf8.DecodeRuneInString(s[n:])
			if n += size; !yield(n) {
				return
			}
		}
	}
}

// Asked is one condition of a search as an index of Keys can decide it: one of the terms is there, or, where Date is set, a time of that
// parameter meets Meets.
type Asked struct {
	Terms []string
	Date  string
	Meets func(Interval) bool
}

// Keys are conditions that everything meets that s matches; all must hold. Conditions that Keys can't express are
// left out, and of :exact it has what is without case and accents, so that what has the keys may still not match.
func (s *Search) Keys() (out []Asked) {
	for i := range s.conditions {
		c := &s.conditions[i]
		name := c.name
		if !c.narrows() {
			continue
		}
		if c.kind == date {
			out = append(out, Asked{Date: name, Meets: func(at Interval) bool {
				return c.any(func(v *value) bool { return v.matches(at) })
			}})
			continue
		}
		a := Asked{}
		for j := range c.values {
			a.Terms = append(a.Terms, s.Type+termEnd+name+termEnd+c.term(&c.values[j]))
		}
		out = append(out, a)
	}
	return out
}

// narrows tells whether there is a term, or a time, of everything that meets a condition.
func (c *condition) narrows() bool {
	switch {
	case c.kind > uri:
		return false
	case c.kind == str && (c.modifier == "" || c.modifier == "exact"):
		return !c.any(func(v *value) bool { return fold(v.text) == "" })
	}
	return c.modifier == "" || c.kind == reference && KnownType(c.modifier)
}

// Narrowing are the parameters of a type, sorted, that Keys can express.
func Narrowing(resourceType string) (names []string) {
	for _, name := range SearchParams(resourceType) {
		if p, _ := lookup(resourceType, name); p.kind <= uri {
			names = append(names, name)
		}
	}
	return names
}

// term is what every resource has that meets an alternative.
func (c *condition) term(v *value) string {
	switch {
	case c.kind == token && (v.anySystem || c.name == "_id"):
		return v.text
	case c.kind == token && v.anyCode:
		return v.system + termEnd
	case c.kind == token:
		return v.system + termEnd + v.text
	case c.kind == reference && v.url != "":
		return v.url
	case c.kind == reference && v.typ != "":
		return v.typ + "/" + v.text
	case c.kind == str:
		word, n := fold(v.text), 0 // :exact has it as it was written
		for n = range prefixLengths(word) {
			continue
		}
		return strings.Clone(word[:n])
	}
	return v.text
}
