package web_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vitalog/web"
)

func TestTheAppIsOnlyReadAndRunsNothingElse(t *testing.T) {
	app, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, p := range app.Patterns() {
		mux.Handle(p, app)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	ask := func(method, path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}

	manifest := ask("GET", "/manifest").Body.String()
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(manifest))); got != app.Release() {
		t.Errorf("the release is %s, the manifest's hash %s", app.Release(), got)
	}
	for line := range strings.Lines(manifest) {
		hash, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		w := ask("GET", "/"+name)
		if w.Code != 200 || fmt.Sprintf("%x", sha256.Sum256(w.Body.Bytes())) != hash {
			t.Errorf("%s: %d, and not the bytes of the manifest", name, w.Code)
		}
		h := w.Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "require-trusted-types-for 'script'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", name, csp)
		}
		for key, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin", "ETag": `"` + hash + `"`, "Cache-Control": "no-cache"} {
			if got := h.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		if w := ask("GET", "/"+name, "If-None-Match", h.Get("ETag")); w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("%s again: %d", name, w.Code)
		}
		packed := ask("GET", "/"+name, "Accept-Encoding", "gzip")
		if packed.Header().Get("Content-Encoding") == "gzip" && (packed.Body.Len() >= w.Body.Len() && w.Body.Len() > 0 || packed.Header().Get("ETag") == h.Get("ETag")) {
			t.Errorf("%s: compressed it is no smaller, or has the same ETag", name)
		}
	}

	page := ask("GET", "/index.html").Body.String()
	if got := ask("GET", "/").Body.String(); got != page || !strings.Contains(page, "<!doctype html>") {
		t.Error("/ is not the page")
	}
	for _, view := range strings.Fields(ask("GET", "/views").Body.String()) {
		if got := ask("GET", view); got.Body.String() != page || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d, not the page", view, got.Code)
		}
	}
	for path, want := range map[string]string{"/assets/index.js": "text/javascript", "/assets/index.css": "text/css", "/icon.svg": "image/svg+xml"} {
		if got := ask("GET", path).Header().Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q", path, got)
		}
	}
	for _, path := range []string{"/assets", "/assets/", "/dist/index.html", "/web.go", "/record/"} {
		if w := ask("GET", path); w.Code != http.StatusTeapot {
			t.Errorf("%s is answered: %d", path, w.Code)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		if w := ask(method, "/"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s /: %d", method, w.Code)
		}
	}
}
