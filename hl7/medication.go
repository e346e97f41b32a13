package hl7

import (
	"strings"
)

// prescriptions reads RDE: a MedicationRequest for each RXE.
func (c *Change) prescriptions() *Error {
	if why := c.readVisit("", false); why != nil {
		return why
	}
	groups := c.groups("RXE")
	if len(groups) == 0 {
		return &Error{Code: Fail, Number: SequenceError, At: "RXE", Text: "a prescription needs an RXE"}
	}
	for _, g := range groups {
		rxe := g.head
		code := c.cwe(rxe.field(2).first(), "0292")
		if len(code) == 0 {
			return &Error{Code: Fail, Number: RequiredFieldMissing, At: "RXE-2", Text: "a prescription needs its medicine"}
		}
		c.label(g.order)
		o := c.about(object{"status": orderStatus(g.order), "intent": "order", "medicationCodeableConcept": code}, "subject", "encounter")
		r := &Resource{Type: "MedicationRequest", body: o}
		for _, of := range []struct {
			kind  string
			field int
		}{{"PLAC", 2}, {"FILL", 3}} {
			if id, _ := c.ei(g.order.field(of.field).first(), of.kind).(object); id != nil {
				o.add("identifier", id)
				if r.Key.Value == "" {
					r.Key = keyOf(id)
				}
			}
		}
		o.add("identifier", c.ei(rxe.field(15).first(), ""))
		o.set("authoredOn", c.moment(g.order.field(9).first()))
		if who := c.xcn(g.order.field(12).first()); !empty(who) {
			o["requester"] = who
		} else {
			o.set("requester", c.xcn(rxe.field(13).first()))
		}
		dose := c.dosage(rxe, g.rest)
		amount := object{}
		low, high := c.quantity(decimal(rxe.field(3).first().text()), rxe.field(5).first()), c.quantity(decimal(rxe.field(4).first().text()), rxe.field(5).first())
		if empty(high) {
			amount.set("doseQuantity", low)
		} else {
			r := object{"high": high}
			r.set("low", low)
			amount["doseRange"] = r
		}
		amount.set("rateQuantity", c.quantity(decimal(rxe.field(23).first().text()), rxe.field(24).first()))
		dose.add("doseAndRate", amount)
		o.add("dosageInstruction", dose)
		supply := object{}
		supply.set("quantity", c.quantity(decimal(rxe.field(10).first().text()), rxe.field(11).first()))
		if n := decimal(rxe.field(12).first().text()); n != "" && !strings.ContainsAny(string(n), ".-") {
			supply["numberOfRepeatsAllowed"] = n
		}
		o.set("dispenseRequest", supply)
		o.set("note", c.notes(before(g.rest, "OBX")))
		c.bring(r)
	}
	return nil
}

// orderStatus is what ORC-1, and else ORC-5, say of a prescription.
func orderStatus(orc *segment) string {
	switch orc.field(1).first().text() {
	case "NW", "SN", "NA", "OK", "RO", "RP", "RQ", "RL", "XO", "XX", "XR", "RF", "RE":
		return "active"
	case "CA", "OC", "CR":
		return "cancelled"
	case "DC", "OD", "DR":
		return "stopped"
	case "HD", "OH", "HR":
		return "on-hold"
	}
	status := map[string]string{"IP": "active", "SC": "active", "CM": "completed", "CA": "cancelled", "DC": "stopped", "HD": "on-hold"}[orc.field(5).first().text()]
	if status == "" {
		return "unknown"
	}
	return status
}

// dosage is how a medicine is taken: in the words of RXE-7, and by TQ1 and RXR.
func (c *Change) dosage(rxe *segment, rest []*segment) object {
	o := object{}
	var lines []string
	for _, v := range rxe.field(7).all() {
		text := v.part(2).text()
		if text == "" {
			text = v.text()
		}
		if text != "" {
			lines = append(lines, text)
		}
	}
	o.set("text", strings.Join(lines, "\n"))
	for _, s := range rest {
		switch s.name {
		case "TQ1":
			timing := object{}
			if often := s.field(3).first().part(1); often.text() != "" {
				timing["code"] = object{"text": words(often.part(1).text(), often.part(2).text())}
			}
			if bounds := c.period(s.field(7).first(), s.field(8).first()); !empty(bounds) {
				timing["repeat"] = object{"boundsPeriod": bounds}
			}
			if o["timing"] == nil {
				o.set("timing", timing)
			}
		case "RXR":
			if o["route"] == nil {
				o.set("route", c.cwe(s.field(1).first(), "0162"))
				o.set("site", c.cwe(s.field(2).first(), "0163"))
				o.set("method", c.cwe(s.field(4).first(), "0165"))
			}
		}
	}
	return o
}

// dispenses reads RDS^O13: a MedicationDispense for each RXD.
func (c *Change) dispenses() *Error {
	if why := c.readVisit("", false); why != nil {
		return why
	}
	groups := c.groups("RXD")
	if len(groups) == 0 {
		return &Error{Code: Fail, Number: SequenceError, At: "RXD", Text: "a dispense needs an RXD"}
	}
	for _, g := range groups {
		rxd := g.head
		code := c.cwe(rxd.field(2).first(), "0292")
		if len(code) == 0 {
			return &Error{Code: Fail, Number: RequiredFieldMissing, At: "RXD-2", Text: "a dispense needs its medicine"}
		}
		c.label(g.order)
		o := c.about(object{"status": "completed", "medicationCodeableConcept": code}, "subject", "context")
		r := &Resource{Type: "MedicationDispense", body: o}
		if number := rxd.field(7).first().text(); number != "" {
			id, key := c.made("RXD", number, rxd.field(1).first().text(), rxd.field(3).first().text())
			o.add("identifier", id)
			r.Key = key
		}
		if id := c.ei(g.order.field(2).first(), "PLAC"); !empty(id) {
			o.add("authorizingPrescription", object{"type": "MedicationRequest", "identifier": id})
		}
		o.set("whenHandedOver", c.moment(rxd.field(3).first()))
		o.set("quantity", c.quantity(decimal(rxd.field(4).first().text()), rxd.field(5).first()))
		for _, v := range rxd.field(9).all() {
			o.add("note", object{"text": v.whole()})
		}
		for _, v := range rxd.field(10).all() {
			if who := c.xcn(v); !empty(who) {
				o.add("performer", object{"actor": who})
			}
		}
		rxe := &segment{name: "RXE", marks: &c.message.marks}
		for _, s := range c.message.segments[:rxd.number] {
			if s.name == "RXE" && s.number > g.order.number {
				rxe = s
			}
		}
		o.add("dosageInstruction", c.dosage(rxe, g.rest))
		c.bring(r)
	}
	return nil
}
