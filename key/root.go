package key

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

// Root is a patient's secret, from which every log id and every key of the patient is derived. Whoever has it is the patient.
type Root struct {
	_      [0]func()
	secret [32]byte
}

// NewRoot draws a root.
func NewRoot() *Root {
	var r Root
	rand.Read(r.secret[:])
	return &r
}

// RootFrom takes over secret, as recovered from 24 words or opened from a keyring.
func RootFrom(secret [32]byte) *Root { return &Root{secret: secret} }

// Reveal copies the secret out, for the keyring's file and for the 24 words. Nothing else calls it.
func (r *Root) Reveal() [32]byte { return r.secret }

// SectionKeys are the keys of one log of the patient.
type SectionKeys struct {
	_       [0]func()
	Salt    [32]byte // of the log id
	Owner   *Signing
	Private *Decapsulating // the owner lock, details and posts are sealed to it
	reader  [32]byte
}

// Section derives the keys of section number s.
func (r *Root) Section(s uint8) *SectionKeys {
	label := func(what string) [32]byte { return Derive(r.secret[:], "vitalog/v1/root/"+what, []byte{s}) }
	return &SectionKeys{Salt: label("salt"), Owner: NewSigning(label("owner")), Private: NewDecapsulating(label("exchange")), reader: label("reader")}
}

// Log is the id of the section's log.
func (k *SectionKeys) Log(network Network) Log { return LogID(network, k.Owner.Public(), k.Salt) }

// ReaderSeed is the seed of the epoch's reader key: what a grant message hands to a grantee.
func (k *SectionKeys) ReaderSeed(epoch uint32) [32]byte {
	return Derive(k.reader[:], "vitalog/v1/reader", binary.BigEndian.AppendUint32(nil, epoch))
}

// Reader is the reader key of an epoch.
func (k *SectionKeys) Reader(epoch uint32) *Decapsulating {
	return NewDecapsulating(k.ReaderSeed(epoch))
}

// Derive is a 32-byte key for one use of a secret: HKDF-SHA256 with the use as salt and its context as info.
func Derive(secret []byte, use string, context []byte) [32]byte {
	prk, err := hkdf.Extract(sha256.New, secret, []byte(use))
	if err != nil {
		panic("key: " + err.Error()) // only in FIPS mode with short secrets
	}
	out, err := hkdf.Expand(sha256.New, prk, string(context), 32)
	if err != nil {
		panic("key: " + err.Error())
	}
	return [32]byte(out)
}

// Format keeps the secret out of text, whatever the verb.
func (Root) Format(f fmt.State, _ rune) { io.WriteString(f, "(patient root)") }

// LogValue keeps the secret out of logs.
func (Root) LogValue() slog.Value { return redacted }

// Format keeps the keys out of text, whatever the verb.
func (SectionKeys) Format(f fmt.State, _ rune) { io.WriteString(f, "(section keys)") }

// LogValue keeps the keys out of logs.
func (SectionKeys) LogValue() slog.Value { return redacted }
