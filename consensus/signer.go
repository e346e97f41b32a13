package consensus

import (
	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"

	"vitalog/key"
)

// signer lets the engine sign with a key that it doesn't see.
type signer struct{ key.Signer }

// Bytes is empty: nobody gets the key.
func (s signer) Bytes() []byte { return nil }

func (s signer) Sign(message []byte) ([]byte, error) {
	sig := s.Signer.Sign(message)
	return sig[:], nil
}

func (s signer) PubKey() crypto.PubKey {
	v := s.Public()
	return ed25519.PubKey(v[:])
}

func (s signer) Equals(other crypto.PrivKey) bool { return s.PubKey().Equals(other.PubKey()) }
func (s signer) Type() string                     { return ed25519.KeyType }
