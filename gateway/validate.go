package gateway

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"vitalog/definition"
	"vitalog/fhir"
)

// Validation says which of R4's rules are asked of what is written. See spec/validation.md.
type Validation int

const (
	Lenient Validation = iota // structure, cardinality, primitives, required bindings and invariants; not what systems in the field commonly get wrong
	Strict                    // everything that R4 demands
	Off                       // JSON, ids and times alone
)

var validations = []string{Lenient: "lenient", Strict: "strict", Off: "off"}

func (v Validation) String() string { return validations[v] }

// UnmarshalText reads it as it stands in the configuration; "" is lenient.
func (v *Validation) UnmarshalText(text []byte) error {
	at := slices.Index(validations, cmp.Or(string(text), "lenient"))
	if at < 0 {
		return fmt.Errorf("validation is %q, want lenient, strict or off", text)
	}
	*v = Validation(at)
	return nil
}

// refuses tells whether a finding keeps a resource out.
func (v Validation) refuses(f *definition.Finding) bool {
	return f.Severity == fhir.Failure && (v == Strict || v == Lenient && !f.Common)
}

// maxIssues is how many findings a request is told. An entry of a batch that comes after so many is told its first one.
const maxIssues = 1000

// validate holds what comes in together against R4. What is refused has its err then; the first of them is returned.
func (g *gateway) validate(all []*incoming) error {
	if g.Validation != Off {
		kinds := map[string]string{}
		for _, in := range all {
			if r := in.entry.Resource; r != nil && in.entry.FullURL != "" {
				kinds[in.entry.FullURL] = r.Type()
			}
		}
		var told atomic.Int64
		var each errgroup.Group
		each.SetLimit(runtime.GOMAXPROCS(0))
		for _, in := range all {
			if in.entry.Resource != nil {
				each.Go(func() error {
					in.hold(g.Validation, &told, func(ref string) string { return kinds[ref] })
					return nil
				})
			}
		}
		each.Wait()
	}
	for _, in := range all {
		if in.err != nil {
			return in.err
		}
	}
	return nil
}

// hold notes in err what is wrong with a resource, if that keeps it out. told are the findings of the request.
func (in *incoming) hold(v Validation, told *atomic.Int64, kind func(ref string) string) {
	var issues []fhir.Issue
	for _, f := range definition.Validate(in.entry.Resource, kind) {
		if v.refuses(&f) && (len(issues) == 0 || told.Load() < maxIssues) {
			told.Add(1)
			f.Under(in.root, in.entry.Line, in.entry.Column)
			issues = append(issues, f.Issue())
		}
	}
	if len(issues) > 0 && (in.err == nil || in.entry.Invalid != nil) {
		in.err = &problem{status: http.StatusUnprocessableEntity, code: issues[0].Code, at: issues[0].Element, text: issues[0].Text, issues: issues}
	}
}

// invalid is what is wrong with the entries of a transaction, as one problem; nil if nothing is.
func invalid(all []*incoming) error {
	var whole *problem
	for _, in := range all {
		if in.err == nil {
			continue
		}
		p := asProblem(in.err)
		if whole == nil {
			first := *p
			whole, first.issues = &first, nil
		}
		issues := p.issues
		if issues == nil {
			issues = []fhir.Issue{p.issue()}
		}
		whole.issues = append(whole.issues, issues[:min(len(issues), definition.MaxFindings-len(whole.issues))]...)
	}
	if whole == nil { // an interface that holds a nil pointer would be no nil
		return nil
	}
	return whole
}

// after is the line and column of what comes after some bytes.
func after(before []byte) (line, column int) {
	return 1 + bytes.Count(before, []byte{'\n'}), len(before) - bytes.LastIndexByte(before, '\n')
}

// parse reads the resource of an entry that came alone.
func parse(e *fhir.Entry, raw []byte) (err error) {
	e.Line, e.Column = after(raw[:len(raw)-len(bytes.TrimLeft(raw, " \t\r\n"))])
	e.Resource, err = fhir.Parse(raw)
	if e.Resource != nil && errors.As(err, &e.Invalid) { // one of its dates is wrong, which is told with all else
		return nil
	}
	return err
}
