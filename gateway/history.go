package gateway

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/section"
)

// maxSteps is how many openings a history takes to find the versions one after the other. What is longer is found by opening the section.
const maxSteps = 16

// past is a version and when it ended to be the current one; zero: it is.
type past struct {
	*chart.Version
	ended time.Time
}

// history answers with the versions of a resource, newest first, a deletion as one without a resource. It opens the newest and goes on with
// those that it replaced, and so opens nothing else of the chart.
func (g *gateway) history(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	kind, id := r.PathValue("type"), r.PathValue("id")
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	q, err := parsePeriod(asked)
	if err != nil {
		return err
	}
	if isListed(kind) {
		return g.listedHistory(w, r, kind, id, q)
	}
	at, err := g.locate(kind, id, "")
	if err != nil {
		return err
	}
	var records []chart.Opened
	var failed []error
	var lacks gaps
	seen := map[uint64]bool{}
	want := exchange.Want{Sections: []section.Section{at.Section}, Entries: []uint64{at.Entry}}
	for step := 0; len(want.Entries) > 0; step++ {
		if step == maxSteps {
			want.Entries = nil
		}
		opened, err := g.Member.Open(r.Context(), who, at.Chart, want)
		if refused := (*exchange.Refused)(nil); len(records) > 0 && errors.As(err, &refused) {
			lacks.end(refused.Why.String())
			break
		}
		if len(records) > 0 && errors.Is(err, exchange.ErrNotShared) {
			break // of earlier versions only those are told that are shared
		}
		if err != nil {
			return err
		}
		defer opened.Close()
		failed = append(failed, opened.Errors...)
		lacks = g.gaps(w, lacks, opened)
		if step == maxSteps {
			records = nil
		}
		var next []uint64
		if res := opened.Chart.Get(kind, id); res != nil {
			for _, v := range res.History() {
				records, seen[v.Entry] = append(records, v.Opened), true
				next = append(next, v.Item.Supersedes...)
			}
		}
		if step == maxSteps {
			break
		}
		slices.Sort(next)
		want.Entries = slices.DeleteFunc(slices.Compact(next), func(n uint64) bool { return seen[n] })
	}
	res := chart.Fold(records).Get(kind, id)
	if res == nil {
		return g.erasedOr(at, who, didNotOpen(&exchange.Opened{Errors: failed}))
	}
	return g.sendHistory(w, r, q, pastOf(res), lacks)
}

// typeHistory answers with the versions of all resources of a type in one patient's chart, newest first.
func (g *gateway) typeHistory(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	kind := r.PathValue("type")
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	sections := section.Where(kind)
	if !fhir.KnownType(kind) || sections == nil {
		return &problem{status: http.StatusNotFound, code: "not-supported", text: "A history is kept of the types that charts have. GET " + g.Base + "/metadata says which they are."}
	}
	id, err := single(asked, "patient")
	if err != nil {
		return err
	}
	if id = strings.TrimPrefix(id, "Patient/"); !fhir.ValidID(id) {
		return badRequest("required", "The history of all %s needs patient: each patient's chart is opened by itself, and the patient sees it.", kind)
	}
	delete(asked, "patient")
	q, err := parsePeriod(asked)
	if err != nil {
		return err
	}
	q.asked.Set("patient", id)
	opened, err := g.Member.Open(r.Context(), who, id, wantOf(sections))
	if errors.Is(err, exchange.ErrNotShared) {
		return g.sendHistory(w, r, q, nil, gaps{})
	}
	if err != nil {
		return err
	}
	defer opened.Close()
	var all []past
	for _, res := range opened.Chart.Of(kind) {
		all = append(all, pastOf(res)...)
	}
	slices.SortStableFunc(all, func(a, b past) int { return b.Updated().Compare(a.Updated()) })
	return g.sendHistory(w, r, q, all, g.gaps(w, gaps{}, opened))
}

// listedHistory answers with the one version that the directory keeps.
func (g *gateway) listedHistory(w http.ResponseWriter, r *http.Request, kind, id string, q *period) error {
	listed, ok := g.Directory.Get(kind, id)
	if !ok {
		return notFound
	}
	header(w)
	w.WriteHeader(http.StatusOK)
	current := !listed.Updated().Before(q.since) && listed.Updated().Before(q.at.To)
	total := map[bool]int{true: 1}[current]
	b := fhir.NewBundleWriter(w, "history", total, fhir.Link{Relation: "self", URL: q.link(g.Base+r.URL.Path[len("/fhir"):], q.asked)})
	if from, to := q.of(total); from < to {
		b.Entry(fhir.Out{FullURL: g.Base + "/" + kind + "/" + id, Resource: listed.Render(), Method: http.MethodPut, URL: kind + "/" + id,
			Status: statusLine(http.StatusOK), ETag: etag(listed.Version()), LastModified: instant(listed.Updated())})
	}
	b.Close() // its error is that the client has gone
	return nil
}

// pastOf are the versions of a resource, newest first.
func pastOf(res *chart.Resource) (out []past) {
	var ended time.Time
	for _, v := range res.History() {
		out = append(out, past{v, ended})
		ended = v.Updated()
	}
	return out
}

// period is which versions of a history are asked for.
type period struct {
	page
	asked url.Values
	since time.Time
	at    fhir.Interval // the versions that were current at some time of it
}

// parsePeriod reads the parameters of a history.
func parsePeriod(asked url.Values) (*period, error) {
	p := &period{asked: asked, at: fhir.Interval{To: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}}
	var err error
	if p.page, err = parsePage(asked); err != nil {
		return nil, err
	}
	for name := range asked {
		v, err := single(asked, name)
		if err != nil {
			return nil, err
		}
		switch name {
		case "_format", "_count", "_offset":
		case "_since", "_at":
			i, err := fhir.ParseDate(strings.ReplaceAll(v, " ", "+"), true)
			if err != nil {
				return nil, badRequest("value", "%s: %v.", name, err)
			}
			if name == "_since" {
				p.since = i.From
			} else {
				p.at = i
			}
		default:
			return nil, badRequest("not-supported", "%.64q is no parameter of a history. There are _since, _at, _count and _offset, and patient of a type's.", name)
		}
	}
	return p, nil
}

// has tells whether a version is asked for.
func (p *period) has(v past) bool {
	return !v.Updated().Before(p.since) && v.Updated().Before(p.at.To) && (v.ended.IsZero() || v.ended.After(p.at.From))
}

// sendHistory writes a page of versions.
func (g *gateway) sendHistory(w http.ResponseWriter, r *http.Request, q *period, all []past, lacks gaps) error {
	all = slices.DeleteFunc(all, func(v past) bool { return !q.has(v) })
	address := g.Base + strings.TrimPrefix(r.URL.Path, "/fhir")
	from, to := q.of(len(all))
	links := []fhir.Link{{Relation: "self", URL: q.link(address, q.asked)}}
	if to < len(all) && q.count > 0 {
		links = append(links, fhir.Link{Relation: "next", URL: page{to, q.count}.link(address, q.asked)})
	}
	total := len(all)
	if lacks.any() {
		total = -1
	}
	header(w)
	w.WriteHeader(http.StatusOK)
	b := fhir.NewBundleWriter(w, "history", total, links...)
	for _, v := range all[from:to] {
		address := v.Item.Type + "/" + v.Item.ID
		out := fhir.Out{FullURL: g.Base + "/" + address, Resource: v.Render(""), Method: http.MethodPut, URL: address,
			Status: statusLine(http.StatusOK), ETag: etag(v.ID()), LastModified: instant(v.Updated())}
		switch {
		case v.Item.Status == chart.Deleted:
			out.Method, out.Status = http.MethodDelete, statusLine(http.StatusNoContent)
		case len(v.Item.Supersedes) == 0:
			out.Method, out.URL, out.Status = http.MethodPost, v.Item.Type, statusLine(http.StatusCreated)
		}
		b.Entry(out)
	}
	for _, o := range lacks.outcomes() {
		b.Entry(fhir.Out{Resource: o, Status: statusLine(http.StatusOK), Method: http.MethodGet, URL: "metadata"})
	}
	b.Close() // its error is that the client has gone
	return nil
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
