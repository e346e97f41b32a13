package ticket_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"vitalog/ticket"
	"vitalog/wire"
)

var subject = wire.Sum("test", []byte("log"))

func issuer(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	sk, err := rsa.GenerateKey(rand.Reader, ticket.KeyBits)
	if err != nil {
		t.Fatal(err)
	}
	return sk
}

func issue(t testing.TB, sk *rsa.PrivateKey, subject wire.Hash) *ticket.Ticket {
	t.Helper()
	q, err := ticket.Blind(3, &sk.PublicKey, subject)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := ticket.Sign(sk, q.Blinded)
	if err != nil {
		t.Fatal(err)
	}
	x, err := q.Finish(sig)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestATicketFitsItsSubjectAndIssuerAlone(t *testing.T) {
	sk, other := issuer(t), issuer(t)
	x := issue(t, sk, subject)
	if err := x.Verify(&sk.PublicKey, subject); err != nil || x.Issuer != 3 {
		t.Fatalf("a good ticket of issuer %d: %v", x.Issuer, err)
	}
	prefix, sig := *x, *x
	prefix.Prefix[0] ^= 1
	sig.Sig[ticket.SignatureSize-1] ^= 1
	for name, err := range map[string]error{
		"another subject": x.Verify(&sk.PublicKey, wire.Hash{1}),
		"another issuer":  x.Verify(&other.PublicKey, subject),
		"another prefix":  prefix.Verify(&sk.PublicKey, subject),
		"another number":  sig.Verify(&sk.PublicKey, subject),
		"zero":            new(ticket.Ticket).Verify(&sk.PublicKey, subject),
	} {
		if !errors.Is(err, ticket.ErrTicket) {
			t.Errorf("%s: got error %v, want %v", name, err, ticket.ErrTicket)
		}
	}
}

func TestAnIssuerNeverSeesWhatItSigns(t *testing.T) {
	sk := issuer(t)
	first, err := ticket.Blind(0, &sk.PublicKey, subject)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := ticket.Blind(0, &sk.PublicKey, subject)
	if bytes.Equal(first.Blinded, second.Blinded) {
		t.Error("two requests for one subject look the same")
	}
	sig, _ := ticket.Sign(sk, first.Blinded)
	x, err := first.Finish(sig)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(x.Sig[:], sig) || bytes.Contains(first.Blinded, x.Prefix[:]) || bytes.Contains(first.Blinded, subject[:]) {
		t.Error("the issuer can recognise the ticket")
	}
	if _, err := second.Finish(sig); !errors.Is(err, ticket.ErrTicket) {
		t.Errorf("a signature on another request: error %v", err)
	}
}

func TestRequestsAndAnswersOfAWrongSizeAreRefused(t *testing.T) {
	sk := issuer(t)
	q, _ := ticket.Blind(0, &sk.PublicKey, subject)
	above := sk.N.FillBytes(make([]byte, ticket.SignatureSize))
	for name, blinded := range map[string][]byte{"nothing": nil, "short": q.Blinded[1:], "long": append([]byte{0}, q.Blinded...), "not below the modulus": above} {
		if _, err := ticket.Sign(sk, blinded); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	sig, _ := ticket.Sign(sk, q.Blinded)
	for name, bad := range map[string][]byte{"nothing": nil, "short": sig[1:], "long": append(bytes.Clone(sig), 0), "the request itself": q.Blinded, "not below the modulus": above} {
		if _, err := q.Finish(bad); !errors.Is(err, ticket.ErrTicket) {
			t.Errorf("%s: got error %v, want %v", name, err, ticket.ErrTicket)
		}
	}
}

func TestIssuerKeysHaveOneSize(t *testing.T) {
	sk := issuer(t)
	good := der(t, &sk.PublicKey)
	if pk, err := ticket.ParseKey(good); err != nil || !pk.Equal(&sk.PublicKey) {
		t.Fatalf("a good key: %v", err)
	}
	short := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 4095, 1), E: 65537}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "1024 bits": der(t, short), "4096 bits": der(t, long), "another algorithm": der(t, &ec.PublicKey), "trailing byte": append(good, 0)} {
		if _, err := ticket.ParseKey(b); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	b, err := x509.MarshalPKIXPublicKey(&issuer(f).PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if pk, err := ticket.ParseKey(b); err == nil && !bytes.Equal(der(t, pk), b) {
			t.Errorf("%x encodes again to %x", b, der(t, pk))
		}
	})
}

func der(t *testing.T, pk any) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(pk)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATicketHasOneEncoding(t *testing.T) {
	x := issue(t, issuer(t), subject)
	var w wire.Writer
	x.Append(&w)
	if n := len(w.Done()); n != 2+32+ticket.SignatureSize {
		t.Errorf("got %d bytes", n)
	}
	var y ticket.Ticket
	r := wire.NewReader(w.Done())
	y.Read(r)
	if err := r.End(); err != nil || y != *x {
		t.Errorf("got another ticket, error %v", err)
	}
	r = wire.NewReader(w.Done()[1:])
	y.Read(r)
	if err := r.End(); !errors.Is(err, wire.ErrTruncated) {
		t.Errorf("a byte short: error %v", err)
	}
}

func TestARequestDoesNotPrintItsSubject(t *testing.T) {
	sk := issuer(t)
	q, _ := ticket.Blind(0, &sk.PublicKey, subject)
	sig, _ := ticket.Sign(sk, q.Blinded)
	x, err := q.Finish(sig)
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %x %d", q, q, q, q, *q)
	for _, form := range []string{subject.String()[:8], fmt.Sprintf("%x", x.Prefix[:4]), fmt.Sprint(x.Prefix[:4])[1:10]} {
		if strings.Contains(out, form) {
			t.Errorf("printed %q", form)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	sk := issuer(b)
	x := issue(b, sk, subject)
	for b.Loop() {
		if err := x.Verify(&sk.PublicKey, subject); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	sk := issuer(b)
	q, _ := ticket.Blind(0, &sk.PublicKey, subject)
	for b.Loop() {
		if _, err := ticket.Sign(sk, q.Blinded); err != nil {
			b.Fatal(err)
		}
	}
}
