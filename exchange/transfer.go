package exchange

import (
	"context"
	"errors"
	"fmt"

	"vitalog/blobstore"
	"vitalog/wire"
)

// takeParts fetches a large blob piece by piece, in the memory of one; it is in the store only if the whole has the right hash. When it is
// cut, what has come stays, and the next attempt goes on there, with whichever member. Of several at once one fetches, the others wait.
func (m *Member) takeParts(ctx context.Context, o offer, h wire.Hash) error {
	w, err := m.store.Resume(h)
	for errors.Is(err, blobstore.ErrBusy) {
		if err := m.store.Arrival(ctx, h); err != nil {
			return err
		}
		if _, err := m.store.Verify(h); err == nil {
			return nil
		}
		w, err = m.store.Resume(h)
	}
	if err != nil {
		return err
	}
	defer w.Abort()
	for at := uint64(w.Size()); at < o.size; {
		part, err := m.callPart(ctx, o.from, h, at)
		if err != nil {
			return err
		}
		if len(part) == 0 || at+uint64(len(part)) > o.size {
			return fmt.Errorf("part of %v at %d: %w", h, at, wire.ErrTruncated)
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
		at += uint64(len(part))
	}
	return w.Expect(h)
}

// Part reads some of a blob, from the own store or any member's.
func (m *Member) Part(ctx context.Context, h wire.Hash, at uint64) ([]byte, error) {
	b, err := m.store.Part(h, int64(min(at, maxSealed)), maxReply/2)
	for i := 1; i < len(m.genesis.Members) && err != nil && ctx.Err() == nil; i++ {
		b, err = m.callPart(ctx, (m.number+i)%len(m.genesis.Members), h, at)
	}
	if err != nil {
		return nil, fmt.Errorf("part of blob %v: %w: %w", h, ErrNotShared, err)
	}
	return b, nil
}

// callPart asks a member for some of a blob, from at on.
func (m *Member) callPart(ctx context.Context, member int, h wire.Hash, at uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	var q wire.Writer
	q.Fixed(h[:])
	q.U64(at)
	return m.peers.Call(ctx, member, "part", q.Done())
}
