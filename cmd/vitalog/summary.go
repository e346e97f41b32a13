package main

import (
	"encoding/json"
	"net/url"
	"strings"
)

// summary is a resource in one line, for people. What it can't say stays in the resource.
type summary struct {
	Type, ID, Version string
	When              string // as recorded, to the day or the minute
	What, Value       string
}

// coded is a CodeableConcept.
type coded struct {
	Text   string `json:"text"`
	Coding []struct {
		Display string `json:"display"`
		Code    string `json:"code"`
	} `json:"coding"`
}

func (c *coded) words() string {
	if c == nil {
		return ""
	}
	if c.Text != "" {
		return c.Text
	}
	for _, x := range c.Coding {
		if x.Display != "" {
			return x.Display
		}
		if x.Code != "" {
			return x.Code
		}
	}
	return ""
}

type measured struct {
	Value json.Number `json:"value"` // digit by digit as it was written: 1.50 stays 1.50
	Unit  string      `json:"unit"`
}

func (m *measured) words() string {
	if m == nil || m.Value == "" {
		return ""
	}
	return strings.TrimSpace(m.Value.String() + " " + unitWords(m.Unit))
}

// unitWords writes a UCUM unit as people do.
func unitWords(unit string) string { return strings.NewReplacer("[", "", "]", "").Replace(unit) }

type period struct {
	Start string `json:"start"`
}

// shown are the elements of FHIR resources that a line is made of.
type shown struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Meta         struct {
		VersionID string `json:"versionId"`
	} `json:"meta"`
	Status  string          `json:"status"`
	Name    json.RawMessage `json:"name"`
	Code    json.RawMessage `json:"code"`
	Type    json.RawMessage `json:"type"`
	Vaccine *coded          `json:"vaccineCode"`
	Drug    *coded          `json:"medicationCodeableConcept"`

	Quantity  *measured `json:"valueQuantity"`
	String    string    `json:"valueString"`
	Concept   *coded    `json:"valueCodeableConcept"`
	Component []struct {
		Quantity *measured `json:"valueQuantity"`
	} `json:"component"`

	Effective       string  `json:"effectiveDateTime"`
	EffectivePeriod *period `json:"effectivePeriod"`
	Authored        string  `json:"authoredOn"`
	HandedOver      string  `json:"whenHandedOver"`
	Occurrence      string  `json:"occurrenceDateTime"`
	Performed       string  `json:"performedDateTime"`
	PerformedPeriod *period `json:"performedPeriod"`
	Onset           string  `json:"onsetDateTime"`
	Recorded        string  `json:"recordedDate"`
	Date            string  `json:"date"`
	Created         string  `json:"created"`
	Period          *period `json:"period"`
	Birth           string  `json:"birthDate"`
	Issued          string  `json:"issued"`
}

// summarise reads what it can of a resource; what is missing or of another shape stays empty.
func summarise(raw []byte) summary {
	var r shown
	_ = json.Unmarshal(raw, &r) // elements of another shape are left empty
	s := summary{Type: r.ResourceType, ID: r.ID, Version: r.Meta.VersionID}
	for _, p := range []*period{r.EffectivePeriod, r.PerformedPeriod, r.Period} {
		if p != nil && s.When == "" {
			s.When = p.Start
		}
	}
	for _, t := range []string{r.Effective, r.Authored, r.HandedOver, r.Occurrence, r.Performed, r.Onset, r.Recorded, r.Date, r.Created, r.Birth, r.Issued} {
		if t != "" && s.When == "" {
			s.When = t
		}
	}
	s.When = strings.Replace(s.When[:min(len(s.When), len("2006-01-02T15:04"))], "T", " ", 1)
	for _, t := range []string{humanName(r.Name), oneConcept(r.Code), r.Drug.words(), r.Vaccine.words(), oneConcept(r.Type)} {
		if t != "" && s.What == "" {
			s.What = t
		}
	}
	s.Value = r.Quantity.words()
	if s.Value == "" {
		s.Value = r.String + r.Concept.words()
	}
	if s.Value == "" {
		s.Value = r.components()
	}
	if s.Value == "" {
		s.Value = r.Status
	}
	return s
}

// components joins parts of one unit as a blood pressure is written: 109/75 mmHg.
func (r *shown) components() string {
	var values []string
	unit := ""
	for i, c := range r.Component {
		if c.Quantity == nil || i > 0 && c.Quantity.Unit != unit {
			return ""
		}
		unit = c.Quantity.Unit
		values = append(values, c.Quantity.Value.String())
	}
	return strings.TrimSpace(strings.Join(values, "/") + " " + unitWords(unit))
}

// oneConcept reads a CodeableConcept or the first of a list of them.
func oneConcept(raw json.RawMessage) string {
	var one coded
	if json.Unmarshal(raw, &one) == nil {
		return one.words()
	}
	var list []coded
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list[0].words()
	}
	return ""
}

// humanName reads a person's or an organisation's name.
func humanName(raw json.RawMessage) string {
	var plain string
	if json.Unmarshal(raw, &plain) == nil {
		return plain
	}
	var list []struct {
		Text   string   `json:"text"`
		Given  []string `json:"given"`
		Family string   `json:"family"`
	}
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return ""
	}
	if list[0].Text != "" {
		return list[0].Text
	}
	return strings.TrimSpace(strings.Join(list[0].Given, " ") + " " + list[0].Family)
}

// query is one parameter of a search.
func query(name, value string) string { return url.Values{name: {value}}.Encode() }
