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
	"net/url"
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

// alone is a server that has no member behind it, and one client. ask says what is wrong with a request at the token endpoint.
func alone(f testing.TB, registration string) (told *smart.Registered, ask func(t testing.TB, form url.Values, authorization string) string) {
	ring, err := keyring.Create(filepath.Join(f.TempDir(), "ring"), []byte("correct horse battery staple"))
	if err != nil {
		f.Fatal(err)
	}
	db, err := kv.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	s, err := smart.Open(smart.Config{Ring: ring, DB: db, URL: registryAt, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon }})
	if err != nil {
		f.Fatal(err)
	}
	c, err := smart.ParseClient([]byte(registration))
	if err == nil {
		told, err = s.Add(c)
	}
	if err != nil {
		f.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Handle(mux)
	n := 0
	return told, func(t testing.TB, form url.Values, authorization string) string {
		t.Helper()
		r := httptest.NewRequest("POST", "/auth/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Authorization", authorization)
		n++
		r.RemoteAddr = fmt.Sprintf("host-%d:1", n) // who fails often is told to wait
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		a := answer{w.Code, w.Header(), w.Body.Bytes()}
		if code := a.text("error"); code != "invalid_client" && code != "invalid_scope" && code != "invalid_request" && code != "invalid_grant" {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		return a.text("error")
	}
}

// registry is a registered client: taken tells whether an assertion proves who its sender is. Then it is the scope that is refused.
func registry(f testing.TB) (client system, taken func(t testing.TB, assertion string) bool) {
	client = newSystem(f, "registry", jose.ES384)
	_, ask := alone(f, `{"client_id":"registry","client_name":"Registry","scope":"system/Patient.rs","jwks":`+client.jwks(f)+`,"purposes_of_use":["TREAT"]}`)
	return client, func(t testing.TB, assertion string) bool {
		t.Helper()
		return ask(t, service("system/Condition.rs", assertion), "") == "invalid_scope"
	}
}

const (
	registryAt     = "https://fhir.st-elena.example"
	registryHeader = `{"alg":"ES384","typ":"JWT","kid":"registry-1"}`
	registryClaims = `{"iss":"registry","sub":"registry","aud":"` + registryAt + `/auth/token","exp":1700000200,"jti":"%s"}`
)

var noon = time.Unix(1_700_000_000, 0)

func TestAnAssertionThatTwoCouldReadDifferentlyIsRefused(t *testing.T) {
	client, taken := registry(t)
	const header = registryHeader
	claims := func() string { return fmt.Sprintf(registryClaims, rand.Text()) }
	more := func(what string) string { return strings.TrimSuffix(claims(), "}") + "," + what + "}" }
	if !taken(t, client.sign(t, header, claims())) || !taken(t, client.sign(t, header, more(`"x":1`))) {
		t.Fatal("a good one is refused")
	}
	good := client.sign(t, header, claims())
	for name, assertion := range map[string]string{
		"a claim twice":                 client.sign(t, header, more(`"sub":"registry"`)),
		"an audience in another case":   client.sign(t, header, more(`"AUD":"https://other.example/token"`)),
		"a jti in another case":         client.sign(t, header, more(`"Jti":"x"`)),
		"a purpose in another case":     client.sign(t, header, more(`"extensions":{"hl7-b2b":{"Purpose_Of_Use":["HRESCH"]}}`)),
		"an unknown claim twice":        client.sign(t, header, more(`"x":1,"x":2`)),
		"an exp in a string":            client.sign(t, header, strings.Replace(claims(), `"exp":`, `"exp":"1","nbf":`, 1)),
		"bytes that are no UTF-8":       client.sign(t, header, more("\"x\":\"\xff\"")),
		"half of a letter":              client.sign(t, header, more(`"x":"\ud800"`)),
		"more after its end":            client.sign(t, header, claims()+"{}"),
		"a kid in another case":         client.sign(t, `{"alg":"ES384","typ":"JWT","kid":"registry-1","Kid":"x"}`, claims()),
		"a kid twice":                   client.sign(t, `{"alg":"ES384","typ":"JWT","kid":"x","kid":"registry-1"}`, claims()),
		"what must be understood":       client.sign(t, `{"alg":"ES384","typ":"JWT","kid":"registry-1","crit":["x"],"x":1}`, claims()),
		"claims that are not in base64": client.sign(t, `{"alg":"ES384","typ":"JWT","kid":"registry-1","b64":true}`, claims()),
		"a line break":                  good[:9] + "\n" + good[9:],
		"padding":                       good + "=",
		"a fourth part":                 good + ".",
	} {
		if taken(t, assertion) {
			t.Errorf("%s: it is taken", name)
		}
	}
	if !taken(t, good) {
		t.Error("a good one was used by what was refused")
	}
}

// FuzzAssertion has a registered client sign whatever comes: what is taken says one thing to every reader.
func FuzzAssertion(f *testing.F) {
	client, taken := registry(f)
	header, claims := registryHeader, registryClaims
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
