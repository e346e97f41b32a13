package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
)

// made is a resource that no record holds: the gateway says in FHIR what the ledger knows. Its version is a hash of what it says.
type made struct {
	res     *fhir.Resource
	updated time.Time
	more    func() (*made, error) // says all of it; nil: res does
}

// complete has it say all, before it is shown.
func (m *made) complete() error {
	if m.more == nil {
		return nil
	}
	whole, err := m.more()
	if err == nil {
		*m = *whole
	}
	return err
}

// ofLedger is what is particular about the types that say what the ledger knows.
var ofLedger = map[string]string{
	"Consent": "A Consent of scope patient-privacy (IHE PCF, basic and intermediate, ITI-108) is granted on the ledger when it is active and ended when it is inactive or deleted, by the member " +
		"that has the patient's keys in custody; others see those of their own keys. DELETE of it is offered for that, and by condition for records alone. One that denies ends what it names, and stands against what would permit it until it is ended itself. What can't be granted exactly is refused. One that is proposed asks the patient, and becomes active, narrowed, " +
		"or rejected. One of another scope is a record, found with scope.",
	"Provenance": "A search by target alone finds the author's signature over a resource, with the record that it is in; with patient, what was sent as Provenance.",
	"AuditEvent": "Searches find accesses as the ledger has them (IHE BALP): the patient's custodian all of them, another member its own. One that is sent is a record, and read by its id.",
}

// routeLedger routes the types that say what the ledger knows.
func (g *gateway) routeLedger(mux *http.ServeMux) {
	for pattern, a := range map[string]route{
		"GET /fhir/Consent":         {"s", (*gateway).searchConsent},
		"POST /fhir/Consent":        {"c", (*gateway).createConsent},
		"GET /fhir/Consent/{id}":    {"r", (*gateway).readConsent},
		"PUT /fhir/Consent/{id}":    {"u", (*gateway).updateConsent},
		"GET /fhir/AuditEvent":      {"s", (*gateway).searchAudit},
		"GET /fhir/AuditEvent/{id}": {"r", (*gateway).readAudit},
		"GET /fhir/Provenance":      {"s", (*gateway).searchProvenance},
		"GET /fhir/Provenance/{id}": {"r", (*gateway).readProvenance},
	} {
		mux.Handle(pattern, g.authorised(a.rights, inJSON(a.do)))
	}
	mux.Handle("DELETE /fhir/Consent/{id}", g.authorised("d", (*gateway).deleteConsent))
	mux.Handle("POST /fhir/Consent/_search", g.authorised("s", byForm((*gateway).searchConsent)))
	mux.Handle("POST /fhir/AuditEvent/_search", g.authorised("s", byForm((*gateway).searchAudit)))
	mux.Handle("POST /fhir/Provenance/_search", g.authorised("s", byForm((*gateway).searchProvenance)))
}

// searchIn is the search of a type in a patient's compartment, by GET and by a form.
func searchIn(kind string) (get, form action) {
	of := map[string]action{"Consent": (*gateway).searchConsent, "AuditEvent": (*gateway).searchAudit}[kind]
	if of == nil {
		return inJSON((*gateway).search), (*gateway).searchForm
	}
	named := func(g *gateway, w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
		q, err := parseQuery(r.URL.RawQuery)
		if err != nil {
			return err
		}
		if q.Has("patient") || q.Has("patient.identifier") {
			return badRequest("invalid", "The address names the patient already; leave out patient.")
		}
		q.Set("patient", r.PathValue("id"))
		r.URL.RawQuery = q.Encode()
		return of(g, w, r, who)
	}
	return inJSON(named), byForm(named)
}

// tells tells whether what is made of a type about a chart is within reach: a scope for the type must cover all of it.
func (m reach) tells(kind, chartID string) bool {
	return m.access.Scopes.Covers(m.need(m.rights, kind, chartID), nil)
}

// make reads a resource that was made. One that can't be read is this program's fault.
func (g *gateway) make(raw []byte, updated time.Time) (*made, error) {
	res, err := fhir.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("a resource that was made here: %v", err)
	}
	return &made{res: res, updated: updated}, nil
}

func (m *made) version() string {
	h := sha256.Sum256(m.res.Raw())
	return hex.EncodeToString(h[:8])
}

func (m *made) render() []byte {
	return m.res.Rewrite(m.res.ID(), m.res.Meta(m.version(), m.updated), nil)
}

// sendMade answers a read of what was made.
func (g *gateway) sendMade(w http.ResponseWriter, m *made, form shape) {
	g.send(w, m.version(), m.updated.UTC().Format(http.TimeFormat), form.render(m.render()))
}

// searchMade answers a search over what was made of one type. asked is the search as it came, q what of it is still to be held against the resources.
func (g *gateway) searchMade(w http.ResponseWriter, kind string, asked, q url.Values, all []*made) error {
	p, err := parsePage(asked)
	if err != nil {
		return err
	}
	a := &ask{}
	if err := a.form(asked); err != nil {
		return err
	}
	for _, name := range []string{"_format", "_count", "_offset", "_summary", "_elements", "_total"} {
		delete(q, name)
	}
	search, order, err := fhir.ParseQuery(kind, q)
	if err != nil {
		return asSearchProblem(err)
	}
	type match struct {
		*made
		key fhir.Key
	}
	var matches []match
	for _, m := range all {
		as := fhir.Identity{ID: m.res.ID(), Updated: m.updated}
		if search.Matches(m.res, as) {
			matches = append(matches, match{m, order.Key(m.res, as)})
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return order.Compare(a.key, b.key) })
	if a.count {
		p.count = 0
	}
	from, to := p.of(len(matches))
	links := []fhir.Link{{Relation: "self", URL: p.link(g.Base+"/"+kind, asked)}}
	if to < len(matches) && p.count > 0 {
		links = append(links, fhir.Link{Relation: "next", URL: page{to, p.count}.link(g.Base+"/"+kind, asked)})
	}
	var out []found
	for _, m := range matches[from:to] {
		if err := m.complete(); err != nil {
			return err
		}
		out = append(out, found{kind, m.res.ID(), func() []byte { return a.render(m.render()) }})
	}
	total := len(matches)
	if a.untold {
		total = -1
	}
	return g.sendBundle(w, total, links, out, nil, gaps{})
}

// byForm lets an action see the parameters of a search that came by POST as if they stood in its address.
func byForm(do action) action {
	return func(g *gateway, w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(strings.ToLower(kind)) != "application/x-www-form-urlencoded" {
			return &problem{status: http.StatusUnsupportedMediaType, code: "not-supported", text: "A search by POST is a form. Send Content-Type: application/x-www-form-urlencoded."}
		}
		form, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
		if err != nil {
			return err
		}
		raw := string(form)
		if r.URL.RawQuery != "" && raw != "" {
			raw = r.URL.RawQuery + "&" + raw
		} else if raw == "" {
			raw = r.URL.RawQuery
		}
		q, err := parseQuery(raw)
		if err != nil {
			return err
		}
		if err := acceptable(r, q); err != nil {
			return err
		}
		r.URL.RawQuery = raw
		return do(g, w, r, who)
	}
}

// patientAsked takes the patient out of a search over what is made: patient, patient.identifier, an entity that is one, or the chart that an
// _id is of. It is "" if no such patient is known here.
func (g *gateway) patientAsked(kind string, asked url.Values) (chart string, q url.Values, err error) {
	q = maps.Clone(asked)
	token, err := single(q, "patient.identifier")
	if err != nil {
		return "", nil, err
	}
	if token != "" {
		system, value, ok := strings.Cut(token, "|")
		if !ok || value == "" {
			return "", nil, badRequest("value", "patient.identifier is to be given as system|value.")
		}
		delete(q, "patient.identifier")
		chart, _, err = g.Member.FindPatient(system, value)
		return chart, q, err
	}
	if kind == "AuditEvent" && !q.Has("patient") {
		if e, _ := single(q, "entity"); fhir.ParseReference(e).Type == "Patient" {
			q.Set("patient", e)
			delete(q, "entity")
		}
	}
	if of, _ := inChart(q.Get("_id")); of != "" && !q.Has("patient") && !q.Has("subject") {
		return of, q, nil
	}
	chart, err = g.patientOfSearch(kind, q)
	return chart, q, err
}

// inChart is the chart that the id of what was made names, "" if it names none.
func inChart(id string) (chart, rest string) {
	chart, rest, ok := strings.Cut(id, ".")
	if !ok || len(chart) != 36 {
		return "", ""
	}
	return chart, rest
}
