package feed_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/scope"
)

// bytesOf are those that a document's attachment leads to.
func (w *ward) bytesOf(document map[string]any) (data []byte, contentType string) {
	w.t.Helper()
	content := document["content"].([]any)[0].(map[string]any)["attachment"].(map[string]any)
	binary := w.get(content["url"].(string), url.Values{"_format": {"json"}})[0]
	data, err := base64.StdEncoding.DecodeString(binary["data"].(string))
	if err != nil {
		w.t.Fatal(err)
	}
	return data, content["contentType"].(string)
}

func document(t *testing.T, w *ward) {
	l := w.dial()
	pdf := []byte("%PDF-1.4 \x00\xff not really")
	txa := `TXA|1|DS^Discharge summary^HL70270|AP|202603021200+0100|||202603021300+0100||77^Okafor^Ada|||D19^GHH|||||AU||||||||Discharge summary`
	l.want(message("MDM^T02^MDM_T02", "19-1", person("19"), visit("19"), txa, "OBX|1|ED|18842-5^Discharge summary^LN||^application^pdf^Base64^"+base64.StdEncoding.EncodeToString(pdf)+"||||||F"), "AA")
	chart := w.chart("19")
	all := w.of("DocumentReference", chart)
	if len(all) != 1 {
		t.Fatalf("got %v, want one document", all)
	}
	if got, kind := w.bytesOf(all[0]); !bytes.Equal(got, pdf) || kind != "application/pdf" {
		t.Errorf("got %q %s, want %q", got, kind, pdf)
	}
	l.want(message("MDM^T02^MDM_T02", "19-1", person("19"), visit("19"), txa, "OBX|1|ED|18842-5^Discharge summary^LN||^application^pdf^Base64^"+base64.StdEncoding.EncodeToString(pdf)+"||||||F"), "AA")
	l.want(message("MDM^T10^MDM_T10", "19-2", person("19"), visit("19"), strings.Replace(txa, "D19^GHH|", "D20^GHH|D19^GHH", 1), "OBX|1|TX|18842-5^Discharge summary^LN||first|||||F", "OBX|2|TX|18842-5^x^LN||second \\T\\ last||||||F"), "AA")
	all = w.of("DocumentReference", chart)
	if len(all) != 2 {
		t.Fatalf("got %d documents, want 2", len(all))
	}
	found := false
	for _, d := range all {
		if d["relatesTo"] == nil {
			continue
		}
		found = true
		if got, kind := w.bytesOf(d); string(got) != "first\nsecond & last" || !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("got %q %s", got, kind)
		}
	}
	if !found {
		t.Errorf("no document replaces the first: %v", all)
	}
	l.want(message("MDM^T02^MDM_T02", "19-3", person("19"), visit("19"), txa, "OBX|1|ED|x||^application^pdf^Base64^!!||||||F"), "AE", "|101^")
	l.want(message("RDE^O11^RDE_O11", "19-4", person("19"), "ORC|NW|P1^GHH", "RXE||313782^Acetaminophen 325 MG^RXNORM|1||TAB"), "AA")
	l.want(message("RDS^O13^RDS_O13", "19-5", person("19"), "ORC|RE|P1^GHH", "RXD|1|313782^Acetaminophen 325 MG^RXNORM|20260302|10|TAB||RX1"), "AA")
	if a, b := w.of("MedicationRequest", chart), w.of("MedicationDispense", chart); len(a) != 1 || len(b) != 1 {
		t.Errorf("got %v and %v, want a prescription and its dispense", a, b)
	}
}

// post sends a CDA document over HTTP.
func (w *ward) post(raw []byte, query url.Values, token string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequest("POST", w.net.Nodes[0].Config.URL()+"/cda?"+query.Encode(), bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func clinicalDocument(t *testing.T, w *ward) {
	files, err := filepath.Glob("../../shared/data/ccda/microsoft-fhir-converter/*.ccda")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("no sample documents in ../shared/data/ccda")
		}
		t.Skip("no sample documents in ../shared/data/ccda")
	}
	n := w.net.Nodes[0]
	token, err := gateway.IssueToken(n.Ring.Tokens(), n.Member.Name(), n.Config.URL()+"/fhir", exchange.Asker{Practitioner: "dms", Name: "Archive", Role: "interface", Purpose: exchange.Treat, Machine: true}, 5*time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		query := url.Values{}
		resp := w.post(raw, query, token)
		if slices.Contains([]string{"Unstructured_Document_embed.ccda", "C-CDA_R2-1_CCD.xml.ccda", "Care_Plan.ccda", "Referral_Note.ccda"}, name) { // they have but social security numbers
			if resp.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s: got %s", name, resp.Status)
			}
			w.dial().want(message("ADT^A04", "20-"+name[:3], person("20"), visit("20")), "AA")
			query.Set("patient", w.chart("20"))
			resp = w.post(raw, query, token)
		}
		if resp.StatusCode != http.StatusCreated {
			body, _ := io.ReadAll(resp.Body)
			t.Errorf("%s: got %s %s", name, resp.Status, body)
			continue
		}
		at := resp.Header.Get("Location")
		if again := w.post(raw, query, token); again.StatusCode != http.StatusOK || again.Header.Get("Location") != at {
			t.Errorf("%s: the same again got %s %s, want 200 %s", name, again.Status, again.Header.Get("Location"), at)
		}
		path, _, _ := strings.Cut(strings.TrimPrefix(at, n.Config.URL()+"/fhir/"), "/_history")
		d := w.get(path, nil)[0]
		for _, element := range []string{"masterIdentifier", "type", "date", "custodian", "description", "author", "subject"} {
			if d[element] == nil {
				text, _ := json.Marshal(d)
				t.Errorf("%s: no %s in %s", name, element, text)
			}
		}
		if got, kind := w.bytesOf(d); !bytes.Equal(got, raw) || kind != "text/xml" {
			t.Errorf("%s: %d of %d bytes came back as %s", name, len(got), len(raw), kind)
		}
	}
	narrow := func(patient string) string {
		t.Helper()
		scopes, err := scope.Parse("patient/*.cruds")
		if err != nil {
			t.Fatal(err)
		}
		access := gateway.Access{Asker: exchange.Asker{Practitioner: "app", Name: "App", Role: "app", Purpose: exchange.Treat}, Scopes: scopes, Patient: patient}
		token, err := gateway.IssueAccess(n.Ring.Tokens(), n.Member.Name(), n.Config.URL()+"/fhir", access, time.Minute, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	beyond := narrow(w.chart("20"))
	var answers []string
	for _, number := range []string{"20-a", "20-b"} { // of a patient who is there, and of one who isn't
		cda := `<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="9"/><recordTarget><patientRole><id root="2.999.1" extension="` + number + `"/></patientRole></recordTarget></ClinicalDocument>`
		if number == "20-a" {
			w.dial().want(message("ADT^A04", "20-a", person("20-a"), visit("20-a")), "AA")
		}
		resp := w.post([]byte(cda), nil, beyond)
		body, _ := io.ReadAll(resp.Body)
		answers = append(answers, resp.Status+" "+string(body))
	}
	if answers[0] != answers[1] || !strings.HasPrefix(answers[0], "404") {
		t.Errorf("who is beyond a token's reach is told from who is not there: %q", answers)
	}
	for name, c := range map[string]struct {
		body, patient, token string
		status               int
	}{
		"no token":         {"<ClinicalDocument/>", "", "", http.StatusUnauthorized},
		"a wrong token":    {"<ClinicalDocument/>", "", "x.y.z", http.StatusUnauthorized},
		"other XML":        {"<html/>", "", token, http.StatusBadRequest},
		"an entity":        {`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ClinicalDocument xmlns="urn:hl7-org:v3"><title>&e;</title></ClinicalDocument>`, "", token, http.StatusBadRequest},
		"nested too deep":  {strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000), "", token, http.StatusBadRequest},
		"nobody's":         {`<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><recordTarget><patientRole/></recordTarget></ClinicalDocument>`, "", token, http.StatusUnprocessableEntity},
		"a chart not here": {`<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><recordTarget><patientRole/></recordTarget></ClinicalDocument>`, "nobody", token, http.StatusNotFound},
	} {
		query := url.Values{}
		if c.patient != "" {
			query.Set("patient", c.patient)
		}
		if resp := w.post([]byte(c.body), query, c.token); resp.StatusCode != c.status {
			body, _ := io.ReadAll(resp.Body)
			t.Errorf("%s: got %s %s, want %d", name, resp.Status, body, c.status)
		}
	}
}
