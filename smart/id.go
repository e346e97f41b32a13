package smart

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"vitalog/scope"
)

const idLife = 5 * time.Minute

// idSigner signs ID tokens, with RS256: what every OpenID client reads.
type idSigner struct {
	signer jose.Signer
	public jose.JSONWebKeySet
}

// open reads the key, or makes it.
func (x *idSigner) open(s store) error {
	var der []byte
	found, err := s.get(keys, "id", &der)
	if err != nil {
		return err
	}
	if !found {
		k, err := rsa.GenerateKey(rand.Reader, minRSA)
		if err != nil {
			return fmt.Errorf("key for ID tokens: %w", err)
		}
		der = x509.MarshalPKCS1PrivateKey(k)
		if err := s.put(keys, "id", der, time.Time{}); err != nil {
			return err
		}
	}
	k, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return fmt.Errorf("key for ID tokens: %w", err)
	}
	public := jose.JSONWebKey{Key: k.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	print := digest(string(x509.MarshalPKCS1PublicKey(&k.PublicKey)))
	public.KeyID = print[:16]
	x.public.Keys = []jose.JSONWebKey{public}
	x.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k, KeyID: public.KeyID}}, (&jose.SignerOptions{}).WithType("JWT"))
	return err
}

// keys are the public keys that ID tokens are checked with.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.signer.public)
}

// idToken says who signed in (OpenID Connect Core, 2).
func (s *Server) idToken(g *granted, nonce string, scopes scope.Set) (string, error) {
	now := s.Now()
	c := map[string]any{"iss": s.URL, "sub": g.Person.ID, "aud": g.Client, "iat": now.Unix(), "exp": now.Add(idLife).Unix()}
	if nonce != "" {
		c["nonce"] = nonce
	}
	if scopes.Has("fhirUser") && g.Person.FHIRUser != "" {
		c["fhirUser"] = g.Person.FHIRUser
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	jws, err := s.signer.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("ID token: %w", err)
	}
	return jws.CompactSerialize()
}
