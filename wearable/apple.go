// Package wearable reads what phones and watches export (Apple Health, Health Connect), and says it in FHIR R4.
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
	value    json.Number // "" if only its parts have one
	unit     string      // UCUM, of the value and of its parts
	parts    []part
}

// part is one of several values of a reading.
type part struct {
	of    *measure
	value json.Number
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

var (
	bloodPressure = &measure{"85354-9", "Blood pressure panel with all children optional", nil}
	systolic      = &measure{"8480-6", "Systolic blood pressure", nil}
	diastolic     = &measure{"8462-4", "Diastolic blood pressure", nil}
)

// pressures are a blood pressure's values, which are to be filled in.
func pressures() []part { return []part{{of: systolic}, {of: diastolic}} }

// Apple reads an export.xml of Apple Health and calls each with one reading after the other, in the order of the file. left counts records that
// were left out: of types without a code, with units or values that can't be told. An error of each ends the reading and is returned as it is.
//
// Blood pressures are taken from their correlations, which have both values; the records of each alone repeat them.
func Apple(r io.Reader, each func(*Reading) error) (left int, err error) {
	in := &budget{r: r, most: maxToken}
	d := xml.NewDecoder(in)
	var path []string
	var pressure *Reading // within a correlation
	for {
		in.renew()
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
				pressure = &Reading{of: bloodPressure, unit: "mm[Hg]", parts: pressures()}
				if !pressure.when(at) {
					pressure = nil
					left++
				}
			case name == "Record" && len(path) == 3 && pressure != nil && at["unit"] == "mmHg":
				if v, ok := number(at["value"]); ok && at["type"] == "HKQuantityTypeIdentifierBloodPressureSystolic" {
					pressure.parts[0].value = v
				} else if ok && at["type"] == "HKQuantityTypeIdentifierBloodPressureDiastolic" {
					pressure.parts[1].value = v
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
				if pressure.parts[0].value == "" || pressure.parts[1].value == "" {
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

// budget reads no more than most bytes before it is renewed, so that no element is larger.
type budget struct {
	r          io.Reader
	most, left int
}

func (b *budget) renew() { b.left = b.most }

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("an element of more than %d bytes", b.most)
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
	r.unit = u.ucum
	if r.value, ok = u.of(v); !ok {
		return nil
	}
	return r
}

// of is a value of the unit as it is told.
func (u unit) of(v json.Number) (json.Number, bool) {
	if u.factor == 0 {
		return v, true
	}
	f, err := v.Float64()
	return rounded(f*u.factor + u.shift), err == nil
}

// rounded is a number to the sixth decimal.
func rounded(f float64) json.Number {
	const six = 1e6
	return json.Number(strconv.FormatFloat(math.Round(f*six)/six, 'f', -1, 64))
}

var plain = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,20})?$`)

func number(s string) (json.Number, bool) { return json.Number(s), plain.MatchString(s) }

// when reads the times and the source.
func (r *Reading) when(at map[string]string) bool {
	const layout = "2006-01-02 15:04:05 -0700"
	var errs [2]error
	r.from, errs[0] = time.Parse(layout, at["startDate"])
	r.to, errs[1] = time.Parse(layout, at["endDate"])
	r.source = sourceName(at["sourceName"])
	return errors.Join(errs[:]...) == nil && !r.to.Before(r.from) && tellable(r.from) && tellable(r.to)
}

// sourceName is the name of a device or an app as it is told.
func sourceName(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
