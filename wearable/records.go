package wearable

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// recordTypes are those of Health Connect, by their names without Record.
var recordTypes = strings.Fields("ActiveCaloriesBurned ActivityIntensity BasalBodyTemperature BasalMetabolicRate BloodGlucose BloodPressure BodyFat BodyTemperature BodyWaterMass " +
	"BoneMass CervicalMucus CyclingPedalingCadence Distance ElevationGained ExerciseSession FloorsClimbed HeartRate HeartRateVariabilityRmssd Height Hydration IntermenstrualBleeding " +
	"LeanBodyMass MenstruationFlow MenstruationPeriod MindfulnessSession Nutrition OvulationTest OxygenSaturation PlannedExerciseSession Power RespiratoryRate RestingHeartRate " +
	"SexualActivity SkinTemperature SleepSession Speed Steps StepsCadence TotalCaloriesBurned Vo2Max Weight WheelchairPushes")

func isRecordType(name string) bool {
	return slices.Contains(recordTypes, strings.TrimSuffix(name, "Record"))
}

// scalar is a type whose records have one value.
type scalar struct {
	measure
	field    string
	interval bool // with a start and an end
}

// plainNumber is a unit of what is a bare number, or the value of an object.
const plainNumber = ""

// scalars are told by the units that quantities have: {"inKilograms":70} as they are read, {"value":70,"unit":"kilograms"} as they are written.
var scalars = map[string]*scalar{
	"Steps":            {measure{"55423-8", "Number of steps", map[string]unit{plainNumber: {ucum: "{steps}"}}}, "count", true},
	"RestingHeartRate": {measure{"40443-4", "Heart rate --resting", map[string]unit{plainNumber: {ucum: "/min"}}}, "beatsPerMinute", false},
	"RespiratoryRate":  {measure{"9279-1", "Respiratory rate", map[string]unit{plainNumber: {ucum: "/min"}}}, "rate", false},
	"OxygenSaturation": {measure{"59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", map[string]unit{plainNumber: {ucum: "%"}}}, "percentage", false},
	"BodyFat":          {measure{"41982-0", "Percentage of body fat Measured", map[string]unit{plainNumber: {ucum: "%"}}}, "percentage", false},
	"Weight": {measure{"29463-7", "Body weight", map[string]unit{"kilograms": {ucum: "kg"}, "grams": {ucum: "g"}, "pounds": {ucum: "[lb_av]"}}},
		"weight", false},
	"Height": {measure{"8302-2", "Body height", map[string]unit{"meters": {"cm", 100, 0}, "inches": {ucum: "[in_i]"}, "feet": {"[in_i]", 12, 0}}},
		"height", false},
	"BodyTemperature": {measure{"8310-5", "Body temperature", map[string]unit{"celsius": {ucum: "Cel"}, "fahrenheit": {"Cel", 5. / 9, -160. / 9}}},
		"temperature", false},
}

// first are the units that are taken of a quantity that is told in several.
var first = []string{plainNumber, "kilograms", "meters", "celsius", "milligramsPerDeciliter", "millimetersOfMercury", "grams", "pounds", "inches", "feet", "fahrenheit", "millimolesPerLiter"}

var (
	heartRate   = &measure{"8867-4", "Heart rate", map[string]unit{plainNumber: {ucum: "/min"}}}
	sleep       = &measure{"93832-4", "Sleep duration", nil}
	sleepStages = map[string]*measure{"4": {"93830-8", "Light sleep duration", nil}, "5": {"93831-6", "Deep sleep duration", nil}, "6": {"93829-0", "REM sleep duration", nil}}
	mmHg        = map[string]unit{"millimetersOfMercury": {ucum: "mm[Hg]"}}
	massOrMoles = map[string]unit{"milligramsPerDeciliter": {ucum: "mg/dL"}, "millimolesPerLiter": {"mg/dL", 18.015588, 0}}
	inBlood     = &measure{"2339-0", "Glucose [Mass/volume] in Blood", massOrMoles}
	inSerum     = &measure{"2345-7", "Glucose [Mass/volume] in Serum or Plasma", massOrMoles}

	// glucose is by what was measured in; tears have no code here.
	glucose = map[string]*measure{"": inBlood, "0": inBlood, "6": inBlood, "3": inSerum, "4": inSerum, "1": {"99504-3", "Glucose [Mass/volume] in Interstitial fluid", massOrMoles},
		"2": {"41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer", massOrMoles}}
)

// readRecord makes readings of a record, and counts what can't be told.
func readRecord(kind string, m map[string]any) (out []*Reading, left int) {
	said, _ := m["recordType"].(string)
	if kind == "" {
		kind = said
	} else if said != "" && strings.TrimSuffix(said, "Record") != strings.TrimSuffix(kind, "Record") {
		return nil, 1
	}
	kind = strings.TrimSuffix(kind, "Record")
	r := &Reading{source: sourceOf(m)}
	ok := false
	switch s := scalars[kind]; {
	case s != nil:
		r.of = &s.measure
		if ok = r.timed(m, s.interval); ok {
			r.value, r.unit, ok = s.measure.told(m[s.field])
		}
	case kind == "BloodGlucose":
		r.of = glucose[digits(m["specimenSource"])]
		if ok = r.of != nil && r.timed(m, false); ok {
			r.value, r.unit, ok = r.of.told(m["level"])
		}
	case kind == "BloodPressure":
		r.of, r.unit, r.parts = bloodPressure, "mm[Hg]", pressures()
		ok = r.timed(m, false)
		for i, name := range []string{"systolic", "diastolic"} {
			v, _, told := (&measure{units: mmHg}).told(m[name])
			r.parts[i].value, ok = v, ok && told
		}
	case kind == "SleepSession":
		r.of, r.unit = sleep, "min"
		ok = r.timed(m, true) && r.slept(m["stages"])
	case kind == "HeartRate":
		return sampled(m)
	}
	if !ok {
		return nil, 1
	}
	return []*Reading{r}, 0
}

// told is a quantity in one of the measure's units.
func (of *measure) told(v any) (json.Number, string, bool) {
	for _, name := range first {
		u, known := of.units[name]
		if !known {
			continue
		}
		n, given := v.(json.Number)
		if q, ok := v.(map[string]any); ok && !given {
			n, given = q["value"].(json.Number)
			if unit, _ := q["unit"].(string); given && unit != name {
				given = false
			}
			if !given && name != plainNumber {
				n, given = q["in"+strings.ToUpper(name[:1])+name[1:]].(json.Number)
			}
		} else if name != plainNumber {
			given = false
		}
		if !given {
			continue
		}
		if n, given = number(n.String()); given {
			n, given = u.of(n)
		}
		return n, u.ucum, given
	}
	return "", "", false
}

// sampled are the readings of a record that has several, each with a time.
func sampled(m map[string]any) (out []*Reading, left int) {
	samples, _ := m["samples"].([]any)
	for _, s := range samples {
		sample, _ := s.(map[string]any)
		r := &Reading{of: heartRate, source: sourceOf(m)}
		at, ok := moment(sample["time"], m["startZoneOffset"])
		r.from, r.to = at, at
		if ok {
			r.value, r.unit, ok = heartRate.told(sample["beatsPerMinute"])
		}
		if !ok {
			left++
			continue
		}
		out = append(out, r)
	}
	if len(samples) == 0 {
		left = 1
	}
	return out, left
}

// slept tells how long a session was sleep, and of which kinds.
func (r *Reading) slept(stages any) bool {
	list, _ := stages.([]any)
	if len(list) == 0 {
		r.value = minutes(r.to.Sub(r.from))
		return true
	}
	var asleep time.Duration
	by := map[string]time.Duration{}
	for _, x := range list {
		s, _ := x.(map[string]any)
		from, okFrom := moment(s["startTime"], nil)
		to, okTo := moment(s["endTime"], nil)
		kind := digits(s["stage"])
		if !okFrom || !okTo || to.Before(from) || from.Before(r.from) || to.After(r.to) || kind == "" {
			return false
		}
		if kind == "2" || sleepStages[kind] != nil {
			asleep += to.Sub(from)
		}
		by[kind] += to.Sub(from)
	}
	for _, kind := range []string{"4", "5", "6"} {
		if by[kind] > 0 {
			r.parts = append(r.parts, part{sleepStages[kind], minutes(by[kind])})
		}
	}
	r.value = minutes(asleep)
	return asleep <= r.to.Sub(r.from)
}

func minutes(d time.Duration) json.Number { return rounded(d.Minutes()) }

// digits is a whole number as it stands, "" if it is none.
func digits(v any) string {
	n, _ := v.(json.Number)
	if strings.Trim(n.String(), "0123456789") != "" {
		return ""
	}
	return n.String()
}

// timed reads when a record was.
func (r *Reading) timed(m map[string]any, interval bool) (ok bool) {
	if !interval {
		r.from, ok = moment(m["time"], m["zoneOffset"])
		r.to = r.from
		return ok
	}
	until := false
	r.from, ok = moment(m["startTime"], m["startZoneOffset"])
	end := m["endZoneOffset"]
	if end == nil {
		end = m["startZoneOffset"]
	}
	r.to, until = moment(m["endTime"], end)
	return ok && until && !r.to.Before(r.from)
}

// maxOffset is how far from UTC a time in FHIR may be.
const maxOffset = 14 * 60 * 60

// moment is an instant in the zone that is told beside it; without one it stays as it was told.
func moment(at, zone any) (time.Time, bool) {
	s, _ := at.(string)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, false
	}
	offset := 0
	switch z := zone.(type) {
	case nil:
		_, offset = t.Zone()
	case string: // Z, +01:00
		in, err := time.Parse("Z07:00", z)
		if err != nil {
			return t, false
		}
		_, offset = in.Zone()
	case map[string]any:
		n, _ := z["totalSeconds"].(json.Number)
		seconds, err := n.Int64()
		if err != nil || seconds < -maxOffset || seconds > maxOffset {
			return t, false
		}
		offset = int(seconds)
	default:
		return t, false
	}
	t = t.In(time.FixedZone("", offset))
	return t, tellable(t)
}

// tellable tells whether FHIR can write the time with its zone.
func tellable(t time.Time) bool {
	_, offset := t.Zone()
	return offset%60 == 0 && offset >= -maxOffset && offset <= maxOffset && t.Year() > 0 && t.Year() < 10_000
}

// sourceOf is the device that made a record, or else the app.
func sourceOf(m map[string]any) string {
	meta, _ := m["metadata"].(map[string]any)
	device, _ := meta["device"].(map[string]any)
	manufacturer, _ := device["manufacturer"].(string)
	model, _ := device["model"].(string)
	if s := sourceName(manufacturer + " " + model); s != "" {
		return s
	}
	app, _ := meta["dataOrigin"].(string)
	return sourceName(app)
}
