package panel

import (
	"fmt"
	"time"

	"vitalog/fhir"
	"vitalog/key"
	"vitalog/section"
	"vitalog/wire"
)

// version of the encodings.
const version = 1

// Limits of what is on the disk.
const (
	maxLacks   = 1_000_000
	maxList    = 1 << 16 // versions of a resource, terms and dates of a version
	maxText    = 128     // bytes of a chart's id, a type, an id, a parameter
	resourceAt = 1 + 2*nameSize
)

// resource is the row of one resource.
type resource struct {
	Chart    string
	Section  section.Section
	Log      key.Log
	Type, ID string
	versions []noted // ascending by entry
}

// noted is a version without what can be read.
type noted struct {
	entry   uint64
	author  key.Verifier
	deleted bool
	terms   [][nameSize]byte
	dates   []fhir.Dated
}

// place is where a posting leads.
type place struct {
	resource []byte // key of the row
	entry    uint64
}

func fits(r *resource) bool {
	return len(r.Chart) <= maxText && len(r.Type) <= maxText && len(r.ID) <= maxText
}

func decodeHead(b []byte) (m Mode, height uint64, err error) {
	r := begin(b)
	m, height = Mode(r.U8()), r.U64()
	if m != Own && m != All {
		r.Fail(fmt.Errorf("mode %d: %w", m, wire.ErrNonCanonical))
	}
	if err := r.End(); err != nil {
		return 0, 0, damaged(err)
	}
	return m, height, nil
}

// begin reads the version.
func begin(b []byte) *wire.Reader {
	r := wire.NewReader(b)
	if v := r.U8(); v != version {
		r.Fail(fmt.Errorf("version %d, this program reads %d: use a newer program", v, version))
	}
	return r
}

func (l *Log) encode() []byte {
	var w wire.Writer
	writeOrigin(&w, l.Chart, l.Section, l.Log)
	w.U64(l.Seen)
	w.U64(l.Until)
	w.U32(uint32(len(l.Lacks)))
	for _, n := range l.Lacks {
		w.U64(n)
	}
	return w.Done()
}

func decodeLog(b []byte) (*Log, error) {
	r := begin(b)
	l := &Log{}
	l.Chart, l.Section, l.Log = readOrigin(r)
	l.Seen, l.Until = r.U64(), r.U64()
	for n := range r.Count(maxLacks, 8) {
		e := r.U64()
		if n > 0 && e <= l.Lacks[n-1] || e >= l.Seen {
			r.Fail(fmt.Errorf("record %d that is lacking: %w", e, wire.ErrNonCanonical))
		}
		l.Lacks = append(l.Lacks, e)
	}
	return l, r.End()
}

// writeOrigin begins the row of a log, and of a resource: with the version and where it is from.
func writeOrigin(w *wire.Writer, chart string, s section.Section, log key.Log) {
	w.U8(version)
	w.Bytes([]byte(chart))
	w.U8(uint8(s))
	w.Fixed(log[:])
}

// readOrigin reads what follows the version.
func readOrigin(r *wire.Reader) (chart string, s section.Section, log key.Log) {
	chart, s = string(r.Bytes(maxText)), section.Section(r.U8())
	if !s.Valid() {
		r.Fail(fmt.Errorf("%v: %w", s, wire.ErrNonCanonical))
	}
	r.Fixed(log[:])
	return chart, s, log
}

func (x *resource) encode() []byte {
	var w wire.Writer
	writeOrigin(&w, x.Chart, x.Section, x.Log)
	w.Bytes([]byte(x.Type))
	w.Bytes([]byte(x.ID))
	w.U32(uint32(len(x.versions)))
	for _, v := range x.versions {
		w.U64(v.entry)
		w.Fixed(v.author[:])
		w.Bool(v.deleted)
		w.U32(uint32(len(v.terms)))
		for _, t := range v.terms {
			w.Fixed(t[:])
		}
		w.U32(uint32(len(v.dates)))
		for _, d := range v.dates {
			w.Bytes([]byte(d.Param))
			for _, t := range []time.Time{d.From, d.To} {
				w.U64(uint64(t.Unix()))
				w.U32(uint32(t.Nanosecond()))
			}
		}
	}
	return w.Done()
}

func decodeResource(b []byte) (*resource, error) {
	r := begin(b)
	x := &resource{}
	x.Chart, x.Section, x.Log = readOrigin(r)
	x.Type, x.ID = string(r.Bytes(maxText)), string(r.Bytes(maxText))
	for n := range r.Count(maxList, 8+32+1+4+4) {
		v := noted{entry: r.U64()}
		if n > 0 && v.entry <= x.versions[n-1].entry {
			r.Fail(fmt.Errorf("version %d: %w", v.entry, wire.ErrNonCanonical))
		}
		r.Fixed(v.author[:])
		v.deleted = r.Bool()
		v.terms = make([][nameSize]byte, r.Count(maxList, nameSize))
		for i := range v.terms {
			r.Fixed(v.terms[i][:])
		}
		for range r.Count(maxList, 4+24) {
			d := fhir.Dated{Param: string(r.Bytes(maxText))}
			d.From, d.To = readTime(r), readTime(r)
			v.dates = append(v.dates, d)
		}
		x.versions = append(x.versions, v)
	}
	return x, r.End()
}

func readTime(r *wire.Reader) time.Time {
	s, n := int64(r.U64()), r.U32()
	if n >= 1e9 {
		r.Fail(fmt.Errorf("%d nanoseconds: %w", n, wire.ErrNonCanonical))
	}
	return time.Unix(s, int64(n)).UTC()
}

func (p place) encode() []byte {
	return append(p.resource[:len(p.resource):len(p.resource)], wire.U64(p.entry)...)
}

func decodePlace(b []byte) (place, error) {
	r := wire.NewReader(b)
	p := place{r.Take(resourceAt), r.U64()}
	if r.Err() == nil && p.resource[0] != kindResource {
		r.Fail(wire.ErrNonCanonical)
	}
	return p, r.End()
}
