package smart_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"vitalog/smart"
)

// An app with a secret, whose name has to be encoded.
func testSecrets(t *testing.T, c clinic, number string) {
	const id = "portal:a+b%"
	registration := `{"client_id":"` + id + `","client_name":"Portal","scope":"launch/patient patient/*.rs","redirect_uris":["` + appURI + `"],"token_endpoint_auth_method":"client_secret_basic","purposes_of_use":["TREAT"]}`
	register := func() string {
		t.Helper()
		client, err := smart.ParseClient([]byte(registration))
		if err != nil {
			t.Fatal(err)
		}
		told, err := c.node().Smart.Add(client)
		if err != nil || len(told.Secret) != 43 {
			t.Fatalf("the secret is %d letters long, %v", len(told.Secret), err)
		}
		return told.Secret
	}
	header := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	basic := func(id, secret string) string { return header(url.QueryEscape(id) + ":" + url.QueryEscape(secret)) }
	ask := func(path string, f url.Values, headers ...string) answer {
		t.Helper()
		r, err := http.NewRequest("POST", c.url()+path, strings.NewReader(f.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", formType)
		r.Header["Authorization"] = headers
		w := httptest.NewRecorder()
		mux := http.NewServeMux()
		c.node().Smart.Handle(mux)
		r.RequestURI, r.RemoteAddr = path, "192.0.2.1:1" // not where the other tests fail
		mux.ServeHTTP(w, r)
		return answer{w.Code, w.Header(), w.Body.Bytes()}
	}
	old := register()
	secret := register()
	a := c.app(id)
	form := func(changes ...string) url.Values {
		f := url.Values{"grant_type": {"authorization_code"}, "code": {a.code(a.wish("launch/patient offline_access patient/*.rs"), number)}, "redirect_uri": {appURI}, "code_verifier": {a.verifier}}
		for i := 0; i < len(changes); i += 2 {
			f.Set(changes[i], changes[i+1])
		}
		return f
	}
	first := ask("/auth/token", form("client_id", id), basic(id, secret))
	if first.status != http.StatusOK {
		t.Fatalf("got %d %s", first.status, first.body)
	}
	again := ask("/auth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.text("refresh_token")}}, basic(id, secret))
	if again.status != http.StatusOK {
		t.Fatalf("a refresh: %d %s", again.status, again.body)
	}
	if x := ask("/auth/introspect", url.Values{"token": {again.text("access_token")}}, basic(id, secret)); x.json()["active"] != true {
		t.Errorf("introspection: %d %s", x.status, x.body)
	}

	f := form() // one code for all that are refused before it is looked at
	with := func(name, value string) url.Values {
		out := url.Values{name: {value}}
		for n, v := range f {
			if n != name {
				out[n] = v
			}
		}
		return out
	}
	for name, x := range map[string]struct {
		form    url.Values
		headers []string
		want    string
	}{
		"no secret":                 {with("client_id", id), nil, "invalid_client"},
		"a secret in the form":      {with("client_secret", secret), nil, "invalid_client"},
		"another secret":            {f, []string{basic(id, secret[1:]+"A")}, "invalid_client"},
		"the secret of before":      {f, []string{basic(id, old)}, "invalid_client"},
		"an empty one":              {f, []string{basic(id, "")}, "invalid_client"},
		"another client":            {with("client_id", "chart"), []string{basic(id, secret)}, "invalid_client"},
		"a public client":           {f, []string{basic("chart", "")}, "invalid_client"},
		"nobody":                    {f, []string{basic("nobody", secret)}, "invalid_client"},
		"two ways, by assertion":    {with("client_assertion", "x"), []string{basic(id, secret)}, "invalid_request"},
		"two ways, in the form":     {with("client_secret", secret), []string{basic(id, secret)}, "invalid_request"},
		"two headers":               {f, []string{basic(id, secret), basic(id, secret)}, "invalid_request"},
		"a bearer beside it":        {f, []string{"Bearer x", basic(id, secret)}, "invalid_request"},
		"not base64":                {f, []string{"Basic portal:x"}, "invalid_request"},
		"base64 without its end":    {f, []string{strings.TrimRight(header("abcd:xy"), "=")}, "invalid_request"},
		"no colon":                  {f, []string{header("portal")}, "invalid_request"},
		"a colon that is not coded": {f, []string{header(id + ":" + secret)}, "invalid_request"},
		"a code that is none":       {f, []string{header("portal%zz:" + secret)}, "invalid_request"},
	} {
		got := ask("/auth/token", x.form, x.headers...)
		if got.text("error") != x.want || x.want == "invalid_client" && (got.status != http.StatusUnauthorized || x.headers != nil && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ")) {
			t.Errorf("%s: got %d %s %v, want %s", name, got.status, got.body, got.header, x.want)
		}
	}
	if x := ask("/auth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}, basic(id, secret)); x.status == http.StatusOK {
		t.Errorf("as a program: %s", x.body)
	}
	if x := ask("/auth/token", f, basic(id, secret)); x.status != http.StatusOK {
		t.Errorf("after all that: %d %s", x.status, x.body)
	}
	if err := c.node().Smart.Remove(id); err != nil {
		t.Fatal(err)
	}
	if x := ask("/auth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {again.text("refresh_token")}}, basic(id, secret)); x.text("error") != "invalid_client" {
		t.Errorf("removed: %d %s", x.status, x.body)
	}
}

// FuzzSecret sends whatever comes in the Authorization header: what is taken has one spelling of base64, and says the client's name and secret to every
// reader. Where the client is known, it is the refresh token that is refused.
func FuzzSecret(f *testing.F) {
	told, ask := alone(f, `{"client_id":"a:b","client_name":"App","scope":"patient/*.rs","redirect_uris":["`+appURI+`"],"token_endpoint_auth_method":"client_secret_basic","purposes_of_use":["TREAT"]}`)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	for _, text := range []string{"a%3Ab:SECRET", "a%3ab:SECRET", "a:b:SECRET", "a%3Ab:SECRET:", "a%3Ab:", ":SECRET", "a%3Ab:SECRET+", "%"} {
		for _, end := range []string{"", "=", "\n", " "} {
			f.Add("Basic ", text, end)
		}
	}
	f.Add("basic  ", "a%3Ab:SECRET", "")
	f.Add("Bearer ", "a%3Ab:SECRET", "")
	if ask(f, form, "Basic "+base64.StdEncoding.EncodeToString([]byte("a%3Ab:"+told.Secret))) != "invalid_grant" {
		f.Fatal("the client is not known by its secret")
	}
	f.Fuzz(func(t *testing.T, scheme, text, end string) {
		text = strings.ReplaceAll(text, "SECRET", told.Secret)
		sent := scheme + base64.StdEncoding.EncodeToString([]byte(text)) + end
		if ask(t, form, sent) != "invalid_grant" {
			return
		}
		if !strings.EqualFold(scheme, "Basic ") || end != "" {
			t.Errorf("%q is taken", sent)
		}
		r := http.Request{Header: http.Header{"Authorization": {sent}}}
		name, secret, _ := r.BasicAuth()
		if n, err := url.QueryUnescape(name); err != nil || n != "a:b" {
			t.Errorf("%q is taken for the client", name)
		}
		if s, err := url.QueryUnescape(secret); err != nil || s != told.Secret {
			t.Errorf("%q is taken for its secret", secret)
		}
	})
}
