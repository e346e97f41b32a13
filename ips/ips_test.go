package ips_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/chart"
	"vitalog/definition"
	"vitalog/fhir"
	"vitalog/ips"
	"vitalog/key"
	"vitalog/section"
)

const base = "https://fhir.st-elena.example/fhir"

// chartOf is a chart of resources, which have ids, in the sections where they belong.
func chartOf(t testing.TB, resources ...string) *chart.Chart {
	t.Helper()
	var all []chart.Opened
	for i, raw := range resources {
		r, err := fhir.Parse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		var lists [3][]section.Coding
		for j, path := range []string{"category", "code", "meta.security"} {
			for _, c := range r.Codings(path) {
				lists[j] = append(lists[j], section.Coding(c))
			}
		}
		s, _, err := section.Of(r.Type(), lists[0], lists[1], lists[2])
		if err != nil {
			t.Fatal(err)
		}
		c := &chart.Content{Items: []chart.Item{{Type: r.Type(), ID: r.ID(), Status: chart.Active, Raw: []byte(raw)}}}
		if err := c.Sign(key.NewSigning([32]byte{1}), key.Record{byte(i), byte(i >> 8)}); err != nil {
			t.Fatal(err)
		}
		all = append(all, chart.Opened{Log: key.Log{byte(s)}, Section: s, Entry: uint64(i), At: 1772357400000 + uint64(i), Content: c})
	}
	return chart.Fold(all)
}

// document is a summary as a reader reads it.
type document struct {
	Type, Timestamp string
	Identifier      struct{ System, Value string }
	Entry           []struct {
		FullURL  string
		Resource json.RawMessage
	}
	composition composition
	raw         []byte
}

type composition struct {
	Subject struct{ Reference string }
	Section []struct {
		Title       string
		Code        struct{ Coding []struct{ Code string } }
		Text        struct{ Div string }
		Entry       []struct{ Reference string }
		EmptyReason *struct{ Coding []struct{ Code string } }
	}
}

func compose(t testing.TB, c *chart.Chart, listed map[string]string) *document {
	t.Helper()
	s := ips.Summary{ID: [16]byte{7}, At: time.Date(2026, 3, 2, 10, 15, 0, 0, time.UTC), Base: base, Member: "St. Elena", Patient: "p", Chart: c, Listed: func(kind, id string) []byte {
		if raw, ok := listed[kind+"/"+id]; ok {
			return []byte(raw)
		}
		return nil
	}}
	raw, err := s.Document()
	if err != nil {
		t.Fatal(err)
	}
	d := &document{raw: raw}
	if err := json.Unmarshal(raw, d); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(d.Entry[0].Resource, &d.composition); err != nil {
		t.Fatal(err)
	}
	return d
}

// sections are "code: what its entries are", without the endpoint.
func (d *document) sections() (out []string) {
	for _, s := range d.composition.Section {
		line := s.Code.Coding[0].Code + ":"
		for _, e := range s.Entry {
			ref := strings.TrimPrefix(e.Reference, base+"/")
			if strings.HasPrefix(ref, "urn:uuid:") {
				ref = "made"
			}
			line += " " + ref
		}
		if s.EmptyReason != nil {
			line += " " + s.EmptyReason.Coding[0].Code
		}
		out = append(out, line)
	}
	return out
}

func (d *document) get(t testing.TB, ref string) string {
	t.Helper()
	for _, e := range d.Entry {
		if e.FullURL == base+"/"+ref {
			return string(e.Resource)
		}
	}
	t.Fatalf("%s is not in the document", ref)
	return ""
}

func condition(id, status, more string) string {
	return fmt.Sprintf(`{"resourceType":"Condition","id":"%s","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"%s"}]},`+
		`"code":{"text":"%[1]s"},"subject":{"reference":"Patient/p"}%[3]s}`, id, status, more)
}

func observation(id, category, code, day, value string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"%s"}]}],`+
		`"code":{"coding":[{"system":"http://loinc.org","code":"%s"}]},"subject":{"reference":"Patient/p"},"effectiveDateTime":"%s"%s}`, id, category, code, day, value)
}

const patient = `{"resourceType":"Patient","id":"p","name":[{"family":"Rossi"}],"birthDate":"1960-05-01","managingOrganization":{"reference":"Organization/o"}}`

func whole(t testing.TB) *document {
	return compose(t, chartOf(t, patient,
		condition("asthma", "active", ""), condition("flu", "resolved", ""), condition("never", "active", `,"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"refuted"}]}`),
		`{"resourceType":"AllergyIntolerance","id":"nuts","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"criticality":"high","patient":{"reference":"Patient/p"},"reaction":[{"manifestation":[{"text":"hives <b>"}]}]}`,
		`{"resourceType":"Medication","id":"m","code":{"text":"Salbutamol"},"manufacturer":{"reference":"Organization/maker"}}`,
		`{"resourceType":"MedicationRequest","id":"now","status":"active","intent":"order","medicationReference":{"reference":"Medication/m"},"subject":{"reference":"Patient/p"},"requester":{"reference":"Practitioner/d"},"encounter":{"reference":"Encounter/e"},"dosageInstruction":[{"text":"2 puffs"}]}`,
		`{"resourceType":"MedicationRequest","id":"then","status":"stopped","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"MedicationRequest","id":"not","status":"active","intent":"order","doNotPerform":true,"medicationCodeableConcept":{"text":"x"},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"MedicationStatement","id":"said","status":"active","medicationCodeableConcept":{"text":"Aspirin"},"subject":{"reference":"Patient/p"}}`,
		observation("w1", "vital-signs", "29463-7", "2026-01-01", `,"valueQuantity":{"value":70.0,"unit":"kg"}`), observation("w2", "vital-signs", "29463-7", "2026-02-01T00:30:00+02:00", `,"valueQuantity":{"value":71.50,"unit":"kg"}`),
		observation("hba1c", "laboratory", "4548-4", "2026-02-01", ""), observation("smokes", "social-history", "72166-2", "2026-02-01", `,"valueCodeableConcept":{"text":"Never"}`),
		observation("smoked", "social-history", "72166-2", "2020-02-01", `,"valueCodeableConcept":{"text":"Daily"}`), observation("pregnant", "laboratory", "82810-3", "2026-02-01", `,"valueCodeableConcept":{"text":"Pregnant"}`),
		observation("survey", "survey", "1-8", "2026-02-01", `,"valueInteger":1`),
		`{"resourceType":"DiagnosticReport","id":"report","status":"final","code":{"text":"Panel"},"subject":{"reference":"Patient/p"},"result":[{"reference":"Observation/member"}]}`,
		observation("member", "laboratory", "4548-4", "2025-01-01", `,"valueInteger":5`),
		`{"resourceType":"Immunization","id":"jab","status":"completed","vaccineCode":{"text":"MMR"},"patient":{"reference":"Patient/p"},"occurrenceDateTime":"2025"}`,
		`{"resourceType":"Procedure","id":"cut","status":"completed","subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Device","id":"pace","status":"active","type":{"text":"Pacemaker"},"patient":{"reference":"Patient/p"}}`,
		`{"resourceType":"Device","id":"lens","status":"active","type":{"text":"Lens"},"patient":{"reference":"Patient/p"}}`,
		`{"resourceType":"DeviceUseStatement","id":"uses","status":"active","subject":{"reference":"Patient/p"},"device":{"reference":"Device/lens"},"timingDateTime":"2020-01-01"}`,
		`{"resourceType":"CarePlan","id":"plan","status":"active","intent":"plan","subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Flag","id":"flag","status":"active","code":{"text":"Falls"},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Consent","id":"will","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"adr"}]},"category":[{"text":"DNR"}],"patient":{"reference":"Patient/p"},"policyRule":{"text":"x"}}`,
	), map[string]string{"Organization/o": `{"resourceType":"Organization","id":"o","name":"Ward"}`, "Practitioner/d": `{"resourceType":"Practitioner","id":"d"}`,
		"Organization/maker": `{"resourceType":"Organization","id":"maker","name":"Maker"}`})
}

func TestEachSectionHasWhatTheSpecificationGivesIt(t *testing.T) {
	want := []string{"11450-4: Condition/asthma", "48765-2: AllergyIntolerance/nuts", "10160-0: MedicationStatement/said MedicationRequest/now", "11369-6: Immunization/jab",
		"30954-2: DiagnosticReport/report Observation/hba1c", "47519-4: Procedure/cut", "46264-8: made DeviceUseStatement/uses", "8716-3: Observation/w2", "29762-2: Observation/smokes", "10162-6: Observation/pregnant",
		"42348-3: Consent/will", "104605-1: Flag/flag", "11348-0: Condition/flu", "18776-5: CarePlan/plan"}
	if got := whole(t).sections(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatIsntThereIsUnavailableAndNothingElseIsSaid(t *testing.T) {
	d := compose(t, chartOf(t), nil)
	want := []string{"11450-4: unavailable", "48765-2: unavailable", "10160-0: unavailable"}
	if got := d.sections(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if len(d.Entry) != 4 {
		t.Errorf("%d entries, want Composition, Patient, Device and Organization", len(d.Entry))
	}
	valid(t, d)
}

func TestWhatEntriesReferToIsInTheDocument(t *testing.T) {
	d := whole(t)
	for _, ref := range []string{"Organization/o", "Practitioner/d", "Medication/m", "Organization/maker", "Observation/member", "Device/pace"} {
		d.get(t, ref)
	}
	urls := map[string]bool{}
	for _, e := range d.Entry {
		if urls[e.FullURL] {
			t.Errorf("%s stands there twice", e.FullURL)
		}
		urls[e.FullURL] = true
	}
	for _, e := range d.Entry {
		r, err := fhir.Parse(e.Resource)
		if err != nil {
			t.Fatal(err)
		}
		r.References(func(ref string) {
			if !urls[ref] && !urls[base+"/"+ref] && ref != "Encounter/e" {
				t.Errorf("%s refers to %s, which is not in the document", e.FullURL, ref)
			}
			if strings.HasPrefix(e.FullURL, "urn:") && !strings.Contains(ref, ":") {
				t.Errorf("%s has no endpoint and refers to %s", e.FullURL, ref)
			}
		})
	}
}

func valid(t *testing.T, d *document) {
	t.Helper()
	r, err := fhir.Parse(d.raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range definition.Validate(r, nil) {
		if i := f.Issue(); i.Severity == fhir.Failure {
			t.Errorf("%s: %s", i.Element, i.Text)
		}
	}
}

func TestADocumentIsWhatR4Allows(t *testing.T) { valid(t, whole(t)) }

func TestWhatIPSNeedsAndNobodySaidIsUnknown(t *testing.T) {
	d := whole(t)
	const absent = `{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}`
	for ref, want := range map[string]string{
		"AllergyIntolerance/nuts":  `,"code":` + absent + `}`,
		"MedicationStatement/said": `,"_effectiveDateTime":` + absent + `}`,
		"DiagnosticReport/report":  `,"_effectiveDateTime":` + absent + `}`,
		"Procedure/cut":            `,"code":` + absent + `,"_performedDateTime":` + absent + `}`,
		"Practitioner/d":           `,"name":[{"_text":` + absent + `}]}`,
		"Observation/hba1c":        `,"dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"unknown"}]},"performer":[` + absent + `]}`,
	} {
		if got := d.get(t, ref); !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %s, want it to end with %s", ref, got, want)
		}
	}
	if got := d.get(t, "Observation/w2"); strings.Contains(got, "unknown") || !strings.Contains(got, `"value":71.50,`) {
		t.Errorf("what is said was changed: %s", got)
	}
	nobody := compose(t, chartOf(t), nil).get(t, "Patient/p")
	if !strings.Contains(nobody, `"_birthDate":`+absent) || !strings.Contains(nobody, `"_text":`+absent) {
		t.Errorf("got %s", nobody)
	}
}

func TestANarrativeHasTextAndNoMarkupOfARecord(t *testing.T) {
	d := whole(t)
	for title, want := range map[string]string{
		"Allergies and Intolerances": "hives &lt;b&gt;; high", "Medication Summary": "<td>Salbutamol</td><td>2 puffs</td>", "Vital Signs": "<td>71.50 kg</td><td>2026-02-01</td>", "Medical Devices": "<td>Pacemaker</td>",
	} {
		for _, s := range d.composition.Section {
			if s.Title == title && !strings.Contains(s.Text.Div, want) {
				t.Errorf("%s: got %s, want %s in it", title, s.Text.Div, want)
			}
		}
	}
	odd := compose(t, chartOf(t, strings.Replace(condition("odd", "active", ""), `"text":"odd"`, `"text":"\u0001a&<script>'`+strings.Repeat("é", 400)+`"`, 1)), nil)
	if got := odd.composition.Section[0].Text.Div; !strings.Contains(got, "<td>a&amp;&lt;script&gt;&#39;"+strings.Repeat("é", 289)+"…</td>") {
		t.Errorf("got %s", got)
	}
	valid(t, odd)
}

func TestTheSameChartAndMomentAreTheSameBytes(t *testing.T) {
	if a, b := whole(t), whole(t); string(a.raw) != string(b.raw) {
		t.Error("two documents of one chart differ")
	}
}
