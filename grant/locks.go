package grant

import (
	"fmt"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

const locksDomain = "vitalog/v1/claim/locks"

// Locks asks a grantee for owner locks of records, which it opens for it like any others. The log's owner has signed it.
type Locks struct {
	Chart   string
	Log     key.Log
	Owner   *key.Exchange // that the locks are made for
	At      uint64        // ms
	Entries []uint64      // 1 to MaxLocks, ascending
}

// Sign encodes and signs it for a member.
func (l *Locks) Sign(owner key.Signer, network key.Network, member uint16) ([]byte, error) {
	chart, err := chartBytes(l.Chart)
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(Version)
	w.Fixed(chart[:])
	w.Fixed(l.Log[:])
	w.Fixed(l.Owner[:])
	w.U64(l.At)
	w.U8(uint8(len(l.Entries)))
	for _, e := range l.Entries {
		w.U64(e)
	}
	d := locksDigest(network, member, w.Done())
	sig := owner.Sign(d[:])
	w.Fixed(sig[:])
	_, _, err = decodeLocks(w.Done())
	return w.Done(), err
}

// DecodeLocks reads what a member was asked; by tells whether a key is an owner's of the log.
func DecodeLocks(b []byte, network key.Network, member uint16, owners func(*Locks) ([]key.Verifier, error)) (*Locks, error) {
	l, sig, err := decodeLocks(b)
	if err != nil {
		return nil, fmt.Errorf("asking for owner locks: %w", err)
	}
	keys, err := owners(l)
	if err != nil {
		return nil, err
	}
	d := locksDigest(network, member, b[:len(b)-len(sig)])
	for _, k := range keys {
		if k.Verify(d[:], sig) {
			return l, nil
		}
	}
	return nil, fmt.Errorf("asking for owner locks: %w", op.ErrSignature)
}

func locksDigest(network key.Network, member uint16, unsigned []byte) wire.Hash {
	var w wire.Writer
	w.U16(member)
	return wire.Sum(locksDomain, network[:], w.Done(), unsigned)
}

func decodeLocks(b []byte) (*Locks, key.Signature, error) {
	r := wire.NewReader(b)
	readVersion(r)
	var chart [16]byte
	r.Fixed(chart[:])
	l := &Locks{Chart: chartText(chart)}
	r.Fixed(l.Log[:])
	owner := r.Take(key.ExchangeSize)
	l.At = r.U64()
	n := int(r.U8())
	if r.Err() == nil && (n == 0 || n > MaxLocks) {
		r.Fail(fmt.Errorf("%d records, want 1 to %d: %w", n, MaxLocks, wire.ErrOversized))
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		e := r.U64()
		if r.Err() == nil && i > 0 && e <= l.Entries[i-1] {
			r.Fail(fmt.Errorf("entries out of order: %w", wire.ErrNonCanonical))
		}
		l.Entries = append(l.Entries, e)
	}
	var sig key.Signature
	r.Fixed(sig[:])
	if err := r.End(); err != nil {
		return nil, sig, err
	}
	var err error
	l.Owner, err = key.ParseExchange(owner)
	return l, sig, err
}

// EncodeGiven is the answer to Locks: a lock for each entry, empty for one that did not open.
func EncodeGiven(locks [][]byte) []byte {
	var w wire.Writer
	w.U8(Version)
	w.U8(uint8(len(locks)))
	for _, l := range locks {
		w.Bytes(l)
	}
	return w.Done()
}

// DecodeGiven reads the answer to Locks of that many entries.
func DecodeGiven(b []byte, entries int) ([][]byte, error) {
	r := wire.NewReader(b)
	readVersion(r)
	if n := int(r.U8()); r.Err() == nil && n != entries {
		r.Fail(fmt.Errorf("%d owner locks, want %d: %w", n, entries, wire.ErrNonCanonical))
	}
	out := make([][]byte, entries)
	for i := range out {
		out[i] = r.Bytes(MaxLock)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("owner locks: %w", err)
	}
	return out, nil
}
