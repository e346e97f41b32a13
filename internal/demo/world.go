package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/home"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/op"
)

// World is a demo as seen from outside: by its endpoints and its directory. It needs no running process of its own.
type World struct {
	Dir     string
	State   *State
	Genesis *op.Genesis

	mu    sync.Mutex
	rings map[string]*keyring.Ring
}

// Open looks at the demo in dir.
func Open(dir string) (*World, error) {
	s, err := LoadState(dir)
	if err != nil {
		return nil, fmt.Errorf("no demo in %s: start one with 'vitalog demo': %w", dir, err)
	}
	g, err := node.LoadGenesis(filepath.Join(dir, "members", s.Members[0].Name))
	if err != nil {
		return nil, err
	}
	return &World{Dir: dir, State: s, Genesis: g, rings: map[string]*keyring.Ring{}}, nil
}

// Running tells whether every member answers.
func (w *World) Running(ctx context.Context) bool {
	for _, m := range w.State.Members {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.API+"/healthz", nil)
		if err != nil {
			return false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false
		}
	}
	return len(w.State.Members) > 0
}

// ring opens a member's keyring, once.
func (w *World) ring(name string) (*keyring.Ring, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.rings[name]; r != nil {
		return r, nil
	}
	dir := filepath.Join(w.Dir, "members", name)
	passphrase, err := Passphrase(dir)
	if err != nil {
		return nil, err
	}
	r, err := keyring.Open(filepath.Join(dir, node.KeyringFile), passphrase)
	if err != nil {
		return nil, err
	}
	w.rings[name] = r
	return r, nil
}

// Patient is the state of the patient with an app of that name.
func (w *World) Patient(app string) (*PatientState, bool) {
	for i := range w.State.Patients {
		if w.State.Patients[i].App == app {
			return &w.State.Patients[i], true
		}
	}
	return nil, false
}

// App opens a patient's keys and joins them with the home member.
func (w *World) App(name string) (*exchange.Patient, error) {
	keys, err := ownKeys(w.Dir, name)
	if err != nil {
		return nil, err
	}
	return w.app(keys), nil
}

func (w *World) app(keys *keyring.Patient) *exchange.Patient {
	n := Number(Pharmacy)
	return exchange.NewPatient(home.Dial(w.State.Members[n].API, w.Genesis, n, http.DefaultClient), keys)
}

// ownKeys opens the keys of the patient with an app of that name, in the demo in base.
func ownKeys(base, name string) (*keyring.Patient, error) {
	dir := filepath.Join(base, "patients", name)
	passphrase, err := Passphrase(dir)
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Open(filepath.Join(dir, node.KeyringFile), passphrase)
	if err != nil {
		return nil, err
	}
	return ring.Own()
}

// Staff is somebody who works at a member and uses its FHIR endpoint.
type Staff struct {
	base  string
	title string
	ring  *keyring.Ring
	who   exchange.Asker
}

// Staff lets who use the gateway of the member of that name.
func (w *World) Staff(name string, who exchange.Asker) (*Staff, error) {
	r, err := w.ring(name)
	if err != nil {
		return nil, err
	}
	m := w.State.Members[Number(name)]
	return &Staff{base: m.API, title: m.Title, ring: r, who: who}, nil
}

// Answer is what an endpoint said.
type Answer struct {
	Status int
	Body   []byte
}

// Do sends one request with a token of its own. path begins with a slash.
func (s *Staff) Do(ctx context.Context, method, path string, body []byte) (*Answer, error) {
	return s.send(ctx, method, path, body, s.who)
}

// Operate asks the member's running program for something as its operator, and fails unless it was done.
func (s *Staff) Operate(ctx context.Context, method, what string, body []byte) (*Answer, error) {
	a, err := s.send(ctx, method, node.ControlPrefix+what, body, exchange.Asker{Practitioner: "operator", Name: "Operator", Role: node.ControlRole, Purpose: "HOPERAT"})
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s: %d: %s", what, a.Status, strings.TrimSpace(string(a.Body)))
	}
	return a, err
}

func (s *Staff) send(ctx context.Context, method, path string, body []byte, who exchange.Asker) (*Answer, error) {
	token, err := gateway.IssueToken(s.ring.Tokens(), s.title, s.base+"/fhir", who, gateway.MaxTokenLife, time.Now())
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &Answer{Status: resp.StatusCode, Body: b}, err
}

// Post sends a bundle and fails unless all of it was taken.
func (s *Staff) Post(ctx context.Context, bundle []byte) error {
	a, err := s.Do(ctx, http.MethodPost, "/fhir", bundle)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("%d: %s", a.Status, a.Diagnostics())
	}
	return nil
}

// Diagnostics are the words of an OperationOutcome.
func (a *Answer) Diagnostics() string {
	var o struct {
		Issue []struct {
			Diagnostics string   `json:"diagnostics"`
			Expression  []string `json:"expression"`
		} `json:"issue"`
	}
	if json.Unmarshal(a.Body, &o) != nil || len(o.Issue) == 0 {
		return string(a.Body[:min(len(a.Body), 200)])
	}
	return strings.TrimSpace(strings.Join(o.Issue[0].Expression, " ") + " " + o.Issue[0].Diagnostics)
}
