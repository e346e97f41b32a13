package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"vitalog/exchange"
	"vitalog/internal/testnet"
)

func TestBinariesThroughTheDoor(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	okafor := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	chart, _ := okafor.enrol(7)
	of := []string{"X-Security-Context", "Patient/" + chart}
	scan := make([]byte, 3<<20+5)
	rand.NewChaCha8([32]byte{1}).Read(scan)
	post := func(path, kind string, body []byte, headers ...string) answer {
		return okafor.do("POST", path, string(body), append([]string{"Content-Type", kind}, headers...)...)
	}
	where := func(a answer) string {
		t.Helper()
		_, path, ok := strings.Cut(a.want(t, http.StatusCreated).header.Get("Location"), "/fhir")
		if !ok {
			t.Fatalf("Location: %q", a.header.Get("Location"))
		}
		return path
	}
	at := where(post("/Binary", "application/dicom", scan, of...))
	current, version, _ := strings.Cut(at, "/_history/")

	t.Run("come back as they were, under their own type", func(t *testing.T) {
		for _, path := range []string{current, at} {
			a := okafor.do("GET", path, "", "Accept", "application/dicom").want(t, http.StatusOK)
			if !bytes.Equal(a.body, scan) {
				t.Errorf("%s: got %d other bytes", path, len(a.body))
			}
			for name, want := range map[string]string{"Content-Type": "application/dicom", "ETag": `"` + version + `"`, "X-Security-Context": "Patient/" + chart,
				"Accept-Ranges": "bytes", "Cache-Control": "no-store", "Content-Disposition": "attachment"} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		}
		if a := okafor.do("HEAD", current, "").want(t, http.StatusOK); a.header.Get("Content-Length") != number(len(scan)) || len(a.body) > 0 {
			t.Errorf("HEAD: %v, %d bytes", a.header, len(a.body))
		}
	})
	t.Run("are read in ranges", func(t *testing.T) {
		n := len(scan)
		for asked, want := range map[string]struct {
			from, to, status int
			ifRange          string
		}{
			"bytes=0-0":             {0, 1, 206, ""},
			"bytes=1048570-1048580": {1048570, 1048581, 206, `"` + version + `"`},
			"bytes=65535-":          {65535, n, 206, ""},
			"bytes=-5":              {n - 5, n, 206, ""},
			"bytes=10-99999999":     {10, n, 206, ""},
			"bytes=-99999999":       {0, n, 206, ""},
			"bytes=7-3":             {0, n, 200, ""},
			"bytes=0-1,5-6":         {0, n, 200, ""},
			"bytes=+1-2":            {0, n, 200, ""},
			"lines=1-2":             {0, n, 200, ""},
			"bytes=1-2":             {0, n, 200, `"another"`},
			"bytes=99999999-":       {0, 0, 416, ""},
			"bytes=-0":              {0, 0, 416, ""},
		} {
			a := okafor.do("GET", current, "", "Range", asked, "If-Range", want.ifRange)
			if a.status != want.status || want.status < 300 && !bytes.Equal(a.body, scan[want.from:want.to]) {
				t.Errorf("%s: got %d with %d bytes, want %d with %d", asked, a.status, len(a.body), want.status, want.to-want.from)
			}
			said := map[int]string{200: "", 206: "bytes " + number(want.from) + "-" + number(want.to-1) + "/" + number(n), 416: "bytes */" + number(n)}[want.status]
			if got := a.header.Get("Content-Range"); got != said {
				t.Errorf("%s: Content-Range %q, want %q", asked, got, said)
			}
		}
	})
	t.Run("are JSON for who names it, in both directions", func(t *testing.T) {
		var b struct{ ResourceType, ID, ContentType, Data string }
		a := okafor.do("GET", current, "", "Accept", "application/fhir+json").want(t, http.StatusOK)
		if err := json.Unmarshal(a.body, &b); err != nil {
			t.Fatal(err)
		}
		if data, err := base64.StdEncoding.DecodeString(b.Data); err != nil || !bytes.Equal(data, scan) || b.ContentType != "application/dicom" || "/Binary/"+b.ID != current {
			t.Errorf("got %s %s with %d bytes, %v", b.ID, b.ContentType, len(data), err)
		}
		sent := `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Patient/` + chart + `"},"data":"aGVsbG8="}`
		path, _, _ := strings.Cut(where(okafor.do("POST", "/Binary", sent)), "/_history/")
		if a := okafor.do("GET", path, "").want(t, http.StatusOK); string(a.body) != "hello" || a.header.Get("Content-Type") != "text/plain" {
			t.Errorf("got %s %q", a.header.Get("Content-Type"), a.body)
		}
		if a := okafor.do("GET", path+"?_format=json", "").want(t, http.StatusOK); !strings.Contains(string(a.body), "aGVsbG8=") {
			t.Errorf("got %s", a.body)
		}
	})
	t.Run("go where the sender says", func(t *testing.T) {
		for path, want := range map[string]string{"/Binary": "imaging", "/Binary?section=mental-health": "mental-health"} {
			id := strings.TrimPrefix(where(post(path, "image/png", []byte("png"), of...)), "/Binary/")
			id, _, _ = strings.Cut(id, "/")
			at, ok, err := net.Nodes[0].Member.Locate("Binary", id)
			if err != nil || !ok || at.Section.String() != want {
				t.Errorf("%s: in %v, %v, %v; want %s", path, at.Section, ok, err, want)
			}
		}
		document := okafor.do("POST", "/DocumentReference", `{"resourceType":"DocumentReference","status":"current","category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}],"subject":{"reference":"Patient/`+chart+`"},"content":[{"attachment":{"contentType":"application/pdf"}}]}`)
		doc, _, _ := strings.Cut(strings.TrimPrefix(where(document), "/"), "/_history/")
		id, _, _ := strings.Cut(strings.TrimPrefix(where(post("/Binary", "application/pdf", []byte("pdf"), "X-Security-Context", doc)), "/Binary/"), "/")
		if at, _, err := net.Nodes[0].Member.Locate("Binary", id); err != nil || at.Section.String() != "encounters" {
			t.Errorf("of a note: in %v, %v", at.Section, err)
		}
	})
	t.Run("are refused for a reason", func(t *testing.T) {
		post("/Binary", "image/png", scan[:9]).want(t, http.StatusBadRequest)
		post("/Binary", "image/png", scan[:9], "X-Security-Context", "Patient/nobody").want(t, http.StatusNotFound)
		post("/Binary", "image/png", scan[:9], "X-Security-Context", "https://else.example/fhir/Patient/"+chart).want(t, http.StatusBadRequest)
		post("/Binary", "image/png", nil, of...).want(t, http.StatusBadRequest)
		post("/Binary?section=index", "image/png", scan[:9], of...).want(t, http.StatusBadRequest)
		post("/Binary?sektion=labs", "image/png", scan[:9], of...).want(t, http.StatusBadRequest)
		post("/Binary", "application/fhir+xml", scan[:9], of...).want(t, http.StatusUnsupportedMediaType)
		post("/Binary", "image/png", scan[:9], append([]string{"Content-Encoding", "gzip"}, of...)...).want(t, http.StatusUnsupportedMediaType)
		abroad.do("GET", current, "").want(t, http.StatusNotFound)
		okafor.do("GET", "/Binary/nothing-of-that-id", "").want(t, http.StatusNotFound)
		okafor.do("GET", current+"/_history/00", "").want(t, http.StatusNotFound)
	})
	t.Run("uploads", func(t *testing.T) { uploads(t, net, okafor, chart, scan) })
	okafor.node = net.Nodes[0] // which was started anew
	t.Run("stand in the chart without their bytes", func(t *testing.T) {
		a := okafor.do("GET", "/Patient/"+chart+"/$everything", "").want(t, http.StatusOK)
		if len(a.body) > 1<<20 || !strings.Contains(string(a.body), strings.TrimPrefix(current, "/Binary/")) {
			t.Errorf("the chart has %d bytes", len(a.body))
		}
	})
}

func number(n int) string { return strconv.Itoa(n) }
