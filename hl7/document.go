package hl7

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// document is what an ED holds.
type document struct {
	kind  string // media type
	bytes []byte
}

func (d *document) base64() string { return base64.StdEncoding.EncodeToString(d.bytes) }

// mediaTypes are those of tables 0191 and 0291 that tell what bytes are.
var mediaTypes = map[string]string{"PDF": "application/pdf", "X-PDF": "application/pdf", "JPEG": "image/jpeg", "JPG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "TIFF": "image/tiff",
	"HTML": "text/html", "XML": "text/xml", "X-HL7-CDA-LEVEL-ONE": "text/xml", "X-HL7-CDA-LEVEL-1": "text/xml", "RTF": "text/rtf", "PLAIN": "text/plain", "TXT": "text/plain", "TEXT": "text/plain",
	"DICOM": "application/dicom", "OCTET-STREAM": "application/octet-stream"}

// document is what an ED holds, by its subtype or else its type; nil if it can't be told, or isn't decoded.
func (c *Change) document(v value) *document {
	d := &document{}
	if d.kind = mediaTypes[strings.ToUpper(v.part(3).text())]; d.kind == "" {
		d.kind = mediaTypes[strings.ToUpper(v.part(2).text())]
	}
	data := v.part(5).text()
	var err error
	switch strings.ToUpper(v.part(4).text()) {
	case "BASE64":
		d.bytes, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	case "HEX":
		d.bytes, err = hex.DecodeString(strings.Join(strings.Fields(data), ""))
	case "A", "":
		d.bytes = []byte(data)
	default:
		return nil
	}
	if d.kind == "" {
		d.kind = "application/octet-stream"
	}
	if err != nil || len(d.bytes) == 0 {
		return nil
	}
	return d
}

// documents reads MDM with content: a Binary for each document that an OBX brings, or for the text of them all, and a DocumentReference.
func (c *Change) documents() *Error {
	if why := c.readVisit("", false); why != nil {
		return why
	}
	txa := c.message.one("TXA")
	id, _ := c.ei(txa.field(12).first(), "").(object)
	if id == nil {
		return &Error{Code: Fail, Number: RequiredFieldMissing, At: "TXA-12", Text: "a document needs its number"}
	}
	status := map[string]string{"OB": "superseded", "CA": "entered-in-error"}[txa.field(19).first().text()]
	if status == "" {
		status = "current"
	}
	o := object{"status": status, "subject": &reference{c.patient}, "masterIdentifier": id, "identifier": []any{id}}
	r := &Resource{Type: "DocumentReference", Key: keyOf(id), last: true, body: o}
	o.set("docStatus", map[string]string{"AU": "final", "LA": "final", "IP": "preliminary", "IN": "preliminary", "DI": "preliminary", "PA": "preliminary", "DO": "preliminary"}[txa.field(17).first().text()])
	o.set("type", c.cwe(txa.field(2).first(), "0270"))
	if date := c.instant(txa.field(7).first()); date != "" {
		o["date"] = date
	} else {
		o.set("date", c.instant(txa.field(6).first()))
	}
	for _, v := range txa.field(9).all() {
		o.add("author", c.xcn(v))
	}
	o.set("authenticator", c.xcn(txa.field(22).first()))
	o.set("description", txa.field(25).first().text())
	if code := map[string]string{"V": "V", "R": "R", "U": "N"}[txa.field(18).first().text()]; code != "" {
		o.add("securityLabel", object{"coding": []any{object{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}}})
	}
	event := c.message.header().field(9).first().part(2).text()
	if parent := c.ei(txa.field(13).first(), ""); !empty(parent) {
		if code := map[string]string{"T06": "appends", "T10": "replaces"}[event]; code != "" {
			o.add("relatesTo", object{"code": code, "target": object{"type": "DocumentReference", "identifier": parent}})
		}
	}
	context := object{}
	if c.visit != nil {
		context.add("encounter", &reference{c.visit})
	}
	context.set("period", c.period(txa.field(4).first(), value{marks: &c.message.marks, level: 1}))
	o.set("context", context)
	var lines []string
	for _, s := range c.message.all("OBX") {
		switch s.field(2).first().text() {
		case "ED":
			if d := c.document(s.field(5).first()); d != nil {
				c.content(o, d, s.field(3).first().part(2).text())
			}
		case "RP":
			if a := c.attachment(s); !empty(a) {
				o.add("content", object{"attachment": a})
			}
		case "TX", "FT", "ST":
			for _, v := range s.field(5).all() {
				lines = append(lines, v.marks.unescape(v.raw))
			}
		}
	}
	if len(lines) > 0 {
		c.content(o, &document{kind: "text/plain; charset=utf-8", bytes: []byte(strings.Join(lines, "\n"))}, "")
	}
	if o["content"] == nil {
		return &Error{Code: Fail, Number: RequiredFieldMissing, At: "OBX-5", Text: "no OBX brings a document that can be read: ED in Base64 or hexadecimal, or text"}
	}
	c.bring(r)
	return nil
}

// content brings a document's bytes, and the attachment that leads to them.
func (c *Change) content(o object, d *document, title string) {
	b := &Resource{Type: "Binary", body: object{"contentType": d.kind, "data": d.base64(), "securityContext": &reference{c.patient}}}
	c.bring(b)
	sum := sha1.Sum(d.bytes)
	a := object{"contentType": d.kind, "url": &address{b}, "size": len(d.bytes), "hash": base64.StdEncoding.EncodeToString(sum[:])}
	a.set("title", title)
	o.add("content", object{"attachment": a})
}

// address is where another resource of the change is, as a URL.
type address struct{ of *Resource }

func (a *address) MarshalJSON() ([]byte, error) { return encode(a.of.address) }
