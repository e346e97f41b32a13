package gateway

import (
	"bytes"
	"errors"
	"net/http"
	"slices"

	"vitalog/directory"
	"vitalog/exchange"
	"vitalog/fhir"
)

// list writes what comes in for the directory. A resource goes after those that it refers to, since they get their ids from the directory;
// of those that refer to each other in a circle the first gets an id beforehand. It stops at the first failure.
func (g *gateway) list(o *once, all []*incoming) error {
	var left []*incoming
	for _, in := range all {
		if in.directory && in.there == nil {
			left = append(left, in)
		}
	}
	for len(left) > 0 {
		var now, later []*incoming
		for _, in := range left {
			if in.waits() {
				later = append(later, in)
			} else {
				now = append(now, in)
			}
		}
		if len(now) == 0 {
			later[0].id = o.newID(later[0])
		}
		if err := g.listAll(now); err != nil {
			return err
		}
		left = later
	}
	return nil
}

// waits tells whether a resource of the directory refers to one that has no id yet. That may be itself.
func (in *incoming) waits() bool {
	for _, l := range in.links {
		if l.to != nil && l.to.id == "" {
			return true
		}
	}
	return false
}

// listAll puts resources into the directory together. One that it knows already, by its bytes or by an identifier, is not put twice.
func (g *gateway) listAll(all []*incoming) error {
	list := make([]directory.Listing, len(all))
	for i, in := range all {
		r, err := fhir.Parse(in.res.Rewrite("", nil, in.ref))
		if err != nil {
			return err
		}
		list[i] = directory.Listing{ID: in.id, Resource: r}
	}
	var failed error
	for i, l := range g.Directory.PutAll(list) {
		if l.Err != nil {
			if failed == nil {
				failed = l.Err
			}
			continue
		}
		in := all[i]
		in.id = l.ID()
		in.done = standing{status: http.StatusOK, kind: l.Type(), id: l.ID(), version: l.Version(), at: l.Updated()}
		if l.Created {
			in.done.status = http.StatusCreated
		}
	}
	if errors.Is(failed, directory.ErrNotOurs) {
		return notAuthor
	}
	return failed
}

// ownListed is the resource of the directory that is to be replaced, if it is there and this member's.
func (g *gateway) ownListed(in *incoming) (directory.Resource, error) {
	listed, ok := g.Directory.Get(in.res.Type(), in.id)
	switch {
	case !ok:
		return listed, notFound
	case listed.Member() != g.Member.Number():
		return listed, notAuthor
	}
	return listed, nil
}

// mayRelist looks whether a resource of the directory is there, this member's, and the version that the sender means. Where the request may
// have come before, what it would make may be there already: a batch lists before its plan is durable (RFC 9110, 13.1.1).
func (g *gateway) mayRelist(in *incoming, again bool) error {
	listed, err := g.ownListed(in)
	if err != nil || again && bytes.Equal(listed.FHIR().Raw(), in.res.Rewrite("", nil, in.ref)) {
		return err
	}
	return in.follows(listed.Version())
}

// relisted looks what became of a patch whose outcome an earlier attempt noted: it is still to be listed, or it is listed, whatever was
// listed since.
func (g *gateway) relisted(in *incoming) error {
	listed, err := g.ownListed(in)
	if err != nil || listed.Version() == in.patched.From {
		return err
	}
	versions, err := g.Directory.After(listed, in.patched.From)
	if err != nil {
		return err
	}
	want := in.res.Rewrite("", nil, in.ref)
	i := slices.IndexFunc(versions, func(r directory.Resource) bool { return bytes.Equal(r.FHIR().Raw(), want) })
	if i < 0 {
		return exchange.ErrConflict
	}
	in.there = &standing{status: http.StatusOK, kind: in.res.Type(), id: in.id, version: versions[i].Version(), at: versions[i].Updated()}
	return nil
}
