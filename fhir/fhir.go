// Package fhir reads and writes FHIR R4 JSON without changing a byte that isn't its business.
//
// It promises that a resource comes back as it was received: decimals such as 0.0, 1.50 and 1e3, white space, member order and unknown
// elements survive, and Rewrite replaces nothing but the values of id, meta and references. It refuses what two readers could
// understand differently: duplicate names, invalid UTF-8, null outside arrays, nesting deeper than 64, types that R4 doesn't have.
//
//	r, _ := Parse(`{"resourceType":"Observation","id":"7","subject":{"reference":"urn:uuid:1"},"valueDecimal":1.50}`)
//	r.Rewrite("a", nil, …)  =   {"resourceType":"Observation","id":"a","subject":{"reference":"Patient/p"},"valueDecimal":1.50}
//
// See https://hl7.org/fhir/R4 and spec/content.md.
package fhir

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what is read.
const (
	MaxResource = 64 << 20 // bytes of one resource, exactly this many are accepted
	MaxDepth    = 64       // objects and arrays within each other
	MaxElements = 256      // members of the resource itself; R4's longest type has less than a hundred, twice that with primitive extensions
)

// span is the bytes from ≤ i < to of a resource.
type span struct{ from, to uint32 }

// member is one member of the resource's own object: the name without quotes, and the value.
type member struct{ name, value span }

// Resource is one parsed resource. It is immutable and safe for concurrent use.
type Resource struct {
	raw      []byte
	kind, id string
	members  []member
	refs     []span // values of every Reference.reference, quotes included, contained resources too
	typ      span   // values, quotes included; zero when absent
	idAt     span
	metaAt   span
}

// Raw is the resource as it was received, without white space around it. It must not be modified.
func (r *Resource) Raw() []byte { return r.raw }

// Read reads elements as ReadExactly does.
func (r *Resource) Read(v any) error { return ReadExactly(r.raw, v) }

// ReadExactly reads JSON into v, a pointer to an empty struct with json tags. Names have one case and stand once: JSON in which provIsion might be taken
// for provision, as many programs do, is refused, and so is a value of another type.
func ReadExactly(raw []byte, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return err
	}
	loosely := reflect.New(reflect.TypeOf(v).Elem()).Interface()
	if err := json.Unmarshal(raw, loosely, json.MatchCaseInsensitiveNames(true)); err != nil {
		return err
	}
	if !reflect.DeepEqual(v, loosely) {
		return errors.New("a name is written in another case than it has")
	}
	return nil
}

// Type is the resource type, "Observation".
func (r *Resource) Type() string { return r.kind }

// ID is the id that the sender chose, "" if it has none.
func (r *Resource) ID() string { return r.id }

var parsers = sync.Pool{New: func() any {
	p := &parser{}
	p.d = jsontext.NewDecoder(&p.in)
	return p
}}

// Parse reads one resource in one pass. The result refers to raw, which must not be modified afterwards. Errors are of type *Error. A
// resource with an error of kind Invalid in one of its dates is returned with it, so that all that is wrong with it can be told.
func Parse(raw []byte) (*Resource, error) {
	raw = bytes.Trim(raw, " \t\r\n")
	if len(raw) > MaxResource {
		return nil, tooLarge("Resource", len(raw))
	}
	p := parsers.Get().(*parser)
	defer parsers.Put(p)
	r := &Resource{raw: raw}
	p.begin(r, raw)
	err := p.run()
	r.members, r.refs = slices.Clone(p.members), slices.Clone(p.refs)
	p.begin(nil, nil) // the pool must not keep health data reachable
	if err == nil && r.kind == "" {
		err = &Error{Kind: Required, Element: "Resource.resourceType", Text: "is missing"}
	}
	if err != nil {
		return nil, err
	}
	return r, r.checkDates()
}

// parser holds what the pass over the tokens needs to remember.
type parser struct {
	r       *Resource
	in      bytes.Buffer
	d       *jsontext.Decoder
	depth   int
	object  [MaxDepth + 1]bool
	name    bool   // the next string is a member's name
	refNext bool   // the next value is that of a member called reference
	own     member // the resource's own member being read
	members []member
	refs    []span
}

// begin makes p ready to read raw into r, in the room that earlier resources took.
func (p *parser) begin(r *Resource, raw []byte) {
	*p = parser{r: r, in: *bytes.NewBuffer(raw), d: p.d, members: p.members[:0], refs: p.refs[:0]}
	p.d.Reset(&p.in)
}

func (p *parser) run() error {
	for {
		at := int(p.d.InputOffset())
		tok, err := p.d.ReadToken()
		if err == io.EOF {
			if len(p.r.raw) == 0 {
				return &Error{Kind: Structure, Element: "Resource", Text: "is empty"}
			}
			return nil
		}
		if err != nil {
			return p.syntax(err)
		}
		if p.depth == 0 && at > 0 {
			return &Error{Kind: Structure, Element: p.r.root(), Text: "is followed by another value"}
		}
		if err := p.token(tok.Kind(), at, int(p.d.InputOffset())); err != nil {
			return err
		}
	}
}

// token handles the token that ends at to; between the token before it, which ends at from, and its start is only punctuation.
func (p *parser) token(k jsontext.Kind, from, to int) error {
	raw := p.r.raw
	for raw[from] <= ' ' || raw[from] == ',' || raw[from] == ':' {
		from++
	}
	s := span{uint32(from), uint32(to)}
	if k == '"' && p.name {
		p.name = false
		text := raw[from+1 : to-1]
		p.refNext = nameIs(text, "reference")
		if p.depth == 1 {
			if len(p.members) == MaxElements {
				return p.fail(Structure, "more than 256 elements")
			}
			p.own = member{name: span{s.from + 1, s.to - 1}}
		}
		return nil
	}
	isRef := p.refNext && k == '"'
	p.refNext = false
	switch k {
	case '{', '[':
		if p.depth == 0 && k != '{' {
			return p.fail(Structure, "want a JSON object")
		}
		if p.depth == MaxDepth {
			return p.fail(Structure, "nested deeper than 64")
		}
		if p.depth == 1 {
			p.own.value = s
		}
		p.depth++
		p.object[p.depth] = k == '{'
		p.name = k == '{'
		return nil
	case '}', ']':
		p.depth--
	case 'n':
		if p.depth == 0 || p.object[p.depth] {
			return p.fail(Structure, "null is no value")
		}
	default:
		if p.depth == 0 {
			return p.fail(Structure, "want a JSON object")
		}
		if isRef {
			p.refs = append(p.refs, s)
		}
		if p.depth == 1 {
			p.own.value = s
		}
	}
	if p.depth == 1 {
		p.own.value.to = s.to
		p.members = append(p.members, p.own)
		if err := p.identity(k); err != nil {
			return err
		}
	}
	p.name = p.depth > 0 && p.object[p.depth]
	return nil
}

// identity notes resourceType, id and meta.
func (p *parser) identity(k jsontext.Kind) error {
	r, name := p.r, p.own.name
	switch n := r.raw[name.from:name.to]; {
	case nameIs(n, "resourceType"):
		if k != '"' {
			return p.fail(Structure, "want a string")
		}
		r.typ = p.own.value
		r.kind = intern(r.raw[r.typ.from:r.typ.to])
		if r.kind == "" {
			return p.fail(Unsupported, "is no resource type of FHIR R4")
		}
	case nameIs(n, "id"):
		if k != '"' {
			return p.fail(Structure, "want a string")
		}
		r.idAt = p.own.value
		r.id = unquote(r.raw[r.idAt.from:r.idAt.to])
		if !ValidID(r.id) {
			return p.fail(Invalid, "want 1 to 64 letters, digits, - or .")
		}
	case nameIs(n, "meta"):
		if k != '}' {
			return p.fail(Structure, "want an object")
		}
		r.metaAt = p.own.value
	}
	return nil
}

// root is how an element's path begins.
func (r *Resource) root() string {
	if r.kind == "" {
		return "Resource"
	}
	return r.kind
}

// ValidID tells whether s is a FHIR id: 1 to 64 letters, digits, - or .
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

func (p *parser) fail(k Kind, text string) error {
	return &Error{Kind: k, Element: elementPath(p.r.root(), string(p.d.StackPointer())), Text: text}
}

func (p *parser) syntax(err error) error {
	e := syntaxError(err)
	e.Element = elementPath(p.r.root(), e.Element)
	return e
}

// syntaxError turns the decoder's error into ours, whose text quotes no input. Element is still a JSON pointer.
func syntaxError(err error) *Error {
	var s *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		errors.As(err, &s)
		return &Error{Kind: Structure, Element: string(s.JSONPointer), Text: "stands twice"}
	case errors.As(err, &s):
		return &Error{Kind: Structure, Element: string(s.JSONPointer), Text: "is not valid JSON", Offset: s.ByteOffset}
	}
	return &Error{Kind: Structure, Text: "can't be read", Cause: err}
}
