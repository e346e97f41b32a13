package ihe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"vitalog/consent"
	"vitalog/section"
)

// Granted is grants that were given together: to one member, for one purpose and time.
type Granted struct {
	ID        string // logical id of the Consent
	Status    string
	At        time.Time // when it was granted, zero if not known
	Chart     string    // id of the Patient
	Custodian string    // name of the member that tells it
	Member    string    // name of the one who may read
	Purpose   string
	From      time.Time
	Until     time.Time
	Parts     []Part
}

// Part is one section of what was granted.
type Part struct {
	Section section.Section
	Log     string
	Ranges  []consent.Range // nil: all
}

type (
	consentOut struct {
		ResourceType string      `json:"resourceType"`
		ID           string      `json:"id"`
		Meta         meta        `json:"meta"`
		Status       string      `json:"status"`
		Scope        concept     `json:"scope"`
		Category     []concept   `json:"category"`
		Patient      reference   `json:"patient"`
		DateTime     string      `json:"dateTime,omitempty"`
		Performer    []reference `json:"performer"`
		Organization []reference `json:"organization"`
		Source       struct {
			Title string `json:"title"`
		} `json:"sourceAttachment"`
		Policy    []policyURI  `json:"policy"`
		Provision provisionOut `json:"provision"`
	}
	policyURI struct {
		URI string `json:"uri"`
	}
	provisionOut struct {
		Type    string    `json:"type"`
		Period  *period   `json:"period,omitempty"`
		Actor   []actor   `json:"actor"`
		Purpose []coding  `json:"purpose"`
		Class   []coding  `json:"class"`
		Data    []dataOut `json:"data,omitempty"`
	}
	actor struct {
		Role      concept   `json:"role"`
		Reference reference `json:"reference"`
	}
	dataOut struct {
		Meaning   string    `json:"meaning"`
		Reference reference `json:"reference"`
	}
)

const pcf = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF."

// Consent is the grants as a Consent by PCF: basic, or intermediate where only some entries are shared.
func (g *Granted) Consent() []byte {
	c := consentOut{ResourceType: "Consent", ID: g.ID, Meta: meta{[]string{pcf + "consentBasic"}}, Status: g.Status,
		Scope: one(consentScope, "patient-privacy", ""), Category: []concept{one("http://loinc.org", "59284-0", "Patient Consent")},
		Patient: reference{Reference: "Patient/" + g.Chart}, Performer: []reference{{Reference: "Patient/" + g.Chart}},
		Organization: []reference{organisation(g.Custodian)}, Policy: []policyURI{{"urn:vitalog:policy:grant"}}}
	c.Source.Title = "Grants that the patient signed, on the ledger"
	if g.Status == "proposed" || g.Status == "rejected" {
		c.Source.Title = "A request that the member signed, in the patient's inbox"
	}
	if !g.At.IsZero() {
		c.DateTime = instant(g.At)
	}
	p := provisionOut{Type: "permit", Purpose: []coding{{actReason, g.Purpose, ""}},
		Actor: []actor{{one(participation, "IRCP", "information recipient"), organisation(g.Member)}}}
	if !g.From.IsZero() || !g.Until.IsZero() {
		p.Period = &period{}
		if !g.From.IsZero() {
			p.Period.Start = instant(g.From)
		}
		if !g.Until.IsZero() {
			p.Period.End = instant(g.Until.Add(-time.Millisecond)) // the end of a Period is within it
		}
	}
	for _, x := range g.Parts {
		p.Class = append(p.Class, coding{SectionSystem, x.Section.String(), ""})
		if x.Ranges != nil {
			c.Meta.Profile = []string{pcf + "consentIntermediate"}
			p.Data = append(p.Data, dataOut{"instance", reference{Identifier: &identifier{EntrySystem, x.Log + " " + rangesText(x.Ranges)}, Display: fmt.Sprintf("entries %s of %v", rangesText(x.Ranges), x.Section)}})
		}
	}
	c.Provision = p
	return encode(c)
}

// WithStatus is a Consent with another status, and all other bytes as they are.
func WithStatus(raw []byte, status string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		if end := int(d.InputOffset()); name == "status" {
			out := append([]byte{}, raw[:end-len(v)]...)
			return append(append(out, encode(status)...), raw[end:]...), nil
		}
	}
	return nil, fmt.Errorf("the Consent has no status")
}
