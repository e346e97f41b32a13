package fhir

import (
	"fmt"
	"io"
	"strconv"
)

// Severity of an issue.
type Severity string

const (
	Failure     Severity = "error"
	Warning     Severity = "warning"
	Information Severity = "information"
)

// Issue is one statement of an OperationOutcome.
type Issue struct {
	Severity Severity
	Code     string // of FHIR's issue-type value set: "not-found", "forbidden", "value" …
	Text     string // for people; "" leaves it out
	Element  string // FHIRPath; "" leaves it out
	Line     int    // of what was sent, from 1; 0 leaves line and column out
	Column   int
}

// Outcome is the OperationOutcome that states the issues, of which there must be one.
func Outcome(issues ...Issue) []byte {
	out := []byte(`{"resourceType":"OperationOutcome","issue":[`)
	for i, x := range issues {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, `{"severity":`...), quote(string(x.Severity))...)
		out = append(append(out, `,"code":`...), quote(x.Code)...)
		if x.Text != "" {
			out = append(append(out, `,"diagnostics":`...), quote(x.Text)...)
		}
		if x.Element != "" {
			out = append(append(append(out, `,"expression":[`...), quote(x.Element)...), ']')
		}
		if x.Line > 0 {
			out = fmt.Appendf(out, `,"location":["Line[%d] Col[%d]"]`, x.Line, x.Column)
			out = fmt.Appendf(out, `,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line","valueInteger":%d},`+
				`{"url":"http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col","valueInteger":%d}]`, x.Line, x.Column)
		}
		out = append(out, '}')
	}
	return append(out, ']', '}')
}

// BundleWriter writes a Bundle to a stream, resources byte for byte. Errors of the stream show in Close.
type BundleWriter struct {
	w   io.Writer
	n   int
	err error
}

// Link is a Bundle.link, "self" or "next".
type Link struct{ Relation, URL string }

// Out is one entry of an answer. Empty fields are left out.
type Out struct {
	FullURL      string
	Resource     []byte // JSON, written as it is
	Mode         string // of search: "match", "include", "outcome"
	Score        string // of search: a decimal from 0 to 1; with Mode
	Grade        string // of search, as R4's match-grade has it: "certain"; with Mode
	Method, URL  string // of request, which entries of a history carry
	Status       string // of response: "201 Created"
	Location     string
	ETag         string
	LastModified string
	Outcome      []byte // JSON
}

// NewBundleWriter begins a Bundle of a type such as "searchset" or "transaction-response". total < 0 leaves total out.
func NewBundleWriter(w io.Writer, bundleType string, total int, links ...Link) *BundleWriter {
	b := &BundleWriter{w: w}
	out := append([]byte(`{"resourceType":"Bundle","type":`), quote(bundleType)...)
	if total >= 0 {
		out = strconv.AppendInt(append(out, `,"total":`...), int64(total), 10)
	}
	for i, l := range links {
		out = append(out, []string{`,"link":[`, `,`}[min(i, 1)]...)
		out = append(append(out, `{"relation":`...), quote(l.Relation)...)
		out = append(append(append(out, `,"url":`...), quote(l.URL)...), '}')
	}
	if len(links) > 0 {
		out = append(out, ']')
	}
	b.write(out)
	return b
}

// Entry appends one entry.
func (b *BundleWriter) Entry(e Out) {
	out := []byte(`,"entry":[{`)
	if b.n++; b.n > 1 {
		out = []byte(`,{`)
	}
	o := object{out: out, empty: true}
	o.text("fullUrl", e.FullURL)
	if e.Resource != nil {
		o.name("resource")
		b.write(o.out) // not copied: a resource may be large
		b.write(e.Resource)
		o.out = nil
	}
	if e.Mode != "" {
		o.open("search")
		if e.Grade != "" {
			o.name("extension")
			o.out = append(append(append(o.out, `[{"url":"http://hl7.org/fhir/StructureDefinition/match-grade","valueCode":`...), quote(e.Grade)...), "}]"...)
		}
		o.text("mode", e.Mode)
		if e.Score != "" {
			o.name("score")
			o.out = append(o.out, e.Score...)
		}
		o.close()
	}
	if e.Method != "" {
		o.open("request")
		o.text("method", e.Method)
		o.text("url", e.URL)
		o.close()
	}
	if e.Status != "" {
		o.open("response")
		o.text("status", e.Status)
		o.text("location", e.Location)
		o.text("etag", e.ETag)
		o.text("lastModified", e.LastModified)
		if e.Outcome != nil {
			o.name("outcome")
			o.out = append(o.out, e.Outcome...)
		}
		o.close()
	}
	b.write(append(o.out, '}'))
}

// Close ends the Bundle and tells the first error of the stream.
func (b *BundleWriter) Close() error {
	if b.n > 0 {
		b.write([]byte{']'})
	}
	b.write([]byte{'}'})
	return b.err
}

func (b *BundleWriter) write(p []byte) {
	if b.err == nil {
		_, b.err = b.w.Write(p)
	}
}

// object writes members with the commas between them.
type object struct {
	out   []byte
	empty bool
}

func (o *object) name(n string) {
	if !o.empty {
		o.out = append(o.out, ',')
	}
	o.empty = false
	o.out = append(append(append(o.out, '"'), n...), '"', ':')
}

func (o *object) text(n, v string) {
	if v != "" {
		o.name(n)
		o.out = append(o.out, quote(v)...)
	}
}

func (o *object) open(n string) {
	o.name(n)
	o.out = append(o.out, '{')
	o.empty = true
}

func (o *object) close() {
	o.out = append(o.out, '}')
	o.empty = false
}
