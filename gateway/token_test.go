package gateway_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/key"
)

const (
	member = "St. Elena"
	base   = "https://fhir.st-elena.example/fhir"
)

var (
	tokenKey = key.NewSigning([32]byte{1})
	okafor   = exchange.Asker{Practitioner: "p-17", Name: "A. Okafor", Role: "physician", Purpose: "TREAT", Reason: "control visit"}
	noon     = time.Unix(1_700_000_000, 0)
)

func issue(t testing.TB, ttl time.Duration) string {
	t.Helper()
	token, err := gateway.IssueToken(tokenKey, member, base, okafor, ttl, noon)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestATokenSaysWhoAsksAndWhatFor(t *testing.T) {
	got, err := gateway.ReadToken(tokenKey.Public(), member, base, issue(t, time.Minute), noon)
	if err != nil {
		t.Fatal(err)
	}
	if got.Asker != okafor || got.Client != "" || got.Scopes.String() != "user/*.cruds" {
		t.Errorf("got %+v, want %+v", got, okafor)
	}
}

func TestATokenIsGoodForItsMinutesItsMemberAndItsGatewayOnly(t *testing.T) {
	token := issue(t, 5*time.Minute)
	other := key.NewSigning([32]byte{2})
	for _, c := range []struct {
		name         string
		key          key.Verifier
		member, base string
		token        string
		now          time.Time
		want         string // in the error; empty: accepted
	}{
		{"at once", tokenKey.Public(), member, base, token, noon, ""},
		{"within the leeway before", tokenKey.Public(), member, base, token, noon.Add(-5 * time.Second), ""},
		{"before", tokenKey.Public(), member, base, token, noon.Add(-6 * time.Second), "future"},
		{"within the leeway after", tokenKey.Public(), member, base, token, noon.Add(5*time.Minute + 5*time.Second - 1), ""},
		{"after", tokenKey.Public(), member, base, token, noon.Add(5*time.Minute + 5*time.Second), "expired"},
		{"another key", other.Public(), member, base, token, noon, "signature"},
		{"another member", tokenKey.Public(), "Riverside", base, token, noon, "another member"},
		{"another gateway", tokenKey.Public(), member, base + "2", token, noon, "another gateway"},
		{"nothing", tokenKey.Public(), member, base, "", noon, "not a JWS"},
		{"too long", tokenKey.Public(), member, base, strings.Repeat("x", 9000), noon, "9000 bytes"},
		{"without signature", tokenKey.Public(), member, base, token[:strings.LastIndex(token, ".")+1], noon, "JWS"},
		{"unsigned", tokenKey.Public(), member, base, "eyJhbGciOiJub25lIn0." + strings.Split(token, ".")[1] + ".", noon, "JWS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := gateway.ReadToken(c.key, c.member, c.base, c.token, c.now)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "signature")):
				t.Errorf("got %v, want words with %q", err, c.want)
			}
		})
	}
}

func TestATokenHasOneSpelling(t *testing.T) {
	parts := strings.Split(issue(t, time.Minute), ".")
	decode := func(s string) string {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	header, claims := decode(parts[0]), decode(parts[1])
	sign := func(header, claims string) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		sig := tokenKey.Sign([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(sig[:])
	}
	read := func(token string) error {
		_, err := gateway.ReadToken(tokenKey.Public(), member, base, token, noon)
		return err
	}
	good := sign(header, claims)
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(good) - 1
	for name, token := range map[string]string{
		"a claim twice":                sign(header, strings.Replace(claims, `"sub":"p-17"`, `"sub":"p-18","sub":"p-17"`, 1)),
		"a claim in another case too":  sign(header, strings.Replace(claims, `"sub":"p-17"`, `"sub":"p-17","Sub":"p-18"`, 1)),
		"a claim in another case":      sign(header, strings.Replace(claims, `"sub"`, `"SUB"`, 1)),
		"a claim that says nothing":    sign(header, strings.Replace(claims, `"sub":"p-17"`, `"sub":"p-17","patient":""`, 1)),
		"a claim that it doesn't know": sign(header, strings.Replace(claims, `"sub":"p-17"`, `"sub":"p-17","admin":true`, 1)),
		"other escapes":                sign(header, strings.Replace(claims, `p-17`, `p\u002d17`, 1)),
		"white space":                  sign(header, claims+" "),
		"bytes after its end":          sign(header, claims+"{}"),
		"another header":               sign(`{"typ":"at+jwt","alg":"EdDSA"}`, claims),
		"two types":                    sign(`{"alg":"EdDSA","typ":"at+jwt","Typ":"JWT"}`, claims),
		"a line break":                 good[:20] + "\n" + good[20:],
		"padding":                      good + "==",
		"bits that nobody reads":       good[:last] + string(digits[strings.IndexByte(digits, good[last])+1]),
	} {
		if err := read(token); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestNoTokenIsIssuedThatWouldBeRefused(t *testing.T) {
	for name, f := range map[string]func() (string, error){
		"too long a life": func() (string, error) {
			return gateway.IssueToken(tokenKey, member, base, okafor, gateway.MaxTokenLife+1, noon)
		},
		"no life": func() (string, error) { return gateway.IssueToken(tokenKey, member, base, okafor, 0, noon) },
		"no practitioner": func() (string, error) {
			return gateway.IssueToken(tokenKey, member, base, exchange.Asker{Purpose: "TREAT"}, time.Minute, noon)
		},
		"no purpose": func() (string, error) {
			return gateway.IssueToken(tokenKey, member, base, exchange.Asker{Practitioner: "p"}, time.Minute, noon)
		},
		"a name that is not UTF-8": func() (string, error) {
			return gateway.IssueToken(tokenKey, member, base, exchange.Asker{Practitioner: "p", Name: "\xff", Purpose: "TREAT"}, time.Minute, noon)
		},
		"an unknown purpose": func() (string, error) {
			return gateway.IssueToken(tokenKey, member, base, exchange.Asker{Practitioner: "p", Purpose: "FUN"}, time.Minute, noon)
		},
	} {
		if token, err := f(); err == nil {
			t.Errorf("%s: got %q", name, token)
		}
	}
}

func FuzzReadToken(f *testing.F) {
	token := issue(f, time.Minute)
	f.Add(token)
	f.Add(strings.Replace(token, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, s string) {
		who, err := gateway.ReadToken(tokenKey.Public(), member, base, s, noon)
		if err != nil {
			if who.Asker != (exchange.Asker{}) || len(who.Scopes.Scopes) > 0 {
				t.Errorf("%q is refused and says %+v", s, who)
			}
			return
		}
		if who.Asker != okafor {
			t.Errorf("%q, never issued, is accepted for %+v", s, who)
		}
	})
}
