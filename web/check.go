package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// States of what a member hands out otherwise than expected. See spec/portal.md.
const (
	Altered = "altered"
	Missing = "missing"
	Added   = "added"
)

// Difference is a file, or the page at the path of a view, that is not as expected.
type Difference struct {
	Path  string `json:"path"` // of a view it begins with a slash
	State string `json:"state"`
	Want  string `json:"want,omitempty"` // SHA-256, in hex
	Got   string `json:"got,omitempty"`
}

// Served is the app that a member hands out.
type Served struct {
	Release     string // of its manifest; empty without one
	Expected    string
	Files       int // that were compared
	Differences []Difference
}

// ErrUnreachable says that a member did not answer, or broke off: nothing can be said of what it hands out.
var ErrUnreachable = errors.New("the member does not answer")

// Check gets every file that the member at base hands out and compares it with the app of this release: this program's own file by file,
// another one by its manifest. Each view is compared too. It sees what is handed out to itself, now.
func (a *App) Check(ctx context.Context, base, release string, through http.RoundTripper) (*Served, error) {
	g := &getter{base: strings.TrimSuffix(base, "/"), http: &http.Client{Transport: through, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	s := &Served{Expected: release}
	raw, ok, err := g.get(ctx, "/"+manifest, maxManifest)
	if err != nil {
		return nil, err
	}
	var theirs []Listed
	if ok {
		s.Release = sum(raw)
		theirs, err = ParseManifest(raw)
	}
	switch {
	case !ok:
		s.add(Difference{Path: manifest, State: Missing, Want: release})
	case err != nil || s.Release != release:
		s.add(Difference{Path: manifest, State: Altered, Want: release, Got: s.Release})
	}
	want := theirs
	if release == a.release {
		want = a.listed
		for _, l := range theirs {
			if !slices.ContainsFunc(want, func(o Listed) bool { return o.Path == l.Path }) {
				s.add(Difference{Path: l.Path, State: Added, Got: l.Hash})
			}
		}
	}
	var page string
	var places []string
	for _, l := range want {
		body, err := s.compare(ctx, g, l.Path, l.Hash)
		if err != nil {
			return nil, err
		}
		switch l.Path {
		case index:
			page = l.Hash
		case views:
			places = strings.Fields(string(body))
		}
	}
	if release == a.release {
		places = a.views
	}
	if !slices.Contains(places, "/") {
		places = append(places, "/") // whatever else is wrong: it is where a browser begins
	}
	for _, view := range places {
		if _, err := s.compare(ctx, g, view, page); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// compare gets a file or a page, and notes how it differs. It returns what is as expected.
func (s *Served) compare(ctx context.Context, g *getter, path, want string) ([]byte, error) {
	body, ok, err := g.get(ctx, path, maxFile)
	if err != nil {
		return nil, err
	}
	s.Files++
	switch got := sum(body); {
	case !ok:
		s.add(Difference{Path: path, State: Missing, Want: want})
	case got != want:
		s.add(Difference{Path: path, State: Altered, Want: want, Got: got})
	default:
		return body, nil
	}
	return nil, nil
}

func (s *Served) add(d Difference) { s.Differences = append(s.Differences, d) }

// getter gets files of one member. It follows nothing that leads elsewhere.
type getter struct {
	base string
	http *http.Client
}

// get is a file, or false where there is none: everything but 200 that doesn't ask to come again. What is longer than limit is cut off one
// byte after it, and so hashes to nothing that is expected.
func (g *getter) get(ctx context.Context, path string, limit int64) ([]byte, bool, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.base+path, nil)
	if err != nil {
		return nil, false, err
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		return nil, false, fmt.Errorf("%w: %s for %s", ErrUnreachable, resp.Status, path)
	case resp.StatusCode != http.StatusOK:
		return nil, false, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %s broke off: %w", ErrUnreachable, path, err)
	}
	return body, true, nil
}

func sum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
