// Package ips composes the patient summary of a chart that is open: a document by the International Patient Summary (IPS 2.0.0) of HL7.
//
// It promises that nothing is in the document but what is in the chart that it was given and, of the directory, what that refers to; that what
// isn't shared and what isn't there look alike; and that narratives are escaped. It opens nothing, and refuses nothing: who calls it has
// opened Sections, with the access that this leaves, and looked whether the asker may see all of Types.
//
//	chart: Patient, Condition active, Condition resolved, MedicationRequest stopped
//	→ Composition  Problem List                 the active Condition
//	               Allergies and Intolerances   emptyReason unavailable
//	               Medication Summary           emptyReason unavailable
//	               History of Past Problems     the resolved Condition
//
// See spec/ips.md.
package ips

import (
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"vitalog/chart"
	"vitalog/section"
	"vitalog/wire"
)

// The profiles that a document is made by.
const (
	Version            = "2.0.0"
	BundleProfile      = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
	CompositionProfile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
	Operation          = "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"
)

// Summary is what a document is made of. All fields are required.
type Summary struct {
	ID      [16]byte  // of the document, drawn for it
	At      time.Time // of the document
	Base    string    // of the FHIR endpoint, without slash at the end
	Member  string    // name of the one that composes it
	Patient string    // id of the chart
	Chart   *chart.Chart
	Listed  func(kind, id string) []byte // a resource of the directory, nil if it has none
}

// Sections are those that a summary is made of. The sensitive ones may hold parts of it, where they are shared.
func Sections() []section.Section {
	return slices.DeleteFunc(section.Clinical(), func(s section.Section) bool { return s == section.Encounters || s == section.Coverage })
}

// Types are the types of resources that a summary may not lack, in order.
func Types() []string {
	all := map[string]bool{"Patient": true, "Device": true, "Medication": true}
	for _, p := range parts {
		for _, t := range p.types {
			all[t] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// uuid is the one of something that is made for the document.
func (s *Summary) uuid(of string) string {
	h := wire.Sum("vitalog/v1/ips", s.ID[:], []byte(of))
	return uuidText([16]byte(h[:16]))
}

// uuidText is 16 bytes as a UUID of version 8 (RFC 9562).
func uuidText(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return "urn:uuid:" + x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
