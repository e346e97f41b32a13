package gateway

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/grant"
	"vitalog/ihe"
	"vitalog/section"
)

// askedPrefix begins the ids of this member's own requests.
const askedPrefix = "request."

// unknown is no chart's id: what is about somebody of whom no chart is known is beyond the scopes that are about one patient.
const unknown = "unknown"

// ask leaves a request in a patient's inbox, as a Consent of status proposed says.
func (g *gateway) ask(w http.ResponseWriter, r *http.Request, who exchange.Asker, res *fhir.Resource, p *ihe.Policy) error {
	if n, ok := g.memberOf(p.Actors[0]); len(p.Actors) != 1 || !ok || n != g.Member.Number() {
		return invalidAt("Consent.provision.actor", "A member asks for itself: one actor, this member, as an identifier of system %s.", ihe.MemberSystem)
	}
	if len(p.Purposes) != 1 || p.Purposes[0] != who.Purpose {
		return invalidAt("Consent.provision.purpose", "Ask for the purpose that the access token says: %s, and for no other.", who.Purpose)
	}
	if p.Instances != nil {
		return invalidAt("Consent.provision.data", "Single resources can't be asked for: ask for sections, or a period of data.")
	}
	wish := exchange.Wish{Sections: p.Sections, Document: res.Raw()}
	if !p.Data.From.IsZero() {
		wish.From = uint64(max(p.Data.From.UnixMilli(), 0))
	}
	if !p.Data.To.IsZero() {
		wish.Until = uint64(max(p.Data.To.UnixMilli(), 1))
	}
	if now := g.Now(); now.Before(p.From) {
		return invalidAt("Consent.provision.period.start", "Ask for what begins now.")
	} else if !p.Until.IsZero() {
		if !now.Before(p.Until) {
			return invalidAt("Consent.provision.period", "The period is over: nothing would be shared.")
		}
		wish.Lasts = uint64(p.Until.Sub(now).Milliseconds())
	}
	to, err := g.handleOf(p, &wish)
	if err != nil {
		return err
	}
	if !g.Member.tells("Consent", cmp.Or(wish.Chart, unknown)) {
		return outOfScope("Consent", g.Member.rights)
	}
	id, err := g.Member.Request(r.Context(), who, to, wish)
	if err != nil {
		return err
	}
	a, err := g.Member.Asked(r.Context(), id)
	if err != nil {
		return err
	}
	m, err := g.asked(a)
	if err != nil {
		return err
	}
	return g.consented(w, m, http.StatusCreated)
}

// handleOf is where a request goes: to the card that the Consent has, or to a patient who is known here.
func (g *gateway) handleOf(p *ihe.Policy, wish *exchange.Wish) (grant.Handle, error) {
	if p.Patient.System == ihe.HandleSystem {
		to, err := grant.ParseHandle(p.Patient.Value)
		if err != nil {
			return to, invalidAt("Consent.patient.identifier", "This is no patient's card. It begins with vitalog: and has 86 characters more.")
		}
		return to, nil
	}
	chart, err := g.patientOf(p)
	if err != nil {
		return grant.Handle{}, err
	}
	wish.Chart = chart
	return g.Member.Handle(chart)
}

// readAsked answers with a request of this member's as what became of it.
func (g *gateway) readAsked(ctx context.Context, id string) (*made, error) {
	var request grant.RequestID
	raw, err := hex.DecodeString(strings.TrimPrefix(id, askedPrefix))
	if err != nil || len(raw) != len(request) || hex.EncodeToString(raw) != strings.TrimPrefix(id, askedPrefix) {
		return nil, notFound
	}
	copy(request[:], raw)
	a, err := g.Member.Asked(ctx, request)
	if err != nil {
		return nil, err
	}
	if !g.Member.tells("Consent", cmp.Or(a.Chart, unknown)) {
		return nil, notFound
	}
	return g.asked(a)
}

// asked is a request as a Consent: proposed until the answer is here, then rejected, or what was granted.
func (g *gateway) asked(a *exchange.Asked) (*made, error) {
	id := askedPrefix + hex.EncodeToString(a.ID[:])
	if len(a.Granted) > 0 {
		x := g.granted(a.Chart, a.Granted)
		x.ID = id
		return g.make(x.Consent(), x.At)
	}
	status := "proposed"
	if a.Answer != nil && len(a.Answer.Granted) == 0 {
		status = "rejected"
	}
	if a.Wish.Document == nil {
		x := g.wished(a.Chart, id, status, g.Member.Number(), a.Purpose, a.At, a.Wish.Sections, a.Wish.Lasts)
		return g.make(x.Consent(), a.At)
	}
	raw, err := ihe.WithStatus(a.Wish.Document, status)
	if err != nil {
		return nil, err
	}
	m, err := g.make(raw, a.At)
	if err != nil {
		return nil, err
	}
	return g.make(m.res.Rewrite(id, nil, nil), a.At)
}

// wished is what somebody asks for.
func (g *gateway) wished(chart, id, status string, member int, purpose string, at time.Time, sections []section.Section, lasts uint64) *ihe.Granted {
	x := &ihe.Granted{ID: id, Status: status, Chart: chart, At: at, Custodian: g.Member.Name(), Member: g.Member.Genesis().Members[member].Name, Purpose: purpose}
	if lasts > 0 {
		x.Until = at.Add(time.Duration(lasts) * time.Millisecond)
	}
	for _, s := range sections {
		x.Parts = append(x.Parts, ihe.Part{Section: s})
	}
	return x
}

// inboxID is the id of a request in the inbox of a patient in this member's custody.
func inboxID(chart string, w *exchange.Wished) string {
	return chart + "." + hex.EncodeToString(w.ID[:12])
}

// inbox are the requests that wait for an answer of a patient in custody, and those that were answered with no.
func (g *gateway) inbox(ctx context.Context, chart string, patient *exchange.Patient) (out []*made, err error) {
	list, _, err := patient.Inbox(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		w := &list[i]
		status := "proposed"
		if w.Answered {
			status = "rejected"
		}
		if w.Granted {
			continue // it is among the Consents
		}
		m, err := g.make(g.wished(chart, inboxID(chart, w), status, int(w.Member), w.Purpose, w.At, w.Sections, w.Lasts).Consent(), w.At)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// waiting is the request of that id in the inbox, nil if there is none.
func (g *gateway) waiting(ctx context.Context, chart, id string, patient *exchange.Patient) (*exchange.Wished, error) {
	list, _, err := patient.Inbox(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if inboxID(chart, &list[i]) == id {
			return &list[i], nil
		}
	}
	return nil, nil
}

// within refuses to answer a request with more than it asked for, or somebody else.
func (g *gateway) within(w *exchange.Wished, shares []exchange.Share) error {
	for _, s := range shares {
		if s.Member != int(w.Member) || s.Purpose != w.Purpose {
			return invalidAt("Consent.provision", "The request is of another member, or for another purpose. Answer it, or write a Consent of its own.")
		}
		for _, x := range s.Sections {
			if !slices.Contains(w.Sections, x) {
				return invalidAt("Consent.provision.class", "The request does not ask for section %v. Narrow it, or write a Consent of its own for more.", x)
			}
		}
		if asked := w.At.Add(time.Duration(w.Lasts) * time.Millisecond); w.Lasts > 0 && (s.Until.IsZero() || s.Until.After(asked.Add(time.Millisecond))) {
			return invalidAt("Consent.provision.period", "The request asks for less time. Narrow it, or write a Consent of its own for more.")
		}
	}
	return nil
}

// tell tells the asker of a request, if the Consent of that id is one that nobody has answered yet.
func (g *gateway) tell(ctx context.Context, chart, id string, patient *exchange.Patient, granted []exchange.Shared) error {
	w, err := g.waiting(ctx, chart, id, patient)
	if err != nil || w == nil {
		return err
	}
	if err := patient.Answer(ctx, *w, granted, ""); err != nil && !errors.Is(err, exchange.ErrConflict) {
		return fmt.Errorf("answering a request: %w", err)
	}
	return nil
}
