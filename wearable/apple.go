// Package wearable reads what phones and watches export, and says it in FHIR R4.
//
// It promises that a file of any length is read in bounded memory, that a value keeps its digits or is converted by the unit that stands with
// it, and that a time keeps its zone. It leaves out what it has no code for, and counts it.
//
//	<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch" unit="count/min" startDate="2026-03-02 08:30:00 +0100"
//	 endDate="2026-03-02 08:30:00 +0100" value="61"/>
//	→ {"resourceType":"Observation","status":"final",…,"effectiveDateTime":"2026-03-02T08:30:00+01:00","valueQuantity":{"value":61,"unit":"/min",…},…}
//
// See spec/device.md.
package wearable

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Limits of an export.
const (
	maxToken = 1 << 20 // bytes of one element's begin, one text or one comment
	maxDepth = 32
	maxText  = 128 // bytes of a source's name
)

// Reading is one measurement.
type Reading struct {
	from, to time.Time
	source   string
	of       *measure
	value    json.Number
	unit     string      // UCUM
	second   json.Number // of a blood pressure: diastolic
}

// Day is the date on which it was made, where it was made: 2026-03-02.
func (r *Reading) Day() string { return r.from.Format(time.DateOnly) }

// measure is a kind of reading.
type measure struct {
	code, name string // LOINC
	units      map[string]unit
}

// unit says how a value of an exported unit is told in UCUM.
type unit struct {
	ucum          string
	factor, shift float64 // value × factor + shift; factor 0: as it is
}

var perMinute = map[string]unit{"count/min": {ucum: "/min"}}

// measures are the types of Apple Health that have a code here (LOINC as in HealthKitOnFHIR).
var measures = map[string]*measure{
	"HKQuantityTypeIdentifierHeartRate":                {"8867-4", "Heart rate", perMinute},
	"HKQuantityTypeIdentifierRestingHeartRate":         {"40443-4", "Heart rate --resting", perMinute},
	"HKQuantityTypeIdentifierRespiratoryRate":          {"9279-1", "Respiratory rate", perMinute},
	"HKQuantityTypeIdentifierHeartRateVariabilitySDNN": {"80404-7", "R-R interval.standard deviation (Heart rate variability)", map[string]unit{"ms": {ucum: "ms"}, "s": {"ms", 1000, 0}}},
	"HKQuantityTypeIdentifierOxygenSaturation":         {"59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", map[string]unit{"%": {"%", 100, 0}}}, // exported as a fraction
	"HKQuantityTypeIdentifierBodyTemperature":          {"8310-5", "Body temperature", map[string]unit{"degC": {ucum: "Cel"}, "degF": {"Cel", 5. / 9, -160. / 9}}},
	"HKQuantityTypeIdentifierBodyMass":                 {"29463-7", "Body weight", map[string]unit{"kg": {ucum: "kg"}, "g": {ucum: "g"}, "lb": {ucum: "[lb_av]"}, "st": {"kg", 6.35029318, 0}}},
	"HKQuantityTypeIdentifierHeight":                   {"8302-2", "Body height", map[string]unit{"cm": {ucum: "cm"}, "m": {"cm", 100, 0}, "in": {ucum: "[in_i]"}, "ft": {"[in_i]", 12, 0}}},
	"HKQuantityTypeIdentifierBodyMassIndex":            {"39156-5", "Body mass index (BMI) [Ratio]", map[string]unit{"count": {ucum: "kg/m2"}}},
	"HKQuantityTypeIdentifierStepCount":                {"55423-8", "Number of steps", map[string]unit{"count": {ucum: "{steps}"}}},
	"HKQuantityTypeIdentifierBloodGlucose":             {"41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer", map[string]unit{"mg/dL": {ucum: "mg/dL"}, "mmol<180.1558800000541>/L": {"mg/dL", 18.015588, 0}}},
}

var bloodPressure = &measure{"85354-9", "Blood pressure panel with all children optional", nil}

// Apple reads an export.xml of Apple Health and calls each with one reading after the other, in the order of the file. left counts records that
// were left out: of types without a code, with units or values that can't be told. An error of each ends the reading and is returned as it is.
//
// Blood pressures are taken from their correlations, which have both values; the records of each alone repeat them.
func Apple(r io.Reader, each func(*Reading) error) (left int, err error) {
	in := &budget{r: r}
	d := xml.NewDecoder(in)
	var path []string
	var pressure *Reading // within a correlation
	for {
		in.left = maxToken
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if path == nil {
				return left, errors.New("this is no export of Apple Health: it has no HealthData")
			}
			return left, nil
		}
		if err != nil {
			return left, fmt.Errorf("at byte %d: %w", d.InputOffset(), err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			name := t.Name.Local
			if len(path) == 0 && name != "HealthData" {
				return left, errors.New("this is no export of Apple Health: it begins with another element than HealthData")
			}
			if path = append(path, name); len(path) > maxDepth {
				return left, fmt.Errorf("at byte %d: more than %d elements within each other", d.InputOffset(), maxDepth)
			}
			at := attributes(t.Attr)
			switch {
			case name == "Correlation" && at["type"] == "HKCorrelationTypeIdentifierBloodPressure":
				pressure = &Reading{of: bloodPressure, unit: "mm[Hg]"}
				if !pressure.when(at) {
					pressure = nil
					left++
				}
			case name == "Record" && len(path) == 3 && pressure != nil && at["unit"] == "mmHg":
				if v, ok := number(at["value"]); ok && at["type"] == "HKQuantityTypeIdentifierBloodPressureSystolic" {
					pressure.value = v
				} else if ok && at["type"] == "HKQuantityTypeIdentifierBloodPressureDiastolic" {
					pressure.second = v
				}
			case name == "Record" && len(path) == 2:
				if strings.HasPrefix(at["type"], "HKQuantityTypeIdentifierBloodPressure") {
					break
				}
				reading := read(at)
				if reading == nil {
					left++
				} else if err := each(reading); err != nil {
					return left, err
				}
			}
		case xml.EndElement:
			if t.Name.Local == "Correlation" && len(path) == 2 && pressure != nil {
				if pressure.value == "" || pressure.second == "" {
					left++
				} else if err := each(pressure); err != nil {
					return left, err
				}
				pressure = nil
			}
			if path = path[:len(path)-1]; len(path) == 0 {
				path = []string{} // that there was one
			}
		}
	}
}

// budget reads no more than left bytes before it is set anew, so that no token is larger.
type budget struct {
	r    io.Reader
	left int
}

var errTooLarge = fmt.Errorf("an element of more than %d bytes", maxToken)

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func attributes(all []xml.Attr) map[string]string {
	out := make(map[string]string, len(all))
	for _, a := range all {
		out[a.Name.Local] = a.Value
	}
	return out
}

// read makes a reading of a Record, nil if it can't be told.
func read(at map[string]string) *Reading {
	r := &Reading{of: measures[at["type"]]}
	if r.of == nil || !r.when(at) {
		return nil
	}
	u, known := r.of.units[at["unit"]]
	v, ok := number(at["value"])
	if !known || !ok {
		return nil
	}
	r.unit, r.value = u.ucum, v
	if u.factor != 0 {
		f, err := v.Float64()
		if err != nil {
			return nil
		}
		const six = 1e6
		r.value = json.Number(strconv.FormatFloat(math.Round((f*u.factor+u.shift)*six)/six, 'f', -1, 64))
	}
	return r
}

var plain = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,20})?$`)

func number(s string) (json.Number, bool) { return json.Number(s), plain.MatchString(s) }

// when reads the times and the source.
func (r *Reading) when(at map[string]string) bool {
	const layout = "2006-01-02 15:04:05 -0700"
	var errs [2]error
	r.from, errs[0] = time.Parse(layout, at["startDate"])
	r.to, errs[1] = time.Parse(layout, at["endDate"])
	r.source = strings.Join(strings.Fields(at["sourceName"]), " ")
	if len(r.source) > maxText {
		r.source = strings.ToValidUTF8(r.source[:maxText], "")
	}
	return errors.Join(errs[:]...) == nil && !r.to.Before(r.from) && r.from.Year() > 0
}

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
	const layout = "2006-01-02T15:04:05-07:00"
	if r.to.Equal(r.from) {
		o.At = r.from.Format(layout)
	} else {
		o.Period = map[string]string{"start": r.from.Format(layout), "end": r.to.Format(layout)}
	}
	if r.source != "" {
		o.Device = map[string]string{"display": r.source}
	}
	if r.of == bloodPressure {
		o.Component = []any{component{loinc("8480-6", "Systolic blood pressure"), r.quantity(r.value)}, component{loinc("8462-4", "Diastolic blood pressure"), r.quantity(r.second)}}
	} else {
		q := r.quantity(r.value)
		o.Value = &q
	}
	return json.Marshal(o)
}
