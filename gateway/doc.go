// Package gateway is the FHIR R4 door of a member: an http.Handler in front of package exchange, for the member's own systems.
//
// It promises that a resource comes out with the bytes that it came in with (but for id, version and references), that nothing is
// acknowledged before it is on the ledger, that every read is on the ledger before its answer begins, and that every error is an
// OperationOutcome in plain words with the next step. A transaction is parsed, checked and resolved as a whole before its first write.
// Once writing has begun it can end half way only if the network fails; then the answer is not a success, and what was written stays.
// Sent again with the same Idempotency-Key it is completed, and nothing of it is written twice (spec/import.md).
//
// It refuses who brings no token of its member that names practitioner and purpose; XML; search parameters that it does not know; chart
// searches that name no patient; resources that belong to no patient or to several. It does not tell what is not there from what is not
// shared: both are the same 404, or the same empty search. It logs no path, query, body or name, and keeps nothing.
//
//	POST /fhir/Observation                               →  201 Created
//	Authorization: Bearer eyJhbGciOiJFZERTQSIs…              Location: https://fhir.st-elena.example/fhir/Observation/0b6e…/_history/7
//	Content-Type: application/fhir+json                      ETag: W/"7"
//
//	{"resourceType":"Observation","status":"final",          {"resourceType":"Observation","id":"0b6e…","meta":{"versionId":"7",…},
//	 "subject":{"reference":"Patient/4c1d…"},                 "status":"final","subject":{"reference":"Patient/4c1d…"},
//	 "code":{"text":"Weight"},                                "code":{"text":"Weight"},
//	 "valueQuantity":{"value":70.0,"unit":"kg"}}              "valueQuantity":{"value":70.0,"unit":"kg"}}
//
// and an error:
//
//	GET /fhir/Observation/5af1…                          →  404 Not Found
//
//	{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","diagnostics":
//	 "Not found, or not shared with you for this purpose. Check the address, or ask the patient for access."}]}
//
// What happens in a record is told to those who subscribed to it: package subscription. What integrators need to know is under /docs: package
// manual.
//
// A version id is the number of the entry in its log (of the section that the resource is in).
package gateway
