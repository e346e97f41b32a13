package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"vitalog/wire"
)

// ErrCommitment says that what the locks yield is not the secret that the ledger committed to: a bad lock, or a bad partial key.
var ErrCommitment = errors.New("the key does not fit its commitment")

// Secret opens one envelope. It is R of the spec and, if it came by the network's lock and a reader's or the author's, the halves a and b.
type Secret struct {
	_      [0]func() // not comparable
	r      [32]byte
	a, b   [32]byte
	halves bool
}

// Keep copies R out, for the owner's own index (spec/claim.md). Nothing else calls it.
func (s *Secret) Keep() [32]byte { return s.r }

// join is R from its halves.
func join(ctx wire.Hash, a, b [32]byte) *Secret {
	r, err := hkdf.Extract(sha256.New, append(a[:], b[:]...), ctx[:])
	if err != nil {
		panic("envelope: " + err.Error()) // only in FIPS mode with short secrets
	}
	return &Secret{r: [32]byte(r), a: a, b: b, halves: true}
}

func (s *Secret) expand(label string) [32]byte {
	out, err := hkdf.Expand(sha256.New, s.r[:], label, 32)
	if err != nil {
		panic("envelope: " + err.Error()) // only for more than 8160 bytes
	}
	return [32]byte(out)
}

// com is the commitment to s.
func (s *Secret) com() wire.Hash { return s.expand("vitalog/v1/envelope/commit") }

// content is the cipher of the chunks.
func (s *Secret) content() cipher.AEAD {
	k := s.expand("vitalog/v1/envelope/content")
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("envelope: " + err.Error()) // 32 bytes are a key
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("envelope: " + err.Error()) // AES has GCM's block size
	}
	return gcm
}

// fits refuses a secret of another envelope.
func (h *Header) fits(s *Secret) error {
	com := s.com()
	if subtle.ConstantTimeCompare(com[:], h.Com[:]) != 1 {
		return ErrCommitment
	}
	return nil
}

// Format keeps the secret out of text, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "(envelope secret)") }

// LogValue keeps the secret out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }
