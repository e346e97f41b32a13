package gateway_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"vitalog/synthetic"
)

// written is what differs between two resources of which one was written after the other.
var written = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|_history/[0-9]+|W/\\"[0-9]+|"versionId":"[0-9]+"|"20[0-9-]{8}T[0-9:.]+Z"`)

// noWayAround has software whose scopes reach one patient try each way to another: what it hears is the same as of nobody.
func noWayAround(t *testing.T, d desk, hers, his string, herThings, hisThings []sent, writes bool) {
	d.t = t
	first := func(all []sent, kind string) string {
		for _, s := range all {
			if id, ok := strings.CutPrefix(s.location, kind+"/"); ok {
				id, _, _ = strings.Cut(id, "/")
				return id
			}
		}
		t.Fatalf("there is no %s", kind)
		return ""
	}
	mrn := func(seed uint64) string {
		return synthetic.Patients(seed, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0].MRN
	}
	names := []string{"{patient}", his, "{encounter}", first(hisThings, "Encounter"), "{observation}", first(hisThings, "Observation"), "{condition}", first(hisThings, "Condition"), "{number}", mrn(12)}
	var nobody, told []string
	for i := 0; i < len(names); i += 2 {
		nobody, told = append(nobody, names[i], "nothing"), append(told, names[i+1], "nothing")
	}
	fixed := strings.NewReplacer("{hers}", hers, "{her-encounter}", first(herThings, "Encounter"), "{system}", synthetic.MRNSystem)
	of, none, untold := strings.NewReplacer(names...), strings.NewReplacer(nobody...), strings.NewReplacer(told...)

	d.do("GET", "/Patient/"+his+"/$everything", "").want(t, http.StatusOK) // where there is an index, he is in it
	rows := func() int { return d.seen(t, his) }
	before := rows()
	app := d.scoped("patient/*.cruds", hers)
	same := func(method, path, body string, headers ...string) {
		t.Helper()
		path, body = fixed.Replace(path), fixed.Replace(body)
		got := app.do(method, of.Replace(path), of.Replace(body), headers...)
		want := app.do(method, none.Replace(path), none.Replace(body), headers...)
		if got.status != want.status {
			t.Errorf("%s %s %s: of another patient %d %s, of nobody %d %s", method, path, body, got.status, got.body, want.status, want.body)
			return
		}
		if x, y := written.ReplaceAllString(untold.Replace(string(got.body)), "…"), written.ReplaceAllString(string(want.body), "…"); x != y {
			t.Errorf("%s %s %s: of another patient\n%s\nof nobody\n%s", method, path, body, x, y)
		}
		for _, s := range hisThings {
			kind, id, _ := strings.Cut(s.location, "/")
			id, _, _ = strings.Cut(id, "/")
			if kind != "Practitioner" && kind != "Organization" && kind != "Location" && strings.Contains(untold.Replace(string(got.body)), id) {
				t.Errorf("%s %s %s: it tells of %s of another patient", method, path, body, s.location)
			}
		}
	}

	if writes {
		writesAround(same)
	}
	for _, path := range []string{
		"/Patient/{patient}", "/Patient/{patient}/_history", "/Patient/{patient}/_history/1", "/Patient/{patient}/$everything", "/Patient/{patient}/$summary", "/Patient/{patient}/Observation",
		"/Patient?_id={patient}", "/Patient?_id={hers},{patient}", "/Patient?identifier={system}%7C{number}", "/Patient?identifier={number}", "/Patient?link=Patient/{patient}",
		"/Observation?patient={patient}", "/Observation?patient={hers},{patient}", "/Observation?subject=Patient/{patient}", "/Observation?subject:Patient={patient}", "/Observation?patient:Patient.identifier={system}%7C{number}",
		"/Observation?patient.identifier={number}", "/Observation?patient={hers}&subject=Patient/{patient}", "/Observation?patient={hers}&focus=Patient/{patient}", "/Observation?_id={observation}",
		"/Observation?patient={hers}&has-member=Observation/{observation}", "/Observation?patient={hers}&has-member.patient={patient}", "/Observation?patient={hers}&encounter=Encounter/{encounter}",
		"/Observation?patient={hers}&encounter.patient={patient}", "/Observation?patient={hers}&encounter:Encounter._id={encounter}",
		"/Patient?_id={patient}&_revinclude=Observation:patient", "/Encounter?_id={encounter}&_revinclude=Observation:encounter", "/Patient?_id={hers}&_has:Observation:patient:_id={observation}",
		"/Patient?_id={hers}&_has:Observation:focus:_id={observation}", "/Encounter?patient={hers}&_has:Observation:encounter:patient={patient}", "/Patient?_has:Observation:patient:_id={observation}",
		"/Condition?encounter={encounter}", "/Condition/{condition}", "/Encounter/{encounter}", "/Observation/{observation}/_history", "/Condition?patient={patient}&_include=Condition:encounter&_revinclude:iterate=Observation:encounter",
		"/AuditEvent?patient={patient}", "/AuditEvent?entity=Observation/{observation}", "/Consent?patient={patient}", "/Provenance?target=Observation/{observation}", "/Provenance?patient={patient}",
	} {
		same("GET", path, "")
	}
	same("POST", "/Observation/_search", "patient={patient}", "Content-Type", "application/x-www-form-urlencoded")
	same("POST", "/Patient/$match", `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Patient","identifier":[{"system":"{system}","value":"{number}"}]}}]}`)

	for _, path := range []string{"/Observation?patient={hers}&_include=*&_include:iterate=Observation:*&_revinclude=Observation:has-member", "/Patient?_id={hers}&_revinclude=Observation:focus&_include:iterate=*",
		"/Patient/{hers}/$everything", "/Patient/{hers}/$summary", "/Encounter?patient={hers}&_revinclude=Observation:encounter&_include:iterate=Observation:has-member"} {
		a := app.do("GET", fixed.Replace(path), "").want(t, http.StatusOK)
		for _, e := range readBundle(t, bytes.NewReader(a.body)).Entry {
			for _, id := range []string{his, first(hisThings, "Encounter"), first(hisThings, "Observation")} {
				if strings.HasSuffix(e.FullURL, "/"+id) {
					t.Errorf("%s has %s, which is another patient's", path, e.FullURL)
				}
			}
		}
	}
	if after := rows(); after != before {
		t.Errorf("the other patient has %d rows, had %d: nothing of theirs was shown or decided anything", after, before)
	}
}

// writesAround tries each way by which what is written could reach or tell of another patient.
func writesAround(same func(method, path, body string, headers ...string)) {
	// What of hers points at what is his.
	const observation = `{"resourceType":"Observation","status":"final","code":{"text":"Sodium"},"subject":{"reference":"Patient/{hers}"}`
	for _, more := range []string{
		`,"hasMember":[{"reference":"Observation/{observation}"}]}`, `,"encounter":{"reference":"Encounter/{encounter}"}}`, `,"focus":[{"reference":"Patient/{patient}"}]}`,
		`,"hasMember":[{"reference":"Observation/{observation}/_history/1"}]}`, `,"focus":[{"reference":"Patient?identifier={system}|{number}"}]}`,
		`,"focus":[{"type":"Patient","identifier":{"system":"{system}","value":"{number}"}}]}`,
		`,"contained":[{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"},"hasMember":[{"reference":"Observation/{observation}"}]}],"hasMember":[{"reference":"#o"}]}`,
	} {
		same("POST", "/Observation", observation+more)
		same("POST", "", batch(`{"resource":`+observation+more+`,"request":{"method":"PUT","url":"Observation?_id={observation}"}}`))
	}
	own := `{"resource":` + observation + `},"request":{"method":"POST","url":"Observation"}}`
	about := strings.Replace(observation, "Patient/{hers}", "Patient/{patient}", 1) + "}"
	byNumber := strings.Replace(observation, "Patient/{hers}", "Patient?identifier={system}|{number}", 1) + "}"
	for _, entry := range []string{
		`{"resource":` + about + `,"request":{"method":"POST","url":"Observation"}}`, `{"resource":` + byNumber + `,"request":{"method":"POST","url":"Observation"}}`,
		`{"resource":` + about + `,"request":{"method":"POST","url":"Observation","ifNoneExist":"patient={patient}"}}`,
		`{"request":{"method":"GET","url":"Patient/{patient}"}}`, `{"request":{"method":"GET","url":"Observation?patient={patient}"}}`, `{"request":{"method":"DELETE","url":"Observation/{observation}"}}`,
		`{"request":{"method":"DELETE","url":"Observation?patient={patient}&_id={observation}"}}`,
		`{"resource":{"resourceType":"Patient","identifier":[{"system":"{system}","value":"{number}"}]},"request":{"method":"PUT","url":"Patient?identifier={system}|{number}"}}`,
		`{"resource":{"resourceType":"Patient","identifier":[{"system":"{system}","value":"{number}"}]},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier={system}|{number}"}}`,
	} {
		same("POST", "", transaction(own, entry))
		same("POST", "", batch(entry))
	}
	same("POST", "/Observation", about, "If-None-Exist", "patient=nothing")
	same("PUT", "/Observation/{observation}", strings.Replace(observation, `"status"`, `"id":"{observation}","status"`, 1)+"}")
	same("DELETE", "/Observation/{observation}", "")
	same("PATCH", "/Observation/{observation}", `[{"op":"replace","path":"/status","value":"amended"}]`, "Content-Type", "application/json-patch+json")
	same("PUT", "/Patient?identifier={system}%7C{number}", `{"resourceType":"Patient","identifier":[{"system":"{system}","value":"{number}"}]}`)
}
