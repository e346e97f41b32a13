package hl7

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// system is the URI of who gives numbers or codes: what the settings say for its names; else what the universal id is; else one made of the
// member's name and the namespace, the same each time.
func (c *Change) system(namespace, universal, kind string) string {
	for _, name := range []string{namespace, universal} {
		if to := c.settings.Systems[name]; name != "" && to != "" {
			return to
		}
	}
	switch strings.ToUpper(kind) {
	case "ISO":
		if oid.MatchString(universal) {
			return "urn:oid:" + universal
		}
	case "UUID", "GUID":
		if uuid.MatchString(universal) {
			return "urn:uuid:" + strings.ToLower(universal)
		}
	case "URI":
		if uri.MatchString(universal) {
			return universal
		}
	}
	if namespace == "" {
		namespace = universal
	}
	if namespace == "" {
		return ""
	}
	return "urn:vitalog:hl7v2:" + escape(c.settings.Member) + ":" + escape(namespace)
}

var (
	oid  = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)
	uri  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$`)
	uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

// domain is the system of an HD.
func (c *Change) domain(hd value) string {
	return c.system(hd.part(1).text(), hd.part(2).text(), hd.part(3).text())
}

// sender is the system of numbers of which no authority is told: the sending facility, or else the application.
func (c *Change) sender() string {
	h := c.message.header()
	if s := c.domain(h.field(4).first()); s != "" {
		return s
	}
	return c.domain(h.field(3).first())
}

// table is the URI of an HL7 table.
func table(number string) string { return "http://terminology.hl7.org/CodeSystem/v2-" + number }

// cx is an Identifier. Where it names no authority, its system is fallback.
func (c *Change) cx(v value, fallback string) any {
	o := object{}
	if o.set("value", v.part(1).text()); len(o) == 0 {
		return nil
	}
	system := c.domain(v.part(4))
	if system == "" {
		system = fallback
	}
	o.set("system", system)
	o.set("type", typed(v.part(5).text()))
	o.set("period", c.period(v.part(7), v.part(8)))
	o.set("assigner", display(v.part(6).text()))
	return o
}

// typed is an identifier's type, of table 0203.
func typed(code string) any {
	if code == "" {
		return nil
	}
	return object{"coding": []any{object{"system": table("0203"), "code": code}}}
}

func display(text string) any {
	if text == "" {
		return nil
	}
	return object{"display": text}
}

// ei is an Identifier of an entity.
func (c *Change) ei(v value, kind string) any {
	o := object{}
	if o.set("value", v.part(1).text()); len(o) == 0 {
		return nil
	}
	system := c.system(v.part(2).text(), v.part(3).text(), v.part(4).text())
	if system == "" {
		system = c.sender()
	}
	o.set("system", system)
	o.set("type", typed(kind))
	return o
}

// xcn is a practitioner as a logical reference: the number and the name, as the sender has them.
func (c *Change) xcn(v value) any {
	o := object{}
	if id := v.part(1).text(); id != "" {
		i := object{"value": id}
		i.set("system", c.domain(v.part(9)))
		i.set("type", typed(v.part(13).text()))
		o.set("identifier", i)
	}
	o.set("display", words(v.part(6).text(), v.part(3).text(), v.part(4).text(), v.part(2).text(), v.part(5).text(), v.part(7).text()))
	if len(o) > 0 {
		o.set("type", "Practitioner")
	}
	return o
}

// xon is an organisation as a logical reference.
func (c *Change) xon(v value) any {
	o := object{}
	id := v.part(10).text()
	if id == "" {
		id = v.part(3).text()
	}
	if id != "" {
		i := object{"value": id}
		i.set("system", c.domain(v.part(6)))
		o.set("identifier", i)
	}
	if o.set("display", v.part(1).text()); len(o) > 0 {
		o.set("type", "Organization")
	}
	return o
}

// place is a location as a logical reference: its parts from the bed to the facility in words.
func place(v value) any {
	t := words(v.part(9).text(), v.part(1).text(), v.part(2).text(), v.part(3).text(), v.part(4).text(), v.part(7).text(), v.part(8).text())
	if t == "" {
		return nil
	}
	return object{"type": "Location", "display": t}
}

func words(all ...string) string {
	var out []string
	for _, w := range all {
		if w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// codeSystems are those of table 0396 whose URI FHIR prescribes.
var codeSystems = map[string]string{
	"LN": "http://loinc.org", "LOINC": "http://loinc.org", "SCT": "http://snomed.info/sct", "SNOMED": "http://snomed.info/sct", "SNOMED-CT": "http://snomed.info/sct",
	"I9C": "http://hl7.org/fhir/sid/icd-9-cm", "I9CDX": "http://hl7.org/fhir/sid/icd-9-cm", "I10": "http://hl7.org/fhir/sid/icd-10", "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
	"C4": "http://www.ama-assn.org/go/cpt", "CPT": "http://www.ama-assn.org/go/cpt", "CVX": "http://hl7.org/fhir/sid/cvx", "MVX": "http://hl7.org/fhir/sid/mvx",
	"NDC": "http://hl7.org/fhir/sid/ndc", "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm", "RXN": "http://www.nlm.nih.gov/research/umls/rxnorm",
	"UCUM": ucum, "CDCREC": cdcrec, "NCIT": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl", "CDCPHINVS": "urn:oid:2.16.840.1.114222.4.5.274",
	"ISO3166_1": "urn:iso:std:iso:3166", "ATC": "http://www.whocc.no/atc", "NIP001": "urn:oid:2.16.840.1.114222.4.5.274", "DCM": "http://dicom.nema.org/resources/ontology/DCM",
}

const (
	ucum   = "http://unitsofmeasure.org"
	cdcrec = "urn:oid:2.16.840.1.113883.6.238"
)

var hl7Table = regexp.MustCompile(`^HL7([0-9]{4})$`)

// codeSystem is the URI of a coding system's name. of is the table that the field is bound to, for a code without one.
func (c *Change) codeSystem(name, of string) string {
	if to := codeSystems[strings.ToUpper(name)]; to != "" {
		return to
	}
	if m := hl7Table.FindStringSubmatch(name); m != nil {
		return table(m[1])
	}
	if name == "" || name == "L" {
		if of == "" {
			return ""
		}
		return table(of)
	}
	return c.system(name, "", "")
}

// cwe is a CodeableConcept: the codes as they are, and the text.
func (c *Change) cwe(v value, of string) object {
	o := object{}
	for _, i := range []int{1, 4, 10} {
		coding := object{}
		if code := v.part(i).text(); code != "" && !strings.ContainsAny(code, "\n\t") && (i < 10 || v.part(12).text() != "") {
			coding.set("code", strings.Join(strings.Fields(code), " "))
			coding.set("system", c.codeSystem(v.part(i+2).text(), of))
			coding.set("display", v.part(i+1).text())
			o.add("coding", coding)
		}
	}
	text := v.part(9).text()
	if text == "" {
		text = v.part(2).text()
	}
	o.set("text", text)
	return o
}

// coded is a CodeableConcept with a translation of its first code in front, where there is one.
func (c *Change) coded(v value, of, system string, to map[string]string) object {
	o := c.cwe(v, of)
	if code := to[v.part(1).text()]; code != "" {
		coding, _ := o["coding"].([]any)
		o["coding"] = append([]any{object{"system": system, "code": code}}, coding...)
	}
	return o
}

// moment is a dateTime with the precision that was sent. Without a zone, its own, the message's or the settings', it is a date.
func (c *Change) moment(v value) string {
	s, zone := splitZone(v.text())
	if len(s) < 8 {
		return c.date(v)
	}
	day := calendar(s)
	if day == "" || len(s) < 12 {
		return day
	}
	if zone == "" {
		zone = c.zone
	}
	second := s[:12] + "00"
	fraction := ""
	if len(s) >= 14 {
		second, fraction = s[:14], s[14:]
	}
	t, err := time.Parse("20060102150405", second)
	if err != nil || fraction != "" && !fractional.MatchString(fraction) {
		return day
	}
	if zone == "" {
		if c.settings.Zone == nil {
			return day
		}
		zone = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, c.settings.Zone).Format("-0700")
	}
	return t.Format("2006-01-02T15:04:05") + fraction + zone[:3] + ":" + zone[3:]
}

// instant is a moment, if it is to the second.
func (c *Change) instant(v value) string {
	if t := c.moment(v); strings.Contains(t, "T") {
		return t
	}
	return ""
}

// date is a date with the precision that was sent.
func (c *Change) date(v value) string {
	s, _ := splitZone(v.text())
	return calendar(s)
}

var (
	fractional = regexp.MustCompile(`^\.[0-9]{1,9}$`)
	offset     = regexp.MustCompile(`[+-](0[0-9]|1[0-4])[0-5][0-9]$`)
)

func splitZone(s string) (rest, zone string) {
	zone = offset.FindString(s)
	return strings.TrimSuffix(s, zone), zone
}

// calendar is the date at the beginning of s, "" if the calendar has none.
func calendar(s string) string {
	for _, f := range [][2]string{{"20060102", "2006-01-02"}, {"200601", "2006-01"}, {"2006", "2006"}} {
		if len(s) >= len(f[0]) && (len(s) == len(f[0]) || len(f[0]) == 8) {
			if t, err := time.Parse(f[0], s[:len(f[0])]); err == nil && t.Year() > 0 {
				return t.Format(f[1])
			}
			return ""
		}
	}
	return ""
}

func (c *Change) period(from, to value) any {
	o := object{}
	o.set("start", c.moment(from))
	o.set("end", c.moment(to))
	if start, end := c.moment(from), c.moment(to); start != "" && end != "" {
		if n := min(len(start), len(end), len("2006-01-02")); start[:n] > end[:n] {
			delete(o, "end") // a period that ends before it begins is none
		}
	}
	return o
}

// xpn is a HumanName.
func (c *Change) xpn(v value) any {
	o := object{}
	o.set("family", v.part(1).text())
	for _, i := range []int{2, 3} {
		o.add("given", v.part(i).text())
	}
	o.add("prefix", v.part(5).text())
	o.add("suffix", v.part(4).text())
	o.add("suffix", v.part(6).text())
	if len(o) == 0 {
		return nil
	}
	o.set("use", map[string]string{"L": "official", "D": "usual", "M": "maiden", "N": "nickname", "S": "anonymous", "TEMP": "temp"}[v.part(7).text()])
	o.set("period", c.period(v.part(12), v.part(13)))
	return o
}

// xad is an Address.
func (c *Change) xad(v value) any {
	o := object{}
	street := v.part(1)
	o.add("line", words(street.part(1).text(), street.part(2).text(), street.part(3).text()))
	o.add("line", v.part(2).text())
	o.set("city", v.part(3).text())
	o.set("state", v.part(4).text())
	o.set("postalCode", v.part(5).text())
	o.set("country", v.part(6).text())
	o.set("district", v.part(9).text())
	if len(o) == 0 {
		return nil
	}
	kind := v.part(7).text()
	o.set("use", map[string]string{"H": "home", "HP": "home", "B": "work", "O": "work", "C": "temp", "BI": "billing", "BA": "old"}[kind])
	o.set("type", map[string]string{"M": "postal", "SH": "postal"}[kind])
	o.set("period", c.period(v.part(13), v.part(14)))
	return o
}

// xtn is a ContactPoint. use is what the field stands for.
func (c *Change) xtn(v value, use string) any {
	o := object{}
	system := map[string]string{"PH": "phone", "CP": "phone", "SAT": "phone", "FX": "fax", "BP": "pager", "Internet": "email", "X.400": "email", "MD": "other", "TDD": "other", "TTY": "other"}[v.part(3).text()]
	number := v.part(12).text()
	if mail := v.part(4).text(); strings.Contains(mail, "@") {
		system, number = "email", mail
	} else if number == "" {
		number = v.part(1).text()
	}
	if number == "" {
		if number = words(v.part(6).text(), v.part(7).text()); number != "" && v.part(5).text() != "" {
			number = "+" + strings.TrimPrefix(v.part(5).text(), "+") + " " + number
		}
		if ext := v.part(8).text(); number != "" && ext != "" {
			number += " ext. " + ext
		}
	}
	if number == "" {
		return nil
	}
	switch {
	case system == "email" && !strings.Contains(number, "@"), system == "" && use == "":
		system = "other"
	case system == "":
		system = "phone"
	}
	o.set("value", number)
	o.set("system", system)
	switch v.part(2).text() {
	case "PRN", "VHN", "EMR":
		use = "home"
	case "WPN":
		use = "work"
	}
	if v.part(3).text() == "CP" {
		use = "mobile"
	}
	o.set("use", use)
	o.set("period", c.period(v.part(13), v.part(14)))
	return o
}

var (
	number  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
	zeroes  = regexp.MustCompile(`^(-?)0+([0-9])`)
	maximum = 40 // digits of a number
)

// decimal is a number as it was sent, with its zeros at the end; "" if it is none.
func decimal(s string) json.Number {
	s = strings.TrimPrefix(strings.TrimSpace(s), "+")
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	if strings.HasPrefix(s, "-.") {
		s = "-0" + s[1:]
	}
	s = zeroes.ReplaceAllString(strings.TrimSuffix(s, "."), "$1$2")
	if len(s) > maximum || !number.MatchString(s) {
		return ""
	}
	return json.Number(s)
}

// quantity is a number with the unit of a CWE: by UCUM if the sender says so, else in words.
func (c *Change) quantity(n json.Number, unit value) any {
	if n == "" {
		return nil
	}
	o := object{"value": n}
	code, name := unit.part(1).text(), unit.part(2).text()
	if name == "" {
		name = code
	}
	o.set("unit", name)
	if code != "" && strings.EqualFold(unit.part(3).text(), "UCUM") && !strings.ContainsAny(code, " \n\t") {
		o.set("code", code)
		o.set("system", ucum)
	}
	return o
}

// notes are the texts of NTE segments.
func (c *Change) notes(all []*segment) (out []any) {
	for _, s := range all {
		if s.name != "NTE" {
			continue
		}
		var lines []string
		for _, v := range s.field(3).all() {
			lines = append(lines, v.whole())
		}
		if text := strings.Join(lines, "\n"); strings.TrimSpace(text) != "" {
			n := object{"text": text}
			n.set("time", c.moment(s.field(6).first()))
			out = append(out, n)
		}
	}
	return out
}
