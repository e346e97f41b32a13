package gateway_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"vitalog/fhir"
)

// ofR4 are R4's search parameters by type, and how each compares; see definition/generate.
func ofR4(t testing.TB) map[string]map[string]string {
	raw, err := os.ReadFile("testdata/parameters.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		all[f[0]] = map[string]string{}
		for _, p := range f[1:] {
			name, how, _ := strings.Cut(p, ":")
			all[f[0]][name] = how
		}
	}
	return all
}

// searchable are the parameters of each type by the CapabilityStatement, and how each compares.
func searchable(t testing.TB) map[string]map[string]string {
	var s struct {
		Rest []struct {
			Resource []struct {
				Type        string
				SearchParam []struct{ Name, Type string }
			}
		}
	}
	if err := json.Unmarshal(newDoor(t).do("GET", "/fhir/metadata", "").Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for _, r := range s.Rest[0].Resource {
		all[r.Type] = map[string]string{}
		for _, p := range r.SearchParam {
			if all[r.Type][p.Name] != "" {
				t.Errorf("the statement has %s of %s twice", p.Name, r.Type)
			}
			all[r.Type][p.Name] = p.Type
		}
	}
	return all
}

// The statement, the search and the specification's table have the same parameters, which compare as R4 says, and the table tells which of R4's
// there are not.
func TestTheSpecificationHasTheSearchParametersThatThereAre(t *testing.T) {
	r4, rows, types := ofR4(t), "", searchable(t)
	for _, kind := range slices.Sorted(maps.Keys(types)) {
		have, want := types[kind], r4[kind]
		var found, not []string
		for _, name := range slices.Sorted(maps.Keys(have)) {
			if how := fhir.ParamType(kind, name); how != have[name] && name != "patient" { // which names the chart, whatever is in it
				t.Errorf("%s.%s is %q in the statement, %q in the search", kind, name, have[name], how)
			}
			if r4["Resource"][name] != "" || r4["DomainResource"][name] != "" || name == "identifier" || name == "patient" {
				continue // of every type, or of every type in charts
			}
			switch how := want[name]; {
			case how == "":
				name += "⁺"
			case how == "reference" && have[name] == "uri":
				name += "ᵘ"
			case how != have[name]:
				t.Errorf("%s.%s compares as a %s, R4 says %s", kind, name, have[name], how)
			}
			found = append(found, name)
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if have[name] == "" {
				if not = append(not, name); fhir.ParamType(kind, name) != "" {
					t.Errorf("%s.%s is searched, and the statement doesn't say so", kind, name)
				}
			}
		}
		rows += strings.Join(strings.Fields(fmt.Sprint("| ", kind, " | ", strings.Join(found, " "), " | ", strings.Join(not, " "), " |")), " ") + "\n"
	}
	page, err := os.ReadFile("../spec/parameters.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "|---|---|---|\n")
	if table != rows {
		t.Errorf("spec/parameters.md differs from what there is. Its table is to be:\n%s", rows)
	}
}

// US Core's types have all parameters that US Core names, whatever it expects of them, and all of R4's but those that need a position, a
// comparison by sound or an extension.
func TestUSCoresTypesHaveTheirSearchParameters(t *testing.T) {
	have, r4 := searchable(t), ofR4(t)
	var s struct {
		Rest []struct {
			Resource []struct {
				Type        string
				SearchParam []struct{ Name, Type string }
			}
		}
	}
	specification(t, "CapabilityStatement-us-core-server.json", &s)
	for _, r := range s.Rest[0].Resource {
		for _, p := range r.SearchParam {
			if have[r.Type][p.Name] != p.Type {
				t.Errorf("%s.%s is %q, US Core says %s", r.Type, p.Name, have[r.Type][p.Name], p.Type)
			}
		}
		for name := range r4[r.Type] {
			if have[r.Type][name] == "" && name != "near" && name != "phonetic" && r.Type != "ValueSet" { // of which US Core wants an operation
				t.Errorf("%s has no %s", r.Type, name)
			}
		}
	}
	d := newDoor(t)
	for _, kind := range slices.Sorted(maps.Keys(have)) {
		for name, how := range have[kind] {
			value := map[string]string{"date": "2020", "number": "1", "quantity": "1", "composite": "1$1"}[how]
			if value == "" {
				value = "1"
			}
			q := "?" + name + "=" + value
			if name == "code-value-date" {
				q = "?code-value-date=1$2020"
			}
			switch {
			case kind == "Patient":
				q += "&_id=1"
			case have[kind]["patient"] != "" && name != "patient" && name != "subject":
				q += "&patient=1"
			}
			if w := d.do("GET", "/fhir/"+kind+q, ""); w.Code != http.StatusOK && readOutcome(t, w.Body).Issue[0].Code == "not-supported" {
				t.Errorf("%s%s: the statement says it is searched, the answer is %d", kind, q, w.Code)
			}
		}
	}
}
