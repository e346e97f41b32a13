package synthetic_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"vitalog/synthetic"
)

var today = time.Date(2026, time.October, 5, 11, 30, 0, 0, time.UTC)

const everybody = 28 // each persona twice

// golden is the SHA-256 over everything that seed 1 makes on that day.
const golden = "10afc89de2ec44cf4bd98a129845d613a4a13eb202967bd98c267d2b2248892a"

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	h := sha256.New()
	for _, p := range synthetic.Patients(1, everybody, today) {
		h.Write(p.Resource)
		for _, b := range p.Batches {
			fmt.Fprintf(h, "%v %v %s\n", b.Source, b.At.Unix(), b.Bundle)
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != golden {
		t.Errorf("seed 1 gives %s, want %s", got, golden)
	}
}

func TestAPatientDependsOnSeedAndDayAlone(t *testing.T) {
	few := synthetic.Patients(3, 2, today)
	many := synthetic.Patients(3, 9, today.Add(10*time.Hour).In(time.FixedZone("", -7*3600)))
	for i, p := range few {
		for j := range p.Batches {
			if !bytes.Equal(p.Batches[j].Bundle, many[i].Batches[j].Bundle) {
				t.Fatalf("patient %d, batch %d differs with the number of patients or the hour of the day", i, j)
			}
		}
	}
	other := synthetic.Patients(4, 2, today)
	if bytes.Equal(few[1].Resource, other[1].Resource) {
		t.Error("another seed gives the same person")
	}
}

func TestMariasNewestOf24BloodPressuresIs109Over75(t *testing.T) {
	maria := synthetic.Patients(1, 1, today)[0]
	if maria.Name != "Maria Alvarez Quispe" || maria.Birth != "1979-03-14" || maria.Gender != "female" {
		t.Errorf("the first patient is %s, %s, %s", maria.Name, maria.Birth, maria.Gender)
	}
	var last object
	n, total, sources := 0, 0, map[synthetic.Source]bool{}
	for _, b := range maria.Batches {
		sources[b.Source] = true
		for _, r := range resources(t, b) {
			total++
			if code(r["code"]) == "85354-9" {
				n, last = n+1, r
				if b.Source != synthetic.Hospital {
					t.Errorf("a blood pressure from the %v", b.Source)
				}
			}
		}
	}
	if n != 24 || len(sources) != 4 || total < 270 || total > 350 {
		t.Errorf("Maria has %d blood pressures and %d resources of %d sources, want 24, about 300 and 4", n, total, len(sources))
	}
	for i, want := range []string{"109", "75"} {
		c := last["component"].([]any)[i].(object)
		if got := c["valueQuantity"].(object)["value"].(json.Number); got.String() != want {
			t.Errorf("component %d of the newest blood pressure is %v, want %s", i, got, want)
		}
		if got := code(c["interpretation"].([]any)[0]); got != "N" {
			t.Errorf("component %d of the newest blood pressure is judged %s, want N", i, got)
		}
	}
}

func TestBatchesAreInOrderAndOfThePast(t *testing.T) {
	for _, p := range synthetic.Patients(1, everybody, today) {
		before := time.Time{}
		for i, b := range p.Batches {
			if b.At.Before(before) || !b.At.Before(today.Truncate(24*time.Hour)) || b.At.Format(time.DateOnly) < p.Birth {
				t.Errorf("%s: batch %d of the %v at %v, after %v, born %s", p.MRN, i, b.Source, b.At, before, p.Birth)
			}
			before = b.At
			for _, r := range resources(t, b) {
				for _, field := range []string{"effectiveDateTime", "issued", "recordedDate", "authoredOn", "whenHandedOver", "occurrenceDateTime", "performedDateTime", "date", "created"} {
					if s, ok := r[field].(string); ok {
						if at, err := time.Parse(time.RFC3339, s); err != nil || at.After(b.At.Add(time.Minute)) || at.Before(b.At.AddDate(0, 0, -2)) {
							t.Errorf("%s: %v.%s is %s in a batch of %v", p.MRN, r["resourceType"], field, s, b.At)
						}
					}
				}
			}
		}
	}
}

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	for _, p := range synthetic.Patients(1, everybody, today) {
		made := map[string]string{} // identifier → type
		for _, b := range p.Batches {
			for _, r := range resources(t, b) {
				ids, _ := r["identifier"].([]any)
				for _, id := range ids {
					made[fmt.Sprint(id.(object)["system"], id.(object)["value"])] = r["resourceType"].(string)
				}
			}
		}
		for i, b := range p.Batches {
			own := map[string]bool{}
			for _, e := range entries(t, b) {
				own[e["fullUrl"].(string)] = true
			}
			walk(decode(t, b.Bundle), func(o object) {
				if ref, ok := o["reference"].(string); ok && !own[ref] && (ref != p.Reference() || i == 0) {
					t.Errorf("%s, batch %d: %s leads nowhere", p.MRN, i, ref)
				}
				kind, _ := o["type"].(string)
				if id, ok := o["identifier"].(object); ok && kind != "Organization" && kind != "Practitioner" {
					if got := made[fmt.Sprint(id["system"], id["value"])]; got != kind {
						t.Errorf("%s, batch %d: %v is a %q, want a %s", p.MRN, i, id["value"], got, kind)
					}
				}
			})
		}
	}
}

func TestEveryDispenseHasItsPrescriptionOfTheSameDrugFromEarlier(t *testing.T) {
	dispensed := 0
	for _, p := range synthetic.Patients(1, everybody, today) {
		drugs := map[string]string{}
		for _, b := range p.Batches {
			for _, r := range resources(t, b) {
				switch r["resourceType"] {
				case "MedicationRequest":
					drugs[value(r["identifier"].([]any)[0])] = code(r["medicationCodeableConcept"])
				case "MedicationDispense":
					dispensed++
					rx := value(r["authorizingPrescription"].([]any)[0].(object)["identifier"])
					if got, want := code(r["medicationCodeableConcept"]), drugs[rx]; got != want || b.Source != synthetic.Pharmacy {
						t.Errorf("%s: the %v dispensed %s for %s, which is %q", p.MRN, b.Source, got, rx, want)
					}
				}
			}
		}
	}
	if dispensed < 200 {
		t.Errorf("%d handovers in all", dispensed)
	}
}

func TestSecretsCoverWhatIdentifiesAPatientAndWhatAilsThem(t *testing.T) {
	for _, p := range synthetic.Patients(1, everybody, today) {
		secrets := map[string]bool{}
		for _, s := range p.Secrets() {
			if len(s) < 6 {
				t.Errorf("%s: %q would be found by chance", p.MRN, s)
			}
			if strings.Contains(s, "St. Elena") || strings.Contains(s, "Okafor") {
				t.Errorf("%s: %q is public", p.MRN, s)
			}
			secrets[s] = true
		}
		want := []string{p.Name, p.MRN, p.Birth}
		for _, b := range p.Batches {
			for _, r := range resources(t, b) {
				switch r["resourceType"] {
				case "Patient":
					want = append(want, value(r["telecom"].([]any)[0]), r["address"].([]any)[0].(object)["line"].([]any)[0].(string))
				case "Condition", "AllergyIntolerance":
					want = append(want, code(r["code"]), display(r["code"]))
				case "MedicationRequest":
					want = append(want, display(r["medicationCodeableConcept"]))
				case "DocumentReference":
					note, err := base64.StdEncoding.DecodeString(r["content"].([]any)[0].(object)["attachment"].(object)["data"].(string))
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, strings.Split(strings.TrimSpace(string(note)), "\n")...)
				}
			}
		}
		for _, s := range want {
			if !secrets[s] {
				t.Errorf("%s: %q is not among the secrets", p.MRN, s)
			}
		}
	}
}
