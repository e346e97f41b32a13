package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/section"
	"vitalog/wire"
)

// authorCopy is what this member keeps of a record that it wrote and the patient destroyed. It is sealed in the index; the ciphertext lies in the
// own store, encrypted once more, under a hash that nobody else can know.
type authorCopy struct {
	Chart   string
	Section section.Section
	Log     key.Log
	Entry   uint64
	At      uint64 // ledger clock, ms: when it was recorded
	ID      key.Record
	Hash    wire.Hash // of the ciphertext as it was everywhere
	Purpose string    // of the key that wrote it
	Destroy uint64    // the entry that destroyed it
	Lasts   string    // the retention of then

	// What copyOut fills in.
	Until  uint64    // ms
	Header []byte    // as Header.Kept gives it
	Blob   wire.Hash // of what is in the own store; zero: it is still to be made

	Gone bool // the record's own header and ciphertext are destroyed here
	Said bool // that it is kept stands on the ledger
}

func (c *authorCopy) record() blobstore.Destroyed {
	return blobstore.Destroyed{Record: blobstore.Record{Log: c.Log, ID: c.ID}, Hash: c.Hash}
}

// copies are the author copies of a member.
type copies struct {
	wake   chan struct{} // there is something to do
	making sync.Mutex    // one makes copies and destroys what they are of

	mu  sync.Mutex                // of what follows
	all map[copyPlace]*authorCopy // replaced, never changed
}

type copyPlace struct {
	log   key.Log
	entry uint64
}

func (c *authorCopy) place() copyPlace { return copyPlace{c.Log, c.Entry} }

func (m *Member) copyKey(p copyPlace) []byte {
	return m.index.name("g", "author copy", string(append(p.log[:], wire.U64(p.entry)...)))
}

// openCopies reads what is kept.
func (m *Member) openCopies() error {
	m.copies = &copies{wake: make(chan struct{}, 1), all: map[copyPlace]*authorCopy{}}
	return m.index.db.Scan([]byte("g"), []byte("h"), func(k, v []byte) error {
		var c authorCopy
		if err := m.index.unseal(k, v, &c); err != nil {
			return fmt.Errorf("author copies: %w", err)
		}
		m.copies.all[c.place()] = &c
		return nil
	})
}

// list is what is kept, by log and entry.
func (y *copies) list() []*authorCopy {
	y.mu.Lock()
	defer y.mu.Unlock()
	out := make([]*authorCopy, 0, len(y.all))
	for _, c := range y.all {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *authorCopy) int {
		return cmp.Or(slices.Compare(a.Log[:], b.Log[:]), cmp.Compare(a.Entry, b.Entry))
	})
	return out
}

// undecided tells whether there is something that is kept, or is not, without the ledger knowing.
func (y *copies) undecided() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, c := range y.all {
		if !c.Said {
			return true
		}
	}
	return false
}

// byBlob is what is kept, by what is in the own store.
func (y *copies) byBlob() map[wire.Hash]*authorCopy {
	y.mu.Lock()
	defer y.mu.Unlock()
	out := make(map[wire.Hash]*authorCopy, len(y.all))
	for _, c := range y.all {
		out[c.Blob] = c
	}
	return out
}

func (y *copies) get(p copyPlace) *authorCopy {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.all[p]
}

// noteCopies writes copies down, durably.
func (m *Member) noteCopies(all ...*authorCopy) error {
	batch := make([]ledger.Change, len(all))
	for i, c := range all {
		var err error
		if batch[i], err = m.index.seal(m.copyKey(c.place()), c); err != nil {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	if err := m.index.db.Write(batch); err != nil {
		return fmt.Errorf("author copies: %w", err)
	}
	m.copies.mu.Lock()
	defer m.copies.mu.Unlock()
	for _, c := range all {
		m.copies.all[c.place()] = c
	}
	return nil
}

// endCopy destroys a copy and what it is of, if that is still here, then what is known of it.
func (m *Member) endCopy(c *authorCopy) error {
	var gone []blobstore.Destroyed
	if !c.Gone {
		gone = append(gone, c.record())
	}
	if c.Blob != (wire.Hash{}) {
		gone = append(gone, blobstore.Destroyed{Hash: c.Blob})
	}
	if len(gone) > 0 {
		if err := m.store.Destroy(gone); err != nil {
			return err
		}
	}
	return m.dropCopy(c)
}

// dropCopy forgets what is known of a copy.
func (m *Member) dropCopy(c *authorCopy) error {
	if err := m.index.db.Write([]ledger.Change{{Key: m.copyKey(c.place())}}); err != nil {
		return fmt.Errorf("author copies: %w", err)
	}
	m.copies.mu.Lock()
	defer m.copies.mu.Unlock()
	delete(m.copies.all, c.place())
	return nil
}
