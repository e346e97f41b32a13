package smart_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/smart"
)

// sign signs header and claims as they are, with ES384.
func (s system) sign(t testing.TB, header, claims string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha512.Sum384([]byte(text))
	x, y, err := ecdsa.Sign(rand.Reader, s.key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var sig [96]byte
	x.FillBytes(sig[:48])
	y.FillBytes(sig[48:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig[:])
}

// FuzzAssertion has a registered client sign whatever comes: what is taken says one thing to every reader.
func FuzzAssertion(f *testing.F) {
	const at = "https://fhir.st-elena.example"
	noon := time.Unix(1_700_000_000, 0)
	client := newSystem(f, "registry", jose.ES384)
	ring, err := keyring.Create(filepath.Join(f.TempDir(), "ring"), []byte("correct horse battery staple"))
	if err != nil {
		f.Fatal(err)
	}
	db, err := kv.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	s, err := smart.Open(smart.Config{Ring: ring, DB: db, URL: at, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon }})
	if err != nil {
		f.Fatal(err)
	}
	c, err := smart.ParseClient([]byte(`{"client_id":"registry","client_name":"Registry","scope":"system/Patient.rs","jwks":` + client.jwks(f) + `,"purposes_of_use":["TREAT"]}`))
	if err == nil {
		err = s.Add(c)
	}
	if err != nil {
		f.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Handle(mux)
	n := 0
	// taken tells whether an assertion proves who its sender is: then it is the scope that is refused.
	taken := func(t testing.TB, assertion string) bool {
		t.Helper()
		r := httptest.NewRequest("POST", "/auth/token", strings.NewReader(service("system/Condition.rs", assertion).Encode()))
		r.Header.Set("Content-Type", formType)
		n++
		r.RemoteAddr = fmt.Sprintf("host-%d:1", n) // who fails often is told to wait
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		a := answer{w.Code, w.Header(), w.Body.Bytes()}
		if code := a.text("error"); code != "invalid_client" && code != "invalid_scope" && code != "invalid_request" {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		return a.text("error") == "invalid_scope"
	}

	header := `{"alg":"ES384","typ":"JWT","kid":"registry-1"}`
	claims := `{"iss":"registry","sub":"registry","aud":"` + at + `/auth/token","exp":1700000200,"jti":"%s"}`
	if !taken(f, client.sign(f, header, fmt.Sprintf(claims, "first"))) {
		f.Fatal("a good assertion is refused")
	}
	for _, end := range []string{"", "=", "\n", ".", " "} {
		f.Add(header, fmt.Sprintf(claims, "1"), end)
	}
	f.Add(header, strings.Replace(claims, "}", `,"ISS":"lab"}`, 1), "")
	f.Add(header, strings.Replace(claims, "}", `,"extensions":{"hl7-b2b":{"purpose_of_use":["TREAT"]}}}`, 1), "")
	f.Add(strings.Replace(header, "}", `,"Kid":"x"}`, 1), fmt.Sprintf(claims, "2"), "")
	f.Add(header, strings.Replace(claims, `"jti"`, `"exp":1,"jti"`, 1), "")
	f.Fuzz(func(t *testing.T, header, claims, end string) {
		text := client.sign(t, header, claims) + end
		if !taken(t, text) {
			return
		}
		if taken(t, text) {
			t.Errorf("%q, %q is taken twice", header, claims)
		}
		if end != "" {
			t.Errorf("with %q after its end it is taken", end)
		}
		// The first reader takes names in any case and the last of two, the second takes them as they are.
		var loose struct{ Iss, Sub, Jti, Kid, Alg, Typ string }
		for _, raw := range []string{header, claims} {
			exact := map[string]any{}
			if err := json.Unmarshal([]byte(raw), &exact); err != nil {
				t.Fatalf("%q is taken: %v", raw, err)
			}
			if err := json.Unmarshal([]byte(raw), &loose); err != nil {
				t.Fatalf("%q is taken: %v", raw, err)
			}
			for name, got := range map[string]string{"iss": loose.Iss, "sub": loose.Sub, "jti": loose.Jti, "kid": loose.Kid, "alg": loose.Alg, "typ": loose.Typ} {
				if want, ok := exact[name]; ok && want != got {
					t.Errorf("%q is taken, in which %s is %q or %q", raw, name, want, got)
				}
			}
		}
		if loose.Iss != "registry" || loose.Sub != "registry" || loose.Kid != "registry-1" || loose.Alg != "ES384" {
			t.Errorf("%q, %q is taken for the client", header, claims)
		}
	})
}
