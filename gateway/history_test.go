package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/section"
)

// weighed is an observation of a patient's weight; id is "" for a new one.
func weighed(chart, id, kg string) string {
	if id != "" {
		id = `"id":"` + id + `",`
	}
	return `{"resourceType":"Observation",` + id + `"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],` +
		`"code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},"subject":{"reference":"Patient/` + chart + `"},"effectiveDateTime":"2026-03-02","valueQuantity":{"value":` + kg + `,"unit":"kg"}}`
}

// standsAt is the type, id and version that an answer's Location names.
func (a answer) standsAt(t testing.TB) (path, version string) {
	t.Helper()
	_, path, _ = strings.Cut(a.header.Get("Location"), "/fhir")
	path, version, ok := strings.Cut(path, "/_history/")
	if !ok {
		t.Fatalf("no version in Location %q", a.header.Get("Location"))
	}
	return path, version
}

// told is a history as a client reads it: each entry as method, status and weight.
func (a answer) told(t testing.TB) (out []string) {
	t.Helper()
	var b struct {
		Type  string
		Entry []struct {
			Resource struct{ ValueQuantity struct{ Value json.Number } }
			Request  struct{ Method, URL string }
			Response struct{ Status, ETag, LastModified string }
		}
	}
	if err := json.Unmarshal(a.want(t, http.StatusOK).body, &b); err != nil || b.Type != "history" {
		t.Fatalf("%v: %s", err, a.body)
	}
	for _, e := range b.Entry {
		if e.Response.ETag == "" || e.Response.LastModified == "" || e.Request.URL == "" {
			t.Errorf("an entry lacks something: %+v", e)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %.3s %s", e.Request.Method, e.Response.Status, e.Resource.ValueQuantity.Value)))
	}
	return out
}

func TestVersionsStayWhenAResourceIsDeletedAndGoWhenTheyAreErased(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	okafor := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	chart, _ := okafor.enrol(7)
	first := okafor.do("POST", "/Observation", weighed(chart, "", "70.0")).want(t, http.StatusCreated)
	path, v1 := first.standsAt(t)
	id := path[strings.LastIndexByte(path, '/')+1:]
	_, v2 := okafor.do("PUT", path, weighed(chart, id, "71.50")).want(t, http.StatusOK).standsAt(t)

	t.Run("reads are conditional, and leave their row", func(t *testing.T) {
		now := okafor.do("GET", path, "").want(t, http.StatusOK)
		for _, h := range [][]string{{"If-None-Match", now.header.Get("ETag")}, {"If-None-Match", `W/"1000", W/"` + v2 + `"`}, {"If-Modified-Since", now.header.Get("Last-Modified")}} {
			if err := okafor.node.Member.Flushed(context.Background()); err != nil {
				t.Fatal(err)
			}
			before := entries(t, okafor.node)
			a := okafor.do("GET", path, "", h...).want(t, http.StatusNotModified)
			if len(a.body) > 0 || a.header.Get("ETag") != `W/"`+v2+`"` {
				t.Errorf("%v: got %v %s", h, a.header, a.body)
			}
			if err := okafor.node.Member.Flushed(context.Background()); err != nil {
				t.Fatal(err)
			}
			if after := entries(t, okafor.node); after != before+1 {
				t.Errorf("%v: left %d rows, want 1", h, after-before)
			}
		}
		okafor.do("GET", path, "", "If-None-Match", `W/"`+v1+`"`).want(t, http.StatusOK)
		if a := okafor.do("HEAD", path, "").want(t, http.StatusOK); a.header.Get("ETag") != `W/"`+v2+`"` || len(a.body) > 0 {
			t.Errorf("HEAD: got %v %s", a.header, a.body)
		}
	})

	t.Run("a deletion needs the version that its sender saw", func(t *testing.T) {
		okafor.do("DELETE", path, "", "If-Match", `W/"`+v1+`"`).want(t, http.StatusPreconditionFailed)
		okafor.do("DELETE", "/Patient/"+chart, "").want(t, http.StatusMethodNotAllowed)
		there, nowhere := abroad.do("DELETE", path, ""), abroad.do("DELETE", "/Observation/nothing", "")
		if there.want(t, http.StatusNotFound); !bytes.Equal(there.body, nowhere.body) {
			t.Errorf("not shared is %s, not there is %s", there.body, nowhere.body)
		}
	})
	okafor.do("DELETE", path, "", "If-Match", `W/"`+v2+`"`).want(t, http.StatusNoContent)

	t.Run("a deletion is told to whom the resource was shared", func(t *testing.T) {
		okafor.do("GET", path, "").want(t, http.StatusGone)
		okafor.do("GET", path+"/_history/"+v1, "").want(t, http.StatusOK)
		if a := okafor.do("GET", path+"/_history/"+v2, "").want(t, http.StatusOK); !bytes.Contains(a.body, []byte("71.50")) {
			t.Errorf("got %s", a.body)
		}
		there, nowhere := abroad.do("GET", path, "").want(t, http.StatusNotFound), abroad.do("GET", "/Observation/nothing", "")
		if !bytes.Equal(there.body, nowhere.body) {
			t.Errorf("not shared is %s, not there is %s", there.body, nowhere.body)
		}
		b := readBundle(t, bytes.NewReader(okafor.do("GET", "/Observation?_id="+id+"&patient="+chart, "").want(t, http.StatusOK).body))
		if b.Total != 0 {
			t.Errorf("a search finds %+v", b)
		}
	})

	t.Run("deleting again is no news", func(t *testing.T) {
		before := entries(t, okafor.node)
		okafor.do("DELETE", path, "").want(t, http.StatusNoContent)
		if after := entries(t, okafor.node); after != before {
			t.Errorf("the ledger had %d entries, now %d", before, after)
		}
	})

	t.Run("the history has all versions, newest first", func(t *testing.T) {
		want := "[DELETE 204 PUT 200 71.50 POST 201 70.0]"
		if got := fmt.Sprint(okafor.do("GET", path+"/_history", "").told(t)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := fmt.Sprint(okafor.do("GET", path+"/_history?_count=1&_offset=1", "").told(t)); got != "[PUT 200 71.50]" {
			t.Errorf("second page: got %s", got)
		}
		if got := fmt.Sprint(okafor.do("GET", path+"/_history?_at="+first.modified(t), "").told(t)); got != "[POST 201 70.0]" {
			t.Errorf("at the first: got %s", got)
		}
		if got := fmt.Sprint(okafor.do("GET", path+"/_history?_since=9998-01-01T00:00:00Z", "").told(t)); got != "[]" {
			t.Errorf("since the far future: got %s", got)
		}
		all := okafor.do("GET", "/Observation/_history?patient="+chart, "").told(t)
		if got := fmt.Sprint(all[:3]); got != want {
			t.Errorf("of the type: got %s", got)
		}
		okafor.do("GET", "/Observation/_history", "").want(t, http.StatusBadRequest)
		okafor.do("GET", path+"/_history?patient="+chart, "").want(t, http.StatusBadRequest)
		there, nowhere := abroad.do("GET", path+"/_history", "").want(t, http.StatusNotFound), abroad.do("GET", "/Observation/nothing/_history", "")
		if !bytes.Equal(there.body, nowhere.body) {
			t.Errorf("not shared is %s, not there is %s", there.body, nowhere.body)
		}
		if got := abroad.do("GET", "/Observation/_history?patient="+chart, "").told(t); len(got) != 0 {
			t.Errorf("abroad: got %v", got)
		}
	})

	t.Run("an update brings it back", func(t *testing.T) {
		okafor.do("PUT", path, weighed(chart, id, "72")).want(t, http.StatusCreated)
		if got := fmt.Sprint(okafor.do("GET", path+"/_history", "").told(t)); got != "[PUT 200 72 DELETE 204 PUT 200 71.50 POST 201 70.0]" {
			t.Errorf("got %s", got)
		}
	})

	t.Run("what the patient erases is gone to whom it was shared, and was never there to others", func(t *testing.T) {
		p, err := okafor.node.Member.Custody(chart)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseUint(v1, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Grant(context.Background(), exchange.Share{Member: 1, Purpose: "TREAT", Rights: consent.Read, Sections: []section.Section{section.Vitals}}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Erase(context.Background(), section.Vitals, n); err != nil {
			t.Fatal(err)
		}
		if a := okafor.do("GET", path+"/_history/"+v1, "").want(t, http.StatusGone); !bytes.Contains(a.body, []byte("erased")) {
			t.Errorf("got %s", a.body)
		}
		okafor.do("GET", path, "").want(t, http.StatusOK)
		if got := fmt.Sprint(okafor.do("GET", path+"/_history", "").told(t)); got != "[PUT 200 72 DELETE 204 PUT 200 71.50]" {
			t.Errorf("got %s", got)
		}
		other := desk{t, okafor.node, exchange.Asker{Practitioner: "p-3", Purpose: "HRESCH"}}
		other.do("GET", path+"/_history/"+v1, "").want(t, http.StatusNotFound)
	})
}

// modified is when the resource in the answer was last updated.
func (a answer) modified(t testing.TB) string {
	t.Helper()
	var r struct{ Meta struct{ LastUpdated string } }
	if err := json.Unmarshal(a.body, &r); err != nil {
		t.Fatal(err)
	}
	return r.Meta.LastUpdated
}
