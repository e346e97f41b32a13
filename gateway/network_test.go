package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/scope"
	"vitalog/synthetic"
)

// desk is somebody's work place at a running member.
type desk struct {
	t    testing.TB
	node *node.Node
	who  exchange.Asker
}

// answer is what a gateway said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (d desk) do(method, path, body string, headers ...string) answer {
	d.t.Helper()
	return d.with(gateway.Access{Asker: d.who, Scopes: scope.All()}, method, path, body, headers...)
}

// with does it with a token of that access.
func (d desk) with(access gateway.Access, method, path, body string, headers ...string) answer {
	d.t.Helper()
	url := d.node.Config.URL() + "/fhir"
	token, err := gateway.IssueAccess(d.node.Ring.Tokens(), d.node.Member.Name(), url, access, time.Minute, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// want fails the test unless the answer has the status.
func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d, want %d: %.2000s", a.status, status, a.body)
	}
	return a
}

// sent is a resource as it was posted, and where the gateway says it stands.
type sent struct {
	raw, location string
	new           bool // else it was known
}

// send posts a bundle and tells where everything stands.
func (d desk) send(raw []byte) (all []sent) {
	d.t.Helper()
	got := readBundle(d.t, bytes.NewReader(d.do("POST", "", string(raw)).want(d.t, http.StatusOK).body))
	_, err := fhir.ReadBundle(bytes.NewReader(raw), func(e *fhir.Entry) error {
		known := slices.Contains([]string{"Patient", "Organization", "Location", "Practitioner"}, e.Resource.Type()) // by an identifier
		if s := got.Entry[e.Index].Response; s.Status != "201 Created" && !(known && s.Status == "200 OK") {
			return fmt.Errorf("%s: %s", e.Element(), s.Status)
		}
		all = append(all, sent{string(e.Resource.Raw()), got.Entry[e.Index].Response.Location, got.Entry[e.Index].Response.Status == "201 Created"})
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// import puts a synthetic patient into the member's custody and tells the chart and what is in it.
func (d desk) enrol(seed uint64) (chart string, all []sent) {
	d.t.Helper()
	p := synthetic.Patients(seed, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0]
	for _, b := range p.Batches[:min(len(p.Batches), 6)] {
		all = append(all, d.send(b.Bundle)...)
	}
	chart, _, _ = strings.Cut(strings.TrimPrefix(all[0].location, "Patient/"), "/")
	return chart, all
}

func TestAChartThroughTheDoor(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	okafor := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	chart, all := okafor.enrol(7)

	t.Run("comes back byte for byte, version by version", func(t *testing.T) {
		for _, s := range all {
			current, _, _ := strings.Cut(s.location, "/_history")
			for _, path := range []string{"/" + s.location, "/" + current} {
				a := okafor.do("GET", path, "").want(t, http.StatusOK)
				if !fhir.SameButIdentity(a.body, []byte(s.raw)) {
					t.Errorf("%s: got %s, sent %s", path, a.body, s.raw)
				}
				if v := s.location[strings.LastIndexByte(s.location, '/')+1:]; a.header.Get("ETag") != `W/"`+v+`"` {
					t.Errorf("%s: ETag %s", path, a.header.Get("ETag"))
				}
				r, err := fhir.Parse(a.body)
				if err != nil {
					t.Fatal(err)
				}
				if subject := r.Subject(); subject != "" && subject != "Patient/"+chart {
					t.Errorf("%s: is about %s, want Patient/%s", path, subject, chart)
				}
			}
		}
	})

	t.Run("is found by patient, and by identifier", func(t *testing.T) {
		want := map[string]int{}
		for _, s := range all {
			kind, _, _ := strings.Cut(s.location, "/")
			want[kind]++
		}
		for kind, n := range want {
			if kind == "Patient" || n == 0 {
				continue
			}
			b := readBundle(t, bytes.NewReader(okafor.do("GET", "/"+kind+"?patient="+chart, "").body))
			if isDirectory := b.Total == 0; !isDirectory && b.Total != n {
				t.Errorf("%s: found %d, sent %d", kind, b.Total, n)
			}
		}
		p := synthetic.Patients(7, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0]
		b := readBundle(t, bytes.NewReader(okafor.do("GET", "/Patient?identifier="+synthetic.MRNSystem+"%7C"+p.MRN, "").body))
		if b.Total != 1 || !strings.HasSuffix(b.Entry[0].FullURL, "/Patient/"+chart) {
			t.Errorf("got %+v", b)
		}
	})

	t.Run("is given whole, the patient first", func(t *testing.T) {
		b := readBundle(t, bytes.NewReader(okafor.do("GET", "/Patient/"+chart+"/$everything", "").want(t, http.StatusOK).body))
		if len(b.Entry) == 0 || !strings.HasSuffix(b.Entry[0].FullURL, "/Patient/"+chart) {
			t.Fatalf("got %d entries", len(b.Entry))
		}
		have := map[string]bool{}
		for _, e := range b.Entry {
			have[strings.TrimPrefix(e.FullURL, okafor.node.Config.URL()+"/fhir/")] = true
		}
		for _, s := range all {
			if current, _, _ := strings.Cut(s.location, "/_history"); !have[current] {
				t.Errorf("%s is missing", current)
			}
		}
	})

	t.Run("is told nobody else, as if it were not there", func(t *testing.T) {
		for _, pair := range [][2]string{
			{"/" + all[len(all)-1].location, "/Observation/nothing/_history/1"},
			{"/Patient/" + chart, "/Patient/nothing"},
			{"/Patient/" + chart + "/$everything", "/Patient/nothing/$everything"},
		} {
			a, b := abroad.do("GET", pair[0], "").want(t, http.StatusNotFound), abroad.do("GET", pair[1], "").want(t, http.StatusNotFound)
			if !bytes.Equal(a.body, b.body) {
				t.Errorf("%s: not shared is %s, not there is %s", pair[0], a.body, b.body)
			}
		}
		a := abroad.do("GET", "/Observation?patient="+chart, "").want(t, http.StatusOK)
		b := abroad.do("GET", "/Observation?patient=nothing", "").want(t, http.StatusOK)
		if !bytes.Equal(bytes.ReplaceAll(a.body, []byte(chart), []byte("nothing")), b.body) {
			t.Errorf("not shared is %s, not there is %s", a.body, b.body)
		}
		other := desk{t, okafor.node, exchange.Asker{Practitioner: "p-3", Purpose: "HRESCH"}}
		c := other.do("GET", "/Patient/"+chart, "").want(t, http.StatusNotFound)
		d := other.do("GET", "/Patient/nothing", "").want(t, http.StatusNotFound)
		if !bytes.Equal(c.body, d.body) {
			t.Errorf("for another purpose: not shared is %s, not there is %s", c.body, d.body)
		}
	})

	t.Run("is corrected by its author, after the version seen", func(t *testing.T) {
		weight := `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"text":"Weight"},"subject":{"reference":"Patient/` + chart + `"},"valueQuantity":{"value":%s,"unit":"kg"}}`
		a := okafor.do("POST", "/Observation", fmt.Sprintf(weight, "70.0")).want(t, http.StatusCreated)
		r, err := fhir.Parse(a.body)
		if err != nil {
			t.Fatal(err)
		}
		path, seen := "/Observation/"+r.ID(), a.header.Get("ETag")
		next := strings.Replace(fmt.Sprintf(weight, "71.50"), `"status"`, `"id":"`+r.ID()+`","status"`, 1)
		okafor.do("PUT", path, next, "If-Match", seen).want(t, http.StatusOK)
		okafor.do("PUT", path, next, "If-Match", seen).want(t, http.StatusPreconditionFailed)
		if now := okafor.do("GET", path, "").want(t, http.StatusOK); !bytes.Contains(now.body, []byte("71.50")) {
			t.Errorf("got %s", now.body)
		}
		b := readBundle(t, bytes.NewReader(okafor.do("GET", "/Observation?category=vital-signs&_id="+r.ID()+"&patient="+chart, "").body))
		if b.Total != 1 || !bytes.Contains(b.Entry[0].Resource, []byte("71.50")) {
			t.Errorf("found %+v", b)
		}
		abroad.do("PUT", path, next).want(t, http.StatusNotFound)
	})

	t.Run("takes no patient twice", func(t *testing.T) {
		p := synthetic.Patients(7, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0]
		again := okafor.send(p.Batches[0].Bundle)
		if id, _, _ := strings.Cut(strings.TrimPrefix(again[0].location, "Patient/"), "/"); id != chart {
			t.Errorf("the patient now stands at %s", again[0].location)
		}
	})

	t.Run("takes no patient twice at once", func(t *testing.T) {
		raw := synthetic.Patients(8, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0].Batches[0].Bundle
		at := make([]string, 4)
		var g sync.WaitGroup
		for i := range at {
			g.Go(func() {
				a := okafor.do("POST", "", string(raw))
				at[i], _, _ = strings.Cut(readBundle(t, bytes.NewReader(a.body)).Entry[0].Response.Location, "/_history")
			})
		}
		g.Wait()
		if at := slices.Compact(at); len(at) != 1 || at[0] == "" {
			t.Errorf("one patient stands at %q", at)
		}
	})

	t.Run("is refused with the reason once it was stopped", func(t *testing.T) {
		patient, err := okafor.node.Member.Custody(chart)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := patient.Stop(context.Background(), func(s exchange.Shared) bool { return true }); err != nil {
			t.Fatal(err)
		}
		o := readOutcome(t, bytes.NewReader(okafor.do("GET", "/Patient/"+chart, "").want(t, http.StatusForbidden).body))
		if i := o.Issue[0]; i.Code != "forbidden" || !strings.Contains(i.Diagnostics, "revoked") {
			t.Errorf("got %+v", i)
		}
	})
}

func TestAResourceOf64MiBIsTakenInABundleAndOneByteMoreIsNot(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 200 MB")
	}
	d := desk{t, testnet.Start(t, 1, 0).Nodes[0], okafor}
	chart, _ := d.enrol(1)
	for extra, status := range []int{http.StatusOK, http.StatusRequestEntityTooLarge} {
		head := `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/` + chart + `"},"content":[{"attachment":{"contentType":"image/png","data":"`
		tail := `"}}]}`
		n := fhir.MaxResource - len(head) - len(tail) + extra
		document := head + strings.Repeat("AAAA", n/4) + `"` + strings.Repeat(" ", n%4) + tail[1:]
		a := d.do("POST", "", transaction(`{"resource":`+document+`,"request":{"method":"POST","url":"DocumentReference"}}`)).want(t, status)
		if status != http.StatusOK {
			readOutcome(t, bytes.NewReader(a.body))
			continue
		}
		// With its id and version it is larger than what is taken, so it is compared as bytes.
		back := d.do("GET", "/"+readBundle(t, bytes.NewReader(a.body)).Entry[0].Response.Location, "").want(t, http.StatusOK)
		if !bytes.HasSuffix(back.body, []byte(strings.TrimPrefix(document, `{"resourceType":"DocumentReference"`))) {
			t.Errorf("it came back as %d bytes, not as the %d sent", len(back.body), len(document))
		}
	}
}

func TestWithoutAQuorumNothingIsAcknowledgedAndTheAnswerSaysSo(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	d := desk{t, net.Nodes[0], okafor}
	chart, _ := d.enrol(1)
	net.Stop(t, 1)
	a := d.do("POST", "/Observation", observation+`,"subject":{"reference":"Patient/`+chart+`"}}`).want(t, http.StatusServiceUnavailable)
	if a.header.Get("Retry-After") == "" {
		t.Error("the answer has no Retry-After")
	}
	if o := readOutcome(t, bytes.NewReader(a.body)); o.Issue[0].Code != "transient" {
		t.Errorf("got %+v", o)
	}
}
