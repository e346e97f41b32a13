// Package ihe says in FHIR, as IHE's profiles have it, what the ledger knows: a patient's grants as Consents (Privacy Consent on FHIR, PCF), accesses
// as AuditEvents (Basic Audit Log Patterns, BALP), an author's signature as Provenance. And it reads such a Consent.
//
// It promises that what it reads is never more than what was written: ReadPolicy refuses, with the element and words, everything that it has no
// section, member or period for.
//
//	provision permit, actor Member 1, purpose TREAT, class labs, period … 2027-01   Policy{Actors: Member 1, Purposes: TREAT, Sections: labs, Until: …}
//	provision deny                                                                  an error: nothing is shared unless it is permitted
//
// See spec/consent-fhir.md.
package ihe

import (
	"encoding/json"
	"time"
)

// The code systems that the profiles name.
const (
	ActCode         = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	actReason       = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	participation   = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	roleClass       = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
	consentScope    = "http://terminology.hl7.org/CodeSystem/consentscope"
	dcm             = "http://dicom.nema.org/resources/ontology/DCM"
	auditType       = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	interaction     = "http://hl7.org/fhir/restful-interaction"
	entityType      = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	objectRole      = "http://terminology.hl7.org/CodeSystem/object-role"
	sourceType      = "http://terminology.hl7.org/CodeSystem/security-source-type"
	provenanceType  = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
)

// The systems of names that are this network's own.
const (
	MemberSystem  = "urn:vitalog:member"  // of a member: its name in the genesis
	SectionSystem = "urn:vitalog:section" // of a part of the chart: its name in sections.md
	HandleSystem  = "urn:vitalog:handle"  // of a patient: the text of the card
	EntrySystem   = "urn:vitalog:entry"   // of entries: log, number or numbers
)

type (
	coding struct {
		System  string `json:"system,omitempty"`
		Code    string `json:"code,omitempty"`
		Display string `json:"display,omitempty"`
	}
	concept struct {
		Coding []coding `json:"coding,omitempty"`
		Text   string   `json:"text,omitempty"`
	}
	identifier struct {
		System string `json:"system,omitempty"`
		Value  string `json:"value,omitempty"`
	}
	reference struct {
		Reference  string      `json:"reference,omitempty"`
		Identifier *identifier `json:"identifier,omitempty"`
		Display    string      `json:"display,omitempty"`
	}
	period struct {
		Start string `json:"start,omitempty"`
		End   string `json:"end,omitempty"`
	}
	meta struct {
		Profile []string `json:"profile,omitempty"`
	}
)

func one(system, code, display string) concept {
	return concept{Coding: []coding{{system, code, display}}}
}

// organisation refers to a member.
func organisation(name string) reference {
	return reference{Identifier: &identifier{MemberSystem, name}, Display: name}
}

// instant is a moment as FHIR has it, to the millisecond.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// encode never fails: what it is given are structs of strings.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
