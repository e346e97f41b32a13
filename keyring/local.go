package keyring

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"vitalog/key"
	"vitalog/wire"
)

const (
	localVersion = 1
	saltSize     = 16

	// LocalOverhead is what SealLocal adds to a plaintext, in bytes.
	LocalOverhead = 1 + saltSize + 16
)

// SealLocal seals what the member keeps for itself: only this ring opens it, and only with the same context.
func (r *Ring) SealLocal(context, plaintext []byte) []byte {
	return sealWith(&r.local, context, plaintext)
}

// OpenLocal is the inverse of SealLocal, or key.ErrSealed.
func (r *Ring) OpenLocal(context, sealed []byte) ([]byte, error) {
	return openWith(&r.local, context, sealed)
}

// NameLocal is a pseudonym of name that only this ring can make: HMAC-SHA256, for keys of indices over what must not be read.
func (r *Ring) NameLocal(context string, name []byte) [32]byte {
	k := key.Derive(r.names[:], "vitalog/v1/local/name", []byte(context))
	m := hmac.New(sha256.New, k[:])
	m.Write(name)
	return [32]byte(m.Sum(nil))
}

// Author wraps the author locks of envelopes that the member writes.
func (r *Ring) Author() *Author { return &Author{secret: r.author} }

// Author is the member's key for author locks.
type Author struct {
	_      [0]func()
	secret [32]byte
}

// Wrap seals the author's half of an envelope's secret, bound to context, in 65 bytes.
func (a *Author) Wrap(context []byte, secret [32]byte) ([]byte, error) {
	return sealWith(&a.secret, context, secret[:]), nil
}

// Unwrap is the inverse of Wrap, or key.ErrSealed.
func (a *Author) Unwrap(context, sealed []byte) ([32]byte, error) {
	b, err := openWith(&a.secret, context, sealed)
	if err != nil {
		return [32]byte{}, err
	}
	if len(b) != 32 {
		return [32]byte{}, fmt.Errorf("author lock of %d bytes: %w", len(sealed), wire.ErrNonCanonical)
	}
	return [32]byte(b), nil
}

// LogValue keeps the key out of logs.
func (*Author) LogValue() slog.Value { return slog.StringValue("(secret)") }

// String keeps the key out of formatted text.
func (*Author) String() string { return "(author key)" }

// GoString keeps the key out of %#v.
func (a *Author) GoString() string { return a.String() }

// sealWith is version(1) ‖ salt(16) ‖ AES-256-GCM. The key is derived for the salt, so that the nonce may be zero and the number of
// messages under one secret is bounded by the collisions of salts (2^64), not of 96-bit nonces.
func sealWith(secret *[32]byte, context, plaintext []byte) []byte {
	out := make([]byte, 1+saltSize, LocalOverhead+len(plaintext))
	out[0] = localVersion
	rand.Read(out[1:])
	k := key.Derive(secret[:], "vitalog/v1/local/seal", out[1:])
	return newGCM(k[:]).Seal(out, make([]byte, 12), plaintext, context)
}

func openWith(secret *[32]byte, context, sealed []byte) ([]byte, error) {
	if len(sealed) < LocalOverhead {
		return nil, fmt.Errorf("sealed message of %d bytes: %w", len(sealed), wire.ErrTruncated)
	}
	if sealed[0] != localVersion {
		return nil, fmt.Errorf("sealed message: format version %d, this program reads %d: use a newer program", sealed[0], localVersion)
	}
	k := key.Derive(secret[:], "vitalog/v1/local/seal", sealed[1:1+saltSize])
	out, err := newGCM(k[:]).Open(nil, make([]byte, 12), sealed[1+saltSize:], context)
	if err != nil {
		return nil, key.ErrSealed
	}
	return out, nil
}
