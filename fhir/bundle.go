package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxAround is how many bytes may stand between two values of a bundle: white space, names, numbers, a fullUrl.
const maxAround = 1 << 20

// Entry is one entry of a bundle.
type Entry struct {
	Index       int    // from 0
	Bundle      string // the bundle's type, "" if it comes after the entries
	FullURL     string
	Method      string // of request: GET, POST, PUT, DELETE, PATCH, HEAD
	URL         string
	IfNoneExist string
	IfMatch     string
	IfNoneMatch string
	Since       string    // of request: ifModifiedSince
	Patch       []byte    // of a PATCH that came alone
	Resource    *Resource // nil if there is none, or if it is invalid but for a date
	Invalid     *Error    // what is wrong with the resource, nil if it is valid
	Line        int       // where the resource begins, from 1; 0 if that isn't known
	Column      int       // in bytes, from 1
}

// Element is the entry's path for errors, "Bundle.entry[3]".
func (e *Entry) Element() string { return fmt.Sprintf("Bundle.entry[%d]", e.Index) }

// ReadBundle calls each with one entry after the other, in the order of the bundle, and returns the bundle's type. A bundle may be of any
// length; memory holds one entry at a time, and a resource is refused beyond MaxResource bytes. Every error of the input is an *Error
// that names the entry and the element; an error of each ends the reading and is returned as it is, an error of r is wrapped. A resource
// that is JSON but not FHIR is told in its entry, because in a batch it concerns no other.
func ReadBundle(r io.Reader, each func(*Entry) error) (bundleType string, err error) {
	g := &guard{r: r}
	b := &bundleReader{guard: g, d: jsontext.NewDecoder(g), each: each}
	if err := b.bundle(); err != nil {
		return "", err
	}
	return b.kind, nil
}

// guard ends the input where the limit of the value being read does, so that no value makes the decoder's buffer grow beyond it.
type guard struct {
	r     io.Reader
	read  int64
	limit int64
	over  bool
	err   error // of r

	ends  []int64 // of lines that were read and not yet passed
	lines int     // that were passed
	begin int64   // of the line that was reached
	lost  bool    // ends would have been more than maxLines
}

// maxLines is how many lines may be read ahead before their numbers are given up.
const maxLines = 1 << 20

func (g *guard) Read(p []byte) (int, error) {
	room := g.limit - g.read
	if room <= 0 {
		g.over = true
		return 0, ErrTooLarge
	}
	n, err := g.r.Read(p[:min(int64(len(p)), room)])
	for i := 0; ; i++ {
		end := bytes.IndexByte(p[i:n], '\n')
		if end < 0 {
			break
		}
		i += end
		g.ends = append(g.ends, g.read+int64(i))
	}
	if g.lost = g.lost || len(g.ends) > maxLines; g.lost {
		g.ends = nil
	}
	g.read += int64(n)
	if err != nil && err != io.EOF {
		g.err = err
	}
	return n, err
}

// place is the line and the column of a byte, which must be asked for in order; 0, 0 if they were given up.
func (g *guard) place(at int64) (line, column int) {
	n := 0
	for n < len(g.ends) && g.ends[n] < at {
		n++
	}
	if n > 0 {
		g.lines, g.begin = g.lines+n, g.ends[n-1]+1
		g.ends = g.ends[n:]
	}
	if g.lost {
		return 0, 0
	}
	return g.lines + 1, int(at-g.begin) + 1
}

type bundleReader struct {
	guard *guard
	d     *jsontext.Decoder
	each  func(*Entry) error
	kind  string
	known bool
	n     int
}

// token reads a token of a bundle's own, value a whole value of at most MaxResource bytes.
func (b *bundleReader) token(at string) (jsontext.Token, error) {
	b.guard.limit = b.d.InputOffset() + 2*maxAround
	t, err := b.d.ReadToken()
	return t, b.wrap(err, at)
}

func (b *bundleReader) value(at string) (jsontext.Value, error) {
	b.guard.limit = b.d.InputOffset() + MaxResource + maxAround
	v, err := b.d.ReadValue()
	if err != nil {
		return nil, b.wrap(err, at)
	}
	if len(v) > MaxResource {
		return nil, tooLarge(at, len(v))
	}
	return v, nil
}

// text reads a string that stands around resources.
func (b *bundleReader) text(at string) (string, error) {
	t, err := b.token(at)
	if err != nil {
		return "", err
	}
	if t.Kind() != '"' {
		return "", &Error{Kind: Structure, Element: at, Text: "want a string"}
	}
	return t.String(), nil
}

// begin reads { or [.
func (b *bundleReader) begin(k jsontext.Kind, at, want string) error {
	t, err := b.token(at)
	if err == nil && t.Kind() != k {
		err = &Error{Kind: Structure, Element: at, Text: "want " + want}
	}
	return err
}

func (b *bundleReader) wrap(err error, at string) error {
	switch {
	case err == nil:
		return nil
	case b.guard.over:
		return &Error{Kind: TooLong, Element: at, Text: "is too long", Cause: ErrTooLarge}
	case b.guard.err != nil:
		return fmt.Errorf("reading %s: %w", at, b.guard.err)
	case err == io.EOF:
		return &Error{Kind: Structure, Element: at, Text: "ends too early", Cause: io.ErrUnexpectedEOF}
	}
	e := syntaxError(err)
	if e.Element = elementPath("Bundle", e.Element); len(e.Element) < len(at) {
		e.Element = at
	}
	return e
}

func (b *bundleReader) bundle() error {
	if err := b.begin('{', "Bundle", "a JSON object"); err != nil {
		return err
	}
	for b.d.PeekKind() != '}' {
		name, err := b.text("Bundle")
		if err != nil {
			return err
		}
		at := elementPath("Bundle", "/"+name)
		switch name {
		case "resourceType":
			t, err := b.text(at)
			if err != nil {
				return err
			}
			if t != "Bundle" {
				return &Error{Kind: Invalid, Element: "Resource.resourceType", Text: "want a Bundle"}
			}
			b.known = true
		case "type":
			if b.kind, err = b.text(at); err != nil {
				return err
			}
		case "entry":
			if err := b.entries(at); err != nil {
				return err
			}
		case "id", "meta", "implicitRules", "_implicitRules", "language", "_language", "identifier", "_type", "timestamp", "_timestamp", "total",
			"_total", "link", "signature":
			if _, err := b.value(at); err != nil {
				return err
			}
		default:
			return &Error{Kind: Structure, Element: at, Text: "is no element of a Bundle"}
		}
		b.guard.limit = b.d.InputOffset() + 2*maxAround // for PeekKind
	}
	if _, err := b.token("Bundle"); err != nil {
		return err
	}
	b.guard.limit = b.d.InputOffset() + 2*maxAround
	if _, err := b.d.ReadToken(); err != io.EOF {
		if b.guard.err != nil {
			return b.wrap(err, "Bundle")
		}
		return &Error{Kind: Structure, Element: "Bundle", Text: "is followed by another value"}
	}
	switch {
	case !b.known:
		return &Error{Kind: Required, Element: "Bundle.resourceType", Text: "is missing"}
	case b.kind == "":
		return &Error{Kind: Required, Element: "Bundle.type", Text: "is missing"}
	}
	return nil
}

func (b *bundleReader) entries(at string) error {
	if !b.known {
		// A stream of entries must not be acted on before it is known to be one of a bundle; writers put resourceType first.
		return &Error{Kind: Structure, Element: at, Text: "want resourceType before it"}
	}
	if err := b.begin('[', at, "an array"); err != nil {
		return err
	}
	for ; b.d.PeekKind() != ']'; b.n++ {
		e := &Entry{Index: b.n, Bundle: b.kind}
		if err := b.entry(e); err != nil {
			return err
		}
		if err := b.each(e); err != nil {
			return err
		}
		b.guard.limit = b.d.InputOffset() + 2*maxAround
	}
	_, err := b.token(at)
	return err
}

func (b *bundleReader) entry(e *Entry) error {
	at := e.Element()
	if err := b.begin('{', at, "an object"); err != nil {
		return err
	}
	for b.d.PeekKind() != '}' {
		name, err := b.text(at)
		if err != nil {
			return err
		}
		where := elementPath(at, "/"+name)
		switch name {
		case "fullUrl":
			if e.FullURL, err = b.text(where); err != nil {
				return err
			}
		case "resource":
			if err := b.resource(e, where); err != nil {
				return err
			}
		case "request":
			v, err := b.value(where)
			if err != nil {
				return err
			}
			if v.Kind() != '{' {
				return &Error{Kind: Structure, Element: where, Text: "want an object"}
			}
			e.Method, e.URL = text(find(v, "method")), text(find(v, "url"))
			e.IfNoneExist, e.IfMatch = text(find(v, "ifNoneExist")), text(find(v, "ifMatch"))
			e.IfNoneMatch, e.Since = text(find(v, "ifNoneMatch")), text(find(v, "ifModifiedSince"))
		case "id", "link", "_fullUrl", "search", "response", "extension", "modifierExtension":
			if _, err := b.value(where); err != nil {
				return err
			}
		default:
			return &Error{Kind: Structure, Element: where, Text: "is no element of a Bundle's entry"}
		}
		b.guard.limit = b.d.InputOffset() + 2*maxAround
	}
	_, err := b.token(at)
	return err
}

func (b *bundleReader) resource(e *Entry, at string) error {
	v, err := b.value(at)
	if err != nil {
		return err
	}
	e.Line, e.Column = b.guard.place(b.d.InputOffset() - int64(len(v)))
	e.Resource, err = Parse(bytes.Clone(v))
	var wrong *Error
	if errors.As(err, &wrong) {
		errors.As(wrong.under(at), &e.Invalid)
		return nil
	}
	return err
}
