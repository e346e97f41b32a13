package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"vitalog/directory"
	"vitalog/exchange"
	"vitalog/key"
	"vitalog/manual"
	"vitalog/subscription"
)

// Config is what a gateway needs. All fields without a stated default are required.
type Config struct {
	Member    *exchange.Member
	Directory *directory.Directory
	Base      string                     // address of the FHIR endpoint without slash at the end: https://fhir.st-elena.example/fhir. Tokens are for it, links begin with it
	Tokens    key.Verifier               // of the key that tokens are signed with
	Revoked   func(Access) (bool, error) // whether what ReadToken read was taken back since. Default: nothing is
	Ready     func() error               // nil error: writes and reads can be served; the error's text is public. Default: always ready
	Stalled   func() time.Duration       // how long the network has agreed on nothing although something waits. Default: requests wait as long as their clients
	Log       *slog.Logger               // default: slog.Default()
	Now       func() time.Time           // default: time.Now

	AcrossCharts  int                // charts that one search across patients may open. Default: 100
	Subscriptions *subscription.Book // default: none are taken
	Validation    Validation         // which of R4's rules are asked of what is written. Default: Lenient
}

// gateway serves one member. Its fields do not change after New, so it is safe for concurrent use.
type gateway struct {
	Config
	Member   reach  // of the request; New's reaches nothing
	atWork   *names // of requests with a key, so that one that is sent again waits for the first
	pending  *names // of patients who are being enrolled, so that two bundles don't enrol one patient twice
	metadata []byte
	routes   http.Handler // also for the reads in bundles
}

// New is the gateway's handler. The server around it sets the deadlines for headers and bodies.
func New(c Config) http.Handler {
	if c.Revoked == nil {
		c.Revoked = func(Access) (bool, error) { return false, nil }
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	g := &gateway{Config: c, Member: reach{Member: c.Member}, atWork: new(names), pending: new(names)}
	g.metadata = g.capabilityStatement()

	mux := http.NewServeMux()
	g.routes = mux
	mux.HandleFunc("GET /healthz", g.health)
	mux.HandleFunc("GET /readyz", g.readiness)
	mux.HandleFunc("GET /fhir/metadata", g.capabilities)
	for pattern, a := range map[string]route{
		"POST /fhir":                           {"cud", (*gateway).bundle},
		"POST /fhir/{$}":                       {"cud", (*gateway).bundle},
		"POST /fhir/{type}":                    {"c", (*gateway).create},
		"GET /fhir/{type}":                     {"s", (*gateway).search},
		"GET /fhir/{type}/{id}":                {"r", (*gateway).read},
		"PUT /fhir/{type}/{id}":                {"u", (*gateway).update},
		"DELETE /fhir/{type}/{id}":             {"d", (*gateway).delete},
		"PUT /fhir/{type}":                     {"u", (*gateway).update},
		"DELETE /fhir/{type}":                  {"d", (*gateway).delete},
		"GET /fhir/{type}/{id}/_history":       {"r", (*gateway).history},
		"GET /fhir/{type}/{id}/_history/{vid}": {"r", (*gateway).vread},
		"POST /fhir/Patient/$match":            {"rs", (*gateway).match},
		"POST /fhir/{type}/$validate":          {"cruds", (*gateway).check},
		"POST /fhir/{type}/{id}/$validate":     {"cruds", (*gateway).check},
	} {
		mux.Handle(pattern, g.authorised(a.rights, inJSON(a.do)))
	}
	g.routeLedger(mux)
	for _, pattern := range []string{"GET /fhir/Patient/{id}/$summary", "POST /fhir/Patient/{id}/$summary", "GET /fhir/Patient/$summary", "POST /fhir/Patient/$summary"} {
		mux.Handle(pattern, g.authorised("r", (*gateway).summary))
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		mux.Handle(method+" /fhir/Patient/{id}/$everything", g.authorised("rs", (*gateway).everything))
		mux.HandleFunc(method+" /fhir/$graphql", g.noGraphQL)
		mux.HandleFunc(method+" /fhir/{type}/{id}/$graphql", g.noGraphQL)
	}
	mux.Handle("PATCH /fhir/{type}/{id}", g.authorised("u", (*gateway).patch))
	mux.Handle("PATCH /fhir/{type}", g.authorised("u", (*gateway).patch))
	mux.Handle("POST /fhir/Binary", g.authorised("c", (*gateway).createBinary))
	mux.Handle("GET /fhir/Binary/{id}", g.authorised("r", (*gateway).readBinary))
	mux.Handle("GET /fhir/Binary/{id}/_history/{vid}", g.authorised("r", (*gateway).readBinary))
	g.routeUploads(mux)
	mux.Handle("POST /fhir/{type}/_search", g.authorised("s", (*gateway).searchForm))
	for _, kind := range compartment() {
		get, form := searchIn(kind)
		for pattern, do := range map[string]action{"GET /fhir/Patient/{id}/" + kind: get, "POST /fhir/Patient/{id}/" + kind + "/_search": form} {
			h := g.authorised("s", do)
			mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
				r.SetPathValue("type", kind)
				h.ServeHTTP(w, r)
			})
		}
	}
	for _, path := range []string{"/fhir", "/fhir/{$}", "/fhir/{type}", "/fhir/{type}/{id}", "/fhir/{type}/{id}/_history", "/fhir/{type}/{id}/_history/{vid}", "/healthz", "/readyz"} {
		mux.HandleFunc(path, g.noMethod)
	}
	docs := g.docs()
	mux.HandleFunc(manual.Root, docs)
	mux.HandleFunc(manual.Root+"/", docs)
	mux.HandleFunc("/", g.noRoute)
	if c.Subscriptions == nil {
		return g.logged(mux)
	}
	return g.logged(g.withSubscriptions(mux))
}

// action answers one authorised request, or says why not. Its gateway reaches what the request's token gives.
type action func(g *gateway, w http.ResponseWriter, r *http.Request, who exchange.Asker) error

// route is an action, and what it does, of cruds: a scope must give one of these rights.
type route struct {
	rights string
	do     action
}

// authorised lets an action run for who holds a valid token with a scope that gives one of the rights, out of cruds, to resources of the
// type that the address names, or of any.
func (g *gateway) authorised(rights string, do action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := func() error {
			access, err := g.asker(r)
			if err != nil {
				return err
			}
			v := g.visit(access, rights)
			if err := v.Member.enter(typeOf(r)); err != nil {
				return err
			}
			if _, err := parseQuery(r.URL.RawQuery); err != nil {
				return err
			}
			ctx, done := g.patiently(r.Context())
			defer done()
			return do(v, w, r.WithContext(ctx), access.Asker)
		}()
		if err != nil {
			g.fail(w, r, err)
		}
	})
}

// inJSON lets an action run for who takes JSON, and sends nothing else.
func inJSON(do action) action {
	return func(g *gateway, w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
		query, err := parseQuery(r.URL.RawQuery)
		if err != nil {
			return err
		}
		if err := acceptable(r, query); err != nil {
			return err
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodDelete {
			if err := readable(r); err != nil {
				return err
			}
		}
		return do(g, w, r, who)
	}
}

// typeOf is the type of resource that the route of a request is about, "" if it tells none.
func typeOf(r *http.Request) string {
	if kind := r.PathValue("type"); kind != "" {
		return kind
	}
	_, path, _ := strings.Cut(r.Pattern, "/fhir/")
	kind, _, _ := strings.Cut(path, "/")
	return strings.Trim(kind, "{$}")
}

// asker reads the bearer token (RFC 6750, in the header only).
func (g *gateway) asker(r *http.Request) (Access, error) {
	if len(r.Header.Values("Authorization")) > 1 {
		return Access{}, badRequest("invalid", "The request has several Authorization headers. Send one.")
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Access{}, &problem{status: http.StatusUnauthorized, code: "login",
			text: "Who asks? Send Authorization: Bearer and an access token of this member."}
	}
	access, err := ReadToken(g.Tokens, g.Member.Name(), g.Base, strings.TrimSpace(token), g.Now())
	if err != nil {
		return Access{}, &problem{status: http.StatusUnauthorized, code: "security", text: "Access token refused: " + err.Error() + "."}
	}
	revoked, err := g.Revoked(access)
	if err != nil {
		return Access{}, fmt.Errorf("whether a token was revoked: %w", err)
	}
	if revoked {
		return Access{}, &problem{status: http.StatusUnauthorized, code: "security", text: "Access token refused: it was revoked; sign in again."}
	}
	return access, nil
}

func (g *gateway) capabilities(w http.ResponseWriter, r *http.Request) {
	query, err := parseQuery(r.URL.RawQuery)
	if err == nil {
		err = acceptable(r, query)
	}
	if err != nil {
		g.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, g.metadata)
}

// health says that the process answers.
func (g *gateway) health(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok\n")) }

// readiness says whether requests can be served now.
func (g *gateway) readiness(w http.ResponseWriter, r *http.Request) {
	if err := g.Ready(); err != nil {
		g.fail(w, r, &problem{status: http.StatusServiceUnavailable, code: "transient", text: "Not ready: " + err.Error() + "."})
		return
	}
	w.Write([]byte("ready\n"))
}

func (g *gateway) noMethod(w http.ResponseWriter, r *http.Request) {
	g.fail(w, r, &problem{status: http.StatusMethodNotAllowed, code: "not-supported",
		text: r.Method + " is not offered here. GET " + g.Base + "/metadata says what is."})
}

func (g *gateway) noGraphQL(w http.ResponseWriter, r *http.Request) {
	g.fail(w, r, &problem{status: http.StatusNotAcceptable, code: "not-supported",
		text: "This gateway has no GraphQL. Search instead: GET " + g.Base + "/metadata says by what."})
}

func (g *gateway) noRoute(w http.ResponseWriter, r *http.Request) {
	g.fail(w, r, &problem{status: http.StatusNotFound, code: "not-supported",
		text: "There is no such address at this gateway. GET " + g.Base + "/metadata says what is."})
}
