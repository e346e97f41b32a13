package gateway

import (
	"context"
	"net/http"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
)

// prepare resolves what comes in together: what is there already, what the references lead to, whose charts it goes to. Nothing is
// written.
func (g *gateway) prepare(ctx context.Context, o *once, who exchange.Asker, all []*incoming) error {
	r := &resolver{g: g, once: o, all: all, byURL: map[string]*incoming{}, found: map[string]link{}}
	for _, in := range all {
		if err := r.address(ctx, who, in); err != nil {
			return err
		}
	}
	if err := r.addresses(); err != nil {
		return err
	}
	creates := map[fhir.Identifier]bool{}
	for _, in := range all {
		if err := r.existing(in); err != nil {
			return err
		}
		if err := in.first(creates); err != nil {
			return err
		}
	}
	for _, in := range all {
		if err := r.links(in); err != nil {
			return err
		}
	}
	if err := r.bind(); err != nil {
		return err
	}
	for _, in := range all {
		if in.criteria != nil && !in.resumed && in.patient.new == nil {
			if err := r.fulfil(ctx, who, in); err != nil {
				return err
			}
		}
	}
	changed := map[string]bool{}
	for _, in := range all {
		if !in.update || in.there != nil {
			continue
		}
		address := in.res.Type() + "/" + in.id
		if changed[address] {
			return in.bad(in.in("url"), "duplicate", "Two entries of the bundle change the same resource. Send them one after the other.")
		}
		if changed[address] = true; in.resumed {
			if in.directory && in.patched != nil {
				if err := g.relisted(in); err != nil {
					return err
				}
			}
			continue
		}
		if err := g.mayUpdate(in, o != nil); err != nil {
			return err
		}
	}
	for _, in := range all {
		if in.update {
			if err := g.leave(ctx, who, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// address finds out which resource is meant that is there already, where that needs no other entry, and makes of a patch the resource that
// comes of it.
func (r *resolver) address(ctx context.Context, who exchange.Asker, in *incoming) error {
	if p := r.once.planned(in); p != nil {
		in.resume(p)
	} else if err := r.known(in); err != nil {
		return err
	} else if in.criteria != nil && (in.deleted || in.changes != nil) {
		if err := r.search(ctx, who, in, ""); err != nil {
			return err
		}
	}
	if in.changes != nil {
		return r.patched(ctx, who, in)
	}
	return nil
}

// fulfil finds what fulfils the condition of a create or an update in the chart that it goes to.
func (r *resolver) fulfil(ctx context.Context, who exchange.Asker, in *incoming) error {
	fresh := in.id
	if err := r.search(ctx, who, in, in.patient.chart); err != nil {
		return err
	}
	switch {
	case in.found:
		return r.standing(in)
	case in.update:
		return r.byAddress(in)
	}
	in.id = fresh
	return nil
}

// first refuses a patient who comes in with another entry of the bundle already, by the identifiers of those before.
func (in *incoming) first(creates map[fhir.Identifier]bool) error {
	for _, name := range in.names() {
		if in.there == nil && creates[name] {
			return in.bad(in.root+".identifier", "duplicate", "Another entry of the bundle is the same patient. Send each patient once.")
		}
		creates[name] = true
	}
	return nil
}

// mayUpdate looks whether this member wrote the version to be replaced, and that it is the one that the sender means. Nothing is opened
// for it: a member may correct what it wrote without being allowed to read. again tells that the request may have come before.
func (g *gateway) mayUpdate(in *incoming, again bool) error {
	if in.directory {
		return g.mayRelist(in, again)
	}
	if err := in.follows(number(in.replaces.Entry)); err != nil {
		return err
	}
	if in.changes != nil && in.patchedAt != in.replaces.Entry {
		return exchange.ErrConflict
	}
	wrote, err := g.Member.Wrote(in.replaces)
	if err == nil && !wrote {
		err = notAuthor
	}
	return err
}

// follows checks If-Match.
func (in *incoming) follows(version string) error {
	if !matches(in.entry.IfMatch, version) {
		return &problem{status: http.StatusPreconditionFailed, code: "conflict", at: in.in("ifMatch"), text: "The resource has changed since. Read it again, then repeat."}
	}
	return nil
}

// matches tells whether a version is one of those that If-Match asks for (RFC 9110, 13.1.1): none asks for nothing, and * for any.
func matches(want, version string) bool {
	if want == "" {
		return true
	}
	for _, tag := range strings.Split(want, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == `"`+version+`"` {
			return true
		}
	}
	return false
}

var notAuthor = &problem{status: http.StatusForbidden, code: "forbidden",
	text: "Only the member that wrote a resource changes it. Enter a new one, or ask the author to change it."}

// write makes what was prepared durable: the directory first, then each patient's resources. It stops at the first failure. A request with
// a key goes on from there when it is sent again.
func (g *gateway) write(ctx context.Context, o *once, kind string, who exchange.Asker, all []*incoming) error {
	if err := g.Member.mayWrite(all); err != nil {
		return err
	}
	if err := o.plan(g, kind, who, all); err != nil {
		return err
	}
	if err := g.list(o, all); err != nil {
		return err
	}
	for _, p := range patients(all) {
		if err := g.writeChart(ctx, o, who, p.patient, p.resources); err != nil {
			return err
		}
	}
	for _, in := range all {
		if in.there != nil {
			in.done = *in.there
		}
	}
	return o.finish(all)
}

// ofPatient is what comes in for one patient.
type ofPatient struct {
	patient   patient
	resources []*incoming
}

// patients divides what is to be written among the patients, in the order in which they come in.
func patients(all []*incoming) (out []ofPatient) {
	place := map[patient]int{}
	for _, in := range all {
		if in.directory || in.there != nil {
			continue
		}
		i, ok := place[in.patient]
		if !ok {
			i = len(out)
			place[in.patient] = i
			out = append(out, ofPatient{patient: in.patient})
		}
		out[i].resources = append(out[i].resources, in)
	}
	return out
}

// writeChart publishes one patient's resources. A patient who is new is enrolled with them.
func (g *gateway) writeChart(ctx context.Context, o *once, who exchange.Asker, p patient, resources []*incoming) error {
	drafts := make([]exchange.Draft, len(resources))
	records := layOut(resources)
	for i, in := range resources {
		drafts[i] = exchange.Draft{Resource: in.res, ID: in.id, Section: in.section, Group: records[i], Refs: in.refs()}
		if in.update && in.leaving == nil {
			drafts[i].Supersedes, drafts[i].Deleted = []uint64{in.replaces.Entry}, in.deleted
		}
	}
	moved, leaving, done, err := g.departing(ctx, resources)
	if err != nil {
		return err
	}
	defer done()
	published, err := g.Member.PublishOnce(ctx, o.who(who), o.publication(), p.chart, drafts)
	if err != nil {
		return err
	}
	for i, in := range resources {
		status := http.StatusCreated
		switch {
		case in.deleted:
			status = http.StatusNoContent
		case in.update && !in.replaces.Deleted:
			status = http.StatusOK
		}
		in.done = standing{status: status, kind: in.res.Type(), id: in.id, version: number(published[i].Entry), at: published[i].At}
	}
	return g.left(ctx, who, moved, leaving)
}
