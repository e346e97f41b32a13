package op

import (
	"vitalog/consent"
	"vitalog/wire"
)

// Keep says that the author of destroyed records keeps its own copy of them, as the law asks of it, until a moment. Signed by that author.
type Keep struct {
	Destroy uint64          // entry of the destroy that names all of the records
	Ranges  []consent.Range // at most MaxErasure
	Until   uint64          // ledger clock, ms: the first moment no more; at most MaxKeep ahead
}

// Kind is KindKeep.
func (*Keep) Kind() Kind { return KindKeep }
func (b *Keep) append(w *wire.Writer) {
	w.U64(b.Destroy)
	(&erasure{b.Ranges}).append(w)
	w.U64(b.Until)
}
func (b *Keep) read(r *wire.Reader) {
	b.Destroy = r.U64()
	var named erasure
	named.read(r)
	b.Ranges, b.Until = named.Ranges, r.U64()
}
