package smart

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json/jsontext"

	"vitalog/fhir"
)

// header is what is read of a JWS's header (RFC 7515, 4.1).
type header struct {
	Algorithm jose.SignatureAlgorithm `json:"alg"`
	Type      string                  `json:"typ"`
	KeyID     string                  `json:"kid"`
	KeysAt    *string                 `json:"jku"`
	Critical  jsontext.Value          `json:"crit"`
	Encoded   jsontext.Value          `json:"b64"`
}

// readParts reads header and claims of a JWS in compact form. It refuses what two readers could understand differently.
func readParts(text string, header, claims any) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return errors.New("want three parts")
	}
	for i, into := range []any{header, claims, nil} {
		raw, ok := decode64(parts[i])
		if !ok {
			return errors.New("want base64url without padding and line breaks")
		}
		if into != nil && fhir.ReadExactly(raw, into) != nil {
			return errors.New("its header or claims can't be read, or not in one way only: names stand once, in small letters, and with values of their type")
		}
	}
	return nil
}

// decode64 reads base64url in its one spelling: without padding, line breaks, and bits that nobody reads.
func decode64(s string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	return raw, err == nil && base64.RawURLEncoding.EncodeToString(raw) == s
}
