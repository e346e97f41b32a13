package keyring_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/section"
	"vitalog/threshold"
	"vitalog/wire"
)

var network = key.Network(wire.Sum("test network"))

func TestARingOpensWithItsPassphraseAndPerformsAsBefore(t *testing.T) {
	path, r := member(t)
	before, err := r.Public()
	if err != nil {
		t.Fatal(err)
	}
	log := key.Log{1}
	grantee := r.Grantee(log, "TREAT").Public()
	sealed := r.SealLocal([]byte("context"), []byte("note"))
	name := r.NameLocal("patients", []byte("b7f1"))

	r = reopen(t, path)
	after, err := r.Public()
	if err != nil || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("public keys: got %v, %v, want %v", after, err, before)
	}
	if got := r.Grantee(log, "TREAT").Public(); got != grantee {
		t.Errorf("grantee key: got %v, want %v", got, grantee)
	}
	if got, err := r.OpenLocal([]byte("context"), sealed); err != nil || string(got) != "note" {
		t.Errorf("what was sealed before: got %q, %v", got, err)
	}
	if got := r.NameLocal("patients", []byte("b7f1")); got != name {
		t.Errorf("name: got %x, want %x", got, name)
	}
	if got, err := r.Network(); err != nil || got != network {
		t.Errorf("network: got %v, %v, want %v", got, err, network)
	}
}

func TestAWrongPassphraseAndADamagedFileAreToldApart(t *testing.T) {
	path, _ := quick(t)
	if _, err := keyring.Open(path, []byte("wrong")); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("wrong passphrase: got %v, want %v", err, keyring.ErrLocked)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 18, 30, 60, len(whole) / 2, len(whole) - 1} {
		bad := bytes.Clone(whole)
		bad[at] ^= 1
		if err := openBytes(t, bad); !errors.Is(err, keyring.ErrDamaged) {
			t.Errorf("byte %d altered: got %v, want %v", at, err, keyring.ErrDamaged)
		}
	}
	for _, n := range []int{0, 10, 16, 40, 80, len(whole) - 1} {
		if err := openBytes(t, whole[:n]); !errors.Is(err, keyring.ErrDamaged) {
			t.Errorf("cut to %d bytes: got %v, want %v", n, err, keyring.ErrDamaged)
		}
	}
	if err := openBytes(t, append(bytes.Clone(whole), 0)); !errors.Is(err, keyring.ErrDamaged) {
		t.Errorf("a byte too many: got %v, want %v", err, keyring.ErrDamaged)
	}
}

func TestAFileThatAsksForAbsurdWorkIsRefusedBeforeTheWorkIsDone(t *testing.T) {
	path, _ := quick(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint32(whole[21:], 1<<31) // KiB of memory
	sum := sha256.Sum256(whole[:len(whole)-32])
	copy(whole[len(whole)-32:], sum[:])
	if err := openBytes(t, whole); !errors.Is(err, keyring.ErrDamaged) {
		t.Errorf("got %v, want %v", err, keyring.ErrDamaged)
	}
}

func TestARingOfANewerProgramIsRefusedWithTheReason(t *testing.T) {
	path, _ := quick(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[16] = 2
	err = openBytes(t, whole)
	if err == nil || !strings.Contains(err.Error(), "format version 2, this program reads 1: use a newer program") {
		t.Errorf("got %v", err)
	}
}

func TestNoRingIsMadeWhereOneExistsOrWithoutAPassphrase(t *testing.T) {
	path, _ := quick(t)
	before, _ := os.ReadFile(path)
	if _, err := keyring.Create(path, []byte("other")); !errors.Is(err, keyring.ErrExists) {
		t.Errorf("got %v, want %v", err, keyring.ErrExists)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the ring that was there is altered")
	}
	if _, err := keyring.Create(filepath.Join(t.TempDir(), "ring"), nil); err == nil {
		t.Error("a ring without a passphrase was made")
	}
}

func TestTheFileIsForItsOwnerAloneAndThePassphraseIsWiped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	pass := []byte("passphrase")
	if _, err := keyring.Create(path, pass); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pass, make([]byte, len(pass))) {
		t.Errorf("after Create the passphrase reads %q", pass)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", st.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Open(path, []byte("passphrase")); err == nil {
		t.Error("a ring that others can read was opened")
	}
}

func TestTheFileHoldsNoSecretInTheOpen(t *testing.T) {
	path, r := member(t)
	share := threshold.NewPolynomial(1).Share(1)
	if err := r.KeepShare(1, 1, 1, share); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "own")
	if _, err := keyring.CreatePatient(own, pass(), words); err != nil {
		t.Fatal(err)
	}
	for path, secret := range map[string][]byte{path: share[:], own: bytes.Repeat([]byte{0x7f}, 32)} {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at+8 <= len(secret); at++ {
			if bytes.Contains(file, secret[at:at+8]) {
				t.Errorf("%s holds bytes %d to %d of a secret", path, at, at+8)
			}
		}
		if bytes.Contains(file, []byte("passphrase")) || bytes.Contains(file, []byte{0x30, 0x82}) && bytes.Contains(file, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7}) {
			t.Errorf("%s holds the passphrase or an RSA key", path)
		}
	}
}

func TestNothingOfARingPrints(t *testing.T) {
	_, r := quick(t)
	_, p, err := r.RecoverPatient(words)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{r, p, r.Author(), r.Member(), r.Exchange(), p.Owner(section.Labs), p.Private(section.Labs), p.Reader(section.Labs, 1)} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		for _, text := range []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), fmt.Sprintf("%s", v), log.String()} {
			if len(text) > 120 || strings.Contains(text, "127 127") || strings.Contains(text, "0x7f") {
				t.Errorf("%T prints %.200q", v, text)
			}
		}
	}
}

func TestAPassphraseCanBeChanged(t *testing.T) {
	path, r := quick(t)
	if err := r.ChangePassphrase([]byte("the second")); err != nil {
		t.Fatal(err)
	}
	if err := r.KeepShare(1, 1, 1, threshold.NewPolynomial(1).Share(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Open(path, pass()); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("the old passphrase: got %v, want %v", err, keyring.ErrLocked)
	}
	if r, err := keyring.Open(path, []byte("the second")); err != nil || !r.HasShare(1) {
		t.Errorf("the new passphrase: got %v", err)
	}
}

func TestARingJoinsOneNetworkOnce(t *testing.T) {
	path, r := quick(t)
	if err := r.Join(network); err != nil {
		t.Errorf("joining again: %v", err)
	}
	if err := r.Join(key.Network{1}); err == nil {
		t.Error("joined a second network")
	}
	if got, err := reopen(t, path).Network(); err != nil || got != network {
		t.Errorf("got %v, %v, want %v", got, err, network)
	}
	fresh, err := keyring.Create(filepath.Join(t.TempDir(), "ring"), pass())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := fresh.NewPatient(); !errors.Is(err, keyring.ErrNoNetwork) {
		t.Errorf("a patient of no network: got %v, want %v", err, keyring.ErrNoNetwork)
	}
}

func TestAFailedWriteLeavesTheRingAsItWas(t *testing.T) {
	path, r := quick(t)
	dir := filepath.Dir(path)
	gone := dir + ".gone"
	if err := os.Rename(dir, gone); err != nil {
		t.Fatal(err)
	}
	share := threshold.NewPolynomial(1).Share(1)
	if err := r.KeepShare(1, 1, 1, share); err == nil {
		t.Fatal("a share was kept on a disk that is gone")
	}
	if r.HasShare(1) {
		t.Error("the ring uses a share that is not on the disk")
	}
	if err := os.Rename(gone, dir); err != nil {
		t.Fatal(err)
	}
	if err := r.KeepShare(1, 1, 1, share); err != nil || !reopen(t, path).HasShare(1) {
		t.Errorf("trying again: %v", err)
	}
}

// words are of the root 7f7f…7f.
const words = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title"

func pass() []byte { return []byte("passphrase") }

func member(t testing.TB) (path string, r *keyring.Ring) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ring")
	r, err := keyring.Create(path, pass())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Join(network); err != nil {
		t.Fatal(err)
	}
	return path, r
}

// quick is a ring without a ticket key, which takes long to make.
func quick(t testing.TB) (path string, r *keyring.Ring) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ring")
	r, err := keyring.CreatePatient(path, pass(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Join(network); err != nil {
		t.Fatal(err)
	}
	return path, r
}

func reopen(t testing.TB, path string) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(path, pass())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openBytes(t *testing.T, file []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := keyring.Open(path, pass())
	return err
}
