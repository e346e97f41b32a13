// Package idp is an OpenID provider of people who don't exist, so that demo and tests sign in as a hospital's staff does.
//
// It promises what OpenID Connect does: discovery, the code flow with PKCE, ID tokens signed with RS256. It asks for no password: whoever
// reaches it may be anybody on its list. So it refuses to be anywhere but on this machine, and its page says what it is.
//
//	GET /demo-staff/.well-known/openid-configuration  →  {"issuer":"http://localhost:18401/demo-staff", …}
package idp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Staff is one who can sign in.
type Staff struct{ ID, Name, Role string }

// People are synthetic.
var People = []Staff{
	{"okafor", "Dr. Ada Okafor", "physician"},
	{"lindqvist", "Nils Lindqvist", "nurse"},
	{"moreau", "Claire Moreau", "clerk"},
}

// Client is the one that people sign in for.
const Client = "vitalog"

const (
	life   = time.Minute
	atOnce = 100 // codes
)

// Provider signs people in for one member. It is safe for concurrent use.
type Provider struct {
	issuer, redirect string
	public           jose.JSONWebKeySet
	signer           jose.Signer
	page             *template.Template

	mu    sync.Mutex
	codes map[string]code
}

type code struct {
	who              Staff
	nonce, challenge string
	ends             time.Time
}

// New is a provider at issuer, an address on this machine, that sends people back to redirect.
func New(issuer, redirect string) (*Provider, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("synthetic staff at %s: only on localhost", u.Host)
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k, KeyID: "demo"}}, nil)
	if err != nil {
		return nil, err
	}
	return &Provider{issuer: issuer, redirect: redirect, signer: signer, codes: map[string]code{}, page: template.Must(template.New("").Parse(page)),
		public: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.Public(), KeyID: "demo", Algorithm: string(jose.RS256), Use: "sig"}}}}, nil
}

// Handle adds the provider's addresses to a member's.
func (p *Provider) Handle(mux *http.ServeMux) {
	u, _ := url.Parse(p.issuer) // New has read it
	mux.HandleFunc("GET "+u.Path+"/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/jwks",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
			"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"none"}})
	})
	mux.HandleFunc("GET "+u.Path+"/jwks", func(w http.ResponseWriter, r *http.Request) { answer(w, p.public) })
	mux.HandleFunc("GET "+u.Path+"/authorize", p.authorize)
	mux.HandleFunc("POST "+u.Path+"/authorize", p.authorize)
	mux.HandleFunc("POST "+u.Path+"/token", p.token)
}

// authorize shows who can be chosen, and sends who was back.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	q := r.FormValue
	if q("client_id") != Client || q("redirect_uri") != p.redirect || q("response_type") != "code" || q("code_challenge_method") != "S256" || q("nonce") == "" {
		http.Error(w, "not a request of this member", http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self' "+p.redirect+"; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		p.page.Execute(w, struct { // a client that has gone hears nothing
			People []Staff
			Q      map[string]string
		}{People, map[string]string{"client_id": q("client_id"), "redirect_uri": q("redirect_uri"), "response_type": "code", "code_challenge_method": "S256",
			"code_challenge": q("code_challenge"), "nonce": q("nonce"), "state": q("state")}})
		return
	}
	i := slices.IndexFunc(People, func(s Staff) bool { return s.ID == q("person") })
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, x := range p.codes {
		if time.Now().After(x.ends) {
			delete(p.codes, c)
		}
	}
	if i < 0 || len(p.codes) >= atOnce {
		http.Error(w, "nobody of that name, or too many at once", http.StatusBadRequest)
		return
	}
	name := rand.Text()
	p.codes[name] = code{People[i], q("nonce"), q("code_challenge"), time.Now().Add(life)}
	http.Redirect(w, r, p.redirect+"?"+url.Values{"code": {name}, "state": {q("state")}}.Encode(), http.StatusSeeOther)
}

// token gives the ID token for a code, once.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	p.mu.Lock()
	c, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || time.Now().After(c.ends) || base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge || r.PostFormValue("redirect_uri") != p.redirect {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now().Unix()
	payload, err := json.Marshal(map[string]any{"iss": p.issuer, "sub": c.who.ID, "aud": Client, "iat": now, "exp": now + 60, "nonce": c.nonce, "name": c.who.Name, "role": c.who.Role})
	var id string
	if err == nil {
		var jws *jose.JSONWebSignature
		if jws, err = p.signer.Sign(payload); err == nil {
			id, err = jws.CompactSerialize()
		}
	}
	if err != nil {
		http.Error(w, "signing failed", http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 60, "id_token": id})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v) // a client that has gone hears nothing
}

const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Synthetic staff</title><link rel="stylesheet" href="/auth/style.css"></head>
<body><main>
<p class="wrong">DEMO. Nobody here exists, and nobody is asked for a password.</p>
<h1>Who signs in?</h1>
<form method="post">{{range $name, $value := .Q}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}
{{range .People}}<button type="submit" name="person" value="{{.ID}}">{{.Name}}, {{.Role}}</button>{{end}}
</form>
</main></body></html>
`
