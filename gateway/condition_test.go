package gateway_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/testnet"
)

const jsonPatch = "application/json-patch+json"

// numbered is a condition with a business identifier.
func numbered(chart, number, text string) string {
	return `{"resourceType":"Condition","identifier":[{"system":"urn:x","value":"` + number + `"}],"subject":{"reference":"Patient/` + chart + `"},"code":{"text":"` + text + `"}}`
}

func TestWritesByConditionPatchesAndBundlesOfAllMethods(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	d := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	chart, _ := d.enrol(7)
	query := func(number string) string { return "identifier=" + url.QueryEscape("urn:x|"+number) }
	count := func(number string) int {
		t.Helper()
		return readBundle(t, bytes.NewReader(d.do("GET", "/Condition?patient="+chart+"&"+query(number), "").want(t, http.StatusOK).body)).Total
	}

	t.Run("a create happens once, also when two come at once", func(t *testing.T) {
		var g sync.WaitGroup
		made := make([]answer, 3)
		for i := range made {
			g.Go(func() {
				made[i] = d.do("POST", "/Condition", numbered(chart, "1", "asthma"), "If-None-Exist", query("1"))
			})
		}
		g.Wait()
		created := 0
		path, _ := made[0].standsAt(t)
		for _, a := range made {
			if a.status == http.StatusCreated {
				created++
			} else {
				a.want(t, http.StatusOK)
			}
			if p, _ := a.standsAt(t); p != path {
				t.Errorf("one stands at %s, one at %s", path, p)
			}
			if !fhir.SameButIdentity(a.body, []byte(numbered(chart, "1", "asthma"))) {
				t.Errorf("%d came with %s", a.status, a.body)
			}
		}
		if created != 1 || count("1") != 1 {
			t.Errorf("%d were created, %d are there", created, count("1"))
		}
		for name, a := range map[string]answer{
			"asked for little":      d.do("POST", "/Condition", numbered(chart, "1", "gout"), "If-None-Exist", query("1"), "Prefer", "return=minimal"),
			"without right to read": d.scoped("user/Condition.cs", "").do("POST", "/Condition", numbered(chart, "1", "gout"), "If-None-Exist", query("1")),
		} {
			if p, _ := a.want(t, http.StatusOK).standsAt(t); len(a.body) > 0 || p != path {
				t.Errorf("%s: it stands at %s: %s", name, p, a.body)
			}
		}
		abroad.do("POST", "/Condition", numbered(chart, "1", "asthma"), "If-None-Exist", query("1")).want(t, http.StatusNotFound)
		d.do("POST", "/Condition", numbered(chart, "1", "asthma"), "If-None-Exist", "colour=red&"+query("1")).want(t, http.StatusBadRequest)
	})

	t.Run("an update finds its resource, or makes it", func(t *testing.T) {
		path, v1 := d.do("PUT", "/Condition?"+query("2"), numbered(chart, "2", "gout")).want(t, http.StatusCreated).standsAt(t)
		again, v2 := d.do("PUT", "/Condition?"+query("2"), numbered(chart, "2", "gout, mild")).want(t, http.StatusOK).standsAt(t)
		if again != path || v1 == v2 || count("2") != 1 {
			t.Errorf("it stood at %s version %s, now at %s version %s", path, v1, again, v2)
		}
		d.do("PUT", "/Condition?"+query("3"), strings.Replace(numbered(chart, "3", "x"), "{", `{"id":"mine",`, 1)).want(t, http.StatusMethodNotAllowed)
		d.do("PUT", "/Condition?code=nothing&patient=another", numbered(chart, "3", "x")).want(t, http.StatusPreconditionFailed)
		d.do("PUT", "/Patient?"+query("p"), `{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"p"}],"gender":"male"}`).want(t, http.StatusCreated)
		d.do("PUT", "/Patient?"+query("p"), `{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"p"}],"gender":"other"}`).want(t, http.StatusOK)
	})

	t.Run("a patch changes what it names and keeps all other bytes", func(t *testing.T) {
		path, v1 := d.do("POST", "/Observation", weighed(chart, "", "70.00")).want(t, http.StatusCreated).standsAt(t)
		a := d.do("PATCH", path, `[{"op":"test","path":"/status","value":"final"},{"op":"replace","path":"/status","value":"amended"}]`, "Content-Type", jsonPatch, "If-Match", `W/"`+v1+`"`).want(t, http.StatusOK)
		for _, body := range [][]byte{a.body, d.do("GET", path, "").want(t, http.StatusOK).body} {
			if !bytes.Contains(body, []byte(`"status":"amended"`)) || !bytes.Contains(body, []byte(`"value":70.00`)) {
				t.Errorf("got %s", body)
			}
		}
		change := `[{"op":"replace","path":"/status","value":"final"}]`
		d.do("PATCH", path, change, "Content-Type", jsonPatch, "If-Match", `W/"`+v1+`"`).want(t, http.StatusPreconditionFailed)
		d.do("PATCH", path, `[{"op":"replace","path":"/id","value":"x"}]`, "Content-Type", jsonPatch).want(t, http.StatusUnprocessableEntity)
		d.do("PATCH", path, `[{"op":"test","path":"/status","value":"final"}]`, "Content-Type", jsonPatch).want(t, http.StatusUnprocessableEntity)
		d.do("PATCH", path, `{}`, "Content-Type", jsonPatch).want(t, http.StatusBadRequest)
		d.do("PATCH", path, `{"resourceType":"Parameters"}`, "Content-Type", "application/fhir+json").want(t, http.StatusUnsupportedMediaType)
		d.do("PATCH", path, "<diff/>", "Content-Type", "application/xml-patch+xml").want(t, http.StatusUnsupportedMediaType)
		d.do("PATCH", "/Condition?patient="+chart+"&"+query("2"), `[{"op":"replace","path":"/code/text","value":"gout, severe"}]`, "Content-Type", jsonPatch).want(t, http.StatusOK)
		d.do("PATCH", "/Condition?patient="+chart+"&"+query("9"), change, "Content-Type", jsonPatch).want(t, http.StatusNotFound)
		there, nowhere := abroad.do("PATCH", path, change, "Content-Type", jsonPatch).want(t, http.StatusNotFound), abroad.do("PATCH", "/Observation/nothing", change, "Content-Type", jsonPatch)
		if !bytes.Equal(there.body, nowhere.body) {
			t.Errorf("not shared is %s, not there is %s", there.body, nowhere.body)
		}
		before := entries(t, d.node)
		again := []string{"Content-Type", jsonPatch, "Idempotency-Key", requestKey}
		_, v := d.do("PATCH", path, `[{"op":"add","path":"/note","value":[{"text":"once"}]}]`, again...).want(t, http.StatusOK).standsAt(t)
		d.do("GET", path, "")
		if _, same := d.do("PATCH", path, `[{"op":"add","path":"/note","value":[{"text":"once"}]}]`, again...).want(t, http.StatusOK).standsAt(t); same != v {
			t.Errorf("with its key it made version %s, then %s, of %d entries", v, same, before)
		}
	})

	t.Run("an answer is as long as it is preferred", func(t *testing.T) {
		if a := d.do("POST", "/Condition", numbered(chart, "4", "x"), "Prefer", "return=minimal").want(t, http.StatusCreated); len(a.body) > 0 {
			t.Errorf("minimal: got %s", a.body)
		}
		readOutcome(t, bytes.NewReader(d.do("POST", "/Condition", numbered(chart, "4", "y"), "Prefer", "return=OperationOutcome").want(t, http.StatusCreated).body))
	})

	t.Run("a deletion ends one, and never several", func(t *testing.T) {
		d.do("DELETE", "/Condition?"+query("4"), "").want(t, http.StatusPreconditionFailed)
		d.do("DELETE", "/Condition?patient="+chart+"&"+query("4"), "").want(t, http.StatusPreconditionFailed)
		d.do("DELETE", "/Condition?patient="+chart+"&"+query("2"), "").want(t, http.StatusNoContent)
		d.do("DELETE", "/Condition?patient="+chart+"&"+query("2"), "").want(t, http.StatusNoContent)
		if n := count("2"); n != 0 {
			t.Errorf("%d are there", n)
		}
	})

	patched, _ := d.do("POST", "/Observation", weighed(chart, "", "80.0")).want(t, http.StatusCreated).standsAt(t)
	ended, _ := d.do("POST", "/Condition", numbered(chart, "5", "ended")).want(t, http.StatusCreated).standsAt(t)
	all := []string{
		`{"request":{"method":"GET","url":"Condition?patient=` + chart + `&` + query("5") + `"}}`,
		`{"resource":{"resourceType":"Binary","contentType":"` + jsonPatch + `","data":"` + base64.StdEncoding.EncodeToString([]byte(`[{"op":"replace","path":"/status","value":"amended"}]`)) + `"},"request":{"method":"PATCH","url":"` + patched[1:] + `"}}`,
		`{"fullUrl":"urn:uuid:1","resource":` + numbered(chart, "5", "new") + `,"request":{"method":"POST","url":"Condition","ifNoneExist":"` + query("5") + `"}}`,
		`{"request":{"method":"DELETE","url":"` + ended[1:] + `"}}`,
		`{"request":{"method":"GET","url":"Observation/nothing"}}`,
	}
	t.Run("a transaction deletes, then creates, then changes, then reads", func(t *testing.T) {
		wrong := append(all[1:4:4], `{"request":{"method":"DELETE","url":"Condition/nothing"}}`)
		d.do("POST", "", transaction(wrong...)).want(t, http.StatusNotFound)
		d.do("GET", ended, "").want(t, http.StatusOK)

		b := readBundle(t, bytes.NewReader(d.do("POST", "", transaction(all...)).want(t, http.StatusOK).body))
		var got []string
		for _, e := range b.Entry {
			got = append(got, e.Response.Status[:3])
		}
		if want := "200 200 201 204 404"; strings.Join(got, " ") != want {
			t.Fatalf("got %v, want %s", got, want)
		}
		if found := readBundle(t, bytes.NewReader(b.Entry[0].Resource)); found.Total != 1 || !bytes.Contains(found.Entry[0].Resource, []byte(`"new"`)) {
			t.Errorf("the search in it finds %s", b.Entry[0].Resource)
		}
		d.do("GET", ended, "").want(t, http.StatusGone)
		if a := d.do("GET", patched, "").want(t, http.StatusOK); !bytes.Contains(a.body, []byte("amended")) {
			t.Errorf("got %s", a.body)
		}
		d.do("POST", "", transaction(`{"request":{"method":"GET","url":"../healthz"}}`)).want(t, http.StatusUnprocessableEntity)
		d.do("POST", "", transaction(all[0]), "Idempotency-Key", requestKey).want(t, http.StatusUnprocessableEntity)
		d.do("POST", "", transaction(all[1], all[1])).want(t, http.StatusUnprocessableEntity)
	})

	t.Run("each entry of a batch is for itself", func(t *testing.T) {
		b := readBundle(t, bytes.NewReader(d.do("POST", "", batch(append(all, all[1])...)).want(t, http.StatusOK).body))
		var got []string
		for _, e := range b.Entry {
			got = append(got, e.Response.Status[:3])
		}
		if want := "200 200 200 204 404 422"; strings.Join(got, " ") != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}
