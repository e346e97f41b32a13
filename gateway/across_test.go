package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/kv"
	"vitalog/node"
	"vitalog/panel"
	"vitalog/section"
)

// crowd is a network of two members and the patients that the first enrolled, with what was sent of each.
type crowd struct {
	t      *testing.T
	net    *testnet.Net
	charts []string
	sent   map[string]string // the newest of each, by type/id
	of     map[string]string // chart, by type/id
	seen   map[string]int    // rows of a chart at the last look

	brought []string // what the last answer included
}

// lookAcross starts a member anew with another search_across.
func (c *crowd) lookAcross(member int, mode panel.Mode) {
	c.t.Helper()
	c.net.Stop(c.t, member)
	dir := c.net.MemberDir(member)
	config, err := node.Load(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	config.SearchAcross = mode
	if err := config.Save(dir); err != nil {
		c.t.Fatal(err)
	}
	c.net.Restart(c.t, member, node.Options{})
	c.net.WaitReady(c.t)
}

func (c *crowd) desk(member int) desk {
	who := okafor
	if member != 0 {
		who = exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}
	}
	return desk{c.t, c.net.Nodes[member], who}
}

func (c *crowd) enrol(seeds ...uint64) {
	for _, seed := range seeds {
		chart, all := c.desk(0).enrol(seed)
		c.charts = append(c.charts, chart)
		for _, s := range all {
			name, _, _ := strings.Cut(s.location, "/_history")
			c.sent[name], c.of[name] = s.raw, chart
		}
	}
}

// write puts a resource in, of a patient by their place among the charts. PATIENT in it is the chart's id.
func (c *crowd) write(patient int, raw string) (id string) {
	c.t.Helper()
	raw = strings.ReplaceAll(raw, "PATIENT", c.charts[patient])
	r, err := fhir.Parse([]byte(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	a := c.desk(0).do("POST", "/"+r.Type(), raw).want(c.t, http.StatusCreated)
	_, name, _ := strings.Cut(a.header.Get("Location"), "/fhir/")
	name, _, _ = strings.Cut(name, "/_history")
	c.sent[name], c.of[name] = raw, c.charts[patient]
	return name
}

// naive is what a search finds by looking at everything that was sent.
func (c *crowd) naive(kind, query string) (names []string) {
	c.t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		c.t.Fatal(err)
	}
	has := func(chart, kind string, q url.Values) bool {
		return slices.ContainsFunc(c.filter(kind, q), func(name string) bool { return c.of[name] == chart })
	}
	joins := map[string][2]string{}
	for key, v := range q {
		if rest, ok := strings.CutPrefix(key, "_has:"); ok {
			parts := strings.Split(rest, ":")
			joins[parts[0]] = [2]string{parts[2], v[0]}
			delete(q, key)
		} else if _, rest, ok := strings.Cut(key, "."); ok {
			joins["Patient"] = [2]string{rest, v[0]}
			delete(q, key)
		}
	}
	for _, name := range c.filter(kind, q) {
		ok := true
		for t, x := range joins {
			ok = ok && has(c.of[name], t, url.Values{x[0]: {x[1]}})
		}
		if ok {
			names = append(names, name)
		}
	}
	return names
}

func (c *crowd) filter(kind string, q url.Values) (names []string) {
	c.t.Helper()
	s, err := fhir.ParseSearch(kind, q)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, raw := range c.sent {
		r, err := fhir.Parse([]byte(raw))
		if err != nil {
			c.t.Fatal(err)
		}
		_, id, _ := strings.Cut(name, "/")
		if s.Matches(r, fhir.Identity{ID: id}) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// rows notes how many rows each patient has, and tells whose have grown since the last time.
func (c *crowd) rows() (grown []string) {
	c.t.Helper()
	for _, chart := range c.charts {
		n := len(rows(c.t, c.net, chart))
		if n > c.seen[chart] {
			grown = append(grown, chart)
		}
		c.seen[chart] = n
	}
	slices.Sort(grown)
	return grown
}

// ask is get where nobody looks at the rows.
func (c *crowd) ask(d desk, kind, query string) (names []string, b bundle, incomplete bool) {
	c.t.Helper()
	defer c.rows()
	return c.get(d, kind, query)
}

// get asks a member, and tells what it shows, and whether it says that it is incomplete.
func (c *crowd) get(d desk, kind, query string) (names []string, b bundle, incomplete bool) {
	c.t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		c.t.Fatal(err)
	}
	a := d.do("GET", "/"+kind+"?"+q.Encode(), "").want(c.t, http.StatusOK)
	b = readBundle(c.t, bytes.NewReader(a.body))
	c.brought = nil
	for _, e := range b.Entry {
		_, name, _ := strings.Cut(e.FullURL, "/fhir/")
		switch e.Search.Mode {
		case "match":
			names = append(names, name)
		case "include":
			c.brought = append(c.brought, name)
		default:
			incomplete = true
		}
	}
	slices.Sort(c.brought)
	return names, b, incomplete
}

// shows asks a member, and wants an answer of these resources, and rows of their patients and nobody else.
func (c *crowd) shows(d desk, kind, query string, want ...string) {
	c.t.Helper()
	got, b, incomplete := c.get(d, kind, query)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || incomplete || b.Total != len(want) {
		c.t.Errorf("%s?%s: got %v, total %d, incomplete %t, want %v", kind, query, got, b.Total, incomplete, want)
	}
	patients := map[string]bool{}
	for _, name := range want {
		patients[c.of[name]] = true
	}
	if grown, whose := c.rows(), slices.Sorted(maps.Keys(patients)); !slices.Equal(grown, whose) {
		c.t.Errorf("%s?%s: rows of %v, want of %v", kind, query, grown, whose)
	}
}

// let lets the second member read, for treatment.
func (c *crowd) let(patient int, s exchange.Share) {
	c.t.Helper()
	owner, err := c.net.Nodes[0].Member.Custody(c.charts[patient])
	if err != nil {
		c.t.Fatal(err)
	}
	s.Member, s.Purpose, s.Rights, s.Label = 1, "TREAT", consent.Read, "test"
	if _, err := owner.Grant(context.Background(), s); err != nil {
		c.t.Fatal(err)
	}
	settle(c.t, c.net)
}

// rebuild has a member complete its index.
func (c *crowd) rebuild(member int, anew bool) exchange.Reindexed {
	c.t.Helper()
	who := exchange.Asker{Practitioner: "operator", Name: "Operator", Role: "operator", Purpose: "TREAT", Reason: "search across patients"}
	done, err := c.net.Nodes[member].Member.Reindex(context.Background(), who, anew, func(exchange.Reindexed) error { return nil })
	if err != nil || done.Failed > 0 {
		c.t.Fatal(done, err)
	}
	return done
}

const (
	diabetes = `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"coding":[{"system":"http://snomed.info/sct","code":"44054006"}]},"onsetDateTime":"2021-05-04","subject":{"reference":"Patient/PATIENT"}}`
	asthma   = `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"resolved"}]},"code":{"coding":[{"system":"http://snomed.info/sct","code":"195967001"}]},"onsetDateTime":"2019","subject":{"reference":"Patient/PATIENT"}}`
	hiv      = `{"resourceType":"Condition","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},"code":{"coding":[{"system":"http://snomed.info/sct","code":"86406008"}]},"subject":{"reference":"Patient/PATIENT"}}`
	diabetic = "code=http://snomed.info/sct|44054006"
)

func TestASearchAcrossPatientsFindsWhatAFilterFindsAndIsSeenByThoseItShows(t *testing.T) {
	c := &crowd{t: t, net: testnet.Start(t, 2, 0), sent: map[string]string{}, of: map[string]string{}, seen: map[string]int{}}
	c.desk(0).do("GET", "/Condition?code=44054006", "").want(t, http.StatusBadRequest) // the default
	c.lookAcross(0, panel.All)
	c.enrol(1, 2, 3, 4)
	sweet := []string{c.write(0, diabetes), c.write(2, diabetes), c.write(3, diabetes)}
	c.write(0, asthma)
	c.write(1, asthma)
	secret := c.write(0, hiv)
	c.rows()
	d := c.desk(0)

	family := func(chart string) string {
		var x struct{ Name []struct{ Family string } }
		if err := json.Unmarshal([]byte(c.sent["Patient/"+chart]), &x); err != nil {
			t.Fatal(err)
		}
		return x.Name[0].Family
	}
	for _, q := range [][2]string{
		{"Condition", diabetic}, {"Condition", "code=44054006,195967001"}, {"Condition", "code=http://snomed.info/sct|"}, {"Condition", "code=http://loinc.org|44054006"},
		{"Condition", "code=44054006&onset-date=ge2020&clinical-status=active"}, {"Condition", "onset-date=2019"}, {"Condition", "onset-date=lt2020-02-01&code=195967001"},
		{"Patient", "family=" + family(c.charts[0])}, {"Patient", "name=" + family(c.charts[1])[:3]}, {"Patient", "gender=female&birthdate=ge1950&birthdate=lt1990"}, {"Patient", "name=nobody"},
		{"Patient", "birthdate=ge1900-01-01&name=" + family(c.charts[2])}, {"Patient", "gender=female,male&name=" + family(c.charts[1])[:3]}, {"Patient", "birthdate=lt2100&family=" + family(c.charts[3])},
		{"Patient", "_has:Condition:patient:code=http://snomed.info/sct|44054006"}, {"Patient", "gender=male&_has:Condition:subject:code=195967001"},
		{"Condition", "code=44054006&patient.gender=male"}, {"Condition", "code=44054006&subject:Patient.birthdate=ge1900"}, {"Observation", "code=http://loinc.org|8867-4"}, {"Encounter", "class=AMB"},
	} {
		c.shows(d, q[0], q[1], c.naive(q[0], q[1])...)
	}
	c.shows(d, "Condition", "code=86406008", secret)

	t.Run("pages open their own patients", func(t *testing.T) {
		c.rows()
		var all []string
		next := "/Condition?code=44054006&_count=1"
		for i := 0; next != ""; i++ {
			b := readBundle(t, bytes.NewReader(d.do("GET", next, "").want(t, http.StatusOK).body))
			if len(b.Entry) != 1 {
				t.Fatalf("page %d has %d results", i, len(b.Entry))
			}
			_, name, _ := strings.Cut(b.Entry[0].FullURL, "/fhir/")
			all = append(all, name)
			if got := c.rows(); !slices.Equal(got, []string{c.of[name]}) {
				t.Errorf("page %d shows %s and is seen by %v", i, name, got)
			}
			next = ""
			for _, l := range b.Link {
				if l.Relation == "next" {
					_, next, _ = strings.Cut(l.URL, "/fhir")
				}
			}
		}
		if slices.Sort(all); !slices.Equal(all, slices.Sorted(slices.Values(sweet))) {
			t.Errorf("got %v", all)
		}
		got, b, _ := c.ask(d, "Condition", "code=44054006,195967001&_sort=onset-date,-_id&_count=2&_total=accurate")
		if b.Total != 5 || len(got) != 2 || !strings.Contains(c.sent[got[0]], `"2019"`) || !strings.Contains(c.sent[got[1]], `"2019"`) {
			t.Errorf("got %v of %d", got, b.Total)
		}
		if got, b, _ := c.ask(d, "Condition", "code=44054006&_summary=count"); b.Total != 3 || len(got) > 0 {
			t.Errorf("counted %d and showed %v", b.Total, got)
		}
	})

	t.Run("a page goes on after what was seen, whatever was written meanwhile", func(t *testing.T) {
		gout := strings.Replace(diabetes, "44054006", "90560007", 1)
		want := []string{c.write(0, gout), c.write(2, gout), c.write(3, gout)}
		var all []string
		for next := "/Condition?code=90560007&_count=1"; next != ""; {
			b := readBundle(t, bytes.NewReader(d.do("GET", next, "").want(t, http.StatusOK).body))
			for _, e := range b.Entry {
				_, name, _ := strings.Cut(e.FullURL, "/fhir/")
				all = append(all, name)
			}
			if len(all) <= len(c.charts) {
				c.write((len(all)+2)%4, gout) // it stands before or after
			}
			next = ""
			for _, l := range b.Link {
				if l.Relation == "next" {
					_, next, _ = strings.Cut(l.URL, "/fhir")
				}
			}
		}
		slices.Sort(all)
		for _, name := range want {
			if !slices.Contains(all, name) {
				t.Errorf("%s was on no page: %v", name, all)
			}
		}
		if len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("something was on two pages: %v", all)
		}
		d.do("GET", "/Condition?code=90560007&_after=x", "").want(t, http.StatusBadRequest)
		c.rows()
	})

	t.Run("the index narrows, and the opened charts decide", func(t *testing.T) {
		name := family(c.charts[1])
		for _, q := range [][3]string{ // type, what narrows, what is seen in the charts
			{"Condition", "code=44054006,195967001", "clinical-status:not=resolved"}, {"Condition", "code=44054006,195967001", "encounter:missing=true"}, {"Condition", "code=44054006,195967001", "onset-date:missing=true"},
			{"Patient", "gender=female,male", "family:contains=" + name[1:3]}, {"Patient", "gender=female,male", "gender:not=male"}, {"Condition", "code=44054006,195967001", "code:text=x"},
			{"Patient", "family:exact=" + name, ""}, {"Patient", "family:exact=" + strings.ToLower(name), ""}, {"Observation", "code=http://loinc.org|8867-4", "value-quantity=gt70"},
			{"Observation", "code=http://loinc.org|8867-4", "value-quantity=le70"}, {"Patient", "_has:Condition:patient:code=44054006", "family:contains=e"},
		} {
			may := map[string]bool{}
			for _, n := range c.naive(q[0], strings.Replace(q[1], ":exact", "", 1)) {
				may[c.of[n]] = true
			}
			query := strings.Trim(q[1]+"&"+q[2], "&")
			c.rows()
			got, _, incomplete := c.get(d, q[0], query+"&_count=100")
			slices.Sort(got)
			if want := c.naive(q[0], query); !slices.Equal(got, want) || incomplete {
				t.Errorf("%s?%s: got %v, incomplete %t, want %v", q[0], query, got, incomplete, want)
			}
			seen := c.rows()
			for _, chart := range seen {
				if !may[chart] {
					t.Errorf("%s?%s: seen by %s, in whose chart nothing has %s", q[0], query, chart, q[1])
				}
			}
			for _, n := range got {
				if !slices.Contains(seen, c.of[n]) {
					t.Errorf("%s?%s: it shows %s, and the patient doesn't see it", q[0], query, n)
				}
			}
		}
	})

	t.Run("it includes what belongs to its results", func(t *testing.T) {
		visit := c.write(3, `{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/PATIENT"}}`)
		with := c.write(3, strings.Replace(strings.Replace(diabetes, "44054006", "237599002", 1), `"subject"`, `"encounter":{"reference":"`+visit+`"},"subject"`, 1))
		c.rows()
		for query, want := range map[string][]string{
			"_include=Condition:encounter": {visit}, "_include=Condition:encounter:Patient": nil, "_include=Condition:patient": {"Patient/" + c.charts[3]},
			"_include=Condition:*": {visit, "Patient/" + c.charts[3]}, "_revinclude=Condition:encounter": nil,
		} {
			got, _, incomplete := c.get(d, "Condition", "code=237599002&"+query)
			if slices.Sort(want); !slices.Equal(got, []string{with}) || !slices.Equal(c.brought, want) || incomplete {
				t.Errorf("%s: got %v with %v, incomplete %t, want %v", query, got, c.brought, incomplete, want)
			}
			if seen := c.rows(); !slices.Equal(seen, []string{c.charts[3]}) {
				t.Errorf("%s: seen by %v", query, seen)
			}
		}
		if _, _, incomplete := c.ask(d, "Patient", "family:exact="+family(c.charts[3])+"&_revinclude=Encounter:subject"); !slices.Contains(c.brought, visit) || incomplete {
			t.Errorf("backwards it includes %v", c.brought)
		}
		if a := d.scoped("user/Condition.rs", "").do("GET", "/Condition?code=237599002&_include=Condition:encounter", "").want(t, http.StatusOK); len(readBundle(t, bytes.NewReader(a.body)).Entry) != 1 {
			t.Errorf("without a scope for it it includes %s", a.body)
		}
	})

	t.Run("and opens nothing where it would open too many charts", func(t *testing.T) {
		n := d.node
		base := n.Config.URL() + "/fhir"
		token, err := gateway.IssueToken(n.Ring.Tokens(), n.Member.Name(), base, d.who, time.Minute, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		narrow := gateway.New(gateway.Config{Member: n.Member, Directory: n.Directory, Base: base, Tokens: n.Ring.Tokens().Public(), AcrossCharts: 2, Log: slog.New(slog.DiscardHandler)})
		ask := func(query string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/fhir/Condition?"+query, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			narrow.ServeHTTP(w, r)
			return w
		}
		c.rows()
		for _, form := range []string{"_sort=onset-date", "_total=accurate", "_summary=count"} {
			if w := ask("code=44054006&" + form); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "too-costly") {
				t.Errorf("%s: got %d %s", form, w.Code, w.Body)
			}
		}
		if got := c.rows(); len(got) > 0 {
			t.Errorf("what is refused is seen by %v", got)
		}
		if w := ask("code=195967001&_sort=onset-date"); w.Code != http.StatusOK || len(c.rows()) != 2 {
			t.Errorf("two charts: got %d %s", w.Code, w.Body)
		}
		if w := ask("code=44054006"); w.Code != http.StatusOK || len(readBundle(t, w.Body).Entry) != 2 {
			t.Errorf("a page: got %d %s", w.Code, w.Body)
		}
		c.rows()
	})

	t.Run("a match finds who has the name and the day of birth, and is seen by them alone", func(t *testing.T) {
		described := func(family, birth, gender string) string {
			return fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":%q,"given":["Ada"]}],"birthDate":%q,"gender":%q}`, family, birth, gender)
		}
		ada := described("Öztürk, M.D.", "1951-02-03", "female")
		_, chart, _ := strings.Cut(d.do("POST", "/Patient", ada).want(t, http.StatusCreated).header.Get("Location"), "/fhir/Patient/")
		chart, _, _ = strings.Cut(chart, "/_history")
		c.charts = append(c.charts, chart)
		c.sent["Patient/"+chart], c.of["Patient/"+chart] = ada, chart
		c.rows()
		for body, want := range map[string][]string{
			ada: {chart + " probable 0.8"},
			described("öztürk, m.d.", "1951-02", "other"):                           {chart + " possible 0.5"},
			described("Öztürk, M.D.", "1899-01-01", "female"):                       nil,
			described("M.D.,Öztürk", "1951-02-03", "female"):                        nil,
			matching(ada, `,{"name":"onlyCertainMatches","valueBoolean":true}`):     nil,
			`{"resourceType":"Patient","name":[{"family":"Öztürk, M.D."}]}`:         nil,
			`{"resourceType":"Patient","gender":"female","birthDate":"1951-02-03"}`: nil,
		} {
			if got := shown(t, d.do("POST", "/Patient/$match", body)); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", body, got, want)
			}
		}
		if got := c.rows(); !slices.Equal(got, []string{chart}) {
			t.Errorf("it was seen by %v", got)
		}
	})

	t.Run("and refuses what it can't decide, and who may not", func(t *testing.T) {
		for q, code := range map[string]string{
			"Observation?encounter.type=x": "not-supported", "Observation?_has:Provenance:target:agent=x": "not-supported",
			"Observation?value-quantity=gt5": "too-costly", "Condition?code:not=44054006": "too-costly", "Patient?name:contains=a": "too-costly",
			"Patient?birthdate:missing=false": "too-costly", "Condition?_content=x": "too-costly", "Patient?_has:Condition:patient:code:not=44054006": "too-costly",
		} {
			if a := d.do("GET", "/"+q, "").want(t, http.StatusBadRequest); !bytes.Contains(a.body, []byte(code)) || code == "too-costly" && !bytes.Contains(a.body, []byte("identifier")) {
				t.Errorf("%s: %s", q, a.body)
			}
		}
		for _, q := range []string{"Condition", "Patient?_count=5"} {
			d.do("GET", "/"+q, "").want(t, http.StatusBadRequest)
		}
		d.scoped("patient/*.rs", c.charts[0]).do("GET", "/Condition?code=44054006", "").want(t, http.StatusBadRequest)
		d.scoped("user/Condition.rs?clinical-status=active", "").do("GET", "/Condition?code=44054006", "").want(t, http.StatusForbidden)
		d.scoped("user/Condition.rs", "").do("GET", "/Condition?code=44054006&patient.gender=male", "").want(t, http.StatusForbidden)
		if got := c.rows(); len(got) > 0 {
			t.Errorf("what is refused is seen by %v", got)
		}
		d.scoped("system/Condition.rs", "").do("GET", "/Condition?code=44054006", "").want(t, http.StatusOK)
		if c.rows(); !bytes.Contains(d.do("GET", "/metadata", "").body, []byte("needs no patient")) {
			t.Error("the statement doesn't say it")
		}
	})

	t.Run("what a grant opens is found while it does", func(t *testing.T) {
		c.lookAcross(1, panel.All)
		petit := c.desk(1)
		c.let(0, exchange.Share{Sections: []section.Section{section.Summary, section.Demographics}})
		c.let(2, exchange.Share{Sections: []section.Section{section.Summary}})
		c.let(3, exchange.Share{Sections: []section.Section{section.Summary}, Uses: 5})
		c.rows()
		if got, b, incomplete := c.get(petit, "Condition", diabetic); len(got) > 0 || !incomplete || b.Total != 0 || len(c.rows()) > 0 {
			t.Fatalf("nothing was opened: found %v, incomplete %t", got, incomplete)
		}
		if done := c.rebuild(1, false); done.Records == 0 {
			t.Fatal("the rebuild opened nothing")
		}
		if got := c.rows(); !slices.Equal(got, slices.Sorted(slices.Values([]string{c.charts[0], c.charts[2]}))) {
			t.Errorf("the rebuild is seen by %v", got)
		}
		c.shows(petit, "Condition", diabetic, sweet[0], sweet[1]) // and not the one whose uses are counted
		c.shows(petit, "Condition", "code=86406008")
		if got, _, _ := c.ask(petit, "Patient", "family:exact="+family(c.charts[0])+"&_revinclude=Condition:subject"); len(got) != 1 || !slices.Contains(c.brought, sweet[0]) || slices.Contains(c.brought, secret) {
			t.Errorf("of %v it includes %v, without a grant of %s", got, c.brought, secret)
		}
		c.shows(petit, "Patient", "_has:Condition:patient:code=44054006", "Patient/"+c.charts[0])
		c.let(0, exchange.Share{Sections: []section.Section{section.HIV}})
		c.rebuild(1, false)
		c.rows()
		c.shows(petit, "Condition", "code=86406008", secret)

		// What is written meanwhile is lacking until somebody opens it.
		late := c.write(2, diabetes)
		settle(t, c.net)
		if got, _, incomplete := c.ask(petit, "Condition", "code=44054006&onset-date=2021"); !incomplete || len(got) != 2 {
			t.Errorf("got %v, incomplete %t", got, incomplete)
		}
		c.shows(petit, "Condition", diabetic, sweet[0], sweet[1], late) // which the search itself opened, beside what it showed

		// A newer version takes the place of the older one, though only this one is known.
		c.desk(0).do("PUT", "/"+late, strings.Replace(strings.ReplaceAll(diabetes, "PATIENT", c.charts[2]), `"resourceType":"Condition"`, `"resourceType":"Condition","id":"`+strings.TrimPrefix(late, "Condition/")+`","recordedDate":"2022-01-01"`, 1)).want(t, http.StatusOK)
		settle(t, c.net)
		if got, b, _ := c.ask(petit, "Condition", diabetic); len(got) != 3 || !bytes.Contains(b.Entry[slices.Index(got, late)].Resource, []byte("recordedDate")) {
			t.Errorf("got %v: the older version is shown", got)
		}
		c.shows(petit, "Condition", diabetic+"&recorded-date=2022", late)

		// It outlives a restart, and is made anew.
		c.net.Stop(t, 1)
		c.net.Restart(t, 1, node.Options{})
		c.net.WaitReady(t)
		petit = c.desk(1)
		c.rebuild(1, false)
		c.rows()
		c.shows(petit, "Condition", diabetic, sweet[0], sweet[1], late)
		if done := c.rebuild(1, true); done.Records == 0 {
			t.Error("nothing was opened anew")
		}
		c.rows()
		c.shows(petit, "Condition", diabetic, sweet[0], sweet[1], late)

		// Erased, it is gone; so is what a revoked grant had opened, and one that is over.
		owner, err := c.net.Nodes[0].Member.Custody(c.charts[0])
		if err != nil {
			t.Fatal(err)
		}
		at, _, err := c.net.Nodes[0].Member.Locate("Condition", strings.TrimPrefix(sweet[0], "Condition/"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Erase(context.Background(), at.Section, at.Entry); err != nil {
			t.Fatal(err)
		}
		settle(t, c.net)
		c.shows(petit, "Condition", diabetic, sweet[1], late)
		c.shows(d, "Condition", diabetic, sweet[1], sweet[2], late)
		other, err := c.net.Nodes[0].Member.Custody(c.charts[2])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Stop(context.Background(), func(s exchange.Shared) bool { return s.Member == 1 }); err != nil {
			t.Fatal(err)
		}
		settle(t, c.net)
		c.shows(petit, "Condition", diabetic)
		end := time.Now().Add(6 * time.Second)
		c.let(2, exchange.Share{Sections: []section.Section{section.Summary}, Until: end})
		c.rebuild(1, false)
		c.rows()
		got, _, _ := c.ask(petit, "Condition", diabetic)
		if time.Now().Before(end) && len(got) != 2 {
			t.Errorf("before its end the grant opens %v", got)
		}
		tick, limit := time.NewTicker(20*time.Millisecond), time.NewTimer(time.Minute)
		for found := true; found; {
			select {
			case <-tick.C:
			case <-limit.C:
				t.Fatal("the grant is over, and the index still finds what it gave")
			}
			all, err := petit.node.Member.Across(t.Context(), "TREAT", panel.Query{Type: "Condition"}) // which opens nothing
			if err != nil {
				t.Fatal(err)
			}
			found = slices.ContainsFunc(all, func(f panel.Found) bool { return f.Chart == c.charts[2] })
		}
		if time.Now().Before(end) {
			t.Error("it ended before its time")
		}
		c.rows()
		c.shows(petit, "Condition", diabetic)

		// Of what was shared with the member nothing stays in its index when the last grant has ended, not even sealed.
		for _, chart := range []string{c.charts[0], c.charts[3]} {
			owner, err := c.net.Nodes[0].Member.Custody(chart)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := owner.Stop(context.Background(), func(s exchange.Shared) bool { return s.Member == 1 }); err != nil {
				t.Fatal(err)
			}
		}
		settle(t, c.net)
		c.shows(petit, "Patient", "gender=male,female,other,unknown") // which waits for the blocks
		c.net.Stop(t, 1)
		db, err := kv.Open(filepath.Join(c.net.MemberDir(1), "data", "db"))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"d", "t"} {
			if err := db.Prefix("panel/"+kind).Scan(nil, nil, func(k, _ []byte) error { return fmt.Errorf("%s%x is left", kind, k) }); err != nil {
				t.Error(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		c.net.Restart(t, 1, node.Options{})
		c.net.WaitReady(t)
	})

	t.Run("own looks at what the member wrote, and none at nothing", func(t *testing.T) {
		c.let(1, exchange.Share{Sections: []section.Section{section.Summary}})
		owner, err := c.net.Nodes[0].Member.Custody(c.charts[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Grant(context.Background(), exchange.Share{Member: 1, Purpose: "TREAT", Rights: consent.Read | consent.Write, Sections: []section.Section{section.Summary}, Label: "test"}); err != nil {
			t.Fatal(err)
		}
		settle(t, c.net)
		c.lookAcross(1, panel.Own)
		petit := c.desk(1)
		a := petit.do("POST", "/Condition", strings.ReplaceAll(diabetes, "PATIENT", c.charts[1])).want(t, http.StatusCreated)
		_, own, _ := strings.Cut(a.header.Get("Location"), "/fhir/")
		own, _, _ = strings.Cut(own, "/_history")
		c.of[own] = c.charts[1]
		petit.do("GET", "/Condition?patient="+c.charts[1], "").want(t, http.StatusOK) // opens what others wrote
		c.rows()
		c.shows(petit, "Condition", diabetic, own)
		c.shows(petit, "Condition", "code=195967001")
		c.lookAcross(1, panel.None)
		petit = c.desk(1)
		if a := petit.do("GET", "/Condition?"+diabetic, "").want(t, http.StatusBadRequest); !bytes.Contains(a.body, []byte("needs patient")) {
			t.Errorf("%s", a.body)
		}
		if _, err := petit.node.Member.Reindex(context.Background(), okafor, false, nil); err == nil {
			t.Error("there is no index to rebuild")
		}
	})

	// Who asks while the last use is made by another is refused in the middle of an answer, which says so.
	t.Run("an answer says that uses ran out while it was made", func(t *testing.T) {
		petit := c.desk(1)
		c.write(1, `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},"subject":{"reference":"Patient/PATIENT"}}`)
		c.let(1, exchange.Share{Sections: []section.Section{section.Vitals}})
		for round, said := 0, false; !said; round++ {
			if round == 10 {
				t.Fatal("no use ran out")
			}
			c.let(1, exchange.Share{Sections: []section.Section{section.Labs}, Uses: 1})
			petit.do("GET", "/Observation?patient="+c.charts[1]+"&category=vital-signs", "").want(t, http.StatusOK) // so that nobody waits for these
			answers := make(chan answer, 6)
			for range cap(answers) {
				go func() { answers <- petit.do("GET", "/Observation?patient="+c.charts[1]+"&_elements=category", "") }()
			}
			for range cap(answers) {
				a := (<-answers).want(t, http.StatusOK)
				if !bytes.Contains(a.body, []byte("is incomplete")) {
					continue
				}
				said = true
				if !bytes.Contains(a.body, []byte(consent.UsedUp.String())) || bytes.Contains(a.body, []byte(`"laboratory"`)) {
					t.Errorf("got %s", a.body)
				}
			}
		}
	})
}
