package gateway_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/scope"
)

// tus speaks the protocol of uploads for somebody.
type tus struct {
	desk
	access gateway.Access
}

// send makes a request whose body may break in the middle; then its error is told.
func (c tus) send(method, path string, body io.Reader, headers ...string) (answer, error) {
	c.t.Helper()
	token, err := gateway.IssueAccess(c.node.Ring.Tokens(), c.node.Member.Name(), c.node.Config.URL()+"/fhir", c.access, time.Minute, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	if !strings.HasPrefix(path, "http") {
		path = c.node.Config.URL() + path
	}
	r, err := http.NewRequest(method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

func (c tus) do(method, path string, body io.Reader, headers ...string) answer {
	c.t.Helper()
	a, err := c.send(method, path, body, headers...)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c tus) begin(chart string, length int, headers ...string) (at string) {
	c.t.Helper()
	a := c.do("POST", "/fhir/$upload", nil, append([]string{"Upload-Length", number(length), "X-Security-Context", "Patient/" + chart,
		"Upload-Metadata", "filename eA==,filetype " + base64.StdEncoding.EncodeToString([]byte("application/dicom"))}, headers...)...).want(c.t, http.StatusCreated)
	if at = a.header.Get("Location"); !strings.HasPrefix(at, c.node.Config.URL()+"/fhir/$upload/") || a.header.Get("Upload-Expires") == "" {
		c.t.Fatalf("begun: %v", a.header)
	}
	return at
}

func (c tus) patch(at string, offset int, body io.Reader) (answer, error) {
	return c.send("PATCH", at, body, "Upload-Offset", number(offset), "Content-Type", "application/offset+octet-stream")
}

func (c tus) offset(at string) int {
	c.t.Helper()
	a := c.do("HEAD", at, nil).want(c.t, http.StatusOK)
	n, err := strconv.Atoi(a.header.Get("Upload-Offset"))
	if err != nil {
		c.t.Fatal(a.header)
	}
	return n
}

var errTorn = errors.New("the cable was pulled")

// torn is a body of which only n bytes are given.
func torn(b []byte, n int) io.Reader { return io.MultiReader(bytes.NewReader(b[:n]), failing{}) }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errTorn }

// goOn sends what is lacking, as a client does, and says how the last answer was.
func (c tus) goOn(at string, all []byte) answer {
	c.t.Helper()
	for range 20 {
		n := c.offset(at)
		a, err := c.patch(at, n, bytes.NewReader(all[n:]))
		if err == nil && a.status == http.StatusNoContent {
			return a
		}
		if err == nil && a.status != http.StatusConflict { // the line before was slower than HEAD
			c.t.Fatalf("going on at %d: %d %s", n, a.status, a.body)
		}
	}
	c.t.Fatal("it never came to an end")
	return answer{}
}

// whole reads the Binary that an upload became.
func (c tus) whole(done answer, want []byte) string {
	c.t.Helper()
	_, path, ok := strings.Cut(done.header.Get("Content-Location"), "/fhir")
	if !ok {
		c.t.Fatalf("where is it? %v", done.header)
	}
	a := c.desk.do("GET", path, "").want(c.t, http.StatusOK)
	if !bytes.Equal(a.body, want) || a.header.Get("Content-Type") != "application/dicom" {
		c.t.Errorf("%s: got %d other bytes of %s", path, len(a.body), a.header.Get("Content-Type"))
	}
	return path
}

// uploads are tests of uploads at member 0 of a network, into a chart.
func uploads(t *testing.T, net *testnet.Net, okafor desk, chart string, scan []byte) {
	as := func(t *testing.T) tus {
		d := okafor
		d.t, d.node = t, net.Nodes[0]
		return tus{d, gateway.Access{Asker: okafor.who, Scopes: scope.All(), Client: "pacs"}}
	}
	big := bytes.Repeat(scan, 6) // more than is sealed at once
	t.Run("go on where they broke, over breaks at any place and a restart of the member", func(t *testing.T) {
		c := as(t)
		at := c.begin(chart, len(big))
		if _, err := c.patch(at, 0, torn(big, 700_001)); !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
		n := 0
		for _, part := range []int{1, 2<<20 + 3, 9 << 20} {
			a := answer{status: http.StatusConflict}
			for a.status == http.StatusConflict { // the line before may be slower than HEAD
				n = c.offset(at)
				var err error
				if a, err = c.patch(at, n, bytes.NewReader(big[n:n+part])); err != nil {
					t.Fatal(err)
				}
			}
			if n += part; a.want(t, http.StatusNoContent).header.Get("Upload-Offset") != number(n) {
				t.Fatalf("after %d bytes: %v", n, a.header)
			}
		}
		net.Stop(t, 0)
		net.Restart(t, 0, node.Options{})
		net.WaitReady(t)
		c = as(t)
		if got := c.offset(at); got != n {
			t.Fatalf("after a restart: at %d, want %d", got, n)
		}
		if _, err := c.patch(at, n, torn(big[n:], 3<<20)); !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
		done := c.goOn(at, big)
		path := c.whole(done, big)
		if again := c.do("HEAD", at, nil).want(t, http.StatusOK); again.header.Get("Content-Location") != done.header.Get("Content-Location") || again.header.Get("Upload-Offset") != number(len(big)) {
			t.Errorf("what is published is told as %v", again.header)
		}
		border := 8<<20 - 7 // of what was sealed at once, and of pieces
		ranged := c.desk.do("GET", path, "", "Range", "bytes="+number(border)+"-"+number(border+999_999)).want(t, http.StatusPartialContent)
		if !bytes.Equal(ranged.body, big[border:border+1_000_000]) {
			t.Error("a range over a border has other bytes")
		}
	})
	t.Run("begin with bytes, and may be small", func(t *testing.T) {
		c := as(t)
		a := c.do("POST", "/fhir/$upload", strings.NewReader("no"), "Upload-Length", "5", "X-Security-Context", "Patient/"+chart, "Content-Type", "application/offset+octet-stream",
			"Upload-Metadata", "filetype "+base64.StdEncoding.EncodeToString([]byte("application/dicom"))).want(t, http.StatusCreated)
		at := a.header.Get("Location")
		if a.header.Get("Upload-Offset") != "2" {
			t.Fatalf("begun: %v", a.header)
		}
		a = c.do("POST", at, strings.NewReader("ise"), "X-HTTP-Method-Override", "PATCH", "Upload-Offset", "2", "Content-Type", "application/offset+octet-stream")
		c.whole(a.want(t, http.StatusNoContent), []byte("noise"))
	})
	t.Run("have one sender at a time", func(t *testing.T) {
		c := as(t)
		at := c.begin(chart, len(scan))
		hanging, more := io.Pipe()
		first := make(chan answer, 1)
		go func() {
			a, _ := c.patch(at, 0, hanging)
			first <- a
		}()
		if _, err := more.Write(scan[:1<<20]); err != nil { // so it is under way, and waits for bytes
			t.Fatal(err)
		}
		n := c.offset(at)
		more.CloseWithError(errTorn)
		if a := <-first; a.status != 0 && a.status != http.StatusBadRequest {
			t.Errorf("who was taken over from hears %d", a.status)
		}
		n = c.offset(at)
		answers := make([]answer, 2)
		var both sync.WaitGroup
		for i := range answers {
			both.Go(func() { answers[i], _ = c.patch(at, n, bytes.NewReader(scan[n:])) })
		}
		both.Wait()
		done := c.goOn(at, scan)
		c.whole(done, scan)
		for _, a := range answers {
			if a.status == http.StatusNoContent && a.header.Get("Upload-Offset") == number(len(scan)) && a.header.Get("Content-Location") != done.header.Get("Content-Location") {
				t.Errorf("two senders made two records: %v and %v", a.header, done.header)
			}
		}
	})
	t.Run("belong to who began them, and end", func(t *testing.T) {
		c := as(t)
		at := c.begin(chart, 10)
		for name, other := range map[string]gateway.Access{
			"another practitioner": {Asker: exchange.Asker{Practitioner: "p-9", Role: okafor.who.Role, Purpose: "TREAT"}, Scopes: scope.All(), Client: "pacs"},
			"other software":       {Asker: okafor.who, Scopes: scope.All(), Client: "elsewhere"},
			"other scopes":         {Asker: okafor.who, Scopes: scope.All(), Client: "pacs", Patient: "another"},
		} {
			o := c
			if o.access = other; other.Patient != "" {
				var err error
				if o.access.Scopes, err = scope.Parse("patient/Binary.c"); err != nil {
					t.Fatal(err)
				}
			}
			for _, method := range []string{"HEAD", "DELETE", "PATCH"} {
				if a := o.do(method, at, nil, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream"); a.status != http.StatusNotFound {
					t.Errorf("%s, %s: got %d", name, method, a.status)
				}
			}
		}
		c.do("PATCH", at, strings.NewReader("half "), "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream").want(t, http.StatusNoContent)
		c.do("DELETE", at, nil).want(t, http.StatusNoContent)
		c.do("HEAD", at, nil).want(t, http.StatusNotFound)

		at = c.begin(chart, 10)
		c.do("PATCH", at, strings.NewReader("half "), "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream").want(t, http.StatusNoContent)
		for _, after := range []time.Duration{23 * time.Hour, 25 * time.Hour} {
			if err := net.Nodes[0].Member.SweepUploads(t.Context(), time.Now().Add(after)); err != nil {
				t.Fatal(err)
			}
			want := http.StatusOK
			if after > 24*time.Hour {
				want = http.StatusNotFound
			}
			c.do("HEAD", at, nil).want(t, want)
		}
		if left, err := net.Nodes[0].Store.Grown(); err != nil || len(left) > 0 {
			t.Errorf("uploads that are over leave %q, %v", left, err)
		}
	})
	t.Run("say what is wrong", func(t *testing.T) {
		c := as(t)
		at := c.begin(chart, 10)
		eleven := func() io.Reader { return strings.NewReader("0123456789a") }
		of, kind := []string{"X-Security-Context", "Patient/" + chart}, []string{"Upload-Metadata", "filetype YXBwbGljYXRpb24vcGRm"}
		octets := []string{"Content-Type", "application/offset+octet-stream"}
		all := func(parts ...[]string) (out []string) {
			for _, p := range parts {
				out = append(out, p...)
			}
			return out
		}
		for name, x := range map[string]struct {
			method, path string
			headers      []string
			want         int
		}{
			"another offset":      {"PATCH", at, all(octets, []string{"Upload-Offset", "3"}), http.StatusConflict},
			"no offset":           {"PATCH", at, octets, http.StatusBadRequest},
			"more than there is":  {"PATCH", at, all(octets, []string{"Upload-Offset", "0"}), http.StatusUnprocessableEntity},
			"another kind":        {"PATCH", at, []string{"Upload-Offset", "0", "Content-Type", "application/pdf"}, http.StatusUnsupportedMediaType},
			"another protocol":    {"PATCH", at, all(octets, []string{"Upload-Offset", "0", "Tus-Resumable", "0.2.2"}), http.StatusPreconditionFailed},
			"no such upload":      {"PATCH", "/fhir/$upload/00", all(octets, []string{"Upload-Offset", "0"}), http.StatusNotFound},
			"not a method":        {"POST", at, nil, http.StatusMethodNotAllowed},
			"no length":           {"POST", "/fhir/$upload", all(of, kind), http.StatusBadRequest},
			"no bytes":            {"POST", "/fhir/$upload", all(of, kind, []string{"Upload-Length", "0"}), http.StatusBadRequest},
			"too long":            {"POST", "/fhir/$upload", all(of, kind, []string{"Upload-Length", "4294967297"}), http.StatusRequestEntityTooLarge},
			"no media type":       {"POST", "/fhir/$upload", all(of, []string{"Upload-Length", "10"}), http.StatusUnsupportedMediaType},
			"of nobody":           {"POST", "/fhir/$upload", all(kind, []string{"Upload-Length", "10"}), http.StatusBadRequest},
			"of somebody unknown": {"POST", "/fhir/$upload", all(kind, []string{"Upload-Length", "10", "X-Security-Context", "Patient/nobody"}), http.StatusNotFound},
		} {
			if a := c.do(x.method, x.path, eleven(), x.headers...); a.status != x.want {
				t.Errorf("%s: got %d, want %d: %.300s", name, a.status, x.want, a.body)
			}
		}
		if n := c.offset(at); n != 0 {
			t.Errorf("what was refused left %d bytes", n)
		}
		if a := c.do("OPTIONS", "/fhir/$upload", nil).want(t, http.StatusNoContent); a.header.Get("Tus-Version") != "1.0.0" || a.header.Get("Tus-Max-Size") != "4294967296" {
			t.Errorf("what is offered: %v", a.header)
		}
		for range 63 { // and the one above
			c.begin(chart, 1)
		}
		c.do("POST", "/fhir/$upload", nil, append(all(of, kind), "Upload-Length", "1")...).want(t, http.StatusTooManyRequests)
	})
}
