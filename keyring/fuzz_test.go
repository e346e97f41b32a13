package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/section"
)

// Whatever lies where a ring should be is refused, never opened by chance and never a crash.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "ring")
	if _, err := keyring.CreatePatient(path, pass(), words); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:len(whole)-1])
	f.Add(whole[:40])
	f.Fuzz(func(t *testing.T, file []byte) {
		if string(file) == string(whole) {
			t.Skip()
		}
		path := filepath.Join(t.TempDir(), "ring")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Open(path, pass()); err == nil {
			t.Error("opened")
		}
	})
}

func FuzzOpenLocal(f *testing.F) {
	_, r := quick(f)
	sealed := r.SealLocal([]byte("context"), []byte("note"))
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, b []byte) {
		if string(b) == string(sealed) {
			t.Skip()
		}
		if got, err := r.OpenLocal([]byte("context"), b); err == nil {
			t.Errorf("opened to %q", got)
		} else if len(b) >= keyring.LocalOverhead && b[0] == 1 && !errors.Is(err, key.ErrSealed) {
			t.Errorf("got %v, want %v", err, key.ErrSealed)
		}
	})
}

func FuzzClaim(f *testing.F) {
	c := keyring.NewClaim([32]byte{1})
	for _, s := range section.Clinical() {
		c.Epochs[s] = 2
	}
	f.Add(c.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := keyring.DecodeClaim(b); err == nil && !bytes.Equal(c.Encode(), b) {
			t.Errorf("%x reads as another", b)
		}
	})
}
