package hl7

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of a CDA document.
const (
	MaxDocument = 16 << 20 // bytes
	maxNesting  = 256      // elements within each other
)

const cdaSpace = "urn:hl7-org:v3"

// cda is the header of a CDA document, as far as it is read. The body stays with the bytes.
type cda struct {
	ID       cdaID     `xml:"id"`
	Code     cdaCode   `xml:"code"`
	Title    string    `xml:"title"`
	Time     cdaValue  `xml:"effectiveTime"`
	Secrecy  cdaCode   `xml:"confidentialityCode"`
	Language cdaCode   `xml:"languageCode"`
	Record   []cdaRole `xml:"recordTarget>patientRole"`
	Authors  []struct {
		IDs    []cdaID   `xml:"assignedAuthor>id"`
		Names  []cdaName `xml:"assignedAuthor>assignedPerson>name"`
		Device string    `xml:"assignedAuthor>assignedAuthoringDevice>softwareName"`
		By     []string  `xml:"assignedAuthor>representedOrganization>name"`
	} `xml:"author"`
	Custodian struct {
		IDs   []cdaID  `xml:"id"`
		Names []string `xml:"name"`
	} `xml:"custodian>assignedCustodian>representedCustodianOrganization"`
	Related []struct {
		Type string  `xml:"typeCode,attr"`
		IDs  []cdaID `xml:"parentDocument>id"`
	} `xml:"relatedDocument"`
}

type cdaID struct {
	Root      string `xml:"root,attr"`
	Extension string `xml:"extension,attr"`
}

type cdaCode struct {
	Code    string `xml:"code,attr"`
	System  string `xml:"codeSystem,attr"`
	Display string `xml:"displayName,attr"`
}

type cdaValue struct {
	Value string `xml:"value,attr"`
	Use   string `xml:"use,attr"`
}

type cdaName struct {
	Use    string   `xml:"use,attr"`
	Given  []string `xml:"given"`
	Family []string `xml:"family"`
	Prefix []string `xml:"prefix"`
	Suffix []string `xml:"suffix"`
	Text   string   `xml:",chardata"`
}

type cdaRole struct {
	IDs     []cdaID `xml:"id"`
	Address []struct {
		Use      string   `xml:"use,attr"`
		Lines    []string `xml:"streetAddressLine"`
		City     string   `xml:"city"`
		State    string   `xml:"state"`
		PostCode string   `xml:"postalCode"`
		Country  string   `xml:"country"`
	} `xml:"addr"`
	Telecom []cdaValue `xml:"telecom"`
	Names   []cdaName  `xml:"patient>name"`
	Gender  cdaCode    `xml:"patient>administrativeGenderCode"`
	Birth   cdaValue   `xml:"patient>birthTime"`
}

// ReadDocument says what a CDA document is, by its header: a DocumentReference, whose Binary has the bytes as they are. chart is the id of a
// Patient of the member; "" if the document's own numbers tell whose it is.
func ReadDocument(raw []byte, s Settings, chart string) (*Change, *Error) {
	d, err := readCDA(raw)
	if err != nil {
		return nil, &Error{Code: Reject, Number: DataTypeError, At: "ClinicalDocument", Text: err.Error()}
	}
	c := &Change{message: &Message{}, settings: s, seed: raw}
	id := c.cdaIdentifier(d.ID)
	switch {
	case id == nil:
		return nil, &Error{Code: Fail, Number: RequiredFieldMissing, At: "ClinicalDocument.id", Text: "a document needs its id, with an OID or a UUID as root"}
	case len(d.Record) != 1:
		return nil, &Error{Code: Fail, Number: RequiredFieldMissing, At: "ClinicalDocument.recordTarget", Text: "a document is about one patient"}
	}
	c.cdaPatient(&d.Record[0])
	if chart != "" {
		c.Chart = chart
	} else if len(c.Patient) == 0 {
		return nil, &Error{Code: Fail, Number: RequiredFieldMissing, At: "ClinicalDocument.recordTarget.patientRole.id",
			Text: "the document names no number that tells whose it is (social security numbers don't); say which patient of this member it is"}
	}
	o := object{"status": "current", "subject": &reference{c.patient}, "masterIdentifier": id, "identifier": []any{id}}
	r := &Resource{Type: "DocumentReference", Key: keyOf(id), last: true, body: o}
	o.set("type", concept(d.Code))
	o.set("date", c.instant(moment(d.Time.Value)))
	title := strings.Join(strings.Fields(d.Title), " ")
	o.set("description", title)
	for _, a := range d.Authors {
		author := object{}
		if len(a.IDs) > 0 {
			author.set("identifier", c.cdaIdentifier(a.IDs[0]))
		}
		switch {
		case len(a.Names) > 0:
			author.set("display", a.Names[0].String())
			author["type"] = "Practitioner"
		case a.Device != "":
			author.set("display", clean(a.Device))
			author["type"] = "Device"
		case len(a.By) > 0:
			author = object{"type": "Organization", "display": clean(a.By[0])}
		}
		if author["display"] != nil || author["identifier"] != nil {
			o.add("author", author)
		}
	}
	if k := d.Custodian; len(k.Names) > 0 {
		custodian := object{"type": "Organization"}
		custodian.set("display", clean(k.Names[0]))
		if len(k.IDs) > 0 {
			custodian.set("identifier", c.cdaIdentifier(k.IDs[0]))
		}
		o["custodian"] = custodian
	}
	if code := d.Secrecy.Code; slices.Contains([]string{"U", "L", "M", "N", "R", "V"}, code) {
		o.add("securityLabel", object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}}})
	}
	for _, rel := range d.Related {
		if code := map[string]string{"RPLC": "replaces", "APND": "appends", "XFRM": "transforms"}[rel.Type]; code != "" && len(rel.IDs) > 0 {
			if parent := c.cdaIdentifier(rel.IDs[0]); parent != nil {
				o.add("relatesTo", object{"code": code, "target": object{"type": "DocumentReference", "identifier": parent}})
			}
		}
	}
	c.content(o, &document{kind: "text/xml", bytes: raw}, title)
	a := o["content"].([]any)[0].(object)
	a["attachment"].(object).set("language", strings.TrimSpace(d.Language.Code))
	a["format"] = object{"system": "urn:oid:1.3.6.1.4.1.19376.1.2.3", "code": "urn:hl7-org:sdwg:ccda-structuredBody:2.1"}
	if !bytes.Contains(raw, []byte("structuredBody")) {
		delete(a, "format")
	}
	c.bring(r)
	c.name()
	return c, nil
}

// readCDA reads the header. encoding/xml knows no external entities, and no others than XML's own are taken.
func readCDA(raw []byte) (*cda, error) {
	if len(raw) > MaxDocument {
		return nil, fmt.Errorf("the document has more than %d bytes, the most that is taken", MaxDocument)
	}
	if err := nested(raw); err != nil {
		return nil, err
	}
	var d struct {
		XMLName xml.Name
		cda
	}
	if err := xml.Unmarshal(raw, &d); err != nil {
		return nil, errors.New("the document is no XML in UTF-8 that can be read")
	}
	if d.XMLName.Local != "ClinicalDocument" || d.XMLName.Space != cdaSpace {
		return nil, errors.New("the document is no CDA: want ClinicalDocument of " + cdaSpace)
	}
	return &d.cda, nil
}

// nested refuses what is nested too deep, what isn't one document, and document types, which declare entities.
func nested(raw []byte) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	depth, roots := 0, 0
	for {
		t, err := d.RawToken()
		if err == io.EOF && depth == 0 && roots == 1 {
			return nil
		}
		if err != nil {
			return errors.New("the document is no XML in UTF-8 that can be read")
		}
		switch t.(type) {
		case xml.Directive:
			return errors.New("the document has a document type; CDA has none")
		case xml.StartElement:
			if depth++; depth > maxNesting {
				return fmt.Errorf("the document has more than %d elements within each other", maxNesting)
			}
			if depth == 1 {
				roots++
			}
		case xml.EndElement:
			depth--
		}
	}
}

// cdaIdentifier is an II.
func (c *Change) cdaIdentifier(id cdaID) object {
	system := ""
	switch {
	case c.settings.Systems[id.Root] != "":
		system = c.settings.Systems[id.Root]
	case oid.MatchString(id.Root):
		system = "urn:oid:" + id.Root
	case uuid.MatchString(id.Root):
		system = "urn:uuid:" + strings.ToLower(id.Root)
	default:
		return nil
	}
	if id.Extension == "" {
		return object{"system": "urn:ietf:rfc:3986", "value": system}
	}
	return object{"system": system, "value": clean(id.Extension)}
}

const ssn = "2.16.840.1.113883.4.1"

func (c *Change) cdaPatient(p *cdaRole) {
	c.patient = &Resource{Type: "Patient", keep: true, join: true, body: object{}}
	o := c.patient.body
	for _, id := range p.IDs {
		i := c.cdaIdentifier(id)
		if i == nil || id.Extension == "" {
			continue
		}
		if id.Root == ssn {
			delete(i, "system")
			i["type"] = typed("SS")
		} else {
			c.Patient = append(c.Patient, keyOf(i))
		}
		o.add("identifier", i)
	}
	for _, n := range p.Names {
		name := object{}
		name.set("family", clean(strings.Join(n.Family, " ")))
		for _, part := range []struct {
			to   string
			from []string
		}{{"given", n.Given}, {"prefix", n.Prefix}, {"suffix", n.Suffix}} {
			for _, s := range part.from {
				name.add(part.to, clean(s))
			}
		}
		if len(name) == 0 {
			name.set("text", clean(n.Text))
		} else if n.Use == "L" {
			name["use"] = "official"
		}
		o.add("name", name)
	}
	o.set("gender", map[string]string{"M": "male", "F": "female", "UN": "other"}[p.Gender.Code])
	o.set("birthDate", c.date(moment(p.Birth.Value)))
	for _, a := range p.Address {
		address := object{}
		for _, line := range a.Lines {
			address.add("line", clean(line))
		}
		address.set("city", clean(a.City))
		address.set("state", clean(a.State))
		address.set("postalCode", clean(a.PostCode))
		address.set("country", clean(a.Country))
		if len(address) > 0 {
			address.set("use", map[string]string{"H": "home", "HP": "home", "HV": "home", "WP": "work", "TMP": "temp"}[a.Use])
			o.add("address", address)
		}
	}
	for _, t := range p.Telecom {
		scheme, number, _ := strings.Cut(strings.TrimSpace(t.Value), ":")
		system := map[string]string{"tel": "phone", "mailto": "email", "fax": "fax", "http": "url", "https": "url"}[strings.ToLower(scheme)]
		if number = strings.TrimPrefix(number, "//"); system == "" || number == "" {
			continue
		}
		contact := object{"system": system, "value": clean(number)}
		if system == "url" {
			contact["value"] = clean(t.Value)
		}
		contact.set("use", map[string]string{"H": "home", "HP": "home", "WP": "work", "MC": "mobile"}[t.Use])
		o.add("telecom", contact)
	}
	if len(c.Patient) > 0 {
		c.patient.Key = c.Patient[0]
	}
	c.bring(c.patient)
}

func (n *cdaName) String() string {
	all := slices.Concat(n.Prefix, n.Given, n.Family, n.Suffix)
	if len(all) == 0 {
		return clean(n.Text)
	}
	return clean(strings.Join(all, " "))
}

// clean is text on one line, without what FHIR's strings don't have.
func clean(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// moment is a TS as v2 writes it too.
func moment(ts string) value { return value{raw: ts, marks: &marks{}, level: 3} }

// concept is a CD.
func concept(cd cdaCode) any {
	coding := object{}
	coding.set("code", strings.Join(strings.Fields(cd.Code), " "))
	if len(coding) == 0 {
		return nil
	}
	switch {
	case cd.System == "2.16.840.1.113883.6.1":
		coding["system"] = "http://loinc.org"
	case cd.System == "2.16.840.1.113883.6.96":
		coding["system"] = "http://snomed.info/sct"
	case oid.MatchString(cd.System):
		coding["system"] = "urn:oid:" + cd.System
	}
	coding.set("display", clean(cd.Display))
	return object{"coding": []any{coding}}
}
