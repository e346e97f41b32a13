package keyring_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/section"
)

func TestAPatientInCustodyComesBackFromTheWrappedRoot(t *testing.T) {
	path, r := quick(t)
	wrapped, p, err := r.NewPatient()
	if err != nil {
		t.Fatal(err)
	}
	again, err := reopen(t, path).Patient(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[key.Log]section.Section{}
	for _, s := range section.All() {
		log := p.Log(s)
		if again.Log(s) != log || again.Owner(s).Public() != p.Owner(s).Public() || *again.ReaderPublic(s, 2) != *p.ReaderPublic(s, 2) {
			t.Errorf("%v: another log or key after a restart", s)
		}
		if log != key.LogID(network, p.Owner(s).Public(), p.Salt(s)) {
			t.Errorf("%v: its id does not come from owner key and salt", s)
		}
		if other, dup := seen[log]; dup {
			t.Errorf("%v and %v are one log", s, other)
		}
		seen[log] = s
	}
	_, stranger := quick(t)
	if _, err := stranger.Patient(wrapped); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another member: got %v, want %v", err, key.ErrSealed)
	}
}

func TestThe24WordsBringAPatientBackAnywhere(t *testing.T) {
	_, r := member(t)
	_, p, err := r.NewPatient()
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Words()
	if err != nil || len(strings.Fields(list)) != 24 {
		t.Fatalf("got %d words, %v", len(strings.Fields(list)), err)
	}
	path := filepath.Join(t.TempDir(), "own")
	if _, err := keyring.CreatePatient(path, pass(), "  "+strings.ToUpper(strings.ReplaceAll(list, " ", " \n "))); err != nil {
		t.Fatal(err)
	}
	own := reopen(t, path)
	if err := own.Join(network); err != nil {
		t.Fatal(err)
	}
	back, err := own.Own()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range section.All() {
		if back.Log(s) != p.Log(s) {
			t.Errorf("%v: got %v, want %v", s, back.Log(s), p.Log(s))
		}
	}
	if _, err := r.Own(); !errors.Is(err, keyring.ErrNoPatient) {
		t.Errorf("a member's ring: got %v, want %v", err, keyring.ErrNoPatient)
	}
}

func TestTheWordsAreThoseOfBIP39(t *testing.T) {
	_, r := quick(t)
	_, p, err := r.RecoverPatient(words) // a vector of BIP-39: entropy 7f7f…7f
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Words(); err != nil || got != words {
		t.Errorf("got %q, %v, want %q", got, err, words)
	}
	var root [32]byte
	for i := range root {
		root[i] = 0x7f
	}
	if got, want := p.Log(section.Labs), key.RootFrom(root).Section(5).Log(network); got != want {
		t.Errorf("labs: got %v, want %v", got, want)
	}
}

func TestWrongWordsAreRefusedAndNotRepeated(t *testing.T) {
	_, r := quick(t)
	for name, bad := range map[string]string{
		"none": "", "one": "legal", "23": strings.Join(strings.Fields(words)[:23], " "), "25": words + " legal",
		"a word replaced": strings.Replace(words, "sausage", "legal", 1), "not a word": strings.Replace(words, "sausage", "vitalog", 1),
		"two swapped": strings.Replace(words, "legal winner", "winner legal", 1),
	} {
		_, _, err := r.RecoverPatient(bad)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, w := range append(strings.Fields(bad), "vitalog") {
			if strings.Contains(" "+err.Error()+" ", " "+w+" ") {
				t.Errorf("%s: the error repeats %q: %v", name, w, err)
			}
		}
	}
}

func TestAPatientsChartHasOneIDAndEachDeviceAKeyPerLog(t *testing.T) {
	_, r := quick(t)
	_, p, err := r.RecoverPatient(words)
	if err != nil {
		t.Fatal(err)
	}
	_, same, err := r.RecoverPatient(words)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := r.NewPatient()
	if err != nil {
		t.Fatal(err)
	}
	if p.ChartID() != same.ChartID() || p.ChartID() == other.ChartID() || len(p.ChartID()) != 36 || p.ChartID()[14] != '8' {
		t.Errorf("got %s, the same patient %s, another %s", p.ChartID(), same.ChartID(), other.ChartID())
	}
	seen := map[key.Verifier]bool{p.Owner(section.Vitals).Public(): true}
	for _, s := range []section.Section{section.Vitals, section.Labs} {
		for _, name := range []string{"scale", "watch"} {
			if k := p.Device(s, name).Public(); seen[k] {
				t.Errorf("%v, %s: a key that has another role", s, name)
			} else {
				seen[k] = true
			}
		}
	}
}
