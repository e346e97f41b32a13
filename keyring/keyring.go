// Package keyring keeps the secrets of a member or of a patient in one sealed file and performs operations with them.
//
// It promises that no secret leaves it except as the 24 words of a patient who asks for them, or sealed; that a change is on disk when
// the method returns; and that a crash leaves the old ring or the new one. It refuses a wrong passphrase (ErrLocked) apart from a damaged
// file (ErrDamaged) and a file of a newer program, and it never makes a ring where one exists.
//
//	"vitalog keyring\n"  01  t=3 m=65536 KiB p=4  salt(16)  nonce(12)  AES-256-GCM(Argon2id(passphrase), …)  SHA-256 of all before
//
// A member's keys are derived from one secret of 32 bytes; only its ticket key (RSA) and its shares of the network key are kept as they
// are. A ring belongs to one process. See spec/keyring.md.
package keyring

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"vitalog/key"
	"vitalog/ticket"
)

// What a caller can do something about.
var (
	ErrLocked    = errors.New("the passphrase does not open the keyring")
	ErrDamaged   = errors.New("the keyring is damaged: restore it from a copy")
	ErrExists    = errors.New("there is a keyring already")
	ErrNoNetwork = errors.New("the keyring has joined no network yet")
	ErrNoTickets = errors.New("the keyring of a patient issues no tickets")
	ErrNoPatient = errors.New("the keyring holds no patient of its own")
	ErrNoShare   = errors.New("the keyring holds no share of that network key")
	ErrNoEpoch   = errors.New("the grant did not share that epoch")
	ErrCeremony  = errors.New("the keyring is in another ceremony")
)

// Ring is an open keyring. It is safe for concurrent use.
type Ring struct {
	_    [0]func()
	path string

	mu   sync.RWMutex // of what follows
	lock *lock        // what the file is sealed with
	s    *secrets

	member   *key.Signing // derived at Open, as are the following
	vote     *key.Signing
	node     *key.Signing
	tls      *key.Signing
	tokens   *key.Signing
	exchange *key.Decapsulating
	local    [32]byte
	names    [32]byte
	author   [32]byte
	storage  [32]byte
	tickets  *rsa.PrivateKey // nil in a patient's ring
}

// Create makes the ring of a member at path, which must not exist. It wipes the passphrase.
func Create(path string, passphrase []byte) (*Ring, error) {
	defer clear(passphrase)
	sk, err := rsa.GenerateKey(rand.Reader, ticket.KeyBits)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: ticket key: %w", path, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(sk)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: ticket key: %w", path, err)
	}
	return create(path, passphrase, &secrets{tickets: der})
}

// CreatePatient makes a patient's own ring at path, which must not exist: with the root that the 24 words tell, or with a new one if
// words is empty. It wipes the passphrase.
func CreatePatient(path string, passphrase []byte, words string) (*Ring, error) {
	defer clear(passphrase)
	root := key.NewRoot()
	if words != "" {
		var err error
		if root, err = rootOf(words); err != nil {
			return nil, fmt.Errorf("keyring %s: %w", path, err)
		}
	}
	return create(path, passphrase, &secrets{own: true, root: root.Reveal()})
}

func create(path string, passphrase []byte, s *secrets) (*Ring, error) {
	rand.Read(s.member[:])
	l, err := newLock(magic, passphrase)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	if err := writeNew(path, l.seal(s.encode())); err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	return open(path, l, s)
}

// Open opens the ring at path. It wipes the passphrase.
func Open(path string, passphrase []byte) (*Ring, error) {
	defer clear(passphrase)
	file, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	l, plain, err := unlock(magic, file, passphrase)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	defer clear(plain)
	s, err := decodeSecrets(plain)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w: %w", path, ErrDamaged, err)
	}
	return open(path, l, s)
}

func open(path string, l *lock, s *secrets) (*Ring, error) {
	derive := func(use string) [32]byte { return key.Derive(s.member[:], "vitalog/v1/member/"+use, nil) }
	r := &Ring{
		path: path, lock: l, s: s,
		member:   key.NewSigning(derive("sign")),
		vote:     key.NewSigning(derive("vote")),
		node:     key.NewSigning(derive("node")),
		tls:      key.NewSigning(derive("tls")),
		tokens:   key.NewSigning(derive("tokens")),
		exchange: key.NewDecapsulating(derive("exchange")),
		local:    derive("local"), names: derive("names"), author: derive("author"), storage: derive("storage"),
	}
	if len(s.tickets) > 0 {
		k, err := x509.ParsePKCS8PrivateKey(s.tickets)
		sk, ok := k.(*rsa.PrivateKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("keyring %s: ticket key: %w", path, ErrDamaged)
		}
		r.tickets = sk
	}
	return r, nil
}

// Join ties the ring to a network, durably and once: log ids and grant messages are bound to it.
func (r *Ring) Join(network key.Network) error {
	return r.change("joining "+network.String(), func(s *secrets) error {
		if s.joined && s.network != network {
			return fmt.Errorf("the ring belongs to %v", s.network)
		}
		s.joined, s.network = true, network
		return nil
	})
}

// Network is the network that the ring has joined, or ErrNoNetwork.
func (r *Ring) Network() (key.Network, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.s.joined {
		return key.Network{}, fmt.Errorf("keyring %s: %w", r.path, ErrNoNetwork)
	}
	return r.s.network, nil
}

// ChangePassphrase seals the ring anew. It wipes the passphrase. Copies of the old file still open with the old one.
func (r *Ring) ChangePassphrase(passphrase []byte) error {
	defer clear(passphrase)
	l, err := newLock(magic, passphrase)
	if err != nil {
		return fmt.Errorf("keyring %s: %w", r.path, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := replace(r.path, l.seal(r.s.encode())); err != nil {
		return fmt.Errorf("keyring %s: changing the passphrase: %w", r.path, err)
	}
	r.lock = l
	return nil
}

// change applies f to a copy of the secrets and puts the copy in their place when it is on disk. Nothing is written if f changes nothing.
func (r *Ring) change(what string, f func(*secrets) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.s.encode()
	defer clear(before)
	next, err := decodeSecrets(before)
	if err != nil {
		return fmt.Errorf("keyring %s: %s: %w", r.path, what, err)
	}
	if err := f(next); err != nil {
		return fmt.Errorf("keyring %s: %s: %w", r.path, what, err)
	}
	after := next.encode()
	defer clear(after)
	if string(after) == string(before) {
		return nil
	}
	if err := replace(r.path, r.lock.seal(after)); err != nil {
		return fmt.Errorf("keyring %s: %s: %w", r.path, what, err)
	}
	r.s.wipe()
	r.s = next
	return nil
}

// LogValue keeps secrets out of logs.
func (*Ring) LogValue() slog.Value { return slog.StringValue("(keyring)") }

// String keeps secrets out of formatted text.
func (*Ring) String() string { return "(keyring)" }

// GoString keeps secrets out of %#v.
func (r *Ring) GoString() string { return r.String() }
