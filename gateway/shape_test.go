package gateway_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vitalog/internal/testnet"
)

// What is asked for in part is given in part, by reads and searches alike, and says so.
func TestAResourceIsGivenAsFarAsItIsAskedFor(t *testing.T) {
	d := desk{t, testnet.Start(t, 1, 0).Nodes[0], okafor}
	chart, _ := d.enrol(7)
	const subset = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`
	a := d.do("POST", "/Observation", `{"resourceType":"Observation","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">72 kg</div>"},"status":"final",`+
		`"code":{"text":"Weight"},"subject":{"reference":"Patient/`+chart+`"},"valueQuantity":{"value":72.0,"unit":"kg"},"note":[{"text":"n"}]}`).want(t, http.StatusCreated)
	_, address, _ := strings.Cut(a.header.Get("Location"), "/fhir")
	version := address
	address, _, _ = strings.Cut(address, "/_history")
	id := address[len("/Observation/"):]
	parts := map[string]string{"text": `,"text":{`, "status": `,"status":"final"`, "code": `,"code":{`, "subject": `,"subject":{`, "value": `,"valueQuantity":{"value":72.0,"unit":"kg"}`, "note": `,"note":[`}
	for query, want := range map[string]string{
		"":                              "text status code subject value note",
		"_summary=false":                "text status code subject value note",
		"_summary=data":                 "status code subject value note",
		"_summary=text":                 "text status code",
		"_summary=true":                 "status code subject value",
		"_elements=note":                "status code note",
		"_elements=value,subject":       "status code subject value",
		"_elements=valueQuantity":       "status code value",
		"_elements=Observation.note":    "status code note",
		"_summary=true&_elements=value": "status code value",
	} {
		for _, path := range []string{address + "?" + query, version + "?" + query, "/Observation?_id=" + id + "&" + query} {
			got := d.do("GET", path, "").want(t, http.StatusOK)
			body := got.body
			if strings.Contains(path, "?_id=") {
				body = readBundle(t, bytes.NewReader(body)).Entry[0].Resource
			} else if got.header.Get("ETag") != a.header.Get("ETag") {
				t.Errorf("%s: ETag %s", path, got.header.Get("ETag"))
			}
			if whole := query == "" || query == "_summary=false"; bytes.Contains(body, []byte(subset)) == whole {
				t.Errorf("%s: the tag is wrong: %s", path, body)
			}
			for name, part := range parts {
				if in := strings.Contains(" "+want+" ", " "+name+" "); bytes.Contains(body, []byte(part)) != in {
					t.Errorf("%s: %s is there: %t, want %t: %s", path, name, !in, in, body)
				}
			}
			if !bytes.Contains(body, []byte(fmt.Sprintf(`"id":"%s"`, id))) || !bytes.Contains(body, []byte(`"versionId":`)) {
				t.Errorf("%s: has no id or version: %s", path, body)
			}
		}
	}
	for _, bad := range []string{"_summary=count", "_summary=long", "_summary=true&_summary=true", "_elements=a&_elements=b"} {
		d.do("GET", address+"?"+bad, "").want(t, http.StatusBadRequest)
	}
	d.do("GET", "/Observation?_id="+id+"&_summary=text&_include=Observation:subject", "").want(t, http.StatusBadRequest)
	audited := readBundle(t, bytes.NewReader(d.do("GET", "/AuditEvent?patient="+chart+"&_summary=true&_count=1", "").want(t, http.StatusOK).body))
	if !bytes.Contains(audited.Entry[0].Resource, []byte("SUBSETTED")) {
		t.Errorf("an AuditEvent in short is %s", audited.Entry[0].Resource)
	}
}
