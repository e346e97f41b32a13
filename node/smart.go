package node

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"vitalog/exchange"
	"vitalog/internal/idp"
	"vitalog/smart"
)

// SyntheticStaff as sign_in_issuer lets people who don't exist sign in without a password: for the demo and for tests, on localhost only.
const SyntheticStaff = "synthetic"

const demoStaffPath = "/demo-staff"

// serveSmart opens the authorization server.
func (n *Node) serveSmart(dir string, mux *http.ServeMux) error {
	staff, err := n.staff(dir, mux)
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	n.Smart, err = smart.Open(smart.Config{Member: n.Member, Ring: n.Ring, DB: n.db.Prefix("smart/"), URL: n.Config.URL(), Staff: staff, Log: n.log})
	if err != nil {
		return err
	}
	n.Smart.Handle(mux)
	return nil
}

// staff is where the hospital's people sign in, nil if nowhere.
func (n *Node) staff(dir string, mux *http.ServeMux) (*smart.Staff, error) {
	c := n.Config
	switch c.SignInIssuer {
	case "":
		return nil, nil
	case SyntheticStaff:
		issuer := c.URL() + demoStaffPath
		p, err := idp.New(issuer, c.URL()+"/auth/signed-in")
		if err != nil {
			return nil, err
		}
		p.Handle(mux)
		return &smart.Staff{Issuer: issuer, ClientID: idp.Client, Roles: map[string]string{"physician": "physician", "nurse": "nurse"}}, nil // and no clerk
	}
	s := &smart.Staff{Issuer: c.SignInIssuer, ClientID: c.SignInClient, Name: c.SignInName, Role: c.SignInRole, FHIRUser: c.SignInFHIRUser, Roles: c.SignInRoles}
	if c.SignInSecretFile != "" {
		raw, err := os.ReadFile(inDir(dir, c.SignInSecretFile))
		if err != nil {
			return nil, err
		}
		s.Secret = strings.TrimSpace(string(raw))
	}
	return s, nil
}

// SignInRoleNames are the names in SignInRoles, sorted.
func (c *Config) SignInRoleNames() []string { return slices.Sorted(maps.Keys(c.SignInRoles)) }

// addClient registers software that may ask for tokens.
func (n *Node) addClient(r *http.Request) (any, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 1<<17))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", exchange.ErrInvalid, err)
	}
	c, err := smart.ParseClient(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", exchange.ErrInvalid, err)
	}
	return n.Smart.Add(c)
}
