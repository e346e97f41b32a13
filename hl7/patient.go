package hl7

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"vitalog/fhir"
)

// readPatient makes the Patient of PID, PD1 and NK1. PID-3 tells who it is: each number with its authority's system, or the sender's where
// none is told. Social security and licence numbers identify nobody: people share and mistype them.
func (c *Change) readPatient() *Error {
	pid := c.message.one("PID")
	c.patient = &Resource{Type: "Patient", keep: true, join: true, body: object{}}
	numbers := pid.field(3).all()
	if len(numbers) == 0 {
		numbers = pid.field(2).all() // before v2.3.1
	}
	c.Patient = c.identify(numbers, c.patient.body)
	if len(c.Patient) == 0 {
		return &Error{Code: Fail, Number: RequiredFieldMissing, At: "PID-3", Text: "a patient needs a number, with its assigning authority or that of the sending facility (MSH-4)"}
	}
	c.patient.Key = c.Patient[0]
	c.readDemographics(pid)
	c.readContacts()
	c.bring(c.patient)
	return nil
}

// identify makes identifiers, and tells which of them say who it is.
func (c *Change) identify(numbers []value, body object) (who []fhir.Identifier) {
	for _, v := range numbers {
		fallback := ""
		if slices.Contains([]string{"", "MR", "PI", "PT"}, v.part(5).text()) {
			fallback = c.sender()
		}
		id, _ := c.cx(v, fallback).(object)
		if id == nil {
			continue
		}
		if v.part(5).text() == "SS" {
			delete(id, "system")
		}
		body.add("identifier", id)
		if system, ok := id["system"].(string); ok {
			if known := (fhir.Identifier{System: system, Value: id["value"].(string)}); !slices.Contains(who, known) {
				who = append(who, known)
			}
		}
	}
	return who
}

func (c *Change) readDemographics(pid *segment) {
	o := c.patient.body
	for i, kind := range []string{"SS", "DL"} {
		if number := pid.field(19 + i).first().part(1).text(); number != "" {
			o.add("identifier", object{"type": typed(kind), "value": number})
		}
	}
	for _, i := range []int{5, 9} {
		for _, v := range pid.field(i).all() {
			o.add("name", c.xpn(v))
		}
	}
	birth := pid.field(7)
	o.put("birthDate", birth, c.date(birth.first()))
	if t := c.instant(birth.first()); t != "" {
		o["_birthDate"] = object{"extension": list(extension("http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime", t))}
	}
	o.put("gender", pid.field(8), gender(pid.field(8).first()))
	for _, v := range pid.field(11).all() {
		o.add("address", c.xad(v))
	}
	c.telecom(o, pid, 13, 14, 40)
	if language := c.cwe(pid.field(15).first(), "0296"); len(language) > 0 {
		o.add("communication", object{"language": language})
	}
	if f := pid.field(16); len(f.all()) > 0 {
		o.set("maritalStatus", c.coded(f.first(), "0002", "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
			map[string]string{"D": "D", "M": "M", "S": "S", "W": "W", "C": "C", "I": "I", "P": "T", "E": "L", "N": "A", "B": "U"}))
	}
	switch order, more := decimal(pid.field(25).first().text()), pid.field(24).first().text(); {
	case order != "" && !strings.ContainsAny(string(order), ".-"):
		o["multipleBirthInteger"] = order
	case more == "Y" || more == "N":
		o["multipleBirthBoolean"] = more == "Y"
	}
	switch died, dead := c.moment(pid.field(29).first()), pid.field(30).first().text(); {
	case died != "":
		o["deceasedDateTime"] = died
	case dead == "Y" || dead == "N":
		o["deceasedBoolean"] = dead == "Y"
	}
	for _, v := range c.message.one("PD1").field(4).all() {
		o.add("generalPractitioner", c.xcn(v))
	}
	const standard = "http://hl7.org/fhir/StructureDefinition/patient-"
	o.add("extension", c.usCore("us-core-race", pid.field(10), raceCategories))
	o.add("extension", c.usCore("us-core-ethnicity", pid.field(22), ethnicityCategories))
	o.add("extension", extension(standard+"mothersMaidenName", "valueString", pid.field(6).first().text()))
	o.add("extension", extension(standard+"religion", "valueCodeableConcept", c.cwe(pid.field(17).first(), "0006")))
	if place := pid.field(23).first().text(); place != "" {
		o.add("extension", extension(standard+"birthPlace", "valueAddress", object{"text": place}))
	}
}

// telecom adds the numbers of three fields: at home, at work, and those that say themselves what they are.
func (c *Change) telecom(o object, s *segment, home, work, others int) {
	for i, use := range []string{"home", "work", ""} {
		for _, v := range s.field([]int{home, work, others}[i]).all() {
			o.add("telecom", c.xtn(v, use))
		}
	}
}

func gender(v value) string {
	return map[string]string{"M": "male", "F": "female", "O": "other", "A": "other", "N": "other", "U": "unknown"}[v.part(1).text()]
}

// The categories that US Core names, by CDC code, and HL7's codes for two of them.
var (
	raceCategories      = map[string]string{"1002-5": "1002-5", "2028-9": "2028-9", "2054-5": "2054-5", "2076-8": "2076-8", "2106-3": "2106-3"}
	ethnicityCategories = map[string]string{"2135-2": "2135-2", "2186-5": "2186-5", "H": "2135-2", "N": "2186-5"}
	cdcCode             = regexp.MustCompile(`^[12][0-9]{3}-[0-9]$`)
)

// usCore is the extension for race or ethnicity.
func (c *Change) usCore(name string, f field, categories map[string]string) any {
	var parts []any
	var said []string
	for _, v := range f.all() {
		code, text, system := v.part(1).text(), v.part(2).text(), v.part(3).text()
		coding := object{"system": cdcrec}
		coding.set("display", text)
		switch to := categories[code]; {
		case to != "" && (system == "" || c.codeSystem(system, "") == cdcrec || strings.HasPrefix(system, "HL7")):
			coding["code"] = to
			parts = append(parts, object{"url": "ombCategory", "valueCoding": coding})
		case cdcCode.MatchString(code) && (system == "" || c.codeSystem(system, "") == cdcrec || strings.HasPrefix(system, "HL7")):
			coding["code"] = code
			parts = append(parts, object{"url": "detailed", "valueCoding": coding})
		}
		if text == "" {
			text = code
		}
		if text != "" {
			said = append(said, text)
		}
	}
	if len(said) == 0 {
		return nil
	}
	parts = append(parts, object{"url": "text", "valueString": strings.Join(said, ", ")})
	return object{"url": "http://hl7.org/fhir/us/core/StructureDefinition/" + name, "extension": parts}
}

// readContacts are the next of kin, as contacts of the patient.
func (c *Change) readContacts() {
	for _, nk := range c.message.all("NK1") {
		o := object{}
		o.add("relationship", c.cwe(nk.field(3).first(), "0063"))
		o.add("relationship", c.cwe(nk.field(7).first(), "0131"))
		o.set("name", c.xpn(nk.field(2).first()))
		c.telecom(o, nk, 5, 6, 40)
		o.set("address", c.xad(nk.field(4).first()))
		o.set("gender", gender(nk.field(15).first()))
		o.set("organization", c.xon(nk.field(13).first()))
		o.set("period", c.period(nk.field(8).first(), nk.field(9).first()))
		if o["name"] != nil || o["telecom"] != nil || o["address"] != nil || o["organization"] != nil {
			c.patient.body.add("contact", o)
		}
	}
}

// merge reads A40: the patient of MRG-1 is the one of PID.
func (c *Change) merge() *Error {
	groups := 0
	for _, s := range c.message.segments {
		if s.name == "PID" {
			groups++
		}
	}
	if groups > 1 {
		return &Error{Code: Fail, Number: SequenceError, At: "PID", Text: "one merge in a message is taken; send each in its own"}
	}
	mrg := c.message.one("MRG")
	c.prior = &Resource{Type: "Patient", join: true, body: object{}}
	if c.Prior = c.identify(mrg.field(1).all(), object{}); len(c.Prior) == 0 {
		return &Error{Code: Fail, Number: RequiredFieldMissing, At: "MRG-1", Text: "a merge needs the number of the patient who is no more"}
	}
	c.bring(c.prior)
	return nil
}

// link says of two patients that they are one, in both, so that it can be undone in both. Charts stay apart.
func (c *Change) link(known Known) *Error {
	if known.Prior == nil {
		return &Error{Code: Fail, Number: UnknownKey, At: "MRG-1", Text: "no patient here has this number, so there is nothing to merge"}
	}
	if known.Patient != nil && known.Patient.ID == known.Prior.ID {
		return &Error{Code: Fail, Number: DuplicateKey, At: "MRG-1", Text: "both numbers are of one patient here already"}
	}
	c.prior.body = object{"resourceType": "Patient", "active": false}
	if known.Patient != nil {
		c.patient.keep = false
		c.patient.body = object{"resourceType": "Patient"}
	}
	for _, side := range []struct {
		one, other *Resource
		now        *Current
		kind       string
	}{{c.prior, c.patient, known.Prior, "replaced-by"}, {c.patient, c.prior, known.Patient, "replaces"}} {
		var links []any
		if side.now != nil {
			old, err := linksOf(side.now.Raw)
			if err != nil {
				return &Error{Code: Fail, Number: InternalError, Text: "what is there of a patient can't be read"}
			}
			for _, l := range old {
				links = append(links, l)
			}
		}
		side.one.body["link"] = append(links, object{"other": &reference{side.other}, "type": side.kind})
	}
	return nil
}

// linksOf are the links that a Patient has.
func linksOf(raw []byte) (links []json.RawMessage, err error) {
	now, err := members(raw)
	if err == nil && now["link"] != nil {
		err = json.Unmarshal(now["link"], &links)
	}
	return links, err
}
