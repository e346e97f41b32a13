package blobstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// atOnce is how many lost things are told in one call.
const atOnce = 1000

// lose forgets what packs had that are gone, and tells it.
func (s *Store) lose(ctx context.Context, ids []uint64) error {
	if len(ids) == 0 {
		return nil
	}
	err := s.loseWhere(ctx, func(places []place) bool { return anyIn(places, ids) })
	if err != nil {
		return err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	for _, id := range ids {
		if n := x.of(id); n != nil && s.cold.waits(n.name) {
			x.set(condemnedKey(n.name), []byte{}) // so that its copy goes, which isn't whole
		}
		x.forget(id)
	}
	return x.write()
}

// anyIn tells whether one of the places is in one of the packs.
func anyIn(places []place, ids []uint64) bool {
	return slices.ContainsFunc(places, func(p place) bool { return slices.Contains(ids, p.pack) })
}

// loseWhere forgets all that lies at some places, and tells it.
func (s *Store) loseWhere(ctx context.Context, gone func([]place) bool) error {
	var names []pack.Name
	flush := func() error {
		err := s.forget(names, gone)
		names = names[:0]
		return err
	}
	err := s.db.Prefix(placePrefix).Scan(nil, nil, func(k, v []byte) error {
		places, err := decodePlaces(v)
		if err != nil || !gone(places) {
			return err
		}
		n, err := nameOf(k)
		if err != nil {
			return err
		}
		if names = append(names, n); len(names) == atOnce {
			err = flush()
		}
		return errors.Join(err, ctx.Err())
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	err = s.db.Prefix(piecePrefix).Scan(nil, nil, func(k, v []byte) error {
		places, err := decodePlaces(v)
		if err != nil || !gone(places) {
			return err
		}
		x := s.cold.change()
		x.bury(places, false)
		x.delete(append([]byte(piecePrefix), k...))
		return x.write()
	})
	return errors.Join(err, s.tellLost())
}

// forget drops the places of what is lost, and in the same step notes that this is to be told.
func (s *Store) forget(names []pack.Name, gone func([]place) bool) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	var fresh []wire.Hash
	for _, n := range names {
		places, err := s.places(n)
		if err != nil {
			return err
		}
		if !gone(places) {
			continue
		}
		for i, p := range places { // of what lies in several packs, the pieces that are there are kept for the others
			if one := []place{p}; len(places) == 1 || gone(one) {
				x.bury(one, false)
			} else {
				x.set(pieceKey(n.Hash, uint16(i), uint16(len(places))), appendPlace(nil, p))
			}
		}
		x.lieNowhere(n)
		again, err := s.isFresh(n) // it was put since
		if err != nil {
			return err
		}
		if !again {
			x.set(lostKey(places[0], n), []byte{})
		} else if n.Kind == pack.Blob {
			fresh = append(fresh, n.Hash)
		}
	}
	if err := x.write(); err != nil {
		return err
	}
	s.unpacked(fresh...)
	return nil
}

// lostPlace is what a note begins with: where it lay. What lay together is told together, and lies together at other members too.
const lostPlace = 8 + 8

func lostKey(p place, n pack.Name) []byte {
	k := binary.BigEndian.AppendUint64([]byte(lostPrefix), p.pack)
	return append(binary.BigEndian.AppendUint64(k, p.At), placeKey(n)[len(placePrefix):]...)
}

// tellLost tells what was forgotten, in the order in which it lay. Only then, so that nobody who looks takes it for there; and what a crash kept from being told is
// told by the next listing.
func (s *Store) tellLost() error {
	for {
		var blobs []wire.Hash
		var headers []Record
		var told []kv.Change
		err := s.db.Prefix(lostPrefix).Scan(nil, nil, func(k, _ []byte) error {
			if len(k) < lostPlace {
				return fmt.Errorf("what is noted as lost: %w", ErrCorrupt)
			}
			n, err := nameOf(k[lostPlace:])
			if err != nil {
				return err
			}
			if n.Kind == pack.Blob {
				blobs = append(blobs, n.Hash)
			} else {
				headers = append(headers, Record{Log: n.Log, ID: n.Record})
			}
			if told = append(told, kv.Change{Key: append([]byte(lostPrefix), k...)}); len(told) == atOnce {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) || len(told) == 0 {
			return err
		}
		if s.cold.lost != nil {
			if err := s.cold.lost(blobs, headers); err != nil {
				return fmt.Errorf("telling what a pack had that is gone: %w", err)
			}
		}
		if err := s.db.Write(told); err != nil {
			return err
		}
	}
}

var errEnough = errors.New("enough")
