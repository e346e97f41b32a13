package op

import (
	"fmt"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ticket"
	"vitalog/wire"
)

func newBody(k Kind) Body {
	switch k {
	case KindCreate:
		return &Create{}
	case KindAppend:
		return &Append{}
	case KindGrant:
		return &Grant{}
	case KindRevoke:
		return &Revoke{}
	case KindAccess:
		return &Access{}
	case KindRotate:
		return &Rotate{}
	case KindRekeyOwner:
		return &RekeyOwner{}
	case KindRekeyGrantee:
		return &RekeyGrantee{}
	case KindBlock:
		return &Block{}
	case KindDestroy:
		return &Destroy{}
	case KindPost:
		return &Post{}
	case KindKeep:
		return &Keep{}
	case KindDeleted:
		return &Deleted{}
	case KindStored:
		return &Stored{}
	case KindAnchor:
		return &Anchor{}
	case KindHello:
		return &Hello{}
	case KindCommit:
		return &Commit{}
	case KindReveal:
		return &Reveal{}
	case KindVerdict:
		return &Verdict{}
	case KindJustify:
		return &Justify{}
	case KindTick:
		return &Tick{}
	}
	return nil
}

// EncodeBody is a body's part of an operation, for keeping bodies outside of one.
func EncodeBody(b Body) []byte {
	var w wire.Writer
	b.append(&w)
	return w.Done()
}

// DecodeBody reads the body of an operation of kind k.
func DecodeBody(k Kind, b []byte) (Body, error) {
	body := newBody(k)
	if body == nil {
		return nil, fmt.Errorf("%v is not known to this version", k)
	}
	r := wire.NewReader(b)
	body.read(r)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%v: %w", k, err)
	}
	return body, nil
}

// Create makes a log whose id is key.LogID(network, signer, Salt). The signer becomes its owner.
type Create struct {
	Salt     [32]byte
	EpochKey wire.Hash     // key.Exchange.Hash of the reader key of epoch 1
	Ticket   ticket.Ticket // over CreateSubject(log)
}

// CreateSubject is what an admission ticket for a new log signs.
func CreateSubject(log key.Log) wire.Hash { return wire.Sum("vitalog/v1/ticket/create", log[:]) }

func (*Create) Kind() Kind { return KindCreate }
func (b *Create) append(w *wire.Writer) {
	w.Fixed(b.Salt[:])
	w.Fixed(b.EpochKey[:])
	b.Ticket.Append(w)
}
func (b *Create) read(r *wire.Reader) {
	r.Fixed(b.Salt[:])
	r.Fixed(b.EpochKey[:])
	b.Ticket.Read(r)
}

// Record is the ledger's part of one sealed record.
type Record struct {
	ID   key.Record
	Core wire.Hash // commitment to context, key commitment, padded length and ciphertext
	Blob wire.Hash // SHA-256 of the ciphertext
	Size uint8     // size class: the ciphertext has at most 2^Size bytes
}

const recordSize = 97

func (x *Record) append(w *wire.Writer) {
	w.Fixed(x.ID[:])
	w.Fixed(x.Core[:])
	w.Fixed(x.Blob[:])
	w.U8(x.Size)
}

func (x *Record) read(r *wire.Reader) {
	r.Fixed(x.ID[:])
	r.Fixed(x.Core[:])
	r.Fixed(x.Blob[:])
	if x.Size = r.U8(); x.Size > 63 {
		r.Fail(fmt.Errorf("size class %d: %w", x.Size, wire.ErrOversized))
	}
}

// Append adds records, each an entry of its own.
type Append struct {
	Epoch   uint32 // of the log's reader key; another than the head's is refused
	NetGen  uint32 // of the network key
	Records []Record
}

func (*Append) Kind() Kind { return KindAppend }
func (b *Append) append(w *wire.Writer) {
	w.U32(b.Epoch)
	w.U32(b.NetGen)
	w.U32(uint32(len(b.Records)))
	for i := range b.Records {
		b.Records[i].append(w)
	}
}
func (b *Append) read(r *wire.Reader) {
	b.Epoch, b.NetGen = r.U32(), r.U32()
	n := r.Count(MaxRecords, recordSize)
	if r.Err() == nil && n == 0 {
		r.Fail(fmt.Errorf("no records: %w", wire.ErrNonCanonical))
	}
	b.Records = make([]Record, n)
	for i := range b.Records {
		b.Records[i].read(r)
	}
}

// Grant gives a key rights in the log. It is signed by the owner, or by a grantee with the right to sub-grant.
type Grant struct {
	consent.Terms
	Message wire.Hash // SHA-256 of the sealed grant message; zero if there is none
}

func (*Grant) Kind() Kind { return KindGrant }
func (b *Grant) append(w *wire.Writer) {
	w.Fixed(b.Key[:])
	w.U8(uint8(b.Rights))
	appendRanges(w, b.Ranges)
	w.U64(b.From)
	w.U64(b.Until)
	w.U32(b.Uses)
	w.U64(b.Parent)
	w.Fixed(b.Message[:])
}
func (b *Grant) read(r *wire.Reader) {
	r.Fixed(b.Key[:])
	if b.Rights = consent.Rights(r.U8()); b.Rights == 0 || b.Rights&^consent.AllRights != 0 {
		r.Fail(fmt.Errorf("rights %#x: %w", uint8(b.Rights), wire.ErrNonCanonical))
	}
	b.Ranges = readRanges(r)
	b.From, b.Until = r.U64(), r.U64()
	if b.Until != 0 && b.Until <= b.From {
		r.Fail(fmt.Errorf("a period that ends before it begins: %w", wire.ErrNonCanonical))
	}
	b.Uses, b.Parent = r.U32(), r.U64()
	r.Fixed(b.Message[:])
	if (b.Rights&consent.Read != 0) != (len(b.Ranges) > 0) {
		r.Fail(fmt.Errorf("entry ranges without the right to read, or the reverse: %w", wire.ErrNonCanonical))
	}
}

// Revoke ends a grant and all that were cut from it.
type Revoke struct{ Grant uint64 }

func (*Revoke) Kind() Kind              { return KindRevoke }
func (b *Revoke) append(w *wire.Writer) { w.U64(b.Grant) }
func (b *Revoke) read(r *wire.Reader)   { b.Grant = r.U64() }

// Access asks for the release of entries. The entry that it becomes tells the decision.
type Access struct {
	Grant   uint64          // entry of the grant invoked; 0: whichever allows it
	Further bool            // further use of what was released before: no release follows
	Ranges  []consent.Range // existing entries, at most MaxAccessEntries
	Session wire.Hash       // of the exchange key that releases are sealed to
	Detail  wire.Hash       // SHA-256 of the sealed detail
}

func (*Access) Kind() Kind { return KindAccess }
func (b *Access) append(w *wire.Writer) {
	w.U64(b.Grant)
	w.Bool(b.Further)
	appendRanges(w, b.Ranges)
	w.Fixed(b.Session[:])
	w.Fixed(b.Detail[:])
}
func (b *Access) read(r *wire.Reader) {
	b.Grant, b.Further = r.U64(), r.Bool()
	b.Ranges = readRanges(r)
	r.Fixed(b.Session[:])
	r.Fixed(b.Detail[:])
	if r.Err() == nil && len(b.Ranges) == 0 {
		r.Fail(fmt.Errorf("an access to nothing: %w", wire.ErrNonCanonical))
	}
	if entries(b.Ranges) > MaxAccessEntries {
		r.Fail(fmt.Errorf("an access to more than %d entries: %w", MaxAccessEntries, wire.ErrOversized))
	}
}

// Rotate begins a new epoch of the log's reader key. Signed by the owner.
type Rotate struct {
	Epoch    uint32 // the new one: the head's plus one
	EpochKey wire.Hash
	Mailbox  wire.Hash // SHA-256 of the blob with a sealed message for each remaining reader; zero if there is none
}

func (*Rotate) Kind() Kind { return KindRotate }
func (b *Rotate) append(w *wire.Writer) {
	w.U32(b.Epoch)
	w.Fixed(b.EpochKey[:])
	w.Fixed(b.Mailbox[:])
}
func (b *Rotate) read(r *wire.Reader) {
	b.Epoch = r.U32()
	r.Fixed(b.EpochKey[:])
	r.Fixed(b.Mailbox[:])
}

// RekeySubject is what the new key signs to prove that it agrees to take over.
func RekeySubject(network key.Network, log key.Log, old, new key.Verifier) wire.Hash {
	return wire.Sum("vitalog/v1/rekey", network[:], log[:], old[:], new[:])
}

// RekeyOwner puts another key in the place of the signing owner key: a claim by the patient, or a new root.
type RekeyOwner struct{ rekey }

// RekeyGrantee moves the signing grantee key's grants to another key.
type RekeyGrantee struct{ rekey }

type rekey struct {
	New   key.Verifier
	Proof key.Signature // by New, over RekeySubject
}

func (*RekeyOwner) Kind() Kind   { return KindRekeyOwner }
func (*RekeyGrantee) Kind() Kind { return KindRekeyGrantee }
func (b *rekey) append(w *wire.Writer) {
	w.Fixed(b.New[:])
	w.Fixed(b.Proof[:])
}
func (b *rekey) read(r *wire.Reader) {
	r.Fixed(b.New[:])
	r.Fixed(b.Proof[:])
}

// NewRekeyOwner has next agree to replace old.
func NewRekeyOwner(network key.Network, log key.Log, old key.Verifier, next key.Signer) *RekeyOwner {
	return &RekeyOwner{newRekey(network, log, old, next)}
}

// NewRekeyGrantee has next agree to replace old.
func NewRekeyGrantee(network key.Network, log key.Log, old key.Verifier, next key.Signer) *RekeyGrantee {
	return &RekeyGrantee{newRekey(network, log, old, next)}
}

func newRekey(network key.Network, log key.Log, old key.Verifier, next key.Signer) rekey {
	s := RekeySubject(network, log, old, next.Public())
	return rekey{New: next.Public(), Proof: next.Sign(s[:])}
}

// Block forbids for ever to release the entries. Signed by the owner, or by the author of all of them.
type Block struct{ erasure }

// Destroy says that locks, salt and ciphertext of the entries are to be deleted everywhere. Signed like Block.
type Destroy struct{ erasure }

type erasure struct{ Ranges []consent.Range } // existing records, at most MaxErasure

// NewBlock names the entries to block.
func NewBlock(ranges ...consent.Range) *Block { return &Block{erasure{ranges}} }

// NewDestroy names the entries to destroy.
func NewDestroy(ranges ...consent.Range) *Destroy { return &Destroy{erasure{ranges}} }

func (*Block) Kind() Kind                { return KindBlock }
func (*Destroy) Kind() Kind              { return KindDestroy }
func (b *erasure) append(w *wire.Writer) { appendRanges(w, b.Ranges) }
func (b *erasure) read(r *wire.Reader) {
	b.Ranges = readRanges(r)
	if r.Err() == nil && len(b.Ranges) == 0 {
		r.Fail(fmt.Errorf("an erasure of nothing: %w", wire.ErrNonCanonical))
	}
	if entries(b.Ranges) > MaxErasure {
		r.Fail(fmt.Errorf("an erasure of more than %d entries: %w", MaxErasure, wire.ErrOversized))
	}
}

// Post leaves a sealed message for the owner. It is signed by a key of its own, made for this post.
type Post struct {
	Message wire.Hash     // SHA-256 of the message sealed to the log's owner
	Size    uint32        // bytes of the message, at most MaxSealed
	Ticket  ticket.Ticket // over PostSubject(log, signer)
}

// PostSubject is what an admission ticket for a post signs.
func PostSubject(log key.Log, signer key.Verifier) wire.Hash {
	return wire.Sum("vitalog/v1/ticket/post", log[:], signer[:])
}

func (*Post) Kind() Kind { return KindPost }
func (b *Post) append(w *wire.Writer) {
	w.Fixed(b.Message[:])
	w.U32(b.Size)
	b.Ticket.Append(w)
}
func (b *Post) read(r *wire.Reader) {
	r.Fixed(b.Message[:])
	if b.Size = r.U32(); b.Size > MaxSealed {
		r.Fail(fmt.Errorf("a message of %d bytes: %w", b.Size, wire.ErrOversized))
	}
	b.Ticket.Read(r)
}

func appendRanges(w *wire.Writer, ranges []consent.Range) {
	w.U8(uint8(len(ranges)))
	for _, x := range ranges {
		w.U64(x.From)
		w.U64(x.To)
	}
}

func readRanges(r *wire.Reader) []consent.Range {
	n := int(r.U8())
	if n > MaxRanges {
		r.Fail(fmt.Errorf("%d ranges, at most %d: %w", n, MaxRanges, wire.ErrOversized))
		return nil
	}
	if n == 0 {
		return nil
	}
	out := make([]consent.Range, n)
	for i := range out {
		out[i] = consent.Range{From: r.U64(), To: r.U64()}
	}
	if r.Err() == nil && !consent.Ordered(out) {
		r.Fail(fmt.Errorf("ranges are empty, out of order or touch: %w", wire.ErrNonCanonical))
	}
	return out
}

// entries is how many entries ranges name, or the largest number if they are more than fit in it.
func entries(ranges []consent.Range) uint64 {
	var n uint64
	for _, x := range ranges {
		d := x.To - x.From
		if n+d < n {
			return consent.Forever
		}
		n += d
	}
	return n
}
