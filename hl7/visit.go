package hl7

import (
	"strings"

	"vitalog/fhir"
)

// admit reads A01, A03, A04 and A08: the visit, and what is known at its beginning or end. A08 tells the demographics as they are now.
func (c *Change) admit() *Error {
	event := c.message.header().field(9).first().part(2).text()
	if event == "A08" {
		c.patient.keep, c.Refreshes = false, true
	}
	if why := c.readVisit(event, true); why != nil {
		return why
	}
	for _, s := range c.message.all("AL1") {
		c.allergy(s)
	}
	for _, s := range c.message.all("DG1") {
		c.diagnosis(s)
	}
	for _, s := range c.message.all("PR1") {
		c.procedure(s)
	}
	in := observed{}
	if c.visit != nil {
		in.key = c.visit.Key
	}
	c.observations(c.message.segments, in)
	return nil
}

// about is the patient's and the visit's place in a resource.
func (c *Change) about(o object, subject, encounter string) object {
	o[subject] = &reference{c.patient}
	if c.visit != nil && encounter != "" {
		o[encounter] = &reference{c.visit}
	}
	return o
}

// readVisit makes the Encounter of PV1. Messages that are not about the visit itself change nothing of one that is there, and bring none
// that has no number.
func (c *Change) readVisit(event string, about bool) *Error {
	pv := c.message.one("PV1")
	number, _ := c.cx(pv.field(19).first(), c.sender()).(object)
	if len(pv.fields) == 0 || number == nil && (!about || event == "A08") {
		return nil
	}
	end := c.moment(pv.field(45).first())
	status := "unknown"
	switch {
	case event == "A03", end != "":
		status = "finished"
	case event == "A01", event == "A04", event == "A08":
		status = "in-progress"
	}
	o := c.about(object{"status": status, "class": c.class(pv.field(2).first())}, "subject", "")
	r := &Resource{Type: "Encounter", keep: !about, join: true, body: o}
	if number != nil {
		number["type"] = typed("VN")
		o.add("identifier", number)
		system, _ := number["system"].(string)
		r.Key = fhir.Identifier{System: system, Value: number["value"].(string)}
	}
	o.add("type", c.cwe(pv.field(4).first(), "0007"))
	o.set("serviceType", c.cwe(pv.field(10).first(), "0069"))
	for _, p := range []struct {
		field int
		role  string
	}{{7, "ATND"}, {8, "REF"}, {9, "CON"}, {17, "ADM"}} {
		for _, v := range pv.field(p.field).all() {
			if who := c.xcn(v); !empty(who) {
				o.add("participant", object{"individual": who, "type": []any{object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": p.role}}}}})
			}
		}
	}
	o.set("period", c.period(pv.field(44).first(), pv.field(45).first()))
	if at := place(pv.field(3).first()); at != nil {
		o.add("location", object{"location": at})
	}
	o.add("reasonCode", c.cwe(c.message.one("PV2").field(3).first(), ""))
	stay := object{}
	stay.set("preAdmissionIdentifier", c.cx(pv.field(5).first(), c.sender()))
	stay.set("reAdmission", c.cwe(pv.field(13).first(), "0092"))
	stay.set("admitSource", c.cwe(pv.field(14).first(), "0023"))
	for _, v := range pv.field(15).all() {
		stay.add("specialArrangement", c.cwe(v, "0009"))
	}
	for _, v := range pv.field(16).all() {
		stay.add("specialCourtesy", c.cwe(v, "0099"))
	}
	for _, v := range pv.field(38).all() {
		stay.add("dietPreference", c.cwe(v, "0114"))
	}
	stay.set("dischargeDisposition", c.cwe(pv.field(36).first(), "0112"))
	stay.set("destination", display(pv.field(37).first().part(1).whole()))
	o.set("hospitalization", stay)
	c.visit = r
	c.bring(r)
	return nil
}

const actCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

// class is PV1-2 by v3-ActCode, where that has it, else as it is.
func (c *Change) class(v value) object {
	code := v.part(1).text()
	switch to := map[string]string{"E": "EMER", "I": "IMP", "O": "AMB", "P": "PRENC"}[code]; {
	case to != "":
		return object{"system": actCode, "code": to}
	case code != "":
		o := object{"system": table("0004"), "code": code}
		o.set("display", v.part(2).text())
		return o
	}
	return object{"extension": list(extension("http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode", "unknown"))}
}

// made is an identifier that a segment without one gets from what it says, so that the same statement is known when it comes again.
func (c *Change) made(kind string, parts ...string) (object, fhir.Identifier) {
	id := fhir.Identifier{System: c.system("made:"+kind, "", ""), Value: strings.Join(parts, "/")}
	return object{"system": id.System, "value": id.Value}, id
}

// allergy makes an AllergyIntolerance of AL1.
func (c *Change) allergy(s *segment) {
	code := c.cwe(s.field(3).first(), "")
	if len(code) == 0 {
		return
	}
	name := s.field(3).first().part(1).text()
	if name == "" {
		name, _ = code["text"].(string)
	}
	id, key := c.made("AL1", name)
	o := c.about(object{"identifier": []any{id}, "code": code}, "patient", "encounter")
	o["clinicalStatus"] = object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}}}
	kind := s.field(2).first().part(1).text()
	if to := map[string]string{"DA": "medication", "FA": "food", "EA": "environment", "PA": "environment", "LA": "environment"}[kind]; to != "" {
		o.add("category", to)
	}
	o.set("onsetDateTime", c.moment(s.field(6).first()))
	severity := map[string]string{"MI": "mild", "MO": "moderate", "SV": "severe"}[s.field(4).first().part(1).text()]
	for _, v := range s.field(5).all() {
		reaction := object{"manifestation": []any{c.cwe(v, "")}}
		reaction.set("severity", severity)
		o.add("reaction", reaction)
	}
	c.bring(&Resource{Type: "AllergyIntolerance", Key: key, join: true, body: o})
}

// diagnosis makes a Condition of DG1.
func (c *Change) diagnosis(s *segment) {
	code := c.cwe(s.field(3).first(), "")
	if len(code) == 0 {
		if text := s.field(4).first().text(); text != "" {
			code = object{"text": text}
		} else {
			return
		}
	}
	o := c.about(object{"code": code}, "subject", "encounter")
	o["category"] = []any{object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}}}}
	r := &Resource{Type: "Condition", join: true, body: o}
	if id, _ := c.ei(s.field(20).first(), "").(object); id != nil {
		o.add("identifier", id)
		r.Key = fhir.Identifier{System: id["system"].(string), Value: id["value"].(string)}
	} else if c.visit != nil && c.visit.Key.Value != "" {
		name := s.field(3).first().part(1).text()
		if name == "" {
			name, _ = code["text"].(string)
		}
		made, key := c.made("DG1", c.visit.Key.Value, name)
		o.add("identifier", made)
		r.Key = key
	}
	o.set("onsetDateTime", c.moment(s.field(5).first()))
	o.set("recordedDate", c.moment(s.field(19).first()))
	o.set("asserter", c.xcn(s.field(16).first()))
	if s.field(21).first().text() == "D" {
		o["verificationStatus"] = object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}}}
	}
	use := object{"condition": c.bring(r)}
	if c.visit == nil {
		return
	}
	if kind := map[string]string{"A": "AD", "F": "DD"}[s.field(6).first().part(1).text()]; kind != "" {
		use["use"] = object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": kind}}}
	}
	if rank := decimal(s.field(15).first().text()); rank != "" && rank != "0" && !strings.ContainsAny(string(rank), ".-") {
		use["rank"] = rank
	}
	c.visit.body.add("diagnosis", use)
}

// procedure makes a Procedure of PR1.
func (c *Change) procedure(s *segment) {
	code := c.cwe(s.field(3).first(), "")
	if len(code) == 0 {
		return
	}
	o := c.about(object{"status": "unknown", "code": code}, "subject", "encounter")
	r := &Resource{Type: "Procedure", join: true, body: o}
	if id, _ := c.ei(s.field(19).first(), "").(object); id != nil {
		o.add("identifier", id)
		r.Key = fhir.Identifier{System: id["system"].(string), Value: id["value"].(string)}
	} else if when := s.field(5).first().text(); when != "" {
		made, key := c.made("PR1", s.field(3).first().part(1).text(), when)
		o.add("identifier", made)
		r.Key = key
	}
	o.set("performedDateTime", c.moment(s.field(5).first()))
	o.set("category", c.cwe(s.field(6).first(), "0230"))
	for _, i := range []int{8, 11, 12} { // anaesthetist, surgeon, practitioner
		for _, v := range s.field(i).all() {
			if who := c.xcn(v); !empty(who) {
				o.add("performer", object{"actor": who})
			}
		}
	}
	o.add("reasonCode", c.cwe(s.field(15).first(), ""))
	c.bring(r)
}
