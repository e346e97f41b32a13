package hl7

import (
	"strings"
)

// vaccinations reads VXU^V04: an Immunization for each RXA, with what its OBX say of it.
func (c *Change) vaccinations() *Error {
	if why := c.readVisit("", false); why != nil {
		return why
	}
	for _, g := range c.groups("RXA") {
		if why := c.vaccination(g); why != nil {
			return why
		}
	}
	return nil
}

func (c *Change) vaccination(g group) *Error {
	rxa := g.head
	code := c.cwe(rxa.field(5).first(), "0292")
	when := c.moment(rxa.field(3).first())
	switch {
	case len(code) == 0:
		return &Error{Code: Fail, Number: RequiredFieldMissing, At: "RXA-5", Text: "a vaccination needs its vaccine"}
	case when == "":
		return &Error{Code: Fail, Number: RequiredFieldMissing, At: "RXA-3", Text: "a vaccination needs its day"}
	case rxa.field(5).first().part(1).text() == "998": // CVX: none given
		return nil
	}
	c.label(g.order)
	status := map[string]string{"": "completed", "CP": "completed", "PA": "completed", "RE": "not-done", "NA": "not-done"}[rxa.field(20).first().text()]
	if status == "" {
		return &Error{Code: Fail, Number: TableValueNotFound, At: "RXA-20", Text: "want CP, PA, RE or NA (table 0322)"}
	}
	if rxa.field(21).first().text() == "D" {
		status = "entered-in-error"
	}
	o := c.about(object{"status": status, "vaccineCode": code, "occurrenceDateTime": when}, "patient", "encounter")
	r := &Resource{Type: "Immunization", body: o}
	for _, of := range []struct {
		kind  string
		field int
	}{{"FILL", 3}, {"PLAC", 2}} {
		if id, _ := c.ei(g.order.field(of.field).first(), of.kind).(object); id != nil && id["value"] != "9999" { // 9999: by the CDC's guide, no order
			o.add("identifier", id)
			if r.Key.Value == "" {
				r.Key, r.Code = keyOf(id), first(code)
			}
		}
	}
	if n := decimal(rxa.field(6).first().text()); n != "" && n != "999" {
		o.set("doseQuantity", c.quantity(n, rxa.field(7).first()))
	}
	for _, v := range rxa.field(9).all() {
		source := c.cwe(v, "")
		if code := v.part(1).text(); code == "00" {
			o["primarySource"] = true
		} else if len(code) == 2 {
			o["primarySource"] = false
			o.set("reportOrigin", source)
		} else if text := v.whole(); text != "" {
			o.add("note", object{"text": text})
		}
	}
	for _, by := range []struct {
		who  field
		role string
	}{{rxa.field(10), "AP"}, {g.order.field(12), "OP"}} {
		for _, v := range by.who.all() {
			if who := c.xcn(v); !empty(who) {
				o.add("performer", object{"actor": who, "function": object{"coding": []any{object{"system": table("0443"), "code": by.role}}}})
			}
		}
	}
	if at := place(rxa.field(27).first()); at != nil {
		o["location"] = at
	} else if v := rxa.field(11).first(); v.raw != "" {
		o.set("location", place(v))
	}
	o.set("lotNumber", rxa.field(15).first().text())
	o.set("expirationDate", c.date(rxa.field(16).first()))
	if v := rxa.field(17).first(); v.part(1).text() != "" {
		maker := object{"type": "Organization", "identifier": object{"value": v.part(1).text()}}
		maker["identifier"].(object).set("system", c.codeSystem(v.part(3).text(), "0227"))
		maker.set("display", v.part(2).text())
		o["manufacturer"] = maker
	}
	o.set("statusReason", c.cwe(rxa.field(18).first(), ""))
	o.set("recorded", c.moment(rxa.field(22).first()))
	c.vaccineDetails(o, r, g)
	return nil
}

// vaccineDetails are the route and what the OBX say by the LOINC codes of the CDC's guide; others are observations of their own.
func (c *Change) vaccineDetails(o object, r *Resource, g group) {
	var education []object
	papers := map[string]object{} // by OBX-4
	paper := func(s *segment) object {
		sub := s.field(4).first().text()
		if papers[sub] == nil {
			papers[sub] = object{}
			education = append(education, papers[sub])
		}
		return papers[sub]
	}
	var others []*segment
	for i, s := range g.rest {
		v := s.field(5).first()
		switch s.name {
		case "RXR":
			o.set("route", c.cwe(s.field(1).first(), "0162"))
			o.set("site", c.cwe(s.field(2).first(), "0163"))
			continue
		case "OBX":
		default:
			continue
		}
		switch s.field(3).first().part(1).text() {
		case "64994-7":
			o.add("programEligibility", c.cwe(v, "0064"))
		case "30963-3":
			o.set("fundingSource", c.cwe(v, ""))
		case "69764-9":
			paper(s).set("documentType", words(v.part(2).text(), v.part(1).text()))
		case "29768-9":
			paper(s).set("publicationDate", c.moment(v))
		case "29769-7":
			paper(s).set("presentationDate", c.moment(v))
		case "30973-2":
			if n := decimal(v.text()); n != "" && n != "0" && !strings.ContainsAny(string(n), ".-") {
				o.add("protocolApplied", object{"doseNumberPositiveInt": n})
			}
		default:
			others = append(append(others, s), before(g.rest[i+1:], "OBX", "RXR")...)
		}
	}
	for _, e := range education {
		if e["documentType"] != nil { // FHIR wants the document or its reference
			o.add("education", e)
		} else if e["publicationDate"] != nil || e["presentationDate"] != nil {
			e["documentType"] = "Vaccine Information Statement" // that is what the codes of its dates are about
			o.add("education", e)
		}
	}
	ref := c.bring(r)
	c.observations(others, observed{key: r.Key, part: ref})
}
