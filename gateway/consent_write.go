package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
)

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
	if !matches(r.Header.Get("If-Match"), now.version()) {
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
		if a.ID != m.res.ID() {
			continue
		}
		if denial, err := denialOf(&a); err != nil {
			return err
		} else if denial != nil {
			return g.endDenial(ctx, patient, &a)
		}
		list = a.Grants
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
	if policy.Denies {
		if request != nil {
			return invalidAt("Consent.provision.type", "This is the answer to a request. To say no give it the status rejected, and write what is denied as a Consent of its own.")
		}
		if err := g.deny(r.Context(), id, patient, res, policy); err != nil {
			return err
		}
		if now, err = g.consent(r.Context(), id); err != nil {
			return err
		}
		return g.consented(w, now, status)
	}
	shares, err := g.shares(r.Context(), who, chart, policy)
	if err != nil {
		return err
	}
	if err := g.undenied(r.Context(), id, patient, shares); err != nil {
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
