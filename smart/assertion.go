package smart

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	assertionType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertion     = 32 << 10 // bytes
	maxAssertionLife = 5 * time.Minute
	minRSA           = 2048 // bits
)

var algorithms = []jose.SignatureAlgorithm{jose.RS384, jose.ES384}

var algorithmNames = []string{"RS384", "ES384"}

// assertion is what a client's JWT says (RFC 7523, SMART Backend Services).
type assertion struct {
	Issuer     string     `json:"iss"`
	Subject    string     `json:"sub"`
	Audience   audience   `json:"aud"`
	Expires    *float64   `json:"exp"`
	Issued     *float64   `json:"iat"`
	NotBefore  *float64   `json:"nbf"`
	ID         string     `json:"jti"`
	Extensions extensions `json:"extensions"`
}

// extensions carry the purpose of use: the B2B object of UDAP, and the claims of IHE IUA.
type extensions struct {
	B2B *struct {
		Purposes []string `json:"purpose_of_use"`
	} `json:"hl7-b2b"`
	IUA *struct {
		Purposes []struct {
			System string `json:"system"`
			Code   string `json:"code"`
		} `json:"purpose_of_use"`
	} `json:"ihe_iua"`
}

// audience is one, or a list of one.
type audience string

func (a *audience) UnmarshalJSON(raw []byte) error {
	var list []string
	if err := json.Unmarshal(raw, &list); err == nil && len(list) == 1 {
		*a = audience(list[0])
		return nil
	}
	return json.Unmarshal(raw, (*string)(a))
}

// authenticate finds the client of a request: by its assertion or its secret, or, if it has neither, by its name alone. Whoever fails often is
// told to wait.
func (s *Server) authenticate(r *http.Request, f url.Values) (*Client, *assertion, error) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	id := f.Get("client_id")
	if b, err := readBasic(r); err == nil && b != nil {
		id = b.id
	}
	who := host + " " + digest(id)
	if s.limit.tired(who) {
		return nil, nil, &refusal{http.StatusTooManyRequests, "slow_down", "Too many attempts failed. Wait a minute."}
	}
	c, a, err := s.recognise(r, f)
	var refused *refusal
	if errors.As(err, &refused) {
		s.limit.failed(who)
	}
	return c, a, err
}

func (s *Server) recognise(r *http.Request, f url.Values) (*Client, *assertion, error) {
	b, err := readBasic(r)
	if err != nil {
		return nil, nil, err
	}
	if b != nil {
		c, err := s.knows(b, f)
		return c, nil, err
	}
	if f.Get("client_assertion") == "" && f.Get("client_assertion_type") == "" {
		c, err := s.client(f.Get("client_id"))
		if err == nil && c.Method == secretBasic {
			err = wrongSecret
		} else if err == nil && c.keyed() {
			err = &refusal{http.StatusUnauthorized, "invalid_client", "This client proves who it is by a client_assertion, signed with its key."}
		}
		return c, nil, err
	}
	if f.Get("client_assertion_type") != assertionType {
		return nil, nil, refuse("invalid_request", "client_assertion_type is "+assertionType+".")
	}
	c, a, err := s.verify(f.Get("client_assertion"))
	if err != nil {
		return nil, nil, err
	}
	if id := f.Get("client_id"); id != "" && id != c.ID {
		return nil, nil, unknownClient
	}
	return c, a, nil
}

func badAssertion(text string) error {
	return &refusal{http.StatusUnauthorized, "invalid_client", "client_assertion: " + text}
}

// verify checks an assertion, and says durably that it was used.
func (s *Server) verify(text string) (*Client, *assertion, error) {
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return nil, nil, badAssertion("want a JWT signed with RS384 or ES384.")
	}
	var h header
	a := &assertion{}
	if err := readParts(text, &h, a); err != nil {
		return nil, nil, badAssertion(err.Error() + ".")
	}
	switch {
	case !strings.EqualFold(h.Type, "JWT") || h.KeyID == "":
		return nil, nil, badAssertion("want typ JWT and a kid in its header.")
	case h.Critical != nil || h.Encoded != nil:
		return nil, nil, badAssertion("crit and b64 are not taken in its header.")
	case a.Issuer == "" || a.Issuer != a.Subject:
		return nil, nil, badAssertion("iss and sub are both the client_id.")
	}
	c, err := s.client(a.Issuer)
	if err != nil {
		return nil, nil, err
	}
	if h.KeysAt != nil && (c.JWKSURI == "" || *h.KeysAt != c.JWKSURI) {
		return nil, nil, badAssertion("jku is not the registered jwks_uri.")
	}
	k, err := s.keyOf(c, h.KeyID, h.Algorithm)
	if err != nil {
		return nil, nil, err
	}
	if _, err := jws.Verify(k); err != nil {
		return nil, nil, badAssertion("the signature is not by the registered key.")
	}
	return c, a, s.consume(a)
}

// consume checks an assertion's time and place and makes it durable that it was used, before anything comes of it.
func (s *Server) consume(a *assertion) error {
	now := s.Now()
	exp, err := seconds(a.Expires)
	if err != nil {
		return badAssertion("exp is no time.")
	}
	for _, n := range []*float64{a.Issued, a.NotBefore} {
		if n == nil {
			continue
		}
		if at, err := seconds(n); err != nil || at.After(now.Add(leeway)) {
			return badAssertion("it is from the future; check the clocks.")
		}
	}
	switch {
	case string(a.Audience) != s.URL+"/auth/token":
		return badAssertion("aud is the address of this token endpoint.")
	case !now.Before(exp.Add(leeway)):
		return badAssertion("it has expired.")
	case exp.After(now.Add(maxAssertionLife + leeway)):
		return badAssertion("exp is more than five minutes from now.")
	case a.ID == "" || len(a.ID) > 256:
		return badAssertion("jti: want 1 to 256 bytes.")
	}
	s.once.Lock()
	defer s.once.Unlock()
	name := fmt.Sprintf("%d %s %s", len(a.Issuer), a.Issuer, a.ID)
	var used bool
	found, err := s.store.get(assertions, name, &used)
	if err != nil {
		return err
	}
	if found {
		return badAssertion("its jti was used before.")
	}
	if err := s.store.sweep(now); err != nil {
		return err
	}
	return s.store.put(assertions, name, true, exp.Add(2*leeway))
}

// seconds is a time as a JWT has it.
func seconds(n *float64) (time.Time, error) {
	if n == nil || *n < 0 || *n > 1<<40 {
		return time.Time{}, errors.New("no time")
	}
	return time.Unix(int64(*n), 0), nil
}

// keyOf is the one key of a client with that id, of the kind that the algorithm needs.
func (s *Server) keyOf(c *Client, id string, alg jose.SignatureAlgorithm) (any, error) {
	all, err := parseKeys(c.JWKS)
	if c.JWKSURI != "" {
		all, err = s.jwks.keys(c.JWKSURI, id)
	}
	if err != nil {
		return nil, badAssertion("the client's registered keys can't be had now.")
	}
	all = slices.DeleteFunc(slices.Clone(all), func(k jose.JSONWebKey) bool {
		switch x := k.Key.(type) {
		case *rsa.PublicKey:
			return k.KeyID != id || alg != jose.RS384 || x.N.BitLen() < minRSA
		case *ecdsa.PublicKey:
			return k.KeyID != id || alg != jose.ES384 || x.Params().BitSize != 384
		}
		return true
	})
	if len(all) != 1 {
		return nil, badAssertion("its kid and alg lead to no key of the client's, or to several.")
	}
	return all[0].Key, nil
}
