// Package chart turns sealed records into FHIR resources: what is inside an envelope, and how the entries of a patient's logs fold into
// the resources that a reader sees.
//
// It promises the same chart to everyone who opened the same entries: a gateway, the patient's browser, an auditor. It refuses an
// amendment by anybody but the author: such an item changes nothing and is reported.
//
//	labs entry 4    Observation/a               by member A
//	labs entry 9    Observation/a  over 4       by member A      Observation/a is version 9, its history 4, 9
//	labs entry 12   Observation/a  over 9       by member B      reported: not the author
//
// See spec/content.md.
package chart

import (
	"errors"
	"fmt"

	"vitalog/fhir"
	"vitalog/key"
	"vitalog/wire"
)

// contentVersion of the format.
const contentVersion = 1

// Limits of a content.
const (
	MaxItems      = 10_000
	MaxContent    = 128 << 20 // bytes, encoded
	MaxSupersedes = 64        // entries that one item replaces
	MaxRefs       = 100_000   // references of one item that are rewritten
	MaxReference  = 2048      // bytes of a reference
	MaxText       = 512       // bytes of a name, practitioner or role
)

// Status says what an item does to its resource. The numbers are permanent.
type Status uint8

const (
	Active         Status = 1
	EnteredInError Status = 2 // shown, and marked as never having been true
	Deleted        Status = 3 // no more; the item holds no resource
)

func (s Status) String() string {
	switch s {
	case Active:
		return "active"
	case EnteredInError:
		return "entered-in-error"
	case Deleted:
		return "deleted"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Author is who wrote a content. Key answers for the rest: it is a member's long-term signing key, which the genesis lists, or the key of
// a patient or device that wrote the entry itself, and then nothing else is said.
type Author struct {
	Member       string // the organisation's name
	Key          key.Verifier
	Practitioner string // id at the member; "" for a machine, a device or the patient
	Name         string // the practitioner's, as people read it
	Role         string // "physician", "laboratory system"
}

// Ref is a reference as it was received and as readers see it: urn:uuid:… becomes Patient/….
type Ref struct{ From, To string }

// Item is one resource, or the end of one.
type Item struct {
	Type       string
	ID         string // the logical id, chosen at the first write and the same for every reader
	Status     Status
	Supersedes []uint64 // entries of the same log that hold the versions replaced, ascending
	Refs       []Ref    // ascending by From
	Raw        []byte   // the resource as received, without white space around it; empty when Deleted

	resource *fhir.Resource // of Raw, once it was checked
}

// Resource is what Raw says, nil when Deleted. It is there once the content was signed or decoded.
func (x *Item) Resource() *fhir.Resource { return x.resource }

// Content is what one envelope seals: resources of one section, with who wrote them.
type Content struct {
	Author    Author
	Created   uint64 // author's clock, ms
	Items     []Item
	Signature key.Signature // of Author.Key, over the record's id and everything above
}

// ErrSignature says that a content is not by the key that it names, or was made for another record.
var ErrSignature = errors.New("author's signature does not verify")

// Sign makes by's key the author's and signs c for the record rid. It refuses what DecodeContent would.
func (c *Content) Sign(by key.Signer, rid key.Record) error {
	c.Author.Key = by.Public()
	if err := c.check(); err != nil {
		return err
	}
	m := c.message(rid)
	c.Signature = by.Sign(m[:])
	return nil
}

// Verify tells whether the author signed exactly this content for the record rid. That the key is a member's is for the caller to check.
func (c *Content) Verify(rid key.Record) error {
	m := c.message(rid)
	if !c.Author.Key.Verify(m[:], c.Signature) {
		return fmt.Errorf("%v: %w", rid, ErrSignature)
	}
	return nil
}

func (c *Content) message(rid key.Record) wire.Hash { return provenance(rid, c.unsigned()) }

// provenance is what the author of a content or a manifest signs.
func provenance(rid key.Record, unsigned []byte) wire.Hash {
	h := wire.Sum("vitalog/v1/content", unsigned)
	return wire.Sum("vitalog/v1/provenance", rid[:], h[:])
}

// Encode is the content's only encoding.
func (c *Content) Encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b := append(c.unsigned(), c.Signature[:]...)
	if len(b) > MaxContent {
		return nil, fmt.Errorf("content of %d bytes, at most %d: %w", len(b), MaxContent, wire.ErrOversized)
	}
	return b, nil
}

func (c *Content) unsigned() []byte { return c.body(contentVersion) }

func (c *Content) body(version uint8) []byte {
	var w wire.Writer
	w.U8(version)
	w.Bytes([]byte(c.Author.Member))
	w.Fixed(c.Author.Key[:])
	w.Bytes([]byte(c.Author.Practitioner))
	w.Bytes([]byte(c.Author.Name))
	w.Bytes([]byte(c.Author.Role))
	w.U64(c.Created)
	w.U32(uint32(len(c.Items)))
	for i := range c.Items {
		x := &c.Items[i]
		w.Bytes([]byte(x.Type))
		w.Bytes([]byte(x.ID))
		w.U8(uint8(x.Status))
		w.U32(uint32(len(x.Supersedes)))
		for _, n := range x.Supersedes {
			w.U64(n)
		}
		w.U32(uint32(len(x.Refs)))
		for _, r := range x.Refs {
			w.Bytes([]byte(r.From))
			w.Bytes([]byte(r.To))
		}
		w.Bytes(x.Raw)
	}
	return w.Done()
}

// DecodeContent reads a content and its resources, which refer to b. It doesn't verify the signature: see Verify.
func DecodeContent(b []byte) (*Content, error) {
	if len(b) > MaxContent {
		return nil, fmt.Errorf("content of %d bytes, at most %d: %w", len(b), MaxContent, wire.ErrOversized)
	}
	r := wire.NewReader(b)
	c := &Content{}
	c.read(r, contentVersion)
	r.Fixed(c.Signature[:])
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// read reads what is signed.
func (c *Content) read(r *wire.Reader, version uint8) {
	if v := r.U8(); r.Err() == nil && v != version {
		r.Fail(fmt.Errorf("format version %d, this program reads %d", v, version))
	}
	c.Author.Member = string(r.Bytes(MaxText))
	r.Fixed(c.Author.Key[:])
	c.Author.Practitioner = string(r.Bytes(MaxText))
	c.Author.Name = string(r.Bytes(MaxText))
	c.Author.Role = string(r.Bytes(MaxText))
	c.Created = r.U64()
	for range r.Count(MaxItems, minItem) {
		c.Items = append(c.Items, readItem(r))
		if r.Err() != nil {
			break
		}
	}
}

// minItem is the bytes of the smallest item.
const minItem = 4 + 4 + 1 + 4 + 4 + 4

func readItem(r *wire.Reader) (x Item) {
	x.Type, x.ID = readText(r, 64), readText(r, 64)
	x.Status = Status(r.U8())
	if n := r.Count(MaxSupersedes, 8); n > 0 {
		x.Supersedes = make([]uint64, n)
		for i := range n {
			x.Supersedes[i] = r.U64()
		}
	}
	if n := r.Count(MaxRefs, 8); n > 0 {
		x.Refs = make([]Ref, n)
		for i := range n {
			x.Refs[i] = Ref{readText(r, MaxReference), readText(r, MaxReference)}
		}
	}
	n := r.U32()
	if n > fhir.MaxResource {
		r.Fail(fmt.Errorf("resource of %d bytes: %w", n, wire.ErrOversized))
		return x
	}
	x.Raw = r.Take(int(n))
	return x
}

// readText is r.Bytes as a string, copied once.
func readText(r *wire.Reader, limit int) string {
	n := r.U32()
	if uint64(n) > uint64(limit) {
		r.Fail(fmt.Errorf("text of %d bytes, at most %d: %w", n, limit, wire.ErrOversized))
		return ""
	}
	return string(r.Take(int(n)))
}
