package gateway

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/section"
)

// everything answers with the chart as far as it is shared: the Patient first, then by type, then what the resources on the page refer to of
// the directory. Each page opens the chart, and leaves its row.
func (g *gateway) everything(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	asked, err := operationParameters(w, r)
	if err != nil {
		return err
	}
	q, err := parseEverything(asked)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	opened, err := g.Member.Open(r.Context(), who, id, wantOf(q.sections()))
	if err != nil {
		return err
	}
	defer opened.Close()
	lacks := g.gaps(w, gaps{}, opened)
	var patient, matches []*chart.Version
	for res := range opened.Chart.All() {
		switch v := res.Current(); {
		case !q.has(v):
		case res.Type == "Patient" && res.ID == id:
			patient = append(patient, v)
		default:
			matches = append(matches, v)
		}
	}
	matches = append(patient, matches...)
	from, to := q.of(len(matches))
	var shown, included []found
	listed := map[link]bool{}
	for _, v := range matches[from:to] {
		shown = append(shown, found{v.Item.Type, v.Item.ID, func() []byte { return v.Render("") }})
		g.directoryLinks(v, listed)
	}
	for _, l := range slices.SortedFunc(maps.Keys(listed), func(a, b link) int { return strings.Compare(a.String(), b.String()) }) {
		if d, ok := g.Directory.Get(l.typ, l.id); ok && g.Member.lists(l.typ) && (q.types == nil || q.types[l.typ]) {
			included = append(included, found{l.typ, l.id, d.Render})
		}
	}
	address := g.Base + "/Patient/" + url.PathEscape(id) + "/$everything"
	links := []fhir.Link{{Relation: "self", URL: q.link(address, asked)}}
	if to < len(matches) && q.count > 0 {
		links = append(links, fhir.Link{Relation: "next", URL: page{to, q.count}.link(address, asked)})
	}
	return g.sendBundle(w, len(matches), links, shown, included, lacks)
}

// whole is what of a chart $everything is to give.
type whole struct {
	page
	types map[string]bool // nil: all
	since fhir.Interval   // _since: last updated from then on
	care  fhir.Interval   // start and end: of resources that have such a time, those within
}

func parseEverything(asked url.Values) (*whole, error) {
	p, err := parsePage(asked)
	if err != nil {
		return nil, err
	}
	q := &whole{page: p}
	if !asked.Has("_count") {
		q.count = maxCount // one page, as far as that goes
	}
	for name, values := range asked {
		switch name {
		case "_format", "_count", "_offset":
			continue
		case "_type":
			q.types = map[string]bool{}
			for _, t := range strings.Split(strings.Join(values, ","), ",") {
				if !fhir.KnownType(t) {
					return nil, badRequest("value", "_type names something that is no type of FHIR R4.")
				}
				q.types[t] = true
			}
			continue
		case "_since", "start", "end":
		default:
			return nil, badRequest("not-supported", "%.64q is no parameter of $everything. There are start, end, _since, _type, _count and _offset.", name)
		}
		v, err := single(asked, name)
		if err != nil {
			return nil, err
		}
		i, err := fhir.ParseDate(strings.ReplaceAll(v, " ", "+"), true)
		switch {
		case err != nil:
			return nil, badRequest("value", "%s: %v.", name, err)
		case name == "_since":
			q.since = i
		case name == "start":
			q.care.From = i.From
		default:
			q.care.To = i.To
		}
	}
	return q, nil
}

// sections are those that can hold what is asked for.
func (q *whole) sections() []section.Section {
	if q.types == nil {
		return section.Clinical()
	}
	return slices.DeleteFunc(slices.Clone(section.Clinical()), func(s section.Section) bool {
		for t := range q.types {
			if slices.Contains(section.Where(t), s) {
				return false
			}
		}
		return true
	})
}

// has tells whether a version is asked for. What has no time of care is, whatever the time asked for.
func (q *whole) has(v *chart.Version) bool {
	if q.types != nil && !q.types[v.Item.Type] || v.Updated().Before(q.since.From) {
		return false
	}
	if q.care == (fhir.Interval{}) {
		return true
	}
	times := v.Item.Resource().Dates(carePaths)
	return len(times) == 0 || slices.ContainsFunc(times, func(i fhir.Interval) bool {
		return (q.care.From.IsZero() || i.To.IsZero() || i.To.After(q.care.From)) && (q.care.To.IsZero() || i.From.Before(q.care.To))
	})
}

// carePaths are where resources say when the care was that they are about.
const carePaths = "effectiveDateTime|effectivePeriod|effectiveInstant|period|performedDateTime|performedPeriod|occurrenceDateTime|occurrencePeriod|" +
	"onsetDateTime|onsetPeriod|authoredOn|started|date|created|billablePeriod|servicedDate|servicedPeriod|recordedDate|whenHandedOver"

// directoryLinks adds the resources of the directory that a version refers to.
func (g *gateway) directoryLinks(v *chart.Version, out map[link]bool) {
	v.Item.Resource().References(func(from string) {
		if i, ok := slices.BinarySearchFunc(v.Item.Refs, from, func(r chart.Ref, s string) int { return strings.Compare(r.From, s) }); ok {
			from = v.Item.Refs[i].To
		}
		if ref := fhir.ParseReference(from); ref.ID != "" && (ref.Base == "" || ref.Base == g.Base) && isListed(ref.Type) {
			out[link{typ: ref.Type, id: ref.ID}] = true
		}
	})
}
