package gateway

import (
	"context"
	"net/http"
	"slices"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
)

// deny ends what a Consent denies to whom, and then writes it down. Everybody is each member but the one that has the patient's keys in custody, which
// can't lock itself out.
func (g *gateway) deny(ctx context.Context, id string, patient *exchange.Patient, res *fhir.Resource, p *ihe.Policy) error {
	denied, err := g.denied(p)
	if err != nil {
		return err
	}
	return patient.Deny(ctx, id, res.Raw(), func(s exchange.Shared) bool {
		return s.Member >= 0 && s.Reads() && denied(s.Member, s.Purpose) && slices.Contains(p.Sections, s.Section)
	})
}

// denied tells whether a denial is about a member and a purpose.
func (g *gateway) denied(p *ihe.Policy) (func(member int, purpose string) bool, error) {
	var members []int
	for _, a := range p.Actors {
		n, ok := g.memberOf(a)
		if !ok {
			return nil, invalidAt("Consent.provision.actor", "Who is denied is no member of the network. Name one as an identifier of system %s.", ihe.MemberSystem)
		}
		if n == g.Member.Number() {
			return nil, invalidAt("Consent.provision.actor", "This member has the patient's keys in custody, so nothing can be denied to it. Name others, or nobody to mean all others.")
		}
		members = append(members, n)
	}
	return func(member int, purpose string) bool {
		about := slices.Contains(members, member) || members == nil && member != g.Member.Number()
		return about && (p.Purposes == nil || slices.Contains(p.Purposes, purpose))
	}, nil
}

// denialOf is what an agreement denies, nil if it permits.
func denialOf(a *exchange.Agreement) (*ihe.Policy, error) {
	res, err := fhir.Parse(a.Consent)
	if err != nil {
		return nil, err
	}
	p, err := ihe.ReadPolicy(res)
	if err != nil || !p.Denies {
		return nil, err
	}
	return p, nil
}

// undenied refuses shares that another Consent of the patient's denies and that the patient has not ended.
func (g *gateway) undenied(ctx context.Context, id string, patient *exchange.Patient, shares []exchange.Share) error {
	agreed, _, err := patient.Agreements(ctx)
	if err != nil {
		return err
	}
	for i := range agreed {
		p, err := denialOf(&agreed[i])
		if err != nil {
			return err
		}
		if p == nil || p.Status != "active" || agreed[i].ID == id {
			continue
		}
		denied, err := g.denied(p)
		if err != nil {
			return err
		}
		for _, s := range shares {
			for _, x := range s.Sections {
				if denied(s.Member, s.Purpose) && slices.Contains(p.Sections, x) {
					return &problem{status: http.StatusUnprocessableEntity, code: "business-rule", at: "Consent.provision",
						text: "Consent/" + agreed[i].ID + " denies some of this, and the patient has not ended it. End it first, or permit less."}
				}
			}
		}
	}
	return nil
}

// endDenial writes down that a denial has ended. What it ended stays so until it is granted anew.
func (g *gateway) endDenial(ctx context.Context, patient *exchange.Patient, a *exchange.Agreement) error {
	raw, err := ihe.WithStatus(a.Consent, "inactive")
	if err != nil {
		return err
	}
	return patient.Deny(ctx, a.ID, raw, func(exchange.Shared) bool { return false })
}
