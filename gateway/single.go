package gateway

import (
	"io"
	"net/http"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
)

// create takes one resource.
func (g *gateway) create(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	return g.single(w, r, who, &fhir.Entry{Method: http.MethodPost, URL: r.PathValue("type"), IfNoneExist: r.Header.Get("If-None-Exist")})
}

// update takes the next version of one resource.
func (g *gateway) update(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	return g.single(w, r, who, &fhir.Entry{Method: http.MethodPut, URL: addressOf(r), IfMatch: r.Header.Get("If-Match")})
}

// patch changes one resource as a JSON Patch says.
func (g *gateway) patch(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	query, err := parseQuery(r.URL.RawQuery)
	if err == nil {
		err = acceptable(r, query)
	}
	if err == nil {
		err = patches(r)
	}
	if err != nil {
		return err
	}
	return g.single(w, r, who, &fhir.Entry{Method: http.MethodPatch, URL: addressOf(r), IfMatch: r.Header.Get("If-Match")})
}

// addressOf is a resource's, or a type and a condition.
func addressOf(r *http.Request) string {
	if id := r.PathValue("id"); id != "" {
		return r.PathValue("type") + "/" + id
	}
	return r.PathValue("type") + "?" + r.URL.RawQuery
}

// delete ends one resource. Its versions stay, for whom they are shared with.
func (g *gateway) delete(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if r.PathValue("id") != "" {
		if err := noParameters(r, "a delete"); err != nil {
			return err
		}
	}
	return g.single(w, r, who, &fhir.Entry{Method: http.MethodDelete, URL: addressOf(r), IfMatch: r.Header.Get("If-Match")})
}

func (g *gateway) single(w http.ResponseWriter, r *http.Request, who exchange.Asker, e *fhir.Entry) error {
	o, done, err := g.once(r)
	if err != nil {
		return err
	}
	defer done()
	raw, err := readResource(w, o.read(r.Body))
	if err == nil {
		err = o.same()
	}
	if err != nil {
		return err
	}
	if e.Method == http.MethodPatch {
		e.Patch = raw
	} else if e.Method != http.MethodDelete || len(raw) > 0 {
		if err := parse(e, raw); err != nil {
			return err
		}
	}
	in, err := take(e, true)
	if err == nil && o.answered() {
		return g.recreated(w, r, who, o, in)
	}
	in.err = err
	if err := g.validate([]*incoming{in}); err != nil {
		return err
	}
	free, err := g.pending.hold(r.Context(), in.holds())
	if err != nil {
		return err
	}
	defer free()
	if err := g.prepare(r.Context(), o, who, []*incoming{in}); err != nil {
		return err
	}
	if err := g.write(r.Context(), o, "", who, []*incoming{in}); err != nil {
		return err
	}
	return g.created(w, r, who, in, in.there == nil && !in.deleted)
}

// recreated answers as the request was answered before; of a patch without the resource, which only a read would give.
func (g *gateway) recreated(w http.ResponseWriter, r *http.Request, who exchange.Asker, o *once, in *incoming) error {
	resolver := &resolver{g: g, once: o, all: []*incoming{in}, byURL: map[string]*incoming{}, found: map[string]link{}}
	if err := resolver.addresses(); err != nil {
		return err
	}
	if err := resolver.links(in); err != nil {
		return err
	}
	in.done = o.kept.Answer[0].standing()
	in.id = in.done.id
	w.Header().Set("Idempotency-Replayed", "true")
	return g.created(w, r, who, in, !in.deleted && in.changes == nil && (in.update || in.done.status == http.StatusCreated))
}

// readResource reads a body that is one resource. White space around it is allowed, within reason.
func readResource(w http.ResponseWriter, body io.Reader) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, io.NopCloser(body), fhir.MaxResource+1<<10))
}

// created answers with the address of the version, and with the resource itself where it was just written: what the sender sent, as
// readers get it. What was there already is read for the answer.
func (g *gateway) created(w http.ResponseWriter, r *http.Request, who exchange.Asker, in *incoming, whole bool) error {
	s := in.done
	if s.status != http.StatusNoContent {
		w.Header().Set("Location", g.Base+"/"+s.location())
	}
	if s.version != "" {
		w.Header().Set("ETag", s.etag())
	}
	if !s.at.IsZero() {
		w.Header().Set("Last-Modified", s.at.UTC().Format(http.TimeFormat))
	}
	prefer := preferred(r)
	if prefer == "OperationOutcome" && s.status != http.StatusNoContent {
		writeJSON(w, s.status, fhir.Outcome(fhir.Issue{Severity: fhir.Information, Code: "informational", Text: "It is on the ledger. Location says where it stands."}))
		return nil
	}
	if !whole && in.entry.Method == http.MethodPost && s.status == http.StatusOK && prefer != "minimal" {
		if there, done := g.seen(r, who, s); there != nil {
			defer done()
			writeJSON(w, s.status, there)
			return nil
		}
	}
	if !whole || prefer == "minimal" {
		w.WriteHeader(s.status)
		return nil
	}
	writeJSON(w, s.status, in.res.Rewrite(in.id, in.res.Meta(s.version, s.at), in.ref))
	return nil
}

// seen reads what a create found instead of making it, and the patient sees that. It is nil, without a reason, where the asker may not read it
// or it doesn't open: what was asked for is done, and the answer without a body says where it stands.
func (g *gateway) seen(r *http.Request, who exchange.Asker, s standing) (resource []byte, done func()) {
	v := g.visit(g.Member.access, "r")
	if v.Member.enter(s.kind) != nil {
		return nil, nil
	}
	if isListed(s.kind) {
		if l, ok := g.Directory.Get(s.kind, s.id); ok && l.Version() == s.version {
			return l.Render(), func() {}
		}
		return nil, nil
	}
	opened, err := v.open(r.Context(), who, s.kind, s.id, s.version)
	if err != nil {
		return nil, nil
	}
	if res := opened.Chart.Get(s.kind, s.id); res != nil && !res.Deleted() {
		return res.Current().Render(""), opened.Close
	}
	opened.Close()
	return nil, nil
}

// preferred is what a client wants in answer to a write (FHIR R4, http.html#ops).
func preferred(r *http.Request) string {
	for _, one := range strings.Split(strings.Join(r.Header.Values("Prefer"), ","), ",") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(one), "return="); ok {
			return v
		}
	}
	return ""
}
