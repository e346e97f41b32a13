package fhir

import (
	"slices"
	"strings"
	"time"
)

// Search is a parsed search over resources of one type: all its conditions must hold.
type Search struct {
	Type       string
	conditions []condition
}

// Identity is what a resource is called by those who may read it. Its bytes say what its sender called it.
type Identity struct {
	ID      string
	Updated time.Time
	Ref     func(string) string // a received reference as readers see it; nil: as received
}

// condition is one parameter with its alternatives, of which one must hold.
type condition struct {
	param
	name     string
	modifier string
	values   []value
}

// value is one alternative, as far as its parameter's kind needs it.
type value struct {
	text       string // of str folded, of token the code, of reference the id
	system     string // of token
	anySystem  bool   // of token: no | was given
	anyCode    bool   // of token: nothing after the |
	typ        string // of reference
	url        string // of reference: absolute
	prefix     string // of date: eq, ne, gt …
	when, wide Interval
	amount     amount      // of number and quantity
	parts      []condition // of composite: both must hold in one element
	words      []string    // of fulltext: each must be there
}

// Limits of a search: of the values of all its parameters together, and of the length of one.
const (
	maxSearchValues = 1000
	maxSearchValue  = 4 << 10
)

// ParseSearch reads the parameters of a search for resources of a type: of each name, and of each repetition, one of the values
// separated by commas must match. Modifiers are :missing; on tokens :not and :text; on strings :exact and :contains; on references a type,
// :identifier and :text. A parameter that the type
// doesn't have is an error of kind Unsupported that names it; results' parameters such as _count are the caller's to take out before.
func ParseSearch(resourceType string, query map[string][]string) (*Search, error) {
	if !KnownType(resourceType) {
		return nil, &Error{Kind: Unsupported, Element: "Resource." + plainName(resourceType), Text: "is no resource type of FHIR R4"}
	}
	s, values := &Search{Type: resourceType}, 0
	for key, repeated := range query {
		name, modifier, _ := strings.Cut(key, ":")
		p, ok := lookup(resourceType, name)
		if !ok {
			return nil, &Error{Kind: Unsupported, Element: plainName(name), Text: "is no search parameter of " + resourceType}
		}
		for _, list := range repeated {
			c := condition{param: p, name: name, modifier: modifier}
			if values += strings.Count(list, ",") + 1; values > maxSearchValues {
				return nil, &Error{Kind: TooCostly, Element: name, Text: "has too many values: a search may have 1000"}
			}
			for _, text := range splitEscaped(list, ',') {
				v, err := c.parse(text)
				if err != nil {
					return nil, err
				}
				c.values = append(c.values, v)
			}
			s.conditions = append(s.conditions, c)
		}
	}
	// The cheap ones first: those that read nothing of the resource, then tokens.
	slices.SortFunc(s.conditions, func(a, b condition) int {
		if d := a.cost() - b.cost(); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	return s, nil
}

func (c *condition) cost() int {
	if c.paths == "" {
		return 0
	}
	return int(c.kind)
}

func (c *condition) fail(text string) error {
	return &Error{Kind: Invalid, Element: c.name, Text: text}
}

// parse reads one alternative.
func (c *condition) parse(text string) (value, error) {
	switch {
	case text == "":
		return value{}, c.fail("is empty")
	case len(text) > maxSearchValue:
		return value{}, c.fail("is too long: a value may have 4096 bytes")
	}
	if c.modifier == "missing" && c.paths != "" && c.kind != composite && c.kind != fulltext {
		if text != "true" && text != "false" {
			return value{}, c.fail("want :missing=true or false")
		}
		return value{text: text}, nil
	}
	allowed := c.modifier == ""
	switch c.kind {
	case token:
		allowed = allowed || c.modifier == "not" || c.modifier == "text"
	case str:
		allowed = allowed || c.modifier == "exact" || c.modifier == "contains"
	case reference:
		allowed = allowed || KnownType(c.modifier) || c.modifier == "identifier" || c.modifier == "text"
	}
	if !allowed {
		return value{}, &Error{Kind: Unsupported, Element: c.name, Text: "takes no such modifier"}
	}
	switch {
	case c.modifier == "text":
		return value{text: fold(unslash(text))}, nil
	case c.modifier == "identifier":
		return c.parseToken(text)
	}
	switch c.kind {
	case token:
		return c.parseToken(text)
	case number, quantity:
		return c.parseAmount(text)
	case composite:
		return c.parseComposite(text)
	case fulltext:
		v := value{words: phrases(unslash(text))}
		if len(v.words) == 0 {
			return v, c.fail("has no word to look for")
		}
		return v, nil
	case date:
		v := value{prefix: "eq"}
		if len(text) > 2 && text[0] >= 'a' {
			v.prefix, text = text[:2], text[2:]
			if !slices.Contains(prefixes, v.prefix) {
				return v, c.fail("want a prefix of eq ne gt lt ge le sa eb ap")
			}
		}
		var err error
		if v.when, err = ParseDate(text, true); err != nil {
			return v, &Error{Kind: Invalid, Element: c.name, Text: "is no time", Cause: errDate}
		}
		length := v.when.To.Sub(v.when.From)
		v.wide = Interval{v.when.From.Add(-length), v.when.To.Add(length)}
		return v, nil
	case reference:
		text = unslash(text)
		if strings.Contains(text, "://") || strings.HasPrefix(text, "urn:") {
			return value{url: text}, nil
		}
		v := value{typ: c.modifier, text: text}
		if t, id, ok := strings.Cut(text, "/"); ok {
			if v.typ != "" && v.typ != t || !KnownType(t) {
				return v, c.fail("want an id, Type/id or an absolute URL")
			}
			v.typ, v.text = t, id
		} else if c.name == "patient" {
			v.typ = "Patient"
		}
		if !ValidID(v.text) {
			return v, c.fail("want an id, Type/id or an absolute URL")
		}
		return v, nil
	case uri:
		return value{text: unslash(text)}, nil
	}
	text = unslash(text)
	if c.modifier != "exact" {
		text = fold(text)
	}
	return value{text: text}, nil
}

func (c *condition) parseToken(text string) (value, error) {
	parts := splitEscaped(text, '|')
	v := value{text: unslash(parts[len(parts)-1]), anySystem: len(parts) == 1}
	if len(parts) > 2 {
		return v, c.fail("want system|code")
	}
	if len(parts) == 2 {
		v.system, v.anyCode = unslash(parts[0]), parts[1] == ""
		if v.system == "" && v.anyCode {
			return v, c.fail("want system|code")
		}
	}
	return v, nil
}

// parseComposite reads code$value.
func (c *condition) parseComposite(text string) (v value, err error) {
	parts := splitEscaped(text, '$')
	if len(parts) != 2 {
		return v, c.fail("want code$value")
	}
	for i, p := range composites[c.paths].parts {
		part := condition{param: p, name: c.name}
		one, err := part.parse(parts[i])
		if err != nil {
			return v, err
		}
		part.values = []value{one}
		v.parts = append(v.parts, part)
	}
	return v, nil
}

var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// splitEscaped splits at sep unless a backslash stands before it, and keeps the backslashes.
func splitEscaped(s string, sep byte) []string {
	var out []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// unslash undoes FHIR's escapes \, \| \$ and \\.
func unslash(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return escapes.Replace(s)
}

var escapes = strings.NewReplacer(`\\`, `\`, `\,`, `,`, `\|`, `|`, `\$`, `$`)
