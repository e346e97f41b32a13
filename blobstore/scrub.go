package blobstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"vitalog/wire"
)

// Scrub reads one pack, the one after the last that was read, and compares it with its name. It returns how many bytes it read, 0 when there is none or all were
// read once more. What is damaged in a pack is told as lost; the rest of it is packed anew.
func (s *Store) Scrub(ctx context.Context) (read int64, err error) {
	c := s.cold
	c.packing.Lock()
	defer c.packing.Unlock()
	all := c.all()
	var ids []uint64
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	at, err := s.db.Get([]byte(scrubbed))
	if err != nil {
		return 0, err
	}
	last := uint64(0)
	if len(at) == 8 {
		last = binary.BigEndian.Uint64(at)
	}
	i, _ := slices.BinarySearch(ids, last+1)
	if i == len(ids) {
		return 0, s.mark(0)
	}
	id := ids[i]
	n := all[id]
	object, err := c.bucket.Get(ctx, n.object(), 0, -1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if wire.Hash(sha256.Sum256(object)) != n.name {
		if err := s.damaged(ctx, id, n, object); err != nil {
			return 0, err
		}
	}
	return int64(len(object)), s.mark(id)
}

// scrubbed is the key of the pack that was read last.
const scrubbed = "s"

func (s *Store) mark(id uint64) error {
	x := s.cold.change()
	x.set([]byte(scrubbed), binary.BigEndian.AppendUint64(nil, id))
	return x.write()
}

// damaged loses what doesn't open in a pack's object. The pack is due to be packed anew.
func (s *Store) damaged(ctx context.Context, id uint64, n *noted, object []byte) error {
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
		n.tainted = 1 // at once
	}
	return x.write()
}
