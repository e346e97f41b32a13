package definition

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed r4.txt
var r4 string

// types are those of R4 by name: resources, data types, and the elements with elements of their own, by their path.
var types = sync.OnceValue(func() map[string]*typ { return decode(r4) })

// typ is a type of R4 that has elements.
type typ struct {
	name     string
	resource bool
	elements []*element // with those of what it extends, which come first
	members  map[string]*member
	required []*element
	rules    []rule
}

// element is an element of a type.
type element struct {
	name     string // without [x]
	index    int    // in elements
	min, max int    // max 0: any number
	choice   bool
	summary  bool // a summary has it
}

// list tells whether the element is an array in JSON.
func (e *element) list() bool { return e.max != 1 }

// member is an element in JSON: value[x] is valueString, valueQuantity …
type member struct {
	element   *element
	as        string    // the type, if the element is a choice
	primitive *form     // of a primitive
	typ       *typ      // of anything else; that of Resource for any resource
	bare      bool      // has no _name beside it
	targets   []string  // of a Reference; nil: any
	codes     *valueSet // of a required binding; nil: none
}

// valueSet are the codes of a required binding.
type valueSet struct {
	url     string
	systems []string
	codes   map[string]uint64 // code → bits of systems
}

// has tells whether a code is of the set. "" as system is any: that of an element of type code is known.
func (s *valueSet) has(system, code string) bool {
	in := s.codes[code]
	if system == "" {
		return in != 0
	}
	for i, have := range s.systems {
		if have == system {
			return in&(1<<i) != 0
		}
	}
	return false
}

const maxElements = 128 // of a type, for seen

// decode reads a table that the generator wrote; a mistake in it is one in this program.
func decode(table string) map[string]*typ {
	all, sets := map[string]*typ{}, map[string]*valueSet{}
	named := func(name string) *typ { // types refer to each other in circles
		if all[name] == nil {
			all[name] = &typ{name: name, members: map[string]*member{}}
		}
		return all[name]
	}
	var set *valueSet
	bodies, parents := map[string][]string{}, map[string]string{}
	var at string
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		switch {
		case f[0] == "#":
		case line[0] != ' ' && f[0] == "set":
			set, at = &valueSet{url: f[2], codes: map[string]uint64{}}, ""
			sets[f[1]] = set
		case line[0] != ' ':
			at = f[1]
			named(at).resource = f[2] == "resource"
			bodies[at] = nil
			if len(f) > 3 {
				parents[at] = f[3]
			}
		case at == "":
			for _, code := range f[1:] {
				set.codes[code] |= 1 << len(set.systems)
			}
			set.systems = append(set.systems, f[0])
		default:
			bodies[at] = append(bodies[at], line)
		}
	}
	done := map[string]bool{}
	var fill func(name string)
	fill = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		t := all[name]
		if parents[name] != "" {
			fill(parents[name])
			t.extend(all[parents[name]])
		}
		t.rules = append(t.rules, rules[name]...)
		for _, line := range bodies[name] {
			t.add(strings.Fields(line), named, sets)
		}
	}
	for name := range bodies {
		fill(name)
	}
	return all
}

func (t *typ) extend(parent *typ) {
	t.elements, t.required, t.rules = append(t.elements, parent.elements...), append(t.required, parent.required...), append(t.rules, parent.rules...)
	for name, m := range parent.members {
		t.members[name] = m
	}
}

// add reads the line of an element: name, cardinality, types, and maybe a value set.
func (t *typ) add(f []string, named func(string) *typ, sets map[string]*valueSet) {
	e := &element{index: len(t.elements)}
	e.name, e.choice = strings.CutSuffix(f[0], "[x]")
	f[1], e.summary = strings.CutSuffix(f[1], "Σ")
	switch f[1] {
	case "?":
		e.max = 1
	case "1":
		e.min, e.max = 1, 1
	case "*":
	case "+":
		e.min = 1
	default:
		from, to, _ := strings.Cut(f[1], "..")
		e.min, _ = strconv.Atoi(from)
		e.max, _ = strconv.Atoi(to) // * is any
	}
	t.elements = append(t.elements, e)
	if e.min > 0 {
		t.required = append(t.required, e)
	}
	if len(t.elements) > maxElements {
		panic(fmt.Sprintf("definition: %s has more than %d elements", t.name, maxElements))
	}
	for _, name := range strings.Split(f[2], "|") {
		m := &member{element: e}
		name, m.bare = strings.CutPrefix(name, "!")
		if of, targets, ok := strings.Cut(strings.TrimSuffix(name, ")"), "("); ok {
			name, m.targets = of, strings.Split(targets, ",")
		}
		if m.primitive = forms[name]; m.primitive == nil {
			m.typ = named(name)
		}
		if len(f) > 3 {
			m.codes = sets[f[3][1:]]
		}
		as := f[0]
		if e.choice {
			m.as = name
			if strings.HasSuffix(name, "Quantity") { // SimpleQuantity and MoneyQuantity are told apart by no name
				m.as = "Quantity"
			}
			as = e.name + strings.ToUpper(m.as[:1]) + m.as[1:]
		}
		t.members[as] = m
	}
}
