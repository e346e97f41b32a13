package fhir

import (
	"maps"
	"slices"
	"strings"
)

// paramKind is how a search parameter compares.
type paramKind uint8

const (
	token paramKind = iota + 1
	date
	reference
	str
	uri
	number
	quantity
	composite // its paths are a name in composites
	fulltext
)

// param is a search parameter: how it compares, and where in the resource, paths separated by |.
type param struct {
	kind  paramKind
	paths string
}

// SearchParams are the names by which resources of a type can be searched, sorted.
func SearchParams(resourceType string) []string {
	names := slices.Collect(maps.Keys(params[resourceType]))
	for n := range commonParams {
		names = append(names, n)
	}
	if PatientPaths(resourceType) != "" && !aboutNobody[resourceType] {
		names = append(names, "patient")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lookup is the parameter of a type, false if it has none of that name.
func lookup(resourceType, name string) (param, bool) {
	if p, ok := params[resourceType][name]; ok {
		return p, true
	}
	if p, ok := commonParams[name]; ok {
		return p, true
	}
	if name == "patient" && PatientPaths(resourceType) != "" && !aboutNobody[resourceType] {
		return param{reference, PatientPaths(resourceType)}, true
	}
	return param{}, false
}

// datePaths are where a type's date parameters look, in the order of their names.
var datePaths = func() map[string][]string {
	out := map[string][]string{}
	for t, ps := range params {
		for _, name := range slices.Sorted(maps.Keys(ps)) {
			if ps[name].kind == date {
				out[t] = append(out[t], strings.Split(ps[name].paths, "|")...)
			}
		}
	}
	return out
}()

// commonParams are those of every type. _id and _lastUpdated are compared with what the chart says, not with the resource.
var commonParams = map[string]param{
	"_id":          {token, ""},
	"_lastUpdated": {date, ""},
	"_profile":     {uri, "meta.profile"},
	"_security":    {token, "meta.security"},
	"_source":      {uri, "meta.source"},
	"_tag":         {token, "meta.tag"},
	"identifier":   {token, "identifier"},
	"_content":     {fulltext, "_content"},
	"_text":        {fulltext, "_text"},
}

// composites are pairs of values, most of a code and what it is of, that stand in one element: in the resource itself, or in each that at leads to.
var composites = map[string]struct {
	at    []string
	parts [2]param
}{
	"code-value-quantity":           {[]string{""}, [2]param{{token, "code"}, {quantity, "valueQuantity"}}},
	"code-value-concept":            {[]string{""}, [2]param{{token, "code"}, {token, "valueCodeableConcept"}}},
	"code-value-date":               {[]string{""}, [2]param{{token, "code"}, {date, "valueDateTime|valuePeriod"}}},
	"code-value-string":             {[]string{""}, [2]param{{token, "code"}, {str, "valueString"}}},
	"relationship":                  {[]string{"relatesTo"}, [2]param{{reference, "target"}, {token, "code"}}},
	"component-code-value-quantity": {[]string{"component"}, [2]param{{token, "code"}, {quantity, "valueQuantity"}}},
	"component-code-value-concept":  {[]string{"component"}, [2]param{{token, "code"}, {token, "valueCodeableConcept"}}},
	"combo-code-value-quantity":     {[]string{"", "component"}, [2]param{{token, "code"}, {quantity, "valueQuantity"}}},
	"combo-code-value-concept":      {[]string{"", "component"}, [2]param{{token, "code"}, {token, "valueCodeableConcept"}}},
}

// aboutNobody are types that have no patient parameter though PatientPaths would find one by its default.
var aboutNobody = map[string]bool{"Patient": true, "Organization": true, "Practitioner": true, "PractitionerRole": true, "Location": true,
	"HealthcareService": true, "Endpoint": true, "InsurancePlan": true, "OrganizationAffiliation": true}

type byName = map[string]param

// with adds the parameters that most clinical types share: code and status, as far as R4 gives them to the type.
func with(names string, own byName) byName {
	for _, n := range strings.Fields(names) {
		own[n] = shared[n]
	}
	return own
}

var shared = byName{
	"category":  {token, "category"},
	"code":      {token, "code"},
	"encounter": {reference, "encounter"},
	"intent":    {token, "intent"},
	"priority":  {token, "priority"},
	"status":    {token, "status"},
	"subject":   {reference, "subject"},
	"type":      {token, "type"},
	"performer": {reference, "performer"},
	"requester": {reference, "requester"},
	"author":    {reference, "author"},
	"created":   {date, "created"},
	"based-on":  {reference, "basedOn"},
	"part-of":   {reference, "partOf"},
}

var person = byName{
	"active": {token, "active"}, "address": {str, "address"}, "address-city": {str, "address.city"},
	"address-postalcode": {str, "address.postalCode"}, "address-state": {str, "address.state"}, "address-country": {str, "address.country"}, "address-use": {token, "address.use"},
	"email": {token, "telecom"}, "phone": {token, "telecom"}, "telecom": {token, "telecom"},
	"family": {str, "name.family"}, "given": {str, "name.given"}, "name": {str, "name"}, "gender": {token, "gender"},
	"birthdate": {date, "birthDate"},
}

func personWith(own byName) byName {
	for n, p := range person {
		if _, ok := own[n]; !ok {
			own[n] = p
		}
	}
	return own
}

// params follows the SearchParameters of R4 (https://hl7.org/fhir/R4/searchparameter-registry.html). A type's date is what R4 says it is
// and not the time that comes to mind first: a MedicationRequest has its in dosageInstruction, and authoredon apart from it.
var params = map[string]byName{
	"AllergyIntolerance": with("category code type", byName{"date": {date, "recordedDate"}, "onset": {date, "reaction.onset"},
		"last-date": {date, "lastOccurrence"}, "asserter": {reference, "asserter"}, "recorder": {reference, "recorder"}, "manifestation": {token, "reaction.manifestation"}, "route": {token, "reaction.exposureRoute"}, "severity": {token, "reaction.severity"}, "clinical-status": {token, "clinicalStatus"}, "verification-status": {token, "verificationStatus"},
		"criticality": {token, "criticality"}}),
	"AdverseEvent": with("category subject", byName{"date": {date, "date"}}),
	"Account":      with("status subject type", byName{"period": {date, "servicePeriod"}}),
	"Appointment":  with("status", byName{"date": {date, "start"}}),
	"AuditEvent":   with("type", byName{"date": {date, "recorded"}, "action": {token, "action"}, "outcome": {token, "outcome"}, "subtype": {token, "subtype"}, "agent": {reference, "agent.who"}, "agent-name": {str, "agent.name"}, "entity": {reference, "entity.what"}}),
	"Basic":        with("code subject author created", byName{}),
	"Bundle":       with("type", byName{"timestamp": {date, "timestamp"}}),
	"CarePlan": with("category encounter intent status subject based-on part-of", byName{"activity-code": {token, "activity.detail.code"}, "activity-date": {date, "activity.detail.scheduledTiming|activity.detail.scheduledPeriod"}, "activity-reference": {reference, "activity.reference"},
		"instantiates-canonical": {uri, "instantiatesCanonical"}, "instantiates-uri": {uri, "instantiatesUri"}, "replaces": {reference, "replaces"}, "date": {date, "period"}, "performer": {reference, "activity.detail.performer"}, "care-team": {reference, "careTeam"}, "goal": {reference, "goal"}, "condition": {reference, "addresses"}}),
	"CareTeam":           with("category encounter status subject", byName{"date": {date, "period"}, "participant": {reference, "participant.member"}}),
	"ChargeItem":         with("code subject", byName{"factor-override": {number, "factorOverride"}, "price-override": {quantity, "priceOverride"}, "quantity": {quantity, "quantity"}, "entered-date": {date, "enteredDate"}, "context": {reference, "context"}, "occurrence": {date, "occurrenceDateTime|occurrencePeriod|occurrenceTiming"}}),
	"Claim":              with("status priority created", byName{"use": {token, "use"}, "encounter": {reference, "item.encounter"}, "provider": {reference, "provider"}, "facility": {reference, "facility"}}),
	"ClaimResponse":      with("status created", byName{"use": {token, "use"}, "outcome": {token, "outcome"}, "request": {reference, "request"}}),
	"ClinicalImpression": with("encounter status subject", byName{"date": {date, "effectiveDateTime|effectivePeriod"}}),
	"Communication":      with("category encounter status subject based-on part-of", byName{"sent": {date, "sent"}, "received": {date, "received"}}),
	"CommunicationRequest": with("category encounter status subject priority requester based-on", byName{"authored": {date, "authoredOn"},
		"occurrence": {date, "occurrenceDateTime|occurrencePeriod"}}),
	"Composition": with("category encounter status subject type author", byName{"date": {date, "date"}, "period": {date, "event.period"}, "title": {str, "title"}}),
	"Condition": with("category code encounter subject", byName{"clinical-status": {token, "clinicalStatus"},
		"verification-status": {token, "verificationStatus"}, "severity": {token, "severity"}, "body-site": {token, "bodySite"},
		"onset-date": {date, "onsetDateTime|onsetPeriod"}, "abatement-date": {date, "abatementDateTime|abatementPeriod"},
		"onset-age": {quantity, "onsetAge|onsetRange"}, "onset-info": {str, "onsetString"}, "abatement-age": {quantity, "abatementAge|abatementRange"}, "abatement-string": {str, "abatementString"}, "stage": {token, "stage.summary"}, "evidence": {token, "evidence.code"}, "evidence-detail": {reference, "evidence.detail"},
		"recorded-date": {date, "recordedDate"}, "asserter": {reference, "asserter"}}),
	"Consent":                    with("category status", byName{"date": {date, "dateTime"}, "scope": {token, "scope"}, "period": {date, "provision.period"}, "action": {token, "provision.action"}, "purpose": {token, "provision.purpose"}, "security-label": {token, "provision.securityLabel"}, "actor": {reference, "provision.actor.reference"}}),
	"Contract":                   with("status subject", byName{"issued": {date, "issued"}, "url": {uri, "url"}}),
	"Coverage":                   with("status type", byName{"beneficiary": {reference, "beneficiary"}, "payor": {reference, "payor"}}),
	"CoverageEligibilityRequest": with("status created", byName{}), "CoverageEligibilityResponse": with("status created", byName{}),
	"DetectedIssue":      with("code", byName{"identified": {date, "identifiedDateTime|identifiedPeriod"}}),
	"Device":             with("status type", byName{"location": {reference, "location"}, "organization": {reference, "owner"}, "udi-carrier": {str, "udiCarrier.carrierHRF"}, "udi-di": {str, "udiCarrier.deviceIdentifier"}, "url": {uri, "url"}, "model": {str, "modelNumber"}, "manufacturer": {str, "manufacturer"}, "device-name": {str, "deviceName.name|type.coding.display|type.text"}}),
	"DeviceMetric":       with("category type", byName{"source": {reference, "source"}}),
	"DeviceRequest":      with("encounter intent status subject requester performer based-on", byName{"code": {token, "codeCodeableConcept"}, "authored-on": {date, "authoredOn"}, "event-date": {date, "occurrenceDateTime|occurrencePeriod"}}),
	"DeviceUseStatement": with("subject", byName{"device": {reference, "device"}}),
	"DiagnosticReport": with("category code encounter status subject performer based-on", byName{"media": {reference, "media.link"}, "results-interpreter": {reference, "resultsInterpreter"}, "date": {date, "effectiveDateTime|effectivePeriod"},
		"issued": {date, "issued"}, "conclusion": {token, "conclusionCode"}, "result": {reference, "result"}, "specimen": {reference, "specimen"}}),
	"DocumentManifest": with("status subject type author created", byName{"description": {str, "description"}}),
	"DocumentReference": with("category status subject type author", byName{"authenticator": {reference, "authenticator"}, "format": {token, "content.format"}, "language": {token, "content.attachment.language"}, "location": {uri, "content.attachment.url"},
		"relatesto": {reference, "relatesTo.target"}, "relation": {token, "relatesTo.code"}, "relationship": {composite, "relationship"}, "date": {date, "date"}, "period": {date, "context.period"},
		"encounter": {reference, "context.encounter"}, "custodian": {reference, "custodian"}, "contenttype": {token, "content.attachment.contentType"},
		"description": {str, "description"}, "security-label": {token, "securityLabel"}, "facility": {token, "context.facilityType"},
		"setting": {token, "context.practiceSetting"}, "event": {token, "context.event"}, "related": {reference, "context.related"}}),
	"Encounter": with("status subject type based-on part-of", byName{"date": {date, "period"}, "class": {token, "class"}, "participant": {reference, "participant.individual"},
		"practitioner": {reference, "participant.individual"}, "service-provider": {reference, "serviceProvider"}, "location": {reference, "location.location"},
		"length": {quantity, "length"}, "account": {reference, "account"}, "participant-type": {token, "participant.type"}, "special-arrangement": {token, "hospitalization.specialArrangement"},
		"location-period": {date, "location.period"}, "reason-code": {token, "reasonCode"}, "reason-reference": {reference, "reasonReference"},
		"diagnosis": {reference, "diagnosis.condition"}, "episode-of-care": {reference, "episodeOfCare"}, "appointment": {reference, "appointment"}}),
	"EpisodeOfCare": with("status type", byName{"date": {date, "period"}, "condition": {reference, "diagnosis.condition"}, "organization": {reference, "managingOrganization"}}),
	"ExplanationOfBenefit": with("status created", byName{"claim": {reference, "claim"}, "coverage": {reference, "insurance.coverage"}, "encounter": {reference, "item.encounter"},
		"facility": {reference, "facility"}, "provider": {reference, "provider"}, "care-team": {reference, "careTeam.provider"}, "disposition": {str, "disposition"}}),
	"FamilyMemberHistory": with("status", byName{"date": {date, "date"}, "code": {token, "condition.code"}, "relationship": {token, "relationship"}, "sex": {token, "sex"}}),
	"Flag":                with("encounter subject author", byName{"date": {date, "period"}}),
	"Goal":                with("category subject", byName{"lifecycle-status": {token, "lifecycleStatus"}, "achievement-status": {token, "achievementStatus"}, "start-date": {date, "startDate"}, "target-date": {date, "target.dueDate"}, "description": {token, "description"}}),
	"GuidanceResponse":    with("subject", byName{"request": {token, "requestIdentifier"}}),
	"ImagingStudy": with("encounter status subject", byName{"started": {date, "started"}, "modality": {token, "series.modality|modality"},
		"bodysite": {token, "series.bodySite"}, "basedon": {reference, "basedOn"}, "series": {token, "series.uid"}, "instance": {token, "series.instance.uid"},
		"dicom-class": {token, "series.instance.sopClass"}, "performer": {reference, "series.performer.actor"}}),
	"Immunization": with("status", byName{"reaction": {reference, "reaction.detail"}, "reason-reference": {reference, "reasonReference"}, "series": {str, "protocolApplied.series"}, "date": {date, "occurrenceDateTime"}, "vaccine-code": {token, "vaccineCode"}, "location": {reference, "location"},
		"lot-number": {str, "lotNumber"}, "status-reason": {token, "statusReason"}, "reason-code": {token, "reasonCode"}, "manufacturer": {reference, "manufacturer"},
		"performer": {reference, "performer.actor"}, "target-disease": {token, "protocolApplied.targetDisease"}, "reaction-date": {date, "reaction.date"}}),
	"ImmunizationEvaluation":     with("status", byName{"date": {date, "date"}, "target-disease": {token, "targetDisease"}, "dose-status": {token, "doseStatus"}}),
	"ImmunizationRecommendation": byName{"date": {date, "date"}, "vaccine-type": {token, "recommendation.vaccineCode"}, "status": {token, "recommendation.forecastStatus"}, "target-disease": {token, "recommendation.targetDisease"}},
	"Invoice":                    with("status subject type", byName{"totalgross": {quantity, "totalGross"}, "totalnet": {quantity, "totalNet"}, "date": {date, "date"}}),
	"List":                       with("code encounter status subject", byName{"date": {date, "date"}, "item": {reference, "entry.item"}, "title": {str, "title"}, "source": {reference, "source"}}),
	"MeasureReport":              with("status subject", byName{"date": {date, "date"}, "period": {date, "period"}}),
	"Media":                      with("encounter status subject type based-on", byName{"created": {date, "createdDateTime|createdPeriod"}, "modality": {token, "modality"}, "view": {token, "view"}, "device": {reference, "device"}}),
	"Medication":                 with("code status", byName{"ingredient": {reference, "ingredient.itemReference"}, "ingredient-code": {token, "ingredient.itemCodeableConcept"}, "manufacturer": {reference, "manufacturer"}, "form": {token, "form"}, "lot-number": {token, "batch.lotNumber"}, "expiration-date": {date, "batch.expirationDate"}}),
	"MedicationAdministration": with("status subject", byName{"code": {token, "medicationCodeableConcept"}, "context": {reference, "context"}, "effective-time": {date, "effectiveDateTime|effectivePeriod"},
		"medication": {reference, "medicationReference"}, "request": {reference, "request"}, "performer": {reference, "performer.actor"}, "reason-given": {token, "reasonCode"}}),
	"MedicationDispense": with("status subject type", byName{"code": {token, "medicationCodeableConcept"}, "context": {reference, "context"}, "medication": {reference, "medicationReference"},
		"whenhandedover": {date, "whenHandedOver"}, "whenprepared": {date, "whenPrepared"}, "prescription": {reference, "authorizingPrescription"}, "performer": {reference, "performer.actor"}}),
	"MedicationRequest": with("category encounter intent priority status subject requester", byName{"intended-performer": {reference, "performer"}, "intended-performertype": {token, "performerType"}, "code": {token, "medicationCodeableConcept"},
		"medication": {reference, "medicationReference"}, "authoredon": {date, "authoredOn"}, "date": {date, "dosageInstruction.timing"},
		"intended-dispenser": {reference, "dispenseRequest.performer"}}),
	"MedicationStatement": with("category status subject part-of", byName{"code": {token, "medicationCodeableConcept"}, "medication": {reference, "medicationReference"},
		"effective": {date, "effectiveDateTime|effectivePeriod"}, "context": {reference, "context"}, "source": {reference, "informationSource"}}),
	"NutritionOrder": with("encounter status", byName{"datetime": {date, "dateTime"}}),
	"Observation": with("category code encounter status subject performer based-on part-of", byName{"date": {date, "effectiveDateTime|effectivePeriod|effectiveTiming|effectiveInstant"},
		"value-quantity": {quantity, "valueQuantity"}, "component-value-quantity": {quantity, "component.valueQuantity"}, "combo-value-quantity": {quantity, "valueQuantity|component.valueQuantity"},
		"combo-value-concept": {token, "valueCodeableConcept|component.valueCodeableConcept"}, "component-value-concept": {token, "component.valueCodeableConcept"},
		"combo-data-absent-reason": {token, "dataAbsentReason|component.dataAbsentReason"}, "component-data-absent-reason": {token, "component.dataAbsentReason"},
		"code-value-quantity": {composite, "code-value-quantity"}, "code-value-concept": {composite, "code-value-concept"}, "code-value-date": {composite, "code-value-date"}, "code-value-string": {composite, "code-value-string"},
		"component-code-value-quantity": {composite, "component-code-value-quantity"}, "component-code-value-concept": {composite, "component-code-value-concept"},
		"combo-code-value-quantity": {composite, "combo-code-value-quantity"}, "combo-code-value-concept": {composite, "combo-code-value-concept"},
		"value-concept": {token, "valueCodeableConcept"}, "value-date": {date, "valueDateTime|valuePeriod"}, "value-string": {str, "valueString"},
		"component-code": {token, "component.code"}, "combo-code": {token, "code|component.code"}, "data-absent-reason": {token, "dataAbsentReason"},
		"specimen": {reference, "specimen"}, "device": {reference, "device"}, "has-member": {reference, "hasMember"}, "derived-from": {reference, "derivedFrom"},
		"method": {token, "method"}, "focus": {reference, "focus"}}),
	"Patient": personWith(byName{"death-date": {date, "deceasedDateTime"}, "deceased": {token, "deceasedBoolean"}, "language": {token, "communication.language"},
		"general-practitioner": {reference, "generalPractitioner"}, "organization": {reference, "managingOrganization"}, "link": {reference, "link.other"}}),
	"Person":                personWith(byName{}),
	"RelatedPerson":         personWith(byName{"relationship": {token, "relationship"}}),
	"Procedure":             with("category code encounter status subject based-on part-of", byName{"instantiates-canonical": {uri, "instantiatesCanonical"}, "instantiates-uri": {uri, "instantiatesUri"}, "date": {date, "performedDateTime|performedPeriod"}, "performer": {reference, "performer.actor"}, "location": {reference, "location"}, "reason-code": {token, "reasonCode"}, "reason-reference": {reference, "reasonReference"}}),
	"Provenance":            byName{"location": {reference, "location"}, "signature-type": {token, "signature.type"}, "recorded": {date, "recorded"}, "when": {date, "occurredDateTime|occurredPeriod"}, "target": {reference, "target"}, "agent": {reference, "agent.who"}, "agent-type": {token, "agent.type"}, "agent-role": {token, "agent.role"}, "entity": {reference, "entity.what"}},
	"QuestionnaireResponse": with("encounter status subject author based-on part-of", byName{"authored": {date, "authored"}, "questionnaire": {uri, "questionnaire"}, "source": {reference, "source"}}),
	"RequestGroup":          with("code encounter intent priority status subject author", byName{"authored": {date, "authoredOn"}}),
	"ResearchSubject":       with("status", byName{"date": {date, "period"}, "individual": {reference, "individual"}, "study": {reference, "study"}}),
	"RiskAssessment":        with("encounter subject", byName{"probability": {number, "prediction.probabilityDecimal|prediction.probabilityRange"}, "date": {date, "occurrenceDateTime"}, "condition": {reference, "condition"}, "method": {token, "method"}, "risk": {token, "prediction.qualitativeRisk"}}),
	"ServiceRequest": with("category code encounter intent priority status subject performer requester based-on", byName{"authored": {date, "authoredOn"},
		"occurrence": {date, "occurrenceDateTime|occurrencePeriod|occurrenceTiming"}, "specimen": {reference, "specimen"}, "body-site": {token, "bodySite"}}),
	"Specimen":           with("status subject type", byName{"collected": {date, "collection.collectedDateTime|collection.collectedPeriod"}, "accession": {token, "accessionIdentifier"}, "bodysite": {token, "collection.bodySite"}}),
	"SupplyDelivery":     with("status", byName{"supplier": {reference, "supplier"}, "receiver": {reference, "receiver"}}),
	"SupplyRequest":      with("category status requester", byName{"date": {date, "authoredOn"}, "subject": {reference, "deliverTo"}}),
	"Task":               with("code encounter intent priority status requester based-on part-of", byName{"authored-on": {date, "authoredOn"}, "modified": {date, "lastModified"}, "period": {date, "executionPeriod"}, "owner": {reference, "owner"}, "focus": {reference, "focus"}, "subject": {reference, "for"}, "business-status": {token, "businessStatus"}}),
	"VisionPrescription": with("encounter status", byName{"datewritten": {date, "dateWritten"}, "prescriber": {reference, "prescriber"}}),

	"Endpoint":                with("status", byName{"name": {str, "name"}, "connection-type": {token, "connectionType"}, "payload-type": {token, "payloadType"}, "organization": {reference, "managingOrganization"}}),
	"HealthcareService":       byName{"name": {str, "name"}, "active": {token, "active"}, "service-category": {token, "category"}, "service-type": {token, "type"}, "specialty": {token, "specialty"}, "organization": {reference, "providedBy"}, "location": {reference, "location"}, "endpoint": {reference, "endpoint"}},
	"InsurancePlan":           with("status type", byName{"name": {str, "name|alias"}, "owned-by": {reference, "ownedBy"}, "administered-by": {reference, "administeredBy"}}),
	"Location":                with("status type", byName{"address-use": {token, "address.use"}, "name": {str, "name|alias"}, "address": {str, "address"}, "address-city": {str, "address.city"}, "address-state": {str, "address.state"}, "address-postalcode": {str, "address.postalCode"}, "address-country": {str, "address.country"}, "organization": {reference, "managingOrganization"}, "partof": {reference, "partOf"}, "operational-status": {token, "operationalStatus"}, "endpoint": {reference, "endpoint"}}),
	"Organization":            with("type", byName{"address-use": {token, "address.use"}, "name": {str, "name|alias"}, "active": {token, "active"}, "address": {str, "address"}, "address-city": {str, "address.city"}, "address-state": {str, "address.state"}, "address-postalcode": {str, "address.postalCode"}, "address-country": {str, "address.country"}, "partof": {reference, "partOf"}, "endpoint": {reference, "endpoint"}}),
	"OrganizationAffiliation": byName{"active": {token, "active"}, "date": {date, "period"}, "primary-organization": {reference, "organization"}, "participating-organization": {reference, "participatingOrganization"}, "role": {token, "code"}, "specialty": {token, "specialty"}, "location": {reference, "location"}},
	"Practitioner":            personWith(byName{"communication": {token, "communication"}}),
	"PractitionerRole":        byName{"active": {token, "active"}, "date": {date, "period"}, "practitioner": {reference, "practitioner"}, "organization": {reference, "organization"}, "location": {reference, "location"}, "role": {token, "code"}, "specialty": {token, "specialty"}, "service": {reference, "healthcareService"}, "endpoint": {reference, "endpoint"}, "phone": {token, "telecom"}, "email": {token, "telecom"}, "telecom": {token, "telecom"}},
	"Schedule":                byName{"active": {token, "active"}, "date": {date, "planningHorizon"}, "actor": {reference, "actor"}, "service-type": {token, "serviceType"}, "specialty": {token, "specialty"}},
	"Slot":                    with("status", byName{"start": {date, "start"}, "schedule": {reference, "schedule"}, "service-type": {token, "serviceType"}, "specialty": {token, "specialty"}}),
	"Questionnaire":           with("code status", byName{"date": {date, "date"}, "name": {str, "name"}, "title": {str, "title"}, "url": {uri, "url"}, "version": {token, "version"}, "publisher": {str, "publisher"}}),
	"ValueSet":                with("status", byName{"date": {date, "date"}, "name": {str, "name"}, "title": {str, "title"}, "url": {uri, "url"}, "version": {token, "version"}}),
	"CodeSystem":              with("status", byName{"date": {date, "date"}, "name": {str, "name"}, "title": {str, "title"}, "url": {uri, "url"}, "version": {token, "version"}}),
	"StructureDefinition":     with("status", byName{"date": {date, "date"}, "name": {str, "name"}, "title": {str, "title"}, "url": {uri, "url"}, "version": {token, "version"}, "type": {uri, "type"}}),
	"ResearchStudy":           with("category status", byName{"date": {date, "period"}, "title": {str, "title"}, "sponsor": {reference, "sponsor"}, "site": {reference, "site"}, "focus": {token, "focus"}}),
}
