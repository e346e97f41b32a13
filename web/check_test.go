package web_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"vitalog/web"
)

func TestACheckNamesWhateverAMemberHandsOutOtherwise(t *testing.T) {
	app, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	honest := http.NewServeMux()
	for _, p := range app.Patterns() {
		honest.Handle(p, app)
	}
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	own := httptest.NewRecorder()
	honest.ServeHTTP(own, httptest.NewRequest("GET", "/manifest", nil))
	more := strings.Replace(own.Body.String(), "views\n", "views\n"+strings.Repeat("0", 64)+"  worse.js\n", 1)
	other := fmt.Sprintf("%x", sha256.Sum256([]byte(more)))

	for what, c := range map[string]struct {
		lies    map[string]http.Handler
		release string
		want    []string // state and path
		away    bool
	}{
		"an honest one":          {},
		"another file":           {lies: map[string]http.Handler{"/assets/worker.js": answer(200, "steal()")}, want: []string{"altered assets/worker.js"}},
		"no file":                {lies: map[string]http.Handler{"/icon.svg": answer(404, "")}, want: []string{"missing icon.svg"}},
		"a file elsewhere":       {lies: map[string]http.Handler{"/icon.svg": http.RedirectHandler("/views", http.StatusFound)}, want: []string{"missing icon.svg"}},
		"another first page":     {lies: map[string]http.Handler{"/{$}": answer(200, "<script src=//evil.example></script>")}, want: []string{"altered /"}},
		"another page of a view": {lies: map[string]http.Handler{"/record": answer(200, "")}, want: []string{"altered /record"}},
		"no manifest":            {lies: map[string]http.Handler{"/manifest": answer(404, "")}, want: []string{"missing manifest"}},
		"one that is none":       {lies: map[string]http.Handler{"/manifest": answer(200, "hello\n")}, want: []string{"altered manifest"}},
		"a file more":            {lies: map[string]http.Handler{"/manifest": answer(200, more)}, want: []string{"added worse.js", "altered manifest"}},
		"another release":        {release: strings.Repeat("1", 64), want: []string{"altered manifest"}},
		"another release, whole": {release: other, lies: map[string]http.Handler{"/manifest": answer(200, more)}, want: []string{"missing worse.js"}},
		"one that is overloaded": {lies: map[string]http.Handler{"/icon.svg": answer(503, "")}, away: true},
	} {
		member := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for path, lie := range c.lies {
				if r.URL.Path == path || path == "/{$}" && r.URL.Path == "/" {
					lie.ServeHTTP(w, r)
					return
				}
			}
			honest.ServeHTTP(w, r)
		}))
		release := c.release
		if release == "" {
			release = app.Release()
		}
		s, err := app.Check(t.Context(), member.URL, release, http.DefaultTransport)
		member.Close()
		if c.away {
			if !errors.Is(err, web.ErrUnreachable) {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		var got []string
		for _, d := range s.Differences {
			got = append(got, d.State+" "+d.Path)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
		if len(c.want) == 0 && (s.Release != app.Release() || s.Files < 10) {
			t.Errorf("%s: %+v", what, s)
		}
	}
	if _, err := app.Check(t.Context(), "http://localhost:1", app.Release(), http.DefaultTransport); !errors.Is(err, web.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	zeros := strings.Repeat("0", 64)
	f.Add([]byte(zeros + "  a/b.js\n" + zeros + "  index.html\n"))
	f.Add([]byte(zeros + "  ../a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := web.ParseManifest(b)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, l := range list {
			fmt.Fprintf(&again, "%s  %s\n", l.Hash, l.Path)
		}
		if again.String() != string(b) {
			t.Errorf("%q is written again as %q", b, again.String())
		}
	})
}
