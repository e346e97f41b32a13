package ips

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/fhir"
)

// entry is one of the document's.
type entry struct {
	fullURL  string
	resource []byte
	day      string // of the care, for the narrative
}

// candidate is what may be in a part.
type candidate struct {
	v    *chart.Version
	made *entry    // instead of the version
	id   string    // type and id
	day  string    // of the care, "" if it isn't said
	at   time.Time // of the care, or of its record
	code string    // of which only the newest counts
}

// document is one that is being composed.
type document struct {
	*Summary
	have    map[string]*entry // by type and id
	entries []*entry
}

// Document is the summary: a Bundle of type document.
func (s *Summary) Document() ([]byte, error) {
	d := &document{Summary: s, have: map[string]*entry{}}
	patient, err := d.patient()
	if err != nil {
		return nil, err
	}
	device, member := d.authors()
	c := composition{Type: "Composition", Meta: profiles{[]string{CompositionProfile}}, Status: "final",
		Kind: concept{Coding: []coding{{loinc, "60591-5", "Patient summary Document"}}}, Title: "International Patient Summary", Date: instant(s.At),
		Subject: reference{patient.fullURL}, Author: []reference{{device.fullURL}}, Custodian: reference{member.fullURL},
		Identifier: identifier{"urn:ietf:rfc:3986", d.uuid("composition")}}
	d.add(patient)
	within := make([][]*entry, len(parts))
	for i := range parts {
		if within[i], err = d.part(&parts[i]); err != nil {
			return nil, err
		}
	}
	if err := d.follow(); err != nil {
		return nil, err
	}
	for i, all := range within {
		if p := &parts[i]; len(all) > 0 || p.required {
			c.Section = append(c.Section, d.section(p, all))
		}
	}
	c.Text = text(fmt.Sprintf(`<div xmlns="http://www.w3.org/1999/xhtml"><p>International Patient Summary of %s, composed by %s. It has %d sections.</p></div>`,
		clean(instant(s.At)), clean(s.Member), len(c.Section)))
	first := &entry{fullURL: c.Identifier.Value, resource: encode(c)}
	d.entries = append(append([]*entry{first}, d.entries...), device, member)
	return d.bundle(), nil
}

// patient is the chart's, or one of whom only the id is known.
func (d *document) patient() (*entry, error) {
	if res := d.Chart.Get("Patient", d.Patient); res != nil && !res.Deleted() {
		return d.entryOf(res.Current().Render(""))
	}
	return d.entryOf(encode(struct {
		Type string `json:"resourceType"`
		ID   string `json:"id"`
	}{"Patient", d.Patient}))
}

// part are the entries of a part, newest first, which are the document's too from then on.
func (d *document) part(p *part) (all []*entry, err error) {
	var found []candidate
	for _, kind := range p.types {
		for _, res := range d.Chart.Of(kind) {
			v := res.Current()
			if r := v.Item.Resource(); !res.Deleted() && !wrong(v, r) && p.takes(v, r) {
				found = append(found, candidateOf(v))
			}
		}
	}
	if p.types[0] == "DeviceUseStatement" {
		found = append(found, d.worn(found)...)
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Or(b.at.Compare(a.at), strings.Compare(a.id, b.id)) })
	seen := map[string]bool{}
	for _, c := range found {
		if p.newest && c.code != "" && seen[c.code] {
			continue
		}
		seen[c.code] = true
		e := c.made
		if e == nil {
			if e, err = d.entryOf(c.v.Render("")); err != nil {
				return nil, err
			}
		}
		e.day = c.day
		d.add(e)
		all = append(all, e)
	}
	return all, nil
}

func (d *document) add(e *entry) {
	if d.have[e.fullURL] == nil {
		d.have[e.fullURL] = e
		d.entries = append(d.entries, e)
	}
}

// entryOf is an entry of a resource that the endpoint has, as IPS needs it.
func (d *document) entryOf(raw []byte) (*entry, error) {
	r, err := fhir.Parse(raw)
	if r == nil {
		return nil, fmt.Errorf("patient summary: a resource of the chart can't be read: %w", err)
	}
	return &entry{fullURL: d.Base + "/" + r.Type() + "/" + r.ID(), resource: complete(r)}, nil
}

// codeOf is what a resource is about, as far as it can be compared.
func codeOf(r *fhir.Resource) string {
	if all := r.Codings("code"); len(all) > 0 {
		return r.Type() + " " + all[0].System + "|" + all[0].Code
	}
	if all := r.Strings("code.text"); len(all) > 0 {
		return r.Type() + " " + all[0]
	}
	return ""
}

// cared is where a resource says when it was so.
const cared = "effectiveDateTime|effectivePeriod|effectiveInstant|performedDateTime|performedPeriod|occurrenceDateTime|onsetDateTime|onsetPeriod|timingDateTime|" +
	"timingPeriod|authoredOn|dateAsserted|recordedDate|period|dateTime|date|issued"

// days are where the day is that a narrative tells: as it was written, where the care was.
const days = "effectiveDateTime|effectivePeriod.start|effectiveInstant|performedDateTime|performedPeriod.start|occurrenceDateTime|onsetDateTime|onsetPeriod.start|" +
	"timingDateTime|timingPeriod.start|authoredOn|dateAsserted|recordedDate|period.start|dateTime|date|issued"

func candidateOf(v *chart.Version) candidate {
	r := v.Item.Resource()
	c := candidate{v: v, id: v.Item.Type + "/" + v.Item.ID, at: v.Updated(), code: codeOf(r)}
	if times := r.Dates(cared); len(times) > 0 {
		if c.at = times[0].From; c.at.IsZero() {
			c.at = times[0].To
		}
	}
	if said := r.Strings(days); len(said) > 0 {
		c.day = said[0][:min(len(time.DateOnly), len(said[0]))]
	}
	return c
}

// worn are statements on the patient's devices that none of those there is about.
func (d *document) worn(said []candidate) (all []candidate) {
	about := map[string]bool{}
	for _, c := range said {
		r := c.v.Item.Resource()
		for _, ref := range fhir.Links(r, c.v.Identity(), "device") {
			about[ref.ID] = true
		}
	}
	for _, res := range d.Chart.Of("Device") {
		v := res.Current()
		r := v.Item.Resource()
		if res.Deleted() || wrong(v, r) || !is(r, "status", "", "active") || about[res.ID] || v.Subject() != "Patient/"+d.Patient {
			continue
		}
		use := deviceUse{Type: "DeviceUseStatement", Status: "active", Subject: reference{d.Base + "/Patient/" + d.Patient}, Timing: json.RawMessage(unknown),
			Device: named{d.Base + "/Device/" + res.ID, words(fhir.Value(r.Raw()).Get("type"))}}
		all = append(all, candidate{id: "Device/" + res.ID, at: v.Updated(), made: &entry{fullURL: d.uuid("use " + res.ID), resource: encode(use)}})
	}
	return all
}

// follow adds what entries refer to, until nothing is new.
func (d *document) follow() error {
	for i := 0; i < len(d.entries); i++ {
		r, err := fhir.Parse(d.entries[i].resource)
		if r == nil {
			return fmt.Errorf("patient summary: following references: %w", err)
		}
		var failed error
		r.References(func(ref string) {
			x := fhir.ParseReference(ref)
			if x.ID == "" || x.Type == "Patient" || x.Base != "" && x.Base != d.Base || d.have[d.Base+"/"+x.Type+"/"+x.ID] != nil {
				return
			}
			raw := d.Listed(x.Type, x.ID)
			if res := d.Chart.Get(x.Type, x.ID); res != nil && !res.Deleted() {
				raw = res.Current().Render("")
			}
			if raw == nil {
				return
			}
			e, err := d.entryOf(raw)
			if err != nil {
				failed = err
				return
			}
			d.add(e)
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// bundle writes the entries as they are.
func (d *document) bundle() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"resourceType":"Bundle","meta":{"profile":["%s"]},"identifier":%s,"type":"document","timestamp":"%s","entry":[`, BundleProfile,
		encode(identifier{"urn:ietf:rfc:3986", uuidText(d.ID)}), instant(d.At))
	for i, e := range d.entries {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"fullUrl":%s,"resource":`, encode(e.fullURL))
		b.Write(e.resource)
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return b.Bytes()
}
