package smart

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vitalog/gateway"
	"vitalog/scope"
)

// introspect says what a token is good for (RFC 7662), to whoever holds a token that the member's operator made, and to clients that prove
// who they are.
func (s *Server) introspect(r *http.Request, f url.Values) (any, error) {
	if b, err := readBasic(r); b != nil || err != nil || f.Get("client_assertion") != "" {
		if _, _, err := s.authenticate(r, f); err != nil {
			return nil, err
		}
	} else if _, err := s.operator(r); err != nil {
		return nil, err
	}
	inactive := map[string]any{"active": false}
	token := f.Get("token")
	if a, err := s.readToken(token); err == nil {
		if revoked, err := s.Revoked(a); err != nil || revoked {
			return inactive, err
		}
		return introspection(a.Scopes, a.Client, a.Patient, a.Practitioner, a.Purpose, a.Expires), nil
	}
	name, secret, ok := cutToken(token)
	if !ok {
		return inactive, nil
	}
	l := &line{}
	if found, err := s.store.get(lines, name, l); err != nil || !found {
		return inactive, err
	}
	if subtle.ConstantTimeCompare([]byte(digest(secret)), []byte(l.Newest)) != 1 || !s.Now().Before(l.Until) {
		return inactive, nil
	}
	return introspection(asked(l.Scope), l.Client, l.Patient, l.Person.ID, l.Purpose, l.Until), nil
}

func introspection(s scope.Set, client, patient, subject, purpose string, until time.Time) map[string]any {
	out := map[string]any{"active": true, "scope": s.String(), "client_id": client, "sub": subject, "exp": until.Unix(),
		"extensions": map[string]any{"ihe_iua": map[string]any{"purpose_of_use": []map[string]string{{"system": purposeSystems[2], "code": purpose}}}}}
	if patient != "" {
		out["patient"] = patient
	}
	return out
}

// readToken reads an access token of this member.
func (s *Server) readToken(token string) (gateway.Access, error) {
	return gateway.ReadToken(s.Ring.Tokens().Public(), s.Member.Name(), s.base(), token, s.Now())
}

// operator wants a token that the member's operator made.
func (s *Server) operator(r *http.Request) (gateway.Access, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, err := s.readToken(strings.TrimSpace(token))
	if !strings.EqualFold(scheme, "Bearer") || err != nil || a.Client != "" {
		return gateway.Access{}, &refusal{http.StatusUnauthorized, "invalid_client", "A token of the member's own systems is needed."}
	}
	return a, nil
}
