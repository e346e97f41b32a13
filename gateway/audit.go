package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"vitalog/consent"
	"vitalog/exchange"
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
	all, err := g.audit(r, chart)
	if err != nil {
		return err
	}
	return g.searchMade(w, "AuditEvent", asked, q, all)
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
	all, err := g.audit(r, chart)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.res.ID() == id {
			g.sendMade(w, m, form)
			return nil
		}
	}
	return notFound
}

// audit makes the AuditEvents of a chart. Nothing is opened for them but the details that are sealed to the patient, and those only for a custodian.
func (g *gateway) audit(r *http.Request, chart string) ([]*made, error) {
	if chart == "" || !g.Member.tells("AuditEvent", chart) {
		return nil, nil
	}
	deeds, err := g.Member.Deeds(chart)
	if errors.Is(err, exchange.ErrNotShared) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch patient, err := g.Member.Custody(chart); {
	case err == nil:
		log, err := patient.Activity(r.Context())
		if err != nil {
			return nil, err
		}
		deeds = slices.DeleteFunc(deeds, func(d exchange.Deed) bool { return !d.Wrote }) // the others are among the patient's
		for _, a := range log.Rows {
			deeds = append(deeds, exchange.Deed{Activity: a})
		}
	case !errors.Is(err, exchange.ErrNotShared):
		return nil, err
	}
	var out []*made
	for i := range deeds {
		a := g.access(chart, &deeds[i])
		m, err := g.make(a.AuditEvent(), a.At)
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
