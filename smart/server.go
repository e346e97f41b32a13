package smart

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/keyring"
	"vitalog/kv"
)

// Limits of what is asked, and of what is kept in memory.
const (
	maxForm    = 64 << 10 // bytes of a form
	maxPending = 10_000   // launches, flows and codes, of each
	maxText    = 2 << 10  // bytes of one parameter
	leeway     = 5 * time.Second

	secretLength = 32 // bytes
)

// Config is what an authorization server needs. All fields without a stated default are required.
type Config struct {
	Member *exchange.Member
	Ring   *keyring.Ring
	DB     *kv.DB // what outlives the process: clients, refresh tokens, assertions that were used
	URL    string // of the member, without slash at the end: the issuer
	Staff  *Staff // where people sign in. Default: nowhere, and only Backend Services get tokens
	Log    *slog.Logger
	Now    func() time.Time // default: time.Now
}

// Server answers software that asks for tokens. It is safe for concurrent use.
type Server struct {
	Config
	store  store
	jwks   fetcher
	limit  limiter
	signer idSigner

	once     sync.Mutex // over looking whether an assertion or refresh token is good, and saying that it was used
	launches pending[launch]
	flows    pending[*flow]
	codes    pending[*issued]
}

// Open prepares the server.
func Open(c Config) (*Server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{Config: c, store: store{c.DB, c.Ring}}
	s.jwks.now, s.limit.now = c.Now, c.Now
	if c.Staff == nil {
		return s, nil
	}
	return s, s.signer.open(s.store)
}

// base is the FHIR endpoint that tokens are for.
func (s *Server) base() string { return s.URL + "/fhir" }

// Handle adds the server's addresses to a member's.
func (s *Server) Handle(mux *http.ServeMux) {
	for _, path := range []string{"/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration"} {
		mux.Handle("GET "+path, open(s.configuration))
		mux.Handle("OPTIONS "+path, open(s.noMethod))
	}
	mux.Handle("OPTIONS /auth/token", open(s.noMethod))
	mux.Handle("POST /auth/token", open(s.form(s.token)))
	mux.Handle("POST /auth/introspect", s.form(s.introspect))
	mux.Handle("POST /auth/revoke", open(s.form(s.revoke)))
	mux.Handle("OPTIONS /auth/revoke", open(s.noMethod))
	if s.Staff == nil {
		return
	}
	mux.Handle("GET /auth/jwks", open(s.keys))
	mux.Handle("POST /auth/launch", s.form(s.launch))
	mux.HandleFunc("GET /auth/authorize", s.authorize)
	mux.HandleFunc("POST /auth/authorize", s.authorize)
	mux.HandleFunc("GET /auth/signed-in", s.signedIn)
	mux.HandleFunc("GET /auth/flow/{id}", s.inFlow(s.showFlow))
	mux.HandleFunc("POST /auth/flow/{id}/patient", s.inFlow(s.choosePatient))
	mux.HandleFunc("POST /auth/flow/{id}/answer", s.inFlow(s.answerFlow))
	mux.HandleFunc("GET /auth/style.css", style)
}

func (s *Server) noMethod(w http.ResponseWriter, r *http.Request) {
	s.fail(w, &refusal{http.StatusMethodNotAllowed, "invalid_request", "This method is not offered here."})
}

// configuration tells software where things are and what is offered.
func (s *Server) configuration(w http.ResponseWriter, r *http.Request) {
	c := map[string]any{
		"issuer": s.URL, "token_endpoint": s.URL + "/auth/token",
		"introspection_endpoint": s.URL + "/auth/introspect", "revocation_endpoint": s.URL + "/auth/revoke",
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}, "token_endpoint_auth_signing_alg_values_supported": algorithmNames,
		"grant_types_supported": []string{"client_credentials"}, "code_challenge_methods_supported": []string{"S256"},
		"capabilities":     []string{"client-confidential-asymmetric", "permission-v1", "permission-v2"},
		"scopes_supported": []string{"system/*.cruds"},
	}
	if s.Staff != nil {
		c["authorization_endpoint"], c["jwks_uri"] = s.URL+"/auth/authorize", s.URL+"/auth/jwks"
		c["token_endpoint_auth_methods_supported"] = []string{"none", "private_key_jwt", secretBasic}
		c["grant_types_supported"] = []string{"authorization_code", "refresh_token", "client_credentials"}
		c["response_types_supported"], c["subject_types_supported"], c["id_token_signing_alg_values_supported"] = []string{"code"}, []string{"public"}, []string{"RS256"}
		c["capabilities"] = []string{"launch-ehr", "launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric", "client-confidential-asymmetric", "sso-openid-connect",
			"context-banner", "context-ehr-patient", "context-ehr-encounter", "context-standalone-patient", "permission-offline", "permission-online",
			"permission-patient", "permission-user", "permission-v1", "permission-v2"}
		c["scopes_supported"] = []string{"openid", "fhirUser", "launch", "launch/patient", "offline_access", "online_access", "patient/*.cruds", "user/*.cruds", "system/*.cruds"}
	}
	writeJSON(w, http.StatusOK, c)
}

// AnyOrigin lets the pages of any origin read a handler's answers: what is asked carries its own proof, never a cookie.
func AnyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Content-Location, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
			h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, Range, X-Security-Context")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func open(next http.HandlerFunc) http.Handler { return AnyOrigin(next) }

// refusal is an error in the words of OAuth (RFC 6749, 5.2).
type refusal struct {
	status int
	code   string
	text   string
}

func (f *refusal) Error() string { return f.code + ": " + f.text }

func refuse(code, text string) error { return &refusal{http.StatusBadRequest, code, text} }

var unknownClient = &refusal{http.StatusUnauthorized, "invalid_client", "No such client, or it didn't prove that it is."}

// form lets an action answer what is asked by a form. What it returns is written as JSON.
func (s *Server) form(do func(r *http.Request, f url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := readForm(w, r)
		var answer any
		if err == nil {
			answer, err = do(r, f)
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	var f *refusal
	if !errors.As(err, &f) {
		s.Log.Error("authorization failed", "error", err)
		f = &refusal{http.StatusInternalServerError, "server_error", "Something failed inside this member. Try again."}
	}
	switch f.status {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "60")
	case http.StatusUnauthorized:
		scheme := "Bearer"
		if f == wrongSecret {
			scheme = "Basic"
		}
		w.Header().Set("WWW-Authenticate", scheme+` realm="vitalog"`)
	}
	writeJSON(w, f.status, map[string]string{"error": f.code, "error_description": f.text})
}

// readForm reads the body of a POST, in which each parameter stands at most once (RFC 6749, 3.2).
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(strings.ToLower(kind)) != "application/x-www-form-urlencoded" {
		return nil, refuse("invalid_request", "Send the parameters as application/x-www-form-urlencoded.")
	}
	if err := r.ParseForm(); err != nil {
		return nil, refuse("invalid_request", "The form can't be read, or is too large.")
	}
	return r.PostForm, checkForm(r.PostForm)
}

func checkForm(f url.Values) error {
	for name, values := range f {
		if len(values) != 1 || name != "client_assertion" && len(values[0]) > maxText+maxScope || len(values[0]) > maxAssertion {
			return refuse("invalid_request", "A parameter stands twice, or is too long.")
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // maps of strings, numbers and booleans always marshal
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(b) // a client that has gone hears nothing
}

// secret is a name that nobody guesses.
func secret() string {
	var b [secretLength]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest is what is kept of a secret.
func digest(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// access makes the access token.
func (s *Server) access(a gateway.Access) (string, error) {
	return gateway.IssueAccess(s.Ring.Tokens(), s.Member.Name(), s.base(), a, gateway.MaxTokenLife, s.Now())
}
