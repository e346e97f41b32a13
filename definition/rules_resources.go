package definition

import (
	"strings"

	"vitalog/fhir"
)

// resourceRules are the invariants of resources and their parts.
var resourceRules = map[string][]rule{
	"AllergyIntolerance": {
		must("ait-1", "needs a clinicalStatus, unless it was entered in error", func(o *object) bool { return o.allergyInError() || o.has("clinicalStatus") }),
		must("ait-2", "was entered in error and has a clinicalStatus", func(o *object) bool { return !o.allergyInError() || !o.has("clinicalStatus") }),
	},
	"Appointment": {
		must("app-2", "has one of start and end, where it needs both or neither", func(o *object) bool { return o.has("start") == o.has("end") }),
		must("app-3", "needs start and end, unless it is proposed, cancelled or on the waitlist", func(o *object) bool {
			return o.has("start") && o.has("end") || o.is("status", "proposed", "cancelled", "waitlist")
		}),
		must("app-4", "has a cancelationReason, and is neither cancelled nor a noshow", func(o *object) bool { return !o.has("cancelationReason") || o.is("status", "noshow", "cancelled") }),
	},
	"Appointment.participant": {must("app-1", "needs a type or an actor", func(o *object) bool { return o.any("type", "actor") })},
	"AppointmentResponse":     {must("apr-1", "needs a participantType or an actor", func(o *object) bool { return o.any("participantType", "actor") })},
	"AuditEvent.entity":       {must("sev-1", "has both a name and a query", func(o *object) bool { return !o.has("name") || !o.has("query") })},
	"Bundle": {
		must("bdl-1", "has a total, and is neither searchset nor history", func(o *object) bool { return !o.has("total") || o.is("type", "searchset", "history") }),
		must("bdl-2", "has an entry with search, and is no searchset", func(o *object) bool { return o.is("type", "searchset") || o.none("entry", "search") }),
		must("bdl-3", "needs a request in every entry if it is a batch, transaction or history, and else in none", func(o *object) bool {
			want := o.is("type", "batch", "transaction", "history")
			return o.all("entry", func(e fhir.Value) bool { return (e.Get("request") != nil) == want })
		}),
		must("bdl-4", "needs a response in every entry if it is a history or an answer to a batch or transaction, and else in none", func(o *object) bool {
			want := o.is("type", "batch-response", "transaction-response", "history")
			return o.all("entry", func(e fhir.Value) bool { return (e.Get("response") != nil) == want })
		}),
		must("bdl-7", "has the same fullUrl, or the same version of it, twice", func(o *object) bool {
			return o.is("type", "history") || distinct(func(f func(string)) {
				o.all("entry", func(e fhir.Value) bool {
					if url := e.Get("fullUrl").Text(); url != "" {
						f(url + " " + e.Get("resource").Get("meta").Get("versionId").Text())
					}
					return true
				})
			})
		}),
		must("bdl-9", "is a document and needs an identifier with system and value", func(o *object) bool {
			return !o.is("type", "document") || o.first("identifier").Get("system") != nil && o.first("identifier").Get("value") != nil
		}),
		must("bdl-10", "is a document and needs a timestamp", func(o *object) bool { return !o.is("type", "document") || o.first("timestamp") != nil }),
		must("bdl-11", "is a document and needs a Composition as its first resource", func(o *object) bool { return !o.is("type", "document") || o.firstEntry() == "Composition" }),
		must("bdl-12", "is a message and needs a MessageHeader as its first resource", func(o *object) bool { return !o.is("type", "message") || o.firstEntry() == "MessageHeader" }),
	},
	"Bundle.entry": {
		must("bdl-5", "needs a resource, a request or a response", func(o *object) bool { return o.any("resource", "request", "response") }),
		must("bdl-8", "has a fullUrl that names a version", func(o *object) bool { return !strings.Contains(o.text("fullUrl"), "/_history/") }),
	},
	"CarePlan.activity": {must("cpl-3", "has both a reference and a detail", func(o *object) bool { return !o.has("detail") || !o.has("reference") })},
	"CodeSystem": {must("csd-1", "has a code twice", func(o *object) bool {
		return distinct(func(f func(string)) { tree(o.first("concept"), "concept", "code", f) })
	})},
	"Composition.section": {
		must("cmp-1", "needs a text, entries or sections", func(o *object) bool { return o.any("text", "entry", "section") }),
		must("cmp-2", "has an emptyReason and entries", func(o *object) bool { return !o.has("emptyReason") || !o.has("entry") }),
	},
	"Condition": {
		should("con-3", "should have a clinicalStatus, as an entry of the problem list", func(o *object) bool {
			return o.has("clinicalStatus") || o.conditionInError() || !o.coded("category", "http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item")
		}),
		must("con-4", "has abated, so its clinicalStatus must be inactive, resolved or remission", func(o *object) bool {
			return !o.has("abatement") || o.coded("clinicalStatus", "http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved", "remission", "inactive")
		}),
		must("con-5", "was entered in error and has a clinicalStatus", func(o *object) bool { return !o.conditionInError() || !o.has("clinicalStatus") }),
	},
	"Condition.stage":    {must("con-1", "needs a summary or an assessment", func(o *object) bool { return o.any("summary", "assessment") })},
	"Condition.evidence": {must("con-2", "needs a code or a detail", func(o *object) bool { return o.any("code", "detail") })},
	"Consent":            {must("ppc-1", "needs a policy or a policyRule", func(o *object) bool { return o.any("policy", "policyRule") })},
	"CoverageEligibilityResponse.insurance.item": {must("ces-1", "needs either a category or a productOrService", func(o *object) bool { return o.has("category") != o.has("productOrService") })},
	"FamilyMemberHistory": {
		must("fhs-1", "has both age and born", func(o *object) bool { return !o.has("age") || !o.has("born") }),
		must("fhs-2", "has an estimatedAge and no age", func(o *object) bool { return o.has("age") || !o.has("estimatedAge") }),
	},
	"Goal.target":            {must("gol-1", "has a detail and no measure", func(o *object) bool { return !o.has("detail") || o.has("measure") })},
	"Group":                  {must("grp-1", "has members, and is not actual", func(o *object) bool { return !o.has("member") || o.isTrue("actual") })},
	"Immunization.education": {must("imm-1", "needs a documentType or a reference", func(o *object) bool { return o.any("documentType", "reference") })},
	"ImmunizationRecommendation.recommendation": {must("imr-1", "needs a vaccineCode or a targetDisease", func(o *object) bool { return o.any("vaccineCode", "targetDisease") })},
	"InsurancePlan": {must("ipn-1", "needs an identifier or a name", func(o *object) bool { return o.any("identifier", "name") })},
	"Linkage":       {must("lnk-1", "needs at least two items", func(o *object) bool { return o.many("item") })},
	"List": {
		must("lst-1", "has an emptyReason and entries", func(o *object) bool { return !o.has("emptyReason") || !o.has("entry") }),
		must("lst-2", "has an entry that says deleted, and its mode is not changes", func(o *object) bool { return o.is("mode", "changes") || o.none("entry", "deleted") }),
		must("lst-3", "has an entry with a date, and its mode is not working", func(o *object) bool { return o.is("mode", "working") || o.none("entry", "date") }),
	},
	"MeasureReport":                   {must("mrp-1", "is a data-collection and has groups", func(o *object) bool { return !o.is("type", "data-collection") || !o.has("group") })},
	"MedicationAdministration.dosage": {must("mad-1", "needs a dose or a rate", func(o *object) bool { return o.any("dose", "rate") })},
	"MedicationDispense": {must("mdd-1", "was handed over before it was prepared", func(o *object) bool {
		return inOrder(o.text("whenPrepared"), o.text("whenHandedOver"))
	})},
	"MolecularSequence": {must("msq-3", "needs 0 or 1 as coordinateSystem", func(o *object) bool {
		v := string(o.first("coordinateSystem"))
		return v == "0" || v == "1"
	})},
	"MolecularSequence.referenceSeq": {
		must("msq-5", "has one of genomeBuild and chromosome, where it needs both or neither", func(o *object) bool { return o.has("chromosome") == o.has("genomeBuild") }),
		must("msq-6", "needs exactly one of genomeBuild, referenceSeqId, referenceSeqPointer and referenceSeqString", func(o *object) bool {
			return o.count("genomeBuild", "referenceSeqId", "referenceSeqPointer", "referenceSeqString") == 1
		}),
	},
	"NutritionOrder": {should("nor-1", "should have an oralDiet, a supplement or an enteralFormula", func(o *object) bool { return o.any("oralDiet", "supplement", "enteralFormula") })},
	"Observation": {
		must("obs-6", "has a value and a dataAbsentReason", func(o *object) bool { return !o.has("dataAbsentReason") || !o.has("value") }),
		must("obs-7", "has a value, and a component of the same code", func(o *object) bool { return !o.has("value") || !o.sameComponent() }),
	},
	"Observation.referenceRange": {must("obs-3", "needs a low, a high or a text", func(o *object) bool { return o.any("low", "high", "text") })},
	"Organization": {
		must("org-1", "needs an identifier or a name", func(o *object) bool { return o.any("identifier", "name") }),
		must("org-2", "has an address of use home", func(o *object) bool { return o.noneOfUse("address", "home") }),
		must("org-3", "has a telecom of use home", func(o *object) bool { return o.noneOfUse("telecom", "home") }),
	},
	"Parameters.parameter": {must("inv-1", "needs exactly one of value, resource and part", func(o *object) bool { return o.count("value", "resource", "part") == 1 })},
	"Patient.contact":      {must("pat-1", "needs a name, telecom, address or organization", func(o *object) bool { return o.any("name", "telecom", "address", "organization") })},
	"Questionnaire": {must("que-2", "has a linkId twice", func(o *object) bool {
		return distinct(func(f func(string)) { tree(o.first("item"), "item", "linkId", f) })
	})},
	"Questionnaire.item": {
		must("que-1", "needs items if it is a group, and can't have any if it is a display", func(o *object) bool {
			return (!o.is("type", "group") || o.has("item")) && (!o.is("type", "display") || !o.has("item"))
		}),
		must("que-3", "is a display and has a code", func(o *object) bool { return !o.is("type", "display") || !o.has("code") }),
		must("que-4", "has both answerOption and answerValueSet", func(o *object) bool { return !o.has("answerOption") || !o.has("answerValueSet") }),
		must("que-6", "is a display and says required or repeats", func(o *object) bool { return !o.is("type", "display") || !o.any("required", "repeats") }),
		must("que-8", "is a group or a display and has an initial value", func(o *object) bool { return !o.is("type", "group", "display") || !o.has("initial") }),
		must("que-9", "is a display and says readOnly", func(o *object) bool { return !o.is("type", "display") || !o.has("readOnly") }),
		must("que-11", "has both answerOption and initial", func(o *object) bool { return !o.has("answerOption") || !o.has("initial") }),
		must("que-13", "has several initial values, and doesn't repeat", func(o *object) bool { return o.isTrue("repeats") || !o.many("initial") }),
	},
	"Questionnaire.item.enableWhen": {must("que-7", "asks whether something exists, so the answer must be a boolean", func(o *object) bool {
		return !o.is("operator", "exists") || o.as("answer") == "boolean"
	})},
	"QuestionnaireResponse.item": {must("qrs-1", "has items beneath itself and beneath an answer", func(o *object) bool { return !o.has("answer") || !o.has("item") })},
	"RequestGroup.action":        {must("rqg-1", "needs either a resource or actions", func(o *object) bool { return o.has("resource") != o.has("action") })},
	"RiskAssessment.prediction": {must("ras-2", "has a probability of more than 100", func(o *object) bool {
		x, ok := number(o.first("probability"))
		return !ok || x <= 100
	})},
	"ServiceRequest": {must("prr-1", "has an orderDetail and no code", func(o *object) bool { return !o.has("orderDetail") || o.has("code") })},
	"ValueSet.compose.include": {
		must("vsd-1", "needs a valueSet or a system", func(o *object) bool { return o.any("valueSet", "system") }),
		must("vsd-2", "has concepts or filters and no system", func(o *object) bool { return !o.any("concept", "filter") || o.has("system") }),
		must("vsd-3", "has both concepts and filters", func(o *object) bool { return !o.has("concept") || !o.has("filter") }),
	},
}

func (o *object) allergyInError() bool {
	return o.coded("verificationStatus", "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "entered-in-error")
}

func (o *object) conditionInError() bool {
	return o.coded("verificationStatus", "http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error")
}

// firstEntry is the type of the first entry's resource.
func (o *object) firstEntry() (kind string) {
	o.all("entry", func(e fhir.Value) bool {
		kind = e.Get("resource").Get("resourceType").Text()
		return false
	})
	return kind
}

// noneOfUse tells whether no element of an array is of a use.
func (o *object) noneOfUse(list, use string) bool {
	return o.all(list, func(v fhir.Value) bool { return v.Get("use").Text() != use })
}

// sameComponent tells whether a component has one of the codings of the observation itself.
func (o *object) sameComponent() bool {
	if !o.has("component") {
		return false
	}
	own := map[[3]string]bool{}
	key := func(c fhir.Value) [3]string {
		return [3]string{c.Get("system").Text(), c.Get("version").Text(), c.Get("code").Text()}
	}
	o.first("code").Get("coding").Each(func(c fhir.Value) bool {
		own[key(c)] = true
		return true
	})
	return !o.all("component", func(component fhir.Value) bool {
		return component.Get("code").Get("coding").Each(func(c fhir.Value) bool { return !own[key(c)] })
	})
}

// tree calls f with a string of every node of a tree of objects.
func tree(list fhir.Value, children, name string, f func(string)) {
	list.Each(func(v fhir.Value) bool {
		f(v.Get(name).Text())
		tree(v.Get(children), children, name, f)
		return true
	})
}
