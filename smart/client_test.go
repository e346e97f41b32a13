package smart_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"vitalog/smart"
)

const registration = `{"client_id":"chart","client_name":"Growth chart","redirect_uris":["https://app.example/back"],"scope":"launch patient/*.rs","purposes_of_use":["TREAT"]}`

func TestARegistrationThatPromisesTooMuchIsRefused(t *testing.T) {
	if _, err := smart.ParseClient([]byte(registration)); err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: newSystem(t, "x", jose.ES384).key, KeyID: "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"client_id":"chart"`, `"client_id":"a chart"`, "client_id"},
		{`"client_id":"chart"`, `"client_id":""`, "client_id"},
		{`"client_name":"Growth chart"`, `"client_name":""`, "client_name"},
		{`https://app.example/back`, `http://app.example/back`, "redirect_uris"},
		{`https://app.example/back`, `https://app.example/back#x`, "redirect_uris"},
		{`https://app.example/back`, `https://*.example/back`, "redirect_uris"},
		{`https://app.example/back`, `javascript:alert(1)`, "redirect_uris"},
		{`https://app.example/back`, `https://user@app.example/`, "redirect_uris"},
		{`"redirect_uris":["https://app.example/back"],`, ``, "redirect_uris"},
		{`patient/*.rs`, `patient/*.sr`, "scope"},
		{`patient/*.rs`, ``, "scope"},
		{`patient/*.rs`, `system/*.rs`, "scope"},
		{`["TREAT"]`, `[]`, "purposes_of_use"},
		{`["TREAT"]`, `["FUN"]`, "purposes_of_use"},
		{`"client_id"`, `"jwks_uri":"http://keys.example/","client_id"`, "jwks_uri"},
		{`"client_id"`, `"jwks_uri":"file:///etc/passwd","client_id"`, "jwks_uri"},
		{`"client_id"`, `"jwks":{"keys":[]},"client_id"`, "jwks"},
		{`"client_id"`, `"jwks":` + string(private) + `,"client_id"`, "private"},
		{`"client_id"`, `"client_secret":"x","client_id"`, "client_secret"},
		{`"client_id"`, `"token_endpoint_auth_method":"client_secret_post","client_id"`, "token_endpoint_auth_method"},
		{`"client_id"`, `"token_endpoint_auth_method":"client_secret_basic","jwks_uri":"https://keys.example/","client_id"`, "token_endpoint_auth_method"},
		{`"scope":"launch patient/*.rs"`, `"scope":"system/*.rs","token_endpoint_auth_method":"client_secret_basic"`, "scope"},
		{`"client_id"`, `"Client_ID":"x","client_id"`, "Client_ID"},
		{`"client_id"`, `"client_id":"x","client_id"`, "duplicate"},
		{`]}`, `]}{}`, "after top-level value"},
	} {
		if _, err := smart.ParseClient([]byte(strings.Replace(registration, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want words with %s", c.new, err, c.want)
		}
	}
}

func FuzzParseClient(f *testing.F) {
	f.Add([]byte(registration))
	f.Add([]byte(`{"client_id":"x","client_name":"x","scope":"system/*.rs","jwks_uri":"https://x.example","purposes_of_use":["TREAT"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := smart.ParseClient(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err == nil {
			_, err = smart.ParseClient(again)
		}
		if err != nil {
			t.Errorf("%s is taken, and not as %s: %v", raw, again, err)
		}
	})
}
