package smart

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fetcher gets keys from where clients registered that they are: from nowhere else, and not too often.
type fetcher struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]fetched
}

type fetched struct {
	keys []jose.JSONWebKey
	err  error
	at   time.Time
}

const (
	keysFresh = 5 * time.Minute
	keysAgain = 10 * time.Second // between two looks for a key that wasn't there
	keysTime  = 5 * time.Second
	maxKeys   = 64 << 10 // bytes
)

// keys are those at an address, looked for again if none has the id.
func (f *fetcher) keys(address, id string) ([]jose.JSONWebKey, error) {
	f.mu.Lock()
	have, ok := f.all[address]
	f.mu.Unlock()
	age := f.now().Sub(have.at)
	known := slices.ContainsFunc(have.keys, func(k jose.JSONWebKey) bool { return k.KeyID == id })
	if ok && (known && age < keysFresh || !known && age < keysAgain) {
		return have.keys, have.err
	}
	have = fetched{at: f.now()}
	have.keys, have.err = fetch(address)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil || len(f.all) > maxPending {
		f.all = map[string]fetched{}
	}
	f.all[address] = have
	return have.keys, have.err
}

func fetch(address string) ([]jose.JSONWebKey, error) {
	c := http.Client{Timeout: keysTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(address)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys+1))
	if err != nil || resp.StatusCode != http.StatusOK || len(raw) > maxKeys {
		return nil, fmt.Errorf("keys at a client's jwks_uri: status %d, %d bytes: %w", resp.StatusCode, len(raw), errors.Join(err, errors.New("not a set of keys")))
	}
	return parseKeys(raw)
}
