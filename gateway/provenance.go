package gateway

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
	"vitalog/section"
)

// searchProvenance answers a search by target alone with the author's signature over it. With a patient it looks among the Provenances that came in with
// data, which stay what they are.
func (g *gateway) searchProvenance(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	target, err := single(asked, "target")
	if err != nil || target == "" || asked.Has("patient") {
		r.SetPathValue("type", "Provenance")
		return g.search(w, r, who)
	}
	ref := fhir.ParseReference(target)
	if ref.Type == "" || ref.ID == "" || ref.Base != "" && ref.Base != g.Base || isListed(ref.Type) {
		return badRequest("value", "target names no patient's resource of this gateway. Give it as a type and id, Observation/ and the id.")
	}
	var all []*made
	at, err := g.locate(ref.Type, ref.ID, ref.Version)
	if err == nil {
		var m *made
		if m, err = g.provenance(r, who, at); m != nil {
			all = append(all, m)
		}
	}
	if err != nil && asProblem(err) != notFound {
		return err
	}
	q := maps.Clone(asked)
	delete(q, "target")
	return g.searchMade(w, "Provenance", asked, q, all)
}

// readProvenance answers with the author's signature over one record, or with a Provenance that came in.
func (g *gateway) readProvenance(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	chart, rest := inChart(r.PathValue("id"))
	if chart == "" {
		r.SetPathValue("type", "Provenance")
		return g.read(w, r, who)
	}
	form, err := shapeOfRead(r)
	if err != nil {
		return err
	}
	s, n, _ := strings.Cut(rest, "-")
	number, err := strconv.ParseUint(s, 10, 8)
	at := exchange.Location{Chart: chart, Section: section.Section(number)}
	if err == nil {
		at.Entry, err = strconv.ParseUint(n, 10, 64)
	}
	if err != nil || !at.Section.Valid() || provenanceID(at) != r.PathValue("id") {
		return notFound
	}
	m, err := g.provenance(r, who, at)
	if err == nil && m == nil {
		err = notFound
	}
	if err != nil {
		return err
	}
	g.sendMade(w, m, form)
	return nil
}

func provenanceID(at exchange.Location) string {
	return fmt.Sprintf("%s.%d-%d", at.Chart, at.Section, at.Entry)
}

// provenance opens one record, and says who signed it. It is nil if nothing of it is left.
func (g *gateway) provenance(r *http.Request, who exchange.Asker, at exchange.Location) (*made, error) {
	if !g.Member.tells("Provenance", at.Chart) {
		return nil, notFound
	}
	opened, err := g.Member.Open(r.Context(), who, at.Chart, exchange.Want{Sections: []section.Section{at.Section}, Entries: []uint64{at.Entry}})
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if len(opened.Errors) > 0 {
		return nil, didNotOpen(opened)
	}
	x := ihe.Authored{ID: provenanceID(at), Chart: at.Chart, Entry: at.Entry}
	var of *chart.Version
	for res := range opened.Chart.All() {
		if v := res.Current(); v.Entry == at.Entry {
			of = v
			x.Targets = append(x.Targets, res.Type+"/"+res.ID+"/_history/"+v.ID())
		}
	}
	if of == nil {
		return nil, nil
	}
	record, block, err := g.Member.RecordAt(of.Log, of.Entry)
	if err != nil {
		return nil, err
	}
	author := of.Content.Author
	x.Recorded, x.Created, x.Log, x.Block = of.Updated(), time.UnixMilli(int64(of.Content.Created)), of.Log.String(), block
	x.Member, x.Practitioner, x.Name, x.Role = author.Member, author.Practitioner, author.Name, author.Role
	if a, err := of.Content.Attest(record); err == nil {
		x.Attestation = a.Encode()
	}
	return g.make(x.Provenance(), x.Recorded)
}
