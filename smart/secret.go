package smart

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// secretBasic is how a client proves itself that has a secret (RFC 6749, 2.3.1): see spec/smart.md.
const secretBasic = "client_secret_basic"

// wrongSecret is told to who authenticates by the Authorization header, or would have to, whatever is wrong with it.
var wrongSecret = &refusal{http.StatusUnauthorized, "invalid_client", "No such client, or this is not its secret: send both in the Authorization header, as " + secretBasic + "."}

// basic is what a client says of itself in the Authorization header.
type basic struct{ id, secret string }

// readBasic reads the Authorization header, strictly: nil if there is none of this kind.
func readBasic(r *http.Request) (*basic, error) {
	values := r.Header.Values("Authorization")
	is := false
	for _, v := range values {
		scheme, _, _ := strings.Cut(v, " ")
		is = is || strings.EqualFold(scheme, "Basic")
	}
	if !is {
		return nil, nil
	}
	bad := refuse("invalid_request", "Authorization: want one header, Basic and the base64 of name and secret, each form-encoded, with a colon between.")
	if len(values) != 1 || len(values[0]) > maxText {
		return nil, bad
	}
	_, text, _ := strings.Cut(values[0], " ")
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which base64 passes over
		return nil, bad
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	if !ok || id == "" || strings.Contains(secret, ":") {
		return nil, bad
	}
	b := &basic{}
	if b.id, err = url.QueryUnescape(id); err != nil {
		return nil, bad
	}
	if b.secret, err = url.QueryUnescape(secret); err != nil {
		return nil, bad
	}
	return b, nil
}

// knows is the client that has that name and that secret.
func (s *Server) knows(b *basic, f url.Values) (*Client, error) {
	for _, other := range []string{"client_assertion", "client_assertion_type", "client_secret"} {
		if f.Has(other) {
			return nil, refuse("invalid_request", "A client authenticates in one way: leave out "+other+", or the Authorization header.")
		}
	}
	kept := ""
	found, err := s.store.get(secrets, b.id, &kept)
	if err != nil {
		return nil, err
	}
	if same := subtle.ConstantTimeCompare([]byte(digest(b.secret)), []byte(kept)); !found || same != 1 || f.Get("client_id") != "" && f.Get("client_id") != b.id {
		return nil, wrongSecret
	}
	c, err := s.client(b.id)
	if err == unknownClient || err == nil && c.Method != secretBasic {
		return nil, wrongSecret
	}
	return c, err
}
