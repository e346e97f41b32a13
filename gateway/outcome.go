package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"vitalog/consensus"
	"vitalog/directory"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/peer"
	"vitalog/release"
)

// problem is an error as a client gets it: one issue of an OperationOutcome under an HTTP status.
type problem struct {
	status int
	code   string // of the value set issue-type
	text   string // plain words with the next step; never a patient's data
	at     string // FHIRPath of the element, such as Bundle.entry[3].resource.code
	scope  string // the one that the token lacks
	cause  error  // what the log gets of an internal error

	issues []fhir.Issue // all that is wrong, of which text is the first; nil: text says it all
}

func (p *problem) Error() string {
	if p.at == "" {
		return p.text
	}
	return p.at + ": " + p.text
}

func (p *problem) Unwrap() error { return p.cause }

// retryAfter is what a client is told to wait when the network has no quorum: members come back within seconds or not at all.
const retryAfter = 5

// notFound is the one answer for what is not there and for what is not shared, byte for byte.
var notFound = &problem{status: http.StatusNotFound, code: "not-found",
	text: "Not found, or not shared with you for this purpose. Check the address, or ask the patient for access."}

func badRequest(code, format string, a ...any) *problem {
	return &problem{status: http.StatusBadRequest, code: code, text: fmt.Sprintf(format, a...)}
}

func invalidAt(at, format string, a ...any) *problem {
	return &problem{status: http.StatusUnprocessableEntity, code: "invalid", at: at, text: fmt.Sprintf(format, a...)}
}

// asProblem maps the kinds of errors to answers. It is the only place that does.
func asProblem(err error) *problem {
	var p *problem
	var refused *exchange.Refused
	var tooLarge *http.MaxBytesError
	var wrong *fhir.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &refused):
		return &problem{status: http.StatusForbidden, code: "forbidden", text: refused.Error() + ". The patient sees it. Ask the patient to share again."}
	case errors.Is(err, exchange.ErrNotShared):
		return notFound
	case errors.Is(err, exchange.ErrNoUpload):
		return &problem{status: http.StatusNotFound, code: "not-found", text: "No such upload of yours. It may have ended, or been left for too long: begin another."}
	case errors.Is(err, exchange.ErrOffset):
		return &problem{status: http.StatusConflict, code: "conflict", text: "The upload is at another offset. HEAD tells at which."}
	case errors.Is(err, exchange.ErrTooMany):
		return &problem{status: http.StatusTooManyRequests, code: "throttled", text: "Too many uploads aren't finished at this member. Finish or end some, or come again later."}
	case errors.Is(err, exchange.ErrInterrupted):
		return badRequest("incomplete", "The bytes ended early, or the upload was gone on with by another request. What came is kept: HEAD tells how much that is.")
	case errors.Is(err, exchange.ErrConflict):
		return &problem{status: http.StatusConflict, code: "conflict", text: "It was changed meanwhile, or is another member's to change. Read it again, then repeat.", cause: err}
	case errors.Is(err, exchange.ErrInvalid):
		return &problem{status: http.StatusUnprocessableEntity, code: "invalid", text: err.Error()}
	case errors.As(err, &tooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, code: "too-long", text: fmt.Sprintf("The body has more than %d bytes. Send it in parts.", tooLarge.Limit)}
	case errors.As(err, &wrong):
		return asInputProblem(wrong)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return badRequest("structure", "The body ends before it is complete. Send it again.")
	case errors.Is(err, directory.ErrIncomplete):
		return &problem{status: http.StatusServiceUnavailable, code: "transient", cause: err,
			text: "This member is fetching its own directory from the other members and takes nothing new into it until it has all. Nothing is lost; repeat the request."}
	case outOfReach(err):
		return &problem{status: http.StatusServiceUnavailable, code: "transient", cause: err,
			text: "The network did not answer in time: too few members are up to agree or to release keys. Nothing is lost; repeat the request."}
	}
	return &problem{status: http.StatusInternalServerError, code: "exception", cause: err,
		text: "Something failed inside this member. Repeat the request; if it fails again, give the operator the X-Request-Id of this answer."}
}

// outOfReach tells whether err says that other members, or this one's own node, can't do it now.
func outOfReach(err error) bool {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, consensus.ErrNoQuorum, consensus.ErrStopped, release.ErrShort, exchange.ErrAgain} {
		if errors.Is(err, known) {
			return true
		}
	}
	var p *peer.Error
	return errors.As(err, &p) && (p.Kind == peer.Unavailable || p.Kind == peer.Later)
}

// asInputProblem says which element of what was sent is wrong.
func asInputProblem(wrong *fhir.Error) *problem {
	p := &problem{status: http.StatusUnprocessableEntity, code: string(wrong.Kind), at: wrong.Element, text: wrong.Error() + "."}
	switch wrong.Kind {
	case fhir.Structure:
		p.status = http.StatusBadRequest
	case fhir.TooLong:
		p.status = http.StatusRequestEntityTooLarge
		if errors.Is(wrong, fhir.ErrTooLarge) {
			p.text = fmt.Sprintf("%s has more than %d bytes, the most that is taken. Send what is in it in parts.", wrong.Element, fhir.MaxResource)
		}
	}
	return p
}

// issue is the problem as an issue of an OperationOutcome.
func (p *problem) issue() fhir.Issue {
	return fhir.Issue{Severity: fhir.Failure, Code: p.code, Text: p.text, Element: p.at}
}

// outcome is the problem as an OperationOutcome.
func (p *problem) outcome() []byte {
	if p.issues != nil {
		return fhir.Outcome(p.issues...)
	}
	return fhir.Outcome(p.issue())
}

// write sends the problem.
func (p *problem) write(w http.ResponseWriter) {
	switch p.status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	case http.StatusUnauthorized:
		challenge := `Bearer realm="vitalog"`
		if p.code != "login" {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	case http.StatusForbidden:
		if p.scope != "" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="vitalog", error="insufficient_scope", scope=%q`, p.scope))
		}
	}
	writeJSON(w, p.status, p.outcome())
}

// writeJSON sends a resource as it is.
func writeJSON(w http.ResponseWriter, status int, resource []byte) {
	header(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(resource)))
	w.WriteHeader(status)
	w.Write(resource) // a client that has gone hears nothing
}

// header says what every answer of the FHIR address is: JSON that nobody keeps.
func header(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}
