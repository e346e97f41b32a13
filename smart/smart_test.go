package smart_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/smart"
	"vitalog/synthetic"
)

// clinic is a member where synthetic staff sign in.
type clinic struct {
	testing.TB
	net *testnet.Net
}

func open(t *testing.T) clinic {
	t.Helper()
	c := clinic{t, testnet.Start(t, 1, 0)}
	config := *c.node().Config
	config.SignInIssuer = node.SyntheticStaff
	if err := config.Save(c.net.MemberDir(0)); err != nil {
		t.Fatal(err)
	}
	c.restart()
	return c
}

func (c clinic) node() *node.Node { return c.net.Nodes[0] }
func (c clinic) url() string      { return c.node().Config.URL() }

func (c clinic) restart() {
	c.Helper()
	c.net.Stop(c.TB, 0)
	c.net.Restart(c.TB, 0, node.Options{})
	c.net.WaitReady(c.TB)
}

// register adds software.
func (c clinic) register(registration string) {
	c.Helper()
	client, err := smart.ParseClient([]byte(registration))
	if err == nil {
		_, err = c.node().Smart.Add(client)
	}
	if err != nil {
		c.Fatal(err)
	}
}

// patient enrols somebody, and tells the chart and the number.
func (c clinic) patient(seed uint64) (chart, number string) {
	c.Helper()
	p := synthetic.Patients(seed, 1, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))[0]
	token, err := gateway.IssueToken(c.node().Ring.Tokens(), c.node().Member.Name(), c.url()+"/fhir",
		exchange.Asker{Practitioner: "import", Role: "records system", Purpose: "TREAT"}, time.Minute, time.Now())
	if err != nil {
		c.Fatal(err)
	}
	a := c.ask("POST", "/fhir", "application/fhir+json", string(p.Batches[0].Bundle), token)
	if a.status != http.StatusOK {
		c.Fatalf("enrolling: %d %s", a.status, a.body)
	}
	chart, ok, err := c.node().Member.FindPatient(synthetic.MRNSystem, p.MRN)
	if err != nil || !ok {
		c.Fatal(ok, err)
	}
	return chart, synthetic.MRNSystem + "|" + p.MRN
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// json is the answer's object.
func (a answer) json() (out map[string]any) {
	if json.Unmarshal(a.body, &out) != nil {
		return map[string]any{}
	}
	return out
}

func (a answer) text(name string) string {
	s, _ := a.json()[name].(string)
	return s
}

var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (c clinic) ask(method, path, kind, body, token string) answer {
	c.Helper()
	return c.with(plain, method, path, kind, body, token)
}

func (c clinic) with(h *http.Client, method, path, kind, body, token string) answer {
	c.Helper()
	if !strings.Contains(path, "://") {
		path = c.url() + path
	}
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Origin", "https://app.example")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := h.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

func (c clinic) get(path, token string) answer { return c.ask("GET", path, "", "", token) }

const formType = "application/x-www-form-urlencoded"

func (c clinic) post(path string, form url.Values, token string) answer {
	c.Helper()
	return c.ask("POST", path, formType, form.Encode(), token)
}

// system is software that proves who it is.
type system struct {
	id, kid string
	alg     jose.SignatureAlgorithm
	key     any
}

func newSystem(t testing.TB, id string, alg jose.SignatureAlgorithm) system {
	t.Helper()
	s := system{id: id, kid: id + "-1", alg: alg}
	var err error
	if alg == jose.ES384 {
		s.key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	} else {
		s.key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s system) jwks(t testing.TB) string {
	k := jose.JSONWebKey{Key: s.key, KeyID: s.kid}
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// assert signs what the system says of itself, with changes.
func (s system) assert(t testing.TB, c clinic, claims map[string]any, header map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": s.id, "sub": s.id, "aud": c.url() + "/auth/token", "exp": time.Now().Add(4 * time.Minute).Unix(), "jti": rand.Text()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	o := &jose.SignerOptions{}
	o.WithHeader("typ", "JWT").WithHeader("kid", s.kid)
	for name, v := range header {
		o.WithHeader(jose.HeaderKey(name), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func service(scope, assertion string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
}

func TestSoftwareGetsTokensForWhatItIsRegisteredFor(t *testing.T) {
	c := open(t)
	t.Run("well-known smart-configuration", func(t *testing.T) {
		a := c.get("/fhir/.well-known/smart-configuration", "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" || a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("got %d %v", a.status, a.header)
		}
		for _, name := range []string{"issuer", "jwks_uri", "authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint"} {
			if !strings.HasPrefix(a.text(name), c.url()) {
				t.Errorf("%s is %q, want an absolute URL here", name, a.text(name))
			}
		}
		if got := fmt.Sprint(a.json()["code_challenge_methods_supported"]); got != "[S256]" {
			t.Errorf("code challenges: %s", got)
		}
		if b := c.get("/.well-known/openid-configuration", ""); b.text("issuer") != c.url() {
			t.Errorf("openid-configuration: %s", b.body)
		}
	})
	t.Run("CORS of metadata, token and data", func(t *testing.T) {
		for _, path := range []string{"/fhir/metadata", "/auth/token", "/fhir/Patient/1"} {
			r, _ := http.NewRequest("OPTIONS", c.url()+path, nil)
			r.Header.Set("Origin", "https://app.example")
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "authorization")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
				t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
			}
		}
		if a := c.get("/fhir/metadata", ""); a.header.Get("Access-Control-Allow-Origin") != "*" || !bytes.Contains(a.body, []byte("SMART-on-FHIR")) {
			t.Errorf("metadata: %v, says nothing of SMART", a.header)
		}
	})
	t.Run("backend services", func(t *testing.T) { testServices(t, c) })
	t.Run("launches", func(t *testing.T) { testLaunches(t, c) })
}

func testServices(t *testing.T, c clinic) {
	chart, _ := c.patient(21)
	hosted := newSystem(t, "lab", jose.RS384)
	fetches := 0
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetches++
		io.WriteString(w, hosted.jwks(t))
	}))
	defer keys.Close()
	inline, other := newSystem(t, "registry", jose.ES384), newSystem(t, "registry", jose.ES384)
	c.register(`{"client_id":"lab","client_name":"Laboratory","scope":"system/*.cruds","jwks_uri":"` + keys.URL + `","purposes_of_use":["TREAT"]}`)
	c.register(`{"client_id":"registry","client_name":"Cancer registry","scope":"system/Patient.rs system/Observation.rs","jwks":` + inline.jwks(t) + `,"purposes_of_use":["TREAT","HRESCH"]}`)

	t.Run("get a token by RS384 and a JWKS URL, or by ES384 and inline keys", func(t *testing.T) {
		for _, s := range []system{hosted, inline, hosted} {
			a := c.post("/auth/token", service("system/Patient.read openid nonsense", s.assert(t, c, nil, nil)), "")
			if a.status != http.StatusOK || a.text("token_type") != "bearer" || a.text("scope") != "system/Patient.rs" || a.json()["refresh_token"] != nil {
				t.Fatalf("%s: got %d %s", s.id, a.status, a.body)
			}
			if n, _ := a.json()["expires_in"].(float64); n <= 0 || n > 300 {
				t.Errorf("it lives for %v s", n)
			}
			if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("headers %v", a.header)
			}
			if b := c.get("/fhir/Patient/"+chart, a.text("access_token")); b.status != http.StatusOK {
				t.Errorf("with its token: %d %s", b.status, b.body)
			}
			if b := c.get("/fhir/Condition?patient="+chart, a.text("access_token")); b.status != http.StatusForbidden {
				t.Errorf("beyond its scope: %d", b.status)
			}
		}
		if fetches != 1 {
			t.Errorf("the keys were fetched %d times, want once", fetches)
		}
	})

	t.Run("stand in the patient's log as programs, with their purpose", func(t *testing.T) {
		patient, err := c.node().Member.Custody(chart)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.node().Member.Flushed(context.Background()); err != nil {
			t.Fatal(err)
		}
		log, err := patient.Activity(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(log.Rows, func(a exchange.Activity) bool {
			return a.Detail != nil && a.Detail.Name == "Laboratory" && a.Detail.Machine && a.Purpose == "TREAT"
		}) {
			t.Errorf("no row names the laboratory's program: %+v", log.Rows)
		}
	})

	t.Run("say their purpose in either form, one that they are registered for", func(t *testing.T) {
		b2b := func(p ...string) map[string]any {
			return map[string]any{"extensions": map[string]any{"hl7-b2b": map[string]any{"version": "1", "purpose_of_use": p}}}
		}
		iua := map[string]any{"extensions": map[string]any{"ihe_iua": map[string]any{"purpose_of_use": []any{map[string]any{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"}}}}}
		for _, x := range []struct {
			claims map[string]any
			want   string // "": refused
		}{
			{nil, "TREAT"}, {iua, "HRESCH"}, {b2b("HRESCH"), "HRESCH"}, {b2b("urn:oid:2.16.840.1.113883.5.8#HRESCH"), "HRESCH"},
			{b2b("HPAYMT"), ""}, {b2b("TREAT", "HRESCH"), ""}, {b2b("urn:oid:1.2.3#HRESCH"), ""},
		} {
			a := c.post("/auth/token", service("system/Patient.rs", inline.assert(t, c, x.claims, nil)), "")
			if x.want == "" {
				if a.status != http.StatusBadRequest || a.text("error") != "invalid_grant" {
					t.Errorf("%v: got %d %s", x.claims, a.status, a.body)
				}
				continue
			}
			who, err := gateway.ReadToken(c.node().Ring.Tokens().Public(), c.node().Member.Name(), c.url()+"/fhir", a.text("access_token"), time.Now())
			if err != nil || who.Purpose != x.want || who.Client != "registry" || !who.Machine {
				t.Errorf("%v: got %+v, %v, want purpose %s", x.claims, who, err, x.want)
			}
		}
	})

	t.Run("are refused with any other assertion", func(t *testing.T) {
		in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
		used := inline.assert(t, c, nil, nil)
		if a := c.post("/auth/token", service("system/Patient.rs", used), ""); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		hmac := system{id: "registry", kid: inline.kid, alg: jose.HS256, key: []byte(inline.jwks(t))}
		small := system{id: "registry", kid: inline.kid, alg: jose.ES256}
		small.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoicmVnaXN0cnktMSJ9." + strings.Split(inline.assert(t, c, nil, nil), ".")[1] + "."
		stranger := newSystem(t, "nobody", jose.ES384)
		otherKid := other
		otherKid.kid = "unknown"
		for name, assertion := range map[string]string{
			"used before":       used,
			"another's key":     other.assert(t, c, nil, nil),
			"an unknown kid":    otherKid.assert(t, c, nil, nil),
			"HS256":             hmac.assert(t, c, nil, nil),
			"ES256":             small.assert(t, c, nil, nil),
			"none":              none,
			"no client":         stranger.assert(t, c, nil, nil),
			"iss isn't sub":     inline.assert(t, c, map[string]any{"sub": "lab"}, nil),
			"iss is another":    inline.assert(t, c, map[string]any{"iss": "lab", "sub": "lab"}, nil),
			"another audience":  inline.assert(t, c, map[string]any{"aud": "https://other.example/token"}, nil),
			"two audiences":     inline.assert(t, c, map[string]any{"aud": []string{c.url() + "/auth/token", "https://other.example"}}, nil),
			"the FHIR audience": inline.assert(t, c, map[string]any{"aud": c.url() + "/fhir"}, nil),
			"expired":           inline.assert(t, c, map[string]any{"exp": in(-time.Minute)}, nil),
			"too long a life":   inline.assert(t, c, map[string]any{"exp": in(6 * time.Minute)}, nil),
			"no exp":            inline.assert(t, c, map[string]any{"exp": nil}, nil),
			"from the future":   inline.assert(t, c, map[string]any{"iat": in(time.Minute)}, nil),
			"not yet":           inline.assert(t, c, map[string]any{"nbf": in(time.Minute)}, nil),
			"no jti":            inline.assert(t, c, map[string]any{"jti": nil}, nil),
			"an empty jti":      inline.assert(t, c, map[string]any{"jti": ""}, nil),
			"another type":      inline.assert(t, c, nil, map[string]any{"typ": "at+jwt"}),
			"a jku":             inline.assert(t, c, nil, map[string]any{"jku": keys.URL}),
			"another jku":       hosted.assert(t, c, nil, map[string]any{"jku": keys.URL + "/evil"}),
			"no JWT":            "x.y.z",
		} {
			a := c.post("/auth/token", service("system/Patient.rs", assertion), "")
			if a.status != http.StatusUnauthorized || a.text("error") != "invalid_client" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: got %d %s", name, a.status, a.body)
			}
		}
	})

	t.Run("and with any other request", func(t *testing.T) {
		good := func() url.Values { return service("system/Patient.rs", inline.assert(t, c, nil, nil)) }
		for name, x := range map[string]struct {
			change func(url.Values)
			code   string
		}{
			"another grant type":     {func(f url.Values) { f.Set("grant_type", "password") }, "unsupported_grant_type"},
			"another assertion type": {func(f url.Values) { f.Set("client_assertion_type", "x") }, "invalid_request"},
			"no such scope":          {func(f url.Values) { f.Set("scope", "system/Condition.rs") }, "invalid_scope"},
			"a user's scope":         {func(f url.Values) { f.Set("scope", "user/Patient.rs") }, "invalid_scope"},
			"two grant types":        {func(f url.Values) { f.Add("grant_type", "client_credentials") }, "invalid_request"},
			"another client":         {func(f url.Values) { f.Set("client_id", "lab") }, "invalid_client"},
		} {
			f := good()
			x.change(f)
			if a := c.post("/auth/token", f, ""); a.text("error") != x.code {
				t.Errorf("%s: got %d %s, want %s", name, a.status, a.body, x.code)
			}
		}
		if a := c.ask("POST", "/auth/token", "application/json", "{}", ""); a.text("error") != "invalid_request" {
			t.Errorf("JSON: got %d %s", a.status, a.body)
		}
	})

	t.Run("and an assertion is used for good, over a restart", func(t *testing.T) {
		used := inline.assert(t, c, nil, nil)
		if a := c.post("/auth/token", service("system/Patient.rs", used), ""); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		c.restart()
		if a := c.post("/auth/token", service("system/Patient.rs", used), ""); a.status != http.StatusUnauthorized {
			t.Errorf("after a restart it is taken again: %d %s", a.status, a.body)
		}
		if a := c.post("/auth/token", service("system/Patient.rs", inline.assert(t, c, nil, nil)), ""); a.status != http.StatusOK {
			t.Errorf("after a restart the client is unknown: %d %s", a.status, a.body)
		}
	})

	t.Run("until they are removed, or fail too often", func(t *testing.T) {
		token := c.post("/auth/token", service("system/Patient.rs", inline.assert(t, c, nil, nil)), "").text("access_token")
		if a := c.get("/fhir/Patient/"+chart, token); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if err := c.node().Smart.Remove("registry"); err != nil {
			t.Fatal(err)
		}
		if a := c.post("/auth/token", service("system/Patient.rs", inline.assert(t, c, nil, nil)), ""); a.text("error") != "invalid_client" {
			t.Errorf("got %d %s", a.status, a.body)
		}
		if a := c.get("/fhir/Patient/"+chart, token); a.status != http.StatusUnauthorized {
			t.Errorf("with the token of one that was removed: %d %s", a.status, a.body)
		}
		for i := 0; ; i++ {
			a := c.post("/auth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"guess"}, "refresh_token": {"a.b"}}, "")
			if a.status == http.StatusTooManyRequests {
				break
			}
			if i > 100 {
				t.Fatal("a hundred guesses, and no end")
			}
		}
	})
}

const appURI = "https://app.example/back?keep=1"

// app is a public client with a person's browser.
type app struct {
	clinic
	client, verifier string
	browser          *http.Client
}

func (c clinic) app(client string) app {
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.Fatal(err)
	}
	return app{c, client, rand.Text() + rand.Text(), &http.Client{Jar: jar, CheckRedirect: plain.CheckRedirect}}
}

func (a app) wish(scope string) url.Values {
	sum := sha256.Sum256([]byte(a.verifier))
	return url.Values{"response_type": {"code"}, "client_id": {a.client}, "redirect_uri": {appURI}, "scope": {scope}, "state": {"s-1"}, "aud": {a.url() + "/fhir"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "nonce": {"n-1"}}
}

// follow goes where redirects lead, until there is a page, or until they lead to the app.
func (a app) follow(x answer) (page answer, back url.Values) {
	a.Helper()
	for range 10 {
		to := x.header.Get("Location")
		switch {
		case x.status != http.StatusSeeOther:
			return x, nil
		case strings.HasPrefix(to, "https://"):
			u, err := url.Parse(to)
			if err != nil || !strings.HasPrefix(to, "https://app.example/back?") {
				a.Fatalf("sent to %s", to)
			}
			return x, u.Query()
		}
		x = a.with(a.browser, "GET", to, "", "", "")
	}
	a.Fatal("redirects without end")
	return x, nil
}

var (
	hidden = regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`)
	action = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
)

// submit fills in a page's first form.
func (a app) submit(page answer, at string, values ...string) (answer, url.Values) {
	a.Helper()
	f := url.Values{}
	for _, m := range hidden.FindAllSubmatch(page.body, -1) {
		if name := string(m[1]); name != "answer" && name != "person" && name != "patient" {
			f.Set(name, strings.NewReplacer("&#43;", "+", "&amp;", "&").Replace(string(m[2])))
		}
	}
	for i := 0; i < len(values); i += 2 {
		f.Set(values[i], values[i+1])
	}
	if m := action.FindSubmatch(page.body); m != nil {
		at = string(m[1])
	}
	return a.follow(a.with(a.browser, "POST", at, formType, f.Encode(), ""))
}

// signIn begins a flow and signs a person in.
func (a app) signIn(wish url.Values, person string) answer {
	a.Helper()
	page, back := a.follow(a.with(a.browser, "GET", "/auth/authorize?"+wish.Encode(), "", "", ""))
	if back != nil || !bytes.Contains(page.body, []byte("Who signs in?")) {
		a.Fatalf("no sign-in: %d %s, back with %v", page.status, page.body, back)
	}
	page, _ = a.submit(page, "/demo-staff/authorize", "person", person)
	return page
}

// code goes the whole way to a code.
func (a app) code(wish url.Values, patient string) string {
	a.Helper()
	page := a.signIn(wish, "okafor")
	if patient != "" {
		page, _ = a.submit(page, "", "patient", patient)
	}
	page, back := a.submit(page, "", "answer", "allow")
	if back.Get("code") == "" || back.Get("state") != "s-1" || back.Get("keep") != "1" {
		a.Fatalf("no code: %d %s, back with %v", page.status, page.body, back)
	}
	return back.Get("code")
}

func (a app) redeem(code string, changes ...string) answer {
	f := url.Values{"grant_type": {"authorization_code"}, "client_id": {a.client}, "code": {code}, "redirect_uri": {appURI}, "code_verifier": {a.verifier}}
	for i := 0; i < len(changes); i += 2 {
		f.Set(changes[i], changes[i+1])
	}
	return a.post("/auth/token", f, "")
}

func (a app) refresh(token, scope string) answer {
	f := url.Values{"grant_type": {"refresh_token"}, "client_id": {a.client}, "refresh_token": {token}}
	if scope != "" {
		f.Set("scope", scope)
	}
	return a.post("/auth/token", f, "")
}

func testLaunches(t *testing.T, c clinic) {
	hers, number := c.patient(31)
	his, _ := c.patient(32)
	for _, id := range []string{"chart", "other"} {
		c.register(`{"client_id":"` + id + `","client_name":"Growth chart <b>","scope":"patient/*.rs user/Practitioner.rs","redirect_uris":["` + appURI + `"],"purposes_of_use":["TREAT"]}`)
	}
	operator, err := gateway.IssueToken(c.node().Ring.Tokens(), c.node().Member.Name(), c.url()+"/fhir",
		exchange.Asker{Practitioner: "ehr", Role: "record system", Purpose: "TREAT"}, 5*time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	const scopes = "launch/patient openid fhirUser offline_access patient/*.read"

	t.Run("standalone: sign in, choose, approve, read, refresh", func(t *testing.T) {
		a := c.app("chart")
		page := a.signIn(a.wish(scopes), "okafor")
		if !bytes.Contains(page.body, []byte("Which patient")) || bytes.Contains(page.body, []byte("<b>")) {
			t.Fatalf("got %s", page.body)
		}
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
			if !strings.Contains(page.header.Get(name), want) {
				t.Errorf("%s: %q", name, page.header.Get(name))
			}
		}
		wrong, _ := a.submit(page, "", "patient", synthetic.MRNSystem+"|none")
		if wrong.status != http.StatusUnprocessableEntity {
			t.Errorf("an unknown patient: %d", wrong.status)
		}
		page, _ = a.submit(page, "", "patient", number)
		if !bytes.Contains(page.body, []byte("Dr. Ada Okafor")) || !bytes.Contains(page.body, []byte("read, search: all records of this patient")) {
			t.Fatalf("got %s", page.body)
		}
		_, back := a.submit(page, "", "answer", "allow")
		if back.Get("iss") != c.url() {
			t.Errorf("iss: %v", back)
		}
		first := a.redeem(back.Get("code"))
		if first.status != http.StatusOK || first.text("patient") != hers || first.json()["need_patient_banner"] != true || first.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %d %s", first.status, first.body)
		}
		id, err := jose.ParseSignedCompact(first.text("id_token"), []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(c.get("/auth/jwks", "").body, &set); err != nil {
			t.Fatal(err)
		}
		payload, err := id.Verify(set.Key(id.Signatures[0].Header.KeyID)[0])
		var claims map[string]any
		if err != nil || json.Unmarshal(payload, &claims) != nil || claims["iss"] != c.url() || claims["aud"] != "chart" || claims["sub"] != "okafor" || claims["nonce"] != "n-1" {
			t.Errorf("id_token: %s, %v", payload, err)
		}
		token := first.text("access_token")
		if x := c.get("/fhir/Patient/"+hers, token); x.status != http.StatusOK {
			t.Errorf("her chart: %d %s", x.status, x.body)
		}
		if x := c.get("/fhir/Patient/"+his, token); x.status != http.StatusNotFound {
			t.Errorf("his chart: %d", x.status)
		}
		if x := c.ask("POST", "/fhir/Observation", "application/fhir+json", "{}", token); x.status != http.StatusForbidden {
			t.Errorf("a write: %d", x.status)
		}
		if x := c.get("/control/v1/status", token); x.status != http.StatusUnauthorized {
			t.Errorf("the operator's door: %d", x.status)
		}
		seen := c.post("/auth/introspect", url.Values{"token": {token}}, operator)
		if seen.json()["active"] != true || seen.text("client_id") != "chart" || seen.text("patient") != hers || !strings.Contains(seen.text("scope"), "patient/*.rs") {
			t.Errorf("introspection: %s", seen.body)
		}
		if x := c.post("/auth/introspect", url.Values{"token": {token}}, token); x.status != http.StatusUnauthorized {
			t.Errorf("introspection by an app: %d %s", x.status, x.body)
		}
		if x := c.post("/auth/introspect", url.Values{"token": {"nonsense"}}, operator); x.json()["active"] != false {
			t.Errorf("introspection of nonsense: %s", x.body)
		}

		c.restart()
		less := a.refresh(first.text("refresh_token"), "patient/Observation.rs")
		if less.status != http.StatusOK || less.text("scope") != "patient/Observation.rs" || less.text("patient") != hers {
			t.Fatalf("a refresh with less, after a restart: %d %s", less.status, less.body)
		}
		if x := c.get("/fhir/Patient/"+hers, less.text("access_token")); x.status != http.StatusForbidden {
			t.Errorf("with less: %d", x.status)
		}
		if x := a.refresh(less.text("refresh_token"), "patient/*.cruds"); x.text("error") != "invalid_scope" {
			t.Errorf("a refresh with more: %d %s", x.status, x.body)
		}
		full := a.refresh(less.text("refresh_token"), "")
		if !strings.Contains(full.text("scope"), "patient/*.rs") {
			t.Fatalf("a refresh: %d %s", full.status, full.body)
		}
		if x := c.app("other").refresh(full.text("refresh_token"), ""); x.text("error") != "invalid_grant" {
			t.Errorf("a refresh by another client: %d %s", x.status, x.body)
		}
		if x := a.refresh(first.text("refresh_token"), ""); x.text("error") != "invalid_grant" {
			t.Errorf("a used refresh token: %d %s", x.status, x.body)
		}
		if x := a.refresh(full.text("refresh_token"), ""); x.text("error") != "invalid_grant" {
			t.Errorf("a used refresh token came back, and the newest of its line is still good: %d %s", x.status, x.body)
		}
	})

	t.Run("the patient sees who looked", func(t *testing.T) {
		patient, err := c.node().Member.Custody(hers)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.node().Member.Flushed(context.Background()); err != nil {
			t.Fatal(err)
		}
		log, err := patient.Activity(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(log.Rows, func(a exchange.Activity) bool {
			return a.Detail != nil && a.Detail.Name == "Dr. Ada Okafor" && a.Detail.Role == "physician" && !a.Detail.Machine
		}) {
			t.Errorf("no row names her: %+v", log.Rows)
		}
	})

	t.Run("from the record system: the patient comes with it, once", func(t *testing.T) {
		name := c.post("/auth/launch", url.Values{"patient": {hers}, "encounter": {"e-1"}}, operator).text("launch")
		a := c.app("chart")
		wish := a.wish("launch openid patient/*.rs")
		wish.Set("launch", name)
		got := a.redeem(a.code(wish, ""))
		if got.text("patient") != hers || got.text("encounter") != "e-1" || got.json()["refresh_token"] != nil {
			t.Errorf("got %d %s", got.status, got.body)
		}
		if _, back := a.follow(a.with(a.browser, "GET", "/auth/authorize?"+wish.Encode(), "", "", "")); back.Get("error") != "invalid_request" {
			t.Errorf("the launch again: %v", back)
		}
		if x := c.post("/auth/launch", url.Values{"patient": {hers}}, got.text("access_token")); x.status != http.StatusUnauthorized {
			t.Errorf("a launch by an app: %d", x.status)
		}
		if x := c.post("/auth/launch", url.Values{"patient": {"nobody"}}, operator); x.status != http.StatusBadRequest {
			t.Errorf("a launch of nobody: %d", x.status)
		}
	})

	t.Run("a code is good once, for its client, its redirect and its verifier", func(t *testing.T) {
		a := c.app("chart")
		for name, changes := range map[string][]string{
			"another client": {"client_id", "other"}, "another redirect": {"redirect_uri", "https://app.example/back"}, "no verifier": {"code_verifier", ""},
			"another verifier": {"code_verifier", strings.Repeat("a", 50)},
		} {
			if x := a.redeem(a.code(a.wish(scopes), number), changes...); x.text("error") != "invalid_grant" {
				t.Errorf("%s: got %d %s", name, x.status, x.body)
			}
		}
		code := a.code(a.wish(scopes), number)
		first := a.redeem(code)
		if again := a.redeem(code); first.status != http.StatusOK || again.text("error") != "invalid_grant" {
			t.Errorf("once: %d, again: %d %s", first.status, again.status, again.body)
		}
		if x := a.refresh(first.text("refresh_token"), ""); x.text("error") != "invalid_grant" {
			t.Errorf("the code came twice, and its refresh token is still good: %d", x.status)
		}
		if x := c.get("/fhir/Patient/"+hers, first.text("access_token")); x.status != http.StatusUnauthorized {
			t.Errorf("the code came twice, and its access token is still good: %d", x.status)
		}
	})

	t.Run("a revoked access token is refused at once, and no other of its line", func(t *testing.T) { testRevoked(t, c, operator, hers, number) })

	t.Run("an app with a secret proves itself by it, in one way", func(t *testing.T) { testSecrets(t, c, number) })

	t.Run("a refresh token has one spelling", func(t *testing.T) {
		a := c.app("chart")
		token := a.redeem(a.code(a.wish(scopes), number)).text("refresh_token")
		for _, x := range []string{token + "=", token + "\n", token + ".", strings.Replace(token, ".", "=.", 1), strings.Replace(token, ".", "", 1), strings.ReplaceAll(token, ".", ".."), token[:43] + ".x"} {
			if got := a.refresh(x, ""); got.text("error") != "invalid_grant" {
				t.Errorf("%q: %d %s", x, got.status, got.body)
			}
			if got := c.post("/auth/introspect", url.Values{"token": {x}}, operator); got.json()["active"] != false {
				t.Errorf("introspection of %q: %s", x, got.body)
			}
			c.post("/auth/revoke", url.Values{"client_id": {"chart"}, "token": {x}}, "")
		}
		if x := a.refresh(token, ""); x.status != http.StatusOK {
			t.Errorf("what is no token ended a line: %d %s", x.status, x.body)
		}
	})

	t.Run("a revoked refresh token is good no more", func(t *testing.T) {
		a := c.app("chart")
		token := a.redeem(a.code(a.wish(scopes), number)).text("refresh_token")
		if x := c.post("/auth/revoke", url.Values{"client_id": {"other"}, "token": {token}}, ""); x.status != http.StatusOK {
			t.Errorf("by another client: %d", x.status)
		}
		next := a.refresh(token, "")
		if next.status != http.StatusOK {
			t.Fatalf("another client revoked it: %d", next.status)
		}
		c.post("/auth/revoke", url.Values{"client_id": {"chart"}, "token": {next.text("refresh_token")}}, "")
		if x := a.refresh(next.text("refresh_token"), ""); x.text("error") != "invalid_grant" {
			t.Errorf("got %d", x.status)
		}
	})

	t.Run("nobody is sent where no client of that name is", func(t *testing.T) {
		a := c.app("chart")
		for name, value := range map[string]string{"redirect_uri": "https://evil.example/", "client_id": "nobody"} {
			wish := a.wish(scopes)
			wish.Set(name, value)
			if x := a.with(a.browser, "GET", "/auth/authorize?"+wish.Encode(), "", "", ""); x.status != http.StatusBadRequest || x.header.Get("Location") != "" {
				t.Errorf("%s: got %d, sent to %q", name, x.status, x.header.Get("Location"))
			}
		}
		for _, near := range []string{appURI + "/", "https://app.example/back", "https://app.example.evil/back?keep=1", strings.ToUpper(appURI), ""} {
			wish := a.wish(scopes)
			wish.Set("redirect_uri", near)
			if x := a.with(a.browser, "GET", "/auth/authorize?"+wish.Encode(), "", "", ""); x.header.Get("Location") != "" {
				t.Errorf("sent to %q", x.header.Get("Location"))
			}
		}
	})

	t.Run("a wish that lacks something goes back to the app", func(t *testing.T) {
		a := c.app("chart")
		for _, x := range []struct{ name, value, code string }{
			{"code_challenge", "", "invalid_request"}, {"code_challenge_method", "plain", "invalid_request"}, {"code_challenge_method", "", "invalid_request"},
			{"aud", "https://other.example/fhir", "invalid_request"}, {"aud", "", "invalid_request"}, {"response_type", "token", "unsupported_response_type"},
			{"scope", "openid", "invalid_scope"}, {"scope", "system/*.rs", "invalid_scope"}, {"scope", "patient/*.c", "invalid_scope"}, {"launch", "guessed", "invalid_request"},
			{"state", "", "invalid_request"},
		} {
			wish := a.wish(scopes)
			wish.Set(x.name, x.value)
			for _, method := range []string{"GET", "POST"} {
				path, body, kind := "/auth/authorize?"+wish.Encode(), "", ""
				if method == "POST" {
					path, body, kind = "/auth/authorize", wish.Encode(), formType
				}
				if _, back := a.follow(a.with(a.browser, method, path, kind, body, "")); back.Get("error") != x.code {
					t.Errorf("%s %s=%q: back with %v", method, x.name, x.value, back)
				}
			}
		}
	})

	t.Run("a form counts from its own page and browser only", func(t *testing.T) {
		a, thief := c.app("chart"), c.app("chart")
		page := a.signIn(a.wish(scopes), "okafor")
		if x, _ := a.submit(page, "", "patient", number, "csrf", "guessed"); x.status != http.StatusBadRequest {
			t.Errorf("with another secret: %d", x.status)
		}
		if x, _ := thief.submit(page, "", "patient", number); x.status != http.StatusBadRequest {
			t.Errorf("from another browser: %d", x.status)
		}
		if _, back := a.submit(page, "", "patient", number); back != nil {
			t.Errorf("back with %v", back)
		}
	})

	t.Run("by fhirclient, unmodified", func(t *testing.T) { launchFHIRClient(t, c, hers, number) })
	t.Run("in a browser, by keyboard, on a small screen", func(t *testing.T) { browse(t, c, operator, hers, number) })

	t.Run("who has no role here, and who says no, gives nothing", func(t *testing.T) {
		a := c.app("chart")
		if page := a.signIn(a.wish(scopes), "moreau"); page.status != http.StatusForbidden || !bytes.Contains(page.body, []byte("no role")) {
			t.Errorf("a clerk: %d %s", page.status, page.body)
		}
		page := a.signIn(a.wish(scopes), "okafor")
		page, _ = a.submit(page, "", "patient", number)
		if _, back := a.submit(page, "", "answer", "deny"); back.Get("error") != "access_denied" || back.Get("code") != "" {
			t.Errorf("back with %v", back)
		}
	})
}
