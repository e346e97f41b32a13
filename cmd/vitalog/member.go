package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/home"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/op"
)

// member is one's own member, as its operator reaches it: the directory for the keys, the running program by its address.
type member struct {
	p       *program
	dir     string
	config  *node.Config
	genesis *op.Genesis
	http    *http.Client

	mu     sync.Mutex // of ring and tokens
	ring   *keyring.Ring
	tokens map[exchange.Asker]token
}

type token struct {
	text string
	ends time.Time
}

// member finds the member that --dir and --as mean.
func (p *program) member() (*member, error) {
	dir, err := p.memberDir()
	if err != nil {
		return nil, err
	}
	return p.memberIn(dir)
}

// members finds the member, or all of a demo of which none is named.
func (p *program) members() ([]*member, error) {
	base, s, err := p.demoState()
	if p.as != "" || err != nil {
		m, err := p.member()
		return []*member{m}, err
	}
	var out []*member
	for _, name := range names(s) {
		m, err := p.memberIn(filepath.Join(base, "members", name))
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (p *program) memberIn(dir string) (*member, error) {
	c, err := node.Load(dir)
	if errors.Is(err, node.ErrNoMember) {
		return nil, advise(fmt.Errorf("%s: %w", dir, node.ErrNoMember), "make one with 'vitalog init', or take one of the demo with --as st-elena")
	}
	if err != nil {
		return nil, err
	}
	m := &member{p: p, dir: dir, config: c, tokens: map[exchange.Asker]token{}}
	if m.genesis, err = node.LoadGenesis(dir); err != nil {
		return nil, err
	}
	m.http, err = client(dir, c)
	return m, err
}

// client trusts the machine's authorities and, for the member's own address, the certificate that it shows there.
func client(dir string, c *node.Config) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	if c.TLSCertificate != "" {
		path := c.TLSCertificate
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", c.API, err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		roots.AppendCertsFromPEM(pem)
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t}, nil
}

// keys opens the member's keyring, once.
func (m *member) keys() (*keyring.Ring, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.openRing()
}

func (m *member) openRing() (*keyring.Ring, error) {
	if m.ring == nil {
		passphrase, err := m.p.passphrase(m.config.Name, m.dir, m.config.PassphraseFile)
		if err != nil {
			return nil, err
		}
		if m.ring, err = keyring.Open(filepath.Join(m.dir, node.KeyringFile), passphrase); err != nil {
			return nil, err
		}
	}
	return m.ring, nil
}

// number is the member's in the genesis.
func (m *member) number() (int, error) {
	for i := range m.genesis.Members {
		if m.genesis.Members[i].Name == m.config.Name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s: %s is not in the genesis", m.dir, m.config.Name)
}

// home is the member as a patient's app reaches it: without any token.
func (m *member) home() (*home.Client, error) {
	n, err := m.number()
	if err != nil {
		return nil, err
	}
	return home.Dial(m.config.URL(), m.genesis, n, m.http), nil
}

// operator is who the member's own operators are at its control address.
func operator() exchange.Asker {
	return exchange.Asker{Practitioner: "operator", Name: "Operator", Role: node.ControlRole, Purpose: "HOPERAT"}
}

const tokenReserve = time.Minute // a token that ends sooner is replaced

// token makes an access token for who, or takes the one made before.
func (m *member) token(who exchange.Asker) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if t, ok := m.tokens[who]; ok && now.Add(tokenReserve).Before(t.ends) {
		return t.text, nil
	}
	ring, err := m.openRing()
	if err != nil {
		return "", err
	}
	text, err := gateway.IssueToken(ring.Tokens(), m.config.Name, m.config.URL()+"/fhir", who, gateway.MaxTokenLife, now)
	if err != nil {
		return "", usage{err}
	}
	m.tokens[who] = token{text, now.Add(gateway.MaxTokenLife)}
	return text, nil
}
