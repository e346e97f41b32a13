package directory

import (
	"fmt"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// itemVersion of the format.
const itemVersion = 1

// MaxResource is the bytes of one resource of the directory.
const MaxResource = 1 << 20

// Item is one statement of a member: that a resource is so. A later item of the same type and id by the same member replaces it.
type Item struct {
	Member   int       // whose it is, by its number in the genesis
	Seq      uint64    // 1, 2, 3 … without gaps, per member
	Prev     wire.Hash // Hash of the member's item before it, zero for the first: a member can't tell two of us two stories for long
	At       uint64    // member's clock, ms
	Type, ID string
	Raw      []byte // the resource, with references as readers see them
	Sig      key.Signature

	resource *fhir.Resource
}

// Hash is what the member signs and what its next item names.
func (i *Item) Hash(network key.Network) wire.Hash {
	return wire.Sum("vitalog/v1/directory", network[:], i.unsigned())
}

// Encode is the item's only encoding.
func (i *Item) Encode() []byte { return append(i.unsigned(), i.Sig[:]...) }

func (i *Item) unsigned() []byte {
	var w wire.Writer
	w.U8(itemVersion)
	w.U16(uint16(i.Member))
	w.U64(i.Seq)
	w.Fixed(i.Prev[:])
	w.U64(i.At)
	w.Bytes([]byte(i.Type))
	w.Bytes([]byte(i.ID))
	w.Bytes(i.Raw)
	return w.Done()
}

// DecodeItem reads an item and checks all but its signature and its place in the member's order. It refuses a resource that belongs into
// a patient's log.
func DecodeItem(b []byte) (*Item, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != itemVersion {
		return nil, fmt.Errorf("directory item: format version %d, this program reads %d", v, itemVersion)
	}
	i := &Item{Member: int(r.U16()), Seq: r.U64()}
	r.Fixed(i.Prev[:])
	i.At = r.U64()
	i.Type, i.ID = string(r.Bytes(64)), string(r.Bytes(64))
	i.Raw = r.Bytes(MaxResource)
	r.Fixed(i.Sig[:])
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("directory item: %w", err)
	}
	if err := i.check(); err != nil {
		return nil, fmt.Errorf("directory item %d of member %d: %w", i.Seq, i.Member, err)
	}
	return i, nil
}

func (i *Item) check() error {
	if i.Member >= op.MaxMembers || i.Seq == 0 || (i.Seq == 1) != (i.Prev == wire.Hash{}) || !fhir.ValidID(i.ID) {
		return fmt.Errorf("member, number, predecessor or id: %w", wire.ErrNonCanonical)
	}
	r, err := fhir.Parse(i.Raw)
	if err != nil {
		return err
	}
	if r.Type() != i.Type || len(r.Raw()) != len(i.Raw) {
		return fmt.Errorf("%s holds a %s, or white space around it: %w", i.Type, r.Type(), wire.ErrNonCanonical)
	}
	if err := ours(r); err != nil {
		return err
	}
	i.resource = r
	return nil
}

// ours refuses what is about a patient, which no directory may hold.
func ours(r *fhir.Resource) error {
	_, yes, err := chart.Place(r)
	if err != nil {
		return err
	}
	if !yes {
		return fmt.Errorf("%s: %w", r.Type(), ErrPatient)
	}
	return nil
}
