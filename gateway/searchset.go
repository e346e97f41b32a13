package gateway

import (
	"net/http"

	"vitalog/fhir"
)

// found is one result of a search: it is rendered when its page is written.
type found struct {
	kind, id string
	render   func() []byte
}

// sendBundle writes a searchset.
func (g *gateway) sendBundle(w http.ResponseWriter, total int, links []fhir.Link, matches, included []found, lacks gaps) error {
	if lacks.any() {
		total = -1
	}
	header(w)
	w.WriteHeader(http.StatusOK)
	b := fhir.NewBundleWriter(w, "searchset", total, links...)
	for _, part := range []struct {
		mode string
		all  []found
	}{{"match", matches}, {"include", included}} {
		for _, f := range part.all {
			b.Entry(fhir.Out{FullURL: g.Base + "/" + f.kind + "/" + f.id, Resource: f.render(), Mode: part.mode})
		}
	}
	for _, o := range lacks.outcomes() {
		b.Entry(fhir.Out{Resource: o, Mode: "outcome"})
	}
	b.Close() // its error is that the client has gone
	return nil
}
