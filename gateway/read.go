package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/section"
)

// read answers with the newest version of a resource, or with the history of a type, whose address looks like a resource's.
func (g *gateway) read(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if r.PathValue("id") == "_history" {
		return g.typeHistory(w, r, who)
	}
	return g.version(w, r, who, r.PathValue("type"), r.PathValue("id"), "")
}

// vread answers with a version of a resource.
func (g *gateway) vread(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	return g.version(w, r, who, r.PathValue("type"), r.PathValue("id"), r.PathValue("vid"))
}

func (g *gateway) version(w http.ResponseWriter, r *http.Request, who exchange.Asker, kind, id, version string) error {
	form, err := shapeOfRead(r)
	if err != nil {
		return err
	}
	if isListed(kind) {
		listed, ok := g.Directory.Get(kind, id)
		if !ok || version != "" && version != listed.Version() {
			return notFound
		}
		if unchanged(w, r, listed.Version(), listed.Updated()) {
			return nil
		}
		g.send(w, listed.Version(), listed.Updated().Format(http.TimeFormat), form.render(listed.Render()))
		return nil
	}
	opened, err := g.open(r.Context(), who, kind, id, version)
	if err != nil {
		return err
	}
	defer opened.Close()
	res := opened.Chart.Get(kind, id)
	if res == nil {
		return g.erasedOr(opened.At, who, didNotOpen(opened.Opened))
	}
	v := res.Current()
	if v.Item.Status == chart.Deleted {
		return gone
	}
	if unchanged(w, r, v.ID(), v.Updated()) {
		return nil
	}
	g.send(w, v.ID(), v.Updated().Format(http.TimeFormat), form.render(v.Render("")))
	return nil
}

// openedAt is what was opened at a place.
type openedAt struct {
	*exchange.Opened
	At exchange.Location
}

// open opens the one entry that holds a version, and leaves the others alone.
func (g *gateway) open(ctx context.Context, who exchange.Asker, kind, id, version string) (openedAt, error) {
	at, err := g.locate(kind, id, version)
	if err != nil {
		return openedAt{}, err
	}
	return g.openAt(ctx, who, at)
}

func (g *gateway) openAt(ctx context.Context, who exchange.Asker, at exchange.Location) (openedAt, error) {
	opened, err := g.Member.Open(ctx, who, at.Chart, exchange.Want{Sections: []section.Section{at.Section}, Entries: []uint64{at.Entry}})
	return openedAt{opened, at}, err
}

// erasedOr is why nothing came of a place: it was erased, which is told to whom it is shared, or else what otherwise says.
func (g *gateway) erasedOr(at exchange.Location, who exchange.Asker, otherwise error) error {
	erased, err := g.Member.Erased(at, who.Purpose)
	switch {
	case err != nil:
		return err
	case erased:
		return wasErased
	}
	return otherwise
}

var wasErased = &problem{status: http.StatusGone, code: "deleted", text: "This version was erased: nobody can open it any more."}

// unchanged answers 304 to who has the version already (RFC 9110, 13.1). It was opened all the same, and the patient sees it.
func unchanged(w http.ResponseWriter, r *http.Request, version string, updated time.Time) bool {
	if tags := r.Header.Values("If-None-Match"); len(tags) > 0 {
		if !slices.ContainsFunc(strings.Split(strings.Join(tags, ","), ","), func(tag string) bool {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			return tag == "*" || tag == `"`+version+`"`
		}) {
			return false
		}
	} else if since, err := http.ParseTime(r.Header.Get("If-Modified-Since")); err != nil || updated.Truncate(time.Second).After(since) {
		return false
	}
	header(w)
	w.Header().Del("Content-Type")
	w.Header().Set("ETag", etag(version))
	w.Header().Set("Last-Modified", updated.UTC().Format(http.TimeFormat))
	w.WriteHeader(http.StatusNotModified)
	return true
}

// locate finds a version of a resource, the newest if it is "".
func (g *gateway) locate(kind, id, version string) (exchange.Location, error) {
	at, ok, err := g.Member.Locate(kind, id)
	if err == nil && !ok {
		err = notFound
	}
	if err == nil && version != "" {
		if at.Entry, err = strconv.ParseUint(version, 10, 64); err != nil || number(at.Entry) != version {
			err = notFound
		}
	}
	return at, err
}

// didNotOpen is why a resource is not in what was opened.
func didNotOpen(opened *exchange.Opened) error {
	if len(opened.Errors) == 0 {
		return notFound
	}
	return &problem{status: http.StatusBadGateway, code: "incomplete", cause: errors.Join(opened.Errors...),
		text: "The record is there and did not open: its ciphertext is damaged, or out of reach with the members that are up. Repeat the request in a moment; if it fails again, give the operator the X-Request-Id of this answer."}
}

func (g *gateway) send(w http.ResponseWriter, version, modified string, resource []byte) {
	w.Header().Set("ETag", etag(version))
	w.Header().Set("Last-Modified", modified)
	writeJSON(w, http.StatusOK, resource)
}

// isListed tells whether a type is the directory's.
func isListed(kind string) bool {
	_, listed, err := section.Of(kind, nil, nil, nil)
	return err == nil && listed
}
