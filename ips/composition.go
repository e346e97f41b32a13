package ips

import (
	"bytes"
	"encoding/json"
	"time"
)

const loinc = "http://loinc.org"

type (
	composition struct {
		Type       string        `json:"resourceType"`
		Meta       profiles      `json:"meta"`
		Text       narrativeText `json:"text"`
		Identifier identifier    `json:"identifier"`
		Status     string        `json:"status"`
		Kind       concept       `json:"type"`
		Subject    reference     `json:"subject"`
		Date       string        `json:"date"`
		Author     []reference   `json:"author"`
		Title      string        `json:"title"`
		Custodian  reference     `json:"custodian"`
		Section    []sectionOut  `json:"section"`
	}
	sectionOut struct {
		Title string        `json:"title"`
		Code  concept       `json:"code"`
		Text  narrativeText `json:"text"`
		Entry []reference   `json:"entry,omitempty"`
		Empty *concept      `json:"emptyReason,omitempty"`
	}
	narrativeText struct {
		Status string `json:"status"`
		Div    string `json:"div"`
	}
	profiles struct {
		Profile []string `json:"profile"`
	}
	identifier struct {
		System string `json:"system"`
		Value  string `json:"value"`
	}
	reference struct {
		Reference string `json:"reference"`
	}
	named struct {
		Reference string `json:"reference"`
		Display   string `json:"display,omitempty"`
	}
	concept struct {
		Coding []coding `json:"coding,omitempty"`
		Text   string   `json:"text,omitempty"`
	}
	coding struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display,omitempty"`
	}
	deviceUse struct {
		Type    string          `json:"resourceType"`
		Status  string          `json:"status"`
		Subject reference       `json:"subject"`
		Timing  json.RawMessage `json:"_timingDateTime"`
		Device  named           `json:"device"`
	}
	software struct {
		Type       string       `json:"resourceType"`
		Identifier []identifier `json:"identifier"`
		Name       []deviceName `json:"deviceName"`
		Owner      reference    `json:"owner"`
	}
	deviceName struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	organization struct {
		Type       string       `json:"resourceType"`
		Identifier []identifier `json:"identifier"`
		Name       string       `json:"name"`
	}
)

// section is a part with its entries, or with the reason why it has none.
func (d *document) section(p *part, all []*entry) sectionOut {
	out := sectionOut{Title: p.title, Code: concept{Coding: []coding{{loinc, p.code, p.display}}}, Text: text(d.narrative(p.title, all))}
	for _, e := range all {
		out.Entry = append(out.Entry, reference{e.fullURL})
	}
	if len(all) == 0 {
		out.Empty = &concept{[]coding{{"http://terminology.hl7.org/CodeSystem/list-empty-reason", "unavailable", "Unavailable"}}, "No information available"}
	}
	return out
}

func text(div string) narrativeText { return narrativeText{"generated", div} }

// authors are the software that composed the document, as IPS has it for those that nobody curated, and the member that answers for it.
func (d *document) authors() (device, member *entry) {
	member = &entry{fullURL: d.uuid("member"), resource: encode(organization{"Organization", []identifier{{"urn:vitalog:member", d.Member}}, d.Member})}
	device = &entry{fullURL: d.uuid("software"), resource: encode(software{"Device", []identifier{{"urn:vitalog:member", d.Member}},
		[]deviceName{{"Vitalog", "manufacturer-name"}}, reference{member.fullURL}})}
	return device, member
}

// instant is a moment as FHIR has it, to the millisecond.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// encode never fails: what it is given are structs of strings. Angle brackets stay, for who reads narratives.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
