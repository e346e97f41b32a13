package ihe_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/fhir"
	"vitalog/ihe"
	"vitalog/section"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const chart = "b7f1c9e2-0000-8000-8000-000000000001"

// golden are what the package makes, by file.
func golden() map[string][]byte {
	read := ihe.Access{ID: chart + ".5-27", At: noon, Chart: chart, Section: "labs", Log: "vl:0102", Entry: 27, Ranges: []consent.Range{{From: 3, To: 4}}, Server: "St. Elena",
		Endpoint: "https://st-elena.example/fhir", Client: "Hôpital du Lac", Address: "https://lac.example", Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT", Reason: "visit"}
	query, create, refused, counted := read, read, read, read
	query.Ranges, query.Further = []consent.Range{{From: 3, To: 9}, {From: 12, To: 13}}, true
	create.Write, create.Practitioner, create.Name, create.Role, create.Reason = true, "", "", "", ""
	refused.Refused = "revoked"
	counted.Refused, counted.Times, counted.Ranges, counted.Client = "right not granted", 40, nil, ""
	basic := ihe.Granted{ID: chart + ".0102", Status: "active", At: noon, Chart: chart, Custodian: "St. Elena", Member: "Hôpital du Lac", Purpose: "TREAT",
		Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Parts: []ihe.Part{{Section: section.Labs, Log: "vl:0102"}, {Section: section.Vitals, Log: "vl:0103"}}}
	some := basic
	some.Parts = []ihe.Part{{Section: section.Labs, Log: "vl:0102", Ranges: []consent.Range{{From: 3, To: 5}}}}
	return map[string][]byte{"PatientRead.json": read.AuditEvent(), "PatientQuery.json": query.AuditEvent(), "PatientCreate.json": create.AuditEvent(),
		"PatientRead-refused.json": refused.AuditEvent(), "PatientQuery-counted.json": counted.AuditEvent(), "consentBasic.json": basic.Consent(), "consentIntermediate.json": some.Consent()}
}

func TestWhatIsMadeIsAsInTheGoldenFiles(t *testing.T) {
	for name, raw := range golden() {
		var got bytes.Buffer
		if err := json.Indent(&got, raw, "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got %s, want %s", name, &got, want)
		}
	}
}

// The constraints of the profiles, as STANDARDS has them: elements that there must be, and how many.
func TestWhatIsMadeMeetsTheProfiles(t *testing.T) {
	for name, raw := range golden() {
		r, err := fhir.Parse(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		need := map[string]int{}
		switch r.Type() {
		case "AuditEvent":
			need = map[string]int{"action": 1, "recorded": 1, "outcome": 1, "agent.who.display": -2, "agent.network.address": 2, "source.observer.display": 1, "entity.what.reference": 1}
			for _, roles := range [][]string{{"110152", "110153"}} {
				var got []string
				for _, c := range r.Codings("agent.type") {
					got = append(got, c.Code)
				}
				for _, role := range roles {
					if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != role })); n != 1 {
						t.Errorf("%s: %d agents are %s, want one", name, n, role)
					}
				}
			}
			types := r.Codings("entity.type")
			if !slices.Contains(types, fhir.Coding{System: "http://terminology.hl7.org/CodeSystem/audit-entity-type", Code: "1"}) || !slices.Contains(types, fhir.Coding{System: "http://terminology.hl7.org/CodeSystem/audit-entity-type", Code: "2"}) {
				t.Errorf("%s: an entity is missing: %v", name, types)
			}
			if strings.HasPrefix(name, "PatientQuery") != (len(r.Strings("entity.query")) == 1) {
				t.Errorf("%s: queries %v", name, r.Strings("entity.query"))
			}
		case "Consent":
			need = map[string]int{"status": 1, "dateTime": 1, "performer.reference": 1, "organization.display": 1, "sourceAttachment.title": 1, "policy.uri": 1, "provision.type": 1, "patient.reference": 1}
			if len(r.Codings("provision.actor.role")) != 1 || len(r.Codings("provision.purpose")) != 1 || len(r.Codings("category")) != 1 || len(r.Strings("provision.provision.type")) != 0 {
				t.Errorf("%s: %s", name, raw)
			}
		}
		for path, n := range need {
			if got := len(r.Strings(path)); n >= 0 && got != n || n < 0 && got < -n {
				t.Errorf("%s: %d of %s, want %d", name, got, path, n)
			}
		}
		if len(r.Strings("meta.profile")) != 1 {
			t.Errorf("%s: profiles %v", name, r.Strings("meta.profile"))
		}
	}
}

// consentOf is a Consent with a provision, by PCF.
func consentOf(provision string) []byte {
	return []byte(`{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"text":"x"}],"patient":{"reference":"Patient/1"},"dateTime":"2026-03-02","performer":[{"reference":"Patient/1"}],"organization":[{"display":"x"}],` +
		`"sourceAttachment":{"title":"x"},"policy":[{"uri":"urn:x"}],"provision":{` + provision + `}}`)
}

const (
	actor   = `"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":"Organization/1"}}]`
	purpose = `"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}]`
	base    = `"type":"permit",` + actor + `,` + purpose
)

func label(code string) string {
	system := "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	if len(code) == 1 {
		system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	}
	return `,"securityLabel":[{"system":"` + system + `","code":"` + code + `"}]`
}

func class(name string) string {
	return `,"class":[{"system":"urn:vitalog:section","code":"` + name + `"}]`
}

func except(what string) string { return `,"provision":[{"type":"deny"` + what + `}]` }

func TestAPolicyPermitsWhatIsWrittenAndNoMore(t *testing.T) {
	for _, c := range []struct{ name, provision, want string }{
		{"nothing named: all but what is sensitive", base, "demographics, summary, medications, immunizations, labs, vitals, encounters, procedures, imaging, patient-generated, coverage, care-plans"},
		{"a class", base + class("labs"), "labs"},
		{"a sensitive class, by name", base + class("hiv"), "hiv"},
		{"label R", base + label("R"), "mental-health, substance-use, sexual-health, hiv, genetics"},
		{"label ETH", base + label("ETH"), "substance-use"},
		{"label PSY", base + label("PSY"), "mental-health"},
		{"class and label that meet", base + class("labs") + label("N"), "labs"},
		{"an exception by class", base + label("N") + except(class("labs")), "demographics, summary, medications, immunizations, vitals, encounters, procedures, imaging, patient-generated, coverage, care-plans"},
		{"an exception by label", base + label("R") + except(label("HIV")), "mental-health, substance-use, sexual-health, genetics"},
	} {
		r, err := fhir.Parse(consentOf(c.provision))
		if err != nil {
			t.Fatal(c.name, err)
		}
		p, err := ihe.ReadPolicy(r)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := p.Words(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	for provision, want := range map[string]struct {
		actors, purposes int
		sections         string
	}{
		`"type":"deny"`: {0, 0, "demographics, summary, medications, immunizations, labs, vitals, encounters, procedures, imaging, patient-generated, coverage, care-plans, " +
			"mental-health, substance-use, sexual-health, hiv, genetics"},
		`"type":"deny",` + actor + `,` + purpose + class("labs"): {1, 1, "labs"},
	} {
		r, _ := fhir.Parse(consentOf(provision))
		if p, err := ihe.ReadPolicy(r); err != nil || !p.Denies || len(p.Actors) != want.actors || len(p.Purposes) != want.purposes || p.Words() != want.sections {
			t.Errorf("%s: got %+v, %v", provision, p, err)
		}
	}
	r, _ := fhir.Parse(consentOf(base + `,"period":{"start":"2026","end":"2026-05-31"},"dataPeriod":{"end":"2020"}`))
	p, err := ihe.ReadPolicy(r)
	if err != nil || !p.From.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) || !p.Until.Equal(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) || !p.Data.From.IsZero() || p.Data.To.Year() != 2021 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestAPolicyThatTheLedgerCantExpressIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ provision, at string }{
		"no type":                      {actor + `,` + purpose, "provision.type"},
		"deny for a period":            {`"type":"deny",` + actor + `,"period":{"end":"2027"}`, "provision"},
		"deny but broken glass":        {`"type":"deny",` + actor + `,"provision":[{"type":"permit"}]`, "provision.provision"},
		"nobody":                       {`"type":"permit",` + purpose, "provision.actor"},
		"no purpose":                   {`"type":"permit",` + actor, "provision.purpose"},
		"another role":                 {strings.Replace(base, "IRCP", "AUT", 1), "provision.actor[0].role"},
		"a purpose of another system":  {strings.Replace(base, "v3-ActReason", "x", 1), "provision.purpose[0]"},
		"an action":                    {base + `,"action":[{"text":"x"}]`, "provision.action"},
		"a code":                       {base + `,"code":[{"text":"x"}]`, "provision.code"},
		"a class of types":             {base + `,"class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}]`, "provision.class[0]"},
		"the inbox":                    {base + class("inbox"), "provision.class[0]"},
		"a label without section":      {base + label("V"), "provision.securityLabel[0]"},
		"class and label that differ":  {base + class("labs") + label("R"), "provision.securityLabel"},
		"related data":                 {base + `,"data":[{"meaning":"related","reference":{"reference":"Encounter/1"}}]`, "provision.data[0].meaning"},
		"an exception that permits":    {base + `,"provision":[{"type":"permit"` + class("hiv") + `}]`, "provision.provision[0].type"},
		"an exception of an exception": {base + except(class("labs")+`,"provision":[{"type":"permit"}]`), "provision.provision[0]"},
		"an exception of two kinds":    {base + except(class("labs")+","+purpose), "provision.provision[0]"},
		"an exception of nothing":      {base + except(""), "provision.provision[0]"},
		"an exception with a period":   {base + except(class("labs")+`,"period":{"start":"2026"}`), "provision.provision[0]"},
		"all is excepted":              {base + except(","+actor), "provision"},
		"somebody else is excepted":    {base + except(","+strings.Replace(actor, "Organization/1", "Organization/2", 1)), "provision.provision[0].actor"},
		"a period backwards":           {base + `,"period":{"start":"2027","end":"2026"}`, "provision.period"},
		"a modifier":                   {base + `,"modifierExtension":[{"url":"urn:x","valueBoolean":true}]`, "provision.modifierExtension"},
	} {
		r, err := fhir.Parse(consentOf(c.provision))
		if err != nil {
			t.Fatal(name, err)
		}
		_, err = ihe.ReadPolicy(r)
		if wrong, ok := err.(*fhir.Error); !ok || wrong.Element != "Consent."+c.at {
			t.Errorf("%s: got %v, want an error at %s", name, err, c.at)
		}
	}
	whole := string(consentOf(base))
	for _, member := range []string{`"category":[{"text":"x"}],`, `"patient":{"reference":"Patient/1"},`, `"dateTime":"2026-03-02",`, `"performer":[{"reference":"Patient/1"}],`,
		`"organization":[{"display":"x"}],`, `"sourceAttachment":{"title":"x"},`, `"policy":[{"uri":"urn:x"}],`} {
		r, err := fhir.Parse([]byte(strings.Replace(whole, member, "", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ihe.ReadPolicy(r); err == nil {
			t.Errorf("taken without %s", member)
		}
	}
}

// What one reader takes for an element and another doesn't would be two consents.
func TestAConsentWithANameInAnotherCaseIsNotRead(t *testing.T) {
	good := string(consentOf(base + class("labs")))
	for _, c := range [][2]string{{`"status"`, `"statUs"`}, {`"provision"`, `"Provision"`}, {`"class"`, `"Class"`}, {`"purpose"`, `"purPose"`}, {`"status"`, `"Status":"inactive","status"`}} {
		bad := strings.Replace(good, c[0], c[1], 1)
		r, err := fhir.Parse([]byte(bad))
		if err != nil || bad == good {
			t.Fatalf("%s: %v", c[1], err)
		}
		if p, err := ihe.ReadPolicy(r); err == nil {
			t.Errorf("%s was read as %+v", c[1], p)
		}
	}
}

func TestAnotherStatusChangesNoOtherByte(t *testing.T) {
	in := `{"resourceType":"Consent", "x":{"status":"a"},"status" : "active" ,"provision":{"n":1.50}}`
	got, err := ihe.WithStatus([]byte(in), "inactive")
	if want := strings.Replace(in, `"active"`, `"inactive"`, 1); err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if _, err := ihe.WithStatus([]byte(`{"resourceType":"Consent"}`), "inactive"); err == nil {
		t.Error("a Consent without status has one now")
	}
}

func FuzzReadPolicy(f *testing.F) {
	for _, p := range []string{base, base + class("labs") + label("R"), base + except(class("labs")), base + `,"period":{"start":"2026"},"dataPeriod":{"end":"2020"}`,
		base + `,"data":[{"meaning":"instance","reference":{"reference":"Observation/1"}}]`} {
		f.Add(consentOf(p))
	}
	f.Add(bytes.Replace(consentOf(base), []byte("status"), []byte("statUs"), 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := fhir.Parse(raw)
		if err != nil || r.Type() != "Consent" || !ihe.IsPrivacy(r) {
			return
		}
		p, err := ihe.ReadPolicy(r)
		if err != nil {
			if _, ok := err.(*fhir.Error); !ok {
				t.Errorf("%v is no error of the input", err)
			}
			return
		}
		if len(p.Sections) == 0 || len(p.Actors) == 0 || len(p.Purposes) == 0 || len(p.Actors) > ihe.MaxActors || len(p.Instances) > ihe.MaxInstances {
			t.Errorf("read as %+v", p)
		}
		if _, err := ihe.WithStatus(r.Raw(), "inactive"); err != nil {
			t.Errorf("it was read, and has no status: %v", err)
		}
	})
}
