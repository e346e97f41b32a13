package smart

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"vitalog/keyring"
	"vitalog/kv"
)

// store keeps what outlives the process, sealed under names that only the member's keyring can make: spec/smart.md.
//
//	c name(client)          a registered client
//	s name(client)          the digest of its secret
//	r name(line)            a line of refresh tokens
//	j name(issuer, jti)     an assertion that was used
//	v name(what)            an access token, line or client whose access tokens were revoked
//	k name("id")            the key that ID tokens are signed with
//	x time key              when r, j or v may go
type store struct {
	db   *kv.DB
	ring *keyring.Ring
}

const (
	clients    = "c"
	secrets    = "s"
	lines      = "r"
	assertions = "j"
	revoked    = "v"
	keys       = "k"
	ends       = "x"
)

func (s store) key(kind, name string) []byte {
	n := s.ring.NameLocal("vitalog/v1/smart/"+kind, []byte(name))
	return append([]byte(kind), n[:]...)
}

// get reads what is kept; found is false if nothing is.
func (s store) get(kind, name string, v any) (found bool, err error) {
	k := s.key(kind, name)
	sealed, err := s.db.Get(k)
	if err != nil || sealed == nil {
		return false, err
	}
	return true, s.open(k, sealed, v)
}

// has tells whether something is kept.
func (s store) has(kind, name string) (bool, error) {
	sealed, err := s.db.Get(s.key(kind, name))
	return sealed != nil, err
}

func (s store) open(k, sealed []byte, v any) error {
	plain, err := s.ring.OpenLocal(k, sealed)
	if err == nil {
		err = json.Unmarshal(plain, v)
	}
	if err != nil {
		return fmt.Errorf("authorization's store: %w", err)
	}
	return nil
}

// put keeps v, durably; until it ends, if it does.
func (s store) put(kind, name string, v any, until time.Time) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("authorization's store: %w", err)
	}
	k := s.key(kind, name)
	batch := []kv.Change{{Key: k, Value: s.ring.SealLocal(k, plain)}}
	if !until.IsZero() {
		batch = append(batch, kv.Change{Key: endKey(until, k), Value: []byte{}})
	}
	return s.db.Write(batch)
}

func (s store) drop(kind, name string) error {
	return s.db.Write([]kv.Change{{Key: s.key(kind, name)}})
}

func endKey(at time.Time, k []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte(ends), uint64(max(at.Unix(), 0))), k...)
}

// sweep drops some of what has ended. It may be interrupted at any point.
func (s store) sweep(now time.Time) error {
	const most = 1000
	var batch []kv.Change
	until := endKey(now, nil)
	enough := fmt.Errorf("enough")
	err := s.db.Scan([]byte(ends), until, func(k, _ []byte) error {
		k = append([]byte{}, k...)
		batch = append(batch, kv.Change{Key: k}, kv.Change{Key: k[len(until):]})
		if len(batch) >= most {
			return enough
		}
		return nil
	})
	if err != nil && err != enough || len(batch) == 0 {
		return err
	}
	return s.db.WriteLater(batch)
}

// pending is what waits in memory for its second step, by a secret. The zero value holds nothing.
type pending[T any] struct {
	mu  sync.Mutex
	all map[string]waiting[T]
}

type waiting[T any] struct {
	what T
	ends time.Time
}

// add gives what is to wait a name. It is false when too much waits already.
func (p *pending[T]) add(what T, ends, now time.Time) (name string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) >= maxPending {
		for n, w := range p.all {
			if !now.Before(w.ends) {
				delete(p.all, n)
			}
		}
		if len(p.all) >= maxPending {
			return "", false
		}
	}
	if p.all == nil {
		p.all = map[string]waiting[T]{}
	}
	name = secret()
	p.all[digest(name)] = waiting[T]{what, ends}
	return name, true
}

// get is what waits under a name.
func (p *pending[T]) get(name string, now time.Time) (what T, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.all[digest(name)]
	if !ok || !now.Before(w.ends) {
		return what, false
	}
	return w.what, true
}

// take is what waits under a name, and waits no longer.
func (p *pending[T]) take(name string, now time.Time) (what T, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.all[digest(name)]
	delete(p.all, digest(name))
	if !ok || !now.Before(w.ends) {
		return what, false
	}
	return w.what, true
}

// limiter slows down who fails again and again.
type limiter struct {
	now   func() time.Time
	mu    sync.Mutex
	began time.Time
	fails map[string]int
}

const maxFails = 30 // of one address and client in a minute

// tired tells whether somebody failed too often in this minute.
func (l *limiter) tired(who string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.began) >= time.Minute || len(l.fails) > maxPending {
		l.began, l.fails = now, map[string]int{}
	}
	return l.fails[who] >= maxFails
}

func (l *limiter) failed(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails[who]++
}
