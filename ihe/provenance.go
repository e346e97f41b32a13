package ihe

import (
	"encoding/base64"
	"fmt"
	"time"
)

// Authored is a record, and who signed for what is in it.
type Authored struct {
	ID       string
	Chart    string
	Targets  []string  // references with their versions
	Recorded time.Time // by the ledger's clock
	Created  time.Time // by the author's
	Log      string
	Entry    uint64
	Block    uint64

	Member                   string // "": the patient, or a device of theirs
	Practitioner, Name, Role string
	Attestation              []byte // nil: the signature is over something else than these resources (an attachment's manifest)
}

// SignatureFormat is the media type of an attestation: spec/content.md.
const SignatureFormat = "application/vnd.vitalog.attestation"

type (
	provenance struct {
		ResourceType string            `json:"resourceType"`
		ID           string            `json:"id"`
		Target       []reference       `json:"target"`
		Occurred     string            `json:"occurredDateTime"`
		Recorded     string            `json:"recorded"`
		Agent        []provenanceAgent `json:"agent"`
		Entity       []provenanceFrom  `json:"entity"`
		Signature    []signature       `json:"signature,omitempty"`
	}
	provenanceAgent struct {
		Type       concept    `json:"type"`
		Role       []concept  `json:"role,omitempty"`
		Who        reference  `json:"who"`
		OnBehalfOf *reference `json:"onBehalfOf,omitempty"`
	}
	provenanceFrom struct {
		Role string    `json:"role"`
		What reference `json:"what"`
	}
	signature struct {
		Type   []coding  `json:"type"`
		When   string    `json:"when"`
		Who    reference `json:"who"`
		Format string    `json:"sigFormat"`
		Data   string    `json:"data"`
	}
)

// Provenance is who wrote a record, with the signature that proves it and the entry that holds it.
func (a *Authored) Provenance() []byte {
	p := provenance{ResourceType: "Provenance", ID: a.ID, Occurred: instant(a.Created), Recorded: instant(a.Recorded)}
	for _, t := range a.Targets {
		p.Target = append(p.Target, reference{Reference: t})
	}
	by := reference{Reference: "Patient/" + a.Chart}
	if a.Member != "" {
		by = organisation(a.Member)
	}
	author := one(provenanceType, "author", "")
	if a.Practitioner == "" {
		p.Agent = []provenanceAgent{{Type: author, Who: by}}
	} else {
		person := provenanceAgent{Type: author, Who: reference{Identifier: &identifier{Value: a.Practitioner}, Display: a.Name}, OnBehalfOf: &by}
		if a.Role != "" {
			person.Role = []concept{{Text: a.Role}}
		}
		p.Agent = []provenanceAgent{person}
	}
	p.Entity = []provenanceFrom{{"source", reference{Identifier: &identifier{EntrySystem, fmt.Sprint(a.Log, " ", a.Entry)}, Display: fmt.Sprint("entry ", a.Entry, " of the log, block ", a.Block)}}}
	if a.Attestation != nil {
		p.Signature = []signature{{[]coding{{"urn:iso-astm:E1762-95:2013", "1.2.840.10065.1.12.1.1", "Author's Signature"}}, instant(a.Created), by, SignatureFormat,
			base64.StdEncoding.EncodeToString(a.Attestation)}}
	}
	return encode(p)
}
