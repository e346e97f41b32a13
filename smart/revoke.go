package smart

import (
	"net/http"
	"net/url"
	"strings"

	"vitalog/gateway"
)

// What is revoked is kept by one of these and a name.
const (
	revokedToken  = "t " // an access token, by its jti
	revokedLine   = "l " // all tokens of a line, by the line's digest
	revokedClient = "c " // all tokens of a client, until it is registered again
)

// revoke ends an access token, or the line of a refresh token and the access tokens that came of it (RFC 7009), of the client that asks. A
// token of another's, or none, is answered as if it had been one.
func (s *Server) revoke(r *http.Request, f url.Values) (any, error) {
	c, _, err := s.authenticate(r, f)
	if err != nil {
		return nil, err
	}
	token, done := f.Get("token"), map[string]any{}
	s.once.Lock()
	defer s.once.Unlock()
	if err := s.store.sweep(s.Now()); err != nil {
		return nil, err
	}
	if a, err := s.readToken(token); err == nil {
		if a.Client != c.ID {
			return done, nil
		}
		return done, s.store.put(revoked, revokedToken+a.ID, true, a.Expires.Add(2*leeway))
	}
	name, _, ok := cutToken(token)
	l := &line{}
	if !ok {
		return done, nil
	}
	if found, err := s.store.get(lines, name, l); err != nil || !found || l.Client != c.ID {
		return done, err
	}
	return done, s.end(name)
}

// end ends a line, and first the access tokens that came of it: after a crash between the two the line is there, and can be ended again.
// s.once is held.
func (s *Server) end(name string) error {
	if err := s.store.put(revoked, revokedLine+digest(name), true, s.Now().Add(gateway.MaxTokenLife+2*leeway)); err != nil {
		return err
	}
	return s.store.drop(lines, name)
}

// Revoked tells whether an access token was taken back: alone, with its line, or with its client.
func (s *Server) Revoked(a gateway.Access) (bool, error) {
	if a.Client == "" {
		return false, nil // the operator's own
	}
	names := []string{revokedToken + a.ID, revokedClient + a.Client}
	if a.Line != "" {
		names = append(names, revokedLine+a.Line)
	}
	for _, name := range names {
		if found, err := s.store.has(revoked, name); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// cutToken parts a refresh token into the name of its line and its secret. Both have the one spelling that secret gives them.
func cutToken(token string) (name, secret string, ok bool) {
	name, secret, _ = strings.Cut(token, ".")
	return name, secret, isSecret(name) && isSecret(secret)
}

func isSecret(s string) bool {
	raw, ok := decode64(s)
	return ok && len(raw) == secretLength
}
