package gateway

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"vitalog/exchange"
	"vitalog/key"
	"vitalog/scope"
)

// Limits of access tokens.
const (
	MaxTokenLife = 300 * time.Second // from iat to exp, checked when issued and when used
	tokenLeeway  = 5 * time.Second   // between the clocks of who issues and who checks
	maxToken     = 8 << 10           // bytes of the compact form
	maxClaim     = 256               // bytes of one claim
)

const (
	tokenType     = "at+jwt" // RFC 9068
	tokenHeader   = `{"alg":"EdDSA","typ":"at+jwt"}`
	algorithm     = jose.EdDSA
	tokenIDLength = 16
)

// claims are the payload of an access token. It says who asks and what for; the patient gets to see it, the ledger never.
type claims struct {
	Issuer   string `json:"iss"` // the member's name
	Subject  string `json:"sub"` // practitioner, as the member numbers them
	Name     string `json:"name,omitempty"`
	Role     string `json:"role,omitempty"`
	Purpose  string `json:"purpose_of_use"` // v3-ActReason
	Reason   string `json:"reason,omitempty"`
	Machine  bool   `json:"machine,omitempty"`
	Scope    string `json:"scope"`
	Client   string `json:"client_id,omitempty"`
	Patient  string `json:"patient,omitempty"`
	Line     string `json:"line,omitempty"` // what it came of: all tokens of a line end with it
	Audience string `json:"aud"`            // base address of the gateway
	Issued   int64  `json:"iat"`            // Unix time, s
	Expires  int64  `json:"exp"`            // Unix time, s
	ID       string `json:"jti"`
}

// IssueToken signs an access token with which who may use the member's gateway at base for ttl, as far as the patients' grants go. See
// IssueAccess.
func IssueToken(signer key.Signer, member, base string, who exchange.Asker, ttl time.Duration, now time.Time) (string, error) {
	return IssueAccess(signer, member, base, Access{Asker: who, Scopes: scope.All()}, ttl, now)
}

// IssueAccess signs an access token for ttl, at most MaxTokenLife, counted from now in whole seconds. It is a JWS in compact form (RFC 7515,
// EdDSA) with the claims of RFC 9068 that are needed, and purpose_of_use.
func IssueAccess(signer key.Signer, member, base string, who Access, ttl time.Duration, now time.Time) (string, error) {
	if ttl < time.Second || ttl > MaxTokenLife {
		return "", fmt.Errorf("token for %v: a token lives from 1 s to %v", ttl, MaxTokenLife)
	}
	var id [tokenIDLength]byte
	rand.Read(id[:])
	c := claims{
		Issuer: member, Subject: who.Practitioner, Name: who.Name, Role: who.Role, Purpose: who.Purpose, Reason: who.Reason, Machine: who.Machine,
		Scope: who.Scopes.String(), Client: who.Client, Patient: who.Patient, Line: who.Line,
		Audience: base, Issued: now.Unix(), Expires: now.Add(ttl).Unix(), ID: fmt.Sprintf("%x", id),
	}
	if _, err := c.check(member, base, now); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	key := jose.SigningKey{Algorithm: algorithm, Key: opaque{signer}}
	s, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("token: signing: %w", err)
	}
	return jws.CompactSerialize()
}

// ReadToken checks a token that IssueAccess made for the same member and base, and says who asks. Its errors are words for the client. A token
// has one spelling: what IssueAccess would write otherwise, from the same claims, is refused. That it was revoked can't be seen in it.
func ReadToken(public key.Verifier, member, base, token string, now time.Time) (Access, error) {
	if len(token) > maxToken {
		return Access{}, fmt.Errorf("the token has %d bytes, at most %d are read", len(token), maxToken)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return Access{}, errors.New("the token is not a JWS signed with EdDSA")
	}
	payload, err := jws.Verify(ed25519.PublicKey(public[:]))
	if err != nil {
		return Access{}, errors.New("the token's signature is not this member's")
	}
	if jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != tokenType {
		return Access{}, fmt.Errorf("the token is not of type %s", tokenType)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Access{}, errors.New("the token's claims can't be read")
	}
	if again, err := json.Marshal(c); err != nil || !bytes.Equal(again, payload) || token != compact([]byte(tokenHeader), payload, jws.Signatures[0].Signature) {
		return Access{}, errors.New("the token is not written as this member writes it")
	}
	scopes, err := c.check(member, base, now)
	if err != nil {
		return Access{}, err
	}
	who := exchange.Asker{Practitioner: c.Subject, Name: c.Name, Role: c.Role, Purpose: c.Purpose, Reason: c.Reason, Machine: c.Machine}
	return Access{Asker: who, Scopes: scopes, Client: c.Client, Patient: c.Patient, Line: c.Line, ID: c.ID, Expires: time.Unix(c.Expires, 0)}, nil
}

// compact is the one spelling of a token: base64 has others, with line breaks or with bits that nobody reads.
func compact(header, payload, signature []byte) string {
	b := base64.RawURLEncoding.EncodeToString
	return b(header) + "." + b(payload) + "." + b(signature)
}

// check holds the claims against who checks them, when and where, and reads the scopes.
func (c *claims) check(member, base string, now time.Time) (scope.Set, error) {
	for _, s := range []string{c.Issuer, c.Subject, c.Name, c.Role, c.Reason, c.ID, c.Client, c.Patient, c.Line} {
		if len(s) > maxClaim {
			return scope.Set{}, fmt.Errorf("a claim of the token has %d bytes, at most %d are read", len(s), maxClaim)
		}
		if !utf8.ValidString(s) {
			return scope.Set{}, errors.New("a claim of the token is not UTF-8")
		}
	}
	switch {
	case c.Issuer != member:
		return scope.Set{}, errors.New("the token is from another member")
	case c.Audience != base:
		return scope.Set{}, errors.New("the token is for another gateway")
	case c.Subject == "" || c.ID == "":
		return scope.Set{}, errors.New("the token names no practitioner (sub) or has no jti")
	case !slices.Contains(exchange.Purposes, c.Purpose):
		return scope.Set{}, fmt.Errorf("the token has no purpose of use out of %v", exchange.Purposes)
	case c.Issued < 0 || c.Expires <= c.Issued || c.Expires-c.Issued > int64(MaxTokenLife/time.Second):
		return scope.Set{}, fmt.Errorf("the token lives from %d to %d; at most %v are allowed", c.Issued, c.Expires, MaxTokenLife)
	case now.Before(time.Unix(c.Issued, 0).Add(-tokenLeeway)):
		return scope.Set{}, errors.New("the token is from the future; check the clocks")
	case !now.Before(time.Unix(c.Expires, 0).Add(tokenLeeway)):
		return scope.Set{}, errors.New("the token has expired; sign in again")
	}
	scopes, err := scope.Parse(c.Scope)
	if err != nil || len(scopes.Scopes) == 0 {
		return scope.Set{}, errors.New("the token has no scope that can be read")
	}
	return scopes, nil
}

// opaque lends jose a key that only signs.
type opaque struct{ key.Signer }

func (o opaque) Public() *jose.JSONWebKey {
	v := o.Signer.Public()
	return &jose.JSONWebKey{Key: ed25519.PublicKey(v[:])}
}

func (o opaque) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{algorithm} }

func (o opaque) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	if alg != algorithm {
		return nil, fmt.Errorf("algorithm %s: this key signs with %s", alg, algorithm)
	}
	sig := o.Sign(payload)
	return sig[:], nil
}
