package grant

import (
	"fmt"

	"vitalog/key"
	"vitalog/section"
	"vitalog/wire"
)

const answerInfo = "vitalog/v1/answer"

// Answer tells a requester what became of its request. It is signed by the owner of the inbox.
type Answer struct {
	Request RequestID
	Granted []Given           // ascending by section
	Denied  []section.Section // ascending
	Note    string            // in words
}

// Given is one section that the patient agreed to.
type Given struct {
	Section section.Section
	Log     key.Log
	Entry   uint64 // of the grant; 0: the patient waits for the introduction of a key for this log
}

// Seal signs with the owner key of the inbox and seals to the asking member's exchange key.
func (a *Answer) Seal(to *key.Exchange, owner key.Signer, network key.Network, inbox key.Log) ([]byte, error) {
	var w wire.Writer
	a.append(&w)
	d := answerDigest(network, inbox, w.Done())
	sig := owner.Sign(d[:])
	w.Fixed(sig[:])
	if _, _, err := decodeAnswer(w.Done()); err != nil {
		return nil, fmt.Errorf("answer from %v: %w", inbox, err)
	}
	return seal(to, answerInfo, concat(network[:], inbox[:]), w.Done())
}

// OpenAnswer opens an answer from an inbox and checks that owner, an owner key in the head of that log, has signed it.
func OpenAnswer(o key.Opener, network key.Network, inbox key.Log, owner key.Verifier, sealed []byte) (*Answer, error) {
	b, err := open(o, answerInfo, concat(network[:], inbox[:]), sealed)
	if err != nil {
		return nil, fmt.Errorf("answer from %v: %w", inbox, err)
	}
	a, sig, err := decodeAnswer(b)
	if err != nil {
		return nil, fmt.Errorf("answer from %v: %w", inbox, err)
	}
	if d := answerDigest(network, inbox, b[:len(b)-len(sig)]); !owner.Verify(d[:], sig) {
		return nil, fmt.Errorf("answer from %v: signature of its owner does not verify", inbox)
	}
	return a, nil
}

func answerDigest(network key.Network, inbox key.Log, unsigned []byte) wire.Hash {
	return wire.Sum(answerInfo, network[:], inbox[:], unsigned)
}

func (a *Answer) append(w *wire.Writer) {
	w.U8(Version)
	w.Fixed(a.Request[:])
	w.U8(uint8(len(a.Granted)))
	for i := range a.Granted {
		w.U8(uint8(a.Granted[i].Section))
		w.Fixed(a.Granted[i].Log[:])
		w.U64(a.Granted[i].Entry)
	}
	appendSections(w, a.Denied)
	w.Bytes([]byte(a.Note))
}

func decodeAnswer(b []byte) (*Answer, key.Signature, error) {
	r := wire.NewReader(b)
	readVersion(r)
	a := &Answer{}
	r.Fixed(a.Request[:])
	for range int(r.U8()) {
		x := Given{Section: readSection(r)}
		r.Fixed(x.Log[:])
		x.Entry = r.U64()
		if r.Err() != nil {
			break
		}
		if n := len(a.Granted); n > 0 && x.Section <= a.Granted[n-1].Section {
			r.Fail(fmt.Errorf("sections out of order: %w", wire.ErrNonCanonical))
		}
		a.Granted = append(a.Granted, x)
	}
	a.Denied = readSections(r)
	a.Note = readLines(r, MaxReason)
	var sig key.Signature
	r.Fixed(sig[:])
	return a, sig, r.End()
}
