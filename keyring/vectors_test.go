package keyring_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/section"
)

var update = flag.Bool("update", false, "write spec/testdata/keyring.json anew")

// vector is a patient's own ring as it lies on a disk, and what it answers.
type vector struct {
	Passphrase string       `json:"passphrase"`
	File       string       `json:"file"` // hex
	Words      string       `json:"words"`
	Network    key.Network  `json:"network"`
	Chart      string       `json:"chart"`
	Labs       key.Log      `json:"labs"`
	Owner      key.Verifier `json:"labsOwner"`
	Device     key.Verifier `json:"labsDeviceScale"` // of the device named "scale"
	Context    string       `json:"localContext"`
	Plaintext  string       `json:"localPlaintext"`
	Sealed     string       `json:"localSealed"` // hex
}

func TestTheVectorsHold(t *testing.T) {
	path := filepath.Join("..", "spec", "testdata", "keyring.json")
	if *update {
		write(t, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	ring := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(ring, unhex(t, v.File), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := keyring.Open(ring, []byte(v.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	got := answers(t, r)
	got.File, got.Sealed = v.File, v.Sealed
	if got != v {
		t.Errorf("got %+v, want %+v", got, v)
	}
	if plain, err := r.OpenLocal([]byte(v.Context), unhex(t, v.Sealed)); err != nil || string(plain) != v.Plaintext {
		t.Errorf("sealed for itself: got %q, %v, want %q", plain, err, v.Plaintext)
	}
}

func answers(t *testing.T, r *keyring.Ring) vector {
	t.Helper()
	p, err := r.Own()
	if err != nil {
		t.Fatal(err)
	}
	v := vector{Passphrase: "passphrase", Chart: p.ChartID(), Labs: p.Log(section.Labs), Owner: p.Owner(section.Labs).Public(), Device: p.Device(section.Labs, "scale").Public(), Context: "context", Plaintext: "note"}
	if v.Words, err = p.Words(); err != nil {
		t.Fatal(err)
	}
	if v.Network, err = r.Network(); err != nil {
		t.Fatal(err)
	}
	return v
}

func write(t *testing.T, path string) {
	t.Helper()
	ring := filepath.Join(t.TempDir(), "ring")
	r, err := keyring.CreatePatient(ring, pass(), words)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Join(network); err != nil {
		t.Fatal(err)
	}
	v := answers(t, r)
	file, err := os.ReadFile(ring)
	if err != nil {
		t.Fatal(err)
	}
	v.File, v.Sealed = hex.EncodeToString(file), hex.EncodeToString(r.SealLocal([]byte(v.Context), []byte(v.Plaintext)))
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
