package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/directory"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
	"vitalog/section"
)

// incoming is one resource on its way in.
type incoming struct {
	entry     *fhir.Entry
	res       *fhir.Resource
	request   string           // where the request stands, for errors: "Bundle.entry[3].request"
	root      string           // where the resource stands: "Bundle.entry[3].resource"; "Observation" if it came alone
	update    bool             // else it is to be created
	deleted   bool             // an update that ends the resource: res says only which
	condition *fhir.Identifier // create only if nothing has it
	criteria  url.Values       // of a conditional interaction, until it is known what fulfils them
	found     bool             // by the condition of a create
	changes   fhir.Patch       // of a PATCH, which res stands for until it is known
	patchedAt uint64           // entry of the version that was patched
	patched   *patched         // of a resource of the directory
	section   section.Section
	directory bool

	id       string            // logical id; of a new patient and of the directory's resources it is known once written
	links    map[string]link   // its references, as received
	patient  patient           // whose chart it goes to; nobody's for the directory
	replaces exchange.Location // of an update
	leaving  *exchange.Leaving // of an update that goes to another section than the version it replaces
	there    *standing         // it is there already: nothing is written
	resumed  bool              // id, patient, replaces and there are those of an earlier attempt
	done     standing
	err      error // of an entry of a batch
}

// standing says where a resource stands after a write.
type standing struct {
	status  int
	kind    string
	id      string
	version string // "" if only a read would tell
	at      time.Time
}

// take checks what one entry of a bundle says of itself. alone is set when the request had no bundle around it.
func take(e *fhir.Entry, alone bool) (*incoming, error) {
	in := &incoming{entry: e, res: e.Resource, request: e.Element() + ".request", root: e.Element() + ".resource", links: map[string]link{}}
	if alone && in.res != nil {
		in.request, in.root = "", in.res.Type()
	}
	if e.Invalid != nil {
		return in, e.Invalid
	}
	switch e.Method {
	case http.MethodDelete:
		if err := in.end(e); err != nil {
			return in, err
		}
	case http.MethodPatch:
		if err := in.change(e); err != nil {
			return in, err
		}
	}
	if in.res == nil {
		return in, in.bad(in.root, "required", "A resource is missing here. A POST or PUT in a bundle has one.")
	}
	kind := in.res.Type()
	if alone {
		in.request, in.root = "", kind
	}
	address := strings.TrimPrefix(e.URL, "/")
	switch e.Method {
	case http.MethodPost:
		if address != kind {
			return in, in.bad(in.in("url"), "invalid", "A POST of this resource goes to %s.", kind)
		}
	case http.MethodPut:
		if typ, conditional, err := in.byCondition(address); conditional {
			if err == nil && typ != kind {
				err = in.bad(in.in("url"), "invalid", "A PUT of this resource goes to %s/ and its id, or to %s? and a condition.", kind, kind)
			}
			if err != nil {
				return in, err
			}
			break
		}
		ref := fhir.ParseReference(address)
		if ref.Type != kind || ref.ID == "" || ref.Base != "" || ref.Version != "" {
			return in, in.bad(in.in("url"), "invalid", "A PUT of this resource goes to %s/ and its id, or to %s? and a condition.", kind, kind)
		}
		if in.res.ID() != ref.ID {
			return in, in.bad(in.root+".id", "invalid", "The resource's id and the id in the address must be the same.")
		}
		in.update, in.id = true, ref.ID
	case http.MethodDelete, http.MethodPatch:
	default:
		return in, in.bad(in.in("method"), "not-supported", "The gateway takes POST, PUT, PATCH, DELETE, GET and HEAD here.")
	}
	if kind == "Consent" && ihe.IsPrivacy(in.res) {
		return in, in.bad(in.root, "not-supported", "A Consent about who may read is no record: it is granted. Send it by itself to Consent.")
	}
	var err error
	if in.section, in.directory, err = chart.Place(in.res); err != nil {
		return in, in.bad(in.root, "not-supported", "A %s carries a request or an answer and is no record. It is not kept.", kind)
	}
	if in.directory && len(in.res.Raw()) > directory.MaxResource {
		return in, in.bad(in.root, "too-long", "A resource of the directory has at most %d bytes, this one has %d.", directory.MaxResource, len(in.res.Raw()))
	}
	if e.IfNoneExist != "" {
		id, ok := fhir.ParseCondition(e.IfNoneExist)
		switch {
		case e.Method != http.MethodPost:
			return in, in.bad(in.in("ifNoneExist"), "not-supported", "This condition is taken on POST only.")
		case ok && (in.directory || kind == "Patient"):
			in.condition = &id
		case in.directory || kind == "Patient":
			return in, in.bad(in.in("ifNoneExist"), "not-supported", "Conditions on a Patient or a directory's resource are taken as identifier=system|value.")
		default:
			in.criteria, err = in.parseCriteria(e.IfNoneExist, "ifNoneExist")
		}
	}
	return in, err
}

// end makes of a DELETE what stands for the resource that it ends.
func (in *incoming) end(e *fhir.Entry) error {
	if in.res != nil {
		return in.bad(in.root, "invalid", "A DELETE has no resource.")
	}
	in.deleted = true
	if err := in.stand(e); err != nil {
		return err
	}
	if kind := in.res.Type(); kind == "Patient" || isListed(kind) {
		return &problem{status: http.StatusMethodNotAllowed, code: "not-supported", at: in.in("url"),
			text: "A " + kind + " is not deleted here: others refer to it. Send an update that says that it is not active."}
	}
	return nil
}

// change reads a PATCH: alone its body is the patch, in a bundle a Binary has it.
func (in *incoming) change(e *fhir.Entry) (err error) {
	raw := e.Patch
	if raw == nil {
		if in.res == nil || in.res.Type() != "Binary" || !slices.Equal(in.res.Strings("contentType"), []string{patchMedia}) {
			return in.bad(in.root, "not-supported", "A PATCH in a bundle has a Binary with contentType %s and the patch as data.", patchMedia)
		}
		if raw, err = base64.StdEncoding.DecodeString(strings.Join(in.res.Strings("data"), "")); err != nil {
			return in.bad(in.root+".data", "value", "This is no base64.")
		}
	}
	if in.changes, err = fhir.ParsePatch(raw); err != nil {
		return err
	}
	if in.changes == nil {
		in.changes = fhir.Patch{}
	}
	if err := in.stand(e); err != nil {
		return err
	}
	if in.res.Type() == "Binary" { // its bytes are not in its JSON
		return &problem{status: http.StatusMethodNotAllowed, code: "not-supported", at: in.in("url"), text: "A Binary is not patched. Send an update."}
	}
	return nil
}

// stand makes what stands for a resource that is only addressed, by its id or a condition.
func (in *incoming) stand(e *fhir.Entry) error {
	address := strings.TrimPrefix(e.URL, "/")
	kind, conditional, err := in.byCondition(address)
	if err != nil {
		return err
	}
	if conditional {
		in.res, err = fhir.Parse([]byte(`{"resourceType":"` + kind + `"}`))
		return err
	}
	ref := fhir.ParseReference(address)
	if ref.Type == "" || ref.ID == "" || ref.Base != "" || ref.Version != "" {
		return in.bad(in.in("url"), "invalid", "A %s goes to a type and an id, or to a type? and a condition.", e.Method)
	}
	in.res, err = fhir.Parse([]byte(`{"resourceType":"` + ref.Type + `","id":"` + ref.ID + `"}`))
	in.update, in.id = true, ref.ID
	return err
}

// bad is an error at an element of the entry.
func (in *incoming) bad(at, code, format string, a ...any) error {
	return &problem{status: http.StatusUnprocessableEntity, code: code, at: at, text: fmt.Sprintf(format, a...)}
}

// in is the path of an element of the request, "" if it came alone.
func (in *incoming) in(element string) string {
	if in.request == "" {
		return ""
	}
	return in.request + "." + element
}

// names are what a new patient is known by. No second request may enrol somebody of that name meanwhile. A number of which no system is
// told identifies nobody, unless it is asked for.
func (in *incoming) names() (out []fhir.Identifier) {
	if in.res.Type() != "Patient" || in.update {
		return nil
	}
	if in.condition != nil {
		out = append(out, *in.condition)
	}
	for _, id := range in.res.Identifiers() {
		if id.System != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// dayPaths are where a resource that belongs to no encounter says when it was made.
const dayPaths = "effectiveDateTime|effectivePeriod|effectiveInstant|issued|whenHandedOver|occurrenceDateTime|performedDateTime|date|recordedDate|authoredOn"

// holds are the names that no other request may work on meanwhile: those of a new patient; a condition, so that two requests with the
// same one don't both find nothing; and an address, so that two that saw the same version don't both replace it.
func (in *incoming) holds() []fhir.Identifier {
	switch {
	case in.criteria != nil:
		return append(in.names(), fhir.Identifier{System: "condition", Value: in.res.Type() + "?" + in.criteria.Encode()})
	case in.update:
		return []fhir.Identifier{{System: "address", Value: in.res.Type() + "/" + in.id}}
	}
	return in.names()
}

// group names the record that the resource is sealed in: with everything else of its encounter and section, or of its day if it has no
// encounter. A record costs two pairings to seal and to open, whatever it holds.
func (in *incoming) group() string {
	if in.res.Type() == "Encounter" {
		return "Encounter/" + in.id
	}
	if e := in.res.Encounter(); e != "" {
		if l := in.links[e]; l.kind() == "Encounter" {
			return l.String()
		}
	}
	if days := in.res.Dates(dayPaths); len(days) > 0 {
		return "day/" + days[0].From.UTC().Format(time.DateOnly)
	}
	return in.res.Type() + "/" + in.id
}

// refs are the references that readers see otherwise than they were received, in the order that a chart wants.
func (in *incoming) refs() []chart.Ref {
	return chart.Refs(in.res, in.ref)
}

// ref is a reference as readers see it.
func (in *incoming) ref(from string) string {
	if to := in.links[from].String(); to != "" {
		return to
	}
	return from
}

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return uuid(b, 4)
}

// uuid makes a UUID of a version of random or derived bytes.
func uuid(b [16]byte, version byte) string {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// location is the address of the version, relative to the base.
func (s *standing) location() string {
	if s.version == "" {
		return s.kind + "/" + s.id
	}
	return s.kind + "/" + s.id + "/_history/" + s.version
}

// etag is the version as an entity tag.
func (s *standing) etag() string {
	if s.version == "" {
		return ""
	}
	return etag(s.version)
}

// modified is when the version came, "" if only a read would tell.
func (s *standing) modified() string {
	if s.at.IsZero() {
		return ""
	}
	return instant(s.at)
}

func etag(version string) string { return `W/"` + version + `"` }

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// statusLine is what a bundle's response has for a status: "201 Created".
func statusLine(status int) string { return strconv.Itoa(status) + " " + http.StatusText(status) }
