package home_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/home"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// weak is a home whose network fails, or whose time has passed, when a test says so.
type weak struct {
	exchange.Home
	down, over bool
}

func (w *weak) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	if w.down {
		return nil, errors.New("no network")
	}
	return w.Home.Submit(ctx, ops...)
}

func (w *weak) Head(ctx context.Context, log key.Log) (*op.Head, error) {
	h, err := w.Home.Head(ctx, log)
	if err == nil && w.over {
		for i := range h.Grants {
			h.Grants[i].Until = 1
		}
	}
	return h, err
}

// linked is a member with the health links of one patient.
type linked struct {
	t       *testing.T
	n       *node.Node
	keys    *keyring.Patient
	home    *weak
	db      *kv.DB
	service *httptest.Server // for the app
	door    *httptest.Server // for viewers
	seeds   byte
}

// made is a link, and what is in it.
type made struct {
	token string
	grant uint64
	file  []byte
}

const code = "402958"

func newLinked(t *testing.T, n *node.Node) *linked {
	_, keys, err := n.Ring.NewPatient()
	if err != nil {
		t.Fatal(err)
	}
	if err := exchange.NewPatient(n.Member, keys).Enrol(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := kv.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l := &linked{t: t, n: n, keys: keys, home: &weak{Home: n.Member}, db: db}
	l.open()
	return l
}

// open starts the service, as after a restart.
func (l *linked) open() {
	quiet := slog.New(slog.DiscardHandler)
	links, err := home.OpenLinks(l.home, l.n.Ring, l.db, "https://home.example", quiet)
	if err != nil {
		l.t.Fatal(err)
	}
	l.service, l.door = httptest.NewServer(home.NewServer(l.home, links, quiet)), httptest.NewServer(links)
	l.t.Cleanup(l.service.Close)
	l.t.Cleanup(l.door.Close)
}

func (l *linked) log() key.Log { return l.keys.Log(section.Index) }

func (l *linked) submit(b op.Body) uint64 {
	l.t.Helper()
	o := op.Sign(l.n.Genesis.Network(), l.keys.Owner(section.Index), l.log(), uint64(time.Now().Add(time.Minute).UnixMilli()), b)
	r, err := l.n.Member.Submit(l.t.Context(), o)
	if err != nil || r[0].Err() != nil {
		l.t.Fatal(err, r[0].Err())
	}
	return r[0].First
}

// grant puts a link on the ledger; change may spoil its terms.
func (l *linked) grant(change func(*consent.Terms)) made {
	l.t.Helper()
	l.seeds++
	seed := sha256.Sum256([]byte{l.seeds})
	m := made{token: base64.RawURLEncoding.EncodeToString(seed[:]), file: fmt.Appendf(nil, "e30..iv.sealed-%d.tag", l.seeds)}
	x := grant.NewLink(seed, code)
	x.Network, x.Log, x.ID = l.n.Genesis.Network(), l.log(), sha256.Sum256(seed[:])
	x.Owner, x.File, x.Size = *l.keys.Private(section.Index).Exchange(), sha256.Sum256(m.file), uint32(len(m.file))
	to, err := key.ParseExchange(l.n.Genesis.Members[l.n.Number].Exchange)
	if err != nil {
		l.t.Fatal(err)
	}
	sealed, err := x.Seal(to)
	if err != nil {
		l.t.Fatal(err)
	}
	message, err := l.n.Member.PutBlob(l.t.Context(), sealed)
	if err != nil {
		l.t.Fatal(err)
	}
	t := consent.Terms{Key: x.Key().Public(), Rights: consent.Read, Ranges: []consent.Range{{From: 0, To: 1}}, Until: uint64(time.Now().Add(time.Hour).UnixMilli()), Uses: 2}
	change(&t)
	m.grant = l.submit(&op.Grant{Terms: t, Message: message})
	return m
}

func (l *linked) put(m made) int {
	l.t.Helper()
	log := l.log()
	r, err := http.Post(l.service.URL+"/app/v1/put-link", "application/octet-stream", bytes.NewReader(append(append(log[:], wire.U64(m.grant)...), m.file...)))
	if err != nil {
		l.t.Fatal(err)
	}
	r.Body.Close()
	return r.StatusCode
}

// made puts a link on the ledger and has it kept.
func (l *linked) made() made {
	l.t.Helper()
	m := l.grant(func(*consent.Terms) {})
	if got := l.put(m); got != http.StatusOK {
		l.t.Fatalf("a link is not kept: %d", got)
	}
	return m
}

// said is an answer of the door.
type said struct {
	status   int
	headers  http.Header
	body     string
	embedded string
	location string
	left     int
}

func (l *linked) ask(token, request string) (s said) {
	l.t.Helper()
	r, err := http.Post(l.door.URL+"/shl/"+token, "application/json", strings.NewReader(request))
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	s.status, s.headers, s.body = r.StatusCode, r.Header, string(b)
	s.headers.Del("Date")
	var m struct {
		Files             []struct{ Embedded, Location string }
		RemainingAttempts int
	}
	if json.Unmarshal(b, &m) == nil {
		s.left = m.RemainingAttempts
		if len(m.Files) == 1 {
			s.embedded, s.location = m.Files[0].Embedded, m.Files[0].Location
		}
	}
	return s
}

func as(passcode string) string {
	return fmt.Sprintf(`{"recipient":"Dr. Ruiz","passcode":%q,"more":1}`, passcode)
}

// together asks several times at once, and counts the answers by status.
func (l *linked) together(token, request string, times int) map[int]int {
	got := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range times {
		all.Go(func() {
			s := l.ask(token, request)
			mu.Lock()
			got[s.status]++
			mu.Unlock()
		})
	}
	all.Wait()
	return got
}

// rows are the accesses in the log, with what the patient is told.
func (l *linked) rows() (allowed, refused []*grant.Detail) {
	l.t.Helper()
	entries, err := l.n.Member.Entries(l.t.Context(), l.log(), 0, 1<<20)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range entries {
		a, ok := e.Says.(*op.Accessed)
		if !ok {
			continue
		}
		sealed, err := l.n.Member.Blob(l.t.Context(), a.Detail)
		if err != nil {
			l.t.Fatal(err)
		}
		d, err := grant.OpenDetail(l.keys.Private(section.Index), l.n.Genesis, grant.Use{Network: l.n.Genesis.Network(), Log: l.log(), Session: a.Session, Grantee: e.Signer}, sealed)
		if err != nil {
			l.t.Fatal(err)
		}
		if a.Why == consent.Allowed {
			allowed = append(allowed, d)
		} else {
			refused = append(refused, d)
		}
	}
	return allowed, refused
}

// keepsLinks holds what a member promises of health links.
func keepsLinks(t *testing.T, n *node.Node) {
	l := newLinked(t, n)

	m := l.made()
	l.home.down = true
	for _, passcode := range []string{code, "000000"} {
		if s := l.ask(m.token, as(passcode)); s.status != http.StatusServiceUnavailable || s.headers.Get("Retry-After") == "" || strings.Contains(s.body, "sealed-") {
			t.Errorf("passcode %s without a network: %d %s", passcode, s.status, s.body)
		}
	}
	l.home.down = false
	if allowed, refused := l.rows(); len(allowed)+len(refused) != 0 {
		t.Errorf("%d rows of what nobody was given", len(allowed)+len(refused))
	}
	s := l.ask(m.token, `{"recipient":" Dr.\u202e Ruiz\u0007 ","passcode":"402958","extension":{}}`)
	allowed, _ := l.rows()
	if s.status != http.StatusOK || s.embedded != string(m.file) || len(allowed) != 1 {
		t.Fatalf("opened: %d %s, %d rows", s.status, s.body, len(allowed))
	}
	if d := allowed[0]; d.Name != "Dr.  Ruiz" || !d.Machine || d.Purpose != "PATRQT" || int(d.Member) != n.Number {
		t.Errorf("the row says %+v", d)
	}
	if s := l.ask(m.token, `{"recipient":"Dr. Ruiz"}`); s.status != http.StatusUnauthorized || s.left != 4 {
		t.Errorf("no passcode, after one wrong one: %d %s", s.status, s.body)
	}
	for _, bad := range []string{"", "[]", `{"passcode":"402958"}`, `{"recipient":" ","passcode":"402958"}`, `{"recipient":"x","passcode":7}`, `{"recipient":"` + strings.Repeat("x", 9000) + `"}`} {
		if s := l.ask(m.token, bad); s.status != http.StatusBadRequest {
			t.Errorf("%.40q: %d", bad, s.status)
		}
	}

	l.open() // a restart forgets no wrong passcode
	if s := l.ask(m.token, as("1")); s.status != http.StatusUnauthorized || s.left != 3 {
		t.Errorf("a wrong passcode after a restart: %d %s", s.status, s.body)
	}
	if got := l.together(m.token, as("999999"), 12); got[401] != 3 || got[404] != 9 {
		t.Errorf("twelve wrong passcodes at once, where three were left: %v", got)
	}
	if s := l.ask(m.token, as(code)); s.status != http.StatusNotFound {
		t.Errorf("the right passcode after five wrong ones: %d", s.status)
	}
	if _, refused := l.rows(); len(refused) != 4 || refused[0].Name != "Dr. Ruiz" || refused[0].Reason != "wrong passcode" {
		t.Errorf("%d refused rows, want 4: one of the five wrong passcodes came while there was no network", len(refused))
	}

	m = l.made()
	if got := l.together(m.token, as(code), 6); got[200] != 2 || got[404] != 4 {
		t.Errorf("six at once of a link with two uses: %v", got)
	}

	m = l.made()
	get := func(location string) (int, string) {
		r, err := http.Get(l.door.URL + strings.TrimPrefix(location, "https://home.example"))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, r.Header.Get("Content-Type") + " " + string(b)
	}
	small := `{"recipient":"Dr. Ruiz","passcode":"402958","embeddedLengthMax":10}`
	first, second := l.ask(m.token, small), l.ask(m.token, small)
	if first.embedded != "" || first.location == second.location {
		t.Fatalf("too large for the answer: %s", first.body)
	}
	if code, got := get(first.location); code != http.StatusOK || got != "application/jose "+string(m.file) {
		t.Errorf("the location: %d %s", code, got)
	}
	if code, _ := get(first.location); code != http.StatusNotFound {
		t.Errorf("the location again: %d", code)
	}
	l.submit(&op.Revoke{Grant: m.grant})
	if code, _ := get(second.location); code != http.StatusNotFound {
		t.Errorf("a location after the stop: %d", code)
	}

	// What was stopped, has ended or never was can't be told apart.
	ended := l.made()
	unknown := l.ask(strings.Repeat("A", 43), as(code))
	l.home.over = true
	over := l.ask(ended.token, as(code))
	l.home.over = false
	for name, s := range map[string]said{"stopped": l.ask(m.token, as(code)), "ended": over, "no token": l.ask("x", as(code))} {
		if s.status != 404 || fmt.Sprint(s) != fmt.Sprint(unknown) {
			t.Errorf("%s: %v, and unknown: %v", name, s, unknown)
		}
	}

	// The ledger's grant says what is kept, and nothing else does.
	altered := l.grant(func(*consent.Terms) {})
	altered.file = append([]byte("x"), altered.file[1:]...)
	for name, m := range map[string]made{
		"an altered file": altered, "no end": l.grant(func(t *consent.Terms) { t.Until = 0 }), "no last use": l.grant(func(t *consent.Terms) { t.Uses = 0 }),
		"two entries": l.grant(func(t *consent.Terms) { t.Ranges[0].To = 2 }), "more rights": l.grant(func(t *consent.Terms) { t.Rights |= consent.Write }),
		"another key": l.grant(func(t *consent.Terms) { t.Key = key.NewSigning([32]byte{9}).Public() }),
	} {
		if got := l.put(m); got != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := l.put(made{grant: 0}); got != http.StatusNotFound {
		t.Errorf("what is no grant: %d", got)
	}
	if got := l.put(m); got != http.StatusNotFound {
		t.Errorf("a link that was stopped: %d", got)
	}

	got := l.together(l.made().token, `{"recipient":"x"}`, 80)
	if got[401] == 0 || got[429] == 0 || got[401]+got[429] != 80 {
		t.Errorf("eighty calls at once: %v", got)
	}
	err := l.db.Scan(nil, nil, func(k, v []byte) error {
		if both := string(k) + string(v); strings.Contains(both, code) || strings.Contains(both, "sealed-") {
			t.Errorf("the disk has a passcode or a file in the open")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
