package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
)

// maxShares is how many sections times actors times purposes one Consent may grant: each is a key of its own on the ledger.
const maxShares = 256

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
			if len(a.Grants) == 0 {
				continue // a crash came between: it was never acknowledged
			}
			m, err := g.agreement(&a)
			if err != nil {
				return nil, err
			}
			out = append(out, m)
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

// agreement is a Consent as it was written, active while one of its grants is in force.
func (g *gateway) agreement(a *exchange.Agreement) (*made, error) {
	raw, err := ihe.WithStatus(a.Consent, statusOf(a.Grants))
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

// createConsent grants what a Consent permits, for a patient in this member's custody. One that is not about who may read is a record like others.
func (g *gateway) createConsent(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	res, policy, err := g.incomingConsent(w, r)
	if err != nil {
		return err
	}
	if policy == nil {
		r.SetPathValue("type", "Consent")
		return g.create(w, r, who)
	}
	if policy.Status == "proposed" {
		return g.ask(w, r, who, res, policy)
	}
	if policy.Status != "active" {
		return invalidAt("Consent.status", "A Consent comes in as active, then it is granted; or as proposed, then the patient is asked for it.")
	}
	chart, err := g.patientOf(policy)
	if err != nil {
		return err
	}
	name := newID()
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		name = key
	}
	h := g.Member.Derive("consent", chart+"|"+name)
	return g.agree(w, r, who, chart, chart+"."+hex.EncodeToString(h[:12]), res, policy, http.StatusCreated)
}

// updateConsent replaces a Consent, or ends it when its status is no longer active.
func (g *gateway) updateConsent(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	id := r.PathValue("id")
	chart, _ := inChart(id)
	if chart == "" {
		r.SetPathValue("type", "Consent")
		return g.update(w, r, who)
	}
	res, policy, err := g.incomingConsent(w, r)
	if err != nil {
		return err
	}
	now, err := g.consent(r.Context(), id)
	if err != nil {
		return err
	}
	switch {
	case policy == nil:
		return invalidAt("Consent.scope", "The Consent is about who may read, and stays so: patient-privacy.")
	case res.ID() != id:
		return invalidAt("Consent.id", "The resource's id and the id in the address must be the same.")
	}
	if of, err := g.patientOf(policy); err != nil || of != chart {
		return errors.Join(err, invalidAt("Consent.patient", "A Consent stays with its patient."))
	}
	if want := r.Header.Get("If-Match"); want != "" && strings.TrimPrefix(want, "W/") != `"`+now.version()+`"` {
		return &problem{status: http.StatusPreconditionFailed, code: "conflict", text: "The Consent has changed since. Read it again, then repeat."}
	}
	switch policy.Status {
	case "active":
		return g.agree(w, r, who, chart, id, res, policy, http.StatusOK)
	case "inactive", "rejected", "entered-in-error":
		if err := g.end(r.Context(), chart, now); err != nil {
			return err
		}
		if now, err = g.consent(r.Context(), id); err != nil {
			return err
		}
		g.sendMade(w, now, shape{})
		return nil
	}
	return invalidAt("Consent.status", "A Consent that was active stays so, or becomes inactive.")
}

// deleteConsent ends a Consent. What was agreed stays readable, as inactive.
func (g *gateway) deleteConsent(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	chart, _ := inChart(r.PathValue("id"))
	if chart == "" {
		r.SetPathValue("type", "Consent")
		return g.delete(w, r, who) // a record
	}
	now, err := g.consent(r.Context(), r.PathValue("id"))
	if err == nil {
		err = g.end(r.Context(), chart, now)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// end ends the grants of a Consent of a patient in custody. A request that waits is answered with no.
func (g *gateway) end(ctx context.Context, chart string, m *made) error {
	patient, err := g.custody(chart)
	if err != nil {
		return err
	}
	free, err := g.atWork.hold(ctx, []fhir.Identifier{{System: "consents", Value: chart}})
	if err != nil {
		return err
	}
	defer free()
	agreed, others, err := patient.Agreements(ctx)
	if err != nil {
		return err
	}
	var list []exchange.Shared
	for _, a := range agreed {
		if a.ID == m.res.ID() {
			list = a.Grants
		}
	}
	for _, some := range together(others) {
		if g.granted(chart, some).ID == m.res.ID() {
			list = some
		}
	}
	_, err = patient.Stop(ctx, func(s exchange.Shared) bool {
		return slices.ContainsFunc(list, func(x exchange.Shared) bool { return x.Log == s.Log && x.Entry == s.Entry })
	})
	if err != nil {
		return err
	}
	return g.tell(ctx, chart, m.res.ID(), patient, nil)
}

// incomingConsent reads a Consent. policy is nil for one that is not about who may read; r's body is then as it was.
func (g *gateway) incomingConsent(w http.ResponseWriter, r *http.Request) (*fhir.Resource, *ihe.Policy, error) {
	raw, err := readResource(w, r.Body)
	if err != nil {
		return nil, nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	res, err := fhir.Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	if res.Type() != "Consent" {
		return nil, nil, invalidAt(res.Type(), "A Consent goes to this address.")
	}
	if !ihe.IsPrivacy(res) {
		return res, nil, nil
	}
	if !slices.Contains(res.Strings("status"), "proposed") { // which lacks what the patient's agreement will have
		if err := g.validate([]*incoming{{entry: &fhir.Entry{Resource: res, Line: 1, Column: 1}, res: res, root: "Consent"}}); err != nil {
			return nil, nil, err
		}
	}
	policy, err := ihe.ReadPolicy(res)
	return res, policy, err
}

// patientOf is the chart of the patient that a Consent names.
func (g *gateway) patientOf(p *ihe.Policy) (string, error) {
	ref := fhir.ParseReference(p.Patient.Reference)
	id := fhir.Identifier{System: p.Patient.System, Value: p.Patient.Value}
	if conditional, ok := ref.Identifier(); ok {
		id = conditional
	}
	chart := ref.ID
	switch {
	case chart != "" && (ref.Type != "Patient" || ref.Base != "" && ref.Base != g.Base):
		return "", invalidAt("Consent.patient", "This names no patient of this gateway.")
	case chart == "" && id.Value != "":
		var ok bool
		var err error
		if chart, ok, err = g.Member.FindPatient(id.System, id.Value); err != nil || !ok {
			return "", errors.Join(err, notFound)
		}
	case chart == "":
		return "", invalidAt("Consent.patient", "Name the patient as Patient/ and the id, or by an identifier with its system.")
	}
	if _, err := g.Member.Handle(chart); err != nil {
		return "", err // notFound, if it is not known here
	}
	return chart, nil
}

// custody is a patient that this member acts for.
func (g *gateway) custody(chart string) (*exchange.Patient, error) {
	if !g.Member.tells("Consent", chart) {
		return nil, outOfScope("Consent", g.Member.rights)
	}
	patient, err := g.Member.Custody(chart)
	if errors.Is(err, exchange.ErrNotShared) {
		return nil, &problem{status: http.StatusForbidden, code: "forbidden",
			text: "Only the patient, or the member that the patient's keys are in custody of, grants and ends. Ask for it with a Consent of status proposed."}
	}
	return patient, err
}

// agree grants what a Consent permits and answers with it. The same Consent under the same id is not granted twice.
func (g *gateway) agree(w http.ResponseWriter, r *http.Request, who exchange.Asker, chart, id string, res *fhir.Resource, policy *ihe.Policy, status int) error {
	patient, err := g.custody(chart)
	if err != nil {
		return err
	}
	free, err := g.atWork.hold(r.Context(), []fhir.Identifier{{System: "consents", Value: chart}})
	if err != nil {
		return err
	}
	defer free()
	request, err := g.waiting(r.Context(), chart, id, patient)
	if err != nil {
		return err
	}
	now, err := g.consent(r.Context(), id)
	switch {
	case err == nil && bytes.Equal(res.Rewrite(id, nil, nil), now.res.Raw()):
		w.Header().Set("Idempotency-Replayed", "true")
		if request != nil { // a crash may have come between
			if err := g.told(r.Context(), chart, id, patient); err != nil {
				return err
			}
		}
		return g.consented(w, now, status)
	case err == nil && status == http.StatusCreated:
		return &problem{status: http.StatusUnprocessableEntity, code: "conflict", text: "This Idempotency-Key was used for another Consent. Take a new one."}
	case err != nil && !errors.Is(err, notFound):
		return err
	}
	shares, err := g.shares(r.Context(), who, chart, policy)
	if err != nil {
		return err
	}
	if request != nil {
		if err := g.within(request, shares); err != nil {
			return err
		}
		for i := range shares {
			shares[i].Uses = request.Uses
		}
	}
	if _, err := patient.Agree(r.Context(), id, res.Raw(), shares); err != nil {
		return err
	}
	if request != nil {
		if err := g.told(r.Context(), chart, id, patient); err != nil {
			return err
		}
	}
	if now, err = g.consent(r.Context(), id); err != nil {
		return err
	}
	return g.consented(w, now, status)
}

// told answers a request with the grants of the Consent that it became.
func (g *gateway) told(ctx context.Context, chart, id string, patient *exchange.Patient) error {
	agreed, _, err := patient.Agreements(ctx)
	if err != nil {
		return err
	}
	for _, a := range agreed {
		if a.ID == id {
			inForce := slices.DeleteFunc(slices.Clone(a.Grants), func(s exchange.Shared) bool { return !s.InForce() })
			return g.tell(ctx, chart, id, patient, inForce)
		}
	}
	return nil
}

func (g *gateway) consented(w http.ResponseWriter, m *made, status int) error {
	w.Header().Set("Location", g.Base+"/Consent/"+m.res.ID())
	w.Header().Set("ETag", etag(m.version()))
	w.Header().Set("Last-Modified", m.updated.UTC().Format(http.TimeFormat))
	writeJSON(w, status, m.render())
	return nil
}
