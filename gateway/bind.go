package gateway

import (
	"errors"
	"net/http"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
)

// patient is whose chart a resource goes to: a chart that is known here, or somebody who comes in with it. The zero value is nobody.
type patient struct {
	chart string
	new   *incoming // a Patient to be enrolled
}

// bind finds for every resource that is not the directory's the one patient that it belongs to: the one that it names as its subject; else
// the one that all belong to that it refers to, or that refer to it (a Medication, a Provenance); else the only one of the bundle.
func (r *resolver) bind() error {
	for _, in := range r.all {
		if in.directory || in.nothing() {
			continue
		}
		if err := r.bySubject(in); err != nil {
			return err
		}
	}
	for again := true; again; {
		var err error
		if again, err = r.byNeighbours(); err != nil {
			return err
		}
	}
	only := patient{}
	for _, in := range r.all {
		if in.patient == (patient{}) || in.patient == only {
			continue
		}
		if only != (patient{}) {
			only = patient{}
			break
		}
		only = in.patient
	}
	for _, in := range r.all {
		if in.directory || in.nothing() || in.patient != (patient{}) {
			continue
		}
		if only == (patient{}) {
			return in.bad(in.root, "required", "This resource belongs to no patient, or can't be told to which. Name one as its subject or patient, or send it in a bundle with one.")
		}
		in.patient = only
	}
	return nil
}

// nothing tells whether a deletion has nothing to end.
func (in *incoming) nothing() bool { return in.deleted && in.there != nil }

// bySubject binds a Patient to itself, an update to the chart that it is in, and others to the patient that they name.
func (r *resolver) bySubject(in *incoming) (err error) {
	switch {
	case in.patient.chart != "": // by an earlier attempt
		return nil
	case in.update:
		return r.byAddress(in)
	case in.res.Type() == "Patient":
		in.patient = patientOf(in)
		return nil
	}
	subject := in.res.Subject()
	if subject == "" {
		return nil
	}
	l := in.links[subject]
	if p := fhir.ParseReference(subject); l == (link{}) && (p.Type == "Patient" || p.Type == "") {
		return in.bad(pathOf(in, subject), "not-supported", "This names a patient at another server. Refer to a patient of this gateway, or to one of the bundle.")
	}
	in.patient, err = r.at(l)
	return err
}

func patientOf(in *incoming) patient {
	switch {
	case in.there != nil:
		return patient{chart: in.id}
	case in.patient.chart != "":
		return in.patient
	}
	return patient{new: in}
}

// byAddress binds an update to the chart and the entry that it follows.
func (r *resolver) byAddress(in *incoming) error {
	at, ok, err := r.g.Member.Locate(in.res.Type(), in.id)
	if err != nil {
		return err
	}
	if !ok {
		return notFound
	}
	if in.deleted {
		in.section = at.Section
	}
	if at.Section != in.section && in.res.Type() == "Binary" { // whose labels are those of what it belongs to
		return in.bad(in.root, "business-rule", "The change would move the Binary from %v to %v. Send it as a new one, and delete this one.", at.Section, in.section)
	}
	in.patient, in.replaces = patient{chart: at.Chart}, at
	if in.deleted && at.Deleted {
		in.there = &standing{status: http.StatusNoContent, kind: in.res.Type(), id: in.id, version: number(at.Entry), at: time.UnixMilli(int64(at.At))}
	}
	return nil
}

// at is the patient of what a link leads to: itself if it is one, whose chart it is in otherwise; nobody if that isn't known yet.
func (r *resolver) at(l link) (patient, error) {
	switch {
	case l.to != nil && l.to.res.Type() == "Patient" && !l.to.update:
		return patientOf(l.to), nil
	case l.to != nil:
		return l.to.patient, nil
	case l.typ == "Patient":
		if _, err := r.g.Member.Handle(l.id); err != nil {
			if errors.Is(err, exchange.ErrNotShared) {
				return patient{}, notFound
			}
			return patient{}, err
		}
		return patient{chart: l.id}, nil
	case l.typ != "":
		at, ok, err := r.g.Member.Locate(l.typ, l.id)
		if err != nil || !ok {
			return patient{}, err
		}
		return patient{chart: at.Chart}, nil
	}
	return patient{}, nil
}

// byNeighbours binds those of the unbound whose references lead to one patient, or who are referred to by what belongs to one. It tells
// whether it bound any.
func (r *resolver) byNeighbours() (bound bool, err error) {
	near := map[*incoming]map[patient]bool{}
	note := func(in *incoming, p patient) {
		if in == nil || in.directory || in.patient != (patient{}) || p == (patient{}) {
			return
		}
		if near[in] == nil {
			near[in] = map[patient]bool{}
		}
		near[in][p] = true
	}
	for _, in := range r.all {
		for _, l := range in.links {
			note(l.to, in.patient)
			if in.patient == (patient{}) && !in.directory {
				p, err := r.at(l)
				if err != nil {
					return false, err
				}
				note(in, p)
			}
		}
	}
	for _, in := range r.all {
		if len(near[in]) > 1 {
			return false, in.bad(in.root, "multiple-matches", "This resource leads to several patients. Name the one that it belongs to as its subject or patient.")
		}
		for p := range near[in] {
			in.patient, bound = p, true
		}
	}
	return bound, nil
}
