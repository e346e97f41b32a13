package demo_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/bits"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"vitalog/internal/demo"
	"vitalog/internal/testnet"
)

// reader asks the page for something, as a browser or as somebody else.
type reader struct {
	t   *testing.T
	ctx context.Context
	at  string
}

func (r reader) send(method, path, body string, header ...string) *http.Response {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.ctx, method, r.at+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if q.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			q.Host = header[i+1]
		}
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r reader) status(method, path, body string, header ...string) int {
	r.t.Helper()
	a := r.send(method, path, body, header...)
	a.Body.Close()
	return a.StatusCode
}

func (r reader) into(got any, method, path, body string) {
	r.t.Helper()
	a := r.send(method, path, body)
	defer a.Body.Close()
	raw, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		r.t.Fatalf("%s %s: %d: %s, %v", method, path, a.StatusCode, raw, err)
	}
	if err := json.Unmarshal(raw, got); err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// press presses a button, which must bring the story to a stage.
func (r reader) press(name, stage string) (s demo.Story) {
	r.t.Helper()
	r.into(&s, http.MethodPost, "/"+name, "")
	if string(s.Stage) != stage || s.Failed != "" || s.Doing != "" {
		r.t.Fatalf("%s brings the story to %q (%s, %q), want %q", name, s.Stage, s.Doing, s.Failed, stage)
	}
	return s
}

// The page's own rules, and then the whole story by its buttons. What a tour left is there when it begins.
func pageTellsTheStory(t *testing.T, ctx context.Context, d *demo.Demo, p *demo.Page) {
	r := reader{t, ctx, p.URL}
	at, err := url.Parse(p.URL)
	if err != nil || at.Hostname() != "localhost" {
		t.Fatalf("the page is at %s, %v", p.URL, err)
	}
	if s, err := demo.LoadState(d.Dir); err != nil || at.Port() == "" || !strings.HasSuffix(p.URL, ":"+at.Port()) || s.Page == 0 {
		t.Errorf("the port is not remembered: %+v, %v", s, err)
	}
	for what, c := range map[string]struct {
		header []string
		want   int
	}{
		"a page of another origin":         {[]string{"Origin", "http://evil.example"}, http.StatusForbidden},
		"a page of another port":           {[]string{"Origin", "http://localhost:1", "Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"another name that points here":    {[]string{"Host", "evil.example:" + at.Port()}, http.StatusMisdirectedRequest},
		"the address in place of the name": {[]string{"Host", "127.0.0.1:" + at.Port()}, http.StatusMisdirectedRequest},
	} {
		for _, path := range []string{"/reset", "/tamper", "/search"} {
			if got := r.status(http.MethodPost, path, "Lisinopril", c.header...); got != c.want {
				t.Errorf("%s posts to %s: %d, want %d", what, path, got, c.want)
			}
		}
	}
	for _, path := range []string{"/", "/page.js", "/page.css", "/assets/index.css", "/icon.svg"} {
		a := r.send(http.MethodGet, path, "")
		a.Body.Close()
		policy := a.Header.Get("Content-Security-Policy")
		if a.StatusCode != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || a.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %d, policy %q", path, a.StatusCode, policy)
		}
		if a := r.status(http.MethodGet, path, "", "Host", "evil.example"); a != http.StatusMisdirectedRequest {
			t.Errorf("%s under another name: %d", path, a)
		}
	}
	for _, m := range d.State.Members { // the page is the demo's, not a member's
		if a, b := (reader{t, ctx, m.API}).status(http.MethodPost, "/tamper", ""), (reader{t, ctx, m.API}).status(http.MethodGet, "/events", ""); a < 400 || b < 400 {
			t.Errorf("%s answers for the page: %d, %d", m.Title, a, b)
		}
	}
	if got := r.status(http.MethodPost, "/ask", ""); got != http.StatusConflict {
		t.Errorf("a story begins while something is shared: %d", got)
	}

	r.press("reset", "begun")
	s := r.press("ask", "waiting")
	if s.Patient.Asked != 17 || len(s.Patient.Rows) != 1 || s.Patient.Rows[0].Allowed || s.Told[0].Block == 0 || s.Next != "share" {
		t.Errorf("asked: %+v", s)
	}
	if got := r.status(http.MethodPost, "/ask-again", ""); got != http.StatusConflict {
		t.Errorf("asking again before the answer: %d", got)
	}
	s = r.press("share", "shared")
	if s.Patient.Until == "" || !slices.Equal(s.Patient.Gives, []string{"medicines", "vital signs"}) {
		t.Errorf("shared: %+v", s.Patient)
	}
	s = r.press("ask-again", "read")
	if n := len(s.Doctor.Readings); n != 24 || s.Doctor.Readings[23].Systolic != "109" || s.Doctor.Readings[23].Diastolic != "75" {
		t.Errorf("%d readings: %+v", n, s.Doctor.Readings)
	}
	s = r.press("stop", "stopped")
	var rows []bool
	for _, row := range s.Patient.Rows {
		rows = append(rows, row.Allowed)
	}
	if !slices.Equal(rows, []bool{false, true, false}) || !s.Patient.Proven || len(s.Doctor.Readings) > 0 || s.Patient.Until != "" {
		t.Errorf("stopped: %+v", s)
	}

	var before, after struct{ Head, Hers string }
	r.into(&before, http.MethodGet, "/object?n=0", "")
	s = r.press("tamper", "stopped")
	r.into(&after, http.MethodGet, "/object?n=0", "")
	flipped, err1 := hex.DecodeString(s.Cloud.Before + s.Cloud.After)
	if err1 != nil || len(flipped) != 2 || bits.OnesCount8(flipped[0]^flipped[1]) != 1 || s.Cloud.Before != before.Head[2*s.Cloud.At:2*s.Cloud.At+2] {
		t.Errorf("not one bit of what was there was flipped: %+v, %v", s.Cloud, err1)
	}
	named := s.Told[len(s.Told)-2]
	if !strings.Contains(named.Text, before.Hers) || !strings.Contains(named.Text, "written by St. Elena Hospital") || named.Block == 0 || s.Cloud.State != "healed" || after.Head != before.Head {
		t.Errorf("named was %+v, of %s; the bytes are the same again: %v", named, before.Hers, after.Head == before.Head)
	}
	pageSearches(t, r, before.Head)
	pageFollows(t, r)
}

// pageSearches looks for what must not be there, and for what is.
func pageSearches(t *testing.T, r reader, head string) {
	var got struct {
		Hex   bool
		Files int
		Found int
	}
	for _, word := range []string{"Lisinopril", "alvarez", "OKAFOR", "blood pressure"} {
		if r.into(&got, http.MethodPost, "/search", word); got.Found != 0 || got.Files < 50 {
			t.Errorf("%q is in %d of %d files", word, got.Found, got.Files)
		}
	}
	if r.into(&got, http.MethodPost, "/search", head[:32]); !got.Hex || got.Found < 2 {
		t.Errorf("bytes that are there were found %d times", got.Found)
	}
	if a := r.status(http.MethodPost, "/search", "HIV"); a != http.StatusBadRequest {
		t.Errorf("a short word: %d", a)
	}
}

// pageFollows reads what the page hears of until the block with the access has come.
func pageFollows(t *testing.T, r reader) {
	a := r.send(http.MethodGet, "/events", "")
	defer a.Body.Close()
	type entry struct{ What, Mark, Hers, By string }
	want := []entry{{"A grant", "", "vital signs", "Maria"}, {"Access allowed", "allowed", "vital signs", "St. Elena Hospital"}, {"Access refused: revoked", "refused", "vital signs", "St. Elena Hospital"}}
	lines := bufio.NewScanner(a.Body)
	lines.Buffer(nil, 1<<20)
	for len(want) > 0 && lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var b struct {
			Height     uint64
			Signed, Of int
			Entries    []entry
		}
		if err := json.Unmarshal([]byte(data), &b); err != nil {
			t.Fatal(err)
		}
		if b.Height > 0 && 3*b.Signed <= 2*b.Of {
			t.Errorf("block %d is signed by %d of %d", b.Height, b.Signed, b.Of)
		}
		want = slices.DeleteFunc(want, func(e entry) bool { return slices.Contains(b.Entries, e) })
	}
	if len(want) > 0 {
		t.Errorf("no block had %v: %v", want, lines.Err())
	}
}

// pageInABrowser is the same with the keyboard alone, in every way that the page shows.
func pageInABrowser(t *testing.T, p *demo.Page) {
	var got struct {
		Reading, Word, Bytes, Failed string
		Rows, Blocks                 int
		Told, Looked, Complaints     []string
	}
	testnet.Walk(t, "../../web", testnet.Chromium(t, "../../web"), p.URL, "", &got, "demo.mjs")
	if got.Failed != "" {
		t.Error(got.Failed)
	}
	if len(got.Complaints) > 0 {
		t.Errorf("the browser and axe complain:\n%s", strings.Join(got.Complaints, "\n"))
	}
	if !strings.HasPrefix(got.Reading, "109/75 mmHg") || got.Rows != 24 || got.Blocks < 5 || len(got.Told) < 12 || len(got.Looked) != 3 {
		t.Errorf("it showed %+v", got)
	}
	if !strings.HasPrefix(got.Word, "0 found") || !strings.HasPrefix(got.Bytes, "Found in") {
		t.Errorf("the search says %q, and of bytes that are there %q", got.Word, got.Bytes)
	}
}
