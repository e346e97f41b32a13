package blobstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
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

const patience = 30 * time.Second // of a read that waits for the cloud

// Keys in the key-value store, under "blobs/".
const (
	placePrefix = "p" // kind(8) ‖ name → the places of its pieces
	piecePrefix = "u" // hash ‖ piece(16) ‖ of(16) → its place, while others of the blob are missing
	packPrefix  = "k" // id(64) → what is noted of a pack
	condemned   = "x" // hash → the object is to be deleted
	lostPrefix  = "l" // kind(8) ‖ name → it is to be told that it is lost
	gravePrefix = "t" // kind(8) ‖ name → it was destroyed
	nextID      = "n" // the id of the next pack
)

// cold is what of a store lies in a cloud.
type cold struct {
	db      *kv.DB
	bucket  Bucket
	key     *pack.Key
	lost    func([]wire.Hash, []Record) error
	packing sync.Mutex // one makes, rewrites, lists or checks packs at a time

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
// bucket too. lost is told what a pack had that is gone or damaged, after the store forgot it, and again after a crash; records have no header then.
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
	return s.weigh()
}

// weigh counts what is fresh.
func (s *Store) weigh() error {
	n := int64(0)
	count := func(_, v []byte) error { n += int64(len(v)); return nil }
	err := errors.Join(s.blobs.Scan(nil, nil, count), s.headers.Scan(nil, nil, count))
	for i := 0; i < 256 && err == nil; i++ {
		err = s.eachFile(byte(i), func(_ wire.Hash, size int64) error { n += size; return nil })
	}
	s.grew(n)
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

// drop takes an item from the fresh store and from its packs. moving is locked.
func (s *Store) drop(n pack.Name) error {
	x := s.cold.change()
	x.delete(hotKey(n))
	places, err := s.places(n)
	if err != nil {
		return err
	}
	if places != nil {
		x.bury(places, true)
		x.delete(placeKey(n))
	}
	if n.Kind == pack.Blob && s.cold != nil {
		err = s.db.Prefix(piecePrefix).Scan(n.Hash[:], append(n.Hash[:], 255, 255, 255, 255, 255), func(k, v []byte) error {
			places, err := decodePlaces(v)
			x.bury(places, true)
			x.delete(append([]byte(piecePrefix), k...))
			return err
		})
		if err != nil {
			return err
		}
	}
	if s.cold == nil {
		return s.db.Write(x.batch)
	}
	s.cold.warm.drop(n)
	return x.write()
}

func lengthOf(places []place) (n int64) {
	for _, p := range places {
		n += int64(p.Size)
	}
	return n
}

// coldSize is the length of what is cold, or ErrNotFound.
func (s *Store) coldSize(n pack.Name) (int64, error) {
	places, err := s.places(n)
	if err == nil && places == nil {
		err = ErrNotFound
	}
	return lengthOf(places), err
}

// readCold is what is cold from one byte to another, a negative to is its end: ErrNotFound if it isn't cold, ErrCorrupt if it is damaged or gone from the
// bucket, ErrAway if that doesn't answer.
func (s *Store) readCold(n pack.Name, from, to int64) ([]byte, error) {
	if s.cold != nil && from == 0 && to < 0 {
		if b := s.cold.warm.get(n); b != nil {
			return b, nil
		}
	}
	places, err := s.places(n)
	if err != nil || places == nil {
		return nil, errors.Join(err, notFound(places))
	}
	for {
		b, err := s.cold.read(places, from, to)
		if !errors.Is(err, ErrCorrupt) {
			return b, err
		}
		again, placesErr := s.places(n)
		switch {
		case placesErr != nil:
			return nil, placesErr
		case again == nil: // deleted meanwhile, or put anew
			return nil, ErrNotFound
		case lengthOf(again) == lengthOf(places) && again[0] == places[0]:
			return nil, err
		}
		places = again // it was packed anew meanwhile
	}
}

func notFound(places []place) error {
	if places == nil {
		return ErrNotFound
	}
	return nil
}

func (c *cold) read(places []place, from, to int64) ([]byte, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: it is in a bucket, and none is configured", ErrAway)
	}
	if to < 0 {
		to = lengthOf(places)
	}
	out := make([]byte, 0, to-from)
	var begin int64
	for _, p := range places {
		end := begin + int64(p.Size)
		if from < end && to > begin {
			b, err := c.readPiece(p, uint32(max(from, begin)-begin), uint32(min(to, end)-begin))
			if err != nil {
				return nil, err
			}
			out = append(out, b...)
		}
		begin = end
	}
	return out, nil
}

func (c *cold) readPiece(p place, from, to uint32) ([]byte, error) {
	n := c.noted(p.pack)
	if n == nil {
		return nil, fmt.Errorf("%w: its pack is gone", ErrCorrupt)
	}
	at, end, skip, err := p.Span(from, to)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	raw, err := c.get(n, at, end-at)
	if err != nil {
		return nil, err
	}
	b, err := n.opener.Frames(raw, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return b[skip : skip+int(to-from)], nil
}

// get is bytes of a pack.
func (c *cold) get(n *noted, at, size int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := c.bucket.Get(ctx, n.object(), at, size)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: its pack is gone from the bucket", ErrCorrupt)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	case int64(len(b)) != size:
		return nil, fmt.Errorf("%w: its pack is cut", ErrCorrupt)
	}
	return b, nil
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

// change is what becomes of a store in one step: of its keys, and of what is noted of packs.
type change struct {
	c     *cold
	batch []kv.Change
	packs map[uint64]*noted // nil: forgotten
}

func (c *cold) change() *change { return &change{c: c, packs: map[uint64]*noted{}} }

func (x *change) set(k, v []byte)  { x.batch = append(x.batch, kv.Change{Key: k, Value: v}) }
func (x *change) delete(k []byte)  { x.batch = append(x.batch, kv.Change{Key: k}) }
func (x *change) forget(id uint64) { x.packs[id] = nil }

// of is what is noted of a pack, to be changed; nil if there is none.
func (x *change) of(id uint64) *noted {
	if n, ok := x.packs[id]; ok {
		return n
	}
	n := x.c.noted(id)
	if n == nil {
		return nil
	}
	copied := *n
	x.packs[id] = &copied
	return &copied
}

// bury notes that what lies at places is not needed any more. tainted says that it was deleted, and not only replaced.
func (x *change) bury(places []place, tainted bool) {
	if x.c == nil {
		return // there is no bucket to clear
	}
	for _, p := range places {
		if n := x.of(p.pack); n != nil {
			n.dead++
			n.deadBytes += uint32(p.Sealed())
			if tainted && n.tainted == 0 {
				n.tainted = uint64(time.Now().UnixMilli())
			}
		}
	}
}

// write makes the change, durably. The store's moving is held. Who reads meanwhile finds the pack of every place.
func (x *change) write() error {
	if x.c.note(x.packs, func(n *noted) bool { return n != nil }); len(x.packs)+len(x.batch) == 0 {
		return nil
	}
	for id, n := range x.packs {
		if n == nil {
			x.delete(packKey(id))
		} else {
			x.set(packKey(id), n.encode())
		}
	}
	if err := x.c.db.Write(x.batch); err != nil {
		return err
	}
	x.c.note(x.packs, func(n *noted) bool { return n == nil })
	return nil
}

// note changes what is noted of those packs that which is true of.
func (c *cold) note(packs map[uint64]*noted, which func(*noted) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range packs {
		switch {
		case !which(n):
		case n == nil:
			delete(c.packs, id)
		default:
			c.packs[id] = n
		}
	}
}
