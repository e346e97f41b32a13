package ips

import (
	"html"
	"strings"

	"vitalog/fhir"
)

// maxCell is how many characters of one text a narrative has.
const maxCell = 300

// narrative is a table of what the entries say.
func (d *document) narrative(title string, all []*entry) string {
	var b strings.Builder
	b.WriteString(`<div xmlns="http://www.w3.org/1999/xhtml">`)
	if len(all) == 0 {
		b.WriteString("<p>" + clean(title) + ": no information is available.</p></div>")
		return b.String()
	}
	b.WriteString("<table><thead><tr><th>What</th><th>Details</th><th>When</th></tr></thead><tbody>")
	for _, e := range all {
		v := fhir.Value(e.resource)
		b.WriteString("<tr><td>" + clean(d.what(v)) + "</td><td>" + clean(details(v)) + "</td><td>" + clean(e.day) + "</td></tr>")
	}
	b.WriteString("</tbody></table></div>")
	return b.String()
}

// clean is text as XHTML has it.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if cut := []rune(s); len(cut) > maxCell {
		s = string(cut[:maxCell]) + "…"
	}
	return html.EscapeString(s)
}

// what is what a resource is about.
func (d *document) what(v fhir.Value) string {
	for _, name := range []string{"code", "vaccineCode", "medicationCodeableConcept", "title", "medicationReference", "device", "description", "category", "recommendation"} {
		at := v.Get(name)
		if s := words(at); s != "" {
			return s
		}
		if s := words(d.at(v, at.Get("reference").Text()).Get("code")); s != "" {
			return s
		}
	}
	return v.Get("resourceType").Text()
}

// at is what a reference of a resource leads to within the document or the resource, nil if nothing.
func (d *document) at(from fhir.Value, ref string) (to fhir.Value) {
	x := fhir.ParseReference(ref)
	if e := d.have[d.Base+"/"+x.Type+"/"+x.ID]; e != nil {
		return e.resource
	}
	from.Get("contained").Each(func(c fhir.Value) bool {
		if x.Contained != "" && c.Get("id").Text() == x.Contained {
			to = c
		}
		return true
	})
	return to
}

// words are how a CodeableConcept, a Coding, a Reference or a string reads, the first of several.
func words(v fhir.Value) (s string) {
	v.Each(func(v fhir.Value) bool {
		for _, w := range []func() string{v.Text, v.Get("text").Text, func() string { return words(v.Get("coding")) }, v.Get("display").Text, v.Get("code").Text,
			func() string { return words(v.Get("vaccineCode")) }} {
			if s = w(); s != "" {
				return false
			}
		}
		return true
	})
	return s
}

// details are values, reactions, doses and what else tells how it is.
func details(v fhir.Value) string {
	var out []string
	add := func(s string) {
		if s != "" {
			out = append(out, s)
		}
	}
	add(value(v))
	v.Get("component").Each(func(c fhir.Value) bool {
		if s := value(c); s != "" {
			add(words(c.Get("code")) + " " + s)
		}
		return true
	})
	v.Get("reaction").Each(func(r fhir.Value) bool {
		add(words(r.Get("manifestation")))
		return true
	})
	for _, name := range []string{"dosageInstruction", "dosage"} {
		v.Get(name).Each(func(d fhir.Value) bool {
			add(d.Get("text").Text())
			return true
		})
	}
	add(v.Get("conclusion").Text())
	for _, name := range []string{"criticality", "severity", "clinicalStatus"} {
		add(words(v.Get(name)))
	}
	return strings.Join(out, "; ")
}

// value is what was observed.
func value(v fhir.Value) string {
	if q := v.Get("valueQuantity"); q != nil {
		unit := q.Get("unit").Text()
		if unit == "" {
			unit = q.Get("code").Text()
		}
		return strings.TrimSpace(q.Get("comparator").Text() + string(q.Get("value")) + " " + unit)
	}
	for _, name := range []string{"valueCodeableConcept", "valueString", "valueDateTime", "dataAbsentReason"} {
		if s := words(v.Get(name)); s != "" {
			return s
		}
	}
	for _, name := range []string{"valueInteger", "valueBoolean"} {
		if s := v.Get(name); s != nil {
			return string(s)
		}
	}
	return ""
}
