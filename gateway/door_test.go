package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/directory"
	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/op"
)

// door is the gateway of a member whose node is not started: enough for all that needs no ledger.
type door struct {
	http.Handler
	token     string
	log       *bytes.Buffer
	directory *directory.Directory
	ready     error
}

func newDoor(t testing.TB, configure ...func(*gateway.Config)) *door {
	t.Helper()
	dir := t.TempDir()
	founded, err := found()
	if err != nil {
		t.Fatal(err)
	}
	genesis, ring := founded.genesis, founded.ring
	db, err := kv.Open(filepath.Join(dir, "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	store, err := blobstore.Open(filepath.Join(dir, "blobs"), db.Prefix("blobs/"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	m, err := exchange.New(exchange.Config{Genesis: genesis, Ring: ring, Store: store, Index: db.Prefix("index/"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	list, err := directory.Open(db, genesis, 0, ring.Member())
	if err != nil {
		t.Fatal(err)
	}
	d := &door{log: &bytes.Buffer{}, directory: list}
	c := gateway.Config{Member: m, Directory: list, Base: base, Tokens: tokenKey.Public(),
		Ready: func() error { return d.ready }, Log: slog.New(slog.NewJSONHandler(d.log, nil)), Now: func() time.Time { return noon }}
	for _, f := range configure {
		f(&c)
	}
	d.Handler = gateway.New(c)
	d.token = issue(t, time.Minute)
	return d
}

type founder struct {
	genesis *op.Genesis
	ring    *keyring.Ring
}

// found makes the one keyring that all doors share, because stretching its passphrase takes longer than the tests.
var found = sync.OnceValues(func() (*founder, error) {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ring, err := keyring.Create(filepath.Join(dir, "keyring"), []byte("correct horse battery staple"))
	if err != nil {
		return nil, err
	}
	self, err := ring.Public()
	if err != nil {
		return nil, err
	}
	self.Name, self.Kind, self.Validator, self.Endpoint, self.Peer = member, op.Provider, true, "localhost:1", "localhost:2"
	f := &founder{&op.Genesis{Version: op.Version, Name: "test", Founded: 1, Params: op.DefaultParams, Members: []op.Member{self}}, ring}
	return f, ring.Join(f.genesis.Network())
})

// do sends one request with a good token and JSON; the headers given, in pairs, replace that.
func (d *door) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+d.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// outcome is an OperationOutcome as a client reads it.
type outcome struct {
	ResourceType string
	Issue        []struct {
		Severity, Code, Diagnostics string
		Expression, Location        []string
	}
}

func readOutcome(t testing.TB, body io.Reader) outcome {
	t.Helper()
	var o outcome
	if err := json.NewDecoder(body).Decode(&o); err != nil {
		t.Fatalf("the answer is no JSON: %v", err)
	}
	if o.ResourceType != "OperationOutcome" || len(o.Issue) == 0 {
		t.Fatalf("the answer is no OperationOutcome: %+v", o)
	}
	return o
}

// bundle is a Bundle as a client reads it.
type bundle struct {
	Type  string
	Total int
	Link  []struct{ Relation, URL string }
	Entry []struct {
		FullURL  string
		Resource json.RawMessage
		Search   struct{ Mode string }
		Response struct {
			Status, Location, ETag, LastModified string
			Outcome                              *outcome
		}
	}
}

func readBundle(t testing.TB, body io.Reader) bundle {
	t.Helper()
	var b bundle
	if err := json.NewDecoder(body).Decode(&b); err != nil {
		t.Fatalf("the answer is no bundle: %v", err)
	}
	return b
}
