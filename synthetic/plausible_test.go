package synthetic_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"vitalog/synthetic"
)

type object = map[string]any

// plausible are the limits that a reader of a demo would not doubt, by LOINC code.
var plausible = map[string][2]float64{
	"8480-6": {70, 190}, "8462-4": {38, 115}, "8867-4": {44, 175}, "8310-5": {35.5, 40.2}, "9279-1": {10, 50}, "59408-5": {84, 100},
	"29463-7": {2.4, 140}, "8302-2": {46, 200}, "39156-5": {9, 45}, "718-7": {8, 18}, "4544-3": {24, 54}, "6690-2": {3, 16}, "777-3": {120, 450},
	"2951-2": {130, 149}, "2823-3": {3.2, 5.8}, "2160-0": {0.4, 2.8}, "3094-0": {5, 60}, "98979-8": {15, 130}, "2345-7": {60, 300}, "4548-4": {4.4, 11},
	"2093-3": {100, 340}, "2571-8": {40, 400}, "2085-9": {30, 90}, "13457-7": {50, 230}, "3016-3": {0.4, 14}, "2276-4": {4, 320},
	"55423-8": {300, 20000}, "40443-4": {42, 100}, "93832-4": {190, 640},
}

func TestEveryValueIsPlausibleAndAgreesWithItsJudgement(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(5) {
		for _, p := range synthetic.Patients(seed, everybody, today) {
			for _, b := range p.Batches {
				walk(decode(t, b.Bundle), func(o object) {
					q, ok := o["valueQuantity"].(object)
					if !ok {
						return
					}
					c := code(o["code"])
					limits, known := plausible[c]
					v, err := q["value"].(json.Number).Float64()
					if err != nil || !known || v < limits[0] || v > limits[1] {
						t.Errorf("seed %d, %s, %v: %s is %v %v, want %v", seed, p.MRN, b.At, c, q["value"], q["unit"], limits)
					}
					seen[c]++
					if verdict, ok := o["interpretation"].([]any); ok {
						if got, want := code(verdict[0]), judge(o, v); got != want {
							t.Errorf("seed %d, %s: %s of %v is judged %s, want %s", seed, p.MRN, c, v, got, want)
						}
					}
				})
			}
		}
	}
	for c := range plausible {
		if seen[c] == 0 {
			t.Errorf("nobody has a value of %s", c)
		}
	}
}

func judge(o object, v float64) string {
	r := o["referenceRange"].([]any)[0].(object)
	end := func(name string, none float64) float64 {
		q, ok := r[name].(object)
		if !ok {
			return none
		}
		f, _ := q["value"].(json.Number).Float64()
		return f
	}
	switch {
	case v < end("low", v):
		return "L"
	case v > end("high", v):
		return "H"
	}
	return "N"
}

func TestTreatmentLowersBloodPressureAndSugar(t *testing.T) {
	patients := synthetic.Patients(1, 2, today)
	for _, x := range []struct {
		patient int
		code    string
		least   float64 // how much lower the newest value is than the highest
	}{{0, "8480-6", 25}, {1, "4548-4", 1}} {
		var peak, last float64
		for _, b := range patients[x.patient].Batches {
			walk(decode(t, b.Bundle), func(o object) {
				if q, ok := o["valueQuantity"].(object); ok && code(o["code"]) == x.code {
					last, _ = q["value"].(json.Number).Float64()
					peak = max(peak, last)
				}
			})
		}
		if peak-last < x.least {
			t.Errorf("patient %d: %s falls from %v to %v, want at least %v lower", x.patient, x.code, peak, last, x.least)
		}
	}
}

func TestEveryResourceIsCodedAndNobodyIsWithout(t *testing.T) {
	types := map[string]int{}
	for _, p := range synthetic.Patients(1, everybody, today) {
		total := 0
		for i, b := range p.Batches {
			for _, e := range entries(t, b) {
				r := e["resource"].(object)
				kind := r["resourceType"].(string)
				types[kind]++
				total++
				if got := e["request"].(object)["url"]; got != kind || (kind == "Patient") != (i == 0) {
					t.Errorf("%s, batch %d: a %s is posted to %v", p.MRN, i, kind, got)
				}
				field := map[string]string{"Observation": "code", "Condition": "code", "Procedure": "code", "DiagnosticReport": "code", "AllergyIntolerance": "code",
					"MedicationRequest": "medicationCodeableConcept", "MedicationDispense": "medicationCodeableConcept", "Immunization": "vaccineCode", "DocumentReference": "type"}[kind]
				if field != "" && (code(r[field]) == "" || display(r[field]) == "") {
					t.Errorf("%s, batch %d: %s without a code in %s", p.MRN, i, kind, field)
				}
			}
		}
		if total < 60 || total > 450 {
			t.Errorf("%s has %d resources", p.MRN, total)
		}
	}
	for _, kind := range []string{"Patient", "Encounter", "Observation", "DiagnosticReport", "Condition", "AllergyIntolerance", "MedicationRequest", "MedicationDispense",
		"Immunization", "DocumentReference", "Procedure", "Coverage", "ExplanationOfBenefit"} {
		if types[kind] == 0 {
			t.Errorf("nobody has a %s", kind)
		}
	}
}

func decode(t *testing.T, b []byte) object {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		t.Fatalf("%.80s…: %v", b, err)
	}
	return o
}

func entries(t *testing.T, b synthetic.Batch) (out []object) {
	t.Helper()
	for _, e := range decode(t, b.Bundle)["entry"].([]any) {
		out = append(out, e.(object))
	}
	return out
}

func resources(t *testing.T, b synthetic.Batch) (out []object) {
	t.Helper()
	for _, e := range entries(t, b) {
		out = append(out, e["resource"].(object))
	}
	return out
}

func walk(v any, visit func(object)) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			walk(e, visit)
		}
	case object:
		visit(x)
		for _, e := range x {
			walk(e, visit)
		}
	}
}

func first(concept any) object {
	c, _ := concept.(object)
	codings, _ := c["coding"].([]any)
	if len(codings) == 0 {
		return object{}
	}
	return codings[0].(object)
}

func code(concept any) string    { s, _ := first(concept)["code"].(string); return s }
func display(concept any) string { s, _ := first(concept)["display"].(string); return s }
func value(id any) string        { s, _ := id.(object)["value"].(string); return s }
