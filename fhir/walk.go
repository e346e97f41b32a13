package fhir

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Everything here reads bytes that Parse has found valid, and checks nothing again. A resource of two kilobytes keeps only the places of
// its own members; what is under them is looked for when it is asked for. That costs less than keeping a tree of every resource of a
// chart, and a search reads only the few members that it is about.

// each calls f with every value at path ("code.coding"), going through arrays, until f returns false.
func (r *Resource) each(path string, f func(v []byte) bool) {
	first, rest, _ := strings.Cut(path, ".")
	for _, m := range r.members {
		if nameIs(r.raw[m.name.from:m.name.to], first) {
			descend(r.raw[m.value.from:m.value.to], rest, f)
			return
		}
	}
}

func descend(v []byte, path string, f func([]byte) bool) bool {
	if v[0] == '[' {
		more := true
		eachElement(v, func(e []byte) bool {
			more = descend(e, path, f)
			return more
		})
		return more
	}
	if path == "" {
		return f(v)
	}
	first, rest, _ := strings.Cut(path, ".")
	if found := find(v, first); found != nil {
		return descend(found, rest, f)
	}
	return true
}

// find is the value of an object's member, nil if v is no object or hasn't got it.
func find(v []byte, name string) []byte {
	var out []byte
	eachMember(v, func(n, value []byte) bool {
		if nameIs(n, name) {
			out = value
			return false
		}
		return true
	})
	return out
}

// eachMember calls f with the name, without quotes, and the value of each member. It does nothing if v is no object.
func eachMember(v []byte, f func(name, value []byte) bool) {
	if len(v) == 0 || v[0] != '{' {
		return
	}
	for i := space(v, 1); v[i] != '}'; {
		end := skip(v, i)
		from := space(v, space(v, end)+1) // after the colon
		to := skip(v, from)
		if !f(v[i+1:end-1], v[from:to]) {
			return
		}
		if i = space(v, to); v[i] == ',' {
			i = space(v, i+1)
		}
	}
}

func eachElement(v []byte, f func(value []byte) bool) {
	for i := space(v, 1); v[i] != ']'; {
		to := skip(v, i)
		if !f(v[i:to]) {
			return
		}
		if i = space(v, to); v[i] == ',' {
			i = space(v, i+1)
		}
	}
}

// space is the index of the first byte from i on that is no white space.
func space(v []byte, i int) int {
	for v[i] == ' ' || v[i] == '\n' || v[i] == '\t' || v[i] == '\r' {
		i++
	}
	return i
}

// skip is the index after the value that begins at i.
func skip(v []byte, i int) int {
	switch v[i] {
	case '"':
		return skipString(v, i)
	case '{', '[':
		for depth := 0; ; {
			switch v[i] {
			case '"':
				i = skipString(v, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(v) && v[i] > ' ' && v[i] != ',' && v[i] != '}' && v[i] != ']' {
		i++
	}
	return i
}

func skipString(v []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(v[i:], '"')
		escapes := 0
		for v[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// nameIs compares a member's name, as it stands between the quotes, with a plain one.
func nameIs(n []byte, name string) bool {
	if len(n) == len(name) {
		return string(n) == name
	}
	if len(n) < len(name) || name == "" || n[0] != name[0] && n[0] != '\\' {
		return false
	}
	return bytes.IndexByte(n, '\\') >= 0 && unquote(append(append([]byte{'"'}, n...), '"')) == name
}

// text is the string that v is, "" if it is something else.
func text(v []byte) string {
	if len(v) == 0 || v[0] != '"' {
		return ""
	}
	return unquote(v)
}

func unquote(v []byte) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	out, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return "" // not a value that Parse lets through
	}
	return string(out)
}
