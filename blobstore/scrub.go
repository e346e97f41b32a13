package blobstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"vitalog/kv"
	"vitalog/wire"
)

// Scrub reads one pack, the one after the last that was read, and compares it with its name. It returns how many bytes it read, at least 1, and 0 when there is none
// or all were read once more. What is damaged in a pack is told as lost; the rest of it is packed anew.
func (s *Store) Scrub(ctx context.Context) (read int64, err error) {
	c := s.cold
	c.packing.Lock()
	defer c.packing.Unlock()
	ids := slices.Sorted(maps.Keys(c.all()))
	last, ended := c.told.marked()
	i, _ := slices.BinarySearch(ids, last+1)
	if i == len(ids) {
		if last > 0 {
			ended = time.Now()
		}
		return 0, s.mark(0, ended)
	}
	id := ids[i]
	object, err := s.whole(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		err = s.lose(ctx, []uint64{id})
	}
	if err != nil {
		return 0, err
	}
	return max(1, int64(len(object))), s.mark(id, ended)
}

// scrubbed is the key of the pack that was read last, and of when the last round ended.
const scrubbed = "s"

func (s *Store) mark(id uint64, ended time.Time) error {
	value := binary.BigEndian.AppendUint64(nil, id)
	if !ended.IsZero() {
		value = append(value, moment(ended)...)
	}
	if err := s.db.Write([]kv.Change{{Key: []byte(scrubbed), Value: value}}); err != nil {
		return err
	}
	s.cold.told.read(id, ended)
	return nil
}

// whole is the object of a pack, or fs.ErrNotExist. If it isn't as it was put it is read once more, for a cloud may answer wrongly; if it isn't then either,
// it is put again if it waits, and else what is damaged in it is told as lost.
func (s *Store) whole(ctx context.Context, id uint64) (object []byte, err error) {
	n := s.cold.noted(id)
	for range 2 {
		object, err = s.cold.bucket.Get(ctx, n.object(), 0, -1)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrAway, err)
		}
		if err == nil && wire.Hash(sha256.Sum256(object)) == n.name || errors.Is(err, ErrAway) {
			return object, err
		}
		if err != nil {
			break
		}
	}
	if again, failed := s.putAgain(ctx, n.name); again != nil || failed != nil {
		return again, failed
	}
	if err != nil {
		return nil, err
	}
	return object, s.damaged(ctx, id, object)
}

// putAgain puts a pack that waits into the bucket, where it is gone or altered; nil if it doesn't wait.
func (s *Store) putAgain(ctx context.Context, name wire.Hash) (object []byte, err error) {
	if object = s.wholeCopy(name); object == nil {
		return nil, nil
	}
	if err = s.cold.bucket.Delete(ctx, objectName(name)); err == nil {
		err = s.cold.bucket.Put(ctx, objectName(name), object)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: putting a pack again: %w", ErrAway, err)
	}
	return object, nil
}

// rotten stands for the time since which a pack has something to take out: it was damaged when it was read.
const rotten = 1

// damaged loses what doesn't open in a pack's object. The pack is due to be packed anew.
func (s *Store) damaged(ctx context.Context, id uint64, object []byte) error {
	n := s.cold.noted(id)
	bad := func(places []place) bool {
		return slices.ContainsFunc(places, func(p place) bool {
			if p.pack != id {
				return false
			}
			if n.cut {
				return true // it can't be packed anew without the others
			}
			at, end, _, err := p.Span(0, p.Size)
			if err != nil || end > int64(len(object)) {
				return true
			}
			_, err = n.opener.Frames(object[at:end], at)
			return err != nil
		})
	}
	if err := s.loseWhere(ctx, bad); err != nil {
		return err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	x := s.cold.change()
	if n := x.of(id); n != nil {
		n.tainted = rotten
	}
	return x.write()
}
