package smart

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	exact "github.com/go-json-experiment/json"

	"vitalog/exchange"
	"vitalog/scope"
)

// Limits of a registration.
const (
	maxRegistration = 64 << 10 // bytes
	maxRedirects    = 20
	maxScope        = scope.MaxText
)

// Client is a registration of software: the metadata of RFC 7591 that are needed, and for which purposes of use it may ask.
type Client struct {
	ID        string          `json:"client_id"`
	Name      string          `json:"client_name"`                          // as the patient and the staff read it
	Redirects []string        `json:"redirect_uris,omitempty"`              // of an app that people use
	Scope     string          `json:"scope"`                                // the most that it gets
	JWKS      json.RawMessage `json:"jwks,omitempty"`                       // its public keys, or
	JWKSURI   string          `json:"jwks_uri,omitempty"`                   // where they are; without either it is a public client
	Method    string          `json:"token_endpoint_auth_method,omitempty"` // secretBasic: it has a secret
	Purposes  []string        `json:"purposes_of_use"`                      // v3-ActReason; the first is the default
}

// ParseClient reads a registration, strictly. Its errors are words for who registers.
func ParseClient(raw []byte) (*Client, error) {
	if len(raw) > maxRegistration {
		return nil, fmt.Errorf("the registration has %d bytes, at most %d are read", len(raw), maxRegistration)
	}
	var c Client
	if err := exact.Unmarshal(raw, &c, exact.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("the registration can't be read: %w", err)
	}
	return &c, c.check()
}

func (c *Client) check() error {
	scopes, err := scope.Parse(c.Scope)
	switch {
	case err != nil:
		return fmt.Errorf("scope: %w", err)
	case len(scopes.Scopes) == 0:
		return errors.New("scope: want at least one about resources, such as patient/*.rs")
	case c.ID == "" || len(c.ID) > 128 || strings.ContainsFunc(c.ID, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
		return errors.New("client_id: want 1 to 128 letters, digits and signs")
	case c.Name == "" || len(c.Name) > 200:
		return errors.New("client_name: want the name by which staff and patients know the software")
	case c.JWKS != nil && c.JWKSURI != "":
		return errors.New("jwks and jwks_uri: want one of them")
	case c.Method != "" && c.Method != secretBasic:
		return fmt.Errorf("token_endpoint_auth_method: leave it out, or have %s: a client with keys signs assertions, one without is public", secretBasic)
	case c.Method != "" && c.keyed():
		return errors.New("token_endpoint_auth_method: a client has keys or a secret: leave out jwks and jwks_uri, or this")
	case len(c.Redirects) > maxRedirects:
		return fmt.Errorf("redirect_uris: at most %d", maxRedirects)
	case len(c.Purposes) == 0:
		return fmt.Errorf("purposes_of_use: want at least one of %v", exchange.Purposes)
	case len(scopes.Only(scope.System).Scopes) > 0 && !c.keyed():
		return errors.New("scope: system scopes are for clients that have jwks or jwks_uri")
	case len(c.Redirects) == 0 && len(scopes.Only(scope.System).Scopes) != len(scopes.Scopes):
		return errors.New("redirect_uris: a client with patient or user scopes needs one; one without has system scopes alone")
	}
	for _, p := range c.Purposes {
		if !slices.Contains(exchange.Purposes, p) {
			return fmt.Errorf("purposes_of_use: %q is none of %v", p, exchange.Purposes)
		}
	}
	for _, r := range c.Redirects {
		if u, err := url.Parse(r); err != nil || len(r) > maxText || u.Fragment != "" || u.User != nil || strings.ContainsAny(r, "*#") || !safeURL(u) {
			return fmt.Errorf("redirect_uris: %q: want an https address without fragment; http on localhost only", r)
		}
	}
	if c.JWKSURI != "" {
		if u, err := url.Parse(c.JWKSURI); err != nil || len(c.JWKSURI) > maxText || u.User != nil || !safeURL(u) {
			return fmt.Errorf("jwks_uri: %q: want an https address; http on localhost only", c.JWKSURI)
		}
	}
	if c.JWKS != nil {
		if _, err := parseKeys(c.JWKS); err != nil {
			return fmt.Errorf("jwks: %w", err)
		}
	}
	return nil
}

// safeURL tells whether an address is https, or on this machine.
func safeURL(u *url.URL) bool {
	if u.Host == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func (c *Client) keyed() bool { return c.JWKS != nil || c.JWKSURI != "" }

// scopes are the most that the client gets.
func (c *Client) scopes() scope.Set {
	s, _ := scope.Parse(c.Scope) // checked when it was registered
	return s
}

// parseKeys reads public keys.
func parseKeys(raw []byte) ([]jose.JSONWebKey, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("want a set of keys (RFC 7517): %w", err)
	}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			return nil, errors.New("a key is not a valid public key; never give out a private one")
		}
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("there is no key")
	}
	return set.Keys, nil
}

// Registered is a registration as it is answered to who registers.
type Registered struct {
	*Client
	Secret string `json:"client_secret,omitempty"` // of one that proves itself so: told here, and never again
}

// Add registers a client, or what it is from now on. The tokens that it has stay as they are; a secret of before is good for nothing.
//
// Crash points: the digest of a new secret comes before the registration that says that there is one, and an old one goes before it.
func (s *Server) Add(c *Client) (*Registered, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", exchange.ErrInvalid, err)
	}
	out := &Registered{Client: c}
	err := s.store.drop(secrets, c.ID)
	if c.Method == secretBasic {
		out.Secret = secret()
		err = s.store.put(secrets, c.ID, digest(out.Secret), time.Time{})
	}
	if err == nil {
		err = s.store.put(clients, c.ID, c, time.Time{})
	}
	if err == nil {
		err = s.store.drop(revoked, revokedClient+c.ID)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Remove ends a client's registration, and with it all its tokens.
func (s *Server) Remove(id string) error {
	if _, err := s.client(id); err != nil {
		return exchange.ErrNotShared
	}
	if err := s.store.put(revoked, revokedClient+id, true, time.Time{}); err != nil {
		return err
	}
	return errors.Join(s.store.drop(clients, id), s.store.drop(secrets, id))
}

// Clients lists the registrations by id.
func (s *Server) Clients() (all []*Client, err error) {
	err = s.DB.Scan([]byte(clients), []byte{clients[0] + 1}, func(k, v []byte) error {
		c := &Client{}
		all = append(all, c)
		return s.store.open(k, v, c)
	})
	slices.SortFunc(all, func(a, b *Client) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}

// client is a registered one, or unknownClient.
func (s *Server) client(id string) (*Client, error) {
	c := &Client{}
	found, err := s.store.get(clients, id, c)
	if err == nil && !found {
		err = unknownClient
	}
	return c, err
}
