// Package scope reads SMART App Launch scopes and says what they cover.
//
// It promises that a set of scopes only narrows: what no scope of it names is not covered, and Within never covers more than either set.
// It takes the forms of SMART 2 (https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html) and those of SMART 1, which it
// writes as SMART 2. It refuses what it can't read to the end, filters by parameters that the type doesn't have, and filters of all types.
//
//	patient/Observation.rs?category=laboratory  user/*.cruds  system/Patient.s      launch/patient openid fhirUser offline_access
//	patient/Observation.read                    patient/Observation.rs
//
// See spec/smart.md.
package scope

import (
	"fmt"
	"slices"
	"strings"

	"vitalog/fhir"
)

// Limits of a set.
const (
	MaxText   = 4 << 10 // bytes
	MaxScopes = 100
)

// Whom a scope is about.
const (
	Patient = "patient" // the one of the launch
	User    = "user"    // whomever the user may see
	System  = "system"  // whomever the client may see without a user
)

// rights in the order in which they are written: create, read, update, delete, search.
const rights = "cruds"

// Words are the scopes that are about no resource.
var Words = []string{"launch", "launch/patient", "launch/encounter", "openid", "fhirUser", "offline_access", "online_access"}

// Scope is what one scope allows.
type Scope struct {
	Context string // Patient, User or System
	Type    string // of resources; * for all
	Rights  string // of cruds, in this order, at least one
	filter  values
	search  *fhir.Search // what filter says; nil: everything
}

// Set is a list of scopes. The zero value covers nothing.
type Set struct {
	Scopes []Scope
	Words  []string // out of Words
}

// All is what a person at the member may do: whatever the patient granted.
func All() Set { return Set{Scopes: []Scope{{Context: User, Type: "*", Rights: rights}}} }

// Parse reads scopes that stand apart by spaces. Each is read once.
func Parse(text string) (Set, error) {
	var s Set
	if len(text) > MaxText {
		return s, fmt.Errorf("the scopes have %d bytes, at most %d are read", len(text), MaxText)
	}
	fields := strings.Fields(text)
	if len(fields) > MaxScopes {
		return s, fmt.Errorf("%d scopes, at most %d are read", len(fields), MaxScopes)
	}
	for _, f := range fields {
		if slices.Contains(Words, f) {
			if !slices.Contains(s.Words, f) {
				s.Words = append(s.Words, f)
			}
			continue
		}
		one, err := parse(f)
		if err != nil {
			return Set{}, err
		}
		s.add(one)
	}
	return s, nil
}

func (s *Set) add(one Scope) {
	if !slices.ContainsFunc(s.Scopes, func(have Scope) bool { return have.String() == one.String() }) {
		s.Scopes = append(s.Scopes, one)
	}
}

// parse reads one scope about resources.
func parse(text string) (Scope, error) {
	bad := fmt.Errorf("%.100q is no scope: want one such as patient/Observation.rs, user/*.cruds or launch/patient", text)
	context, rest, ok := strings.Cut(text, "/")
	if !ok || context != Patient && context != User && context != System {
		return Scope{}, bad
	}
	rest, query, filtered := strings.Cut(rest, "?")
	kind, may, _ := strings.Cut(rest, ".")
	s := Scope{Context: context, Type: kind, Rights: may}
	if kind != "*" && !fhir.KnownType(kind) {
		return Scope{}, bad
	}
	switch may { // SMART 1
	case "read":
		s.Rights = "rs"
	case "write":
		s.Rights = "cud"
	case "*":
		s.Rights = rights
	}
	if s.Rights == "" || !ordered(s.Rights) {
		return Scope{}, bad
	}
	if !filtered {
		return s, nil
	}
	filter, ok := parseFilter(query)
	if !ok || kind == "*" {
		return Scope{}, bad
	}
	return s.where(filter)
}

// where is the scope for those resources only that fulfil the filter too.
func (s Scope) where(filter values) (Scope, error) {
	both := values{}
	for _, some := range []values{s.filter, filter} {
		for name, all := range some {
			for _, v := range all {
				if !slices.Contains(both[name], v) {
					both[name] = append(both[name], v)
				}
			}
		}
	}
	for name := range both {
		if !slices.Contains(fhir.SearchParams(s.Type), name) {
			return Scope{}, fmt.Errorf("%.100q is no parameter that a scope for %s can have", name, s.Type)
		}
		slices.Sort(both[name])
	}
	search, err := fhir.ParseSearch(s.Type, both)
	if err != nil {
		return Scope{}, fmt.Errorf("scope for %s: %w", s.Type, err)
	}
	s.filter, s.search = both, search
	return s, nil
}

// ordered tells whether some of the rights stand in their order.
func ordered(some string) bool {
	rest := rights
	for _, r := range some {
		i := strings.IndexRune(rest, r)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return true
}

// String is the scope in the form of SMART 2.
func (s Scope) String() string {
	out := s.Context + "/" + s.Type + "." + s.Rights
	if s.search == nil {
		return out
	}
	return out + "?" + s.filter.String()
}

// String is all of the set, as Parse reads it.
func (s Set) String() string {
	out := slices.Clone(s.Words)
	for _, one := range s.Scopes {
		out = append(out, one.String())
	}
	return strings.Join(out, " ")
}

// Has tells whether a word out of Words is in the set.
func (s Set) Has(word string) bool { return slices.Contains(s.Words, word) }

// Only is the scopes about one context.
func (s Set) Only(context string) Set {
	return Set{Scopes: slices.DeleteFunc(slices.Clone(s.Scopes), func(one Scope) bool { return one.Context != context })}
}

// Within is what both sets cover. It has the words of both.
func (s Set) Within(bounds Set) Set {
	out := Set{Words: slices.DeleteFunc(slices.Clone(s.Words), func(w string) bool { return !bounds.Has(w) })}
	for _, asked := range s.Scopes {
		for _, bound := range bounds.Scopes {
			if one, ok := asked.within(bound); ok && len(out.Scopes) < MaxScopes {
				out.add(one)
			}
		}
	}
	return out
}

func (s Scope) within(bound Scope) (Scope, bool) {
	if s.Type == "*" {
		s.Type = bound.Type
	}
	s.Rights = strings.Map(func(r rune) rune {
		if strings.ContainsRune(bound.Rights, r) {
			return r
		}
		return -1
	}, s.Rights)
	if s.Context != bound.Context || bound.Type != "*" && bound.Type != s.Type || s.Rights == "" {
		return Scope{}, false
	}
	if bound.search == nil {
		return s, true
	}
	out, err := s.where(bound.filter)
	return out, err == nil
}

// Need is what somebody wants to do: one of some rights, with resources of a type.
type Need struct {
	Rights string // one of them is enough
	Type   string // "" for any
	Beyond bool   // with something that is not the patient's of the launch
}

func (s Scope) meets(n Need) bool {
	return (n.Type == "" || s.Type == "*" || s.Type == n.Type) && strings.ContainsAny(s.Rights, n.Rights) && !(n.Beyond && s.Context == Patient)
}

// Allows tells whether some resources of what is needed are covered.
func (s Set) Allows(n Need) bool {
	return slices.ContainsFunc(s.Scopes, func(one Scope) bool { return one.meets(n) })
}

// Covers tells whether all resources of what is needed are covered, or those that fulfil a filter, by the judgement of matches.
func (s Set) Covers(n Need, matches func(*fhir.Search) bool) bool {
	return slices.ContainsFunc(s.Scopes, func(one Scope) bool {
		return one.meets(n) && (n.Type != "" || one.Type == "*") && (one.search == nil || matches != nil && matches(one.search))
	})
}
