// Package definition knows what FHIR R4 (4.0.1) says of its types, and holds resources against it.
//
// It promises that Validate finds, in one pass over the bytes: elements that R4 doesn't have, values of the wrong JSON type, wrong
// cardinality, choices made twice, primitives of the wrong form, codes outside required bindings, references to the wrong types, empty
// values, and the invariants that this package has as functions (rules_*.go). Each Finding says how bad it is, the FHIRPath, and line
// and column. Time and memory are linear in the resource; at most MaxFindings are told. Findings quote no values: they are health data.
//
// Of what is asked for in part (_summary, _elements) it knows what R4 counts to a summary, and what may not be left out: Brief and Element.
//
// It does not know profiles, slicing, terminologies beyond the value sets of required bindings, or what stands at other servers.
//
//	r, _ := fhir.Parse(`{"resourceType":"Patient","birthDate":"31/12/1980","gendre":"male"}`)
//	definition.Validate(r, nil)  =  error value     Patient.birthDate  line 1, column 38: is no date: …
//	                                error structure Patient            line 1, column 51: gendre is no element of Patient
//
// What R4 says comes from r4.txt, which generate/generate.mjs makes of HL7's definitions (go generate, by hand). It is read once, when it
// is first needed. Its lines are of two forms:
//
//	set administrative-gender http://hl7.org/fhir/ValueSet/administrative-gender
//	 http://hl7.org/fhir/administrative-gender male female other unknown
//
// is a value set, with the codes of each system, and
//
//	type Patient resource DomainResource
//	 gender ?Σ code =administrative-gender
//	 multipleBirth[x] ? boolean|integer
//	 generalPractitioner * Reference(Organization,Practitioner,PractitionerRole)
//	 link *Σ Patient.link
//
// a type, what kind it is and which it extends, with its own elements: ? is 0..1, * 0..*, 1 1..1, + 1..*; Σ says that a summary has it; an !
// before a type says that nothing can be said beside the value (_name). See spec/validation.md.
package definition

//go:generate node generate/generate.mjs
