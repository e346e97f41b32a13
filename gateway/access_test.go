package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/panel"
	"vitalog/scope"
)

// app is software at a desk whose tokens have less than all scopes.
type app struct {
	desk
	access gateway.Access
}

func (d desk) scoped(scopes, patient string) app {
	d.t.Helper()
	s, err := scope.Parse(scopes)
	if err != nil {
		d.t.Fatal(err)
	}
	return app{d, gateway.Access{Asker: d.who, Scopes: s, Client: "app", Patient: patient}}
}

func (a app) do(method, path, body string, headers ...string) answer {
	a.t.Helper()
	return a.with(a.access, method, path, body, headers...)
}

const (
	labOf = `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"code":{"text":"Sodium"},"subject":{"reference":"Patient/%s"},"valueQuantity":{"value":140,"unit":"mmol/L"}}`
	vital = `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"text":"Weight"},"subject":{"reference":"Patient/%s"},"valueQuantity":{"value":70.0,"unit":"kg"}}`
)

// seen is how many rows the log of a patient in custody has.
func (d desk) seen(t *testing.T, chart string) int {
	t.Helper()
	if err := d.node.Member.Flushed(context.Background()); err != nil {
		t.Fatal(err)
	}
	custody, err := d.node.Member.Custody(chart)
	if err != nil {
		t.Fatal(err)
	}
	log, err := custody.Activity(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return len(log.Rows)
}

func TestATokenReachesWhatItsScopesCover(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	d := desk{t, net.Nodes[0], okafor}
	hers, herThings := d.enrol(11)
	his, hisThings := d.enrol(12)
	post := func(form, patient string) string {
		at := d.do("POST", "/Observation", fmt.Sprintf(form, patient)).want(t, http.StatusCreated).header.Get("Location")
		_, at, _ = strings.Cut(at, "/fhir")
		current, _, _ := strings.Cut(at, "/_history")
		return current
	}
	lab, weight, hisLab := post(labOf, hers), post(vital, hers), post(labOf, his)
	absent := d.do("GET", "/Observation/nothing", "").want(t, http.StatusNotFound)

	t.Run("of its patient, and nothing of another's", func(t *testing.T) {
		app := d.scoped("patient/*.cruds", hers)
		for _, s := range herThings {
			if kind, _, _ := strings.Cut(s.location, "/"); kind != "Practitioner" && kind != "Organization" && kind != "Location" {
				app.do("GET", "/"+s.location, "").want(t, http.StatusOK)
			}
		}
		app.do("GET", "/Patient/"+hers+"/$everything", "").want(t, http.StatusOK)
		rows := func() int { return d.seen(t, his) }
		before := rows()
		for _, path := range []string{"/Patient/" + his, "/Patient/" + his + "/$everything", hisLab, hisLab + "/_history/1", "/" + hisThings[len(hisThings)-1].location} {
			if a := app.do("GET", path, "").want(t, http.StatusNotFound); !bytes.Equal(a.body, absent.body) {
				t.Errorf("%s: got %s, what is not there is %s", path, a.body, absent.body)
			}
		}
		for _, path := range []string{"/Observation?patient=%s", "/Patient?_id=%s", "/Condition?subject=Patient/%s"} {
			got := app.do("GET", fmt.Sprintf(path, his), "").want(t, http.StatusOK).body
			want := app.do("GET", fmt.Sprintf(path, "nothing"), "").want(t, http.StatusOK).body
			if !bytes.Equal(bytes.ReplaceAll(got, []byte(his), []byte("nothing")), want) {
				t.Errorf("%s: another patient is %s, nobody is %s", path, got, want)
			}
		}
		got := app.do("PUT", hisLab, strings.Replace(fmt.Sprintf(labOf, his), `"status"`, `"id":"`+strings.TrimPrefix(hisLab, "/Observation/")+`","status"`, 1), "If-Match", `W/"99"`)
		if got.want(t, http.StatusNotFound); !bytes.Equal(got.body, absent.body) {
			t.Errorf("an update of another patient's: %s", got.body)
		}
		labs := func() int {
			return readBundle(t, bytes.NewReader(d.do("GET", "/Observation?category=laboratory&patient="+hers, "").want(t, http.StatusOK).body)).Total
		}
		had := labs()
		for _, form := range []string{fmt.Sprintf(labOf, his), fmt.Sprintf(labOf, "nothing"), `{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"1"}]}`} {
			kind := "Observation"
			if strings.Contains(form, `"Patient",`) {
				kind = "Patient"
			}
			if a := app.do("POST", "/"+kind, form); a.status != http.StatusNotFound && a.status != http.StatusForbidden {
				t.Errorf("%s: got %d %s", form, a.status, a.body)
			}
			app.do("POST", "", transaction(`{"resource":`+fmt.Sprintf(labOf, hers)+`,"request":{"method":"POST","url":"Observation"}},{"resource":`+form+`,"request":{"method":"POST","url":"`+kind+`"}}`))
		}
		if now := labs(); now != had {
			t.Errorf("of transactions that reach for another patient %d resources were written", now-had)
		}
		if after := rows(); after != before {
			t.Errorf("the other patient has %d rows, had %d: nothing of theirs was shown or decided anything", after, before)
		}
	})

	t.Run("of their types, rights and filters", func(t *testing.T) {
		for _, c := range []struct {
			scopes, method, path string
			want                 int
		}{
			{"user/Observation.r", "GET", lab, http.StatusOK},
			{"user/Observation.r", "GET", "/Observation?patient=" + hers, http.StatusForbidden},
			{"user/Observation.s", "GET", "/Observation?patient=" + hers, http.StatusOK},
			{"user/Observation.s", "GET", lab, http.StatusForbidden},
			{"user/Observation.cud", "GET", lab, http.StatusForbidden},
			{"user/Condition.rs", "GET", lab, http.StatusForbidden},
			{"user/Condition.rs", "GET", "/Observation/nothing", http.StatusForbidden},
			{"user/Observation.rs?category=laboratory", "GET", lab, http.StatusOK},
			{"user/Observation.rs?category=laboratory", "GET", weight, http.StatusNotFound},
			{"user/Observation.rs", "GET", "/Practitioner?name=x", http.StatusForbidden},
			{"user/Practitioner.rs", "GET", "/Practitioner?name=x", http.StatusOK},
			{"user/Practitioner.rs?name=x", "GET", "/Practitioner?name=x", http.StatusForbidden},
			{"user/Observation.rs", "GET", "/Patient/" + hers + "/$everything", http.StatusForbidden},
			{"user/*.rs", "POST", "/Observation", http.StatusForbidden},
			{"user/*.rs", "POST", "", http.StatusForbidden},
			{"user/Observation.r", "GET", "/Binary/nothing", http.StatusForbidden},
		} {
			body := ""
			if c.method == "POST" {
				body = fmt.Sprintf(labOf, hers)
			}
			a := d.scoped(c.scopes, "").do(c.method, c.path, body)
			if a.status != c.want {
				t.Errorf("%s with %s: got %d, want %d: %s", c.path, c.scopes, a.status, c.want, a.body)
			}
			if challenge := a.header.Get("WWW-Authenticate"); (a.status == http.StatusForbidden) != strings.Contains(challenge, "insufficient_scope") {
				t.Errorf("%s with %s: WWW-Authenticate %q", c.path, c.scopes, challenge)
			}
		}
	})

	t.Run("and its lists hold nothing else", func(t *testing.T) {
		kinds := func(scopes, path string) (all []string) {
			for _, e := range readBundle(t, bytes.NewReader(d.scoped(scopes, hers).do("GET", path, "").want(t, http.StatusOK).body)).Entry {
				kind, _, _ := strings.Cut(strings.TrimPrefix(e.FullURL, d.node.Config.URL()+"/fhir/"), "/")
				all = append(all, kind)
			}
			slices.Sort(all)
			return slices.Compact(all)
		}
		if got := kinds("patient/Patient.rs patient/Observation.rs", "/Patient/"+hers+"/$everything"); !slices.Equal(got, []string{"Observation", "Patient"}) {
			t.Errorf("$everything has %v", got)
		}
		b := readBundle(t, bytes.NewReader(d.scoped("patient/Observation.rs?category=laboratory", hers).do("GET", "/Observation?patient="+hers, "").want(t, http.StatusOK).body))
		if b.Total != len(b.Entry) || b.Total == 0 {
			t.Errorf("%d of %d", len(b.Entry), b.Total)
		}
		for _, e := range b.Entry {
			if !bytes.Contains(e.Resource, []byte(`"laboratory"`)) {
				t.Errorf("with a filter by category: %s", e.Resource)
			}
		}
	})

	t.Run("and no way leads around to another patient", func(t *testing.T) { noWayAround(t, d, hers, his, herThings, hisThings, true) })
	t.Run("nor where there is an index across patients", func(t *testing.T) {
		c := crowd{t: t, net: net}
		c.lookAcross(0, panel.All)
		d.t, d.node = t, net.Nodes[0]
		noWayAround(t, d, hers, his, herThings, hisThings, false)
	})
}

func TestATokenWithoutScopeIsRefused(t *testing.T) {
	if token, err := gateway.IssueAccess(tokenKey, member, base, gateway.Access{Asker: okafor}, time.Minute, noon); err == nil {
		t.Errorf("got %q", token)
	}
}
