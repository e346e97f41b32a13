package gateway

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ips"
)

// summary answers with the patient summary by IPS of a patient who is named by id, or by identifier: spec/ips.md.
func (g *gateway) summary(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	asked, err := operationParameters(w, r)
	if err != nil {
		return err
	}
	id, err := g.patientOfSummary(r.PathValue("id"), asked)
	if err != nil {
		return err
	}
	if !g.Member.reaches(id) {
		return notFound
	}
	for _, kind := range ips.Types() { // one that silently lacks something is worse than none
		if !g.Member.access.Scopes.Covers(g.Member.need("r", kind, id), nil) {
			return outOfScope(kind, "r")
		}
	}
	opened, err := g.Member.Open(r.Context(), who, id, wantOf(ips.Sections()))
	if err != nil {
		return err
	}
	defer opened.Close()
	g.report(w, opened)
	if len(opened.Errors) > 0 {
		return didNotOpen(opened)
	}
	s := ips.Summary{At: g.Now(), Base: g.Base, Member: g.Member.Name(), Patient: id, Chart: opened.Chart, Listed: func(kind, id string) []byte {
		if l, ok := g.Directory.Get(kind, id); ok && g.Member.lists(kind) {
			return l.Render()
		}
		return nil
	}}
	rand.Read(s.ID[:])
	document, err := s.Document()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, document)
	return nil
}

// patientOfSummary is the chart that a summary is asked of. Who is named by an identifier that nobody knows is one who isn't there.
func (g *gateway) patientOfSummary(id string, asked url.Values) (string, error) {
	for name := range asked {
		if name != "_format" && name != "profile" && (name != "identifier" || id != "") {
			return "", badRequest("not-supported", "%.64q is no parameter of $summary here. There are profile, and where the address names no patient identifier.", name)
		}
	}
	profile, err := single(asked, "profile")
	if err != nil {
		return "", err
	}
	url, version, pinned := strings.Cut(profile, "|")
	if url != "" && url != ips.CompositionProfile && url != ips.BundleProfile || pinned && version != ips.Version {
		return "", &problem{status: http.StatusUnprocessableEntity, code: "not-supported", text: "Summaries are made by " + ips.CompositionProfile + "|" + ips.Version + ". Leave profile out, or ask for that."}
	}
	token, err := single(asked, "identifier")
	if err != nil || id != "" {
		return id, err
	}
	system, value, ok := strings.Cut(token, "|")
	if !ok || value == "" {
		return "", badRequest("required", "Say whose summary: Patient/ and the id before $summary, or identifier as system|value.")
	}
	id, ok, err = g.Member.FindPatient(system, value)
	if err == nil && !ok {
		err = notFound
	}
	return id, err
}

// operationParameters are those of an operation, from the address and, of a POST, from Parameters of primitives. A body may be left out.
func operationParameters(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if err := acceptable(r, asked); err != nil || r.Method != http.MethodPost {
		return asked, err
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil || len(bytes.TrimSpace(raw)) == 0 {
		return asked, err
	}
	if err := readable(r); err != nil {
		return nil, err
	}
	res, err := fhir.Parse(raw)
	if err != nil {
		return nil, err
	}
	if res.Type() != "Parameters" {
		return nil, invalidAt(res.Type(), "An operation takes its parameters in Parameters.")
	}
	wellFormed := fhir.Value(res.Raw()).Get("parameter").Each(func(p fhir.Value) bool {
		name, value := p.Get("name").Text(), ""
		for _, form := range []string{"valueString", "valueCanonical", "valueUri", "valueCode", "valueInstant", "valueDateTime", "valueDate"} {
			if v := p.Get(form).Text(); v != "" {
				value = v
			}
		}
		if n := p.Get("valueInteger"); n != nil {
			value = string(n)
		}
		asked.Add(name, value)
		return name != "" && value != ""
	})
	if !wellFormed {
		return nil, invalidAt("Parameters.parameter", "A parameter here has a name, and a string, canonical, uri, code, integer, date or time as its value.")
	}
	return asked, nil
}
