package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
)

// tooWide is the answer to a condition that names no patient, or finds several resources.
func (in *incoming) tooWide(text string) error {
	return &problem{status: http.StatusPreconditionFailed, code: "multiple-matches", at: in.in("url"), text: text}
}

// byCondition takes a type and a search apart: what a conditional update, patch or deletion is about.
func (in *incoming) byCondition(address string) (kind string, ok bool, err error) {
	kind, raw, ok := strings.Cut(address, "?")
	if !ok {
		return address, false, nil
	}
	if !fhir.KnownType(kind) {
		return kind, true, in.bad(in.in("url"), "invalid", "This is no type of FHIR R4.")
	}
	in.criteria, err = in.parseCriteria(raw, "url")
	return kind, true, err
}

func (in *incoming) parseCriteria(raw, element string) (url.Values, error) {
	q, err := parseQuery(strings.TrimPrefix(raw, "?"))
	if err != nil {
		return nil, err
	}
	delete(q, "_format")
	if len(q) == 0 {
		return nil, in.bad(in.in(element), "required", "A condition says what is looked for, such as patient=1&identifier=system|value.")
	}
	return q, nil
}

// known finds what a condition is about that is asked of the index alone: a Patient or a resource of the directory by identifier.
func (r *resolver) known(in *incoming) error {
	if in.criteria == nil || !in.directory && in.res.Type() != "Patient" {
		return nil
	}
	kind := in.res.Type()
	token, err := single(in.criteria, "identifier")
	if err != nil {
		return err
	}
	system, value, ok := strings.Cut(token, "|")
	if !ok || value == "" || len(in.criteria) != 1 {
		return in.bad(in.in("url"), "not-supported", "Conditions on a Patient or a directory's resource are taken as identifier=system|value.")
	}
	in.condition = &fhir.Identifier{System: system, Value: value}
	found, err := r.g.byIdentifier(kind, *in.condition)
	if err != nil {
		return err
	}
	return in.is(found.id)
}

// search finds what a condition is about in the chart of its patient. It opens the chart, and the patient sees it.
func (r *resolver) search(ctx context.Context, who exchange.Asker, in *incoming, chartID string) error {
	kind, q := in.res.Type(), url.Values{}
	for name, values := range in.criteria {
		q[name] = slices.Clone(values)
	}
	if q.Has("patient") || q.Has("subject") {
		named, err := r.g.patientOfSearch(kind, q)
		if err != nil {
			return asSearchProblem(err)
		}
		if chartID != "" && chartID != named {
			return in.tooWide("The condition names another patient than the resource.")
		}
		chartID = named
	}
	if chartID == "" {
		return in.tooWide("The condition names no patient. Add patient=, so that one chart is looked into.")
	}
	if _, _, err := fhir.ParseQuery(kind, q); err != nil { // before anything is opened for it
		return asSearchProblem(err)
	}
	opened, err := r.g.visit(r.g.Member.access, "s").Member.Open(ctx, who, chartID, wantOf(sectionsOf(kind, q)))
	if err != nil {
		return err
	}
	defer opened.Close()
	if len(opened.Errors) > 0 { // what did not open might be what is looked for
		return didNotOpen(opened)
	}
	found, err := opened.Chart.Search(kind, q)
	if err != nil {
		return asSearchProblem(err)
	}
	var ids []string
	for _, v := range found {
		ended := slices.ContainsFunc(r.all, func(other *incoming) bool { return other.deleted && other.id == v.Item.ID && other.res.Type() == kind })
		if !ended || in.deleted {
			ids = append(ids, v.Item.ID)
		}
	}
	switch len(ids) {
	case 0:
		return in.is("")
	case 1:
		return in.is(ids[0])
	}
	return in.tooWide("Several resources fulfil the condition. Make it narrower, or address one of them.")
}

// is takes what a condition found: one resource, or "".
func (in *incoming) is(id string) error {
	in.criteria = nil
	switch {
	case in.entry.Method == http.MethodPost:
		in.id, in.found = id, id != ""
	case id == "" && in.deleted:
		in.there = &standing{status: http.StatusNoContent, kind: in.res.Type()}
	case id == "" && in.changes != nil:
		return notFound
	case id == "" && in.res.ID() != "":
		return &problem{status: http.StatusMethodNotAllowed, code: "not-supported", at: in.root + ".id",
			text: "The condition finds nothing, and ids are given by this member. Leave the id out to create the resource."}
	case id != "" && !in.deleted && in.changes == nil && in.res.ID() != "" && in.res.ID() != id:
		return &problem{status: http.StatusBadRequest, code: "value", at: in.root + ".id", text: "The resource's id is not that of the resource that the condition finds."}
	case id != "":
		in.update, in.id = true, id
	}
	return nil
}

// patched makes of a patch the resource as it is afterwards. It opens the version that is patched, and the patient sees it.
func (r *resolver) patched(ctx context.Context, who exchange.Asker, in *incoming) error {
	kind := in.res.Type()
	var before []byte
	from := ""
	if in.patched != nil {
		to, err := fhir.Parse(in.patched.Into)
		if err == nil {
			err = in.becomes(to)
		}
		return err
	}
	if isListed(kind) {
		listed, ok := r.g.Directory.Get(kind, in.id)
		if !ok {
			return notFound
		}
		from, before = listed.Version(), listed.Render()
	} else {
		visit, at := r.g.visit(r.g.Member.access, "r"), in.replaces
		if !in.resumed {
			var err error
			if at, err = visit.locate(kind, in.id, ""); err != nil {
				return err
			}
		}
		opened, err := visit.openAt(ctx, who, at)
		if in.resumed && errors.Is(err, exchange.ErrNotShared) {
			return r.moved(ctx, who, in)
		}
		if err != nil {
			return err
		}
		defer opened.Close()
		res := opened.Chart.Get(kind, in.id)
		switch {
		case res == nil && in.resumed && len(opened.Errors) == 0:
			return r.moved(ctx, who, in)
		case res == nil:
			return r.g.erasedOr(opened.At, who, didNotOpen(opened.Opened))
		case res.Deleted():
			return gone
		}
		if err := in.follows(res.Current().ID()); err != nil {
			return err
		}
		in.patchedAt, before = opened.At.Entry, res.Current().Render("")
	}
	old, err := fhir.Parse(before)
	if err != nil {
		return err
	}
	to, err := in.changes.Apply(old)
	if err != nil {
		return err
	}
	if to.Type() != kind || to.ID() != in.id {
		return in.bad(in.root, "business-rule", "A patch changes neither the type nor the id of a resource.")
	}
	if kind == "Consent" && ihe.IsPrivacy(to) {
		return in.bad(in.root, "not-supported", "A Consent about who may read is no record: it is granted. Send it by itself to Consent.")
	}
	if err := in.becomes(to); err != nil {
		return err
	}
	if in.directory {
		in.patched = &patched{From: from, Into: to.Raw()}
	}
	if r.g.Validation != Off {
		if in.hold(r.g.Validation, new(atomic.Int64), func(string) string { return "" }); in.err != nil {
			return in.err
		}
	}
	return nil
}

// moved takes what an earlier attempt made of a patch that took the resource to another section: what was patched is blocked. Where no attempt made
// anything, the resource was changed by another request.
func (r *resolver) moved(ctx context.Context, who exchange.Asker, in *incoming) error {
	groups := make([]string, len(r.once.kept.Plan))
	for i := range groups {
		groups[i] = number(uint64(i + 1)) // as layOut names them
	}
	all, err := r.g.Member.Repeated(r.once.publication(), in.replaces.Chart, groups)
	if err != nil {
		return err
	}
	for _, at := range all {
		opened, err := r.g.visit(r.g.Member.access, "r").openAt(ctx, who, at)
		if err != nil {
			return err
		}
		res := opened.Chart.Get(in.res.Type(), in.id)
		if res == nil || res.Deleted() {
			opened.Close()
			continue
		}
		to, err := fhir.Parse(slices.Clone(res.Current().Item.Resource().Raw()))
		opened.Close()
		if err != nil {
			return err
		}
		return in.becomes(to)
	}
	return exchange.ErrConflict
}

// becomes takes the resource that comes of a patch.
func (in *incoming) becomes(to *fhir.Resource) (err error) {
	in.res, in.entry.Resource, in.entry.Line = to, to, 0
	in.section, in.directory, err = chart.Place(to)
	return err
}
