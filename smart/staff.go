package smart

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Staff is the OpenID provider at which the hospital's people sign in, and what its claims mean here.
type Staff struct {
	Issuer   string // its address
	ClientID string // what it calls this member
	Secret   string // what it knows this member by; "" for a public client
	Name     string // claim with the name that patients read. Default: name
	Role     string // claim with the role. Default: role
	Roles    map[string]string
	FHIRUser string // claim with the address of the person's Practitioner. Default: fhirUser

	mu       sync.Mutex
	provider *oidc.Provider
}

// Person is who signed in.
type Person struct {
	ID       string `json:"id"` // the provider's sub
	Name     string `json:"name"`
	Role     string `json:"role"`
	FHIRUser string `json:"fhirUser,omitempty"`
}

const (
	staffTime = 10 * time.Second // for the provider to answer
	maxClaim  = 256              // bytes, as an access token has them
)

var errNoRole = errors.New("the account has no role that may see records here; ask who manages the accounts to give it one")

// reach gives the provider, which is asked once what it offers, and the client that it knows.
func (x *Staff) reach(ctx context.Context, redirect string) (*oidc.Provider, *oauth2.Config, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.provider == nil {
		p, err := oidc.NewProvider(ctx, x.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("the sign-in service doesn't answer: %w", err)
		}
		x.provider = p
	}
	return x.provider, &oauth2.Config{ClientID: x.ClientID, ClientSecret: x.Secret, Endpoint: x.provider.Endpoint(), RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile"}}, nil
}

func staffContext(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = oidc.ClientContext(ctx, &http.Client{Timeout: staffTime})
	return context.WithTimeout(ctx, staffTime)
}

// begin is where a person's browser goes to sign in.
func (x *Staff) begin(ctx context.Context, redirect, state, nonce, verifier string) (string, error) {
	ctx, cancel := staffContext(ctx)
	defer cancel()
	_, c, err := x.reach(ctx, redirect)
	if err != nil {
		return "", err
	}
	return c.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// end is who came back with a code.
func (x *Staff) end(ctx context.Context, redirect, code, nonce, verifier string) (Person, error) {
	ctx, cancel := staffContext(ctx)
	defer cancel()
	p, c, err := x.reach(ctx, redirect)
	if err != nil {
		return Person{}, err
	}
	token, err := c.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Person{}, errors.New("the sign-in service refused the code") // its answer may hold more than is to be seen
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.VerifierContext(ctx, &oidc.Config{ClientID: x.ClientID}).Verify(ctx, raw)
	if err != nil || id.Nonce != nonce || nonce == "" {
		return Person{}, errors.New("the sign-in service gave no ID token that is meant for this")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return Person{}, errors.New("the claims of the ID token can't be read")
	}
	return x.person(id.Subject, claims)
}

// person reads the claims. A role that isn't mapped is none.
func (x *Staff) person(subject string, claims map[string]any) (Person, error) {
	text := func(name, otherwise string) string {
		if name == "" {
			name = otherwise
		}
		s, _ := claims[name].(string)
		return s
	}
	who := Person{ID: subject, Name: text(x.Name, "name"), FHIRUser: text(x.FHIRUser, "fhirUser")}
	name := x.Role
	if name == "" {
		name = "role"
	}
	values, _ := claims[name].([]any)
	if one, ok := claims[name].(string); ok {
		values = []any{one}
	}
	for _, v := range values {
		if one, _ := v.(string); who.Role == "" {
			who.Role = x.Roles[one]
		}
	}
	switch {
	case who.Role == "":
		return Person{}, errNoRole
	case who.Name == "" || who.ID == "" || max(len(who.ID), len(who.Name), len(who.Role), len(who.FHIRUser)) > maxClaim:
		return Person{}, errors.New("the ID token has no name and number of a person, or longer ones than are taken")
	}
	return who, nil
}
