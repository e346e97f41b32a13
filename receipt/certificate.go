package receipt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/wire"
)

// Limits of a certificate.
const (
	MaxOrders = 4096

	maxReceipt = 4 << 20
	orderLeast = 4 + 4 // bytes of an order's encoding, and of a record's, at least
)

const certificateMagic = "vitalog erasure certificate 1\n"

// Certificate shows which records were ordered destroyed, and which members have said since that they have deleted them (spec/erasure.md).
type Certificate struct {
	Orders    []Order    // ascending by log and entry
	Deletions []*Receipt // of what members said, ascending by the members' numbers, at most one of each
}

// Order is a destroy entry, and the entries of the records that it names, in the log whose head the receipt proves.
type Order struct {
	Destroy *Receipt
	Records []Record // ascending
}

// Record is an entry and its way up to the root of its log.
type Record struct {
	Number uint64
	Entry  []byte // encoded
	Path   []wire.Hash
}

// Why a certificate is refused, beside the reasons of its receipts.
var (
	ErrOrder    = errors.New("it isn't an order to destroy with the records that it names")
	ErrDeletion = errors.New("it isn't a member's word that it has deleted")
	ErrOlder    = errors.New("a member's word is older than the order to destroy")
)

// Erased is what a certificate shows of one order.
type Erased struct {
	Log     key.Log        `json:"log"`
	Entry   uint64         `json:"entry"`
	Signer  key.Verifier   `json:"signer"` // the patient, or the author
	At      time.Time      `json:"at"`     // on the ledger clock
	Block   uint64         `json:"block"`  // of the state in which the order was proven: it came with this block or an earlier one
	Records []ErasedRecord `json:"records"`
	Deleted []*Deletion    `json:"deleted"`        // by member; nil: it has not said yet that it deleted these
	Kept    []KeptRecords  `json:"kept,omitempty"` // what their author keeps a copy of, as of Block
}

// KeptRecords are entries of which their author keeps its own copy.
type KeptRecords struct {
	Key   key.Verifier `json:"key"` // the author's
	From  uint64       `json:"from"`
	To    uint64       `json:"to"`    // the first no more
	Until time.Time    `json:"until"` // the first moment no more
}

// ErasedRecord is a record that was ordered destroyed.
type ErasedRecord struct {
	Entry uint64     `json:"entry"`
	At    time.Time  `json:"at"` // when it was written
	ID    key.Record `json:"id"`
}

// Deletion is a member's word that everything ordered destroyed up to a block is gone from its disk and its bucket.
type Deletion struct {
	Entry uint64    `json:"entry"` // in the member's log of receipts
	Upto  uint64    `json:"upto"`  // block
	At    time.Time `json:"at"`
	Block uint64    `json:"block"` // of the state in which it was proven
}

// Complete tells whether every member of the network has said that it deleted the records.
func (e *Erased) Complete() bool { return !slices.Contains(e.Deleted, nil) }

// IsCertificate tells a certificate from a receipt by how it begins.
func IsCertificate(b []byte) bool { return bytes.HasPrefix(b, []byte(certificateMagic)) }

// Encode is the certificate's only encoding.
func (c *Certificate) Encode() []byte {
	var w wire.Writer
	w.Fixed([]byte(certificateMagic))
	w.U32(uint32(len(c.Orders)))
	for i := range c.Orders {
		o := &c.Orders[i]
		w.Bytes(o.Destroy.Encode())
		w.U32(uint32(len(o.Records)))
		for _, x := range o.Records {
			w.U64(x.Number)
			w.Bytes(x.Entry)
			w.U8(uint8(len(x.Path)))
			for _, h := range x.Path {
				w.Fixed(h[:])
			}
		}
	}
	w.U32(uint32(len(c.Deletions)))
	for _, d := range c.Deletions {
		w.Bytes(d.Encode())
	}
	return w.Done()
}

// DecodeCertificate reads a certificate. It doesn't verify it: see Verify.
func DecodeCertificate(b []byte) (*Certificate, error) {
	if !IsCertificate(b) {
		return nil, errors.New("no certificate of an erasure that this program reads")
	}
	r := wire.NewReader(b[len(certificateMagic):])
	c := &Certificate{Orders: make([]Order, r.Count(MaxOrders, orderLeast))}
	for i := range c.Orders {
		o := &c.Orders[i]
		o.Destroy = readReceipt(r)
		o.Records = make([]Record, r.Count(op.MaxErasure, orderLeast))
		for j := range o.Records {
			x := &o.Records[j]
			x.Number, x.Entry = r.U64(), r.Bytes(op.MaxEntry)
			n := r.U8()
			if n > merkle.MaxPath {
				r.Fail(fmt.Errorf("a path of %d hashes: %w", n, wire.ErrOversized))
				break
			}
			x.Path = make([]wire.Hash, n)
			for k := range x.Path {
				r.Fixed(x.Path[k][:])
			}
		}
		if r.Err() != nil {
			break
		}
		if last := i - 1; last >= 0 && !after(c.Orders[last].Destroy, o.Destroy) {
			r.Fail(fmt.Errorf("orders that are not ascending: %w", wire.ErrNonCanonical))
		}
	}
	if r.Err() == nil && len(c.Orders) == 0 {
		r.Fail(fmt.Errorf("no orders: %w", wire.ErrNonCanonical))
	}
	c.Deletions = make([]*Receipt, r.Count(op.MaxMembers, orderLeast))
	for i := range c.Deletions {
		c.Deletions[i] = readReceipt(r)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

func readReceipt(r *wire.Reader) *Receipt {
	b := r.Bytes(maxReceipt)
	if r.Err() != nil {
		return &Receipt{}
	}
	x, err := Decode(b)
	if err != nil {
		r.Fail(err)
		return &Receipt{}
	}
	return x
}

// after tells whether b stands after a, by log and entry.
func after(a, b *Receipt) bool {
	if c := bytes.Compare(a.Log[:], b.Log[:]); c != 0 {
		return c < 0
	}
	return a.Number < b.Number
}

// Verify follows every receipt to the validators of the network that g founded, and tells what is shown, by order. It rests on g alone.
func (c *Certificate) Verify(g *op.Genesis) ([]Erased, error) {
	out := make([]Erased, len(c.Orders))
	for i := range c.Orders {
		e, err := c.Orders[i].verify(g)
		if err != nil {
			return nil, fmt.Errorf("certificate: order in entry %d of %v: %w", c.Orders[i].Destroy.Number, c.Orders[i].Destroy.Log, err)
		}
		out[i] = *e
	}
	last := -1
	for _, x := range c.Deletions {
		member, says, d, err := deletion(g, x)
		if err == nil && member <= last {
			err = fmt.Errorf("%w: member %d after member %d", ErrDeletion, member, last)
		}
		if err != nil {
			return nil, fmt.Errorf("certificate: entry %d of %v: %w", x.Number, x.Log, err)
		}
		last = member
		meant := false
		for i := range out {
			if uint64(out[i].At.UnixMilli()) < says.Before {
				out[i].Deleted[member], meant = d, true
			}
		}
		if !meant {
			return nil, fmt.Errorf("certificate: %w: member %d, up to block %d", ErrOlder, member, says.Upto)
		}
	}
	return out, nil
}

// verify shows an order, with the entry of each record that it names.
func (o *Order) verify(g *op.Genesis) (*Erased, error) {
	v, err := o.Destroy.Verify(g)
	if err != nil {
		return nil, err
	}
	d, ok := v.Entry.Says.(*op.Destroy)
	if !ok {
		return nil, fmt.Errorf("%w: it says %v", ErrOrder, v.Entry.Says.Kind())
	}
	e := &Erased{Log: v.Log, Entry: v.Number, Signer: v.Entry.Signer, At: millis(v.Entry.At), Block: v.Height - 1, Deleted: make([]*Deletion, len(g.Members))}
	left := o.Records
	for _, r := range d.Ranges {
		for n := r.From; n < r.To; n++ {
			if len(left) == 0 || left[0].Number != n {
				return nil, fmt.Errorf("%w: entry %d is lacking", ErrOrder, n)
			}
			x := &left[0]
			left = left[1:]
			entry, err := op.DecodeEntry(v.Log, n, x.Entry)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrOrder, err)
			}
			if err := merkle.VerifyInclusion(v.Head.Root, v.Head.Size, n, entry.Hash(), x.Path); err != nil {
				return nil, fmt.Errorf("%w: entry %d: %w", ErrProof, n, err)
			}
			rec, ok := entry.Says.(*op.Recorded)
			if !ok {
				return nil, fmt.Errorf("%w: entry %d is no record", ErrOrder, n)
			}
			e.Records = append(e.Records, ErasedRecord{Entry: n, At: millis(entry.At), ID: rec.ID})
		}
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("%w: entry %d isn't named", ErrOrder, left[0].Number)
	}
	for _, k := range v.Head.Kept {
		for _, r := range d.Ranges {
			if from, to := max(k.From, r.From), min(k.To, r.To); from < to {
				e.Kept = append(e.Kept, KeptRecords{Key: k.Key, From: from, To: to, Until: millis(k.Until)})
			}
		}
	}
	return e, nil
}

// deletion shows which member says by a receipt that it has deleted.
func deletion(g *op.Genesis, x *Receipt) (member int, says *op.Cleared, d *Deletion, err error) {
	v, err := x.Verify(g)
	if err != nil {
		return 0, nil, nil, err
	}
	says, ok := v.Entry.Says.(*op.Cleared)
	if !ok {
		return 0, nil, nil, fmt.Errorf("%w: it says %v", ErrDeletion, v.Entry.Says.Kind())
	}
	member = slices.IndexFunc(g.Members, func(m op.Member) bool { return m.Sign == v.Entry.Signer })
	if member < 0 || v.Log != op.StoredLog(g.Network(), v.Entry.Signer) {
		return 0, nil, nil, fmt.Errorf("%w: %v is no member that speaks in its own log", ErrDeletion, v.Entry.Signer)
	}
	return member, says, &Deletion{Entry: v.Number, Upto: says.Upto, At: millis(v.Entry.At), Block: v.Height - 1}, nil
}

func millis(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }
