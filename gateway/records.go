package gateway

import "vitalog/section"

// Limits of what is sealed into one record. A record costs two pairings to seal and to open, whatever it holds; and who reads one resource of
// it opens them all.
const (
	recordFill      = 32 << 10 // bytes of resources up to which small groups share a record
	recordBytes     = 1 << 20  // of one group; what is beyond goes into the next record
	recordResources = 200
)

// record is one that is being filled.
type record struct{ number, bytes, resources int }

// take tells whether the record has room for that much, and takes it.
func (r *record) take(bytes, resources, limit int) bool {
	if r.resources > 0 && (r.bytes+bytes > limit || r.resources+resources > recordResources) {
		return false
	}
	r.bytes, r.resources = r.bytes+bytes, r.resources+resources
	return true
}

// layOut names the record that each of one patient's resources goes into: with everything else of its group and section, and with other
// small groups of the section. The same resources in the same order are laid out in the same way.
func layOut(resources []*incoming) []string {
	type place struct {
		section section.Section
		group   string
	}
	places := make([]place, len(resources))
	sizes := map[place]*record{}
	for i, in := range resources {
		p := place{in.section, in.group()}
		if sizes[p] == nil {
			sizes[p] = &record{}
		}
		places[i] = p
		sizes[p].bytes += len(in.res.Raw())
		sizes[p].resources++
	}
	last := 0
	next := func() *record {
		last++
		return &record{number: last}
	}
	filling := map[section.Section]*record{} // by small groups
	of := map[place]*record{}
	out := make([]string, len(resources))
	for i, in := range resources {
		p := places[i]
		r, size := of[p], sizes[p]
		switch {
		case size.bytes <= recordFill && size.resources <= recordResources:
			if r == nil {
				if r = filling[p.section]; r == nil || !r.take(size.bytes, size.resources, recordFill) {
					r = next()
					r.take(size.bytes, size.resources, recordFill)
				}
				filling[p.section], of[p] = r, r
			}
		case r == nil || !r.take(len(in.res.Raw()), 1, recordBytes):
			r = next()
			r.take(len(in.res.Raw()), 1, recordBytes)
			of[p] = r
		}
		out[i] = number(uint64(r.number))
	}
	return out
}
