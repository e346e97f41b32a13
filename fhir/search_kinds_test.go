package fhir_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"vitalog/fhir"
)

const pressure = `{"resourceType":"Observation","status":"final","text":{"status":"generated","div":"<div>Blutdruck im <b>Sitzen</b></div>"},
 "code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure"}],"text":"Blood Pressure Panel"},
 "subject":{"reference":"Patient/p","identifier":{"system":"urn:mrn","value":"77"},"display":"Zoë Müller"},
 "valueQuantity":{"value":5.40,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"},
 "note":[{"text":"Déjà vu, no headache"}],
 "component":[{"code":{"coding":[{"code":"8480-6"}]},"valueQuantity":{"value":120,"code":"mm[Hg]","system":"http://unitsofmeasure.org"}},
  {"code":{"coding":[{"code":"8462-4"}]},"valueQuantity":{"value":80,"comparator":"<","code":"mm[Hg]"}}]}`

func TestAmountsPairsAndWordsAreFound(t *testing.T) {
	r := parse(t, pressure)
	for _, c := range []struct {
		query string
		want  bool
	}{
		{"value-quantity=5.4", true}, {"value-quantity=5.40", true}, {"value-quantity=5", true}, {"value-quantity=5.3", false}, {"value-quantity=5.35", false}, {"value-quantity=ne5.3", true},
		{"value-quantity=gt5.4", false}, {"value-quantity=ge5.4", true}, {"value-quantity=lt5.41", true}, {"value-quantity=le5.4", true}, {"value-quantity=sa5.3", true}, {"value-quantity=eb5.3", false},
		{"value-quantity=ap5", true}, {"value-quantity=ap4", false}, {"value-quantity=5.4||mg", true}, {"value-quantity=5.4|http://unitsofmeasure.org|mg", true}, {"value-quantity=5.4|urn:x|mg", false}, {"value-quantity=5.4||g", false},
		{"value-quantity=54e-1", true}, {"value-quantity=1,5.4", true}, {"value-quantity:missing=false", true},
		{"component-value-quantity=80", false}, {"component-value-quantity=lt80", true}, {"component-value-quantity=eb80", true}, {"component-value-quantity=gt120", false},
		{"component-code-value-quantity=8480-6$120", true}, {"component-code-value-quantity=8462-4$120", false}, {"component-code-value-quantity=8480-6$ge100||mm[Hg]", true},
		{"code-value-quantity=http://loinc.org|85354-9$5.4", true}, {"code-value-quantity=8480-6$120", false}, {"combo-code-value-quantity=8480-6$120", true}, {"combo-code-value-quantity=85354-9$gt5", true},
		{"code:text=blood p", true}, {"code:text=pressure", false}, {"subject:identifier=urn:mrn|77", true}, {"subject:identifier=urn:mrn|78", false}, {"subject:text=zoe", true},
		{"_text=sitzen", true}, {"_text=headache", false}, {"_content=headache deja", true}, {`_content="no headache"`, true}, {`_content="headache no"`, false}, {"_content=head", false}, {"_content=MULLER", true},
	} {
		if got := search(t, "Observation", c.query).Matches(r, known); got != c.want {
			t.Errorf("%s: got %t", c.query, got)
		}
	}
	for _, bad := range []string{"value-quantity=x", "value-quantity=5|mg", "value-quantity=1e999999", "code-value-quantity=8480-6", "code-value-quantity=8480-6$x", "_text=?", "code:in=http://x", "code:below=1", "code-value-quantity:missing=true",
		"value-quantity=" + strings.Repeat("9", 100), "code=" + strings.Repeat("1,", 100_000) + "1", "code=" + strings.Repeat("1", 5000)} {
		_, err := fhir.ParseSearch("Observation", split(bad))
		var e *fhir.Error
		if !errors.As(err, &e) {
			t.Errorf("%.40s: got %v", bad, err)
		}
	}
}

func TestResultsAreSortedBySeveralParameters(t *testing.T) {
	by, err := fhir.ParseSort("Observation", []string{"code,-value-quantity"})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{"c", "a", "d", "b", "e"}
	keys := map[string]fhir.Key{}
	for id, x := range map[string]string{"a": `"code":{"text":"?"},"valueQuantity":{"value":1}`, "b": `"code":{"coding":[{"code":"x"}]},"valueQuantity":{"value":9}`,
		"c": `"code":{"coding":[{"code":"x"}]},"valueQuantity":{"value":10}`, "d": `"code":{"coding":[{"code":"x"}]}`, "e": `"code":{"coding":[{"code":"w"}]}`} {
		keys[id] = by.Key(parse(t, `{"resourceType":"Observation",`+x+`}`), fhir.Identity{ID: id})
	}
	slices.SortFunc(ids, func(a, b string) int { return by.Compare(keys[a], keys[b]) })
	if got, want := strings.Join(ids, ""), "ecbda"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []string{"colour", "code-value-quantity", "code,code,code,code,code,code,code,code,code", ""} {
		if _, err := fhir.ParseSort("Observation", []string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestASubsetSaysThatItIsOne(t *testing.T) {
	r := parse(t, `{"resourceType":"Observation","id":"o","meta":{"versionId":"3","tag":[{"code":"x"}]},"status":"final","_status":{"id":"1"},"code":{"text":"0"},"valueQuantity":{"value":1.0,"unit":"kg"}}`)
	got := r.Subset(func(name string, value fhir.Value) fhir.Value {
		switch name {
		case "status", "_status":
			return value
		case "valueQuantity":
			return fhir.Value(`{"value":1.0}`)
		}
		return nil
	})
	want := `{"resourceType":"Observation","id":"o","meta":{"versionId":"3","tag":[{"code":"x"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]},"status":"final","_status":{"id":"1"},"valueQuantity":{"value":1.0}}`
	if string(got) != want || !json.Valid(got) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
