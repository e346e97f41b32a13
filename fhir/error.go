package fhir

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is what is wrong, as a code of FHIR's issue-type value set, so that it can stand in an OperationOutcome.
type Kind string

const (
	Structure   Kind = "structure"     // not the JSON that FHIR prescribes
	Required    Kind = "required"      // an element is missing
	Invalid     Kind = "value"         // an element's value is not of its type
	Unsupported Kind = "not-supported" // a type, parameter or modifier that this program doesn't have
	TooCostly   Kind = "too-costly"    // more than this program takes at a time
	TooLong     Kind = "too-long"      // more bytes than MaxResource
)

// ErrTooLarge is wrapped by the error for a resource of more than MaxResource bytes.
var ErrTooLarge = errors.New("larger than 64 MiB")

// Error tells which element of the input is wrong, and how. It never quotes a value: values are health data.
type Error struct {
	Kind    Kind
	Element string // FHIRPath: "Bundle.entry[3].resource.code"; of a search, the parameter's name
	Text    string
	Offset  int64 // byte of the input, 0 if not known
	Cause   error // may be nil
}

func (e *Error) Error() string {
	s := e.Element + ": " + e.Text
	if e.Offset > 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

func tooLarge(element string, size int) *Error {
	return &Error{Kind: TooLong, Element: element, Text: fmt.Sprintf("%d bytes", size), Cause: ErrTooLarge}
}

// under moves an error about a resource of its own to where the resource stands: Observation.code to Bundle.entry[3].resource.code.
func (e *Error) under(parent string) *Error {
	moved := *e
	_, rest, deep := strings.Cut(e.Element, ".")
	moved.Element = parent
	if deep {
		moved.Element += "." + rest
	}
	return &moved
}

// elementPath turns a JSON pointer into FHIRPath: /code/coding/0 to Observation.code.coding[0]. Names are the sender's and might be
// anything, so only plain ones are repeated.
func elementPath(root, pointer string) string {
	var b strings.Builder
	b.WriteString(root)
	for _, t := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		switch {
		case t == "":
		case strings.Trim(t, "0123456789") == "":
			b.WriteString("[" + t + "]")
		default:
			b.WriteString("." + plainName(t))
		}
	}
	return b.String()
}

// plainName is name if it looks like that of an element or parameter, and ? otherwise.
func plainName(name string) string {
	const letters = "_-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if name == "" || len(name) > 64 || strings.Trim(name, letters) != "" {
		return "?"
	}
	return name
}
