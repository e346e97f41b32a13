package smart

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/scope"
)

// How long refresh tokens are good, from the approval.
const (
	offlineLife = 30 * 24 * time.Hour
	onlineLife  = 12 * time.Hour // a shift
	codeLife    = time.Minute
	codeKnown   = time.Hour // so that one that comes again is known
)

// issued is what a code stands for, once approved.
type issued struct {
	line      string // of the refresh tokens that come of it
	client    string
	redirect  string
	challenge string
	nonce     string
	until     time.Time
	used      bool
	grant     granted
}

// granted is what a person approved for a client.
type granted struct {
	Client    string    `json:"client"`
	Person    Person    `json:"person"`
	Scope     string    `json:"scope"`
	Purpose   string    `json:"purpose"`
	Patient   string    `json:"patient,omitempty"`
	Encounter string    `json:"encounter,omitempty"`
	Until     time.Time `json:"until"`
}

// line is a line of refresh tokens, of which the newest alone is good.
type line struct {
	granted
	Newest string `json:"newest"` // digest of its secret
}

// answer is a token response (RFC 6749, 5.1, and SMART).
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	Patient      string `json:"patient,omitempty"`
	Encounter    string `json:"encounter,omitempty"`
	Banner       *bool  `json:"need_patient_banner,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// token answers at the token endpoint.
func (s *Server) token(r *http.Request, f url.Values) (any, error) {
	switch f.Get("grant_type") {
	case "client_credentials", "authorization_code", "refresh_token":
	default:
		return nil, refuse("unsupported_grant_type", "grant_type is client_credentials, authorization_code or refresh_token.")
	}
	if f.Get("grant_type") == "refresh_token" && f.Get("client_id") == "" && f.Get("client_assertion") == "" {
		// A public client may leave out its name here (RFC 6749, 6), as fhirclient does: the token tells.
		l := &line{}
		name, _, _ := cutToken(f.Get("refresh_token"))
		if _, err := s.store.get(lines, name, l); err != nil {
			return nil, err
		}
		f.Set("client_id", l.Client)
	}
	c, a, err := s.authenticate(r, f)
	if err != nil {
		return nil, err
	}
	switch f.Get("grant_type") {
	case "authorization_code":
		return s.redeem(c, f)
	case "refresh_token":
		return s.refresh(c, f)
	}
	if a == nil {
		return nil, unknownClient
	}
	return s.service(c, a, f)
}

// service is a token for a program without a person: SMART Backend Services.
func (s *Server) service(c *Client, a *assertion, f url.Values) (any, error) {
	scopes := asked(f.Get("scope")).Only(scope.System).Within(c.scopes())
	if len(scopes.Scopes) == 0 {
		return nil, refuse("invalid_scope", "None of the scopes is one that this client is registered for. Ask for system scopes.")
	}
	purpose, err := c.purpose(a.Extensions)
	if err != nil {
		return nil, err
	}
	who := exchange.Asker{Practitioner: c.ID, Name: c.Name, Role: "software", Purpose: purpose, Machine: true}
	token, err := s.access(gateway.Access{Asker: who, Scopes: scopes, Client: c.ID})
	return answer{AccessToken: token, TokenType: "bearer", ExpiresIn: int(gateway.MaxTokenLife / time.Second), Scope: scopes.String()}, err
}

// asked reads scopes, and leaves out what is none that is known here: the answer says what was granted (RFC 6749, 3.3).
func asked(text string) (s scope.Set) {
	var known []string
	for _, one := range strings.Fields(text) {
		if _, err := scope.Parse(one); err == nil && len(known) < scope.MaxScopes {
			known = append(known, one)
		}
	}
	s, _ = scope.Parse(strings.Join(known, " "))
	return s
}

// purposeSystems are how v3-ActReason is named before a code.
var purposeSystems = []string{"", "urn:oid:2.16.840.1.113883.5.8", "http://terminology.hl7.org/CodeSystem/v3-ActReason"}

// purpose is the purpose of use that an assertion names, else the client's default.
func (c *Client) purpose(e extensions) (string, error) {
	var named []string
	take := func(system, code string) {
		if !slices.Contains(purposeSystems, system) {
			code = system + "#" + code
		}
		if !slices.Contains(named, code) {
			named = append(named, code)
		}
	}
	if e.B2B != nil {
		for _, p := range e.B2B.Purposes {
			system, code, ok := strings.Cut(p, "#")
			if !ok {
				system, code = "", p
			}
			take(system, code)
		}
	}
	if e.IUA != nil {
		for _, p := range e.IUA.Purposes {
			take(p.System, p.Code)
		}
	}
	switch {
	case len(named) == 0:
		return c.Purposes[0], nil
	case len(named) > 1:
		return "", refuse("invalid_grant", "The assertion names several purposes of use. Ask for one token for each.")
	case !slices.Contains(c.Purposes, named[0]):
		return "", refuse("invalid_grant", "This client is not registered for the purpose of use that it names.")
	}
	return named[0], nil
}

// redeem gives tokens for a code, once. A code that comes again may have been stolen: what came of it ends.
func (s *Server) redeem(c *Client, f url.Values) (any, error) {
	bad := refuse("invalid_grant", "The code is unknown, used, or expired, or is not this client's.")
	s.once.Lock()
	defer s.once.Unlock()
	i, ok := s.codes.get(f.Get("code"), s.Now())
	if !ok {
		return nil, bad
	}
	again := i.used
	i.used = true
	if again {
		if err := s.end(i.line); err != nil {
			return nil, err
		}
		return nil, bad
	}
	sum := sha256.Sum256([]byte(f.Get("code_verifier")))
	if n := len(f.Get("code_verifier")); !s.Now().Before(i.until) || i.client != c.ID || i.redirect != f.Get("redirect_uri") || n < 43 || n > 128 ||
		subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(i.challenge)) != 1 {
		return nil, bad
	}
	scopes := asked(i.grant.Scope)
	out, err := s.answer(i.line, &i.grant, scopes)
	if err != nil {
		return nil, err
	}
	if scopes.Has("openid") {
		if out.IDToken, err = s.idToken(&i.grant, i.nonce, scopes); err != nil {
			return nil, err
		}
	}
	if scopes.Has("offline_access") || scopes.Has("online_access") {
		out.RefreshToken, err = s.next(i.line, &line{granted: i.grant})
	}
	return out, err
}

// refresh gives new tokens for the newest refresh token of a line. An older one was stolen, or the newest was: the line ends.
func (s *Server) refresh(c *Client, f url.Values) (any, error) {
	bad := refuse("invalid_grant", "The refresh token is unknown, used, or expired, or is not this client's. The person signs in again.")
	name, secret, ok := cutToken(f.Get("refresh_token"))
	if !ok {
		return nil, bad
	}
	s.once.Lock()
	defer s.once.Unlock()
	l := &line{}
	if found, err := s.store.get(lines, name, l); err != nil || !found || l.Client != c.ID || !s.Now().Before(l.Until) {
		if err != nil {
			return nil, err
		}
		return nil, bad
	}
	if subtle.ConstantTimeCompare([]byte(digest(secret)), []byte(l.Newest)) != 1 {
		if err := s.end(name); err != nil {
			return nil, err
		}
		return nil, bad
	}
	scopes := asked(l.Scope).Within(withWords(c.scopes()))
	if want := f.Get("scope"); want != "" {
		less, err := scope.Parse(want)
		if err != nil || less.String() != less.Within(scopes).String() || len(less.Scopes) == 0 {
			return nil, refuse("invalid_scope", "Refreshing gives the scopes that were approved, or fewer.")
		}
		scopes = less
	}
	out, err := s.answer(name, &l.granted, scopes)
	if err != nil {
		return nil, err
	}
	out.RefreshToken, err = s.next(name, l)
	return out, err
}

// next makes the next refresh token of a line, which is the only one that is good from now on.
func (s *Server) next(name string, l *line) (string, error) {
	token := secret()
	l.Newest = digest(token)
	return name + "." + token, s.store.put(lines, name, l, l.Until)
}

// answer is a token of a line for what was granted, as far as scopes go.
func (s *Server) answer(line string, g *granted, scopes scope.Set) (*answer, error) {
	if len(scopes.Scopes) == 0 {
		return nil, refuse("invalid_scope", "No scope about resources is left that this client is registered for.")
	}
	who := exchange.Asker{Practitioner: g.Person.ID, Name: g.Person.Name, Role: g.Person.Role, Purpose: g.Purpose}
	token, err := s.access(gateway.Access{Asker: who, Scopes: scopes, Client: g.Client, Patient: g.Patient, Line: digest(line)})
	out := &answer{AccessToken: token, TokenType: "bearer", ExpiresIn: int(gateway.MaxTokenLife / time.Second), Scope: scopes.String(),
		Patient: g.Patient, Encounter: g.Encounter}
	if g.Patient != "" {
		banner := true
		out.Banner = &banner
	}
	return out, err
}

// withWords are the scopes of an app, with those about no resource: every app may ask for them.
func withWords(s scope.Set) scope.Set {
	s.Words = scope.Words
	return s
}
