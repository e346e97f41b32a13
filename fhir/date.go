package fhir

import (
	"bytes"
	"errors"
	"strings"
	"time"
)

// Interval is the time From ≤ t < To that a date, dateTime, instant, Period or Timing stands for: "2020-02" is all of February, a second
// is one second long. A zero From or To is open. Times without a zone are UTC.
type Interval struct{ From, To time.Time }

var errDate = errors.New("want YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with an optional fraction and a time zone")

// ParseDate reads a date, dateTime or instant. minutes tells whether hours and minutes alone will do, as in a search.
func ParseDate(s string, minutes bool) (Interval, error) {
	p := digits{s: s}
	year := p.number(4, 1, 9999)
	if p.done() {
		return p.interval(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), func(t time.Time) time.Time { return t.AddDate(1, 0, 0) })
	}
	p.expect('-')
	month := p.number(2, 1, 12)
	if p.done() {
		return p.interval(time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC), func(t time.Time) time.Time { return t.AddDate(0, 1, 0) })
	}
	p.expect('-')
	day := p.number(2, 1, 31)
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		p.bad = true
	}
	if p.done() {
		return p.interval(date, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) })
	}
	p.expect('T')
	at := time.Duration(p.number(2, 0, 23)) * time.Hour
	p.expect(':')
	at += time.Duration(p.number(2, 0, 59)) * time.Minute
	precision := time.Minute
	if p.accept(':') {
		at += time.Duration(p.number(2, 0, 60)) * time.Second // 60 is a leap second, which is the next minute's first
		precision = time.Second
		if p.accept('.') {
			n := 0
			for ; p.digit(); n++ {
				if precision /= 10; precision > 0 {
					at += time.Duration(p.s[0]-'0') * precision
				}
				p.s = p.s[1:]
			}
			p.bad = p.bad || n == 0
			precision = max(precision, 1)
		}
	} else if !minutes {
		p.bad = true
	}
	date = date.Add(at)
	switch {
	case p.accept('Z'):
	case minutes && p.done(): // a search may leave the zone out
	default:
		sign := time.Duration(-1)
		if p.accept('-') {
			sign = 1
		} else {
			p.expect('+')
		}
		zone := time.Duration(p.number(2, 0, 14)) * time.Hour
		p.expect(':')
		date = date.Add(sign * (zone + time.Duration(p.number(2, 0, 59))*time.Minute))
	}
	if !p.done() {
		p.bad = true
	}
	return p.interval(date, func(t time.Time) time.Time { return t.Add(precision) })
}

// digits takes numbers and punctuation off the front.
type digits struct {
	s   string
	bad bool
}

func (p *digits) done() bool  { return p.bad || p.s == "" }
func (p *digits) digit() bool { return p.s != "" && '0' <= p.s[0] && p.s[0] <= '9' }

func (p *digits) number(n, low, high int) (x int) {
	for range n {
		if !p.digit() {
			p.bad = true
			return 0
		}
		x = x*10 + int(p.s[0]-'0')
		p.s = p.s[1:]
	}
	p.bad = p.bad || x < low || x > high
	return x
}

func (p *digits) accept(c byte) bool {
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *digits) expect(c byte) { p.bad = !p.accept(c) || p.bad }

func (p *digits) interval(from time.Time, end func(time.Time) time.Time) (Interval, error) {
	if p.bad {
		return Interval{}, errDate
	}
	return Interval{from, end(from)}, nil
}

// Dates are the times at paths, of which each may be a primitive, a Period or a Timing. What is no time, such as an onsetString, is
// left out.
func (r *Resource) Dates(paths string) []Interval {
	var out []Interval
	r.eachOf(paths, func(v []byte) bool {
		if i, ok := interval(v); ok {
			out = append(out, i)
		}
		return true
	})
	return out
}

func interval(v []byte) (Interval, bool) {
	if v[0] == '"' {
		i, err := parseQuoted(v)
		return i, err == nil
	}
	if events := find(v, "event"); events != nil { // a Timing from its first event to its last
		var all Interval
		descend(events, "", func(e []byte) bool {
			if i, ok := interval(e); ok {
				all = all.union(i)
			}
			return true
		})
		return all, !all.From.IsZero()
	}
	if repeat := find(v, "repeat"); repeat != nil {
		v = find(repeat, "boundsPeriod")
	}
	start, end := find(v, "start"), find(v, "end")
	if start == nil && end == nil {
		return Interval{}, false
	}
	var period Interval
	if i, ok := interval0(start); ok {
		period.From = i.From
	}
	if i, ok := interval0(end); ok {
		period.To = i.To
	}
	return period, !period.From.IsZero() || !period.To.IsZero()
}

// interval0 is interval of a primitive or of nothing.
func interval0(v []byte) (Interval, bool) {
	if len(v) == 0 || v[0] != '"' {
		return Interval{}, false
	}
	return interval(v)
}

func (i Interval) union(o Interval) Interval {
	if i.From.IsZero() {
		return o
	}
	if o.From.Before(i.From) {
		i.From = o.From
	}
	if o.To.After(i.To) {
		i.To = o.To
	}
	return i
}

// parseQuoted is ParseDate of a JSON string. Without escapes, of which a date needs none, it makes no copy.
func parseQuoted(v []byte) (Interval, error) {
	if bytes.IndexByte(v, '\\') >= 0 {
		return ParseDate(unquote(v), false)
	}
	return ParseDate(string(v[1:len(v)-1]), false)
}

// checkDates refuses a resource whose searchable dates can't be understood: it would be found at the wrong time, or never.
func (r *Resource) checkDates() error {
	for _, path := range datePaths[r.kind] {
		wrong, sub := false, ""
		r.each(path, func(v []byte) bool {
			if v[0] == '"' {
				wrong = isNoDate(v)
				return !wrong
			}
			for _, sub = range []string{"start", "end"} {
				if wrong = isNoDate(find(v, sub)); wrong {
					return false
				}
			}
			sub = ""
			return true
		})
		if wrong {
			return &Error{Kind: Invalid, Element: strings.TrimSuffix(r.kind+"."+path+"."+sub, "."), Text: "is no time", Cause: errDate}
		}
	}
	return nil
}

func isNoDate(v []byte) bool {
	if len(v) == 0 || v[0] != '"' {
		return false
	}
	_, err := parseQuoted(v)
	return err != nil
}
