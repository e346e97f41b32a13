package blobstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"vitalog/key"
	"vitalog/kv"
	"vitalog/pack"
	"vitalog/wire"
)

// ErrAway says that the cloud doesn't answer. What is in it isn't lost by that.
var ErrAway = errors.New("the cloud doesn't answer")

// Bucket is a place for immutable objects in a cloud. Its methods are safe for concurrent use.
type Bucket interface {
	// Put stores an object, which is durable when it returns nil. After an error it may be there or not. To put it again is harmless.
	Put(ctx context.Context, name string, content []byte) error
	// Get returns n bytes of an object from at on, or all up to its end if n is negative. Its error is fs.ErrNotExist if there is none.
	Get(ctx context.Context, name string, at, n int64) ([]byte, error)
	// Delete removes an object, durably. One that isn't there is no error.
	Delete(ctx context.Context, name string) error
	// Each calls f for every object whose name begins with prefix, until f returns an error.
	Each(ctx context.Context, prefix string, f func(name string, size int64) error) error
	// Close lets go of it.
	Close() error
}

// How a read waits for the cloud: what others have needn't wait long.
const (
	patience    = 5 * time.Second
	patienceMiB = time.Second      // more for each
	silence     = 10 * time.Second // a cloud that didn't answer isn't asked again for so long at most, and for four times as long as it kept a read waiting
)

// Keys in the key-value store, under "blobs/".
const (
	placePrefix = "p" // kind(8) ‖ name → the places of its pieces
	piecePrefix = "u" // hash ‖ piece(16) ‖ of(16) → its place, while others of the blob are missing
	packPrefix  = "k" // id(64) → what is noted of a pack
	condemned   = "x" // hash → the object is to be deleted
	lostPrefix  = "l" // id of a pack(64) ‖ at(64) ‖ kind(8) ‖ name → it is to be told that it is lost
	gravePrefix = "t" // kind(8) ‖ name → it was destroyed
	olderPrefix = "o" // kind(8) ‖ name ‖ id(64) → that pack has a copy of it too, which isn't needed
	nextID      = "n" // the id of the next pack

	waitingPrefix = "w" // hash → since when the pack waits
	ownPrefix     = "a" // hash → the record of this member's own that the blob is of, and since when
)

// cold is what of a store lies in a cloud.
type cold struct {
	db      *kv.DB
	bucket  Bucket
	key     *pack.Key
	lost    func([]wire.Hash, []Record) error
	packing sync.Mutex // one makes, rewrites, lists or checks packs at a time

	elsewhere func([]Record) ([]Elsewhere, error) // nil: nothing waits
	own       own
	waiting   waiting

	knows  atomic.Bool  // a listing has told of all packs since the store was opened, and since Reindex
	silent atomic.Int64 // until when the cloud isn't asked, in ns; 0: it answers

	mu    sync.Mutex
	packs map[uint64]*noted
	warm  warm
	told  told
}

// noted is what a store knows of a pack.
type noted struct {
	name        wire.Hash
	salt        [32]byte
	number      uint64
	size        uint32
	items, dead uint32 // dead: not needed any more
	deadBytes   uint32
	tainted     uint64 // since when it holds what was deleted, in ms; 0: it doesn't
	cut         bool   // it has a piece of something large

	opener pack.Opener
}

func (n *noted) object() string { return objectName(n.name) }

func objectName(h wire.Hash) string { return "packs/" + h.String()[:2] + "/" + h.String() }

func (n *noted) encode() []byte {
	var w wire.Writer
	w.Fixed(n.name[:])
	w.Fixed(n.salt[:])
	w.U64(n.number)
	w.U32(n.size)
	w.U32(n.items)
	w.U32(n.dead)
	w.U32(n.deadBytes)
	w.U64(n.tainted)
	w.Bool(n.cut)
	return w.Done()
}

func (c *cold) decode(b []byte) (*noted, error) {
	r := wire.NewReader(b)
	n := &noted{}
	r.Fixed(n.name[:])
	r.Fixed(n.salt[:])
	n.number, n.size, n.items, n.dead, n.deadBytes, n.tainted, n.cut = r.U64(), r.U32(), r.U32(), r.U32(), r.U32(), r.U64(), r.Bool()
	n.opener = c.key.Opener(n.salt)
	return n, r.End()
}

// cut tells whether a pack has a piece of something large: then it has nothing else.
func cut(t *pack.Table) bool { return len(t.Items) == 1 && !t.Items[0].Whole() }

// place is where a piece lies.
type place struct {
	pack uint64
	pack.Place
}

const placeSize = 8 + 4 + 4

func appendPlace(b []byte, p place) []byte {
	b = binary.BigEndian.AppendUint64(b, p.pack)
	b = binary.BigEndian.AppendUint32(b, uint32(p.At))
	return binary.BigEndian.AppendUint32(b, p.Size)
}

func decodePlaces(b []byte) ([]place, error) {
	if len(b) == 0 || len(b)%placeSize != 0 {
		return nil, fmt.Errorf("places of %d bytes: %w", len(b), ErrCorrupt)
	}
	var out []place
	for ; len(b) > 0; b = b[placeSize:] {
		out = append(out, place{binary.BigEndian.Uint64(b), pack.Place{At: uint64(binary.BigEndian.Uint32(b[8:])), Size: binary.BigEndian.Uint32(b[12:])}})
	}
	return out, nil
}

func blobName(h wire.Hash) pack.Name { return pack.Name{Kind: pack.Blob, Hash: h} }

func headerName(log key.Log, rid key.Record) pack.Name {
	return pack.Name{Kind: pack.Header, Log: log, Record: rid}
}

func placeKey(n pack.Name) []byte {
	k := append([]byte(placePrefix), byte(n.Kind))
	if n.Kind == pack.Blob {
		return append(k, n.Hash[:]...)
	}
	return append(append(k, n.Log[:]...), n.Record[:]...)
}

// nameOf is the name in a key of placePrefix, without the prefix.
func nameOf(k []byte) (pack.Name, error) {
	switch {
	case len(k) == 33 && pack.Kind(k[0]) == pack.Blob:
		return blobName(wire.Hash(k[1:])), nil
	case len(k) == 65 && pack.Kind(k[0]) == pack.Header:
		return headerName(key.Log(k[1:33]), key.Record(k[33:])), nil
	}
	return pack.Name{}, fmt.Errorf("a place with a name of %d bytes: %w", len(k), ErrCorrupt)
}

// hotKey is where the item is while it is fresh and small.
func hotKey(n pack.Name) []byte {
	if n.Kind == pack.Blob {
		return append([]byte(blobPrefix), n.Hash[:]...)
	}
	return append([]byte(headerPrefix), headerKey(n.Log, n.Record)...)
}

func packKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte(packPrefix), id) }

// Attach lets the store keep what it has in a bucket, in packs that only k opens: Keep moves it there. It is called once, before all others, and Close closes the
// bucket too. lost is told what a pack had that is gone or damaged, in the order in which it lay, after the store forgot it, and again after a crash;
// records have no header then.
func (s *Store) Attach(b Bucket, k *pack.Key, lost func([]wire.Hash, []Record) error) error {
	c := &cold{db: s.db, bucket: b, key: k, lost: lost, packs: map[uint64]*noted{}, told: told{full: make(chan struct{}, 1)}}
	err := s.db.Prefix(packPrefix).Scan(nil, nil, func(id, v []byte) error {
		n, err := c.decode(v)
		if err != nil || len(id) != 8 {
			return fmt.Errorf("what is noted of a pack: %w: %w", ErrCorrupt, err)
		}
		c.packs[binary.BigEndian.Uint64(id)] = n
		return nil
	})
	if err != nil {
		return fmt.Errorf("blob store %s: %w", s.dir, err)
	}
	s.cold = c
	return errors.Join(s.recall(), s.weigh(), s.remember())
}

// weigh counts what is fresh, and not packed.
func (s *Store) weigh() error {
	var n, items int64
	_, waiting := s.cold.thatWait()
	blob := func(h wire.Hash, size int64) error {
		if b := waiting[h]; b == nil || !b.packed {
			n, items = n+size, items+1
		}
		return nil
	}
	err := errors.Join(s.blobs.Scan(nil, nil, func(k, v []byte) error { return blob(wire.Hash(k), int64(len(v))) }),
		s.headers.Scan(nil, nil, func(_, v []byte) error { n, items = n+int64(len(v)), items+1; return nil }))
	for i := 0; i < 256 && err == nil; i++ {
		err = s.eachFile(byte(i), blob)
	}
	s.grew(n, items)
	return err
}

// Packed tells whether something of the store is in a bucket.
func (s *Store) Packed() (bool, error) {
	it, err := s.db.Prefix(packPrefix).Iterate(nil, nil, false)
	if err != nil {
		return false, err
	}
	return it.Valid(), errors.Join(it.Err(), it.Close())
}

// places are those of a name, nil if it is not cold.
func (s *Store) places(n pack.Name) ([]place, error) {
	b, err := s.db.Get(placeKey(n))
	if err != nil || b == nil {
		return nil, err
	}
	return decodePlaces(b)
}

func (c *cold) noted(id uint64) *noted {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.packs[id]
}

// all are the packs that are noted, which must not be changed.
func (c *cold) all() map[uint64]*noted {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.packs)
}
