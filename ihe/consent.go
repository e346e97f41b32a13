package ihe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitalog/fhir"
	"vitalog/section"
)

// Limits of what one Consent may ask for.
const (
	MaxActors    = 16
	MaxInstances = 256
	MaxConsent   = 64 << 10 // bytes
)

// Reference says who or what is meant: by a FHIR reference, or by an identifier.
type Reference struct {
	Reference     string
	System, Value string
}

// Policy is what a Consent permits, and then nothing else is permitted; or what it denies.
type Policy struct {
	Status    string // draft, proposed, active, rejected, inactive, entered-in-error
	Patient   Reference
	Denies    bool        // nobody of whom it speaks may read
	Actors    []Reference // who may read; of a denial none: everybody
	Purposes  []string    // v3-ActReason; of a denial none: all
	Sections  []section.Section
	From      time.Time     // zero: at once
	Until     time.Time     // the first moment no more; zero: until it is ended
	Data      fhir.Interval // when what may be read was made; open on both sides: whenever
	Instances []string      // references to what alone may be read; nil: all
}

// IsPrivacy tells whether a Consent is about who may read, as PCF has it. Others (an advance directive, a treatment) are records of the chart.
func IsPrivacy(r *fhir.Resource) bool {
	return slices.Contains(r.Codings("scope"), fhir.Coding{System: consentScope, Code: "patient-privacy"})
}

type (
	consentIn struct {
		Status           string            `json:"status"`
		Category         []json.RawMessage `json:"category"`
		Patient          *referenceIn      `json:"patient"`
		DateTime         string            `json:"dateTime"`
		Performer        []json.RawMessage `json:"performer"`
		Organization     []json.RawMessage `json:"organization"`
		SourceAttachment json.RawMessage   `json:"sourceAttachment"`
		SourceReference  json.RawMessage   `json:"sourceReference"`
		Policy           []struct {
			URI string `json:"uri"`
		} `json:"policy"`
		ModifierExtension json.RawMessage `json:"modifierExtension"`
		Provision         *provisionIn    `json:"provision"`
	}
	provisionIn struct {
		Type   string    `json:"type"`
		Period *periodIn `json:"period"`
		Actor  []struct {
			Role      concept      `json:"role"`
			Reference *referenceIn `json:"reference"`
		} `json:"actor"`
		Action        json.RawMessage `json:"action"`
		SecurityLabel []coding        `json:"securityLabel"`
		Purpose       []coding        `json:"purpose"`
		Class         []coding        `json:"class"`
		Code          json.RawMessage `json:"code"`
		DataPeriod    *periodIn       `json:"dataPeriod"`
		Data          []struct {
			Meaning   string       `json:"meaning"`
			Reference *referenceIn `json:"reference"`
		} `json:"data"`
		Provision         []provisionIn   `json:"provision"`
		ModifierExtension json.RawMessage `json:"modifierExtension"`
	}
	periodIn struct {
		Start string `json:"start"`
		End   string `json:"end"`
	}
	referenceIn struct {
		Reference  string     `json:"reference"`
		Identifier identifier `json:"identifier"`
	}
)

func (r *referenceIn) reference() Reference {
	if r == nil {
		return Reference{}
	}
	return Reference{r.Reference, r.Identifier.System, r.Identifier.Value}
}

func wrong(kind fhir.Kind, at, format string, a ...any) error {
	return &fhir.Error{Kind: kind, Element: "Consent." + at, Text: fmt.Sprintf(format, a...)}
}

// ReadPolicy reads a Consent of scope patient-privacy. Its errors are of type *fhir.Error. A request (status proposed) needs neither performer nor
// source nor policy: there is no agreement yet.
func ReadPolicy(r *fhir.Resource) (*Policy, error) {
	var in consentIn
	if len(r.Raw()) > MaxConsent {
		return nil, wrong(fhir.Invalid, "provision", "has more than is read: a Consent here has at most %d bytes", MaxConsent)
	}
	if err := r.Read(&in); err != nil {
		return nil, wrong(fhir.Invalid, "provision", "an element has another type than FHIR gives it, or its name another case")
	}
	for _, missing := range []struct {
		at string
		is bool
	}{
		{"category", len(in.Category) == 0}, {"patient", in.Patient == nil}, {"dateTime", in.DateTime == ""},
		{"performer", len(in.Performer) == 0 && in.Status != "proposed"}, {"organization", len(in.Organization) == 0 && in.Status != "proposed"},
		{"source", in.SourceAttachment == nil && in.SourceReference == nil && in.Status != "proposed"},
		{"policy.uri", in.Status != "proposed" && (len(in.Policy) != 1 || in.Policy[0].URI == "")},
		{"provision", in.Provision == nil},
	} {
		if missing.is {
			return nil, wrong(fhir.Required, missing.at, "is missing; IHE PCF requires it")
		}
	}
	if !slices.Contains([]string{"draft", "proposed", "active", "rejected", "inactive", "entered-in-error"}, in.Status) {
		return nil, wrong(fhir.Invalid, "status", "is no status of a Consent")
	}
	if in.ModifierExtension != nil {
		return nil, wrong(fhir.Unsupported, "modifierExtension", "changes what the Consent means, and isn't known here")
	}
	p := &Policy{Status: in.Status, Patient: in.Patient.reference()}
	if in.Provision.Type == "deny" {
		p.Denies = true
		return p, p.deny(in.Provision)
	}
	if err := p.read(in.Provision); err != nil {
		return nil, err
	}
	for i := range in.Provision.Provision {
		if err := p.except(&in.Provision.Provision[i], fmt.Sprintf("provision.provision[%d]", i)); err != nil {
			return nil, err
		}
	}
	if len(p.Sections) == 0 || len(p.Actors) == 0 || len(p.Purposes) == 0 {
		return nil, wrong(fhir.Invalid, "provision", "permits nothing once its exceptions are taken off. To end a Consent set its status to inactive")
	}
	return p, nil
}

// read reads the base provision.
func (p *Policy) read(in *provisionIn) (err error) {
	switch {
	case in.Type != "permit":
		return wrong(fhir.Required, "provision.type", "is missing: permit, or deny")
	case len(in.Actor) == 0:
		return wrong(fhir.Required, "provision.actor", "is missing: say which organisation may read. Consents for everybody are not offered")
	case len(in.Actor) > MaxActors:
		return wrong(fhir.Invalid, "provision.actor", "are more than %d", MaxActors)
	case len(in.Purpose) == 0:
		return wrong(fhir.Required, "provision.purpose", "is missing: keys are for one purpose each")
	case len(in.Data) > MaxInstances:
		return wrong(fhir.Invalid, "provision.data", "are more than %d", MaxInstances)
	}
	if err := in.unknown("provision"); err != nil {
		return err
	}
	if p.Actors, err = in.actors("provision"); err != nil {
		return err
	}
	if p.Purposes, err = in.purposes("provision"); err != nil {
		return err
	}
	when, err := in.Period.interval("provision.period")
	if err != nil {
		return err
	}
	p.From, p.Until = when.From, when.To
	if p.Data, err = in.DataPeriod.interval("provision.dataPeriod"); err != nil {
		return err
	}
	for i, d := range in.Data {
		at := fmt.Sprintf("provision.data[%d]", i)
		if d.Meaning != "instance" {
			return wrong(fhir.Unsupported, at+".meaning", "is not instance: what else a resource leads to may grow, and is not shared by it. List the resources")
		}
		if d.Reference == nil || d.Reference.Reference == "" {
			return wrong(fhir.Required, at+".reference", "names no resource")
		}
		p.Instances = append(p.Instances, d.Reference.Reference)
	}
	p.Sections, err = in.sections("provision")
	if err != nil || p.Sections != nil {
		return err
	}
	for _, s := range section.Clinical() {
		if !s.Sensitive() || p.Instances != nil { // what is named one by one is named
			p.Sections = append(p.Sections, s)
		}
	}
	return nil
}

// except takes an exception off: sections, or actors, or purposes.
func (p *Policy) except(in *provisionIn, at string) error {
	if err := in.unknown(at); err != nil {
		return err
	}
	if in.Type != "deny" {
		return wrong(fhir.Unsupported, at+".type", "is not deny: an exception to what is permitted takes something off. Write what is permitted beyond it as a Consent of its own")
	}
	if in.Period != nil || in.DataPeriod != nil || in.Data != nil || in.Provision != nil {
		return wrong(fhir.Unsupported, at, "has a period, data or an exception of its own; an exception here names sections, or actors, or purposes")
	}
	sections, err := in.sections(at)
	if err != nil {
		return err
	}
	actors, err := in.actors(at)
	if err != nil {
		return err
	}
	purposes, err := in.purposes(at)
	if err != nil {
		return err
	}
	named := 0
	for _, n := range []int{len(sections), len(actors), len(purposes)} {
		if n > 0 {
			named++
		}
	}
	if named != 1 {
		return wrong(fhir.Unsupported, at, "names several of sections, actors and purposes, or none. Write a Consent for each actor and purpose")
	}
	p.Sections = slices.DeleteFunc(p.Sections, func(s section.Section) bool { return slices.Contains(sections, s) })
	p.Purposes = slices.DeleteFunc(p.Purposes, func(s string) bool { return slices.Contains(purposes, s) })
	for _, a := range actors {
		n := len(p.Actors)
		if p.Actors = slices.DeleteFunc(p.Actors, func(b Reference) bool { return a == b }); len(p.Actors) == n {
			return wrong(fhir.Invalid, at+".actor", "is none of the actors that are permitted, written the same way")
		}
	}
	return nil
}

// unknown refuses the elements that narrow a provision by what the ledger doesn't know.
func (in *provisionIn) unknown(at string) error {
	switch {
	case in.Action != nil:
		return wrong(fhir.Unsupported, at+".action", "is not taken: a Consent permits to read")
	case in.Code != nil:
		return wrong(fhir.Unsupported, at+".code", "is not taken: what is shared is a section, a period of data, or instances, not a code")
	case in.ModifierExtension != nil:
		return wrong(fhir.Unsupported, at+".modifierExtension", "changes what the provision means, and isn't known here")
	}
	return nil
}

func (in *provisionIn) actors(at string) (out []Reference, err error) {
	for i, a := range in.Actor {
		if !slices.ContainsFunc(a.Role.Coding, func(c coding) bool { return c.System == participation && c.Code == "IRCP" }) {
			return nil, wrong(fhir.Unsupported, fmt.Sprintf("%s.actor[%d].role", at, i), "is not IRCP of v3-ParticipationType, the recipient")
		}
		r := a.Reference.reference()
		if r.Reference == "" && r.Value == "" {
			return nil, wrong(fhir.Required, fmt.Sprintf("%s.actor[%d].reference", at, i), "names nobody")
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (in *provisionIn) purposes(at string) (out []string, err error) {
	for i, c := range in.Purpose {
		if c.System != actReason || c.Code == "" {
			return nil, wrong(fhir.Unsupported, fmt.Sprintf("%s.purpose[%d]", at, i), "is not of v3-ActReason")
		}
		if !slices.Contains(out, c.Code) {
			out = append(out, c.Code)
		}
	}
	return out, nil
}

// sections are those that class and labels name: with both those that both name; nil if there is neither.
func (in *provisionIn) sections(at string) (out []section.Section, err error) {
	for i, c := range in.Class {
		s, err := section.Parse(c.Code)
		if c.System != SectionSystem || err != nil || !slices.Contains(section.Clinical(), s) {
			return nil, wrong(fhir.Unsupported, fmt.Sprintf("%s.class[%d]", at, i), "is no section. What is shared is whole sections, as %s: %v", SectionSystem, section.Clinical())
		}
		out = append(out, s)
	}
	var labelled []section.Section
	for i, c := range in.SecurityLabel {
		more := labelledSections(c)
		if more == nil {
			return nil, wrong(fhir.Unsupported, fmt.Sprintf("%s.securityLabel[%d]", at, i), "leads to no section. N and R of v3-Confidentiality do, and the sensitivity codes of spec/sections.md")
		}
		labelled = append(labelled, more...)
	}
	switch {
	case in.SecurityLabel == nil:
	case in.Class == nil:
		out = labelled
	default:
		if out = slices.DeleteFunc(out, func(s section.Section) bool { return !slices.Contains(labelled, s) }); len(out) == 0 {
			return nil, wrong(fhir.Invalid, at+".securityLabel", "and class name no section together")
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// labelledSections are where resources with a label are: N all that is not sensitive, R what is.
func labelledSections(c coding) (out []section.Section) {
	if s := section.Labelled(section.Coding{System: c.System, Code: c.Code}); s != 0 {
		return []section.Section{s}
	}
	if c.System != confidentiality || c.Code != "N" && c.Code != "R" {
		return nil
	}
	for _, s := range section.Clinical() {
		if s.Sensitive() == (c.Code == "R") {
			out = append(out, s)
		}
	}
	return out
}

func (p *periodIn) interval(at string) (out fhir.Interval, err error) {
	if p == nil {
		return out, nil
	}
	var start, end fhir.Interval
	if p.Start != "" {
		start, err = fhir.ParseDate(p.Start, false)
	}
	if err == nil && p.End != "" {
		end, err = fhir.ParseDate(p.End, false)
	}
	if err != nil || p.Start == "" && p.End == "" {
		return out, wrong(fhir.Invalid, at, "is no period: start, end, or both, as dates")
	}
	if out = (fhir.Interval{From: start.From, To: end.To}); !out.To.IsZero() && !out.From.Before(out.To) {
		return out, wrong(fhir.Invalid, at, "ends before it begins")
	}
	return out, nil
}

// Words is the policy in one line, for a label.
func (p *Policy) Words() string {
	var names []string
	for _, s := range p.Sections {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}
