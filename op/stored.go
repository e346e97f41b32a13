package op

import (
	"bytes"
	"fmt"
	"slices"

	"vitalog/key"
	"vitalog/wire"
)

// Stored is a validator's storage receipt: what the blocks up to Upto asked it to hold is durable there, but for what its receipts named as
// missing and not as back. It belongs in StoredLog alone. See spec/storage-receipts.md.
type Stored struct {
	Upto    uint64      // height; 0 with no hashes: what was claimed is taken back
	Missing []wire.Hash // of ciphertexts that are lacking from now on, ascending, at most MaxNamed
	Back    []wire.Hash // of those that were, and are there now; likewise
}

// StoredSalt is what a member's log of storage receipts is created with.
func StoredSalt() [32]byte { return wire.Sum("vitalog/v1/stored") }

// StoredLog is the log of a member's storage receipts. Whoever has the genesis knows it.
func StoredLog(network key.Network, member key.Verifier) key.Log {
	return key.LogID(network, member, StoredSalt())
}

func (*Stored) Kind() Kind { return KindStored }
func (b *Stored) append(w *wire.Writer) {
	w.U64(b.Upto)
	appendNamed(w, b.Missing)
	appendNamed(w, b.Back)
}
func (b *Stored) read(r *wire.Reader) {
	b.Upto, b.Missing, b.Back = r.U64(), readNamed(r), readNamed(r)
	for _, h := range b.Back {
		if _, both := slices.BinarySearchFunc(b.Missing, h, compareHashes); both {
			r.Fail(fmt.Errorf("%v missing and back: %w", h, wire.ErrNonCanonical))
		}
	}
}

func appendNamed(w *wire.Writer, hashes []wire.Hash) {
	w.U32(uint32(len(hashes)))
	for _, h := range hashes {
		w.Fixed(h[:])
	}
}

func readNamed(r *wire.Reader) []wire.Hash {
	out := make([]wire.Hash, r.Count(MaxNamed, len(wire.Hash{})))
	for i := range out {
		if r.Fixed(out[i][:]); i > 0 && r.Err() == nil && compareHashes(out[i-1], out[i]) >= 0 {
			r.Fail(fmt.Errorf("hashes that are not ascending: %w", wire.ErrNonCanonical))
		}
	}
	return out
}

func compareHashes(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) }

// Faulty is how many of n validators may lie or fail: n − Threshold(n).
func Faulty(n int) int { return n - Threshold(n) }
