package gateway

import (
	"encoding/json"
	"strings"

	"vitalog/fhir"
	"vitalog/ips"
	"vitalog/section"
)

type (
	capabilityStatement struct {
		ResourceType   string       `json:"resourceType"`
		Status         string       `json:"status"`
		Date           string       `json:"date"`
		Kind           string       `json:"kind"`
		Implementation description  `json:"implementation"`
		Software       software     `json:"software"`
		FHIRVersion    string       `json:"fhirVersion"`
		Format         []string     `json:"format"`
		PatchFormat    []string     `json:"patchFormat"`
		Rest           []restServer `json:"rest"`
	}
	description struct {
		Description string `json:"description"`
		URL         string `json:"url"`
	}
	software struct {
		Name string `json:"name"`
	}
	restServer struct {
		Mode          string        `json:"mode"`
		Documentation string        `json:"documentation"`
		Security      security      `json:"security"`
		Resource      []restType    `json:"resource"`
		Interaction   []interaction `json:"interaction"`
	}
	security struct {
		CORS        bool      `json:"cors"`
		Service     []concept `json:"service"`
		Description string    `json:"description"`
	}
	concept struct {
		Coding []coding `json:"coding"`
	}
	coding struct {
		System string `json:"system"`
		Code   string `json:"code"`
	}
	restType struct {
		Extension []canonicalExtension `json:"extension,omitempty"`

		Type              string        `json:"type"`
		Documentation     string        `json:"documentation,omitempty"`
		Interaction       []interaction `json:"interaction"`
		Versioning        string        `json:"versioning"`
		ReadHistory       bool          `json:"readHistory"`
		UpdateCreate      bool          `json:"updateCreate"`
		ConditionalCreate bool          `json:"conditionalCreate"`
		ConditionalRead   string        `json:"conditionalRead,omitempty"`
		ConditionalUpdate bool          `json:"conditionalUpdate"`
		ConditionalDelete string        `json:"conditionalDelete,omitempty"`
		ReferencePolicy   []string      `json:"referencePolicy"`
		SearchInclude     []string      `json:"searchInclude,omitempty"`
		SearchRevInclude  []string      `json:"searchRevInclude,omitempty"`
		SearchParam       []searchParam `json:"searchParam"`
		Operation         []operation   `json:"operation,omitempty"`
	}
	canonicalExtension struct {
		URL       string `json:"url"`
		Canonical string `json:"valueCanonical"`
	}
	interaction struct {
		Code string `json:"code"`
	}
	searchParam struct {
		Name          string `json:"name"`
		Type          string `json:"type"`
		Documentation string `json:"documentation,omitempty"`
	}
	operation struct {
		Name       string `json:"name"`
		Definition string `json:"definition"`
	}
)

// statementDate is when the statement last changed in what it says.
const statementDate = "2026-11-28"

// capabilityStatement says exactly what New routes.
func (g *gateway) capabilityStatement() []byte {
	rest := restServer{
		Mode: "server",
		Documentation: "Every read is on the ledger before its answer begins, and the patient sees it. What is not there and what is not shared are answered alike. " +
			"Conditions of creates, updates, patches and deletions look into one chart, which they or the resource name; those on a Patient or a directory's resource are identifier=system|value. " +
			"The history of a type needs patient. Modifiers of searches: :missing; of tokens :not and :text; of strings :exact and :contains; of references a type, :identifier and :text. " +
			"Chains (patient.name, subject:Patient.name), _has, _include, _revinclude and :iterate take any parameter that is a reference. " +
			"_sort, _count, _summary, _elements and _total are taken; _summary and _elements on reads too. Pages: _count and _offset, links self and next.",
		Security: security{true, []concept{{[]coding{{"http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR"}}}},
			"Authorization: Bearer and an access token of this member that names who asks and what for; it lives for five minutes at most. GET " + g.Base + "/.well-known/smart-configuration says where tokens are."},
		Interaction: []interaction{{"transaction"}, {"batch"}},
	}
	for _, t := range fhir.Types() {
		if sections := section.Where(t); sections != nil || isListed(t) {
			rest.Resource = append(rest.Resource, restTypeOf(t))
		}
	}
	for i := range rest.Resource {
		r := &rest.Resource[i]
		r.Operation = append(r.Operation, operation{"validate", "http://hl7.org/fhir/OperationDefinition/Resource-validate"})
	}
	g.saysAcross(&rest)
	if g.Subscriptions != nil {
		rest.Resource = append(rest.Resource, restSubscription())
	}
	b, err := json.Marshal(capabilityStatement{
		ResourceType: "CapabilityStatement", Status: "active", Date: statementDate, Kind: "instance",
		Implementation: description{"FHIR gateway of " + g.Member.Name(), g.Base}, Software: software{"Vitalog"},
		FHIRVersion: "4.0.1", Format: []string{"application/fhir+json", "json"}, PatchFormat: []string{patchMedia}, Rest: []restServer{rest},
	})
	if err != nil { // strings and booleans always marshal
		panic(err)
	}
	return b
}

func restTypeOf(t string) restType {
	listed := isListed(t)
	r := restType{Type: t, Versioning: "versioned", ReadHistory: !listed, ConditionalCreate: true, ConditionalUpdate: true, ConditionalRead: "full-support", ReferencePolicy: []string{"literal", "local"},
		Interaction: []interaction{{"read"}, {"vread"}, {"history-instance"}, {"create"}, {"update"}, {"search-type"}}}
	if t == "Binary" {
		r.ConditionalRead = ""
	} else {
		r.Interaction = append(r.Interaction, interaction{"patch"})
	}
	if !listed {
		r.Interaction = append(r.Interaction, interaction{"history-type"})
	}
	if !listed && t != "Patient" {
		r.Interaction = append(r.Interaction, interaction{"delete"})
		r.ConditionalDelete = "single"
	}
	needed := map[string]string{}
	if t == "Binary" {
		r.Documentation = "Bytes as they are, of any type, come by POST and go by GET, whole or a Range of them; X-Security-Context says whose they are. " +
			"An upload that goes on where it broke: $upload, by tus 1.0.0. " +
			"With a Content-Type or Accept of FHIR JSON they are base64."
	}
	if said := ofLedger[t]; said != "" {
		r.Documentation = said
	}
	switch {
	case t == "Patient":
		r.Operation = []operation{{"everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything"}, {"summary", ips.Operation},
			{"match", "http://hl7.org/fhir/OperationDefinition/Patient-match"}}
		needed["_id"], needed["identifier"] = "this or identifier is required", "this or _id is required, as system|value"
	case !listed:
		needed["patient"] = "this or _id is required"
		r.SearchParam = append(r.SearchParam, searchParam{"patient", "reference", needed["patient"]})
	}
	r.SearchRevInclude = revIncludes[t]
	for _, name := range fhir.SearchParams(t) {
		if fhir.ParamType(t, name) == "reference" {
			r.SearchInclude = append(r.SearchInclude, t+":"+name)
		}
		if name != "patient" || listed {
			r.SearchParam = append(r.SearchParam, searchParam{name, fhir.ParamType(t, name), needed[name]})
		}
	}
	return r
}

// revIncludes are, by type, the parameters that are named after it or refer to any: encounter of an Observation, target of a Provenance.
var revIncludes = func() map[string][]string {
	out := map[string][]string{}
	for _, to := range fhir.Types() {
		for _, from := range fhir.Types() {
			if name := strings.ToLower(to); (section.Where(from) != nil || isListed(from)) && fhir.ParamType(from, name) == "reference" {
				out[to] = append(out[to], from+":"+name)
			}
		}
		if section.Where(to) != nil {
			out[to] = append(out[to], "Provenance:target")
		}
	}
	return out
}()
