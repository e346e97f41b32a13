package definition

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"vitalog/fhir"
)

// MaxFindings is how many findings of one resource are told. The last of so many says that there may be more.
const MaxFindings = 100

// Finding is one thing that R4 doesn't allow, or advises against.
type Finding struct {
	Severity fhir.Severity // Failure where R4 says SHALL, else Warning
	Common   bool          // an error that systems in the field make so often that refusing it would keep their records out
	Code     string        // of FHIR's issue-type value set
	Rule     string        // the key of the invariant, "obs-6"; "" if it is none
	Element  string        // FHIRPath
	Text     string        // what is wrong, without any value
	Offset   int           // byte of the resource
	Line     int           // of the resource, from 1; 0 if it isn't known
	Column   int           // in bytes, from 1
}

// Issue is the finding as an OperationOutcome states it.
func (f *Finding) Issue() fhir.Issue {
	text := f.Element + " " + f.Text
	if f.Rule != "" {
		text += " (" + f.Rule + ")"
	}
	if f.Line > 0 {
		text += ", line " + strconv.Itoa(f.Line) + ", column " + strconv.Itoa(f.Column)
	}
	return fhir.Issue{Severity: f.Severity, Code: f.Code, Element: f.Element, Line: f.Line, Column: f.Column, Text: text + "."}
}

// Under moves the finding of a resource to where the resource stands: its element, and the line and column of its first byte, 0 if they
// are not known.
func (f *Finding) Under(element string, line, column int) {
	f.Element = element + f.Element[strings.IndexByte(f.Element+".", '.'):]
	switch {
	case line == 0:
		f.Line = 0
	case f.Line == 1:
		f.Line, f.Column = line, f.Column+column-1
	default:
		f.Line += line - 1
	}
}

// locate sorts findings by where they stand and counts lines and columns up to there, in one pass.
func locate(raw []byte, all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	line, begin, at := 1, 0, 0
	for i := range all {
		to := all[i].Offset
		line += bytes.Count(raw[at:to], []byte{'\n'})
		if end := bytes.LastIndexByte(raw[at:to], '\n'); end >= 0 {
			begin = at + end + 1
		}
		at = to
		all[i].Line, all[i].Column = line, to-begin+1
	}
}

// step is one part of the path to where the walk is.
type step struct {
	name  string // of an element; "" for a place in an array
	as    string // the type of a choice
	index int
}

// path is the FHIRPath of where the walk is: Patient.contact[0].name, Observation.value.ofType(Quantity).
func (w *walk) path() string {
	var b strings.Builder
	b.WriteString(w.root)
	for _, s := range w.steps {
		if s.name == "" {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		b.WriteString("." + s.name)
		if s.as != "" {
			b.WriteString(".ofType(" + s.as + ")")
		}
	}
	return b.String()
}
