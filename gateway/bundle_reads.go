package gateway

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"vitalog/fhir"
)

// Limits of the reads in one bundle.
const (
	maxReads     = 100
	maxReadBytes = 64 << 20 // of all their answers
)

// isRead tells whether an entry asks and changes nothing.
func isRead(e *fhir.Entry) bool { return e.Method == http.MethodGet || e.Method == http.MethodHead }

// readsOf are the requests that the reads of a bundle make, each as it would come alone, with the same token.
func readsOf(r *http.Request, entries []*fhir.Entry) (out []*http.Request, err error) {
	if len(entries) > maxReads {
		return nil, invalidAt(entries[maxReads].Element(), "A bundle has at most %d reads and searches. Send the others in another.", maxReads)
	}
	for _, e := range entries {
		at := e.Element() + ".request.url"
		address, err := url.Parse(strings.TrimPrefix(e.URL, "/"))
		if err != nil || address.IsAbs() || address.Host != "" || address.Path == "" || address.Fragment != "" || strings.Contains(address.Path, "..") || strings.Contains(address.Path, "//") {
			return nil, invalidAt(at, "Send the address of a read or a search, relative to the base.")
		}
		if e.Resource != nil || e.Invalid != nil {
			return nil, invalidAt(e.Element()+".resource", "A GET has no resource.")
		}
		one, err := http.NewRequestWithContext(r.Context(), e.Method, "/fhir/"+strings.TrimPrefix(e.URL, "/"), http.NoBody)
		if err != nil {
			return nil, invalidAt(at, "This is no address.")
		}
		one.Header.Set("Authorization", r.Header.Get("Authorization"))
		one.Header.Set("Accept", "application/fhir+json")
		if e.IfNoneMatch != "" {
			one.Header.Set("If-None-Match", e.IfNoneMatch)
		}
		out = append(out, one)
	}
	return out, nil
}

// readInBundle answers one of them.
func (g *gateway) readInBundle(w http.ResponseWriter, r *http.Request, room *int) reply {
	one := &within{header: http.Header{}, room: *room}
	one.header.Set("X-Request-Id", w.Header().Get("X-Request-Id"))
	g.routes.ServeHTTP(one, r)
	*room -= one.body.Len()
	if one.over {
		p := &problem{status: http.StatusRequestEntityTooLarge, code: "too-costly", text: "The answers to the reads of this bundle are too long together. Send this one alone."}
		return reply{standing: standing{status: p.status}, outcome: p.outcome()}
	}
	a := reply{standing: standing{status: one.status}, tag: one.header.Get("ETag")}
	switch body := one.body.Bytes(); {
	case len(body) == 0:
	case one.status >= http.StatusBadRequest:
		a.outcome = body
	case strings.HasPrefix(one.header.Get("Content-Type"), "application/fhir+json"):
		a.resource = body
	}
	return a
}

// within is where an answer is written that goes into a bundle.
type within struct {
	header http.Header
	status int
	body   bytes.Buffer
	room   int
	over   bool
}

func (a *within) Header() http.Header { return a.header }

func (a *within) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

var errFull = errors.New("the bundle is full")

func (a *within) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(b) > a.room {
		a.over = true
		return 0, errFull
	}
	return a.body.Write(b)
}
