package fhir

import (
	"bytes"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Rewrite is the resource under another identity. It sets id and meta (a JSON object), which are added right after resourceType when
// absent and left alone when "" and nil, and replaces each reference by what ref returns for it, except inside a meta that it sets.
// References to contained resources (#…) are never replaced; ref may be nil. All other bytes are those received. If nothing changes the result is Raw itself.
func (r *Resource) Rewrite(id string, meta []byte, ref func(string) string) []byte {
	type splice struct {
		at   span
		text []byte
	}
	cuts := make([]splice, 0, 2+len(r.refs))
	if id != "" && id != r.id {
		if q := quote(id); r.idAt.to > 0 {
			cuts = append(cuts, splice{r.idAt, q})
		} else {
			cuts = append(cuts, splice{span{r.typ.to, r.typ.to}, append([]byte(`,"id":`), q...)})
		}
	}
	if meta != nil {
		if r.metaAt.to > 0 {
			cuts = append(cuts, splice{r.metaAt, meta})
		} else {
			cuts = append(cuts, splice{span{r.typ.to, r.typ.to}, append([]byte(`,"meta":`), meta...)})
		}
	}
	if ref != nil {
		for _, s := range r.refs {
			v := r.raw[s.from:s.to]
			if v[1] == '#' {
				continue
			}
			old := unquote(v)
			if now := ref(old); now != old {
				cuts = append(cuts, splice{s, quote(now)})
			}
		}
	}
	if len(cuts) == 0 {
		return r.raw
	}
	slices.SortStableFunc(cuts, func(a, b splice) int { return int(a.at.from) - int(b.at.from) })
	size := len(r.raw)
	for _, c := range cuts {
		size += len(c.text)
	}
	out, at := make([]byte, 0, size), uint32(0)
	for _, c := range cuts {
		if c.at.from < at { // a reference inside the meta that was replaced
			continue
		}
		out = append(append(out, r.raw[at:c.at.from]...), c.text...)
		at = c.at.to
	}
	return append(out, r.raw[at:]...)
}

// Meta is the received meta with versionId and lastUpdated set. Its other members (profile, security, tag, source, extensions) are kept
// byte for byte: they are the sender's statements.
func (r *Resource) Meta(version string, updated time.Time) []byte {
	out := append([]byte(`{"versionId":`), quote(version)...)
	out = append(out, `,"lastUpdated":"`...)
	out = updated.UTC().AppendFormat(out, "2006-01-02T15:04:05.000Z")
	out = append(out, '"')
	if r.metaAt.to > 0 {
		eachMember(r.raw[r.metaAt.from:r.metaAt.to], func(name, value []byte) bool {
			for _, ours := range []string{"versionId", "lastUpdated", "_versionId", "_lastUpdated"} {
				if nameIs(name, ours) {
					return true
				}
			}
			out = append(append(append(append(out, ',', '"'), name...), '"', ':'), value...)
			return true
		})
	}
	return append(out, '}')
}

// References calls f with every reference, contained resources' too, but not with those to contained resources (#…).
func (r *Resource) References(f func(string)) {
	for _, s := range r.refs {
		if v := r.raw[s.from:s.to]; v[1] != '#' {
			f(unquote(v))
		}
	}
}

// SameButIdentity tells whether a and b are the same bytes once the values of id, meta and references are left out: what a reader
// receives must be what the author sent in this sense.
func SameButIdentity(a, b []byte) bool {
	x, errA := Parse(a)
	y, errB := Parse(b)
	return errA == nil && errB == nil && bytes.Equal(x.masked(), y.masked())
}

// masked is the resource without its id and meta members and with references blanked.
func (r *Resource) masked() []byte {
	cuts := make([]span, 0, len(r.refs)+2)
	for _, s := range r.refs {
		if r.raw[s.from+1] != '#' {
			cuts = append(cuts, span{s.from + 1, s.to - 1})
		}
	}
	for i, m := range r.members {
		if m.value != r.idAt && m.value != r.metaAt {
			continue
		}
		switch { // a member goes with the comma before it, the first one with the comma after it
		case i > 0:
			cuts = append(cuts, span{r.members[i-1].value.to, m.value.to})
		case len(r.members) > 1:
			cuts = append(cuts, span{m.name.from - 1, r.members[1].name.from - 1})
		}
	}
	slices.SortFunc(cuts, func(a, b span) int { return int(a.from) - int(b.from) })
	var out []byte
	at := uint32(0)
	for _, c := range cuts {
		out = append(out, r.raw[min(at, c.from):c.from]...)
		at = max(at, c.to)
	}
	return append(out, r.raw[at:]...)
}

func quote(s string) []byte {
	out, _ := jsontext.AppendQuote(nil, s) // invalid UTF-8 becomes U+FFFD
	return out
}
