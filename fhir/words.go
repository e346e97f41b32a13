package fhir

import (
	"strings"
	"unicode"
)

// fold is s without case and accents, so that Müller is found by muller.
func fold(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch base, ok := unaccented[c]; {
		case ok:
			b.WriteString(base)
		case !unicode.Is(unicode.Mn, c):
			b.WriteRune(c)
		}
	}
	return b.String()
}

// unaccented are the Latin letters of Europe's languages by what is under their accents.
var unaccented = func() map[rune]string {
	out := map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ı': "i", 'ħ': "h"}
	for base, letters := range map[string]string{"a": "àáâãäåāăąǎ", "c": "çćĉċč", "d": "ď", "e": "èéêëēĕėęě", "g": "ĝğġģ", "h": "ĥ", "i": "ìíîïĩīĭįǐ", "j": "ĵ", "k": "ķ",
		"l": "ĺļľ", "n": "ñńņň", "o": "òóôõöōŏőǒ", "r": "ŕŗř", "s": "śŝşšș", "t": "ţťț", "u": "ùúûüũūŭůűųǔ", "w": "ŵ", "y": "ýÿŷ", "z": "źżž"} {
		for _, c := range letters {
			out[c] = base
		}
	}
	return out
}()

// phrases are what a full text search looks for: each word, and each phrase in quotes, between spaces.
func phrases(s string) (out []string) {
	for i, part := range strings.Split(s, `"`) {
		all := spaced(part)
		if i%2 == 1 && all != " " {
			out = append(out, all)
			continue
		}
		for _, w := range strings.Fields(all) {
			out = append(out, " "+w+" ")
		}
	}
	return out
}

// spaced are the words of s, folded, with one space around each.
func spaced(s string) string {
	var b strings.Builder
	b.WriteByte(' ')
	appendWords(&b, s)
	return b.String()
}

func appendWords(b *strings.Builder, s string) {
	in := false
	for _, c := range fold(s) {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			b.WriteRune(c)
			in = true
		} else if in {
			b.WriteByte(' ')
			in = false
		}
	}
	if in {
		b.WriteByte(' ')
	}
}

// words are those of the narrative, or of all strings but of references, attached bytes and what names the resource.
func (r *Resource) words(narrative bool) string {
	var b strings.Builder
	b.WriteByte(' ')
	for _, m := range r.members {
		name, v := r.raw[m.name.from:m.name.to], r.raw[m.value.from:m.value.to]
		switch {
		case nameIs(name, "text"):
			appendWords(&b, withoutTags(text(find(v, "div"))))
		case !narrative && !nameIs(name, "resourceType") && !nameIs(name, "id") && !nameIs(name, "meta"):
			appendStrings(&b, v)
		}
	}
	return b.String()
}

func appendStrings(b *strings.Builder, v []byte) {
	switch v[0] {
	case '"':
		appendWords(b, unquote(v))
	case '[':
		eachElement(v, func(e []byte) bool {
			appendStrings(b, e)
			return true
		})
	case '{':
		eachMember(v, func(name, e []byte) bool {
			switch {
			case nameIs(name, "reference"), nameIs(name, "data"), nameIs(name, "system"), nameIs(name, "url"):
			case nameIs(name, "div"):
				appendWords(b, withoutTags(text(e)))
			default:
				appendStrings(b, e)
			}
			return true
		})
	}
}

// withoutTags puts a space where a tag of XHTML stands.
func withoutTags(s string) string {
	var b strings.Builder
	for s != "" {
		text, rest, more := strings.Cut(s, "<")
		b.WriteString(text)
		if !more {
			break
		}
		b.WriteByte(' ')
		_, s, _ = strings.Cut(rest, ">")
	}
	return b.String()
}
