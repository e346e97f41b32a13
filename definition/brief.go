package definition

import "vitalog/fhir"

// Element is the element of a type that a member of its JSON belongs to, value[x] of valueQuantity as value. must tells whether it may not
// be left out: R4 demands it, or it may turn what the others mean. Of a member that R4 doesn't have the name is its own.
func Element(kind, member string) (name string, must bool) {
	t := types()[kind]
	if t == nil {
		return member, false
	}
	m, _ := t.member([]byte(member))
	if m == nil {
		return member, false
	}
	return m.element.name, m.element.must()
}

func (e *element) must() bool { return e.min > 0 || e.name == "modifierExtension" }

// Brief is what stands in a summary (_summary=true) for a value that a resource of a type has: of it, and of all that is in it, what R4 marks
// with Σ or Element says must be there. It is nil if the summary has no such member.
func Brief(kind, member string, value fhir.Value) fhir.Value {
	if t := types()[kind]; t != nil {
		return t.brief([]byte(member), value)
	}
	return nil
}

func (t *typ) brief(name []byte, v fhir.Value) fhir.Value {
	m, beside := t.member(name)
	switch {
	case m == nil || !m.element.summary && !m.element.must():
		return nil
	case beside || m.primitive != nil || m.typ.name == "Extension": // an extension without its value says nothing
		return v
	}
	return m.typ.shorten(make([]byte, 0, len(v)), v)
}

// shorten appends what a summary has of a value, or of each value of an array.
func (t *typ) shorten(out []byte, v fhir.Value) []byte {
	c := v.Cursor()
	switch c.Kind() {
	case '[':
		out = append(out, '[')
		for c.Enter(); c.Next(); {
			if out[len(out)-1] != '[' {
				out = append(out, ',')
			}
			out = t.shorten(out, c.Skip())
		}
		return append(out, ']')
	case '{':
	default:
		return append(out, v...)
	}
	if t.name == "Resource" {
		if t = types()[v.Get("resourceType").Text()]; t == nil {
			return append(out, v...)
		}
	}
	from := len(out)
	out = append(out, '{')
	for c.Enter(); c.Next(); {
		at := c.At()
		name := c.Name()
		quoted := v[at:c.At()] // with the colon
		value := c.Skip()
		if !t.resource || string(name) != "resourceType" {
			value = t.brief(name, value)
		}
		if value == nil {
			continue
		}
		if len(out) > from+1 {
			out = append(out, ',')
		}
		out = append(append(out, quoted...), value...)
	}
	if len(out) == from+1 {
		return append(out[:from], v...) // nothing but what a summary leaves out, and no element is empty
	}
	return append(out, '}')
}
