package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzSearch(f *testing.F) {
	d := newDoor(f)
	d.do("POST", "/fhir/Practitioner", `{"resourceType":"Practitioner","identifier":[{"system":"urn:x","value":"1"}],"name":[{"family":"Okafor"}]}`)
	d.do("POST", "/fhir/PractitionerRole", `{"resourceType":"PractitionerRole","practitioner":{"reference":"Practitioner?identifier=urn:x|1"},"specialty":[{"text":"surgery"}]}`)
	searches := []string{"Practitioner", "PractitionerRole", "Observation"}
	for i, of := range [][]string{
		{"", "identifier=urn:x|1", "_count=0", "_count=1&_offset=1", "_id=a,b", "family:exact=Okafor&_sort=-_lastUpdated", "%", "a;b", "_offset=99999999999", "identifier:not=%7C1",
			"_has:PractitionerRole:practitioner:specialty:text=surgery", "_has:PractitionerRole:practitioner:organization.partof.name=x", "_revinclude=PractitionerRole:practitioner&_revinclude:iterate=PractitionerRole:*",
			"_summary=true", "_summary=text&_elements=name,identifier", "_content=%22okafor%22", "_text=okafor", "_has:PractitionerRole:practitioner:_has:X:y:z=1"},
		{"practitioner.family=oka", "practitioner:Practitioner.identifier=urn:x|1&_include=PractitionerRole:practitioner", "_include:iterate=PractitionerRole:*:Practitioner", "_include=*", "practitioner:identifier=urn:x|1",
			"practitioner:missing=false&_sort=specialty,-practitioner", "organization.partof.partof.name=x", "specialty:text=surg"},
		{"patient=1&code-value-quantity=http://loinc.org|8480-6$ge120||mm[Hg]", "patient=1&value-quantity=ap5.4e-1|http://unitsofmeasure.org|mg", "patient=1&value-quantity=sa1,eb2", "subject=Patient/1&component-code-value-quantity=a$lt5,b$ne7",
			"patient.identifier=urn:x|1&encounter.date=ge2020&date=sa2019-01", "patient=1&code-value-date=a$2020", "patient=1&_has:DiagnosticReport:result:status=final", "patient=1&_revinclude=DiagnosticReport:result&_include:iterate=Observation:encounter:Encounter",
			"_id=1&_summary=data", "patient=1&encounter:Encounter.service-provider:Organization.name:exact=x", `patient=1&code-value-string=a\$b$c\,d`},
	} {
		for _, q := range of {
			f.Add(uint8(i), q)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, query string) {
		r := httptest.NewRequest("GET", "/fhir/"+searches[int(kind)%len(searches)], nil)
		r.Header.Set("Authorization", "Bearer "+d.token)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK:
			if b := readBundle(t, w.Body); b.Type != "searchset" || b.Total > 1 {
				t.Errorf("%q: got %+v", query, b)
			}
		case http.StatusBadRequest, http.StatusNotAcceptable:
			readOutcome(t, w.Body)
		default:
			t.Errorf("%q: got %d: %s", query, w.Code, w.Body)
		}
	})
}

// A reference is kept as it was received, unless it leads to what comes in with it or to what is known by an identifier.
func FuzzReference(f *testing.F) {
	d := newDoor(f)
	known := d.do("POST", "/fhir/Organization", `{"resourceType":"Organization","id":"known","identifier":[{"system":"urn:x","value":"1"}]}`)
	if known.Code != http.StatusCreated {
		f.Fatal(known.Body)
	}
	for _, ref := range []string{"#a", "urn:uuid:1", "urn:uuid:2", "Organization/known", "Organization/known/_history/1", base + "/Organization/known", "http://other.example/Organization/1",
		"Organization?identifier=urn:x|1", "Organization?identifier=urn:x|2", "Organization?name=x", "Patient?identifier=a|b", "Patient/1", "Organization/other/_history/", "/Organization/other", "x", "?", "/", ""} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		if !utf8.ValidString(ref) {
			return
		}
		quoted, _ := json.Marshal(ref)
		w := d.do("POST", "/fhir", transaction(post("urn:uuid:1", "Organization", `,"partOf":{"reference":`+string(quoted)+`}`)))
		if w.Code == http.StatusUnprocessableEntity {
			if at := readOutcome(t, w.Body).Issue[0].Expression; len(at) != 1 || strings.TrimSuffix(at[0], ".reference") != "Bundle.entry[0].resource.partOf" {
				t.Errorf("%q: is refused at %q", ref, at)
			}
			return
		}
		if w.Code != http.StatusOK {
			t.Fatalf("%q: got %d: %s", ref, w.Code, w.Body)
		}
		made := readBundle(t, w.Body).Entry[0].Response
		if made.Status == "200 OK" {
			return // these bytes were listed before
		}
		self, _, _ := strings.Cut(made.Location, "/_history")
		var got struct{ PartOf struct{ Reference string } }
		if err := json.Unmarshal(d.do("GET", "/fhir/"+self, "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if r := got.PartOf.Reference; r != ref && r != self && r != "Organization/known" && base+"/"+r != ref {
			t.Errorf("%q came back as %q", ref, r)
		}
	})
}

func FuzzBundle(f *testing.F) {
	d := newDoor(f)
	f.Add(transaction(post("urn:uuid:1", "Organization", "")))
	f.Add(batch(post("urn:uuid:1", "Organization", ""), post("urn:uuid:1", "Observation", "")))
	f.Add(`{"resourceType":"Bundle","type":"batch"}`)
	f.Add(`{"resourceType":"Bundle","entry":[{}],"type":"transaction"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "Patient") || body == "" {
			return // a patient who is new needs a ledger
		}
		w := d.do("POST", "/fhir", body)
		switch w.Code {
		case http.StatusOK:
			if b := readBundle(t, w.Body); b.Type != "transaction-response" && b.Type != "batch-response" {
				t.Errorf("%q: got %+v", body, b)
			}
		case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
			readOutcome(t, w.Body)
		default:
			t.Errorf("%q: got %d: %s", body, w.Code, w.Body)
		}
	})
}

// What operations on a Patient are asked is read or refused; of nobody who is known here there is nothing.
func FuzzOperations(f *testing.F) {
	d := newDoor(f)
	const patient = `{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"1"}],"name":[{"family":"Rossi"}]}`
	for _, body := range []string{"", patient, matching(patient, `,{"name":"count","valueInteger":1}`), matching(patient, `,{"name":"onlyCertainMatches","valueBoolean":true}`), matching("7", ""),
		`{"resourceType":"Parameters","parameter":[{"name":"identifier","valueString":"urn:x|1"}]}`, `{"resourceType":"Parameters","parameter":[null,{"name":"profile"}]}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for path, known := range map[string]int{"/fhir/Patient/$match": http.StatusOK, "/fhir/Patient/$summary": http.StatusNotFound} {
			switch w := d.do("POST", path, body); w.Code {
			case http.StatusOK:
				if b := readBundle(t, w.Body); known != w.Code || b.Type != "searchset" || b.Total != 0 {
					t.Errorf("%q: got %+v", body, b)
				}
			case http.StatusNotFound:
				if readOutcome(t, w.Body); known != w.Code {
					t.Errorf("%q: got %d", body, w.Code)
				}
			case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
				readOutcome(t, w.Body)
			default:
				t.Errorf("%q: got %d: %s", body, w.Code, w.Body)
			}
		}
	})
}
