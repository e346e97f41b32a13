package fhir

import "strings"

// Links are the references that a parameter of r looks at, as readers see them: to a type and id, not to contained resources. The parameter
// "*" looks at all.
func Links(r *Resource, as Identity, parameter string) (out []Reference) {
	add := func(ref string) {
		if x := ParseReference(ref); x.ID != "" {
			out = append(out, x)
		}
	}
	if parameter == "*" {
		r.References(func(ref string) {
			if as.Ref != nil {
				ref = as.Ref(ref)
			}
			add(ref)
		})
		return out
	}
	if p, ok := lookup(r.kind, parameter); ok && p.kind == reference {
		r.eachOf(p.paths, func(at []byte) bool {
			add(refText(at, as))
			return true
		})
	}
	return out
}

// subsetted is the tag that R4 asks for on a resource of which elements were left out.
const subsetted = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// Subset is r with resourceType, id and meta, in which a tag says that elements are missing, and of its other members with what keep makes of
// their values; nil leaves a member out. Nobody should write it back.
func (r *Resource) Subset(keep func(name string, value Value) Value) []byte {
	out := append([]byte(`{"resourceType":`), quote(r.kind)...)
	if r.id != "" {
		out = append(append(out, `,"id":`...), quote(r.id)...)
	}
	out = append(out, `,"meta":{`...)
	tags := []byte(nil)
	if r.metaAt.to > 0 {
		eachMember(r.raw[r.metaAt.from:r.metaAt.to], func(name, value []byte) bool {
			if nameIs(name, "tag") && value[0] == '[' {
				eachElement(value, func(e []byte) bool {
					tags = append(append(tags, e...), ',')
					return true
				})
				return true
			}
			out = append(append(append(append(append(out, '"'), name...), `":`...), value...), ',')
			return true
		})
	}
	out = append(append(append(append(out, `"tag":[`...), tags...), subsetted...), `]}`...)
	for _, m := range r.members {
		name := unquote(append(append([]byte{'"'}, r.raw[m.name.from:m.name.to]...), '"'))
		switch strings.TrimPrefix(name, "_") {
		case "resourceType", "id", "meta":
			continue
		}
		if v := keep(name, r.raw[m.value.from:m.value.to]); v != nil {
			out = append(append(append(append(out, ','), quote(name)...), ':'), v...)
		}
	}
	return append(out, '}')
}
