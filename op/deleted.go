package op

import "vitalog/wire"

// Deleted is what any member says in its log of storage receipts: all that the blocks up to Upto ordered destroyed is gone from its disk and its bucket. It
// names no record and no log. See spec/erasure.md.
type Deleted struct{ Upto uint64 } // height

func (*Deleted) Kind() Kind              { return KindDeleted }
func (b *Deleted) append(w *wire.Writer) { w.U64(b.Upto) }
func (b *Deleted) read(r *wire.Reader)   { b.Upto = r.U64() }

// Cleared is an entry's statement for a Deleted. Who has no blocks tells by it which destructions are meant: those whose entries are of a time before Before.
type Cleared struct {
	Deleted
	Before uint64 // ledger clock, ms: of the first entry after block Upto, or of this one if there is none between
}

func (b *Cleared) append(w *wire.Writer) {
	b.Deleted.append(w)
	w.U64(b.Before)
}
func (b *Cleared) read(r *wire.Reader) {
	b.Deleted.read(r)
	b.Before = r.U64()
}
