package definition

import (
	"bytes"
	"strings"
)

// What a narrative may consist of: R4's txt-1, which takes chapters 7 to 11 and 15 of HTML 4.0, links and images, and nothing that runs or
// fetches. See https://hl7.org/fhir/R4/narrative.html.
var (
	narrativeElements = words("a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img " +
		"ins del kbd li ol p pre q samp small span strong style sub sup table tbody td tfoot th thead tr tt ul var bdo map area u s strike font center")
	narrativeAttributes = words("abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class colspan compact coords dir " +
		"frame headers height href hreflang hspace id lang longdesc name nowrap rel rev rowspan rules scope shape span src start style summary tabindex title type valign value vspace " +
		"width xml:lang xml:space xmlns color size face usemap")
)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

const maxNesting = 64 // of elements in a narrative

// isNarrative tells whether v is one div, well-formed, with nothing in it that a narrative may not have, and with text or an image.
func isNarrative(v []byte) bool {
	var open [maxNesting]string
	depth, says := 0, false
	for at := 0; at < len(v); {
		if v[at] != '<' {
			n := bytes.IndexByte(v[at:], '<')
			if n < 0 {
				n = len(v) - at
			}
			if text := bytes.TrimSpace(v[at : at+n]); len(text) > 0 {
				if depth == 0 {
					return false
				}
				says = true
			}
			at += n
			continue
		}
		if bytes.HasPrefix(v[at:], []byte("<!--")) {
			n := bytes.Index(v[at+4:], []byte("-->"))
			if n < 0 || depth == 0 {
				return false
			}
			at += 4 + n + 3
			continue
		}
		t, n := readTag(v[at:])
		if n == 0 {
			return false
		}
		at += n
		if t.end {
			if depth--; depth < 0 || open[depth] != t.name {
				return false
			}
			if depth == 0 {
				return says && len(bytes.TrimSpace(v[at:])) == 0
			}
			continue
		}
		if !narrativeElements[t.name] || depth == 0 && t.name != "div" || depth == maxNesting {
			return false
		}
		says = says || t.name == "img"
		if !t.closed {
			open[depth] = t.name
			depth++
		}
	}
	return false
}

// tag is one tag of XHTML.
type tag struct {
	name        string
	end, closed bool // </name>, <name/>
}

// readTag reads the tag that v begins with, and how long it is; 0 if it is none, or has an attribute that a narrative may not have.
func readTag(v []byte) (t tag, n int) {
	i := 1
	if t.end = i < len(v) && v[i] == '/'; t.end {
		i++
	}
	from := i
	for i < len(v) && (isLetter(v[i]) || isDigit(v[i])) {
		i++
	}
	t.name = string(v[from:i])
	for {
		before := i
		for i < len(v) && isSpace(v[i]) {
			i++
		}
		switch {
		case i >= len(v) || t.name == "":
			return t, 0
		case v[i] == '>':
			return t, i + 1
		case v[i] == '/' && i+1 < len(v) && v[i+1] == '>' && !t.end:
			t.closed = true
			return t, i + 2
		case i == before || t.end:
			return t, 0
		}
		eq := bytes.IndexByte(v[i:], '=')
		if eq < 0 || !narrativeAttributes[string(bytes.TrimSpace(v[i:i+eq]))] {
			return t, 0
		}
		name := string(bytes.TrimSpace(v[i : i+eq]))
		for i += eq + 1; i < len(v) && isSpace(v[i]); i++ {
		}
		if i >= len(v) || v[i] != '"' && v[i] != '\'' {
			return t, 0
		}
		end := bytes.IndexByte(v[i+1:], v[i])
		if end < 0 {
			return t, 0
		}
		value := v[i+1 : i+1+end]
		if bytes.IndexByte(value, '<') >= 0 || (name == "href" || name == "src") && runs(value) {
			return t, 0
		}
		i += end + 2
	}
}

// runs tells whether an address is a program.
func runs(address []byte) bool {
	scheme, _, ok := bytes.Cut(bytes.ToLower(bytes.TrimSpace(address)), []byte{':'})
	return ok && (string(scheme) == "javascript" || string(scheme) == "vbscript")
}
