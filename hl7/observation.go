package hl7

import (
	"fmt"
	"regexp"
	"strings"

	"vitalog/fhir"
)

// observed is what observations have of what they stand in.
type observed struct {
	report    *Resource
	key       fhir.Identifier
	when      string
	category  string
	specimens []any
	part      *reference // of an immunization
}

// observations makes an Observation of each OBX; documents that come in one are the report's.
func (c *Change) observations(all []*segment, in observed) (out []any) {
	seen := map[string]int{}
	for i, s := range all {
		if s.name != "OBX" {
			continue
		}
		kind := s.field(2).first().text()
		if kind == "ED" || kind == "RP" {
			if in.report != nil {
				in.report.body.add("presentedForm", c.attachment(s))
			}
			continue
		}
		concept := c.cwe(s.field(3).first(), "")
		if len(concept) == 0 {
			continue
		}
		o := c.about(object{"code": concept, "status": observationStatus(s)}, "subject", "encounter")
		r := &Resource{Type: "Observation", body: o}
		if id, _ := c.ei(s.field(21).first(), "").(object); id != nil {
			o.add("identifier", id)
			r.Key = keyOf(id)
		} else if in.key.Value != "" {
			name := in.key.Value + "/" + s.field(3).first().part(1).text()
			if sub := s.field(4).first().text(); sub != "" {
				name += "/" + sub
			}
			if seen[name]++; seen[name] > 1 {
				name += fmt.Sprintf("#%d", seen[name])
			}
			id, key := c.made("OBX:"+in.key.System, name)
			o.add("identifier", id)
			r.Key = key
		}
		if in.category != "" {
			o.add("category", object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": in.category}}})
		}
		c.valueOf(o, s, kind)
		when := c.moment(s.field(14).first())
		if when == "" {
			when = in.when
		}
		o.set("effectiveDateTime", when)
		for _, v := range s.field(16).all() {
			o.add("performer", c.xcn(v))
		}
		if lab := c.xon(s.field(23).first()); !empty(lab) {
			o.add("performer", lab)
		} else if v := s.field(15).first(); v.part(1).text() != "" || v.part(2).text() != "" {
			maker := object{"type": "Organization"}
			if v.part(1).text() != "" {
				id := object{"value": v.part(1).text()}
				id.set("system", c.codeSystem(v.part(3).text(), ""))
				maker["identifier"] = id
			}
			maker.set("display", v.part(2).text())
			o.add("performer", maker)
		}
		for _, v := range s.field(8).all() {
			o.add("interpretation", c.interpretation(v))
		}
		o.set("method", c.cwe(s.field(17).first(), ""))
		o.set("bodySite", c.cwe(s.field(20).first(), ""))
		if v := s.field(18).first(); v.part(1).text() != "" {
			o.set("device", object{"type": "Device", "identifier": c.ei(v, "")})
		}
		o.set("note", c.notes(before(all[i+1:], "OBX", "SPM", "OBR")))
		if len(in.specimens) == 1 {
			o.set("specimen", in.specimens[0])
		}
		if in.part != nil {
			o.add("partOf", in.part)
		}
		out = append(out, c.bring(r))
	}
	return out
}

func observationStatus(s *segment) string {
	status := map[string]string{"C": "corrected", "D": "entered-in-error", "W": "entered-in-error", "F": "final", "U": "final", "V": "final", "I": "registered", "O": "registered",
		"P": "preliminary", "R": "preliminary", "S": "preliminary", "A": "amended", "B": "amended", "X": "cancelled", "N": "cancelled"}[s.field(11).first().text()]
	if status == "" {
		return "unknown"
	}
	return status
}

// interpreted are the codes of table 0078 that v3-ObservationInterpretation has.
const interpreted = " A AA B CAR D DET E EX EXP H HH HM HU HX I IE IND L LL LU LX MS N ND NEG NR NS OBX POS QCF R RR S SDD SYN-R SYN-S TOX U UNE VS W WR < > "

func (c *Change) interpretation(v value) object {
	o := c.cwe(v, "0078")
	if codings, _ := o["coding"].([]any); len(codings) > 0 {
		if coding := codings[0].(object); strings.Contains(interpreted, " "+coding["code"].(string)+" ") {
			coding["system"] = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
		}
	}
	return o
}

// valueOf sets the value of an OBX, or why there is none, and the reference range.
func (c *Change) valueOf(o object, s *segment, kind string) {
	values := s.field(5).all()
	unit := s.field(6).first()
	var lines []string
	for _, v := range values {
		lines = append(lines, v.whole())
	}
	text := strings.Join(lines, "\n")
	done := false
	use := func(name string, v any) {
		if !empty(v) {
			o[name], done = v, true
		}
	}
	if len(values) == 1 {
		v := values[0]
		switch kind {
		case "NM":
			use("valueQuantity", c.quantity(decimal(v.text()), unit))
		case "SN":
			c.structured(use, v, unit)
		case "NR":
			use("valueRange", c.span(decimal(v.part(1).text()), decimal(v.part(2).text()), unit))
		case "CE", "CWE", "CNE", "CF", "IS", "ID":
			use("valueCodeableConcept", c.cwe(v, ""))
		case "TS", "DTM", "DT":
			use("valueDateTime", c.moment(v))
		case "DR":
			use("valuePeriod", c.period(v.part(1), v.part(2)))
		}
	}
	switch status := o["status"].(string); {
	case done:
	case text != "":
		o["valueString"] = text
	case status == "registered" || status == "preliminary":
		o["dataAbsentReason"] = object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "temp-unknown"}}}
	default:
		o["dataAbsentReason"] = object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}}}
	}
	if normal := s.field(7).first().whole(); normal != "" {
		r := object{"text": normal}
		if m := between.FindStringSubmatch(normal); m != nil {
			r.set("low", c.quantity(decimal(m[1]), unit))
			r.set("high", c.quantity(decimal(m[2]), unit))
		}
		o.add("referenceRange", r)
	}
}

var between = regexp.MustCompile(`^([0-9]*\.?[0-9]+) *(?:-|to) *([0-9]*\.?[0-9]+)$`)

// structured is an SN: a comparison, a span, a ratio, or else nothing.
func (c *Change) structured(use func(string, any), v, unit value) {
	sign, low, mark, high := v.part(1).text(), decimal(v.part(2).text()), v.part(3).text(), decimal(v.part(4).text())
	switch {
	case low == "":
	case mark == "-" && high != "" && sign == "":
		use("valueRange", c.span(low, high, unit))
	case (mark == ":" || mark == "/") && high != "" && sign == "":
		use("valueRatio", object{"numerator": object{"value": low}, "denominator": object{"value": high}})
	case mark == "" && high == "" && (sign == "" || sign == "=" || sign == "<" || sign == ">" || sign == "<=" || sign == ">="):
		q := c.quantity(low, unit).(object)
		if sign != "=" {
			q.set("comparator", sign)
		}
		use("valueQuantity", q)
	}
}

func (c *Change) span(low, high any, unit value) any {
	o := object{}
	for name, n := range map[string]any{"low": low, "high": high} {
		if d, ok := n.(interface{ String() string }); ok {
			o.set(name, c.quantity(decimal(d.String()), unit))
		}
	}
	return o
}

// attachment is the document of an ED or RP.
func (c *Change) attachment(s *segment) any {
	v := s.field(5).first()
	o := object{}
	if s.field(2).first().text() == "RP" {
		if at := v.part(1).text(); strings.HasPrefix(at, "https://") || strings.HasPrefix(at, "http://") {
			o.set("url", at)
		}
	} else if d := c.document(v); d != nil {
		o.set("contentType", d.kind)
		o.set("data", d.base64())
	}
	if len(o) > 0 {
		o.set("title", s.field(3).first().part(2).text())
	}
	return o
}
