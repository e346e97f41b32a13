package hl7

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"vitalog/fhir"
)

// Settings are how a member reads messages. The zero value takes production messages and knows no names.
type Settings struct {
	Member     string            // name of the member, in the systems of numbers and codes that have no URI
	Systems    map[string]string // assigning authorities and coding systems, by namespace or universal id, and their URIs
	Processing []string          // what MSH-11 may be; empty: P
	Zone       *time.Location    // of times without a zone; nil: they become dates, unless MSH-7 tells the zone
}

// Change is what a message says, in FHIR, before it is known what of it is there already.
type Change struct {
	Patient   []fhir.Identifier // who it is about; the first is what a new chart is known by
	Prior     []fhir.Identifier // of a merge: who is the same person
	Chart     string            // the chart that it goes to, where the sender names that itself
	Refreshes bool              // the message says how the patient's demographics are now
	Resources []*Resource       // in the order of the bundle, the Patient first

	message  *Message
	settings Settings
	seed     []byte // of the resources' names in the bundle
	zone     string // of MSH-7
	patient  *Resource
	prior    *Resource
	visit    *Resource
	security []any // labels for what the message brings
}

// Resource is one resource of a change. Of those with a Key another message may have brought an earlier version.
type Resource struct {
	Type string
	Key  fhir.Identifier
	Code fhir.Coding // with the key; zero: the key alone tells
	keep bool        // an earlier version stays as it is
	join bool        // what the message doesn't say stays as it is
	last bool        // after the others, since it names addresses that they get

	body    object
	fullURL string
	address string // reference of others to it
}

// Current is a resource as it is now.
type Current struct {
	ID  string
	Raw []byte // FHIR JSON; nil if only the id is known
}

// Known is what is there already.
type Known struct {
	Patient   *Current
	Prior     *Current
	Resources []Current // candidates of all types
}

// Read says what a message says. The error says with what to refuse it.
func Read(m *Message, s Settings) (*Change, *Error) {
	h := m.header()
	if n := len(m.Control()); n == 0 || n > MaxControl {
		return nil, &Error{Code: Reject, Number: RequiredFieldMissing, At: "MSH-10", Text: fmt.Sprintf("the message needs a control id of at most %d bytes", MaxControl)}
	}
	if !version.MatchString(h.field(12).first().text()) {
		return nil, &Error{Code: Reject, Number: UnsupportedVersion, At: "MSH-12", Text: "versions 2.1 to 2.9 are taken"}
	}
	if len(s.Processing) == 0 {
		s.Processing = []string{"P"}
	}
	if !slices.Contains(s.Processing, h.field(11).first().text()) {
		return nil, &Error{Code: Reject, Number: UnsupportedProcessing, At: "MSH-11", Text: "messages of this processing id are not taken here; " + strings.Join(s.Processing, " and ") + " are"}
	}
	c := &Change{message: m, settings: s, seed: m.Bytes()}
	_, c.zone = splitZone(h.field(7).first().text())
	take := readers[m.Type()]
	if take == nil {
		kind, number := "MSH-9", UnsupportedType
		for known := range readers {
			if strings.HasPrefix(known, h.field(9).first().part(1).text()+"^") {
				number = UnsupportedEvent
			}
		}
		return nil, &Error{Code: Reject, Number: number, At: kind, Text: "this message type is not taken. Taken are " + strings.Join(Types(), ", ")}
	}
	if err := c.readPatient(); err != nil {
		return nil, err
	}
	if err := take(c); err != nil {
		return nil, err
	}
	c.name()
	return c, nil
}

var version = regexp.MustCompile(`^2\.[1-9](\.[1-9]){0,2}$`)

// readers are the message types that are taken.
var readers = map[string]func(*Change) *Error{
	"ADT^A01": (*Change).admit, "ADT^A04": (*Change).admit, "ADT^A03": (*Change).admit, "ADT^A08": (*Change).admit, "ADT^A40": (*Change).merge,
	"ORU^R01": (*Change).results, "VXU^V04": (*Change).vaccinations, "RDE^O11": (*Change).prescriptions, "RDE^O25": (*Change).prescriptions, "RDS^O13": (*Change).dispenses,
	"MDM^T02": (*Change).documents, "MDM^T04": (*Change).documents, "MDM^T06": (*Change).documents, "MDM^T08": (*Change).documents, "MDM^T10": (*Change).documents,
}

// Types are the message types that are taken, sorted.
func Types() (out []string) {
	for t := range readers {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// bring adds a resource to the change.
func (c *Change) bring(r *Resource) *reference {
	r.body["resourceType"] = r.Type
	if len(c.security) > 0 && r != c.patient && r.Type != "Encounter" {
		r.body["meta"] = object{"security": c.security}
	}
	c.Resources = append(c.Resources, r)
	return &reference{r}
}

// name gives each resource its name in the bundle: the same message has the same names.
func (c *Change) name() {
	seed := sha256.Sum256(c.seed)
	for i, r := range c.Resources {
		h := sha256.Sum256(fmt.Appendf(seed[:], "%d", i))
		h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
		r.fullURL = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
	}
}

// Keys are the resources of a type that may be there already.
func (c *Change) Keys() map[string][]fhir.Identifier {
	out := map[string][]fhir.Identifier{}
	for _, r := range c.Resources {
		if r.Key.Value != "" && !slices.Contains(out[r.Type], r.Key) {
			out[r.Type] = append(out[r.Type], r.Key)
		}
	}
	return out
}

// Merges tells whether the message says that two patients are one person.
func (c *Change) Merges() bool { return c.prior != nil }

// Bundle is the transaction that brings the change about. Where resources name addresses that others get by it, later has a second one, in
// which the fullUrls of the first stand for them; else it is nil.
func (c *Change) Bundle(known Known) (now, later []byte, why *Error) {
	if c.prior != nil {
		if why := c.link(known); why != nil {
			return nil, nil, why
		}
	}
	var first, second []any
	var entries []func() error
	used := map[string]bool{}
	for _, r := range c.Resources {
		have := c.have(r, known, used)
		entry := object{"fullUrl": r.fullURL}
		r.address = r.fullURL
		switch {
		case have == nil:
			entry["request"] = object{"method": "POST", "url": r.Type}
			if r == c.patient {
				entry["request"] = object{"method": "POST", "url": r.Type, "ifNoneExist": "identifier=" + escape(r.Key.System) + "%7C" + escape(r.Key.Value)}
			}
		default:
			r.address = r.Type + "/" + have.ID
			if r.keep {
				continue
			}
			request := object{"method": "PUT", "url": r.address}
			if v := versionOf(have.Raw); v != "" {
				request["ifMatch"] = `W/"` + v + `"`
			}
			entry["request"] = request
		}
		entries = append(entries, func() error {
			raw, err := r.render(have)
			entry["resource"] = json.RawMessage(raw)
			return err
		})
		if r.last {
			second = append(second, entry)
		} else {
			first = append(first, entry)
		}
	}
	for _, render := range entries {
		if err := render(); err != nil {
			return nil, nil, &Error{Code: Fail, Number: InternalError, Text: "what is there can't be read: " + err.Error()}
		}
	}
	for i, list := range [][]any{first, second} {
		if len(list) == 0 {
			continue
		}
		entries, err := encode(list)
		if err != nil {
			return nil, nil, &Error{Code: Fail, Number: InternalError, Text: err.Error()}
		}
		*[]*[]byte{&now, &later}[i] = fmt.Appendf(nil, `{"resourceType":"Bundle","type":"transaction","entry":%s}`, entries)
	}
	return now, later, nil
}

// escape is s with percent escapes for all but what stands for itself in a URI everywhere, and colons.
func escape(s string) string {
	var out strings.Builder
	for _, b := range []byte(s) {
		if upper(b) || upper(b&^0x20) || digit(b) || strings.IndexByte("-._~:", b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

// have is what there is of a resource already.
func (c *Change) have(r *Resource, known Known, used map[string]bool) *Current {
	switch {
	case r == c.patient:
		return known.Patient
	case r == c.prior:
		return known.Prior
	case r.Key.Value == "":
		return nil
	}
	for i := range known.Resources {
		k := &known.Resources[i]
		x, err := fhir.Parse(k.Raw)
		if err != nil || x.Type() != r.Type || used[r.Type+"/"+k.ID] || !slices.Contains(x.Identifiers(), r.Key) {
			continue
		}
		if r.Code.Code == "" || slices.Contains(x.Codings("code"), r.Code) {
			used[r.Type+"/"+k.ID] = true
			return k
		}
	}
	return nil
}

// union is a new list of identifiers or extensions, with those of an old one that aren't in it.
func union(old json.RawMessage, list []any) ([]any, error) {
	name := func(raw []byte) (string, error) {
		x, err := members(raw)
		var parts [3]string
		for i, at := range []string{"url", "system", "value"} {
			if err == nil && x[at] != nil {
				err = json.Unmarshal(x[at], &parts[i])
			}
		}
		return strings.Join(parts[:], " "), err
	}
	have := map[string]bool{}
	for _, v := range list {
		raw, err := encode(v)
		if err != nil {
			return nil, err
		}
		n, err := name(raw)
		if err != nil {
			return nil, err
		}
		have[n] = true
	}
	var before []json.RawMessage
	if err := json.Unmarshal(old, &before); err != nil {
		return nil, err
	}
	for _, raw := range before {
		n, err := name(raw)
		if err != nil {
			return nil, err
		}
		if !have[n] {
			list = append(list, raw)
		}
	}
	return list, nil
}

// render is the resource's JSON, the type first.
func (r *Resource) render(have *Current) ([]byte, error) {
	body := object{}
	if have != nil && r.join {
		old, err := members(have.Raw)
		if err != nil {
			return nil, err
		}
		for k, v := range old {
			body[k] = v
		}
		delete(body, "meta")
		delete(body, "text") // says what was
	}
	for k, v := range r.body {
		switch old, _ := body[k].(json.RawMessage); {
		case v == nil:
			delete(body, k)
		case old != nil && (k == "identifier" || k == "extension"):
			all, err := union(old, v.([]any))
			if err != nil {
				return nil, err
			}
			body[k] = all
		default:
			body[k] = v
		}
	}
	if have != nil {
		body["id"] = have.ID
	}
	delete(body, "resourceType")
	rest, err := encode(body)
	if err != nil {
		return nil, err
	}
	head := fmt.Appendf(nil, `{"resourceType":%q`, r.Type)
	if len(body) > 0 {
		head = append(head, ',')
	}
	return append(head, rest[1:]...), nil
}
