package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/peer"
	"vitalog/wire"
)

// The states of a blob in a reply.
const (
	blobAbsent  = 0
	blobHere    = 1 // length and bytes follow
	blobInParts = 2 // size and the member to ask for parts follow
)

// offer is a member's word that it gives a large blob in parts.
type offer struct {
	from int
	size uint64
}

// fetchBlobs brings what is missing of the blobs into the own store. It returns those that nobody gave, and what went wrong with those
// that could not be asked. One that nobody has doesn't keep the others from coming.
func (m *Member) fetchBlobs(ctx context.Context, hashes []wire.Hash) (missing []wire.Hash, err error) {
	var absent []wire.Hash
	for _, h := range hashes {
		have, err := m.store.Has(h)
		if err != nil {
			return hashes, err
		}
		if !have {
			absent = append(absent, h)
		}
	}
	_, missing, err = m.bringBlobs(ctx, absent)
	return missing, err
}

// bringBlobs is fetchBlobs for blobs that are not there, or are damaged: whole ones take their place. It tells who gave each.
func (m *Member) bringBlobs(ctx context.Context, hashes []wire.Hash) (gave map[wire.Hash]int, missing []wire.Hash, err error) {
	var errs []error
	gave = map[wire.Hash]int{}
	for batch := range slices.Chunk(hashes, maxAsked) {
		left, err := m.askBlobs(ctx, batch, gave)
		missing = append(missing, left...)
		if err != nil && len(left) > 0 {
			errs = append(errs, err)
		}
	}
	return gave, missing, errors.Join(errs...)
}

// askBlobs brings at most maxAsked blobs. A member that offers parts and does not give them is not asked again.
func (m *Member) askBlobs(ctx context.Context, hashes []wire.Hash, gave map[wire.Hash]int) (left []wire.Hash, err error) {
	failed := map[int]bool{}
	for left = hashes; len(left) > 0; {
		r := &round{left: map[wire.Hash]bool{}, offers: map[wire.Hash]offer{}, gave: gave}
		for _, h := range left {
			r.left[h] = true
		}
		err = m.inTurn(ctx, failed, func(ctx context.Context, other int) (bool, error) { return m.askMember(ctx, r, left, other) })
		broken := 0
		for h, o := range r.offers {
			if failed[o.from] {
				continue
			}
			if partErr := m.takeParts(ctx, o, h); partErr != nil {
				failed[o.from] = true
				broken++
				err = errors.Join(err, fmt.Errorf("member %d: %w", o.from, partErr))
				continue
			}
			delete(r.left, h)
			gave[h] = o.from
		}
		left = slices.DeleteFunc(slices.Clone(left), func(h wire.Hash) bool { return !r.left[h] })
		if broken == 0 {
			break
		}
	}
	return left, err
}

// round is what several members are asked at once.
type round struct {
	mu     sync.Mutex
	left   map[wire.Hash]bool // neither stored nor offered
	offers map[wire.Hash]offer
	gave   map[wire.Hash]int
}

// wanted are those of hashes that nobody gave or offered yet.
func (r *round) wanted(hashes []wire.Hash) []wire.Hash {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(hashes), func(h wire.Hash) bool {
		_, offered := r.offers[h]
		return !r.left[h] || offered
	})
}

// askMember asks one member, again as long as its replies are full. done tells that nothing is left.
func (m *Member) askMember(ctx context.Context, r *round, hashes []wire.Hash, member int) (done bool, err error) {
	for {
		asked := r.wanted(hashes)
		if len(asked) == 0 {
			return true, nil
		}
		reply, err := m.peers.Call(ctx, member, "blobs", encodeHashes(asked))
		if err != nil {
			return false, err
		}
		stored, more, err := m.takeBlobs(r, asked, reply, member)
		if err != nil || stored == 0 || !more {
			return len(r.wanted(hashes)) == 0, err
		}
	}
}

// takeBlobs stores what a member sent: for each hash a state and the bytes. Nothing is stored that was not asked for. more tells that the
// member has others that would have fitted into a reply of their own.
func (m *Member) takeBlobs(r *round, asked []wire.Hash, reply []byte, member int) (stored int, more bool, err error) {
	in := wire.NewReader(reply)
	var here [][]byte
	var names []wire.Hash
	offers := map[wire.Hash]offer{}
	for _, h := range asked {
		switch in.U8() {
		case blobHere:
			b := in.Take(int(in.U32()))
			if in.Err() == nil && sha256.Sum256(b) != h {
				return 0, false, fmt.Errorf("other bytes than those of %v", h)
			}
			here, names = append(here, b), append(names, h)
		case blobInParts:
			size := in.U64()
			_ = in.U16() // it is the one who answers
			switch {
			case size > maxSealed:
				return 0, false, fmt.Errorf("blob of %d bytes: %w", size, wire.ErrOversized)
			case size < maxReply/2:
				more = true
			default:
				offers[h] = offer{from: member, size: size}
			}
		}
	}
	if err := in.End(); err != nil {
		return 0, false, err
	}
	if err := m.store.PutAll(here); err != nil {
		return 0, false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range names {
		delete(r.left, h)
		r.gave[h] = member
	}
	for h, o := range offers {
		r.offers[h] = o
	}
	return len(names), more, nil
}

// serveBlobs answers for a list of hashes. Ciphertext is no secret: whoever is a member may have it. What is damaged here is not given, and
// healed.
func (m *Member) serveBlobs(ctx context.Context, _ int, body []byte) ([]byte, error) {
	hashes, err := decodeHashes(body)
	if err != nil {
		return nil, &peer.Error{Kind: peer.Invalid, Text: err.Error()}
	}
	m.store.Warm(ctx, key.Log{}, nil, hashes) // one after the other would take longer than the other waits
	var w wire.Writer
	for _, h := range hashes {
		size, err := m.store.Size(h)
		elsewhere := func() { // here, but not in this reply
			w.U8(blobInParts)
			w.U64(uint64(size))
			w.U16(uint16(m.number))
		}
		switch {
		case errors.Is(err, blobstore.ErrCorrupt):
			m.stumbled(h)
			w.U8(blobAbsent)
		case err != nil:
			w.U8(blobAbsent)
		case len(w.Done())+int(min(size, maxReply)) >= maxReply:
			elsewhere()
		default:
			b, err := m.store.Get(h, maxReply)
			if errors.Is(err, blobstore.ErrCorrupt) {
				m.stumbled(h)
			}
			switch {
			case errors.Is(err, blobstore.ErrAway): // absent would tell that it is nowhere
				elsewhere()
			case err != nil:
				w.U8(blobAbsent)
			default:
				w.U8(blobHere)
				w.Bytes(b)
			}
		}
	}
	return w.Done(), nil
}

// servePart answers with up to maxReply/2 bytes of a blob.
func (m *Member) servePart(_ context.Context, _ int, body []byte) ([]byte, error) {
	r := wire.NewReader(body)
	var h wire.Hash
	r.Fixed(h[:])
	at := r.U64()
	if err := r.End(); err != nil {
		return nil, &peer.Error{Kind: peer.Invalid, Text: err.Error()}
	}
	b, err := m.store.Part(h, int64(at), maxReply/2)
	if errors.Is(err, blobstore.ErrCorrupt) {
		m.stumbled(h)
	}
	if err != nil {
		return nil, &peer.Error{Kind: peer.NotFound, Text: "no such part"}
	}
	return b, nil
}
