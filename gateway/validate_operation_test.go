package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestValidateTellsAllThatIsFoundAndKeepsNothing(t *testing.T) {
	d := newDoor(t)
	const fine = `{"resourceType":"Location","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Ward</div>"},"name":"Ward"}`
	parameters := func(resource, more string) string {
		return "{\"resourceType\":\"Parameters\",\"parameter\":[" + more + "\n{\"name\":\"resource\",\"resource\":" + resource + "}]}"
	}
	mode := func(m string) string { return `{"name":"mode","valueCode":"` + m + `"},` }
	for _, c := range []struct {
		name, path, body string
		want             []string
	}{
		{"a resource alone", "/fhir/Location/$validate", fine, []string{"information informational  "}},
		{"in parameters", "/fhir/Location/$validate", parameters(fine, ""), []string{"information informational  "}},
		{"advice", "/fhir/Location/$validate", `{"resourceType":"Location"}`, []string{"warning invariant Location Line[1] Col[1]"}},
		{"errors", "/fhir/Location/$validate", parameters(`{"resourceType":"Location","mode":"far","nam":"x"}`, ""), []string{
			"warning invariant Location Line[2] Col[31]", "error code-invalid Location.mode Line[2] Col[65]", "error structure Location Line[2] Col[71]"}},
		{"a wrong date", "/fhir/Patient/$validate", `{"resourceType":"Patient","birthDate":"31/12/1980"}`, []string{"warning invariant Patient Line[1] Col[1]", "error value Patient.birthDate Line[1] Col[39]"}},
		{"another type", "/fhir/Patient/$validate", fine, []string{"error invalid Location "}},
		{"to create", "/fhir/Location/$validate", parameters(fine, mode("create")), []string{"information informational  "}},
		{"to create what is kept by nobody", "/fhir/OperationOutcome/$validate", parameters(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}],`+fine[len(`{"resourceType":"Location",`):strings.Index(fine, `,"name"`)]+`}`, mode("create")), []string{
			"error not-supported OperationOutcome "}},
		{"to update", "/fhir/Location/1/$validate", parameters(`{"id":"1",`+fine[1:], mode("update")), []string{"information informational  "}},
		{"to update another", "/fhir/Location/2/$validate", parameters(`{"id":"1",`+fine[1:], mode("update")), []string{"error invalid Location.id "}},
		{"parameters themselves", "/fhir/Parameters/$validate", `{"resourceType":"Parameters","parameter":[{"name":"x"}]}`, []string{"error invariant Parameters.parameter[0] Line[1] Col[43]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := d.do("POST", c.path, c.body)
			if w.Code != http.StatusOK {
				t.Fatalf("got %d: %s", w.Code, w.Body)
			}
			if got := told(readOutcome(t, w.Body)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if b := readBundle(t, d.do("GET", "/fhir/Location", "").Body); b.Total != 0 {
		t.Errorf("%d locations were listed", b.Total)
	}
}

func TestValidateRefusesWhatItCantAnswer(t *testing.T) {
	d := newDoor(t)
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"no JSON", "/fhir/Location/$validate", `{`, 400},
		{"no type", "/fhir/Potion/$validate", `{"resourceType":"Location"}`, 404},
		{"a profile", "/fhir/Location/$validate", `{"resourceType":"Parameters","parameter":[{"name":"profile","valueUri":"http://x"},{"name":"resource","resource":{"resourceType":"Location"}}]}`, 422},
		{"another mode", "/fhir/Location/$validate", `{"resourceType":"Parameters","parameter":[{"name":"mode","valueCode":"delete"}]}`, 422},
		{"no FHIR within", "/fhir/Location/$validate", `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Potion"}}]}`, 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := d.do("POST", c.path, c.body)
			readOutcome(t, w.Body)
			if w.Code != c.status {
				t.Errorf("got %d, want %d", w.Code, c.status)
			}
		})
	}
	d.token = "none"
	if w := d.do("POST", "/fhir/Location/$validate", `{"resourceType":"Location"}`); w.Code != http.StatusUnauthorized {
		t.Errorf("without a token: got %d", w.Code)
	}
}
