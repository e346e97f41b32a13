package feed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"vitalog/fhir"
	"vitalog/hl7"
)

// emptyBatch asks the gateway nothing but whether the sender may.
const emptyBatch = `{"resourceType":"Bundle","type":"batch","entry":[]}`

// Documents takes CDA documents as they are, by POST, from who has an access token of the member. The answer's Location is the
// DocumentReference, below base. The same document of the same sender for the same patient is taken once.
func (f *Feed) Documents(base string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		s := session{Feed: f, auth: r.Header.Get("Authorization")}
		if s.auth == "" {
			s.auth = "none" // rather than the feed's own token
		}
		if a := s.ask(ctx, http.MethodPost, "/fhir", []byte(emptyBatch), ""); a.status != http.StatusOK {
			for name, values := range a.header {
				w.Header()[name] = values
			}
			w.WriteHeader(a.status)
			w.Write(a.body.Bytes())
			return
		}
		at, status, why := s.document(ctx, w, r)
		if why != nil {
			w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
			if status == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", "5")
			}
			w.WriteHeader(status)
			w.Write(fhir.Outcome(fhir.Issue{Severity: fhir.Failure, Code: issues[status], Text: why.Error()}))
			return
		}
		w.Header().Set("Location", base+"/"+at)
		w.WriteHeader(status)
	})
}

// issues are the codes of value set issue-type.
var issues = map[int]string{http.StatusBadRequest: "structure", http.StatusMethodNotAllowed: "not-supported", http.StatusUnsupportedMediaType: "not-supported",
	http.StatusRequestEntityTooLarge: "too-long", http.StatusUnprocessableEntity: "required", http.StatusNotFound: "not-found", http.StatusConflict: "conflict",
	http.StatusServiceUnavailable: "transient"}

func (s *session) document(ctx context.Context, w http.ResponseWriter, r *http.Request) (at string, status int, why error) {
	if r.Method != http.MethodPost {
		return "", http.StatusMethodNotAllowed, errors.New("documents come by POST")
	}
	switch kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case err != nil, kind != "text/xml" && kind != "application/xml" && kind != "application/hl7-cda+xml", params["charset"] != "" && params["charset"] != "utf-8" && params["charset"] != "UTF-8",
		r.Header.Get("Content-Encoding") != "":
		return "", http.StatusUnsupportedMediaType, errors.New("a CDA document comes as text/xml or application/xml in UTF-8, not compressed")
	}
	query := r.URL.Query()
	patient := query.Get("patient")
	if len(query) > 1 || len(query) == 1 && (len(query["patient"]) != 1 || !fhir.ValidID(patient)) {
		return "", http.StatusBadRequest, errors.New("the one parameter here is patient, the id of a Patient of this member")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, hl7.MaxDocument))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return "", http.StatusRequestEntityTooLarge, fmt.Errorf("the document has more than %d bytes, the most that is taken", large.Limit)
	}
	if err != nil {
		return "", http.StatusBadRequest, errors.New("the document ends before it is complete; send it again")
	}
	change, bad := hl7.ReadDocument(raw, s.Settings, patient)
	if bad != nil {
		return "", statusOf(bad), bad
	}
	hash := sha256.Sum256(raw)
	sender, err := s.Sender(s.auth)
	if err != nil {
		return "", http.StatusServiceUnavailable, s.broke(err)
	}
	s.name = fmt.Sprintf("CDA %x %s %s", hash, patient, sender) // who didn't send it doesn't hear that it is there
	defer s.alone(s.name, change)()
	var n note
	if _, err := s.Member.Recall(s.name, &n); err != nil {
		return "", http.StatusServiceUnavailable, s.broke(err)
	}
	if n.Done {
		return n.At, http.StatusOK, nil
	}
	bad = s.bring(ctx, &n, hash[:], change)
	if bad != nil && (bad.Number == hl7.UnknownKey || bad.Number == hl7.DuplicateKey) { // one answer, so that it doesn't tell who is known here
		return "", http.StatusNotFound, errors.New("the patient of this document is none for whom you may write, or its numbers are those of several; say with ?patient= whose it is")
	}
	if bad != nil {
		return "", statusOf(bad), bad
	}
	return n.At, http.StatusCreated, nil
}

// statusOf is the HTTP status of what a message would be answered.
func statusOf(why *hl7.Error) int {
	switch {
	case why == again, why.Code == hl7.Reject && why.Number == hl7.InternalError:
		return http.StatusServiceUnavailable
	case why.Number == hl7.DataTypeError:
		return http.StatusBadRequest
	case why.Number == changed:
		return http.StatusConflict
	}
	return http.StatusUnprocessableEntity
}
