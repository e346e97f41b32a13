package home_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/errgroup"
)

// viewed is what a viewer of SMART Health Links gets.
type viewed struct {
	Status int    `json:"status"`
	Left   int    `json:"left"`
	Bundle string `json:"bundle"`
}

// openLinks is a viewer of SMART Health Links, which knows nothing of Vitalog. It opens a link several times at once.
func openLinks(ctx context.Context, link, passcode string, embedded *int, times int) ([]viewed, error) {
	coded, ok := strings.CutPrefix(link, "shlink:/")
	raw, err := base64.RawURLEncoding.DecodeString(coded)
	if !ok || err != nil {
		return nil, fmt.Errorf("%q is no link: %w", link, err)
	}
	var payload struct {
		URL, Key, Flag, Label string
		Exp                   int64
	}
	if err := json.Unmarshal(raw, &payload); err != nil {
		return nil, err
	}
	secret, err := base64.RawURLEncoding.DecodeString(payload.Key)
	token := payload.URL[strings.LastIndex(payload.URL, "/")+1:]
	if err != nil || len(secret) != 32 || len(payload.URL) > 128 || len(token) != 43 || payload.Flag != "P" || len(payload.Label) > 80 || payload.Exp <= time.Now().Unix() {
		return nil, fmt.Errorf("the payload %s is outside of the rules: %w", raw, err)
	}
	out := make([]viewed, times)
	var all errgroup.Group
	for i := range out {
		all.Go(func() (err error) {
			out[i], err = view(ctx, payload.URL, secret, passcode, embedded)
			return err
		})
	}
	return out, all.Wait()
}

func view(ctx context.Context, url string, secret []byte, passcode string, embedded *int) (viewed, error) {
	ask := map[string]any{"recipient": "Dr. Ruiz, who says so", "passcode": passcode}
	if embedded != nil {
		ask["embeddedLengthMax"] = *embedded
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return viewed{}, err
	}
	status, answer, err := call(ctx, http.MethodPost, url, body)
	if err != nil {
		return viewed{}, err
	}
	out := viewed{Status: status}
	var said struct {
		RemainingAttempts int
		Files             []struct{ ContentType, Embedded, Location string }
	}
	switch status {
	case http.StatusUnauthorized:
		err := json.Unmarshal(answer, &said)
		out.Left = said.RemainingAttempts
		return out, err
	case http.StatusOK:
		if err := json.Unmarshal(answer, &said); err != nil || len(said.Files) != 1 || said.Files[0].ContentType != "application/fhir+json" {
			return out, fmt.Errorf("the manifest %s: %w", answer, err)
		}
	default:
		return out, nil
	}
	file := said.Files[0].Embedded
	if embedded != nil && len(file) > *embedded {
		return out, fmt.Errorf("a file of %d bytes in the manifest, at most %d", len(file), *embedded)
	}
	if file == "" {
		status, answer, err := call(ctx, http.MethodGet, said.Files[0].Location, nil)
		if err != nil || status != http.StatusOK {
			return out, fmt.Errorf("the file's location: %d %w", status, err)
		}
		file = string(answer)
	}
	plain, err := decrypt(file, secret)
	if err != nil {
		return out, err
	}
	at := strings.LastIndex(file, ".") - 9
	if _, err := decrypt(file[:at]+string(file[at]^1)+file[at+1:], secret); err == nil {
		return out, errors.New("an altered file decrypts")
	}
	out.Bundle = string(plain)
	return out, nil
}

func decrypt(file string, secret []byte) ([]byte, error) {
	jwe, err := jose.ParseEncryptedCompact(file, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, err
	}
	if kind := jwe.Header.ExtraHeaders["cty"]; kind != "application/fhir+json" {
		return nil, fmt.Errorf("a file of type %v", kind)
	}
	return jwe.Decrypt(secret)
}

func call(ctx context.Context, method, url string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Origin", "https://viewer.example")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	if got := a.Header.Get("Access-Control-Allow-Origin"); got != "*" || len(a.Cookies()) > 0 {
		return 0, nil, fmt.Errorf("a viewer in a browser may not read the answer: origin %q, cookies %v", got, a.Cookies())
	}
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, b, err
}
