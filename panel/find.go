package panel

import (
	"bytes"
	"errors"
	"slices"

	"vitalog/fhir"
	"vitalog/key"
	"vitalog/section"
)

// maxPostings is how many versions one search looks at.
const maxPostings = 200_000

// ErrWide says that a search would look at too much.
var ErrWide = errors.New("more than 200,000 versions have the terms of the search")

// Query is what is looked for: resources of a type that meet all that is asked.
type Query struct {
	Type   string
	Asked  []fhir.Asked
	Charts map[string]bool // nil: of all charts
}

// Found is a version that may match.
type Found struct {
	Chart    string
	Section  section.Section
	Log      key.Log
	Entry    uint64
	Type, ID string
}

// Find is what may match, among the entries that may be read by the word of readable, which is asked once for each log. Of a resource it
// is the version that counts for such a reader.
func (x *Index) Find(q Query, readable func(key.Log) (func(entry uint64) bool, error)) ([]Found, error) {
	asked, best, err := x.hashed(q)
	if err != nil {
		return nil, err
	}
	f := finding{x: x, q: q, asked: asked, readable: readable, may: map[key.Log]func(uint64) bool{}, rows: map[string]*resource{}}
	seen := 0
	for _, h := range best {
		from := append([]byte{kindTerm}, h[:]...)
		err := x.db.Scan(from, after(from), func(k, sealed []byte) error {
			if seen++; seen > maxPostings {
				return ErrWide
			}
			plain, err := x.open(k, sealed)
			if err != nil {
				return err
			}
			p, err := decodePlace(plain)
			if err != nil {
				return damaged(err)
			}
			return f.look(p)
		})
		if err != nil {
			return nil, err
		}
	}
	return f.found, nil
}

// condition is what is asked with its terms as they stand on the disk.
type condition struct {
	fhir.Asked
	terms [][nameSize]byte
}

// hashed is what is asked, and the terms of which the fewest versions have one: each that matches has one of them.
func (x *Index) hashed(q Query) (asked []condition, best [][nameSize]byte, err error) {
	fewest := maxPostings + 1
	for _, a := range append([]fhir.Asked{{Terms: []string{q.Type}}}, q.Asked...) {
		c := condition{Asked: a}
		for _, t := range a.Terms {
			if h := x.hash(t); !slices.Contains(c.terms, h) {
				c.terms = append(c.terms, h)
			}
		}
		asked = append(asked, c)
		if a.Meets != nil {
			continue
		}
		n := 0
		for _, h := range c.terms {
			from := append([]byte{kindTerm}, h[:]...)
			err := x.db.Scan(from, after(from), func(_, _ []byte) error {
				if n++; n >= fewest {
					return ErrWide
				}
				return nil
			})
			if err != nil && !errors.Is(err, ErrWide) {
				return nil, nil, err
			}
		}
		if best == nil || n < fewest {
			fewest, best = n, c.terms
		}
	}
	return asked, best, nil
}

// after is the first key that begins with no such prefix of a term.
func after(prefix []byte) []byte {
	return append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, nameSize+1)...)
}

type finding struct {
	x        *Index
	q        Query
	asked    []condition
	readable func(key.Log) (func(uint64) bool, error)
	may      map[key.Log]func(uint64) bool
	rows     map[string]*resource // looked at
	found    []Found
}

// look looks at a resource, once.
func (f *finding) look(p place) error {
	if _, ok := f.rows[string(p.resource)]; ok {
		return nil
	}
	r, err := f.x.resource(p.resource)
	f.rows[string(p.resource)] = nil
	if err != nil || r == nil || r.Type != f.q.Type || f.q.Charts != nil && !f.q.Charts[r.Chart] {
		return err
	}
	may, ok := f.may[r.Log]
	if !ok {
		if may, err = f.readable(r.Log); err != nil {
			return err
		}
		f.may[r.Log] = may
	}
	if v := r.current(may); v != nil && !v.deleted && v.meets(f.asked) {
		f.found = append(f.found, Found{r.Chart, r.Section, r.Log, v.entry, r.Type, r.ID})
	}
	return nil
}

// current is the version that counts among those that may be read: the newest by the author of the oldest.
func (r *resource) current(may func(uint64) bool) (v *noted) {
	for i := range r.versions {
		if w := &r.versions[i]; may(w.entry) && (v == nil || v.author == w.author) {
			v = w
		}
	}
	return v
}

func (v *noted) meets(asked []condition) bool {
	return !slices.ContainsFunc(asked, func(c condition) bool {
		if c.Meets != nil {
			return !slices.ContainsFunc(v.dates, func(d fhir.Dated) bool { return d.Param == c.Date && c.Meets(d.Interval) })
		}
		return !slices.ContainsFunc(c.terms, func(h [nameSize]byte) bool { return slices.Contains(v.terms, h) })
	})
}
