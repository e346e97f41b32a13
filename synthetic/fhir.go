package synthetic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// The systems of codes.
const (
	loincSystem  = "http://loinc.org"
	snomedSystem = "http://snomed.info/sct"
	rxnormSystem = "http://www.nlm.nih.gov/research/umls/rxnorm"
	cvxSystem    = "http://hl7.org/fhir/sid/cvx"
	ucumSystem   = "http://unitsofmeasure.org"
	actSystem    = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	hl7Codes     = "http://terminology.hl7.org/CodeSystem/"
)

// The elements of FHIR that the resources are made of. Field order is the order in the JSON.
type (
	coding struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display,omitempty"`
	}
	concept struct {
		Coding []coding `json:"coding,omitempty"`
		Text   string   `json:"text,omitempty"`
	}
	identifier struct {
		System string `json:"system"`
		Value  string `json:"value"`
	}
	reference struct {
		Reference  string      `json:"reference,omitempty"`
		Type       string      `json:"type,omitempty"`
		Identifier *identifier `json:"identifier,omitempty"`
		Display    string      `json:"display,omitempty"`
	}
	quantity struct {
		Value  json.Number `json:"value"`
		Unit   string      `json:"unit"`
		System string      `json:"system,omitempty"`
		Code   string      `json:"code,omitempty"`
	}
	span struct {
		Start string `json:"start"`
		End   string `json:"end,omitempty"`
	}
	meta struct {
		Security []coding `json:"security,omitempty"`
	}
	referenceRange struct {
		Low  *quantity `json:"low,omitempty"`
		High *quantity `json:"high,omitempty"`
	}
	dosage struct {
		Text     string  `json:"text"`
		AsNeeded bool    `json:"asNeededBoolean,omitempty"`
		Route    concept `json:"route"`
	}
	humanName struct {
		Use    string   `json:"use"`
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
	}
	contactPoint struct {
		System string `json:"system"`
		Value  string `json:"value"`
		Use    string `json:"use"`
	}
	address struct {
		Use        string   `json:"use"`
		Line       []string `json:"line"`
		City       string   `json:"city"`
		PostalCode string   `json:"postalCode"`
		Country    string   `json:"country"`
	}
	money struct {
		Value    json.Number `json:"value"`
		Currency string      `json:"currency"`
	}
)

// in is a concept of one code.
func in(c coding, text string) concept { return concept{Coding: []coding{c}, Text: text} }

// hl7 is a concept of one of HL7's own code systems.
func hl7(system, code string) concept {
	return concept{Coding: []coding{{System: hl7Codes + system, Code: code}}}
}

// decimal writes v × 10^-scale with all its places, as a device prints it.
func decimal(v, scale int) json.Number {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	pow := 1
	for range scale {
		pow *= 10
	}
	if scale == 0 {
		return json.Number(fmt.Sprintf("%s%d", sign, v))
	}
	return json.Number(fmt.Sprintf("%s%d.%0*d", sign, v/pow, scale, v%pow))
}

func (m *measure) quantity(v int) *quantity {
	return &quantity{Value: decimal(v, m.scale), Unit: m.unit, System: ucumSystem, Code: m.unit}
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// bundle is a transaction in the making.
type bundle struct {
	w       *life
	entries []entry
}

type entry struct {
	FullURL  string  `json:"fullUrl"`
	Resource any     `json:"resource"`
	Request  request `json:"request"`
}

type request struct {
	Method      string `json:"method"`
	URL         string `json:"url"`
	IfNoneExist string `json:"ifNoneExist,omitempty"`
}

// add puts a new resource of the type into the transaction and tells how others in it refer to it.
func (b *bundle) add(kind string, resource any) *reference {
	url := "urn:uuid:" + b.w.ids.uuid()
	b.entries = append(b.entries, entry{url, resource, request{Method: "POST", URL: kind}})
	return &reference{Reference: url}
}

// send makes the transaction a batch of the patient.
func (b *bundle) send(from Source, at time.Time) {
	body := encode(struct {
		ResourceType string  `json:"resourceType"`
		Type         string  `json:"type"`
		Entry        []entry `json:"entry"`
	}{"Bundle", "transaction", b.entries})
	b.w.patient.Batches = append(b.w.patient.Batches, Batch{Source: from, At: at.UTC().Truncate(time.Minute), Bundle: body})
}

// encode is JSON without HTML escapes, so that a text is found in it as it is written.
func encode(v any) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("synthetic: " + err.Error()) // own types only
	}
	return bytes.TrimSpace(buf.Bytes())
}
