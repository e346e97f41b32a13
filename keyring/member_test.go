package keyring_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"path/filepath"
	"testing"

	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/section"
	"vitalog/threshold"
	"vitalog/ticket"
	"vitalog/wire"
)

func TestAMembersKeysAreItsPublicOnesAndAllDifferent(t *testing.T) {
	_, r := member(t)
	m, err := r.Public()
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	seen := map[key.Verifier]bool{m.TLS: true}
	for want, s := range map[key.Verifier]key.Signer{
		m.Sign: r.Member(), m.Consensus: r.Vote(), m.Node: r.Node(), r.Tokens().Public(): r.Tokens(),
		r.Grantee(key.Log{1}, "TREAT").Public(): r.Grantee(key.Log{1}, "TREAT"),
	} {
		if s.Public() != want || !want.Verify(message, s.Sign(message)) {
			t.Errorf("%v signs for %v", s.Public(), want)
		}
		if seen[want] {
			t.Errorf("%v has two roles", want)
		}
		seen[want] = true
	}
	if key.Exchange(m.Exchange) != *r.Exchange().Exchange() {
		t.Error("the public exchange key is not the one that opens")
	}
	a, b, c := r.Grantee(key.Log{1}, "TREAT").Public(), r.Grantee(key.Log{2}, "TREAT").Public(), r.Grantee(key.Log{1}, "HRESCH").Public()
	if a == b || a == c || b == c {
		t.Error("one grantee key for two logs or purposes")
	}
}

func TestTheCertificateIsSignedByThePinnedKeyAndStaysTheSame(t *testing.T) {
	path, r := member(t)
	m, _ := r.Public()
	cert, err := r.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	x, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := x.PublicKey.(ed25519.PublicKey); !ok || key.Verifier(k) != m.TLS {
		t.Errorf("its key is %x, want %v", x.PublicKey, m.TLS)
	}
	if err := x.CheckSignature(x.SignatureAlgorithm, x.RawTBSCertificate, x.Signature); err != nil {
		t.Errorf("self-signature: %v", err)
	}
	again, err := reopen(t, path).Certificate()
	if err != nil || string(again.Certificate[0]) != string(cert.Certificate[0]) {
		t.Errorf("another certificate after a restart: %v", err)
	}
}

func TestATicketIsIssuedBlindlyAndVerifies(t *testing.T) {
	_, r := member(t)
	m, _ := r.Public()
	pk, err := ticket.ParseKey(m.Tickets)
	if err != nil {
		t.Fatal(err)
	}
	subject := wire.Sum("subject")
	q, err := ticket.Blind(0, pk, subject)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := r.IssueTicket(q.Blinded)
	if err != nil {
		t.Fatal(err)
	}
	got, err := q.Finish(sig)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(pk, subject); err != nil {
		t.Error(err)
	}
	own, err := keyring.CreatePatient(filepath.Join(t.TempDir(), "own"), pass(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.IssueTicket(q.Blinded); !errors.Is(err, keyring.ErrNoTickets) {
		t.Errorf("a patient's ring: got %v, want %v", err, keyring.ErrNoTickets)
	}
	if _, err := own.Public(); !errors.Is(err, keyring.ErrNoTickets) {
		t.Errorf("a patient's ring: got %v, want %v", err, keyring.ErrNoTickets)
	}
}

func TestWhatARingSealsForItselfOpensThereInItsContextOnly(t *testing.T) {
	_, r := quick(t)
	_, other := quick(t)
	sealed := r.SealLocal([]byte("a"), []byte("note"))
	if len(sealed) != len("note")+keyring.LocalOverhead {
		t.Errorf("sealed to %d bytes", len(sealed))
	}
	altered := append([]byte{}, sealed...)
	altered[len(altered)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"another context": func() ([]byte, error) { return r.OpenLocal([]byte("b"), sealed) },
		"another ring":    func() ([]byte, error) { return other.OpenLocal([]byte("a"), sealed) },
		"an altered byte": func() ([]byte, error) { return r.OpenLocal([]byte("a"), altered) },
	} {
		if got, err := try(); !errors.Is(err, key.ErrSealed) {
			t.Errorf("%s: got %q, %v, want %v", name, got, err, key.ErrSealed)
		}
	}
	if _, err := r.OpenLocal([]byte("a"), sealed[:10]); !errors.Is(err, wire.ErrTruncated) {
		t.Errorf("cut: got %v, want %v", err, wire.ErrTruncated)
	}
	if r.NameLocal("a", []byte("x")) == r.NameLocal("b", []byte("x")) || r.NameLocal("a", []byte("x")) == other.NameLocal("a", []byte("x")) {
		t.Error("names of two contexts or two rings are the same")
	}
}

func TestAnAuthorLockOpensForItsAuthorAndRecordOnly(t *testing.T) {
	_, r := quick(t)
	_, other := quick(t)
	var a envelope.Author = r.Author()
	secret := [32]byte{1, 2, 3}
	lock, err := a.Wrap([]byte("record"), secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Unwrap([]byte("record"), lock); err != nil || got != secret {
		t.Errorf("got %x, %v, want %x", got, err, secret)
	}
	if _, err := a.Unwrap([]byte("other"), lock); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another record: got %v, want %v", err, key.ErrSealed)
	}
	if _, err := other.Author().Unwrap([]byte("record"), lock); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another author: got %v, want %v", err, key.ErrSealed)
	}
	if _, err := r.OpenLocal([]byte("record"), lock); !errors.Is(err, key.ErrSealed) {
		t.Errorf("an author lock opened as a local note: %v", err)
	}
}

func TestAShareMakesPartialKeysAndANewerSetReplacesIt(t *testing.T) {
	path, r := quick(t)
	old, next := threshold.NewPolynomial(2), threshold.NewPolynomial(2)
	id := wire.Sum("record")
	if _, _, err := r.Partial(1, id); !errors.Is(err, keyring.ErrNoShare) {
		t.Errorf("no share: got %v, want %v", err, keyring.ErrNoShare)
	}
	if err := r.KeepShare(1, 1, 3, old.Share(3)); err != nil {
		t.Fatal(err)
	}
	if err := r.KeepShare(2, 1, 3, next.Share(3)); err != nil {
		t.Fatal(err)
	}
	if err := r.KeepShare(1, 1, 3, old.Share(3)); err != nil {
		t.Errorf("the same share again: %v", err)
	}
	if err := r.KeepShare(1, 1, 3, next.Share(3)); err == nil {
		t.Error("another share of the same set replaced it")
	}
	if err := r.KeepShare(1, 2, 3, next.Share(3)); err != nil {
		t.Fatal(err)
	}
	if err := r.KeepShare(1, 1, 3, old.Share(3)); err == nil {
		t.Error("an older set replaced a newer")
	}
	part, set, err := reopen(t, path).Partial(1, id)
	if err != nil || set != 2 || part.X != 3 || !threshold.VerifyPart(part, id, next.Commitments()) {
		t.Errorf("got share %d of set %d, %v, want share 3 of set 2", part.X, set, err)
	}
	if err := r.KeepShare(3, 1, 0, old.Share(1)); err == nil {
		t.Error("share number 0 was kept")
	}
}

func TestAGrantIsAcceptedByTheKeyItIsForAndItsReadersOpen(t *testing.T) {
	_, hospital := quick(t)
	_, custodian := quick(t)
	_, p, err := custodian.NewPatient()
	if err != nil {
		t.Fatal(err)
	}
	log := p.Log(section.Labs)
	m := grant.Message{
		Purpose: "TREAT", Patient: "p1", Custodial: true,
		Terms: consent.Terms{Key: hospital.Grantee(log, "TREAT").Public(), Rights: consent.Read, Ranges: []consent.Range{{To: consent.Forever}}},
	}
	sealed, err := p.GrantMessage(section.Labs, []uint32{1, 4}, hospital.Exchange().Exchange(), m)
	if err != nil {
		t.Fatal(err)
	}
	got, wrapped, err := hospital.AcceptGrant(log, "TREAT", sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got.Network != network || got.Log != log || got.Section != section.Labs || got.Owner != *p.Private(section.Labs).Exchange() || got.Patient != "p1" {
		t.Errorf("got %+v", got)
	}
	secret, err := p.ReaderPublic(section.Labs, 4).Seal("info", nil, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := hospital.Reader(wrapped, log, 4)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := reader.Open("info", nil, secret); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := hospital.Reader(wrapped, log, 2); !errors.Is(err, keyring.ErrNoEpoch) {
		t.Errorf("epoch 2: got %v, want %v", err, keyring.ErrNoEpoch)
	}
	if _, err := hospital.Reader(wrapped, key.Log{1}, 4); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another log: got %v, want %v", err, key.ErrSealed)
	}
	if _, err := custodian.Reader(wrapped, log, 4); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another ring: got %v, want %v", err, key.ErrSealed)
	}
	if _, _, err := hospital.AcceptGrant(log, "HRESCH", sealed); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another purpose: got %v, want %v", err, key.ErrSealed)
	}
	m.Purpose = "HRESCH"
	if sealed, err = p.GrantMessage(section.Labs, nil, hospital.Exchange().Exchange(), m); err != nil {
		t.Fatal(err)
	}
	if _, _, err := hospital.AcceptGrant(log, "TREAT", sealed); err == nil {
		t.Error("a message for research was accepted by the key for treatment")
	}
}
