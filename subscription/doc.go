// Package subscription tells a member's systems what happens in the records of their patients: FHIR Subscriptions (R5 Backport for R4), by
// REST hook.
//
// It promises that an event that the ledger has is told to each subscriber who may know it, in the ledger's order, at least once, over
// restarts and outages of the member and of the endpoint; that its number is durable before it is first told and never another's; that
// whether a subscriber may know it is decided by the grants in force when it is sent; and that whatever shows a resource was opened by
// exchange.Open, so that the patient sees it. It refuses endpoints that the operator did not list, redirects, and resources of which the
// topic has none. Subscriptions, with the secrets of their endpoints, are sealed at rest; those secrets are never given back.
//
//	ledger      labs entry 28: record            the patient's grant to this member covers it
//	on disk     event 5: labs 28 Observation/0b6e…, durable; then the cursor of labs stands at 29
//	endpoint    POST {"resourceType":"Bundle","type":"history","entry":[{"resource":{"resourceType":"Parameters",… "event-number" "5"
//	on disk     sent 5
//
// See spec/subscriptions.md for the crash points.
package subscription
