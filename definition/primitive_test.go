package definition_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"vitalog/definition"
)

// expressions are R4's own of its primitive types, by the type.
func expressions(tb testing.TB) map[string]*regexp.Regexp {
	raw, err := os.ReadFile("testdata/primitives.txt")
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]*regexp.Regexp{}
	for line := range strings.Lines(string(raw)) {
		name, expression, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if name != "boolean" && name != "decimal" { // JSON has them
			all[name] = regexp.MustCompile("^(?:" + expression + ")$")
		}
	}
	return all
}

// beyond are values that R4's expressions take and its text doesn't, so that nothing in the table is there by accident.
var beyond = []string{"2021-02-29", "2021-04-31", "0000", "ab==cdef", "====", "a===", "2147483648", "-2147483649", "99999999999999999999"}

// What a value of a primitive type looks like is decided by functions here, and by expressions in R4: they must agree.
func FuzzPrimitive(f *testing.F) {
	all := expressions(f)
	for _, s := range append(beyond, "1980", "1980-13", "1980-02-28", "31/12/1980", "1980-02-28T10:00:00Z", "1980-02-28T10:00:00.123+14:00", "1980-02-28T24:00:00Z", "1980-02-28T23:59:60-05:30",
		"1980-02-28T10:00Z", "10:00:00", "24:00:00", "a b", " a", "a  b", "urn:oid:1.2.840", "urn:oid:1.02", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "QUJD", "QUI=", "QUJD QUJD", "QU JD", "0", "-0", "01", "-1", "1.0",
		"http://x y", "é", "a\u00a0b", "\u2028", "\n") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || !utf8.ValidString(s) {
			return
		}
		for name, e := range all {
			numeric := strings.Contains("integer positiveInt unsignedInt", name)
			if numeric && !json.Valid([]byte(s)) {
				continue
			}
			ours, r4 := definition.Form(name, s), e.MatchString(s)
			if ours && !r4 && !allowedHere(name, s) {
				t.Errorf("%q is taken as %s, which R4 doesn't allow", s, name)
			}
			if !ours && r4 && !refusedHere(name, s) {
				t.Errorf("%q is refused as %s, which R4 allows", s, name)
			}
		}
	})
}

// refusedHere tells whether R4's text refuses what its expression takes: days that no month has, numbers beyond 32 bits, padding that isn't
// at the end, a white space alone.
func refusedHere(name, s string) bool {
	switch name {
	case "date", "dateTime", "instant":
		return len(s) >= 10 && strings.Contains("29 30 31", s[8:10])
	case "integer", "positiveInt", "unsignedInt":
		return len(s) >= 10
	case "base64Binary":
		return strings.Contains(s, "=")
	}
	return false
}

// allowedHere tells whether a time is taken because the package fhir takes it: with a zone beyond 14:00, which nobody lives in.
func allowedHere(name, s string) bool {
	return (name == "dateTime" || name == "instant") && strings.Contains(s, "14:")
}
