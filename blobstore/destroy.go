package blobstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// Destroyed is what is destroyed of a record: its header and its ciphertext, as far as they aren't all zero.
type Destroyed struct {
	Record
	Hash wire.Hash
}

func graveKey(n pack.Name) []byte {
	return append([]byte(gravePrefix), placeKey(n)[len(placePrefix):]...)
}

// Destroy deletes headers and ciphertexts for ever: from then on they are not put again, and not taken in from a bucket that was rolled back. They are unreachable
// when it returns, and gone from the bucket and from the disk after Expunge.
func (s *Store) Destroy(records []Destroyed) error {
	if s.closed.Load() {
		return ErrClosed
	}
	graves := remains()
	for i := range records {
		r := &records[i]
		if r.ID != (key.Record{}) {
			graves = append(graves, kv.Change{Key: graveKey(headerName(r.Log, r.ID)), Value: []byte{}})
		}
		if r.Hash != (wire.Hash{}) {
			graves = append(graves, kv.Change{Key: graveKey(blobName(r.Hash)), Value: []byte{}})
		}
	}
	// First: what is put from now on is refused, and a crash leaves nothing that could come back.
	if err := s.writeMoving(graves); err != nil {
		return fmt.Errorf("destroying: %w", err)
	}
	for some := range slices.Chunk(records, 256) {
		if err := s.deleteAll(some); err != nil {
			return fmt.Errorf("destroying: %w", err)
		}
	}
	// Anew: work that is under way may have been before the deletions.
	if err := s.writeMoving(remains()); err != nil {
		return err
	}
	s.remaining.order(time.Now())
	return nil
}

// deleteAll deletes records with one wait for the disk, and one more for each directory that files of theirs may be in.
func (s *Store) deleteAll(records []Destroyed) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	var names []pack.Name
	dirs := map[string]bool{}
	for i := range records {
		r := &records[i]
		if r.ID != (key.Record{}) {
			names = append(names, headerName(r.Log, r.ID))
		}
		if r.Hash != (wire.Hash{}) {
			names = append(names, blobName(r.Hash))
		}
	}
	if err := s.drop(names...); err != nil {
		return err
	}
	for _, n := range names {
		if n.Kind != pack.Blob {
			continue
		}
		if err := s.removeFiles(n.Hash); err != nil {
			return err
		}
		dirs[s.fs.PathDir(s.path(n.Hash))] = true
	}
	for dir := range dirs {
		if err := s.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) writeMoving(batch []kv.Change) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	return s.db.Write(batch)
}

// Keys that stand while something destroyed may still be somewhere.
const (
	inFiles   = "d" // in the files of the key-value store
	inObjects = "c" // in objects of the bucket
)

// remains notes that there is something to take out, with a value that no earlier note had.
func remains() []kv.Change {
	value := make([]byte, 16)
	rand.Read(value)
	return []kv.Change{{Key: []byte(inFiles), Value: value}, {Key: []byte(inObjects), Value: value}}
}

// remaining counts what was ordered destroyed since the store was opened, and what of it is gone.
type remaining struct {
	mu      sync.Mutex
	ordered uint64    // calls of Destroy that have deleted; what an earlier process left counts as one
	gone    uint64    // of these, that Expunge has done with
	since   time.Time // the first that it hasn't
	ended   time.Time // Expunge last, and
	took    time.Duration
	wake    chan struct{} // something was ordered
}

func (x *remaining) order(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ordered == x.gone {
		x.since = now
	}
	x.ordered++
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// rest is how many times as long as it took the work rests: a large store is written anew by it.
const rest = 20

// due is when Expunge is to take out what was destroyed; never if nothing is to be.
func (x *remaining) due(after time.Duration) (at time.Time, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at = x.since.Add(after)
	if next := x.ended.Add(rest * x.took); at.Before(next) {
		at = next
	}
	return at, x.ordered > x.gone
}

// Ordered is how often something was ordered destroyed since the store was opened, as far as Destroy has returned; for Gone.
func (s *Store) Ordered() uint64 {
	s.remaining.mu.Lock()
	defer s.remaining.mu.Unlock()
	return s.remaining.ordered
}

// Gone tells whether all that was ordered destroyed until Ordered was asked, by earlier processes too, is in no file of the store and in no object of its bucket any more.
func (s *Store) Gone(ordered uint64) bool {
	s.remaining.mu.Lock()
	defer s.remaining.mu.Unlock()
	return s.remaining.gone >= ordered
}

// remembered counts what an earlier process was told to destroy and may have left.
func (s *Store) remembered() error {
	s.remaining.wake = make(chan struct{}, 1)
	for _, note := range []string{inFiles, inObjects} {
		b, err := s.db.Get([]byte(note))
		if err != nil {
			return err
		}
		if b != nil {
			s.remaining.order(time.Now())
			break
		}
	}
	return nil
}

// Expunge takes what was destroyed out of the files on the disk and out of the bucket, and out of the bucket also what was deleted before a time.
//
// Crash points: each note is taken back when its part is done, so that the next process does what is left.
func (s *Store) Expunge(ctx context.Context, before time.Time) error {
	begun, ordered := time.Now(), s.Ordered()
	err := s.settle(inFiles, func() error {
		for _, part := range []*kv.DB{s.blobs, s.headers} {
			if err := part.Purge(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.settle(inObjects, func() error { return s.clear(ctx, begun) })
	}
	if err == nil && s.cold != nil {
		_, err = s.Repack(ctx, before)
	}
	s.remaining.mu.Lock()
	defer s.remaining.mu.Unlock()
	if ordered > s.remaining.gone {
		s.remaining.ended = time.Now()
		s.remaining.took = s.remaining.ended.Sub(begun)
		if err == nil {
			s.remaining.gone, s.remaining.since = ordered, begun
		}
	}
	return err
}

// settle does what a note asks for, and takes the note back unless something was destroyed since.
func (s *Store) settle(note string, do func() error) error {
	due, err := s.db.Get([]byte(note))
	if err != nil || due == nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	now, err := s.db.Get([]byte(note))
	if err != nil || !bytes.Equal(now, due) {
		return err
	}
	return s.db.Write([]kv.Change{{Key: []byte(note)}})
}

// clear makes every pack anew that has something deleted, and sees to it that no object is left of what was until then.
func (s *Store) clear(ctx context.Context, begun time.Time) error {
	if s.cold == nil {
		return nil
	}
	var unlisted error
	if !s.cold.knows.Load() { // a pack that isn't noted may have it
		_, unlisted = s.Sweep(ctx)
	}
	if _, err := s.Repack(ctx, time.UnixMilli(math.MaxInt64)); err != nil {
		return err
	}
	s.cold.packing.Lock()
	defer s.cold.packing.Unlock()
	if _, err := s.execute(ctx); err != nil {
		return err
	}
	for _, n := range s.cold.all() {
		// What was deleted since Repack looked is ordered since, and counts for the next time.
		if n.tainted > 0 && n.tainted <= uint64(begun.UnixMilli()) {
			return fmt.Errorf("%w: pack %v has something that was destroyed, and couldn't be made anew", ErrAway, n.name)
		}
	}
	return unlisted
}

// ErrDestroyed says that something was destroyed, and isn't taken again.
var ErrDestroyed = errors.New("it was destroyed")

// WasDestroyed tells whether a record was, by its header or by its ciphertext: either may be zero.
func (s *Store) WasDestroyed(d Destroyed) (bool, error) {
	if d.Hash != (wire.Hash{}) {
		return s.destroyed(blobName(d.Hash))
	}
	return s.destroyed(headerName(d.Log, d.ID))
}

// destroyed tells whether something was.
func (s *Store) destroyed(n pack.Name) (bool, error) {
	b, err := s.db.Get(graveKey(n))
	return b != nil, err
}

// unlessDestroyed leaves out of a batch of fresh items what was destroyed. moving is held.
func (s *Store) unlessDestroyed(batch []kv.Change) ([]kv.Change, error) {
	graves := make([][]byte, len(batch))
	for i, c := range batch {
		kind := pack.Blob
		if c.Key[0] == headerPrefix[0] {
			kind = pack.Header
		}
		graves[i] = append([]byte(gravePrefix), byte(kind))
		graves[i] = append(graves[i], c.Key[1:]...)
	}
	for from := 0; ; {
		i, err := s.db.First(graves[from:])
		if i < 0 {
			return batch, err
		}
		from += i
		batch, graves = slices.Delete(batch, from, from+1), slices.Delete(graves, from, from+1)
	}
}
