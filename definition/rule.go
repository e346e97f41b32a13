package definition

import (
	"maps"
	"slices"
	"strconv"

	"vitalog/fhir"
)

// rule is an invariant of R4 as a function. The expression that R4 has for it stands where the key is looked up: https://hl7.org/fhir/R4.
type rule struct {
	key      string
	severity fhir.Severity
	says     string
	holds    func(o *object) bool
	common   bool // see Finding.Common
}

// rules are the invariants by the type that they are about.
var rules = func() map[string][]rule {
	all := maps.Clone(typeRules)
	maps.Copy(all, resourceRules)
	return all
}()

// must is an invariant that R4 wants, should one that it advises.
func must(key, says string, holds func(o *object) bool) rule {
	return rule{key: key, severity: fhir.Failure, says: says, holds: holds}
}

func should(key, says string, holds func(o *object) bool) rule {
	return rule{key: key, severity: fhir.Warning, says: says, holds: holds}
}

// has tells whether the object has an element, be it only by what stands beside its value.
func (o *object) has(name string) bool {
	for i := range o.children {
		if o.children[i].member.element.name == name {
			return true
		}
	}
	return false
}

// any tells whether the object has one of the elements.
func (o *object) any(names ...string) bool { return slices.ContainsFunc(names, o.has) }

// count is how many of the elements the object has.
func (o *object) count(names ...string) (n int) {
	for _, name := range names {
		if o.has(name) {
			n++
		}
	}
	return n
}

// first is the value of an element, an array if it is one; nil if there is none.
func (o *object) first(name string) fhir.Value {
	for i := range o.children {
		if c := &o.children[i]; c.member.element.name == name && !c.beside {
			return c.value
		}
	}
	return nil
}

// as is the type that a choice was made of, "" if there is none.
func (o *object) as(name string) string {
	for i := range o.children {
		if c := &o.children[i]; c.member.element.name == name {
			return c.member.as
		}
	}
	return ""
}

func (o *object) text(name string) string { return o.first(name).Text() }

// is tells whether a code is one of those.
func (o *object) is(name string, codes ...string) bool { return slices.Contains(codes, o.text(name)) }

// isTrue tells whether a boolean is there and true.
func (o *object) isTrue(name string) bool { return string(o.first(name)) == "true" }

// many tells whether the object has more than one value of an element.
func (o *object) many(name string) bool {
	n := 0
	o.first(name).Each(func(fhir.Value) bool { n++; return n < 2 })
	return n > 1
}

// number is a decimal or integer; what is none, or not there, is not ok.
func number(v fhir.Value) (x float64, ok bool) {
	x, err := strconv.ParseFloat(string(v), 64)
	return x, err == nil
}

// coded tells whether a CodeableConcept, or one of several, has one of the codes of a system.
func (o *object) coded(name, system string, codes ...string) bool {
	return !o.first(name).Each(func(concept fhir.Value) bool {
		return concept.Get("coding").Each(func(c fhir.Value) bool {
			return c.Get("system").Text() != system || !slices.Contains(codes, c.Get("code").Text())
		})
	})
}

// all tells whether f holds for every element of an array that is an object.
func (o *object) all(name string, f func(v fhir.Value) bool) bool { return o.first(name).Each(f) }

// none tells whether no element of an array has a member.
func (o *object) none(list, name string) bool {
	return o.all(list, func(v fhir.Value) bool { return v.Get(name) == nil })
}

// distinct tells whether no two of the strings are the same; "" is none.
func distinct(each func(f func(string))) bool {
	seen, twice := map[string]bool{}, false
	each(func(s string) {
		twice = twice || s != "" && seen[s]
		seen[s] = true
	})
	return !twice
}

// inOrder tells whether a time is not after another, as far as their precision tells.
func inOrder(start, end string) bool {
	from, err1 := fhir.ParseDate(start, false)
	to, err2 := fhir.ParseDate(end, false)
	return err1 != nil || err2 != nil || from.From.Before(to.To)
}
