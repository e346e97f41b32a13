package gateway

import (
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/section"
)

// search answers a search over one type. It opens the sections that the type can be in, of the one chart that the search names, and those
// that what it finds leads to; an unknown patient, one who shares nothing, and one of whom there is nothing are the same empty answer.
func (g *gateway) search(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	return g.searchFor(w, r, who, asked)
}

// searchForm is search with its parameters in a form, which no log of the ways between sees.
func (g *gateway) searchForm(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return &problem{status: http.StatusUnsupportedMediaType, code: "not-supported", text: "A search by POST is a form. Send Content-Type: application/x-www-form-urlencoded."}
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return err
	}
	form, err := parseParameters(string(raw), maxForm)
	if err != nil {
		return err
	}
	for name, values := range form {
		asked[name] = append(asked[name], values...)
	}
	if err := acceptable(r, asked); err != nil {
		return err
	}
	return g.searchFor(w, r, who, asked)
}

// searchFor answers a search by parameters. In a patient's compartment (/Patient/1/Observation) the address names the patient.
func (g *gateway) searchFor(w http.ResponseWriter, r *http.Request, who exchange.Asker, asked url.Values) error {
	kind, address := r.PathValue("type"), g.Base+"/"+r.PathValue("type")
	if !fhir.KnownType(kind) || !isListed(kind) && section.Where(kind) == nil {
		return &problem{status: http.StatusNotFound, code: "not-supported", text: "FHIR R4 has no such resource type that is kept here. GET " + g.Base + "/metadata says which are."}
	}
	q, links := maps.Clone(asked), maps.Clone(asked)
	if id := r.PathValue("id"); id != "" {
		q["patient"] = append(q["patient"], id)
		address = g.Base + "/Patient/" + url.PathEscape(id) + "/" + kind
	}
	chartID := ""
	if _, err := parsePage(q); err != nil {
		return err
	}
	if !isListed(kind) {
		var err error
		if chartID, err = g.patientOfSearch(kind, q); g.Member.goesAcross(kind, err) {
			return g.searchAcross(w, r, who, kind, address, q, links)
		} else if err != nil {
			return err
		}
	}
	a, err := parseAsk(kind, q, lenient(r))
	if err != nil {
		return asSearchProblem(err)
	}
	world := g.newWorld(r.Context(), who, chartID)
	defer world.close() // what was found is rendered when its page is written
	page, included, total, err := world.answer(kind, q, a)
	if err != nil {
		return asSearchProblem(err)
	}
	for _, name := range a.ignored {
		delete(links, name)
	}
	send := []fhir.Link{{Relation: "self", URL: a.page.link(address, links)}}
	if next := a.page.offset + len(page); next < total && len(page) > 0 {
		nextPage := a.page
		nextPage.offset = next
		send = append(send, fhir.Link{Relation: "next", URL: nextPage.link(address, links)})
	}
	lacks := g.gaps(w, world.ended, world.opened...)
	if a.untold {
		total = -1
	}
	return g.sendBundle(w, total, send, rendered(page, a), rendered(included, a), lacks)
}

// answer is the page that was asked for, and what it brings.
func (w *world) answer(kind string, q url.Values, a *ask) (page, included []node, total int, err error) {
	switch origins := a.origins(); {
	case isListed(kind):
		if i := slices.IndexFunc(origins, func(t string) bool { return !isListed(t) }); i >= 0 {
			return nil, nil, 0, badRequest("not-supported", "%s is in patients' charts, and a search of the directory names no patient. Search for %s with patient, and _include.", origins[i], origins[i])
		}
	case w.chartID == "":
		return nil, nil, 0, nil
	default:
		want := wantOf(sectionsOf(kind, q))
		for _, t := range origins {
			for _, s := range section.Where(t) {
				if !slices.Contains(want.Sections, s) && !slices.Contains(want.Also, s) {
					want.Also = append(want.Also, s)
				}
			}
		}
		if err := w.open(want); errors.Is(err, exchange.ErrNotShared) {
			return nil, nil, 0, nil
		} else if err != nil {
			return nil, nil, 0, err
		}
	}
	all, err := w.find(kind, a.conditions)
	if err != nil || a.count {
		return nil, nil, len(all), err
	}
	from, to := a.page.of(len(all))
	page = all[from:to]
	included, err = w.included(a.includes, page)
	return page, included, len(all), err
}

func rendered(all []node, a *ask) []found {
	out := make([]found, len(all))
	for i, n := range all {
		out[i] = found{n.kind(), n.id(), func() []byte { return a.render(n.render()) }}
	}
	return out
}

// patientOfSearch takes the patient out of a search: patient or subject, and of a search for patients _id or identifier, which stay. Where
// none is named but one _id, it is the patient in whose chart that stands. It is "" if no such patient is known here.
func (g *gateway) patientOfSearch(kind string, q url.Values) (chartID string, err error) {
	if kind == "Patient" {
		id, err := single(q, "_id")
		if err == nil && strings.Contains(id, ",") {
			err = badRequest("value", "_id names several patients. Search for one at a time.")
		}
		if err != nil || id != "" {
			return id, err
		}
		token, err := single(q, "identifier")
		if err != nil {
			return "", err
		}
		system, value, ok := strings.Cut(token, "|")
		if !ok || value == "" {
			return "", badRequest("required", "A search for patients needs _id, or identifier as system|value.")
		}
		chartID, _, err = g.Member.FindPatient(system, value)
		return chartID, err
	}
	for _, name := range []string{"patient.identifier", "subject.identifier", "subject:Patient.identifier", "patient:Patient.identifier"} {
		token, err := single(q, name)
		if err != nil {
			return "", err
		}
		if token == "" || q.Has("patient") || q.Has("subject") {
			continue // a chain from the patient that is named
		}
		system, value, ok := strings.Cut(token, "|")
		if !ok || value == "" {
			return "", badRequest("required", "%s is wanted as system|value.", name)
		}
		delete(q, name)
		chartID, ok, err = g.Member.FindPatient(system, value)
		if err != nil || !ok {
			return "", err
		}
	}
	for _, name := range []string{"patient", "subject", "patient:Patient", "subject:Patient"} {
		v, err := single(q, name)
		if err != nil {
			return "", err
		}
		if v == "" {
			continue
		}
		ref := fhir.ParseReference(v)
		if fhir.ValidID(v) {
			ref = fhir.Reference{Type: "Patient", ID: v}
		}
		if ref.Type != "Patient" || ref.ID == "" || ref.Base != "" && ref.Base != g.Base || ref.Version != "" {
			return "", badRequest("value", "%s names no patient of this gateway. Give it as an id or as Patient/ and the id.", name)
		}
		if chartID != "" && chartID != ref.ID {
			return "", badRequest("invalid", "The search names two patients. Search for one at a time.")
		}
		chartID = ref.ID
		delete(q, name)
	}
	if id := q.Get("_id"); chartID == "" && len(q["_id"]) == 1 && fhir.ValidID(id) {
		at, _, err := g.Member.Locate(kind, id)
		return at.Chart, err
	}
	if chartID == "" {
		return "", badRequest("required", "A search for %s needs patient, or the _id of one: each patient's chart is opened by itself, and the patient sees it.", kind)
	}
	return chartID, nil
}

// alone are the categories of observations that stand alone in practice, so that a search for one leaves the other sections closed. The
// sensitive sections may hold any.
var alone = map[string]section.Section{"laboratory": section.Labs, "vital-signs": section.Vitals, "imaging": section.Imaging}

// sectionsOf are the sections that can hold what a search looks for.
func sectionsOf(kind string, q url.Values) []section.Section {
	all := section.Where(kind)
	if kind != "Observation" || len(q["category"]) != 1 {
		return all
	}
	named := map[section.Section]bool{}
	for _, token := range strings.Split(q.Get("category"), ",") {
		s, ok := alone[token[strings.LastIndexByte(token, '|')+1:]]
		if !ok {
			return all
		}
		named[s] = true
	}
	return slices.DeleteFunc(all, func(s section.Section) bool { return !named[s] && !s.Sensitive() })
}

// wantOf asks for sections. The sensitive ones may hold anything and are seldom shared: who looks for something else is no row in the
// log of a section that is not shared.
func wantOf(sections []section.Section) (want exchange.Want) {
	for _, s := range sections {
		if s.Sensitive() {
			want.Also = append(want.Also, s)
		} else {
			want.Sections = append(want.Sections, s)
		}
	}
	return want
}

// asSearchProblem makes what is wrong with a search's parameters a bad request.
func asSearchProblem(err error) error {
	var wrong *fhir.Error
	if errors.As(err, &wrong) {
		return badRequest(string(wrong.Kind), "Search parameter %s. GET of metadata says which there are.", wrong.Error())
	}
	return err
}

// compartment are the types that are searched at a patient's address too: /Patient/1/Observation.
func compartment() (types []string) {
	for _, t := range fhir.Types() {
		if section.Where(t) != nil && !isListed(t) && fhir.ParamType(t, "patient") != "" {
			types = append(types, t)
		}
	}
	return types
}
