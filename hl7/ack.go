package hl7

import (
	"fmt"
	"strings"
	"time"
)

// Code is the acknowledgement code of MSA-1 (table 0008), of the original mode.
type Code string

const (
	Accept Code = "AA" // everything is on the ledger
	Fail   Code = "AE" // what the message says can't be taken: mend it, or what it is about, and send it again
	Reject Code = "AR" // the message is none that is taken here
)

// Number is a condition of table 0357.
type Number int

const (
	SequenceError         Number = 100
	RequiredFieldMissing  Number = 101
	DataTypeError         Number = 102
	TableValueNotFound    Number = 103
	UnsupportedType       Number = 200
	UnsupportedEvent      Number = 201
	UnsupportedProcessing Number = 202
	UnsupportedVersion    Number = 203
	UnknownKey            Number = 204
	DuplicateKey          Number = 205
	RecordLocked          Number = 206
	InternalError         Number = 207
)

var conditions = map[Number]string{SequenceError: "Segment sequence error", RequiredFieldMissing: "Required field missing", DataTypeError: "Data type error",
	TableValueNotFound: "Table value not found", UnsupportedType: "Unsupported message type", UnsupportedEvent: "Unsupported event code",
	UnsupportedProcessing: "Unsupported processing id", UnsupportedVersion: "Unsupported version id", UnknownKey: "Unknown key identifier",
	DuplicateKey: "Duplicate key identifier", RecordLocked: "Application record locked", InternalError: "Application internal error"}

// Error is why a message is not taken. It never quotes a value: values are health data.
type Error struct {
	Code   Code
	Number Number
	At     string // segment, or segment and field: "PID-3"
	Text   string // plain words with the next step
}

func (e *Error) Error() string {
	if e.At == "" {
		return e.Text
	}
	return e.At + ": " + e.Text
}

// Answer is the acknowledgement of a message, in ASCII and with the message's own delimiters: of what Parse returned, even with an error, or of
// nil where nothing could be read. why is nil for Accept.
func Answer(m *Message, why *Error, now time.Time) []byte {
	if m == nil || len(m.segments) == 0 {
		m = &Message{marks: marks{'|', '^', '~', '\\', '&'}}
	}
	h, mk := m.header(), m.marks
	set := string([]byte{mk.component, mk.repeat})
	if mk.escape != 0 {
		set += string(mk.escape)
	}
	if mk.sub != 0 {
		set += string(mk.sub)
	}
	raw := func(n int) string { return plain(h.field(n).raw) }
	event := h.field(9).first().part(2).text()
	kind := "ACK"
	if event != "" {
		kind = mk.join(mk.component, "ACK", mk.escaped(event), "ACK")
	}
	processing, version := raw(11), raw(12)
	if processing == "" {
		processing = "P"
	}
	if version == "" {
		version = "2.5.1"
	}
	id := "A" + m.Control()
	if len(id) > 20 {
		id = id[:20]
	}
	var out strings.Builder
	line := func(fields ...string) {
		out.WriteString(strings.TrimRight(strings.Join(fields, string(mk.field)), string(mk.field)) + "\r")
	}
	line("MSH", set, raw(5), raw(6), raw(3), raw(4), now.Format("20060102150405-0700"), "", kind, mk.escaped(id), processing, version)
	code := Accept
	text := ""
	if why != nil {
		code, text = why.Code, why.Error()
	}
	line("MSA", string(code), raw(10), mk.escaped(text))
	if why == nil {
		return []byte(out.String())
	}
	segment, field, _ := strings.Cut(why.At, "-")
	place := ""
	if segment != "" {
		place = mk.join(mk.component, segment, "1", field)
	}
	line("ERR", "", place, mk.join(mk.component, fmt.Sprint(int(why.Number)), conditions[why.Number], "HL70357"), "E", "", "", "", mk.escaped(text))
	return []byte(out.String())
}

func (m *marks) join(by byte, parts ...string) string {
	return strings.TrimRight(strings.Join(parts, string(by)), string(by))
}

// escaped is text that holds no delimiter and nothing but ASCII.
func (m *marks) escaped(s string) string {
	var out strings.Builder
	for _, r := range plain(s) {
		name := ""
		switch byte(r) {
		case m.field:
			name = "F"
		case m.component:
			name = "S"
		case m.repeat:
			name = "R"
		case m.escape:
			name = "E"
		case m.sub:
			name = "T"
		}
		switch {
		case name == "":
			out.WriteRune(r)
		case m.escape == 0:
			out.WriteByte(' ')
		default:
			out.WriteString(string(m.escape) + name + string(m.escape))
		}
	}
	return out.String()
}

// plain is s in printable ASCII.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
