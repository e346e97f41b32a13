package fhir

import "strings"

// Reference is what a Reference.reference says, taken apart.
type Reference struct {
	Contained string // after the #, with nothing else set
	URN       string // urn:uuid:… or urn:oid:…, with nothing else set
	Base      string // of an absolute URL, without the last slash
	Type, ID  string
	Version   string // after /_history/
	Query     string // of a conditional reference, with Type: "identifier=system|value", as received
}

// ParseReference takes s apart. What is none of the forms leaves Type empty.
func ParseReference(s string) Reference {
	switch {
	case strings.HasPrefix(s, "#"):
		return Reference{Contained: s[1:]}
	case strings.HasPrefix(s, "urn:"):
		return Reference{URN: s}
	}
	if t, query, ok := strings.Cut(s, "?"); ok {
		if !KnownType(t) {
			return Reference{}
		}
		return Reference{Type: t, Query: query}
	}
	at, version, versioned := strings.Cut(s, "/_history/")
	rest, id := cutLast(at)
	base, typ := cutLast(rest)
	switch {
	case !KnownType(typ), !ValidID(id), versioned && !ValidID(version):
		return Reference{}
	case len(rest) > len(typ) && !strings.Contains(base, "://"):
		return Reference{}
	}
	return Reference{Base: base, Type: typ, ID: id, Version: version}
}

// Identifier is what a conditional reference asks for: the only resource of Type with that identifier. Other conditions are not taken.
func (r Reference) Identifier() (Identifier, bool) { return ParseCondition(r.Query) }

// ParseCondition reads the condition of a conditional reference or of ifNoneExist, of which only "identifier=system|value" is taken.
// Percent escapes are undone.
func ParseCondition(query string) (Identifier, bool) {
	query = strings.TrimPrefix(query, "?")
	token, ok := strings.CutPrefix(query, "identifier=")
	if !ok || strings.Contains(token, "&") {
		return Identifier{}, false
	}
	if token, ok = unescape(token); !ok {
		return Identifier{}, false
	}
	system, value, ok := strings.Cut(token, "|")
	return Identifier{system, value}, ok && value != ""
}

// cutLast splits s at its last slash.
func cutLast(s string) (before, after string) {
	at := strings.LastIndexByte(s, '/')
	return s[:max(at, 0)], s[at+1:]
}

// unescape undoes percent escapes. A plus sign stays: the conditions that systems write by hand are not form-encoded.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), true
}

func hexDigit(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }
