package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
)

// searchAudit answers with the accesses to a patient's records as AuditEvents: to the custodian all of them, as the patient sees them, to another
// member its own. An unknown patient is an empty answer.
func (g *gateway) searchAudit(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	chart, q, err := g.patientAsked("AuditEvent", asked)
	if err != nil {
		return err
	}
	from, until := during(q["date"])
	all, err := g.audit(r, chart, from, until, tellsAsker(q))
	if err != nil {
		return err
	}
	return g.searchMade(w, "AuditEvent", asked, q, all)
}

// during is a time in which everything lies that the dates of a search ask for; what it leaves out, none of them can mean. Zero times bound nothing.
func during(dates []string) (from, until time.Time) {
	for _, d := range dates {
		prefix := ""
		if len(d) > 2 && d[0] >= 'a' {
			prefix, d = d[:2], d[2:]
		}
		i, err := fhir.ParseDate(strings.ReplaceAll(d, " ", "+"), false)
		if err != nil { // several, or what the search refuses
			continue
		}
		if slices.Contains([]string{"", "eq", "ge", "gt", "sa"}, prefix) && i.From.After(from) {
			from = i.From
		}
		if slices.Contains([]string{"", "eq", "le", "lt", "eb"}, prefix) && (until.IsZero() || i.To.Before(until)) {
			until = i.To
		}
	}
	return from, until
}

// tellsAsker tells whether a search asks for what only the details of accesses tell: who asked.
func tellsAsker(q url.Values) bool {
	for name := range q {
		if !slices.Contains([]string{"patient", "date", "_id", "_lastUpdated", "action", "outcome", "type", "subtype", "entity", "_count", "_offset", "_format", "_total", "_summary", "_elements"}, name) {
			return true
		}
	}
	return false
}

// readAudit answers with one access, or with a record of that type.
func (g *gateway) readAudit(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	id := r.PathValue("id")
	chart, _ := inChart(id)
	if chart == "" {
		r.SetPathValue("type", "AuditEvent")
		return g.read(w, r, who)
	}
	form, err := shapeOfRead(r)
	if err != nil {
		return err
	}
	all, err := g.audit(r, chart, time.Time{}, time.Time{}, false)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.res.ID() == id {
			if err := m.complete(); err != nil {
				return err
			}
			g.sendMade(w, m, form)
			return nil
		}
	}
	return notFound
}

// audit makes the AuditEvents of a chart, newest first: to a custodian those of a time, to others all of their own. Nothing is opened for them but the details
// that are sealed to the patient, and those, unless all are wanted, only of what is shown.
func (g *gateway) audit(r *http.Request, chart string, from, until time.Time, whole bool) (out []*made, err error) {
	if chart == "" || !g.Member.tells("AuditEvent", chart) {
		return nil, nil
	}
	explain := func(*exchange.Deed) error { return nil }
	var deeds []exchange.Deed
	told, err := g.Member.Told(r.Context(), chart, from, until)
	switch {
	case err == nil:
		deeds = told.Deeds
		explain = func(d *exchange.Deed) error { return told.Explain(r.Context(), d) }
	case errors.Is(err, exchange.ErrNotShared):
		if deeds, err = g.Member.Deeds(chart); errors.Is(err, exchange.ErrNotShared) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range deeds {
		d := &deeds[i]
		a := g.access(chart, d)
		m, err := g.make(a.AuditEvent(), a.At)
		if err != nil {
			return nil, err
		}
		m.more = func() (*made, error) {
			if err := explain(d); err != nil {
				return nil, err
			}
			return g.make(g.access(chart, d).AuditEvent(), a.At)
		}
		if whole {
			err = m.complete()
		}
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (g *gateway) access(chart string, d *exchange.Deed) *ihe.Access {
	a := &ihe.Access{ID: fmt.Sprintf("%s.%d-%d", chart, d.Section, d.Entry), At: d.At, Chart: chart, Section: d.Section.String(), Log: d.Log.String(), Entry: d.Entry,
		Ranges: d.Ranges, Write: d.Wrote, Further: d.Further, Times: d.Count, Server: g.Member.Name(), Endpoint: g.Base, Client: d.Member, Purpose: d.Purpose}
	if d.Device != "" {
		a.Client = d.Device
	}
	if d.Proxy != "" {
		a.Client = d.Proxy
	}
	for _, m := range g.Member.Genesis().Members {
		if m.Name == d.Member {
			a.Address = m.Endpoint
		}
	}
	if d.Why != consent.Allowed {
		a.Refused = d.Why.String()
	}
	if d.Detail != nil {
		a.Practitioner, a.Name, a.Role, a.Reason = d.Detail.Practitioner, d.Detail.Name, d.Detail.Role, d.Detail.Reason
		if d.Detail.Machine {
			a.Practitioner = ""
		}
	}
	return a
}
