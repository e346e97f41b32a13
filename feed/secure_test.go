package feed_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue signs a certificate, its own if it has none.
func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// engine is the certificate of an interface engine.
func (a *authority) engine() []tls.Certificate {
	cert, key := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "engine"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
}

func writePEM(t *testing.T, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path)
}

func TestOnlyEnginesOfTheAuthorityAreListenedTo(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	w := newWard(t)
	dir, c := w.net.MemberDir(0), w.net.Nodes[0].Config
	w.net.Stop(t, 0)
	cert, key := ours.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.TLSCertificate = writePEM(t, filepath.Join(dir, "tls.pem"), "CERTIFICATE", cert.Raw)
	c.TLSKey = writePEM(t, filepath.Join(dir, "tls.key"), "PRIVATE KEY", secret)
	c.HL7ClientCA = writePEM(t, filepath.Join(dir, "engines.pem"), "CERTIFICATE", ours.cert.Raw)
	if err := c.Save(dir); err != nil {
		t.Fatal(err)
	}
	w.start()

	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	dial := func(certs []tls.Certificate) net.Conn {
		conn, err := tls.Dial("tcp", c.HL7, &tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: certs})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	plain, err := net.Dial("tcp", c.HL7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	admission := message("ADT^A01^ADT_A01", "1", person("700"), visit("700"))
	for name, conn := range map[string]net.Conn{"without TLS": plain, "without a certificate": dial(nil), "with one of another authority": dial(theirs.engine())} {
		_, _ = conn.Write([]byte("\x0b" + admission + "\x1c\r")) // TLS 1.3 tells its refusal with the first read
		if got, err := bufio.NewReader(conn).ReadString(0x1c); err == nil {
			t.Errorf("an engine %s got %q", name, got)
		}
	}
	if _, known, err := w.net.Nodes[0].Member.FindPatient("urn:oid:2.999.1", "700"); err != nil || known {
		t.Errorf("a patient of refused engines: known %v, %v", known, err)
	}
	conn := dial(ours.engine())
	(&line{t, conn, bufio.NewReader(conn)}).want(admission, "AA")
	w.chart("700")
}
