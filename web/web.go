// Package web is the patient's app as a member hands it out: the pages that were built from web/src, embedded.
//
// It promises that a browser runs nothing but these files: everything else is forbidden by the headers, and each file is told by its
// SHA-256. It refuses what is not in the manifest, every method but GET and HEAD, and to be put into a frame.
//
//	GET /                    the app's one page; also under the path of each of its views, so that a reload works
//	GET /assets/app.js       a file of it, with its SHA-256 as ETag
//	GET /manifest            the SHA-256 of every file, as sha256sum reads it
//
// The release is the SHA-256 of the manifest: two members that show the same one hand out the same app. See spec/portal.md.
package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
)

//go:embed dist
var dist embed.FS

const (
	root     = "dist"
	index    = "index.html" // of every view
	views    = "views"      // the file with their paths, one a line
	manifest = "manifest"
)

// policy is what a page may do: load its own files, talk to its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types "

// Confine sets what every answer of a page's server says of what the page may do. Scripts are made by URL alone, by the one policy that is named: of the
// app's workers "vault", "'none'" for a page that makes none.
func Confine(h http.Header, scripts string) {
	h.Set("Content-Security-Policy", policy+scripts)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=()")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// App is the app, ready to be sent.
type App struct {
	files   map[string]*file // by path
	release string
	listed  []Listed
	views   []string
}

type file struct {
	kind        string
	hash        string
	body, small []byte // as it is, and compressed; small is nil where that doesn't help
}

// New reads the app that this program holds. An error says that it was put together wrongly.
func New() (*App, error) {
	a := &App{files: map[string]*file{}}
	listed, err := dist.ReadFile(root + "/" + manifest)
	if err != nil {
		return nil, fmt.Errorf("the app has no manifest: build it with 'npm --prefix web run build': %w", err)
	}
	a.release = sum(listed)
	if a.listed, err = ParseManifest(listed); err != nil {
		return nil, err
	}
	var have bytes.Buffer
	err = fs.WalkDir(dist, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, root+"/")
		if name != manifest {
			fmt.Fprintf(&have, "%s  %s\n", sum(body), name)
		}
		f, err := newFile(name, body)
		if err != nil {
			return err
		}
		a.files["/"+name] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(have.Bytes(), listed) {
		return nil, fmt.Errorf("the app's files are not those of its manifest: build it with 'npm --prefix web run build'")
	}
	page, paths := a.files["/"+index], a.files["/"+views]
	if page == nil || paths == nil {
		return nil, fmt.Errorf("the app lacks %s or %s", index, views)
	}
	a.views = strings.Fields(string(paths.body))
	for _, view := range a.views {
		a.files[view] = page
	}
	return a, nil
}

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
	".webmanifest": "application/manifest+json", "": "text/plain; charset=utf-8",
}

func newFile(name string, body []byte) (*file, error) {
	kind := kinds[path.Ext(name)]
	if kind == "" {
		return nil, fmt.Errorf("the app has %s, and its type is not known here", name)
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	f := &file{kind: kind, hash: sum(body), body: body}
	if b.Len() < len(body) {
		f.small = b.Bytes()
	}
	return f, nil
}

// Release is the SHA-256 of the manifest, in hex.
func (a *App) Release() string { return a.release }

// Patterns are the paths that the app answers, as a ServeMux has them, sorted.
func (a *App) Patterns() []string {
	var out []string
	for p := range a.files {
		if p == "/" {
			p = "/{$}"
		}
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// ServeHTTP answers with a file.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	Confine(h, "vault")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "The app is only read: GET.", http.StatusMethodNotAllowed)
		return
	}
	f := a.files[r.URL.Path]
	if f == nil {
		http.Error(w, "The app has no such file. It begins at /.", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache") // names stay the same from release to release
	h.Set("Vary", "Accept-Encoding")
	body, tag := f.body, f.hash
	if f.small != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body, tag = f.small, f.hash+"-gzip"
	}
	h.Set("ETag", `"`+tag+`"`)
	if r.Header.Get("If-None-Match") == `"`+tag+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(body) // a client that has gone hears nothing
}
