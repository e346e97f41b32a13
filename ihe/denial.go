package ihe

import (
	"vitalog/fhir"
	"vitalog/section"
)

// deny reads a provision that denies (PCF's dissent): what it doesn't name it means all of, so that nothing is left shared that it may have meant.
func (p *Policy) deny(in *provisionIn) (err error) {
	const at = "provision"
	if err := in.unknown(at); err != nil {
		return err
	}
	switch {
	case p.Status == "proposed":
		return wrong(fhir.Unsupported, at+".type", "denies: what is asked for is to be permitted")
	case in.Provision != nil:
		return wrong(fhir.Unsupported, at+".provision", "permits an exception to what is denied, also to who breaks the glass, which the ledger has no operation for. Write what is permitted as a Consent of its own, "+
			"such as one for the purpose ETREAT, before the denial, and name in the denial whom else it is about")
	case in.Period != nil || in.DataPeriod != nil || in.Data != nil:
		return wrong(fhir.Unsupported, at, "denies for a period or some data. What is granted ends for good, in whole sections. Deny without them, and permit anew what is to stay")
	case len(in.Actor) > MaxActors:
		return wrong(fhir.Invalid, at+".actor", "are more than %d", MaxActors)
	}
	if p.Actors, err = in.actors(at); err != nil {
		return err
	}
	if p.Purposes, err = in.purposes(at); err != nil {
		return err
	}
	if p.Sections, err = in.sections(at); err == nil && p.Sections == nil {
		p.Sections = section.Clinical()
	}
	return err
}
