package smart_test

import (
	"net/http"
	"net/url"
	"testing"
)

func testRevoked(t *testing.T, c clinic, operator, chart, number string) {
	a := c.app("chart")
	first := a.redeem(a.code(a.wish("launch/patient offline_access patient/*.rs"), number))
	good := func(token string) bool {
		t.Helper()
		active := c.post("/auth/introspect", url.Values{"token": {token}}, operator).json()["active"]
		x := c.get("/fhir/Patient/"+chart, token)
		if x.status != http.StatusOK && x.status != http.StatusUnauthorized || active != (x.status == http.StatusOK) {
			t.Fatalf("it is answered with %d, introspection says active: %v", x.status, active)
		}
		return active == true
	}
	revoke := func(client, token string) {
		t.Helper()
		if x := c.post("/auth/revoke", url.Values{"client_id": {client}, "token": {token}}, ""); x.status != http.StatusOK {
			t.Fatalf("revoking: %d %s", x.status, x.body)
		}
	}
	token := first.text("access_token")
	revoke("other", token)
	if !good(token) {
		t.Fatal("another client revoked it")
	}
	revoke("chart", token)
	revoke("chart", token)
	if good(token) {
		t.Error("it is revoked, and good")
	}
	c.restart()
	if good(token) {
		t.Error("it is revoked, and good after a restart")
	}

	second := a.refresh(first.text("refresh_token"), "")
	if second.status != http.StatusOK || !good(second.text("access_token")) {
		t.Fatalf("a refresh after it: %d %s", second.status, second.body)
	}
	third := a.refresh(second.text("refresh_token"), "")
	revoke("chart", third.text("refresh_token"))
	for _, x := range []answer{second, third} {
		if good(x.text("access_token")) {
			t.Error("its line was revoked, and it is good")
		}
	}
	if good(third.text("refresh_token")) {
		t.Error("a refresh token opens a chart")
	}
	if !good(a.redeem(a.code(a.wish("launch/patient patient/*.rs"), number)).text("access_token")) {
		t.Error("another line's token was revoked")
	}
}
