package definition

import (
	"strings"

	"vitalog/fhir"
)

const ucum = "http://unitsofmeasure.org"

// typeRules are the invariants of data types, and of the resource itself. ele-1 and ref-1 are in the walk, txt-1 and txt-2 are the form
// of xhtml.
var typeRules = map[string][]rule{
	"DomainResource": {
		must("dom-2", "contains a resource that contains another", func(o *object) bool { return !o.contained() || !o.has("contained") }),
		{"dom-3", fhir.Failure, "contains a resource that nothing refers to", func(o *object) bool { return o.contained() || o.allUsed() }, true},
		must("dom-4", "is contained and has meta.versionId or meta.lastUpdated", func(o *object) bool {
			return !o.contained() || o.first("meta").Get("versionId") == nil && o.first("meta").Get("lastUpdated") == nil
		}),
		must("dom-5", "is contained and has a security label", func(o *object) bool { return !o.contained() || o.first("meta").Get("security") == nil }),
		should("dom-6", "has no narrative (text)", func(o *object) bool { return o.contained() || o.first("text").Get("div") != nil }),
	},
	"Extension": {must("ext-1", "needs either extensions or a value, not both", func(o *object) bool { return o.has("extension") != o.has("value") })},
	"Quantity":  {must("qty-3", "has a code for the unit, and no system", func(o *object) bool { return !o.has("code") || o.has("system") })},
	"Age": {must("age-1", "needs a code for its value, of UCUM, and a positive value", func(o *object) bool {
		x, ok := number(o.first("value"))
		return o.measured() && (!ok || x > 0)
	})},
	"Count": {must("cnt-3", "needs the code 1 for its value, of UCUM, and a whole number", func(o *object) bool {
		return o.measured() && (!o.has("code") || o.text("code") == "1") && !strings.Contains(string(o.first("value")), ".")
	})},
	"Distance":       {must("dis-1", "needs a code for its value, of UCUM", (*object).measured)},
	"Duration":       {must("drt-1", "has a code without a value, or whose system isn't UCUM", func(o *object) bool { return !o.has("code") || o.text("system") == ucum && o.has("value") })},
	"SimpleQuantity": {must("sqty-1", "has a comparator, where none may be", func(o *object) bool { return !o.has("comparator") })},
	"MoneyQuantity": {must("mqty-1", "needs a code for its value, of ISO 4217", func(o *object) bool {
		return (o.has("code") || !o.has("value")) && (!o.has("system") || o.text("system") == "urn:iso:std:iso:4217")
	})},
	"Attachment":   {must("att-1", "has data and no contentType", func(o *object) bool { return !o.has("data") || o.has("contentType") })},
	"ContactPoint": {must("cpt-2", "has a value and no system", func(o *object) bool { return !o.has("value") || o.has("system") })},
	"Period":       {must("per-1", "ends before it starts", func(o *object) bool { return inOrder(o.text("start"), o.text("end")) })},
	"Range":        {must("rng-2", "has a low that is higher than high", func(o *object) bool { return !higher(o.first("low"), o.first("high")) })},
	"Ratio": {must("rat-1", "needs numerator and denominator, or neither and an extension", func(o *object) bool {
		return o.has("numerator") == o.has("denominator") && (o.has("numerator") || o.has("extension"))
	})},
	"Expression": {must("exp-1", "needs an expression or a reference", func(o *object) bool { return o.any("expression", "reference") })},
	"Timing.repeat": {
		must("tim-1", "has a duration and no durationUnit", func(o *object) bool { return !o.has("duration") || o.has("durationUnit") }),
		must("tim-2", "has a period and no periodUnit", func(o *object) bool { return !o.has("period") || o.has("periodUnit") }),
		must("tim-4", "has a negative duration", func(o *object) bool { x, ok := number(o.first("duration")); return !ok || x >= 0 }),
		must("tim-5", "has a negative period", func(o *object) bool { x, ok := number(o.first("period")); return !ok || x >= 0 }),
		must("tim-6", "has a periodMax and no period", func(o *object) bool { return !o.has("periodMax") || o.has("period") }),
		must("tim-7", "has a durationMax and no duration", func(o *object) bool { return !o.has("durationMax") || o.has("duration") }),
		must("tim-8", "has a countMax and no count", func(o *object) bool { return !o.has("countMax") || o.has("count") }),
		must("tim-9", "has an offset, which needs a when that is no meal itself (C, CM, CD, CV)", func(o *object) bool {
			meal := func(v fhir.Value) bool {
				s := v.Text()
				return s != "C" && s != "CM" && s != "CD" && s != "CV"
			}
			return !o.has("offset") || o.has("when") && o.all("when", meal)
		}),
		must("tim-10", "has both timeOfDay and when", func(o *object) bool { return !o.has("timeOfDay") || !o.has("when") }),
	},
	"DataRequirement.codeFilter": {must("drq-1", "needs either a path or a searchParam", func(o *object) bool { return o.has("path") != o.has("searchParam") })},
	"DataRequirement.dateFilter": {must("drq-2", "needs either a path or a searchParam", func(o *object) bool { return o.has("path") != o.has("searchParam") })},
	"TriggerDefinition": {
		must("trd-1", "has both timing and data", func(o *object) bool { return !o.has("data") || !o.has("timing") }),
		must("trd-2", "has a condition and no data", func(o *object) bool { return !o.has("condition") || o.has("data") }),
		must("trd-3", "needs the name, the timing or the data that its type is about", func(o *object) bool {
			return (!o.is("type", "named-event") || o.has("name")) && (!o.is("type", "periodic") || o.has("timing")) && (!strings.HasPrefix(o.text("type"), "data-") || o.has("data"))
		}),
	},
}

// contained tells whether the object is a contained resource.
func (o *object) contained() bool { return o.parent != nil && o.parent.element.name == "contained" }

// allUsed tells whether everything that the resource contains is referred to from within it, or refers to it.
func (o *object) allUsed() bool {
	return o.all("contained", func(v fhir.Value) bool {
		c := o.w.in.look(o.w.raw)[v.Get("id").Text()]
		return c != nil && c.used
	})
}

// measured tells whether there is a code where there is a value, and no system but UCUM.
func (o *object) measured() bool {
	return (o.has("code") || !o.has("value")) && (!o.has("system") || o.text("system") == ucum)
}

// higher tells whether a quantity is higher than another of the same unit.
func higher(a, b fhir.Value) bool {
	x, ok1 := number(a.Get("value"))
	y, ok2 := number(b.Get("value"))
	same := func(name string) bool { return a.Get(name).Text() == b.Get(name).Text() }
	return ok1 && ok2 && x > y && same("system") && same("code") && same("unit")
}
