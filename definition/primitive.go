package definition

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"vitalog/fhir"
)

// form is how the values of a primitive type look.
type form struct {
	name string
	json byte              // " for a string, t for a boolean, 0 for a number
	ok   func([]byte) bool // of a string without quotes and escapes, of a number as it stands
	want string            // for people
}

// maxString is the most characters of a string.
const maxString = 1 << 20

var forms = func() map[string]*form {
	m := map[string]*form{}
	for _, f := range []form{
		{"base64Binary", '"', isBase64, "want base64, in groups of four"},
		{"boolean", 't', nil, "want true or false"},
		{"canonical", '"', isURI, "want an address without white space"},
		{"code", '"', isCode, "want a code, without white space around it"},
		{"date", '"', isDate, "want YYYY, YYYY-MM or YYYY-MM-DD"},
		{"dateTime", '"', isDateTime, "want YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or +hh:mm"},
		{"decimal", '0', func([]byte) bool { return true }, "want a number"},
		{"id", '"', isID, "want 1 to 64 letters, digits, - or ."},
		{"instant", '"', isInstant, "want YYYY-MM-DDThh:mm:ss with Z or +hh:mm"},
		{"integer", '0', func(v []byte) bool { return isInteger(v, -1<<31) }, "want a whole number of 32 bits"},
		{"markdown", '"', isString, "want text of at most 1048576 characters"},
		{"oid", '"', isOID, "want urn:oid: and numbers with dots between them"},
		{"positiveInt", '0', func(v []byte) bool { return isInteger(v, 1) }, "want a whole number from 1 to 2147483647"},
		{"string", '"', isString, "want text of at most 1048576 characters"},
		{"time", '"', isTime, "want hh:mm:ss"},
		{"unsignedInt", '0', func(v []byte) bool { return isInteger(v, 0) }, "want a whole number from 0 to 2147483647"},
		{"uri", '"', isURI, "want an address without white space"},
		{"url", '"', isURI, "want an address without white space"},
		{"uuid", '"', isUUID, "want urn:uuid: and a UUID in small letters"},
		{"xhtml", '"', isNarrative, "want a div of XHTML with text or an image, with the elements and attributes that a narrative may have"},
	} {
		m[f.name] = &f
	}
	return m
}()

func isString(v []byte) bool {
	return (len(v) <= maxString || utf8.RuneCount(v) <= maxString) && bytes.IndexByte(v, '\f') < 0
}

// isCode wants no white space but single ones within.
func isCode(v []byte) bool {
	space := true
	for _, c := range v {
		if white := isSpace(c); white && space {
			return false
		} else {
			space = white
		}
	}
	return !space
}

func isURI(v []byte) bool {
	return bytes.IndexFunc(v, func(r rune) bool { return r < utf8.RuneSelf && isSpace(byte(r)) }) < 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r' }

func isID(v []byte) bool {
	for _, c := range v {
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '.' {
			return false
		}
	}
	return len(v) > 0 && len(v) <= 64
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func isOID(v []byte) bool {
	v, ok := bytes.CutPrefix(v, []byte("urn:oid:"))
	if !ok || len(v) < 3 || v[0] < '0' || v[0] > '2' || v[1] != '.' {
		return false
	}
	for arc := range bytes.SplitSeq(v[2:], []byte{'.'}) {
		if len(arc) == 0 || arc[0] == '0' && len(arc) > 1 || !digits(arc) {
			return false
		}
	}
	return true
}

func isUUID(v []byte) bool {
	v, ok := bytes.CutPrefix(v, []byte("urn:uuid:"))
	if !ok || len(v) != 36 {
		return false
	}
	for i, c := range v {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// isBase64 wants groups of four, with white space only between groups, and = only at the end.
func isBase64(v []byte) bool {
	n, padding := 0, 0
	for _, c := range v {
		switch {
		case isSpace(c):
			if n%4 != 0 {
				return false
			}
			continue
		case c == '=':
			padding++
		case !isLetter(c) && !isDigit(c) && c != '+' && c != '/' || padding > 0:
			return false
		}
		n++
	}
	return n > 0 && n%4 == 0 && padding <= 2
}

func isInteger(v []byte, least int64) bool {
	n, err := strconv.ParseInt(string(v), 10, 32)
	return err == nil && n >= least && (least < 0 || v[0] != '-') // -0
}

func digits(v []byte) bool {
	for _, c := range v {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// The calendar is that of the fhir package, so that what is let in here can be searched there.

func isDate(v []byte) bool     { return len(v) <= len("2006-01-02") && isDateTime(v) }
func isInstant(v []byte) bool  { return len(v) > len("2006-01-02") && isDateTime(v) }
func isTime(v []byte) bool     { return isInstant(append(append([]byte("2000-01-01T"), v...), 'Z')) }
func isDateTime(v []byte) bool { _, err := fhir.ParseDate(string(v), false); return err == nil }
