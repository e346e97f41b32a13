package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/section"
)

// maxInline is how many bytes of an attachment are answered as base64 in JSON.
const maxInline = 8 << 20

// createBinary takes bytes as they are, of any type but FHIR's own, of the patient that X-Security-Context names (FHIR R4, Binary). They
// are sealed as they come: nothing of them is ever on a disk, and little in memory.
func (g *gateway) createBinary(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if readable(r) == nil { // a Binary as FHIR JSON
		if err := acceptable(r, r.URL.Query()); err != nil {
			return err
		}
		r.SetPathValue("type", "Binary")
		return g.create(w, r, who)
	}
	if len(r.Header.Values("Idempotency-Key")) > 0 { // rather than not to keep its promise
		return badRequest("not-supported", "A Binary that comes as it is can't be sent again with an Idempotency-Key. Leave the header out, or send the Binary as FHIR JSON.")
	}
	kind := r.Header.Get("Content-Type")
	if !attachable(kind) || r.Header.Get("Content-Encoding") != "" {
		return &problem{status: http.StatusUnsupportedMediaType, code: "not-supported",
			text: "A Binary comes as it is, with its own Content-Type and not encoded, or as FHIR JSON. Send application/dicom, application/pdf, image/png or the like."}
	}
	if r.ContentLength > chart.MaxAttachment {
		return &http.MaxBytesError{Limit: chart.MaxAttachment}
	}
	chartID, s, err := g.binaryPlace(r)
	if err != nil {
		return err
	}
	body := &steady{r: http.MaxBytesReader(w, r.Body, chart.MaxAttachment), rc: http.NewResponseController(w)}
	a := exchange.Attached{ID: newID(), ContentType: kind, Section: s}
	at, err := g.Member.PublishAttachment(r.Context(), who, chartID, a, body)
	if err != nil {
		if body.done == 0 && body.ended {
			return badRequest("structure", "The body is empty. Send the bytes of the Binary.")
		}
		return err
	}
	done := standing{status: http.StatusCreated, kind: "Binary", id: a.ID, version: number(at.Entry), at: at.At}
	header(w)
	w.Header().Del("Content-Type")
	w.Header().Set("Location", g.Base+"/"+done.location())
	w.Header().Set("ETag", done.etag())
	w.Header().Set("Last-Modified", done.at.UTC().Format(http.TimeFormat))
	w.WriteHeader(done.status)
	return nil
}

// attachable tells whether bytes of a media type are taken as they are.
func attachable(kind string) bool {
	t, _, err := mime.ParseMediaType(kind)
	return err == nil && !strings.HasPrefix(t, "application/fhir+") && !strings.HasPrefix(t, "multipart/")
}

// binaryPlace is whose chart a Binary goes to, and where: into the section that the address names (?section=mental-health), that of the
// resource that X-Security-Context names, or imaging, which has documents too.
func (g *gateway) binaryPlace(r *http.Request) (chartID string, s section.Section, err error) {
	context := strings.TrimPrefix(r.Header.Get("X-Security-Context"), g.Base+"/")
	ref := fhir.ParseReference(context)
	if ref.Type == "" || ref.ID == "" || ref.Base != "" || ref.Version != "" {
		return "", 0, badRequest("required", "Whose is it? Send X-Security-Context: Patient/ and an id, or the address of the resource that it belongs to.")
	}
	if s, _, err = section.Of("Binary", nil, nil, nil); err != nil {
		return "", 0, err
	}
	if ref.Type == "Patient" {
		if _, err := g.Member.Handle(ref.ID); err != nil {
			return "", 0, err
		}
		chartID = ref.ID
	} else {
		at, ok, err := g.Member.Locate(ref.Type, ref.ID)
		if err != nil {
			return "", 0, err
		}
		if !ok {
			return "", 0, notFound
		}
		chartID, s = at.Chart, at.Section
	}
	for name, values := range r.URL.Query() {
		if name != "section" || len(values) != 1 {
			return "", 0, badRequest("not-supported", "The one parameter here is section, once.")
		}
		if s, err = section.Parse(values[0]); err != nil || s == section.Inbox || s == section.Index {
			return "", 0, badRequest("value", "There is no such section for records. Take imaging, labs, mental-health or another of the clinical ones.")
		}
	}
	return chartID, s, nil
}

// readBinary answers with the bytes of a Binary under its own type, whole or a range of them; or with FHIR JSON, if that is asked for by
// name. Each request is one access, which the patient sees.
func (g *gateway) readBinary(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	id := r.PathValue("id")
	if id == "_history" { // the type's, whose address looks like a resource's
		r.SetPathValue("type", "Binary")
		return g.typeHistory(w, r, who)
	}
	if err := noParameters(r, "a read"); err != nil {
		return err
	}
	asJSON, err := namesJSON(r)
	if err != nil {
		return err
	}
	at, err := g.locate("Binary", id, r.PathValue("vid"))
	if err != nil {
		return err
	}
	b, err := g.Member.OpenBinary(r.Context(), who, at)
	if errors.Is(err, exchange.ErrDamaged) {
		return damaged(err)
	}
	if errors.Is(err, exchange.ErrNotShared) {
		return g.erasedOr(at, who, err)
	}
	if err != nil {
		return err
	}
	defer b.Close()
	res := chart.Fold([]chart.Opened{b.Opened}).Get("Binary", id)
	if res == nil {
		return notFound
	}
	v := res.Current()
	if v.Item.Status == chart.Deleted {
		return gone
	}
	if asJSON {
		return g.sendInline(w, v, b)
	}
	content := content{kind: "application/octet-stream", version: v.ID(), modified: v.Updated(), patient: at.Chart}
	if kinds := v.Item.Resource().Strings("contentType"); len(kinds) > 0 {
		content.kind = kinds[0]
	}
	if b.Bytes != nil {
		return g.sendBytes(w, r, content, b.Bytes, b.Bytes.Size())
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(v.Item.Resource().Strings("data"), ""))
	if err != nil {
		return &problem{status: http.StatusNotAcceptable, code: "not-supported", text: "The data of this Binary is no base64. Read it with Accept: application/fhir+json."}
	}
	return g.sendBytes(w, r, content, bytes.NewReader(data), int64(len(data)))
}

// namesJSON tells whether a request names FHIR JSON, by _format or by Accept. Who names nothing gets the bytes.
func namesJSON(r *http.Request) (bool, error) {
	query := r.URL.Query()
	if query.Has("_format") {
		return true, acceptable(r, query)
	}
	for _, one := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if t, _, err := mime.ParseMediaType(strings.TrimSpace(one)); err == nil && !strings.Contains(t, "*") && speaks(one) {
			return true, nil
		}
	}
	return false, nil
}

// sendInline answers with FHIR JSON, in which an attachment that is not too large has its bytes as data.
func (g *gateway) sendInline(w http.ResponseWriter, v *chart.Version, b *exchange.OpenedBinary) error {
	raw := v.Render("")
	if b.Bytes != nil {
		if b.Bytes.Size() > maxInline {
			return &problem{status: http.StatusNotAcceptable, code: "too-long",
				text: fmt.Sprintf("This Binary has %d bytes; in JSON at most %d are answered. Leave Accept out to get it as it is, whole or in ranges.", b.Bytes.Size(), maxInline)}
		}
		all, err := io.ReadAll(b.Bytes)
		if err != nil {
			return damaged(err)
		}
		raw = append(raw[:len(raw)-1], `,"data":"`...)
		raw = append(base64.StdEncoding.AppendEncode(raw, all), `"}`...)
	}
	g.send(w, v.ID(), v.Updated().Format(http.TimeFormat), raw)
	return nil
}

// damaged is the answer for a record that is there and did not open.
func damaged(err error) error {
	if outOfReach(err) {
		return err
	}
	return didNotOpen(&exchange.Opened{Errors: []error{err}})
}

var gone = &problem{status: http.StatusGone, code: "deleted", text: "This resource was deleted by its author. Its earlier versions can be read by their addresses."}

// steadyBytes must come or go within steadyTime, or the line is given up: a large body may take as long as it takes, but not for ever.
const (
	steadyBytes = 64 << 10
	steadyTime  = time.Minute
)

// steady is a body that keeps the server's deadlines away as long as it moves.
type steady struct {
	r     io.Reader
	rc    *http.ResponseController
	done  int64
	next  int64 // of done: when the deadlines move
	ended bool
}

func (s *steady) Read(p []byte) (int, error) {
	if s.done >= s.next {
		s.next = s.done + steadyBytes
		if err := s.push(); err != nil {
			return 0, err
		}
	}
	n, err := s.r.Read(p)
	s.done += int64(n)
	if s.ended = err == io.EOF; s.ended {
		if late := s.push(); late != nil { // for the answer
			return n, late
		}
	}
	return n, err
}

// push gives both directions the time until the next steadyBytes.
func (s *steady) push() error {
	until := time.Now().Add(steadyTime)
	return errors.Join(s.rc.SetReadDeadline(until), s.rc.SetWriteDeadline(until))
}
