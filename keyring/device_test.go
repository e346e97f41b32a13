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

func newDevice(t testing.TB, name string) (path string, p *keyring.Patient, v key.Verifier) {
	t.Helper()
	r, err := keyring.CreatePatient(filepath.Join(t.TempDir(), "keyring"), []byte("patient"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Join(key.Network{1}); err != nil {
		t.Fatal(err)
	}
	if p, err = r.Own(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "device")
	if v, err = p.CreateDevice(path, []byte("device"), name, section.Vitals, false, "http://localhost:1", 7); err != nil {
		t.Fatal(err)
	}
	return path, p, v
}

func TestADeviceFileHoldsOneKeyAndNothingThatOpens(t *testing.T) {
	path, p, v := newDevice(t, "wristband")
	d, err := keyring.OpenDevice(path, []byte("device"))
	if err != nil {
		t.Fatal(err)
	}
	if at, member := d.Home(); d.Name() != "wristband" || d.Section() != section.Vitals || d.Log() != p.Log(section.Vitals) || at != "http://localhost:1" || member != 7 ||
		d.Signer().Public() != v || v != p.Device(section.Vitals, "wristband").Public() || d.Network() != (key.Network{1}) || d.Owner().Hash() != p.Private(section.Vitals).Exchange().Hash() {
		t.Errorf("the file gives back another device: %q at %q", d.Name(), at)
	}
	other, err := keyring.OpenDevice(path, []byte("device"))
	if err != nil || d.ReadingID([]byte("a")) != other.ReadingID([]byte("a")) || d.ReadingID([]byte("a")) == d.ReadingID([]byte("b")) {
		t.Error("a reading's id is not its own")
	}
	if d.RecordSalt("2026-11-01", 0, []string{"a"}) == d.RecordSalt("2026-11-01", 1, []string{"a"}) || d.RecordSalt("2026-11-01", 0, []string{"a"}) == d.RecordSalt("2026-11-02", 0, []string{"a"}) {
		t.Error("two records have one salt")
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	// 1,216 bytes of a public key, 32 of the seed, 64 of ids: there is no room for a root.
	if st.Size() > 1500 {
		t.Errorf("the file has %d bytes", st.Size())
	}
	if _, err := p.CreateDevice(path, []byte("device"), "wristband", section.Vitals, false, "", 0); !errors.Is(err, keyring.ErrExists) {
		t.Errorf("a file that is there: got %v, want %v", err, keyring.ErrExists)
	}
}

func TestADeviceFileThatIsWrongIsRefusedByItsKind(t *testing.T) {
	path, p, _ := newDevice(t, "scale")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.OpenDevice(path, []byte("other")); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("a wrong passphrase: got %v, want %v", err, keyring.ErrLocked)
	}
	if _, err := keyring.Open(path, []byte("device")); !errors.Is(err, keyring.ErrDamaged) {
		t.Errorf("a device file as a keyring: got %v, want %v", err, keyring.ErrDamaged)
	}
	for i := 0; i < len(whole); i += 97 {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.OpenDevice(path, []byte("device")); err == nil {
			t.Errorf("bit flipped in byte %d: it opens", i)
		}
	}
	for _, name := range []string{"", "a\nb", string(make([]byte, 65)), "\xff"} {
		if _, err := p.CreateDevice(path+"x", []byte("device"), name, section.Vitals, true, "", 0); err == nil {
			t.Errorf("a device is called %q", name)
		}
	}
}
