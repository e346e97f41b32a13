package key_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"vitalog/key"
)

func TestSecretsNeitherPrintNorCompare(t *testing.T) {
	seed := [32]byte{0xde, 0xad, 0xbe, 0xef, 0xca, 0xfe, 0xba, 0xbe}
	root := key.RootFrom(seed)
	section := root.Section(1)
	secrets := map[string]any{
		"signing key": key.NewSigning(seed), "exchange key": key.NewDecapsulating(seed), "patient root": root, "section's keys": section,
		"signing key by value": *key.NewSigning(seed), "patient root by value": *root, "exchange key by value": *key.NewDecapsulating(seed), "section's keys by value": *section,
	}
	reader, salt := section.ReaderSeed(1), section.Salt
	for name, s := range secrets {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", s)
			fmt.Fprintf(&out, verb+"\n", []any{s})
			fmt.Fprintf(&out, verb+"\n", struct{ Inner any }{s})
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s)
		for _, secret := range [][]byte{seed[:4], reader[:4], salt[:4]} {
			for _, form := range []string{string(secret), hex.EncodeToString(secret), strings.Trim(fmt.Sprint(secret), "[]"), strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}")} {
				if strings.Contains(strings.ToLower(out.String()), form) {
					t.Errorf("%s printed %q", name, form)
				}
			}
		}
		if typ := reflect.TypeOf(s); typ.Kind() == reflect.Struct && typ.Comparable() {
			t.Errorf("%s: a %v compares", name, typ)
		}
	}
}
