package gateway

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/panel"
	"vitalog/scope"
	"vitalog/section"
)

const (
	maxIdentifiers = 20 // of a description that is matched
	maxMatched     = 20 // patients who are compared with one for their names
)

// grade is how sure a match is.
type grade struct{ code, score string }

var certain, probable, possible = grade{"certain", "1"}, grade{"probable", "0.8"}, grade{"possible", "0.5"}

// match answers $match: the patients known here of whom a description may be. See spec/match.md.
func (g *gateway) match(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if !g.Member.access.Scopes.Allows(scope.Need{Rights: g.Member.rights, Type: "Patient", Beyond: true}) {
		return outOfScope("Patient", g.Member.rights)
	}
	asked, err := readMatch(w, r)
	if err != nil {
		return err
	}
	charts, err := g.candidates(asked.patient)
	if err != nil {
		return err
	}
	numbered := len(charts)
	named, lacks, err := g.namesakes(r, who, asked.patient)
	if err != nil {
		return err
	}
	for _, id := range named {
		if !slices.Contains(charts, id) {
			charts = append(charts, id)
		}
	}
	type matched struct {
		grade
		id     string
		render []byte
	}
	var all []matched
	for i, id := range charts {
		opened, err := g.Member.Open(r.Context(), who, id, exchange.Want{Sections: []section.Section{section.Demographics}})
		var refused *exchange.Refused
		if errors.Is(err, exchange.ErrNotShared) || errors.As(err, &refused) {
			continue
		} else if err != nil {
			return err
		}
		g.report(w, opened)
		res, broken := opened.Chart.Get("Patient", id), len(opened.Errors) > 0
		if res != nil && !res.Deleted() {
			v := res.Current()
			by := numbered
			if i >= numbered {
				by = 0
			}
			all = append(all, matched{gradeOf(asked.patient, v.Item.Resource(), by), id, v.Render("")})
		}
		opened.Close()
		if res == nil && broken {
			return didNotOpen(opened)
		}
	}
	if asked.certain {
		if all = slices.DeleteFunc(all, func(m matched) bool { return m.grade != certain }); len(all) > 1 {
			all = nil
		}
	}
	slices.SortFunc(all, func(a, b matched) int { return cmp.Or(strings.Compare(b.score, a.score), strings.Compare(a.id, b.id)) })
	if asked.count > 0 {
		all = all[:min(asked.count, len(all))]
	}
	total := len(all)
	if lacks {
		total = -1
	}
	header(w)
	w.WriteHeader(http.StatusOK)
	b := fhir.NewBundleWriter(w, "searchset", total)
	for _, m := range all {
		b.Entry(fhir.Out{FullURL: g.Base + "/Patient/" + m.id, Resource: m.render, Mode: "match", Score: m.score, Grade: m.code})
	}
	if lacks {
		b.Entry(fhir.Out{Resource: lackingAcross(), Mode: "outcome"})
	}
	b.Close() // its error is that the client has gone
	return nil
}

// sought is what a $match is asked.
type sought struct {
	patient *fhir.Resource
	certain bool
	count   int // 0: all
}

// readMatch reads a Patient alone, or in the Parameters of the operation.
func readMatch(w http.ResponseWriter, r *http.Request) (*sought, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, err
	}
	res, err := fhir.Parse(raw)
	if err != nil {
		return nil, err
	}
	d := &sought{patient: res}
	if res.Type() == "Parameters" {
		var patient fhir.Value
		understood := fhir.Value(res.Raw()).Get("parameter").Each(func(p fhir.Value) bool {
			switch p.Get("name").Text() {
			case "resource":
				patient = p.Get("resource")
				return true
			case "onlyCertainMatches":
				v := string(p.Get("valueBoolean"))
				d.certain = v == "true"
				return d.certain || v == "false"
			case "count":
				d.count, err = strconv.Atoi(string(p.Get("valueInteger")))
				return err == nil && d.count > 0
			}
			return false
		})
		if !understood || patient == nil {
			return nil, invalidAt("Parameters.parameter", "$match takes resource, a Patient, onlyCertainMatches, a boolean, and count, an integer from 1.")
		}
		if d.patient, err = fhir.Parse(patient); err != nil {
			return nil, err
		}
	}
	switch {
	case d.patient.Type() != "Patient":
		return nil, invalidAt(d.patient.Type(), "Only a Patient can be matched.")
	case len(d.patient.Identifiers()) > maxIdentifiers:
		return nil, invalidAt("Patient.identifier", "The description has more than %d identifiers. Send those that the patient is likely known by here.", maxIdentifiers)
	}
	return d, nil
}

// candidates are the charts that the description's identifiers lead to, each once.
func (g *gateway) candidates(patient *fhir.Resource) (charts []string, err error) {
	for _, i := range patient.Identifiers() {
		id, ok, err := g.Member.FindPatient(i.System, i.Value)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(charts, id) {
			charts = append(charts, id)
		}
	}
	return charts, nil
}

// namesakes are the charts of patients who have a family name of the description and were born on its day, as the index across patients
// has them. lacks tells that there may be others. Without an index, a name and a day there are none.
func (g *gateway) namesakes(r *http.Request, who exchange.Asker, patient *fhir.Resource) (charts []string, lacks bool, err error) {
	born, families := patient.Strings("birthDate"), patient.Strings("name.family")
	if g.Member.AcrossMode() == panel.None || len(born) != 1 || len(families) == 0 {
		return nil, false, nil
	}
	for i, f := range families {
		families[i] = literally.Replace(f)
	}
	search, err := fhir.ParseSearch("Patient", map[string][]string{"family": {strings.Join(families, ",")}, "birthdate": born})
	if err != nil {
		return nil, false, invalidAt("Patient", "This is no description of a patient: %v", err)
	}
	if lacks, err = g.Member.AcrossLacks(who.Purpose, []section.Section{section.Demographics}); err != nil {
		return nil, false, err
	}
	found, err := g.Member.Across(r.Context(), who.Purpose, panel.Query{Type: "Patient", Asked: search.Keys()})
	for _, f := range found {
		if !slices.Contains(charts, f.Chart) {
			charts = append(charts, f.Chart)
		}
	}
	if errors.Is(err, panel.ErrWide) || len(charts) > maxMatched {
		return nil, false, badRequest("too-costly", "More than %d patients have this name and day of birth. Send an identifier, or only identifiers.", maxMatched)
	}
	return charts, lacks, err
}

// literally escapes what has a meaning in a value of a search.
var literally = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// gradeOf says how sure it is that a description is of a patient, one of so many whom its identifiers lead to; 0: only its name does.
func gradeOf(sent, known *fhir.Resource, numbered int) grade {
	differ := 0
	for _, path := range []string{"name.family", "name.given", "birthDate", "gender"} {
		a, b := spoken(sent, path), spoken(known, path)
		if len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) }) {
			differ++
		}
	}
	switch {
	case differ > 1 || differ == 1 && numbered == 0:
		return possible
	case differ == 1 || numbered != 1:
		return probable
	}
	return certain
}

// spoken are the values at a path, as they are compared.
func spoken(r *fhir.Resource, path string) (out []string) {
	for _, s := range r.Strings(path) {
		if s = strings.ToLower(strings.Join(strings.Fields(s), " ")); s != "" {
			out = append(out, s)
		}
	}
	return out
}
