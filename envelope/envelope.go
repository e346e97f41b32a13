// Package envelope seals one record and opens it: ciphertext, and a header with the locks that give its key to those who may read.
//
// It promises that a record opens only under the header that the ledger committed to, that every lock which opens it opens it to the
// same content, and that locks can be replaced for ever without touching ciphertext or ledger. It refuses, before it lets out a byte
// of it, any part of a ciphertext that is altered, reordered, cut off or another record's, and content larger than its caller wants.
//
//	header  ctx{network log writer salt created deflate}  com  padded 1024  H(blob)
//	        owner    R to the log's owner key               the patient opens alone
//	        reader 3 a to the reader key of epoch 3      ┐  a reader needs both: the grant
//	        network  b under the network key, gen 1      ┘  and the members' release
//	        author   R under its author's own key
//	blob    [ 64 KiB chunk ] [ 64 KiB chunk ] … [ last chunk ]   AES-256-GCM of content, 80, 00 00 …
//
// See spec/envelope.md.
package envelope

import (
	"crypto/rand"
	"fmt"

	"vitalog/key"
	"vitalog/threshold"
	"vitalog/wire"
)

// Context is what a record is about, for the machine: fixed at sealing, public, and authenticated with every chunk and lock.
type Context struct {
	Network    key.Network
	Log        key.Log
	Writer     key.Verifier // signs the append
	Salt       [16]byte     // makes the record's id, and keeps a destroyed record's commitment meaningless
	Created    uint64       // ms since 1970, by the writer's clock
	Compressed bool         // content is raw DEFLATE (RFC 1951) before padding
}

// NewContext draws the salt.
func NewContext(network key.Network, log key.Log, writer key.Verifier, created uint64, compressed bool) Context {
	c := Context{Network: network, Log: log, Writer: writer, Created: created, Compressed: compressed}
	rand.Read(c.Salt[:])
	return c
}

// Record is the id that the ledger knows the record by.
func (c *Context) Record() key.Record { return key.RecordID(c.Network, c.Log, c.Writer, c.Salt) }

// hash is CTX of the spec.
func (c *Context) hash() wire.Hash {
	rid, deflate := c.Record(), byte(0)
	if c.Compressed {
		deflate = 1
	}
	return wire.Sum("vitalog/v1/ctx", c.Network[:], c.Log[:], rid[:], c.Writer[:], c.Salt[:], wire.U64(c.Created), []byte{deflate})
}

// Header is all of an envelope but the ciphertext. It is kept by log and record, beside the blobs, because its locks change.
type Header struct {
	Context
	Com     wire.Hash    // key commitment: AES-GCM alone is not bound to one key
	Padded  uint64       // bytes of the padded plaintext
	Blob    wire.Hash    // SHA-256 of the ciphertext
	Owner   []byte       // nil: none, the log is in custody
	Readers []ReaderLock // one for an epoch, ascending; none without a network lock
	Network NetworkLock  // the zero value: none
	Author  []byte       // nil: none
}

// ReaderLock is a sealed to the reader key of an epoch.
type ReaderLock struct {
	Epoch uint32 // from 1
	Lock  []byte // lockSize bytes
}

// NetworkLock is b under the network key of a generation.
type NetworkLock struct {
	Gen uint32 // from 1
	U   threshold.Point2
	B   [32]byte // b, masked with the secret encapsulated in U
}

// Core is the commitment that goes on the ledger. Locks are not part of it.
func (h *Header) Core() wire.Hash {
	ctx := h.hash()
	return wire.Sum("vitalog/v1/core", ctx[:], h.Com[:], wire.U64(h.Padded), h.Blob[:])
}

// Check tells whether h is the header of the record that the ledger committed as rid, by writer, in log, with core and blob. Locks are
// not checked: a lock is right if what it yields fits Com.
func (h *Header) Check(network key.Network, log key.Log, rid key.Record, writer key.Verifier, core, blob wire.Hash) error {
	switch {
	case h.Context.Network != network:
		return fmt.Errorf("envelope of %v, want %v", h.Context.Network, network)
	case h.Log != log:
		return fmt.Errorf("envelope in %v, want %v", h.Log, log)
	case h.Writer != writer:
		return fmt.Errorf("envelope by %v, want %v", h.Writer, writer)
	case h.Record() != rid:
		return fmt.Errorf("envelope of %v, want %v", h.Record(), rid)
	case h.Blob != blob:
		return fmt.Errorf("envelope of blob %v, want %v", h.Blob, blob)
	case h.Core() != core:
		return fmt.Errorf("envelope with commitment %v, the ledger has %v", h.Core(), core)
	}
	return nil
}

// ReleaseID is the identity under which the network lock is made, and for which members give partial keys: always from the committed
// writer, so that a record id that somebody else appends again names another identity.
func ReleaseID(network key.Network, gen uint32, log key.Log, writer key.Verifier, rid key.Record) wire.Hash {
	return wire.Sum("vitalog/v1/release", network[:], wire.U64(uint64(gen)), log[:], writer[:], rid[:])
}
