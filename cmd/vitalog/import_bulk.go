package main

import (
	"bytes"
	"fmt"

	"vitalog/chart"
	"vitalog/fhir"
)

const (
	bulkBase  = "https://bulk.invalid/" // of the fullUrls of resources that refer to each other by type and id
	bulkBatch = 200                     // lines in a batch
)

// line is one resource of a file of lines.
type line struct {
	from   string
	number int
	raw    []byte
	kind   string
	id     string
}

// bulk puts the resources of a bulk data export together again: a transaction for each patient, batches for the rest.
type bulk struct {
	directory []line
	patients  []string // Patient/id, in the order in which they came
	of        map[string][]line
	here      map[string]bool // patients who come themselves
	others    []line
}

// file takes the lines of a file. A line that is a bundle, or no resource, is a document of its own.
func (b *bulk) file(path string) (out []document, err error) {
	raw, err := readFile(path)
	if err != nil {
		return nil, err
	}
	n := 0
	for l := range bytes.Lines(raw) {
		n++
		if l = bytes.TrimSpace(l); len(l) > 0 {
			out = append(out, b.take(line{from: path, number: n, raw: l})...)
		}
	}
	return out, nil
}

func (b *bulk) take(l line) []document {
	r, err := fhir.Parse(l.raw)
	if isBundle(l.raw) || err != nil { // what is no resource is refused with the reason
		return []document{{name: fmt.Sprintf("%s, line %d", l.from, l.number), read: func() ([]byte, error) {
			if isBundle(l.raw) {
				return l.raw, nil
			}
			return nil, err
		}}}
	}
	l.kind, l.id = r.Type(), r.ID()
	subject := r.Subject()
	if l.kind == "Patient" && l.id != "" {
		subject = "Patient/" + l.id
		if b.here == nil {
			b.here = map[string]bool{}
		}
		b.here[subject] = true
	}
	_, listed, err := chart.Place(r)
	switch p := fhir.ParseReference(subject); {
	case err == nil && listed:
		b.directory = append(b.directory, l)
	case p.Type == "Patient" && p.ID != "" && p.Base == "":
		if b.of == nil {
			b.of = map[string][]line{}
		}
		if b.of[subject] == nil {
			b.patients = append(b.patients, subject)
		}
		b.of[subject] = append(b.of[subject], l)
	default:
		b.others = append(b.others, l)
	}
	return nil
}

// documents are what the lines make.
func (b *bulk) documents() (out []document) {
	others := b.others
	out = append(out, batches(b.directory, true)...)
	for _, p := range b.patients {
		if !b.here[p] {
			others = append(others, b.of[p]...)
			continue
		}
		l := b.of[p]
		out = append(out, document{name: fmt.Sprintf("%s, line %d and what belongs to it", l[0].from, l[0].number), read: func() ([]byte, error) { return bundleOf("transaction", l), nil }})
	}
	return append(out, batches(others, false)...)
}

func batches(lines []line, first bool) (out []document) {
	for len(lines) > 0 {
		l := lines[:min(bulkBatch, len(lines))]
		lines = lines[len(l):]
		name := fmt.Sprintf("%s, line %d to %s, line %d", l[0].from, l[0].number, l[len(l)-1].from, l[len(l)-1].number)
		out = append(out, document{name: name, first: first, read: func() ([]byte, error) { return bundleOf("batch", l), nil }})
	}
	return out
}

// bundleOf makes a bundle of resources. The same lines make the same bytes, which are its key.
func bundleOf(kind string, lines []line) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"resourceType":"Bundle","type":%q,"entry":[`, kind)
	for i, l := range lines {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('{')
		if l.id != "" {
			fmt.Fprintf(&out, `"fullUrl":%q,`, bulkBase+l.kind+"/"+l.id)
		}
		fmt.Fprintf(&out, `"resource":%s,"request":{"method":"POST","url":%q}}`, l.raw, l.kind)
	}
	out.WriteString("]}")
	return out.Bytes()
}
