package hl7

import (
	"vitalog/fhir"
)

// results reads ORU^R01: a DiagnosticReport for each OBR, with the Observations and Specimens that follow it.
func (c *Change) results() *Error {
	if why := c.readVisit("", false); why != nil {
		return why
	}
	groups := c.groups("OBR")
	if len(groups) == 0 {
		return &Error{Code: Fail, Number: SequenceError, At: "OBR", Text: "a result needs an OBR"}
	}
	for _, g := range groups {
		if why := c.report(g); why != nil {
			return why
		}
	}
	return nil
}

// group is a segment with those that follow it, and the ORC that came before it.
type group struct {
	order *segment
	head  *segment
	rest  []*segment
}

// groups divides the message at each segment of a name.
func (c *Change) groups(name string) (out []group) {
	order := &segment{name: "ORC", marks: &c.message.marks}
	for _, s := range c.message.segments {
		switch {
		case s.name == name:
			out = append(out, group{order: order, head: s})
			order = &segment{name: "ORC", marks: &c.message.marks}
		case s.name == "ORC":
			order = s
		case len(out) > 0:
			out[len(out)-1].rest = append(out[len(out)-1].rest, s)
		}
	}
	for i := range out { // an ORC may follow its OBR's group: it begins the next
		out[i].rest = upTo(out[i].rest, "ORC")
	}
	return out
}

func upTo(all []*segment, name string) []*segment {
	for i, s := range all {
		if s.name == name {
			return all[:i]
		}
	}
	return all
}

// before is the segments up to the first of one of the names.
func before(all []*segment, names ...string) []*segment {
	for _, n := range names {
		all = upTo(all, n)
	}
	return all
}

func (c *Change) report(g group) *Error {
	obr := g.head
	code := c.cwe(obr.field(4).first(), "")
	if len(code) == 0 {
		return &Error{Code: Fail, Number: RequiredFieldMissing, At: "OBR-4", Text: "a result needs to say what was examined"}
	}
	c.label(g.order)
	if kind := obr.field(24).first().part(1).text(); kind == "GE" || kind == "CG" { // as its report, a result of genetics goes there
		c.security = append(c.security, object{"system": actCode, "code": "GDIS"})
	}
	status := map[string]string{"O": "registered", "I": "registered", "S": "registered", "A": "partial", "P": "preliminary", "R": "preliminary", "M": "partial",
		"C": "corrected", "F": "final", "X": "cancelled"}[obr.field(25).first().text()]
	if status == "" {
		status = "unknown"
	}
	o := c.about(object{"status": status, "code": code}, "subject", "encounter")
	r := &Resource{Type: "DiagnosticReport", body: o}
	var order any
	for _, of := range []struct {
		kind  string
		field int
	}{{"FILL", 3}, {"PLAC", 2}} {
		v := obr.field(of.field).first()
		if v.raw == "" {
			v = g.order.field(of.field).first()
		}
		id, _ := c.ei(v, of.kind).(object)
		if id == nil {
			continue
		}
		o.add("identifier", id)
		if r.Key.Value == "" {
			r.Key, r.Code = keyOf(id), first(code)
		}
		if of.kind == "PLAC" {
			order = object{"type": "ServiceRequest", "identifier": id}
		}
	}
	o.add("basedOn", order)
	if kind := c.cwe(obr.field(24).first(), "0074"); len(kind) > 0 {
		o.add("category", kind)
	}
	if from, to := obr.field(7).first(), obr.field(8).first(); c.moment(to) != "" {
		o.set("effectivePeriod", c.period(from, to))
	} else {
		o.set("effectiveDateTime", c.moment(from))
	}
	o.set("issued", c.instant(obr.field(22).first()))
	for _, v := range obr.field(32).all() {
		o.add("resultsInterpreter", c.interpreter(v))
	}
	for _, n := range c.notes(before(g.rest, "OBX", "SPM")) {
		o.add("extension", extension("http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note", "valueAnnotation", n))
	}
	c.bring(r)
	specimens := c.specimens(g)
	o.set("specimen", specimens)
	o.set("result", c.observations(upTo(g.rest, "SPM"), observed{report: r, key: r.Key, when: c.moment(obr.field(7).first()), category: category(obr.field(24).first()), specimens: specimens}))
	return nil
}

func keyOf(id object) fhir.Identifier {
	system, _ := id["system"].(string)
	value, _ := id["value"].(string)
	return fhir.Identifier{System: system, Value: value}
}

// first is the first coding of a CodeableConcept.
func first(concept object) fhir.Coding {
	codings, _ := concept["coding"].([]any)
	for _, c := range codings {
		o := c.(object)
		system, _ := o["system"].(string)
		code, _ := o["code"].(string)
		return fhir.Coding{System: system, Code: code}
	}
	return fhir.Coding{}
}

// label takes the confidentiality code of an order (table 0177) for the resources that follow.
func (c *Change) label(order *segment) {
	c.security = nil
	for _, v := range order.field(28).all() {
		switch code := v.part(1).text(); code {
		case "R", "V":
			c.security = append(c.security, object{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code})
		case "AID", "HIV":
			c.security = append(c.security, object{"system": actCode, "code": "HIV"})
		case "PSY", "ETH":
			c.security = append(c.security, object{"system": actCode, "code": code})
		}
	}
}

// interpreter is the person of an NDL.
func (c *Change) interpreter(v value) any {
	n := v.part(1)
	o := object{}
	if id := n.part(1).text(); id != "" {
		i := object{"value": id}
		i.set("system", c.system(n.part(9).text(), n.part(10).text(), n.part(11).text()))
		o["identifier"] = i
	}
	o.set("display", words(n.part(6).text(), n.part(3).text(), n.part(4).text(), n.part(2).text(), n.part(5).text(), n.part(7).text()))
	if len(o) > 0 {
		o["type"] = "Practitioner"
	}
	return o
}

// category is that of observations, by the diagnostic service of OBR-24.
func category(v value) string {
	switch v.part(1).text() {
	case "LAB", "CH", "HM", "MB", "MCB", "MYC", "SR", "BLB", "IMM", "PAR", "TX", "VR", "BG", "CP", "SP", "PAT", "CG", "GE":
		return "laboratory"
	case "RAD", "RX", "CT", "NMR", "NMS", "IMG", "RUS", "OUS", "VUS", "CUS", "XRC":
		return "imaging"
	}
	return ""
}

// specimens makes a Specimen of each SPM, or of OBR-15 before v2.5.
func (c *Change) specimens(g group) (out []any) {
	for _, s := range g.rest {
		if s.name != "SPM" {
			continue
		}
		o := object{"subject": &reference{c.patient}}
		r := &Resource{Type: "Specimen", join: true, body: o}
		for i, kind := range []string{"PLAC", "FILL"} {
			pair := s.field(2).first().part(i + 1)
			id := object{}
			if id.set("value", pair.part(1).text()); len(id) == 0 {
				continue
			}
			system := c.system(pair.part(2).text(), pair.part(3).text(), pair.part(4).text())
			if system == "" {
				system = c.sender()
			}
			id.set("system", system)
			id.set("type", typed(kind))
			o.add("identifier", id)
			if g.head.name == "OBR" { // a specimen's number is read together with its order's
				r.Key = keyOf(id)
			}
		}
		o.set("type", c.cwe(s.field(4).first(), "0487"))
		taken := object{}
		span := s.field(17).first()
		if from, to := span.part(1), span.part(2); c.moment(to) != "" {
			taken.set("collectedPeriod", c.period(from, to))
		} else {
			taken.set("collectedDateTime", c.moment(from))
		}
		taken.set("method", c.cwe(s.field(7).first(), "0488"))
		taken.set("bodySite", c.cwe(s.field(8).first(), ""))
		o.set("collection", taken)
		o.set("receivedTime", c.moment(s.field(18).first()))
		for _, v := range s.field(24).all() {
			o.add("condition", c.cwe(v, "0493"))
		}
		out = append(out, c.bring(r))
	}
	if old := g.head.field(15).first(); len(out) == 0 && old.raw != "" && g.head.name == "OBR" {
		kind := value{raw: old.part(1).raw, marks: old.marks, level: 2}
		o := object{"subject": &reference{c.patient}}
		concept := object{}
		if code := kind.part(1).text(); code != "" {
			coding := object{"code": code}
			coding.set("display", kind.part(2).text())
			coding.set("system", c.codeSystem(kind.part(3).text(), "0070"))
			concept.add("coding", coding)
			concept.set("text", kind.part(2).text())
			o.set("type", concept)
			o.set("receivedTime", c.moment(g.head.field(14).first()))
			r := &Resource{Type: "Specimen", body: o}
			_, r.Key = c.made("OBR-15", g.head.field(3).first().text(), code)
			o.add("identifier", object{"system": r.Key.System, "value": r.Key.Value})
			out = append(out, c.bring(r))
		}
	}
	return out
}
