// Package manual is what a member's gateway tells the people who write software for it: /docs, pages that need no JavaScript.
//
// It promises to say what is true: the resource types and their parameters are read out of the gateway's CapabilityStatement, the formats out of
// the specification, and every command on the pages is run by a test against a real member. It holds no health data but made-up examples,
// refuses every method but GET, and its pages load nothing from anywhere else.
//
//	GET /docs                 the first page, with links to all others
//	GET /docs/search          one interaction, with commands to paste
//	GET /docs/types           what the CapabilityStatement says, as tables
//	GET /docs/spec/receipt    a page of the specification
//	GET /docs/openapi.json    what is not FHIR, as OpenAPI 3.1
package manual

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	text "text/template"

	"vitalog/spec"
)

// Root is where the manual is mounted.
const Root = "/docs"

//go:embed pages/*.md page.html style.css openapi.json
var files embed.FS

// Config is what the manual is about.
type Config struct {
	Member    string // the organisation's name
	Base      string // address of its FHIR endpoint
	Statement []byte // its CapabilityStatement
	Topics    []Topic
}

// Topic is something that can be subscribed to.
type Topic struct{ URL, Title, Description string }

// page is one that is ready to be sent.
type page struct {
	kind, tag string
	body      []byte
}

// manual answers from memory.
type manual map[string]*page

// link is one in the list beside every page.
type link struct {
	Path, Title string
	Here        bool
}

// New renders the manual. What is committed renders always; a CapabilityStatement that can't be read is an error.
func New(c Config) (http.Handler, error) {
	m := manual{}
	w := &writer{Config: c, into: m, html: template.Must(template.ParseFS(files, "page.html"))}
	own, err := w.own()
	if err != nil {
		return nil, err
	}
	types, err := w.types()
	if err != nil {
		return nil, err
	}
	formats, err := w.formats()
	if err != nil {
		return nil, err
	}
	for _, d := range own {
		w.nav = append(w.nav, link{Path: d.path, Title: d.title})
	}
	w.nav = append(w.nav, link{Path: types[0].path, Title: types[0].title}, link{Path: formats[0].path, Title: formats[0].title})
	for _, list := range [][]draft{own, types, formats} {
		for _, d := range list {
			if err := w.page(d); err != nil {
				return nil, err
			}
		}
	}
	first := *m[own[0].path]
	m[Root] = &first
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, err
	}
	m.put(Root+"/style.css", "text/css; charset=utf-8", style)
	api, err := w.openAPI()
	if err != nil {
		return nil, err
	}
	m.put(Root+"/openapi.json", "application/json", api)
	for _, t := range c.Topics {
		m.put(TopicPath(t), "application/fhir+json; charset=utf-8", w.topic(t))
	}
	return m, nil
}

func (m manual) put(path, kind string, body []byte) {
	m[path] = &page{kind: kind, tag: fmt.Sprintf(`"%x"`, sha256.Sum256(body))[:20] + `"`, body: body}
}

// ServeHTTP answers with a page.
func (m manual) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "The manual is only read: GET.", http.StatusMethodNotAllowed)
		return
	}
	p := m[strings.TrimSuffix(r.URL.Path, "/")]
	if p == nil {
		http.Error(w, "The manual has no such page. It begins at "+Root+".", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", p.kind)
	h.Set("ETag", p.tag)
	h.Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == p.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(p.body) // a client that has gone hears nothing
}

// draft is a page in Markdown.
type draft struct {
	path, title string
	markdown    []byte
	above       string // the page that the list marks when this one is not in it
}

// writer renders pages.
type writer struct {
	Config
	into manual
	html *template.Template
	nav  []link
}

// own are the pages of this package, in their order.
func (w *writer) own() (out []draft, err error) {
	list, err := files.ReadDir("pages")
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		raw, err := files.ReadFile("pages/" + f.Name())
		if err != nil {
			return nil, err
		}
		t, err := text.New(f.Name()).Option("missingkey=error").Parse(string(raw))
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, map[string]any{"Member": w.Member, "Base": w.Base, "Topics": w.Topics, "SMART": bytes.Contains(w.Statement, []byte(`"SMART-on-FHIR"`))}); err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(b.Bytes())) == 0 {
			continue // about something that this member doesn't offer
		}
		name := strings.TrimSuffix(f.Name(), ".md")
		_, name, _ = strings.Cut(name, "-") // the number orders them
		out = append(out, draft{path: Root + "/" + name, title: titleOf(b.Bytes()), markdown: b.Bytes()})
	}
	return out, nil
}

// formats are the pages of the specification, its index first.
func (w *writer) formats() (out []draft, err error) {
	list, err := spec.Pages.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		raw, err := spec.Pages.ReadFile(f.Name())
		if err != nil {
			return nil, err
		}
		d := draft{path: specPath(f.Name()), title: titleOf(raw), markdown: raw, above: Root + "/spec"}
		if f.Name() == "README.md" {
			out = append([]draft{d}, out...)
		} else {
			out = append(out, d)
		}
	}
	return out, nil
}

// specPath is the address of a page of the specification.
func specPath(file string) string {
	if name := strings.TrimSuffix(path.Base(file), ".md"); name != "README" {
		return Root + "/spec/" + name
	}
	return Root + "/spec"
}

// titleOf is the first heading.
func titleOf(markdown []byte) string {
	line, _, _ := bytes.Cut(markdown, []byte("\n"))
	return strings.TrimPrefix(string(line), "# ")
}

// page renders one page with the list beside it.
func (w *writer) page(d draft) error {
	body, err := render(d)
	if err != nil {
		return fmt.Errorf("manual: %s: %w", d.path, err)
	}
	nav := make([]link, len(w.nav))
	for i, l := range w.nav {
		l.Here = l.Path == d.path || l.Path == d.above
		nav[i] = l
	}
	var b bytes.Buffer
	err = w.html.Execute(&b, map[string]any{"Title": d.title, "Member": w.Member, "Root": Root, "Nav": nav, "Body": template.HTML(body)})
	if err != nil {
		return err
	}
	w.into.put(d.path, "text/html; charset=utf-8", b.Bytes())
	return nil
}
