package blobstore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// What this member's own clients wrote waits: it is in the bucket, and stays on the disk too until others hold it. See spec/packs.md.
//
// Of what is small the pack waits: a copy of it is a file of its own. A ciphertext that came by itself, or is a file, waits as what it is, which a note
// says that was there before it.

// waiting is what waits.
type waiting struct {
	fs  vfs.FS
	dir string // of copies

	mu    sync.Mutex // of the following
	packs map[wire.Hash]*waitingPack
	blobs map[wire.Hash]*waitingBlob // that are noted as this member's own, whether they are packed yet or not
}

type waitingPack struct {
	size  int64
	since time.Time
	last  *Record // that was found to be held by too few
}

type waitingBlob struct {
	of     Record
	since  time.Time
	size   int64
	packed bool
}

func waitingKey(h wire.Hash) []byte { return append([]byte(waitingPrefix), h[:]...) }

func ownKey(h wire.Hash) []byte { return append([]byte(ownPrefix), h[:]...) }

// StayUntil has what this member's own clients put stay on the disk, though it is packed, until others hold it: elsewhere tells what they do of records. It is called
// once, after Attach. Without it, or with nil, nothing waits.
func (s *Store) StayUntil(elsewhere func([]Record) ([]Elsewhere, error)) {
	if s.cold != nil {
		s.cold.elsewhere = elsewhere
	}
}

// noteOwn notes that blobs are of records of this member's own, before they are there.
func (s *Store) noteOwn(of map[wire.Hash]Record) error {
	if s.cold == nil || s.cold.elsewhere == nil || len(of) == 0 {
		return nil
	}
	now := time.Now()
	var batch []kv.Change
	for h, r := range of {
		value := append(append(append([]byte{}, r.Log[:]...), r.ID[:]...), moment(now)...)
		batch = append(batch, kv.Change{Key: ownKey(h), Value: value})
	}
	if err := s.db.Write(batch); err != nil {
		return err
	}
	w := &s.cold.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	for h, r := range of {
		if w.blobs[h] == nil {
			w.blobs[h] = &waitingBlob{}
		}
		w.blobs[h].of, w.blobs[h].since = Record{Log: r.Log, ID: r.ID}, now
	}
	return nil
}

// stays tells whether a blob is kept from leaving the fresh store by a note.
func (c *cold) stays(n pack.Name) bool {
	if n.Kind != pack.Blob || c.elsewhere == nil {
		return false
	}
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	return c.waiting.blobs[n.Hash] != nil
}

// stay notes that a blob is packed, and stays.
func (s *Store) stay(h wire.Hash) {
	size, err := s.Size(h)
	w := &s.cold.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.blobs[h]; b != nil && err == nil {
		b.packed, b.size = true, size
	}
}

// rests tells whether a blob is packed, and stays: there is nothing to be done about it.
func (s *Store) rests(h wire.Hash) bool {
	n := blobName(h)
	if !s.cold.stays(n) {
		return false
	}
	s.cold.waiting.mu.Lock()
	b := s.cold.waiting.blobs[h]
	packed := b != nil && b.packed
	s.cold.waiting.mu.Unlock()
	places, err := s.places(n)
	return packed && err == nil && s.cold.current(places)
}

// unpacked notes that blobs lie in no pack any more. Those that stayed are fresh again.
func (s *Store) unpacked(blobs ...wire.Hash) {
	w := &s.cold.waiting
	var n, items int64
	w.mu.Lock()
	for _, h := range blobs {
		if b := w.blobs[h]; b != nil && b.packed {
			b.packed = false
			n, items = n+b.size, items+1
		}
	}
	w.mu.Unlock()
	s.grew(n, items)
}

// waits tells whether a copy of a pack is here.
func (c *cold) waits(name wire.Hash) bool {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	return c.waiting.packs[name] != nil
}

// copied tells whether copies of all packs are here that places are in.
func (s *Store) copied(places []place) bool {
	for _, p := range places {
		if n := s.cold.noted(p.pack); n == nil || !s.cold.waits(n.name) {
			return false
		}
	}
	return true
}

// anyWaits tells whether any of the packs waits, and since when the last of them does.
func (c *cold) anyWaits(ids []uint64) (any bool, since time.Time) {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	for _, id := range ids {
		if n := c.noted(id); n != nil && c.waiting.packs[n.name] != nil {
			if p := c.waiting.packs[n.name]; p.since.After(since) {
				since = p.since
			}
			any = true
		}
	}
	return any, since
}

// copy is bytes of a pack that waits; nil if it doesn't, or can't be read here.
func (c *cold) copy(name wire.Hash, at, size int64) []byte {
	if !c.waits(name) {
		return nil
	}
	f, err := c.waiting.fs.Open(c.waiting.path(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, size)
	if _, err := f.ReadAt(b, at); err != nil && err != io.EOF {
		return nil
	}
	return b
}

// wholeCopy is all of a pack that waits; nil if it doesn't, or isn't whole here.
func (s *Store) wholeCopy(name wire.Hash) []byte {
	st, err := s.fs.Stat(s.cold.waiting.path(name))
	if err != nil {
		return nil
	}
	b := s.cold.copy(name, 0, st.Size())
	if b == nil || sha256.Sum256(b) != name {
		return nil
	}
	return b
}

// writeCopy makes the copy of a pack that is to wait durable.
func (s *Store) writeCopy(name wire.Hash, object []byte) error {
	tmp := s.tmpName()
	err := s.writeSynced(tmp, object)
	if err == nil {
		err = s.fs.Rename(tmp, s.cold.waiting.path(name))
	}
	if err == nil {
		err = s.syncDir(s.copies())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keeping a copy of a pack: %w", err), s.removeCopy(name))
	}
	return nil
}

// removeCopy removes the copy of a pack, durably. One that isn't there is no error.
func (s *Store) removeCopy(name wire.Hash) error {
	err := s.fs.Remove(s.cold.waiting.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = s.syncDir(s.copies()) // also when it was gone: a crash may have come between
	}
	return err
}

// copyGone forgets packs that wait no more.
func (c *cold) copyGone(names ...wire.Hash) {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	for _, name := range names {
		delete(c.waiting.packs, name)
	}
}

func (s *Store) copies() string { return s.fs.PathJoin(s.dir, "waiting") }

func (w *waiting) path(name wire.Hash) string { return w.fs.PathJoin(w.dir, name.String()) }

// recall reads what waits. Copies that nothing notes were made for packs that came to nothing.
func (s *Store) recall() error {
	c := s.cold
	w := &c.waiting
	w.fs, w.dir = s.fs, s.copies()
	w.packs, w.blobs = map[wire.Hash]*waitingPack{}, map[wire.Hash]*waitingBlob{}
	c.own.now.all = true // what is fresh from before
	err := s.db.Prefix(waitingPrefix).Scan(nil, nil, func(k, v []byte) error {
		if len(k) != 32 || len(v) != 8 {
			return fmt.Errorf("what is noted of a pack that waits: %w", ErrCorrupt)
		}
		p := &waitingPack{since: ofMoment(v)}
		if st, err := s.fs.Stat(s.cold.waiting.path(wire.Hash(k))); err == nil {
			p.size = st.Size()
		}
		w.packs[wire.Hash(k)] = p
		return nil
	})
	if err != nil {
		return err
	}
	err = s.db.Prefix(ownPrefix).Scan(nil, nil, func(k, v []byte) error {
		if len(k) != 32 || len(v) != 72 {
			return fmt.Errorf("what is noted of a member's own blob: %w", ErrCorrupt)
		}
		h := wire.Hash(k)
		b := &waitingBlob{of: Record{Log: key.Log(v[:32]), ID: key.Record(v[32:64])}, since: time.UnixMilli(int64(binary.BigEndian.Uint64(v[64:])))}
		places, err := s.places(blobName(h))
		if err != nil {
			return err
		}
		hot, err := s.hot(h)
		if b.packed = hot && c.current(places); b.packed {
			b.size = lengthOf(places)
		}
		w.blobs[h] = b
		return err
	})
	if err != nil {
		return err
	}
	names, err := s.fs.List(s.copies())
	if err != nil {
		return err
	}
	for _, n := range names {
		var h wire.Hash
		if h.UnmarshalText([]byte(n)) == nil && w.packs[h] != nil {
			continue
		}
		if err := s.fs.Remove(s.fs.PathJoin(s.copies(), n)); err != nil {
			return err
		}
	}
	return s.syncDir(s.copies())
}

// thatWait are the packs and the blobs that wait, which must not be changed.
func (c *cold) thatWait() (map[wire.Hash]*waitingPack, map[wire.Hash]*waitingBlob) {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	return maps.Clone(c.waiting.packs), maps.Clone(c.waiting.blobs)
}
