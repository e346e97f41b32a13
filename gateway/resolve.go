package gateway

import (
	"net/http"
	"slices"

	"vitalog/fhir"
)

// link is what a reference leads to: a resource that comes in with it, or one by type and id. The zero link is a reference that stays as
// it was received: to another server, or by a name that is none of FHIR's.
type link struct {
	to      *incoming
	typ, id string
	version string // if the reference names one
	asked   bool   // found by a condition: another time it may be another
}

func (l link) kind() string {
	if l.to != nil {
		return l.to.res.Type()
	}
	return l.typ
}

// String is the link as readers see it; "" if the reference stays as it is. A resource that comes in must have its id.
func (l link) String() string {
	switch {
	case l.to != nil:
		return l.to.res.Type() + "/" + l.to.id
	case l.version != "":
		return l.typ + "/" + l.id + "/_history/" + l.version
	case l.typ != "":
		return l.typ + "/" + l.id
	}
	return ""
}

// resolver finds what the references of resources that come in together lead to.
type resolver struct {
	g     *gateway
	once  *once
	all   []*incoming
	byURL map[string]*incoming // by fullUrl, and by Type/id for updates
	found map[string]link      // conditional references that were looked up
}

// addresses notes by what names the entries are referred to.
func (r *resolver) addresses() error {
	for _, in := range r.all {
		names := []string{in.entry.FullURL}
		if in.update {
			names = append(names, in.res.Type()+"/"+in.id)
		}
		for _, name := range names {
			if name == "" {
				continue
			}
			if other := r.byURL[name]; other != nil && other != in {
				return in.bad(in.entry.Element()+".fullUrl", "duplicate", "Two entries of the bundle have the same fullUrl or address.")
			}
			r.byURL[name] = in
		}
	}
	return nil
}

// links resolves all references of one resource.
func (r *resolver) links(in *incoming) (err error) {
	in.res.References(func(ref string) {
		if _, done := in.links[ref]; done || err != nil {
			return
		}
		var l link
		if l, err = r.link(in, ref); err != nil {
			return
		}
		if in.directory && l != (link{}) && !isListed(l.kind()) {
			err = in.bad(pathOf(in, ref), "business-rule", "The directory is open to all members and is about no patient, so it can't refer to a %s. Send the resource without this reference.", l.kind())
		}
		in.links[ref] = l
	})
	return err
}

// link resolves one reference.
func (r *resolver) link(in *incoming, ref string) (link, error) {
	if to := r.byURL[ref]; to != nil {
		return link{to: to}, nil
	}
	p := fhir.ParseReference(ref)
	switch {
	case p.URN != "":
		return link{}, in.bad(pathOf(in, ref), "not-found", "This reference names no entry of the bundle. Send what it refers to in the same bundle, or refer to it by its address.")
	case p.Type == "":
		return link{}, nil
	case p.ID == "": // it asks for what fulfils a condition
		return r.conditional(in, ref, p)
	case p.Base == "":
		if own := fhir.ParseReference(in.entry.FullURL); own.Base != "" {
			if to := r.byURL[own.Base+"/"+p.Type+"/"+p.ID]; to != nil {
				return link{to: to}, nil
			}
		}
		return link{typ: p.Type, id: p.ID, version: p.Version}, nil
	case p.Base == r.g.Base:
		if to := r.byURL[p.Type+"/"+p.ID]; to != nil {
			return link{to: to}, nil
		}
		return link{typ: p.Type, id: p.ID, version: p.Version}, nil
	}
	return link{}, nil
}

// conditional resolves a reference such as Practitioner?identifier=system|value: among what is there, then among what comes in with it.
func (r *resolver) conditional(in *incoming, ref string, p fhir.Reference) (link, error) {
	if l, done := r.found[ref]; done {
		return l, nil
	}
	if l, done := r.once.found(ref); done {
		l.asked = true
		return l, nil
	}
	id, ok := p.Identifier()
	if !ok {
		return link{}, in.bad(pathOf(in, ref), "not-supported", "Conditional references are taken as identifier=system|value.")
	}
	l, err := r.g.byIdentifier(p.Type, id)
	if err != nil {
		return link{}, err
	}
	if l == (link{}) {
		for _, other := range r.all {
			if other.res.Type() == p.Type && slices.Contains(other.res.Identifiers(), id) {
				if l.to != nil {
					return link{}, in.bad(pathOf(in, ref), "multiple-matches", "Two entries of the bundle have this identifier. Refer to one of them by its fullUrl.")
				}
				l = link{to: other}
			}
		}
	}
	if l == (link{}) {
		return link{}, in.bad(pathOf(in, ref), "not-found", "No %s with this identifier is known here. Send it first, or in the same bundle.", p.Type)
	}
	l.asked = true
	r.found[ref] = l
	return l, nil
}

// byIdentifier finds the resource of a type that has an identifier: a patient of this member, or one of the directory. Where members listed
// one thing several times, the directory says which counts.
func (g *gateway) byIdentifier(kind string, id fhir.Identifier) (link, error) {
	if kind == "Patient" {
		chart, ok, err := g.Member.FindPatient(id.System, id.Value)
		if err != nil || !ok {
			return link{}, err
		}
		return link{typ: kind, id: chart}, nil
	}
	if found := g.Directory.Find(kind, id); len(found) > 0 {
		return link{typ: kind, id: found[0].ID()}, nil
	}
	return link{}, nil
}

// existing finds what a create would make a second time, and else gives the resource its id, unless its id is given by who keeps it.
func (r *resolver) existing(in *incoming) error {
	if in.resumed || in.there != nil {
		return nil
	}
	names := in.names()
	switch {
	case in.update:
		return nil
	case in.directory && in.condition != nil:
		names = []fhir.Identifier{*in.condition}
	case in.directory:
		return nil
	case in.res.Type() != "Patient":
		in.id = r.once.newID(in)
		if _, known, err := r.g.Member.Locate(in.res.Type(), in.id); err != nil || !known {
			return err
		}
		return r.standing(in) // the same request was answered so long ago that its key is forgotten
	}
	for _, name := range names {
		have, err := r.g.byIdentifier(in.res.Type(), name)
		if err != nil {
			return err
		}
		if have == (link{}) {
			continue
		}
		if in.id != "" && in.id != have.id {
			return &problem{status: http.StatusPreconditionFailed, code: "multiple-matches", at: in.root + ".identifier",
				text: "These identifiers are those of several patients. Refer to one of them by the address."}
		}
		in.id = have.id
	}
	if in.id != "" && in.entry.Method == http.MethodPut {
		return &problem{status: http.StatusPreconditionFailed, code: "multiple-matches", at: in.root + ".identifier",
			text: "The condition finds nobody, but another of these identifiers does. Refer to the patient by the address."}
	}
	if in.id == "" {
		return nil
	}
	return r.standing(in)
}

// standing says where a resource stands that is there already.
func (r *resolver) standing(in *incoming) error {
	in.there = &standing{status: http.StatusOK, kind: in.res.Type(), id: in.id}
	if in.directory {
		if listed, ok := r.g.Directory.Get(in.res.Type(), in.id); ok {
			in.there.version, in.there.at = listed.Version(), listed.Updated()
		}
		return nil
	}
	at, ok, err := r.g.Member.Locate(in.res.Type(), in.id)
	if err == nil && ok {
		in.there.version = number(at.Entry)
	}
	return err
}

// resume takes what an earlier attempt decided.
func (in *incoming) resume(p *planned) {
	in.id, in.patient, in.resumed = p.ID, patient{chart: p.Chart}, true
	in.criteria, in.patched = nil, p.Patched
	if p.There != nil {
		there := p.There.standing()
		in.there = &there
	}
	if p.Replaces != nil {
		in.update, in.replaces = true, *p.Replaces
		if in.deleted {
			in.section = p.Replaces.Section
		}
	}
}
