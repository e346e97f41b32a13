package fhir

import (
	"cmp"
	"maps"
	"math/big"
	"strings"
	"time"
)

// Sort orders the results of a search: by the first of its parameters in which two differ, at last by id.
type Sort []sortBy

type sortBy struct {
	name string
	p    param
	down bool
}

// maxSorts is how many parameters order a search at most.
const maxSorts = 8

// ParseSort reads the values of _sort: parameters separated by commas, each with a minus before it for descending. A resource that has several
// values counts by its first, and comes last without one. Without any it is -_lastUpdated.
func ParseSort(resourceType string, values []string) (Sort, error) {
	if len(values) == 0 {
		return Sort{{name: "_lastUpdated", down: true}}, nil
	}
	var s Sort
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, down := strings.CutPrefix(name, "-")
		p, ok := lookup(resourceType, name)
		if len(s) == maxSorts || !ok || p.kind == composite || p.kind == fulltext {
			return nil, &Error{Kind: Unsupported, Element: "_sort", Text: "takes at most eight parameters of the type, none of several parts"}
		}
		s = append(s, sortBy{name, p, down})
	}
	return s, nil
}

// Key is what a result is ordered by. It is made once per result: it reads the resource.
type Key struct {
	first keyPart
	more  []keyPart // of the parameters after the first: most searches have none, and make no room for it
	id    string
}

type keyPart struct {
	second  int64 // since 1970
	nano    int32
	missing bool
	amount  *big.Rat
	text    string
}

// Key is that of r, known as as.
func (s Sort) Key(r *Resource, as Identity) Key {
	k := Key{first: s[0].key(r, as), id: as.ID}
	for i := range s[1:] {
		k.more = append(k.more, s[1+i].key(r, as))
	}
	return k
}

func (k *Key) part(i int) *keyPart {
	if i == 0 {
		return &k.first
	}
	return &k.more[i-1]
}

func (by *sortBy) key(r *Resource, as Identity) (k keyPart) {
	at := func(t time.Time) {
		if !t.IsZero() {
			k = keyPart{second: t.Unix(), nano: int32(t.Nanosecond())}
		}
	}
	k.missing = true
	switch by.name {
	case "_id":
		return keyPart{text: as.ID}
	case "_lastUpdated":
		at(as.Updated)
		return k
	}
	r.eachOf(by.p.paths, func(v []byte) bool {
		switch by.p.kind {
		case date:
			i, _ := interval(v)
			at(i.From)
		case number, quantity:
			if a, ok := amountOf(v); ok {
				if k = (keyPart{amount: a.low}); a.low == nil {
					k.amount = a.high
				}
			}
		case token:
			eachCoding(v, func(_, code []byte) bool {
				k = keyPart{text: plain(code)}
				return false
			})
		case reference:
			if ref := refText(v, as); ref != "" {
				k = keyPart{text: ref}
			}
		default:
			eachString(v, func(s string) bool {
				k = keyPart{text: fold(s)}
				return false
			})
		}
		return k.missing
	})
	return k
}

// Compare is negative if a comes before b. Where a parameter is missing, the resource comes last; equals are ordered by id.
func (s Sort) Compare(a, b Key) int {
	for i := range s {
		x, y := a.part(i), b.part(i)
		d := 0
		switch {
		case x.missing != y.missing:
			if x.missing {
				return 1
			}
			return -1
		case x.amount != nil && y.amount != nil:
			d = x.amount.Cmp(y.amount)
		default:
			d = cmp.Or(cmp.Compare(x.second, y.second), cmp.Compare(x.nano, y.nano), strings.Compare(x.text, y.text))
		}
		if d != 0 && s[i].down {
			return -d
		}
		if d != 0 {
			return d
		}
	}
	return strings.Compare(a.id, b.id)
}

// ParseQuery is ParseSearch and, for the parameter _sort, ParseSort.
func ParseQuery(resourceType string, query map[string][]string) (*Search, Sort, error) {
	by, err := ParseSort(resourceType, query["_sort"])
	if err != nil {
		return nil, nil, err
	}
	rest := maps.Clone(query)
	delete(rest, "_sort")
	s, err := ParseSearch(resourceType, rest)
	return s, by, err
}
