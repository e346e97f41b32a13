package fhir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"vitalog/fhir"
)

const patched = `{"resourceType":"Observation", "status":"final","note":[{"text":"a"},{"text":"b"}],"valueQuantity":{"value":70.00,"unit":"kg"}}`

func patch(t *testing.T, doc, changes string) (string, error) {
	t.Helper()
	r, err := fhir.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	p, err := fhir.ParsePatch([]byte(changes))
	if err != nil {
		return "", err
	}
	out, err := p.Apply(r)
	if err != nil {
		return "", err
	}
	return string(out.Raw()), nil
}

func TestAPatchChangesWhatItNamesAndKeepsTheBytesOfTheRest(t *testing.T) {
	from := patched
	for changes, want := range map[string]string{
		`[]`: from,
		`[{"op":"replace","path":"/status","value":"amended"}]`:                                                                                  `{"resourceType":"Observation","status":"amended","note":[{"text":"a"},{"text":"b"}],"valueQuantity":{"value":70.00,"unit":"kg"}}`,
		`[{"op":"add","path":"/note/1","value":{"text":"c"}}]`:                                                                                   `{"resourceType":"Observation","status":"final","note":[{"text":"a"},{"text":"c"},{"text":"b"}],"valueQuantity":{"value":70.00,"unit":"kg"}}`,
		`[{"op":"add","path":"/note/-","value":{"text":"c"}},{"op":"remove","path":"/note/0"}]`:                                                  `{"resourceType":"Observation","status":"final","note":[{"text":"b"},{"text":"c"}],"valueQuantity":{"value":70.00,"unit":"kg"}}`,
		`[{"op":"move","from":"/note/1","path":"/note/0"}]`:                                                                                      `{"resourceType":"Observation","status":"final","note":[{"text":"b"},{"text":"a"}],"valueQuantity":{"value":70.00,"unit":"kg"}}`,
		`[{"op":"copy","from":"/note/1/text","path":"/note/0/text"},{"op":"remove","path":"/valueQuantity/unit"}]`:                               `{"resourceType":"Observation","status":"final","note":[{"text":"b"},{"text":"b"}],"valueQuantity":{"value":70.00}}`,
		`[{"op":"test","path":"/valueQuantity/value","value":7e1}, {"op":"test","path":"/valueQuantity","value":{"unit":"k\u0067","value":70}}]`: from,
		`[{"op":"test","path":"/note","value":[{"text":"a"},{"text":"b"}],"comment":"ignored"}]`:                                                 from,
	} {
		if got, err := patch(t, from, changes); err != nil || got != want {
			t.Errorf("%s\n got %s %v\nwant %s", changes, got, err, want)
		}
	}
}

func TestAPatchThatDoesNotFitIsRefusedAsAWhole(t *testing.T) {
	doc := patched
	for _, changes := range []string{
		``, `{}`, `[1]`, `[{"op":"add","path":"/x"}]`, `[{"op":"add","path":"x","value":1}]`, `[{"op":"put","path":"/x","value":1}]`, `[{"op":"remove","path":"/a~2"}]`,
		`[{"op":"remove","path":"/nothing"}]`, `[{"op":"replace","path":"/nothing","value":1}]`, `[{"op":"remove","path":"/note/2"}]`, `[{"op":"remove","path":"/note/-"}]`,
		`[{"op":"add","path":"/note/3","value":1}]`, `[{"op":"add","path":"/note/00","value":1}]`, `[{"op":"add","path":"/note/-1","value":1}]`, `[{"op":"add","path":"/status/x","value":1}]`,
		`[{"op":"move","from":"/note","path":"/note/0"}]`, `[{"op":"test","path":"/status","value":"x"}]`, `[{"op":"test","path":"/valueQuantity/value","value":70.01}]`,
		`[{"op":"test","path":"/note","value":[{"text":"a"}]}]`, `[{"op":"remove","path":""}]`, `[{"op":"replace","path":"","value":1}]`, `[{"op":"remove","path":"/resourceType"}]`,
		`[{"op":"copy","path":"/x"}]`, `[{"op":"add","op":"add","path":"/x","value":1}]`,
		`[` + strings.Repeat(`{"op":"test","path":"/status","value":"final"},`, 500) + `{"op":"test","path":"/status","value":"final"}]`,
	} {
		var wrong *fhir.Error
		if got, err := patch(t, doc, changes); !errors.As(err, &wrong) {
			t.Errorf("%.200s: got %s, %v", changes, got, err)
		}
	}
}

func TestAPatchThatDoublesIsBounded(t *testing.T) {
	changes := `[{"op":"copy","from":"/note","path":"/x"}` + strings.Repeat(`,{"op":"copy","from":"","path":"/x"}`, 200) + `]`
	if _, err := patch(t, patched, changes); err == nil {
		t.Error("it was applied")
	}
}

func FuzzPatch(f *testing.F) {
	f.Add([]byte(`[{"op":"add","path":"/note/-","value":{"text":"c"}},{"op":"copy","from":"/note/0","path":"/note/1"},{"op":"move","from":"/status","path":"/x"}]`))
	f.Add([]byte(`[{"op":"test","path":"/valueQuantity/value","value":700e-1},{"op":"remove","path":"/note/0/text"},{"op":"replace","path":"/status","value":"a\u0000"}]`))
	doc, err := fhir.Parse([]byte(patched))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, changes []byte) {
		before := bytes.Clone(doc.Raw())
		p, err := fhir.ParsePatch(changes)
		if err != nil {
			return
		}
		out, err := p.Apply(doc)
		if !bytes.Equal(doc.Raw(), before) {
			t.Fatal("the resource itself was changed")
		}
		if err == nil && !json.Valid(out.Raw()) {
			t.Errorf("got %s", out.Raw())
		}
	})
}
