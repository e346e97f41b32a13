package definition

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"vitalog/fhir"
)

// Validate holds a resource against R4. kind tells the type of what a reference leads to, where the reference itself doesn't say (urn:uuid:…
// in a bundle), or "" if it isn't known; kind may be nil. Findings come in the order of the bytes.
func Validate(r *fhir.Resource, kind func(ref string) string) []Finding {
	w := walks.Get().(*walk)
	defer walks.Put(w)
	*w = walk{raw: r.Raw(), c: r.Cursor(), kind: kind, root: r.Type(), stack: w.stack[:0], steps: w.steps[:0]}
	w.resource(types()[r.Type()], nil)
	found := w.found
	locate(w.raw, found)
	*w = walk{stack: w.stack, steps: w.steps}
	return found
}

// walks are those that have ended, for the room that they took.
var walks = sync.Pool{New: func() any { return &walk{} }}

// walk is one pass over a resource.
type walk struct {
	raw   []byte
	c     fhir.Cursor
	kind  func(string) string
	root  string
	steps []step
	stack []child // what was read of the objects that the walk is in, the innermost last
	in    *scope
	here  *contained // the contained resource that the walk is in; nil if it is in none, or in one without an id
	found []Finding
}

// child is a member that an object has.
type child struct {
	member *member
	beside bool // it is _name
	value  fhir.Value
	at     int
	nulls  bool // it is an array with null in it
}

// scope is a resource that is not contained, for what the references within it may lead to.
type scope struct {
	at        int
	contained map[string]*contained // by id; nil before the first look
}

// contained is a contained resource of a scope.
type contained struct {
	kind string
	used bool
}

// object is an object that was read, with its children, as the rules see it.
type object struct {
	w        *walk
	at       int
	children []child
	parent   *member // that it stands in; nil for the resource itself
}

// finding notes what is wrong where the walk is.
func (w *walk) finding(at int, code, format string, a ...any) *Finding {
	if len(w.found) == MaxFindings {
		return &Finding{}
	}
	f := Finding{Severity: fhir.Failure, Code: code, Element: w.path(), Text: fmt.Sprintf(format, a...), Offset: at}
	if len(w.found) == MaxFindings-1 {
		f.Text = "has more findings than are told; correct these first"
	}
	w.found = append(w.found, f)
	return &w.found[len(w.found)-1]
}

// resource reads a resource in a scope of its own, or in that of the resource that contains it.
func (w *walk) resource(t *typ, holder *member) {
	if holder != nil && holder.element.name == "contained" {
		outer, ahead := w.here, w.c
		w.here = w.in.look(w.raw)[ahead.Skip().Get("id").Text()]
		w.object(t, holder)
		w.here = outer
		return
	}
	outer, at := w.in, w.c.At()
	w.in = &scope{at: at}
	w.object(t, holder)
	w.in = outer
}

// object reads the object that comes next, which is of type t.
func (w *walk) object(t *typ, holder *member) {
	at, base := w.c.At(), len(w.stack)
	var seen [maxElements / 64]uint64
	more := false // than an id
	nulls := false
	for w.c.Enter(); w.c.Next(); {
		from := w.c.At()
		name := w.c.Name()
		m, beside := t.member(name)
		if m == nil {
			if !t.resource || string(name) != "resourceType" {
				w.finding(from, "structure", "has an element that %s doesn't have: %s", t.name, plain(name))
			}
			w.c.Skip()
			more = true
			continue
		}
		bit := uint64(1) << (m.element.index % 64)
		if m.element.choice && seen[m.element.index/64]&bit != 0 && slices.ContainsFunc(w.stack[base:], func(c child) bool { return c.member.element == m.element && c.member != m }) {
			w.finding(from, "structure", "has %s[x] twice, where it may have one", m.element.name)
		}
		seen[m.element.index/64] |= bit
		i := len(w.stack)
		w.stack = append(w.stack, child{member: m, beside: beside, at: from})
		w.steps = append(w.steps, step{name: m.element.name, as: m.as})
		value := w.c.At()
		has := w.value(m, beside)
		w.stack[i].value, w.stack[i].nulls = w.c.From(value), has
		nulls = nulls || has || beside && m.element.list()
		w.steps = w.steps[:len(w.steps)-1]
		more = more || m.element.name != "id" || t.name == "Element" // an id alone may stand beside a value
	}
	o := object{w: w, at: at, children: w.stack[base:], parent: holder}
	if !more && !t.resource {
		w.finding(at, "structure", "is empty: it has no element that says something").Rule = "ele-1"
	}
	if nulls {
		o.align()
	}
	for _, e := range t.required {
		if seen[e.index/64]&(1<<(e.index%64)) == 0 {
			w.steps = append(w.steps, step{name: e.name})
			w.finding(at, "required", "is missing")
			w.steps = w.steps[:len(w.steps)-1]
		}
	}
	for i := range t.rules {
		if r := &t.rules[i]; !r.holds(&o) {
			f := w.finding(at, "invariant", "%s", r.says)
			f.Severity, f.Rule, f.Common = r.severity, r.key, r.common
		}
	}
	if holder != nil {
		o.bound(t)
	}
	clear(w.stack[base:]) // the pool must not keep health data reachable
	w.stack = w.stack[:base]
}

// member is the member of a name, and whether it is what stands beside a primitive (_name).
func (t *typ) member(name []byte) (m *member, beside bool) {
	if m = t.members[string(name)]; m != nil {
		return m, false
	}
	if len(name) > 1 && name[0] == '_' {
		if m = t.members[string(name[1:])]; m != nil && m.primitive != nil && !m.bare {
			return m, true
		}
	}
	return nil, false
}

// value reads the value of a member, and tells whether it is an array with null in it.
func (w *walk) value(m *member, beside bool) (nulls bool) {
	isList := w.c.Kind() == '['
	switch {
	case isList && !m.element.list():
		w.finding(w.c.At(), "structure", "is an array, want one value")
		w.c.Skip()
		return false
	case !isList && m.element.list():
		w.finding(w.c.At(), "structure", "is one value, want an array")
		w.one(m, beside)
		return false
	case !isList:
		w.one(m, beside)
		return false
	}
	at, n := w.c.At(), 0
	w.steps = append(w.steps, step{})
	for w.c.Enter(); w.c.Next(); n++ {
		w.steps[len(w.steps)-1].index = n
		if w.c.Kind() == 'n' {
			if m.primitive == nil || m.bare {
				w.finding(w.c.At(), "structure", "is null, which is no value")
			}
			nulls = true
			w.c.Skip()
			continue
		}
		w.one(m, beside)
	}
	w.steps = w.steps[:len(w.steps)-1]
	switch {
	case n == 0:
		w.finding(at, "structure", "is an empty array; leave it out")
	case n < m.element.min && !beside:
		w.finding(at, "required", "has %d values, want at least %d", n, m.element.min)
	case m.element.max > 0 && n > m.element.max:
		w.finding(at, "structure", "has %d values, want at most %d", n, m.element.max)
	}
	return nulls
}

// one reads one value of a member.
func (w *walk) one(m *member, beside bool) {
	at := w.c.At()
	switch {
	case m.primitive != nil && !beside:
		w.primitive(m)
	case w.c.Kind() != '{':
		w.finding(at, "structure", "is no object, want one")
		w.c.Skip()
	case beside:
		w.object(types()["Element"], nil)
	case m.typ.name == "Resource":
		w.inner(m)
	default:
		w.object(m.typ, m)
	}
}

// inner reads a resource within a resource.
func (w *walk) inner(m *member) {
	at, ahead := w.c.At(), w.c
	name := ahead.Skip().Get("resourceType").Text()
	t := types()[name]
	if t == nil || !t.resource {
		w.finding(at, "structure", "is no resource of R4: resourceType is missing, or names none")
		w.c = ahead
		return
	}
	w.resource(t, m)
}

// primitive reads the value of a primitive.
func (w *walk) primitive(m *member) {
	at, p := w.c.At(), m.primitive
	v := w.c.Skip()
	kind := v[0]
	switch kind {
	case 'f':
		kind = 't'
	case '-', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		kind = '0'
	}
	if kind != p.json {
		w.finding(at, "structure", "is not of the JSON type of a %s: %s", p.name, p.want)
		return
	}
	if kind == 't' {
		return
	}
	if kind == '"' {
		v = inside(v)
	}
	switch {
	case len(v) == 0:
		w.finding(at, "structure", "is an empty string; leave it out")
	case !p.ok(v):
		w.finding(at, "value", "is no %s: %s", p.name, p.want)
	case m.codes != nil && !m.codes.has("", string(v)):
		w.finding(at, "code-invalid", "is no code of %s", m.codes)
	case v[0] == '#' && (p.name == "uri" || p.name == "url" || p.name == "canonical"):
		w.local(string(v[1:]))
	}
}

// inside is the text of a string, without a copy if nothing in it is escaped.
func inside(v fhir.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	return []byte(v.Text())
}

// align holds arrays of primitives against what stands beside them: null says that the other array has something at that place.
func (o *object) align() {
	for _, c := range o.children {
		if !c.member.element.list() || c.value[0] != '[' || c.member.primitive == nil {
			continue
		}
		other := o.beside(c)
		if c.nulls && other == nil {
			o.w.finding(c.at, "structure", "has null in %s, and nothing that stands beside it", c.member.element.name)
		}
		if c.beside || other == nil {
			continue
		}
		values, beside := nullsOf(c.value), nullsOf(other)
		for i := range max(len(values), len(beside)) {
			if (i >= len(values) || values[i]) && (i >= len(beside) || beside[i]) {
				o.w.finding(c.at, "structure", "has nothing at place %d of %s: neither a value nor something beside it", i, c.member.element.name)
				break
			}
		}
	}
}

// beside is the array that stands beside the one of c, nil if there is none.
func (o *object) beside(c child) fhir.Value {
	for _, other := range o.children {
		if other.member == c.member && other.beside != c.beside && other.value[0] == '[' {
			return other.value
		}
	}
	return nil
}

func nullsOf(list fhir.Value) (out []bool) {
	list.Each(func(v fhir.Value) bool {
		out = append(out, v[0] == 'n')
		return true
	})
	return out
}

// String is the value set as errors name it: with its codes, if they are few.
func (s *valueSet) String() string {
	if len(s.codes) > 12 {
		return s.url
	}
	codes := make([]string, 0, len(s.codes))
	for c := range s.codes {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	out := s.url + " (" + codes[0]
	for _, c := range codes[1:] {
		out += ", " + c
	}
	return out + ")"
}

// bound checks what the member that an object stands in asks of it: a code of a value set, or a type that a reference leads to.
func (o *object) bound(t *typ) {
	m := o.parent
	switch {
	case m.codes != nil && t.name == "CodeableConcept":
		if o.first("coding") == nil && o.first("text") == nil { // an extension says why there is none
			return
		}
		known := false
		o.first("coding").Each(func(c fhir.Value) bool {
			system := c.Get("system").Text()
			known = system != "" && m.codes.has(system, c.Get("code").Text())
			return !known
		})
		if !known {
			o.w.finding(o.at, "code-invalid", "has no coding of %s", m.codes)
		}
	case m.codes != nil && t.name == "Coding":
		if system := o.text("system"); system == "" || !m.codes.has(system, o.text("code")) {
			o.w.finding(o.at, "code-invalid", "is no coding of %s", m.codes)
		}
	case t.name == "Reference":
		o.leads(m)
	}
}

// leads checks where a reference leads.
func (o *object) leads(m *member) {
	ref := o.text("reference")
	if ref == "" {
		return
	}
	p := fhir.ParseReference(ref)
	kind := p.Type
	switch {
	case ref == "#": // the resource that contains this one
		if o.w.here != nil {
			o.w.here.used = true
		}
		return
	case ref[0] == '#':
		c := o.w.local(p.Contained)
		if c == nil {
			o.w.finding(o.at, "invariant", "refers to a contained resource that isn't there").Rule = "ref-1"
			return
		}
		kind = c.kind
	case kind == "" && o.w.kind != nil:
		kind = o.w.kind(ref)
	}
	if kind == "" {
		if kind = o.text("type"); !fhir.KnownType(kind) {
			return
		}
	}
	if m.targets != nil && !slices.Contains(m.targets, kind) {
		o.w.finding(o.at, "value", "refers to a %s, want %s", kind, oneOf(m.targets)).Common = true
	}
}

func oneOf(names []string) string {
	out := names[0]
	for i, n := range names[1:] {
		if i == len(names)-2 {
			return out + " or " + n
		}
		out += ", " + n
	}
	return out
}

// local is the contained resource of an id, which is used now; nil if there is none.
func (w *walk) local(id string) *contained {
	c := w.in.look(w.raw)[id]
	if c != nil {
		c.used = true
	}
	return c
}

// look finds the contained resources of a scope.
func (s *scope) look(raw []byte) map[string]*contained {
	if s.contained != nil {
		return s.contained
	}
	s.contained = map[string]*contained{}
	fhir.Value(raw[s.at:]).Get("contained").Each(func(v fhir.Value) bool {
		if id := v.Get("id").Text(); id != "" {
			s.contained[id] = &contained{kind: v.Get("resourceType").Text()}
		}
		return true
	})
	return s.contained
}

// plain is a name as errors repeat it: names are the sender's and might be anything.
func plain(name []byte) string {
	for _, c := range name {
		if !isLetter(c) && !isDigit(c) && c != '_' && c != '-' {
			return "one of a name that is none"
		}
	}
	if len(name) == 0 || len(name) > 64 {
		return "one of " + strconv.Itoa(len(name)) + " characters"
	}
	return string(name)
}
