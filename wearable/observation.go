package wearable

import (
	"encoding/json"
	"strings"
)

type quantity struct {
	Value  json.Number `json:"value"`
	Unit   string      `json:"unit"`
	System string      `json:"system"`
	Code   string      `json:"code"`
}

type concept struct {
	Coding []coding `json:"coding"`
	Text   string   `json:"text,omitempty"`
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

type component struct {
	Code  concept  `json:"code"`
	Value quantity `json:"valueQuantity"`
}

func loinc(code, name string) concept {
	return concept{[]coding{{"http://loinc.org", code, name}}, name}
}

func (r *Reading) quantity(v json.Number) quantity {
	return quantity{v, names.Replace(r.unit), "http://unitsofmeasure.org", r.unit}
}

// names are how people write units that UCUM writes otherwise.
var names = strings.NewReplacer("mm[Hg]", "mmHg", "[lb_av]", "lb", "[in_i]", "in", "{steps}", "steps", "Cel", "°C")

// Observation is the reading in FHIR JSON: the same reading has the same bytes.
func (r *Reading) Observation() ([]byte, error) {
	var o struct {
		Type      string    `json:"resourceType"`
		Status    string    `json:"status"`
		Category  []concept `json:"category"`
		Code      concept   `json:"code"`
		At        string    `json:"effectiveDateTime,omitempty"`
		Period    any       `json:"effectivePeriod,omitempty"`
		Value     *quantity `json:"valueQuantity,omitempty"`
		Device    any       `json:"device,omitempty"`
		Component []any     `json:"component,omitempty"`
	}
	o.Type, o.Status, o.Code = "Observation", "final", loinc(r.of.code, r.of.name)
	o.Category = []concept{{Coding: []coding{{"http://terminology.hl7.org/CodeSystem/observation-category", "activity", ""}}}}
	const layout = "2006-01-02T15:04:05.999999999-07:00"
	if r.to.Equal(r.from) {
		o.At = r.from.Format(layout)
	} else {
		o.Period = map[string]string{"start": r.from.Format(layout), "end": r.to.Format(layout)}
	}
	if r.source != "" {
		o.Device = map[string]string{"display": r.source}
	}
	for _, p := range r.parts {
		o.Component = append(o.Component, component{loinc(p.of.code, p.of.name), r.quantity(p.value)})
	}
	if r.value != "" {
		q := r.quantity(r.value)
		o.Value = &q
	}
	return json.Marshal(o)
}
