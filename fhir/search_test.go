package fhir_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vitalog/fhir"
)

func TestADateIsAsLongAsItsPrecision(t *testing.T) {
	for _, c := range []struct{ in, from, to string }{
		{"2020", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"},
		{"2020-02", "2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z"},
		{"2020-02-29", "2020-02-29T00:00:00Z", "2020-03-01T00:00:00Z"},
		{"2020-02-29T23:59:59Z", "2020-02-29T23:59:59Z", "2020-03-01T00:00:00Z"},
		{"2020-03-01T01:30:00+02:00", "2020-02-29T23:30:00Z", "2020-02-29T23:30:01Z"},
		{"2020-03-01T01:30:00-05:30", "2020-03-01T07:00:00Z", "2020-03-01T07:00:01Z"},
		{"2020-03-01T01:30:00.5Z", "2020-03-01T01:30:00.5Z", "2020-03-01T01:30:00.6Z"},
		{"2020-03-01T01:30:00.123Z", "2020-03-01T01:30:00.123Z", "2020-03-01T01:30:00.124Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", "2017-01-01T00:00:01Z"},
		{"0001-01-01", "0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"},
	} {
		i, err := fhir.ParseDate(c.in, false)
		if err != nil || i.From.UTC().Format(time.RFC3339Nano) != c.from || i.To.UTC().Format(time.RFC3339Nano) != c.to {
			t.Errorf("%s: got %v to %v (%v), want %s to %s", c.in, i.From, i.To, err, c.from, c.to)
		}
	}
	for _, bad := range []string{"", "20", "2020-", "2020-1", "2020-13", "2020-00", "2021-02-29", "2020-04-31", "2020-01-01T", "2020-01-01T10Z", "2020-01-01T10:00:00", "2020-01-01T10:00Z",
		"2020-01-01T24:00:00Z", "2020-01-01T10:60:00Z", "2020-01-01T10:00:61Z", "2020-01-01T10:00:00.Z", "2020-01-01T10:00:00+15:00", "2020-01-01T10:00:00Zx", "2020-01-01 10:00:00Z", "0000", "-2020", "２０２０"} {
		if i, err := fhir.ParseDate(bad, false); err == nil {
			t.Errorf("%q: got %v", bad, i)
		}
	}
	for in, want := range map[string]time.Duration{"2020-01-01T10:00": time.Minute, "2020-01-01T10:00Z": time.Minute, "2020-01-01T10:00:00": time.Second} {
		if i, err := fhir.ParseDate(in, true); err != nil || i.To.Sub(i.From) != want {
			t.Errorf("%s in a search: got %v %v, want %v", in, i, err, want)
		}
	}
}

const observation = `{"resourceType":"Observation","id":"mine","status":"final","meta":{"tag":[{"system":"t","code":"x"}]},
 "identifier":[{"system":"urn:lab","value":"9|1"}],
 "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
 "code":{"coding":[{"system":"http://loinc.org","code":"2345-7"},{"code":"GLU"}]},
 "subject":{"reference":"urn:uuid:1"},"encounter":{"reference":"https://b.example/fhir/Encounter/8"},
 "effectiveDateTime":"2020-02-29T10:00:00+01:00","valueString":"Über, alles"}`

// readers know it as Observation/o of Patient/p.
var known = fhir.Identity{ID: "o", Updated: time0, Ref: func(s string) string {
	if s == "urn:uuid:1" {
		return "Patient/p"
	}
	return s
}}

func TestASearchFindsWhatFulfilsEveryCondition(t *testing.T) {
	r := parse(t, observation)
	for _, c := range []struct {
		query string
		want  bool
	}{
		{"code=2345-7", true}, {"code=http://loinc.org|2345-7", true}, {"code=http://loinc.org|", true}, {"code=|GLU", true}, {"code=|2345-7", false},
		{"code=http://snomed.info/sct|2345-7", false}, {"code=1,2345-7", true}, {"code=1,2", false}, {"code:not=1", true}, {"code:not=GLU", false},
		{"category=laboratory", true}, {"status=final", true}, {"status=amended", false}, {"_tag=t|x", true}, {"_tag=t|y", false},
		{`identifier=urn:lab|9\|1`, true}, {`identifier=9\|1`, true}, {"identifier=urn:lab|", true}, {"identifier=urn:lab|9", false},
		{"patient=p", true}, {"patient=Patient/p", true}, {"patient=q", false}, {"subject=p", true}, {"subject=Patient/p", true}, {"subject:Patient=p", true},
		{"subject=Group/p", false}, {"subject=urn:uuid:1", false}, {"encounter=8", false}, {"encounter=https://b.example/fhir/Encounter/8", true},
		{"_id=o", true}, {"_id=mine", false}, {"_id=a,o", true}, {"_lastUpdated=2026-03-01", true}, {"_lastUpdated=lt2026-03-01", false}, {"_lastUpdated=gt2026-03-01T09:29", true},
		{"status:missing=false", true}, {"performer:missing=true", true}, {"performer:missing=false", false},
		{"value-string=über", true}, {"value-string=alles", false}, {"value-string:contains=ALLES", true}, {`value-string:exact=Über\, alles`, true}, {"value-string:exact=über", false},
		{"date=2020-02-29", true}, {"date=2020-02-28", false}, {"date=2020", true}, {"date=2020-02-29T10:00:00", false}, {"date=2020-02-29T09:00:00Z", true}, {"date=2020-02-29T09:00", true},
		{"code=GLU&status=final&date=ge2020&date=le2020-12", true}, {"code=GLU&status=final&date=ge2020&date=lt2020-02", false},
	} {
		if got := search(t, "Observation", c.query).Matches(r, known); got != c.want {
			t.Errorf("%s: got %t", c.query, got)
		}
	}
	if search(t, "Condition", "").Matches(r, known) {
		t.Error("found a resource of another type")
	}
}

func search(t *testing.T, resourceType, query string) *fhir.Search {
	t.Helper()
	s, err := fhir.ParseSearch(resourceType, split(query))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

// split reads a=b&a=c without percent escapes.
func split(query string) map[string][]string {
	m := map[string][]string{}
	for _, p := range strings.Split(query, "&") {
		if k, v, ok := strings.Cut(p, "="); ok {
			m[k] = append(m[k], v)
		}
	}
	return m
}

// Each line is a target, a search value, and for each prefix in the order of the header whether it holds. The meanings are those of
// https://hl7.org/fhir/R4/search.html#prefix: eq is containment, gt and lt overlap with what lies above and below.
const dates = `
target                  search       eq ne gt lt ge le sa eb ap
2020-02-29              2020-02-29   1  0  0  0  1  1  0  0  1
2020-02-29              2020-02      1  0  0  0  1  1  0  0  1
2020-02                 2020-02-15   0  1  1  1  1  1  0  0  1
2020                    2019         0  1  1  0  1  0  1  0  1
2020                    2021         0  1  0  1  0  1  0  1  1
2020                    2023         0  1  0  1  0  1  0  1  0
2020-03-01/2020-03-10   2020-03      1  0  0  0  1  1  0  0  1
2020-03-01/2020-03-10   2020-03-05   0  1  1  1  1  1  0  0  1
2020-03-01/2020-03-10   2020-03-10   0  1  0  1  0  1  0  0  1
2020-03-01/2020-03-10   2020-03-11   0  1  0  1  0  1  0  1  1
2020-03-01/             2020-02      0  1  1  0  1  0  1  0  1
2020-03-01/             2030         0  1  1  1  1  1  0  0  1
/2020-03-10             2020-02      0  1  1  1  1  1  0  0  1
/2020-03-10             2020-04      0  1  0  1  0  1  0  1  1
/2020-03-10             2020-06      0  1  0  1  0  1  0  1  0
`

func TestDatePrefixesCompareIntervals(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(dates), "\n")
	prefixes := strings.Fields(lines[0])[2:]
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		target := `"effectiveDateTime":"` + f[0] + `"`
		if start, end, period := strings.Cut(f[0], "/"); period {
			var parts []string
			if start != "" {
				parts = append(parts, `"start":"`+start+`"`)
			}
			if end != "" {
				parts = append(parts, `"end":"`+end+`"`)
			}
			target = `"effectivePeriod":{` + strings.Join(parts, ",") + `}`
		}
		r := parse(t, `{"resourceType":"Observation",`+target+`}`)
		for i, p := range prefixes {
			if got, want := search(t, "Observation", "date="+p+f[1]).Matches(r, fhir.Identity{}), f[2+i] == "1"; got != want {
				t.Errorf("%s %s%s: got %t", f[0], p, f[1], got)
			}
		}
	}
}

func TestTheDateOfATypeIsWhereR4SaysItIs(t *testing.T) {
	for _, in := range []string{
		`{"resourceType":"Encounter","period":{"start":"2020-05-01","end":"2020-05-02"}}`,
		`{"resourceType":"Procedure","performedPeriod":{"start":"2020-05-01","end":"2020-05-02"}}`,
		`{"resourceType":"Immunization","occurrenceDateTime":"2020-05-01"}`,
		`{"resourceType":"AllergyIntolerance","recordedDate":"2020-05-01"}`,
		`{"resourceType":"DocumentReference","date":"2020-05-01T10:00:00Z"}`,
		`{"resourceType":"MedicationRequest","dosageInstruction":[{"timing":{"event":["2020-05-01","2020-05-03"]}}],"authoredOn":"1999-01-01"}`,
		`{"resourceType":"Observation","effectiveTiming":{"repeat":{"boundsPeriod":{"start":"2020-05-01","end":"2020-05-09"}}}}`,
		`{"resourceType":"Observation","effectiveInstant":"2020-05-01T10:00:00.123Z"}`,
		`{"resourceType":"CarePlan","period":{"start":"2020-05-01","end":"2020-05-02"}}`,
		`{"resourceType":"Consent","dateTime":"2020-05-01"}`,
	} {
		if r := parse(t, in); !search(t, r.Type(), "date=2020-05").Matches(r, fhir.Identity{}) {
			t.Errorf("not found by date: %s", in)
		}
	}
}

func TestAnUnknownParameterIsNamed(t *testing.T) {
	for _, c := range []struct{ resourceType, query, element string }{
		{"Observation", "colour=red", "colour"}, {"Observation", "code:above=x", "code"}, {"Observation", "date:not=2020", "date"}, {"Observation", "date=xx2020", "date"},
		{"Observation", "date=ge", "date"}, {"Observation", "date=2020-13", "date"}, {"Observation", "code=", "code"}, {"Observation", "code=a|b|c", "code"}, {"Observation", "code=|", "code"},
		{"Observation", "patient=a b", "patient"}, {"Observation", "subject:Banana=1", "subject"}, {"Observation", "subject:Patient=Group/1", "subject"}, {"Observation", "status:missing=maybe", "status"},
		{"Observation", "_count=3", "_count"}, {"Patient", "patient=1", "patient"}, {"MedicationRequest", "onset-date=2020", "onset-date"}, {"Banana", "code=1", "Resource.Banana"},
	} {
		_, err := fhir.ParseSearch(c.resourceType, split(c.query))
		var e *fhir.Error
		if !errors.As(err, &e) || e.Element != c.element {
			t.Errorf("%s?%s: got %v, want an error about %s", c.resourceType, c.query, err, c.element)
		}
	}
}

func TestEverySampleIsFoundByItsOwnPatientAndDate(t *testing.T) {
	es, _ := entries(t, samples(t)[2])
	dated := 0
	for _, e := range es {
		r := e.Resource
		if subject := r.Subject(); subject != "" {
			s, err := fhir.ParseSearch(r.Type(), map[string][]string{"patient": {subject}})
			if err != nil || !s.Matches(r, fhir.Identity{}) {
				t.Errorf("%s %s: not found by its patient: %v", e.Element(), r.Type(), err)
			}
		}
		if s, err := fhir.ParseSearch(r.Type(), map[string][]string{"date": {"ge1900"}}); err == nil && s.Matches(r, fhir.Identity{}) {
			dated++
		}
	}
	if dated < len(es)/3 {
		t.Errorf("%d of %d have a date", dated, len(es))
	}
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{"code|http://loinc.org|2345-7,x", "date|ge2020-01-01T10:00:00+02:00", "patient|Patient/p", `value-string:contains|a\,b`, "_lastUpdated|sa2020", "subject:Patient|1"} {
		name, value, _ := strings.Cut(s, "|")
		f.Add(name, value)
	}
	r, err := fhir.Parse([]byte(observation))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		s, err := fhir.ParseSearch("Observation", map[string][]string{name: {value}})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q", err)
			}
			return
		}
		s.Matches(r, known)
		if i, err := fhir.ParseDate(value, true); err == nil && !i.From.Before(i.To) {
			t.Fatalf("%s is from %v to %v", value, i.From, i.To)
		}
	})
}
