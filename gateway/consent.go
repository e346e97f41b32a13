package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/ihe"
)

// searchConsent answers with the Consents of a patient that this member may know of (ITI-108): the custodian of all, another of those that concern its own
// keys. A search that asks for another scope looks among the records.
func (g *gateway) searchConsent(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	asked, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if scope := asked.Get("scope"); scope != "" && !strings.HasSuffix(scope, "patient-privacy") {
		r.SetPathValue("type", "Consent")
		return g.search(w, r, who)
	}
	chart, q, err := g.patientAsked("Consent", asked)
	if err != nil {
		return err
	}
	all, err := g.consents(r.Context(), chart)
	if err != nil {
		return err
	}
	return g.searchMade(w, "Consent", asked, q, all)
}

// readConsent answers with one Consent, or with a record of that type.
func (g *gateway) readConsent(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if chart, _ := inChart(r.PathValue("id")); chart == "" && !strings.HasPrefix(r.PathValue("id"), askedPrefix) {
		r.SetPathValue("type", "Consent")
		return g.read(w, r, who)
	}
	form, err := shapeOfRead(r)
	if err != nil {
		return err
	}
	m, err := g.consent(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	g.sendMade(w, m, form)
	return nil
}

// consent finds one Consent by its id.
func (g *gateway) consent(ctx context.Context, id string) (*made, error) {
	if strings.HasPrefix(id, askedPrefix) {
		return g.readAsked(ctx, id)
	}
	chart, _ := inChart(id)
	all, err := g.consents(ctx, chart)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.res.ID() == id {
			return m, nil
		}
	}
	return nil, notFound
}

// consents are those of a chart: as they were written, and for grants that were given otherwise as the ledger has them.
func (g *gateway) consents(ctx context.Context, chart string) (out []*made, err error) {
	if chart == "" || !g.Member.tells("Consent", chart) {
		return nil, nil
	}
	var rest []exchange.Shared
	switch patient, err := g.Member.Custody(chart); {
	case err == nil:
		agreed, others, err := patient.Agreements(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range agreed {
			m, err := g.agreement(&a)
			if err != nil {
				return nil, err
			}
			if m != nil {
				out = append(out, m)
			}
		}
		requests, err := g.inbox(ctx, chart, patient)
		if err != nil {
			return nil, err
		}
		for _, m := range requests { // one that is granted and not answered yet, because a crash came between, is among the Consents
			if !slices.ContainsFunc(out, func(x *made) bool { return x.res.ID() == m.res.ID() }) {
				out = append(out, m)
			}
		}
		rest = others
	case errors.Is(err, exchange.ErrNotShared):
		if rest, err = g.Member.SharedWith(chart); errors.Is(err, exchange.ErrNotShared) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	asked, err := g.Member.AllAsked(ctx, chart)
	if err != nil {
		return nil, err
	}
	for _, a := range asked {
		m, err := g.asked(a)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
		rest = slices.DeleteFunc(rest, func(s exchange.Shared) bool {
			return slices.ContainsFunc(a.Granted, func(x exchange.Shared) bool { return x.Log == s.Log && x.Entry == s.Entry })
		})
	}
	for _, list := range together(rest) {
		x := g.granted(chart, list)
		m, err := g.make(x.Consent(), x.At)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// agreement is a Consent as it was written, active while one of its grants is in force; of a denial until it is ended. It is nil where a crash came before
// anything was granted: it was never acknowledged.
func (g *gateway) agreement(a *exchange.Agreement) (*made, error) {
	denial, err := denialOf(a)
	if err != nil || denial == nil && len(a.Grants) == 0 {
		return nil, err
	}
	raw := a.Consent
	if denial == nil {
		raw, err = ihe.WithStatus(a.Consent, statusOf(a.Grants))
	}
	if err != nil {
		return nil, err
	}
	m, err := g.make(raw, a.At)
	if err != nil {
		return nil, err
	}
	return g.make(m.res.Rewrite(a.ID, nil, nil), a.At)
}

func statusOf(list []exchange.Shared) string {
	if slices.ContainsFunc(list, func(s exchange.Shared) bool { return s.InForce() }) {
		return "active"
	}
	return "inactive"
}

// together divides grants among Consents: those to one member for one purpose and time, in force or not.
func together(list []exchange.Shared) (out [][]exchange.Shared) {
	type same struct {
		member      int
		purpose     string
		from, until uint64
		uses        uint32
		inForce     bool
	}
	place := map[same]int{}
	for _, s := range list {
		if s.Member < 0 || !s.Reads() {
			continue // a device, and who only writes, is told nothing
		}
		k := same{s.Member, s.Purpose, s.From, s.Until, s.Uses, s.InForce()}
		i, ok := place[k]
		if !ok {
			i = len(out)
			place[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], s)
	}
	return out
}

func (g *gateway) granted(chart string, list []exchange.Shared) *ihe.Granted {
	first := &list[0]
	x := &ihe.Granted{Status: statusOf(list), Chart: chart, At: first.At, Custodian: g.Member.Name(), Member: g.Member.Genesis().Members[first.Member].Name, Purpose: first.Purpose}
	x.ID = chart + "." + hex.EncodeToString(first.Message[:12])
	if first.From != 0 {
		x.From = time.UnixMilli(int64(first.From))
	}
	if first.Until != 0 {
		x.Until = time.UnixMilli(int64(first.Until))
	}
	for _, s := range list {
		p := ihe.Part{Section: s.Section, Log: s.Log.String(), Ranges: s.Ranges}
		if len(s.Ranges) == 1 && s.Ranges[0] == (consent.Range{To: consent.Forever}) {
			p.Ranges = nil
		}
		x.Parts = append(x.Parts, p)
	}
	return x
}
