package hl7

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Message is one message, taken apart into segments. It is immutable.
type Message struct {
	segments []*segment
	marks    marks
}

// marks are the delimiters that the message chose in MSH-1 and MSH-2.
type marks struct {
	field, component, repeat, escape, sub byte // escape and sub are 0 where the message has none
}

// segment is one line. Field 0 is its name; MSH counts its first delimiter as MSH-1.
type segment struct {
	name   string
	fields []string
	marks  *marks
	number int // among all segments, from 1
	nth    int // among those of its name, from 1
}

// Parse reads one message. Segments end with CR, LF or both; a byte order mark is skipped. Errors are of type *Error and fit into an answer.
func Parse(raw []byte) (*Message, error) {
	if len(raw) > MaxMessage {
		return nil, &Error{Code: Reject, Number: InternalError, Text: fmt.Sprintf("the message has more than %d bytes, the most that is taken", MaxMessage)}
	}
	text := strings.TrimPrefix(string(raw), "\ufeff")
	text = strings.TrimLeft(text, "\r\n")
	if !strings.HasPrefix(text, "MSH") {
		return nil, &Error{Code: Reject, Number: SequenceError, At: "MSH", Text: "a message begins with MSH; batches (FHS, BHS) are not taken"}
	}
	m := &Message{}
	if err := m.readMarks(text); err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if strings.Trim(line, " \t") == "" {
			continue
		}
		s, err := m.readSegment(line)
		if err != nil {
			return m, err
		}
		seen[s.name]++
		s.number, s.nth = len(m.segments)+1, seen[s.name]
		if s.name == "MSH" && s.number > 1 {
			return m, &Error{Code: Reject, Number: SequenceError, At: "MSH", Text: "a second MSH: one message at a time"}
		}
		if m.segments = append(m.segments, s); len(m.segments) > MaxSegments {
			return m, &Error{Code: Reject, Number: InternalError, Text: fmt.Sprintf("the message has more than %d segments, the most that is taken", MaxSegments)}
		}
	}
	return m, m.decode()
}

// readMarks reads MSH-1 and MSH-2.
func (m *Message) readMarks(text string) error {
	bad := &Error{Code: Reject, Number: DataTypeError, At: "MSH-2", Text: `the delimiters can't be read: want five different marks, such as |^~\&`}
	if len(text) < 8 {
		return bad
	}
	m.marks.field = text[3]
	set, _, _ := strings.Cut(text[4:min(len(text), 12)], string(text[3]))
	if len(set) < 2 || len(set) > 5 { // the fifth is v2.7's truncation mark
		return bad
	}
	for i, to := range []*byte{&m.marks.component, &m.marks.repeat, &m.marks.escape, &m.marks.sub} {
		if i < len(set) {
			*to = set[i]
		}
	}
	for i, c := range []byte(text[3:4] + set) {
		if c <= ' ' || c >= 0x7f || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(text[3:4]+set, c) != i {
			return bad
		}
	}
	return nil
}

func (m *Message) readSegment(line string) (*segment, error) {
	s := &segment{marks: &m.marks}
	s.fields = strings.SplitN(strings.TrimRight(line, " \t"), string(m.marks.field), MaxFields+2)
	s.name = s.fields[0]
	if len(s.name) != 3 || !upper(s.name[0]) || !upper(s.name[1]) && !digit(s.name[1]) || !upper(s.name[2]) && !digit(s.name[2]) {
		return nil, &Error{Code: Reject, Number: SequenceError, Text: fmt.Sprintf("line %d begins with no segment name; line breaks inside a field are written \\.br\\", len(m.segments)+1)}
	}
	if len(s.fields) > MaxFields+1 {
		return nil, &Error{Code: Reject, Number: InternalError, At: s.name, Text: fmt.Sprintf("a segment has more than %d fields, the most that is taken", MaxFields)}
	}
	for i, f := range s.fields {
		if strings.Count(f, string(m.marks.repeat)) >= MaxRepeats && !(s.name == "MSH" && i == 1) {
			return nil, &Error{Code: Reject, Number: InternalError, At: fmt.Sprintf("%s-%d", s.name, i), Text: fmt.Sprintf("a field has more than %d repetitions, the most that is taken", MaxRepeats)}
		}
	}
	if s.name == "MSH" {
		s.fields = append([]string{"MSH", string(m.marks.field)}, s.fields[1:]...)
	}
	return s, nil
}

func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }

// decode turns the bytes into UTF-8, by what MSH-18 says.
func (m *Message) decode() error {
	name := strings.ToUpper(strings.TrimSpace(m.segments[0].field(18).first().text()))
	from, known := charsets[name]
	for _, s := range m.segments {
		for i, f := range s.fields {
			switch {
			case ascii(f):
			case !known:
				return &Error{Code: Reject, Number: TableValueNotFound, At: "MSH-18", Text: "this character set is not read here; send UNICODE UTF-8, 8859/1 or 8859/15"}
			case from == nil && !utf8.ValidString(f):
				return &Error{Code: Reject, Number: DataTypeError, At: fmt.Sprintf("%s-%d", s.name, i), Text: "the bytes are not UTF-8, which is read where MSH-18 names nothing else; say in MSH-18 what they are, such as 8859/1"}
			case from != nil:
				s.fields[i] = from(f)
			}
		}
	}
	if from != nil {
		m.segments[0].fields[18] = "UNICODE UTF-8" // as it is now
	}
	return nil
}

// charsets are those of table 0211 that are read: nil is UTF-8.
var charsets = map[string]func(string) string{
	"": nil, "ASCII": nil, "UNICODE": nil, "UNICODE UTF-8": nil, "UTF-8": nil,
	"8859/1":  func(s string) string { return latin(s, nil) },
	"8859/15": func(s string) string { return latin(s, latin9) },
}

// latin9 is where ISO 8859-15 differs from 8859-1.
var latin9 = map[byte]rune{0xa4: '€', 0xa6: 'Š', 0xa8: 'š', 0xb4: 'Ž', 0xb8: 'ž', 0xbc: 'Œ', 0xbd: 'œ', 0xbe: 'Ÿ'}

func latin(s string, other map[byte]rune) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		if r, ok := other[c]; ok {
			out.WriteRune(r)
		} else {
			out.WriteRune(rune(c))
		}
	}
	return out.String()
}

func ascii(s string) bool {
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Bytes is the message in its canonical form: UTF-8, each segment ended by CR.
func (m *Message) Bytes() []byte {
	var out []byte
	for _, s := range m.segments {
		fields := s.fields
		if s.name == "MSH" {
			fields = append([]string{"MSH"}, fields[2:]...)
		}
		out = append(append(out, strings.Join(fields, string(m.marks.field))...), '\r')
	}
	return out
}

// header is MSH, an empty one where there is none.
func (m *Message) header() *segment { return m.one("MSH") }

// one is the first segment of a name, an empty one where there is none.
func (m *Message) one(name string) *segment {
	for _, s := range m.segments {
		if s.name == name {
			return s
		}
	}
	return &segment{name: name, marks: &m.marks}
}

// all are the segments of a name.
func (m *Message) all(name string) (out []*segment) {
	for _, s := range m.segments {
		if s.name == name {
			out = append(out, s)
		}
	}
	return out
}

// Type is the message type with its event: "ADT^A01".
func (m *Message) Type() string {
	t := m.header().field(9).first()
	return t.part(1).text() + "^" + t.part(2).text()
}

// Control is MSH-10, the sender's name for the message.
func (m *Message) Control() string { return m.header().field(10).first().text() }

// Application and Facility are who sends, MSH-3 and MSH-4, as their namespace or else their universal id.
func (m *Message) Application() string { return m.header().field(3).first().named() }
func (m *Message) Facility() string    { return m.header().field(4).first().named() }

// named is the name in an HD: the namespace, or else the universal id.
func (v value) named() string {
	if n := v.part(1).text(); n != "" {
		return n
	}
	return v.part(2).text()
}

// field is field n, with all its repetitions.
func (s *segment) field(n int) field {
	if n >= len(s.fields) {
		return field{segment: s, n: n}
	}
	return field{segment: s, n: n, raw: s.fields[n]}
}

// field is one field of a segment.
type field struct {
	segment *segment
	n       int
	raw     string
}

// deletes tells whether the field is "", which says: delete what you have. An empty field says nothing.
func (f field) deletes() bool { return f.raw == `""` }

// all are the repetitions that say something.
func (f field) all() (out []value) {
	if f.raw == "" || f.deletes() {
		return nil
	}
	for one := range strings.SplitSeq(f.raw, string(f.segment.marks.repeat)) {
		if one != "" && one != `""` {
			out = append(out, value{raw: one, marks: f.segment.marks, level: 1})
		}
	}
	return out
}

// first is the first repetition.
func (f field) first() value {
	if all := f.all(); len(all) > 0 {
		return all[0]
	}
	return value{marks: f.segment.marks, level: 1}
}

// value is a repetition of a field, a component or a subcomponent.
type value struct {
	raw   string
	marks *marks
	level int // 1: has components; 2: has subcomponents; 3: has neither
}

// part is component or subcomponent n. A value without any is its own first.
func (v value) part(n int) value {
	by := v.marks.component
	if v.level == 2 {
		by = v.marks.sub
	}
	out := value{marks: v.marks, level: v.level + 1}
	if v.level == 3 || by == 0 {
		if n == 1 {
			out.raw = v.raw
		}
		return out
	}
	i := 1
	for one := range strings.SplitSeq(v.raw, string(by)) {
		if i == n {
			if out.raw = one; one == `""` {
				out.raw = ""
			}
			break
		}
		i++
	}
	return out
}

// text is the value's own text, that of its first component and subcomponent, without escapes.
func (v value) text() string {
	for v.level < 3 {
		v = v.part(1)
	}
	return strings.TrimSpace(v.marks.unescape(v.raw))
}

// whole is all of the value as text, with its components in a row.
func (v value) whole() string {
	by := string([]byte{v.marks.component, v.marks.sub})
	var parts []string
	for _, p := range strings.FieldsFunc(v.raw, func(r rune) bool { return r != 0 && strings.ContainsRune(by, r) }) {
		if t := strings.TrimSpace(v.marks.unescape(p)); t != "" {
			parts = append(parts, t)
		}
	}
	return strings.Join(parts, " ")
}

// unescape undoes escape sequences (v2.5.1, 2.7). Highlighting is dropped; formatting that isn't a line break is a space; what is no sequence stays.
func (m *marks) unescape(s string) string {
	if m.escape == 0 || strings.IndexByte(s, m.escape) < 0 {
		return printable(s)
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, string(m.escape))
		out.WriteString(before)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, string(m.escape))
		text, known := m.sequence(name)
		if !closed || !known {
			out.WriteByte(m.escape)
			s = rest
			continue
		}
		out.WriteString(text)
		s = after
	}
	return printable(out.String())
}

func (m *marks) sequence(name string) (text string, known bool) {
	switch name {
	case "F":
		return string(m.field), true
	case "S":
		return string(m.component), true
	case "R":
		return string(m.repeat), true
	case "E":
		return string(m.escape), true
	case "T":
		if m.sub == 0 {
			return "", false
		}
		return string(m.sub), true
	case "H", "N":
		return "", true
	}
	switch {
	case strings.HasPrefix(name, ".br"):
		return "\n", true
	case strings.HasPrefix(name, ".") && len(name) <= 6:
		return " ", true
	case strings.HasPrefix(name, "X") && len(name) > 1 && len(name)%2 == 1:
		var raw []byte
		for i := 1; i < len(name); i += 2 {
			var b byte
			if _, err := fmt.Sscanf(name[i:i+2], "%02x", &b); err != nil {
				return "", false
			}
			raw = append(raw, b)
		}
		if !utf8.Valid(raw) {
			return latin(string(raw), nil), true
		}
		return string(raw), true
	}
	return "", false
}

// printable is s without the control characters that FHIR's strings don't have.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f:
			return -1
		}
		return r
	}, s)
}
