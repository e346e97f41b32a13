package blobstore

import (
	"context"
	"errors"
	"maps"
	"slices"

	"vitalog/kv"
)

// retelling is the key that stands while the bucket tells anew what lies where.
const retelling = "r"

// Reindex forgets where things lie in the bucket, and has every pack tell it anew. What was not told yet meanwhile is damaged here; it goes on with the next
// Sweep where it was cut.
func (s *Store) Reindex(ctx context.Context) (found Swept, err error) {
	if s.cold == nil {
		return found, errors.New("the store has no bucket")
	}
	if err := s.unlearn(); err != nil {
		return found, err
	}
	return s.Sweep(ctx)
}

// unlearn forgets all packs in one step: places in them count no more.
func (s *Store) unlearn() error {
	s.cold.packing.Lock()
	defer s.cold.packing.Unlock()
	s.moving.Lock()
	defer s.moving.Unlock()
	s.cold.knows.Store(false)
	x := s.cold.change()
	x.set([]byte(retelling), []byte{})
	for id := range s.cold.all() {
		x.forget(id)
	}
	if err := x.write(); err != nil {
		return err
	}
	_, blobs := s.cold.thatWait()
	s.unpacked(slices.Collect(maps.Keys(blobs))...)
	return nil
}

// learned ends a listing that told of all packs. What lies in none of them by then is lost.
func (s *Store) learned(ctx context.Context) error {
	retold, err := s.db.Get([]byte(retelling))
	if err == nil && retold != nil {
		err = s.loseWhere(ctx, func(places []place) bool { return !s.cold.current(places) })
		if err == nil {
			err = s.db.Write([]kv.Change{{Key: []byte(retelling)}})
		}
	}
	if err == nil {
		s.cold.knows.Store(true)
	}
	return err
}

// current tells whether places are in packs that are noted.
func (c *cold) current(places []place) bool {
	return places != nil && !slices.ContainsFunc(places, func(p place) bool { return c.noted(p.pack) == nil })
}
