package blobstore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// Elsewhere is what other members are known to do about a record.
type Elsewhere int

const (
	Unnamed Elsewhere = iota // no entry names it: its operation is on its way, or will never be there
	Scarce                   // too few of them hold it
	Held                     // enough of them do
)

// How long what no entry names waits. An operation may be on its way for two minutes, and an upload rest for a day.
const (
	unnamedPack = 10 * time.Minute
	unnamedBlob = 25 * time.Hour
)

const (
	leaveEvery  = time.Second // how often it is asked whether what waits may leave
	askedAtOnce = 256         // records of a pack of which it is asked
)

// Leave takes from the disk what waits and others hold by now. It reads nothing from the bucket.
//
// Crash points: a copy of a pack goes before its note, and the note of a blob before the blob: spec/packs.md.
func (s *Store) Leave() error {
	c := s.cold
	if c == nil {
		return errors.New("the store has no bucket")
	}
	c.packing.Lock()
	defer c.packing.Unlock()
	packs, blobs := c.thatWait()
	err := s.leaveBlobs(blobs)
	if err == nil {
		err = s.leavePacks(packs)
	}
	if err != nil {
		return fmt.Errorf("taking from the disk what others hold: %w", err)
	}
	return nil
}

// over tells whether a record needn't wait any more, since when it does.
func (e Elsewhere) over(since time.Time, unnamed time.Duration) bool {
	return e == Held || e == Unnamed && time.Since(since) > unnamed
}

// ask is what others do about records. Where nobody is to be waited for, they hold all.
func (c *cold) ask(records []Record) ([]Elsewhere, error) {
	if c.elsewhere == nil {
		return slices.Repeat([]Elsewhere{Held}, len(records)), nil
	}
	return c.elsewhere(records)
}

func (s *Store) leavePacks(packs map[wire.Hash]*waitingPack) error {
	var gone []wire.Hash
	for name, p := range packs {
		over, err := s.packOver(name, p)
		if err != nil {
			return err
		}
		if over {
			gone = append(gone, name)
		}
	}
	return s.dropCopies(gone)
}

// dropCopies removes copies of packs, then their notes.
func (s *Store) dropCopies(names []wire.Hash) error {
	if len(names) == 0 {
		return nil
	}
	notes := make([]kv.Change, len(names))
	for i, name := range names {
		if err := s.fs.Remove(s.cold.waiting.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		notes[i].Key = waitingKey(name)
	}
	err := s.syncDir(s.copies())
	if err == nil {
		err = s.db.Write(notes)
	}
	if err != nil {
		return err
	}
	s.cold.copyGone(names...)
	return nil
}

// packOver tells whether a pack needn't wait any more: for none of its records. One that isn't whole here is of no use.
func (s *Store) packOver(name wire.Hash, p *waitingPack) (bool, error) {
	if s.cold.elsewhere == nil {
		return true, nil
	}
	if p.last != nil {
		if how, err := s.cold.ask([]Record{*p.last}); err != nil || !how[0].over(p.since, unnamedPack) {
			return false, err
		}
	}
	object := s.wholeCopy(name)
	if object == nil {
		return true, nil
	}
	t, err := s.cold.key.Open(object)
	if err != nil {
		return false, err
	}
	var records []Record
	for i := range t.Items {
		if x := &t.Items[i]; x.Kind == pack.Header {
			records = append(records, Record{Log: x.Log, ID: x.Record})
		}
	}
	for some := range slices.Chunk(records, askedAtOnce) {
		how, err := s.cold.ask(some)
		if err != nil {
			return false, err
		}
		if i := slices.IndexFunc(how, func(e Elsewhere) bool { return !e.over(p.since, unnamedPack) }); i >= 0 {
			p.last = &some[i]
			return false, nil
		}
	}
	return true, nil
}

// leaveBlobs takes notes back of blobs that needn't wait any more, and those of these blobs from the fresh store that are packed.
func (s *Store) leaveBlobs(blobs map[wire.Hash]*waitingBlob) error {
	var hashes []wire.Hash
	var of []Record
	for h, b := range blobs {
		hashes, of = append(hashes, h), append(of, b.of)
	}
	if len(of) == 0 {
		return nil
	}
	how, err := s.cold.ask(of)
	if err != nil {
		return err
	}
	for i, h := range hashes {
		if how[i].over(blobs[h].since, unnamedBlob) {
			if err := s.leaveBlob(h); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) leaveBlob(h wire.Hash) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	gone := []kv.Change{{Key: ownKey(h)}}
	packed := s.rests(h)
	if packed {
		gone = append(gone, kv.Change{Key: hotKey(blobName(h))})
	}
	if err := s.db.Write(gone); err != nil {
		return err
	}
	if packed {
		if err := s.fs.Remove(s.path(h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	w := &s.cold.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.blobs, h) // only now: who sees that it doesn't wait finds it gone
	return nil
}

// somethingWaits tells whether Leave has something to do, now or later.
func (c *cold) somethingWaits() bool {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	return len(c.waiting.packs)+len(c.waiting.blobs) > 0
}
