package gateway

import (
	"bytes"
	"net/http"
	"slices"

	"vitalog/definition"
	"vitalog/exchange"
	"vitalog/fhir"
)

// check answers $validate: all that R4 has to say of a resource, and with a mode what this gateway would. Nothing is read or kept. See
// https://hl7.org/fhir/R4/resource-operation-validate.html.
func (g *gateway) check(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	kind, id := r.PathValue("type"), r.PathValue("id")
	if !fhir.KnownType(kind) {
		return notFound
	}
	raw, err := readResource(w, r.Body)
	if err != nil {
		return err
	}
	c, err := readChecked(raw)
	if err != nil {
		return err
	}
	var issues []fhir.Issue
	if at := c.entry.Resource.Type(); at != kind {
		issues = append(issues, fhir.Issue{Severity: fhir.Failure, Code: "invalid", Element: at, Text: "This is a " + at + ". Send it to " + at + "/$validate."})
	}
	for _, f := range definition.Validate(c.entry.Resource, nil) {
		f.Under(c.entry.Resource.Type(), c.entry.Line, c.entry.Column)
		i := f.Issue()
		if f.Severity == fhir.Failure && !g.Validation.refuses(&f) {
			i.Text += " This member takes it nevertheless."
		}
		issues = append(issues, i)
	}
	switch c.mode {
	case "create":
		c.entry.Method, c.entry.URL = http.MethodPost, kind
	case "update":
		c.entry.Method, c.entry.URL = http.MethodPut, kind+"/"+id
	}
	if c.mode != "" && c.entry.Resource.Type() == kind {
		c.entry.Invalid = nil // of a date, which is among the findings
		if _, err := take(&c.entry, true); err != nil {
			issues = append(issues, asProblem(err).issue())
		}
	}
	if issues == nil {
		issues = []fhir.Issue{{Severity: fhir.Information, Code: "informational", Text: "Nothing was found that R4 doesn't allow."}}
	}
	writeJSON(w, http.StatusOK, fhir.Outcome(issues...))
	return nil
}

// checked is what $validate is asked about.
type checked struct {
	entry fhir.Entry
	mode  string // create, update; "" if only the content counts
}

// readChecked reads a resource alone, or in the Parameters of the operation.
func readChecked(raw []byte) (*checked, error) {
	var c checked
	if err := parse(&c.entry, raw); err != nil || c.entry.Resource.Type() != "Parameters" {
		return &c, err
	}
	whole := c.entry.Resource.Raw()
	var inner, profile fhir.Value
	fhir.Value(whole).Get("parameter").Each(func(p fhir.Value) bool {
		switch p.Get("name").Text() {
		case "resource":
			inner = p.Get("resource")
		case "mode":
			c.mode = p.Get("valueCode").Text()
		case "profile":
			profile = p
		}
		return true
	})
	switch {
	case profile != nil:
		return nil, &problem{status: http.StatusUnprocessableEntity, code: "not-supported", at: "Parameters.parameter", text: "Profiles are not known here. Leave the parameter profile out, to hold the resource against R4 itself."}
	case !slices.Contains([]string{"", "create", "update"}, c.mode):
		return nil, &problem{status: http.StatusUnprocessableEntity, code: "not-supported", at: "Parameters.parameter", text: "The parameter mode is create or update here, or left out."}
	case inner == nil:
		return &c, nil // Parameters are a resource too
	}
	if err := parse(&c.entry, inner); err != nil {
		return nil, err
	}
	c.entry.Line, c.entry.Column = after(raw[:bytes.Index(raw, inner)])
	return &c, nil
}
