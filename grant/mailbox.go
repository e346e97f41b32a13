package grant

import (
	"encoding/base64"
	"fmt"
	"strings"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// Mailbox is the blob that the rotation of a reader key names: the new seed, as a grant message, for each reader that remains.
type Mailbox struct{ Letters []Letter }

// Letter is the sealed grant message for one grantee key.
type Letter struct {
	Key    key.Verifier
	Sealed []byte
}

// Encode is the mailbox's only encoding. Letters stand in the order of their keys' grants.
func (m *Mailbox) Encode() []byte {
	var w wire.Writer
	w.U8(Version)
	w.U32(uint32(len(m.Letters)))
	for i := range m.Letters {
		w.Fixed(m.Letters[i].Key[:])
		w.Bytes(m.Letters[i].Sealed)
	}
	return w.Done()
}

// DecodeMailbox reads a mailbox. The letters open with Open.
func DecodeMailbox(b []byte) (*Mailbox, error) {
	r := wire.NewReader(b)
	readVersion(r)
	m := &Mailbox{Letters: make([]Letter, r.Count(op.MaxGrants, 36))}
	for i := range m.Letters {
		r.Fixed(m.Letters[i].Key[:])
		m.Letters[i].Sealed = r.Bytes(op.MaxSealed)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	return m, nil
}

// Handle is where requests to a patient go: the inbox log, and the hash of the exchange key that they are sealed to, which any member
// serves as a blob. It stands on a card or in a QR code. It tells no name, and who has it can ask, not read.
type Handle struct {
	Inbox key.Log
	Key   wire.Hash
}

const handlePrefix = "vitalog:"

// String is the handle as a card carries it.
func (h Handle) String() string {
	return handlePrefix + base64.RawURLEncoding.EncodeToString(concat(h.Inbox[:], h.Key[:]))
}

// ParseHandle reads a card. A handle has one spelling: encoding/base64 skips line breaks even when it is strict, so what was read is written again and compared.
func ParseHandle(text string) (Handle, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(text, handlePrefix))
	if err == nil && len(b) == 64 {
		if h := (Handle{Inbox: key.Log(b[:32]), Key: wire.Hash(b[32:])}); h.String() == text {
			return h, nil
		}
	}
	return Handle{}, fmt.Errorf("%q… is no handle of a patient: want %s and 86 characters", text[:min(len(text), 12)], handlePrefix)
}
