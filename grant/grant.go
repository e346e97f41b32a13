// Package grant has the sealed messages around a grant: the wish for one, who is behind a key, the keys that come with it, and what is
// told of each access under it.
//
// It promises that each opens only where it belongs: network, log and key are bound into the seal, so that a message moved to another log
// or key is refused; and that a member's words carry the signature of its long-term key from the genesis. It refuses text with control
// characters, unknown sections and every encoding but the one. Sealed lengths tell a class of 512 bytes, no more.
//
//	member  → patient   Request      who asks, for which sections, for how long; with an Introduction per grantee key
//	patient → member    Message      terms and reader seeds; its SHA-256 stands in the grant entry
//	patient → member    Answer       which sections were granted, in which logs
//	member  → patient   Detail       practitioner and reason of one access; its SHA-256 stands in the access entry
//
// See spec/grant.md and spec/access.md.
package grant

import (
	"fmt"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/section"
	"vitalog/wire"
)

const messageInfo = "vitalog/v1/grant"

// Message tells a grantee what it was granted. The seeds that travel with it are kept apart, so that a Message can be shown.
type Message struct {
	Network   key.Network
	Log       key.Log
	Section   section.Section
	Purpose   string        // v3-ActReason code that the grantee key was made for
	Patient   string        // logical id of the Patient resource, the same at every reader
	Owner     key.Exchange  // of the log: what access details are sealed to
	Custodial bool          // the log has no owner lock yet: a custodian keeps it
	Handle    Handle        // where requests to the patient go
	Label     string        // what the patient calls the grant, at most MaxLabel bytes
	Terms     consent.Terms // as in the grant entry; Key is the grantee key
}

// Seal encodes the message with the reader seeds of the epochs shared, ascending, and seals it to the grantee's exchange key.
func (m *Message) Seal(to *key.Exchange, seeds []Seed) ([]byte, error) {
	b := m.encode(seeds)
	if _, _, err := decodeMessage(b); err != nil {
		return nil, fmt.Errorf("grant message for %v: %w", m.Log, err)
	}
	return seal(to, messageInfo, messageContext(m.Network, m.Log, m.Terms.Key), b)
}

// Open opens a message that was sealed to o for this grantee key in this log.
func Open(o key.Opener, network key.Network, log key.Log, grantee key.Verifier, sealed []byte) (*Message, []Seed, error) {
	b, err := open(o, messageInfo, messageContext(network, log, grantee), sealed)
	if err != nil {
		return nil, nil, fmt.Errorf("grant message for %v: %w", log, err)
	}
	m, seeds, err := decodeMessage(b)
	if err != nil {
		return nil, nil, fmt.Errorf("grant message for %v: %w", log, err)
	}
	if m.Network != network || m.Log != log || m.Terms.Key != grantee {
		return nil, nil, fmt.Errorf("grant message for %v: it was written for another log or key", log)
	}
	return m, seeds, nil
}

// Hash is the SHA-256 of a sealed message: its name as a blob, and what the grant entry or the access entry holds.
func Hash(sealed []byte) wire.Hash { return blobHash(sealed) }

func messageContext(network key.Network, log key.Log, grantee key.Verifier) []byte {
	return concat(network[:], log[:], grantee[:])
}

func (m *Message) encode(seeds []Seed) []byte {
	var w wire.Writer
	w.U8(Version)
	w.Fixed(m.Network[:])
	w.Fixed(m.Log[:])
	w.U8(uint8(m.Section))
	w.Bytes([]byte(m.Purpose))
	w.Bytes([]byte(m.Patient))
	w.Fixed(m.Owner[:])
	w.Bool(m.Custodial)
	w.Fixed(m.Handle.Inbox[:])
	w.Fixed(m.Handle.Key[:])
	w.Bytes([]byte(m.Label))
	appendTerms(&w, &m.Terms)
	appendSeeds(&w, seeds)
	return w.Done()
}

func decodeMessage(b []byte) (*Message, []Seed, error) {
	r := wire.NewReader(b)
	readVersion(r)
	m := &Message{}
	r.Fixed(m.Network[:])
	r.Fixed(m.Log[:])
	m.Section = readSection(r)
	m.Purpose = readPurpose(r)
	m.Patient = readLine(r, MaxID)
	r.Fixed(m.Owner[:])
	m.Custodial = r.Bool()
	r.Fixed(m.Handle.Inbox[:])
	r.Fixed(m.Handle.Key[:])
	m.Label = readLine(r, MaxLabel)
	readTerms(r, &m.Terms)
	seeds := readSeeds(r)
	if err := r.End(); err != nil {
		return nil, nil, err
	}
	if _, err := key.ParseExchange(m.Owner[:]); err != nil {
		return nil, nil, err
	}
	return m, seeds, nil
}
