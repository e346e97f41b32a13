package gateway

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
)

// Uploads that go on where they broke: tus 1.0.0, spec/uploads.md.

const (
	tusVersion = "1.0.0"
	tusBytes   = "application/offset+octet-stream"
	tusPlace   = "/$upload"
)

func (g *gateway) routeUploads(mux *http.ServeMux) {
	mux.HandleFunc("OPTIONS /fhir"+tusPlace, func(w http.ResponseWriter, r *http.Request) {
		h := tusHeader(w)
		h.Set("Tus-Version", tusVersion)
		h.Set("Tus-Extension", "creation,creation-with-upload,expiration,termination")
		h.Set("Tus-Max-Size", strconv.FormatInt(chart.MaxAttachment, 10))
		w.WriteHeader(http.StatusNoContent)
	})
	for pattern, do := range map[string]action{
		"POST /fhir" + tusPlace:             (*gateway).beginUpload,
		"HEAD /fhir" + tusPlace + "/{id}":   (*gateway).findUpload,
		"PATCH /fhir" + tusPlace + "/{id}":  (*gateway).continueUpload,
		"DELETE /fhir" + tusPlace + "/{id}": (*gateway).endUpload,
	} {
		h := g.authorised("c", inTus(do))
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.SetPathValue("type", "Binary")
			h.ServeHTTP(w, r)
		})
	}
	// One pattern for all types: "/fhir/$upload/{id}" would be at odds with "/fhir/{type}/$validate".
	override := g.authorised("c", inTus((*gateway).overridden))
	mux.HandleFunc("POST /fhir/{type}/{id}", func(w http.ResponseWriter, r *http.Request) {
		if "/"+r.PathValue("type") != tusPlace {
			g.noMethod(w, r)
			return
		}
		r.SetPathValue("type", "Binary")
		override.ServeHTTP(w, r)
	})
}

// inTus lets an action run for who speaks this version.
func inTus(do action) action {
	return func(g *gateway, w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
		h := tusHeader(w)
		if r.Header.Get("Tus-Resumable") != tusVersion {
			h.Set("Tus-Version", tusVersion)
			return &problem{status: http.StatusPreconditionFailed, code: "not-supported", text: "Uploads speak tus 1.0.0 here. Send Tus-Resumable: 1.0.0."}
		}
		return do(g, w, r, who)
	}
}

func tusHeader(w http.ResponseWriter) http.Header {
	h := w.Header()
	h.Set("Tus-Resumable", tusVersion)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return h
}

func (g *gateway) beginUpload(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	length, err := place(r.Header.Get("Upload-Length"))
	if err != nil || length < 1 {
		return badRequest("required", "How long will it be? Send Upload-Length: 1 byte or more. A length that is told later is not taken.")
	}
	if length > chart.MaxAttachment {
		return &http.MaxBytesError{Limit: chart.MaxAttachment}
	}
	kind := uploadKind(r.Header.Get("Upload-Metadata"))
	if !attachable(kind) {
		return &problem{status: http.StatusUnsupportedMediaType, code: "not-supported",
			text: "What is it? Send its media type as filetype in Upload-Metadata, in base64: application/dicom, application/pdf, image/png or the like."}
	}
	first := r.Header.Get("Content-Type") != ""
	if first && r.Header.Get("Content-Type") != tusBytes {
		return notBytes
	}
	chartID, s, err := g.binaryPlace(r)
	if err != nil {
		return err
	}
	u, err := g.Member.BeginUpload(r.Context(), who, chartID, exchange.Attached{ID: newID(), ContentType: kind, Section: s}, length)
	if err != nil {
		return err
	}
	w.Header().Set("Location", g.Base+tusPlace+"/"+u.ID)
	if first {
		now, err := g.sendOn(w, r, who, u.ID, 0)
		if err != nil {
			return err
		}
		u = now
	}
	g.tellUpload(w, u, http.StatusCreated)
	return nil
}

// uploadKind is the filetype in Upload-Metadata: keys with values in base64, between commas.
func uploadKind(metadata string) string {
	for pair := range strings.SplitSeq(metadata, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		if name == "filetype" {
			kind, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return ""
			}
			return string(kind)
		}
	}
	return ""
}

func (g *gateway) findUpload(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	u, err := g.Member.FindUpload(r.Context(), who, r.PathValue("id"))
	if err == nil {
		g.tellUpload(w, u, http.StatusOK)
	}
	return err
}

func (g *gateway) continueUpload(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if r.Header.Get("Content-Type") != tusBytes || r.Header.Get("Content-Encoding") != "" {
		return notBytes
	}
	offset, err := place(r.Header.Get("Upload-Offset"))
	if err != nil {
		return badRequest("required", "From where on? Send Upload-Offset.")
	}
	u, err := g.sendOn(w, r, who, r.PathValue("id"), offset)
	if err == nil {
		g.tellUpload(w, u, http.StatusNoContent)
	}
	return err
}

// sendOn takes a request's body from offset on.
func (g *gateway) sendOn(w http.ResponseWriter, r *http.Request, who exchange.Asker, id string, offset int64) (*exchange.Upload, error) {
	rc := http.NewResponseController(w)
	deaf := func() bool { return true }
	u, err := g.Member.ContinueUpload(r.Context(), who, id, offset, r.ContentLength, func(ctx context.Context) io.Reader {
		deaf = context.AfterFunc(ctx, func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) }) // ends a Read that waits
		return &steady{r: bodyUntil{ctx, r.Body}, rc: rc}
	})
	deaf()
	return u, err
}

// bodyUntil is a body until its context ends. It looks after the deadline was put off, so that the one that ends it comes last.
type bodyUntil struct {
	ctx context.Context
	r   io.Reader
}

func (b bodyUntil) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func (g *gateway) endUpload(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	if err := g.Member.EndUpload(r.Context(), who, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// overridden does what X-HTTP-Method-Override says.
func (g *gateway) overridden(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	switch r.Header.Get("X-HTTP-Method-Override") {
	case http.MethodPatch:
		return g.continueUpload(w, r, who)
	case http.MethodDelete:
		return g.endUpload(w, r, who)
	case http.MethodHead:
		return g.findUpload(w, r, who)
	}
	return &problem{status: http.StatusMethodNotAllowed, code: "not-supported", text: "An upload goes on with PATCH, is asked for with HEAD, and is ended with DELETE."}
}

// tellUpload says how far an upload is, and where it went when it is published.
func (g *gateway) tellUpload(w http.ResponseWriter, u *exchange.Upload, status int) {
	h := w.Header()
	h.Set("Upload-Offset", strconv.FormatInt(u.Offset, 10))
	h.Set("Upload-Length", strconv.FormatInt(u.Length, 10))
	h.Set("Upload-Expires", u.Expires.UTC().Format(http.TimeFormat))
	if u.Published != nil {
		h.Set("Content-Location", fmt.Sprintf("%s/Binary/%s/_history/%s", g.Base, u.Binary, number(u.Published.Entry)))
	}
	w.WriteHeader(status)
}

var notBytes = &problem{status: http.StatusUnsupportedMediaType, code: "not-supported", text: "Bytes of an upload come as they are. Send Content-Type: " + tusBytes + "."}
