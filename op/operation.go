// Package op has the formats of the ledger: signed operations, the transactions that carry them, the entries they become, the head of
// a log, and the genesis.
//
// It promises one encoding per value and strict decoding: what decodes encodes again to the same bytes, and everything else is
// refused with the field that is wrong. It refuses operations of another network before looking at the signature.
//
//	01 03 5fa1c2d4 log(32) signer(32) nonce(16) expires(8) len(4) body signature(64)
//	 │  │  └ first four bytes of the network id; the signature covers all 32
//	 │  └ kind: 3, grant
//	 └ format version
//
// See spec/operations.md.
package op

import (
	"crypto/rand"
	"errors"
	"fmt"

	"vitalog/key"
	"vitalog/wire"
)

// Version of all formats in this package.
const Version = 1

// Kind numbers an operation, and the entry it becomes. Numbers are permanent and never reused.
type Kind uint8

const (
	KindCreate       Kind = 1
	KindAppend       Kind = 2
	KindGrant        Kind = 3
	KindRevoke       Kind = 4
	KindAccess       Kind = 5
	KindRotate       Kind = 6
	KindRekeyOwner   Kind = 7
	KindRekeyGrantee Kind = 8
	KindBlock        Kind = 9  // erase: no more releases
	KindDestroy      Kind = 10 // erase: locks, salt and ciphertext deleted everywhere
	KindPost         Kind = 11
	KindKeep         Kind = 12 // an author keeps its copy of destroyed records
	KindDeleted      Kind = 13 // a member has deleted what was ordered destroyed
	KindStored       Kind = 15
	KindAnchor       Kind = 16

	// The others of 14 to 31 are reserved: claim once 14, propose 17, vote 18, governance tick 19, recovery 20, veto 21, release to
	// guardians 22, break-glass 23, confirm break-glass 24.

	KindHello   Kind = 32 // the ceremony of the network key
	KindCommit  Kind = 33
	KindReveal  Kind = 34
	KindVerdict Kind = 35
	KindJustify Kind = 36
	KindTick    Kind = 37

	KindRefusals Kind = 64 // only an entry: further refusals of a key in an hour, as a number
)

var kindNames = map[Kind]string{KindCreate: "create", KindAppend: "append", KindGrant: "grant", KindRevoke: "revoke", KindAccess: "access", KindRotate: "rotate", KindRekeyOwner: "rekey-owner",
	KindRekeyGrantee: "rekey-grantee", KindBlock: "erase-block", KindDestroy: "erase-destroy", KindPost: "post", KindKeep: "keep", KindDeleted: "deleted", KindStored: "stored", KindAnchor: "anchor", KindHello: "ceremony-hello", KindCommit: "ceremony-commit",
	KindReveal: "ceremony-reveal", KindVerdict: "ceremony-verdict", KindJustify: "ceremony-justify", KindTick: "ceremony-tick", KindRefusals: "refusals"}

// String is the kind's name as commands print it.
func (k Kind) String() string {
	if n, ok := kindNames[k]; ok {
		return n
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ErrNetwork says that an operation was signed for another network.
var ErrNetwork = errors.New("signed for another network")

// ErrSignature says that a signature does not verify.
var ErrSignature = errors.New("signature does not verify")

// Body is the part of an operation that differs by kind.
type Body interface {
	Kind() Kind
	append(w *wire.Writer)
	read(r *wire.Reader)
}

// Operation is one signed request to the ledger.
type Operation struct {
	Log     key.Log // zero for operations of members about the network
	Signer  key.Verifier
	Nonce   [16]byte
	Expires uint64 // ledger clock, ms; at most MaxWindow ahead
	Body    Body
	Sig     key.Signature

	id   wire.Hash
	size int
}

// Sign makes an operation with a fresh nonce.
func Sign(network key.Network, signer key.Signer, log key.Log, expires uint64, body Body) *Operation {
	var nonce [16]byte
	rand.Read(nonce[:])
	return SignAgain(network, signer, log, expires, nonce, body)
}

// SignAgain makes the operation that has that nonce: with the same arguments it is the same operation, which the ledger takes once.
func SignAgain(network key.Network, signer key.Signer, log key.Log, expires uint64, nonce [16]byte, body Body) *Operation {
	o := &Operation{Log: log, Signer: signer.Public(), Expires: expires, Nonce: nonce, Body: body}
	unsigned := o.unsigned(network)
	o.id, o.size = id(network, unsigned), len(unsigned)+len(o.Sig)
	o.Sig = signer.Sign(o.id[:])
	return o
}

// ID is the digest that is signed. It identifies the operation: a replay has the same.
func (o *Operation) ID() wire.Hash { return o.id }

// Size is the length of the encoding, in bytes.
func (o *Operation) Size() int { return o.size }

// Verify tells whether the signature is the signer's.
func (o *Operation) Verify() bool { return o.Signer.Verify(o.id[:], o.Sig) }

func id(network key.Network, unsigned []byte) wire.Hash {
	return wire.Sum("vitalog/v1/operation", network[:], unsigned)
}

func (o *Operation) unsigned(network key.Network) []byte {
	var body, w wire.Writer
	o.Body.append(&body)
	w.U8(Version)
	w.U8(uint8(o.Body.Kind()))
	w.Fixed(network[:4])
	w.Fixed(o.Log[:])
	w.Fixed(o.Signer[:])
	w.Fixed(o.Nonce[:])
	w.U64(o.Expires)
	w.Bytes(body.Done())
	return w.Done()
}

// Encode is the operation's only encoding.
func (o *Operation) Encode(network key.Network) []byte {
	return append(o.unsigned(network), o.Sig[:]...)
}

// Decode reads one operation of this network. It doesn't verify the signature: see Verify and key.Batch.
func Decode(network key.Network, b []byte) (*Operation, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != Version {
		return nil, fmt.Errorf("operation: format version %d, this program reads %d", v, Version)
	}
	kind := Kind(r.U8())
	var tag [4]byte
	r.Fixed(tag[:])
	if r.Err() == nil && tag != [4]byte(network[:4]) {
		return nil, fmt.Errorf("operation: %w", ErrNetwork)
	}
	o := &Operation{}
	r.Fixed(o.Log[:])
	r.Fixed(o.Signer[:])
	r.Fixed(o.Nonce[:])
	o.Expires = r.U64()
	body := r.Bytes(MaxBody)
	r.Fixed(o.Sig[:])
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("operation: %w", err)
	}
	if o.Body = newBody(kind); o.Body == nil {
		return nil, fmt.Errorf("operation: %v is not known to this version", kind)
	}
	br := wire.NewReader(body)
	o.Body.read(br)
	if err := br.End(); err != nil {
		return nil, fmt.Errorf("operation: %v: %w", kind, err)
	}
	o.id, o.size = id(network, b[:len(b)-len(o.Sig)]), len(b)
	return o, nil
}
