// Package kv keeps keys and values on a disk: the ledger, the consensus engine's blocks and the small ciphertexts share one store.
//
// It promises that what Write was given is on the disk, whole, when Write returns, and that after a crash the store is as it was after
// some Write. It refuses a directory written by a newer program or by one with an older layout, and it refuses to write after the disk failed once: a full disk is an
// error from Write and from every later Write, never a panic, while reads go on. What is on the disk stays as at the failure.
//
//	db, _ := kv.Open("/var/lib/vitalog/db")
//	db.Prefix("ledger/").Write([]kv.Change{{Key: k, Value: v}})      on the disk:  "ledger/" k = v
//	the key 00 "format" holds the version of the layout, 00 02
//
// See spec/disk.md.
package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Format is the version of the layout on the disk that this program writes and reads.
const Format uint16 = 2

// Sizes that trade memory for speed, in bytes. Tables in memory are a part of the cache: what they take is not left for blocks, so the
// cache is larger than as many of them as there can be.
const (
	cacheSize    = 128 << 20
	memTableSize = 16 << 20
	memTables    = 4        // that wait to be written; then writers wait
	maxRetained  = 64 << 10 // of a batch, for the next one
)

// filterBits of a Bloom filter for each key: one of a hundred absent keys is looked for in a table's data all the same.
const filterBits = 10

// formatKey lies outside every namespace, because no prefix begins with a zero byte.
var formatKey = []byte("\x00format")

// ErrClosed is what every method of a closed store returns.
var ErrClosed = errors.New("the store is closed")

// ErrCorrupt is what reads return for a value whose place on the disk was altered. Writing the key anew mends it.
var ErrCorrupt = errors.New("damaged on the disk")

// Change sets a key, or deletes it if Value is nil.
type Change = struct{ Key, Value []byte }

// DB is a store, or the part of a store whose keys have a common prefix. Its methods are safe for concurrent use.
type DB struct {
	*shared
	prefix []byte
}

// shared is what the parts of one store have in common.
type shared struct {
	pebble *pebble.DB
	disk   *guardedFS

	mu     sync.Mutex
	users  int // calls and iterators under way
	closed bool
	idle   sync.Cond // users fell to zero
}

// Open opens the store in dir, or makes one if dir is empty or absent. Only one process can have it open.
func Open(dir string) (*DB, error) { return OpenFS(vfs.Default, dir) }

// Free is how many bytes a directory's disk has left for this program.
func Free(dir string) (uint64, error) {
	u, err := vfs.Default.GetDiskUsage(dir)
	if err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return u.AvailBytes, nil
}

// OpenFS is Open on another file system.
func OpenFS(fs vfs.FS, dir string) (*DB, error) {
	disk := guard(fs)
	cache := pebble.NewCache(cacheSize)
	defer cache.Unref()
	o := &pebble.Options{
		FS: disk, Cache: cache, MemTableSize: memTableSize, MemTableStopWritesThreshold: memTables,
		FormatMajorVersion: pebble.FormatValueSeparation,
		Logger:             quiet{},
		EventListener:      &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}, // the read returns it
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	p, err := pebble.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("store in %s: %w", dir, err)
	}
	s := &shared{pebble: p, disk: disk}
	s.idle.L = &s.mu
	db := &DB{shared: s}
	if err := errors.Join(db.checkFormat(), db.Failed()); err != nil {
		return nil, errors.Join(fmt.Errorf("store in %s: %w", dir, err), db.Close())
	}
	return db, nil
}

// checkFormat writes the version into a new store and compares it in an old one.
func (d *DB) checkFormat() error {
	v, err := d.Get(formatKey)
	switch {
	case err != nil:
		return err
	case v == nil:
		return d.Write([]Change{{Key: formatKey, Value: binary.BigEndian.AppendUint16(nil, Format)}})
	case len(v) != 2:
		return fmt.Errorf("format version of %d bytes, want 2: this is no store of this program", len(v))
	}
	got, use := binary.BigEndian.Uint16(v), "a newer program"
	switch {
	case got == Format:
		return nil
	case got < Format: // nothing converts it
		use = "the program that wrote it, or begin with a new directory"
	}
	return fmt.Errorf("format version %d, this program reads %d: use %s", got, Format, use)
}

// Prefix is the part of d whose keys begin with p; its methods take and give keys without it. p is not empty, doesn't begin with a zero
// byte, and is no beginning of another prefix in use. Closing any part closes all.
func (d *DB) Prefix(p string) *DB {
	return &DB{shared: d.shared, prefix: slices.Concat(d.prefix, []byte(p))}
}

// Get returns the value of key, which is the caller's, or nil, nil if there is none. An empty value is not nil.
func (d *DB) Get(key []byte) ([]byte, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	v, done, err := d.pebble.Get(d.full(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, failedRead(err)
	}
	defer done.Close()
	return append(make([]byte, 0, len(v)), v...), nil
}

// Scan calls each for the keys from ≤ k < to in ascending order, until it returns an error. A nil to is the end. k and v are only
// valid during the call.
func (d *DB) Scan(from, to []byte, each func(k, v []byte) error) error {
	i, err := d.Iterate(from, to, false)
	if err != nil {
		return err
	}
	defer i.Close()
	for ; i.Valid(); i.Next() {
		if err := each(i.Key(), i.Value()); err != nil {
			return err
		}
	}
	return i.Err()
}

// Write makes all changes or none, in their order. They are on the disk when it returns nil. After an error they may be on the disk
// or not; see Failed.
func (d *DB) Write(batch []Change) error { return d.write(batch, pebble.Sync) }

// WriteLater is Write without waiting for the disk: a crash may undo it, but only together with everything written after it.
func (d *DB) WriteLater(batch []Change) error { return d.write(batch, pebble.NoSync) }

func (d *DB) write(batch []Change, how *pebble.WriteOptions) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	if err := d.Failed(); err != nil {
		return err
	}
	// Batches are pooled with their buffers: without a bound one large write after the other leaves each of them large.
	b := d.pebble.NewBatch(pebble.WithMaxRetainedSizeBytes(maxRetained))
	defer b.Close()
	for _, c := range batch {
		if c.Value == nil {
			op := b.DeleteDeferred(len(d.prefix) + len(c.Key))
			copy(op.Key[copy(op.Key, d.prefix):], c.Key)
			op.Finish()
			continue
		}
		op := b.SetDeferred(len(d.prefix)+len(c.Key), len(c.Value))
		copy(op.Key[copy(op.Key, d.prefix):], c.Key)
		copy(op.Value, c.Value)
		op.Finish()
	}
	if err := d.pebble.Apply(b, how); err != nil {
		return fmt.Errorf("writing to the store: %w", err)
	}
	return d.Failed() // the disk may have failed under this very write
}

// Purge takes what was deleted or replaced before out of the store's files, in the range of keys that d is. It takes as long as writing all of them anew.
func (d *DB) Purge(ctx context.Context) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	err := d.pebble.Compact(ctx, d.full(nil), after(d.prefix), true)
	// The engine keeps as many old logs as it has tables in memory, and one more, before it takes the oldest for a new one, which deletes it.
	for i := 0; i <= memTables+1 && err == nil; i++ {
		err = d.pebble.Flush()
	}
	if err != nil {
		return fmt.Errorf("purging the store: %w", err)
	}
	return d.Failed()
}

// Failed is nil while the disk takes writes, and from its first failure on the error. Only opening the store anew mends it.
func (d *DB) Failed() error { return d.disk.failed() }

// Close waits for calls under way and for open iterators, and lets go of the directory.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.closed = true
	for d.users > 0 {
		d.idle.Wait()
	}
	if err := d.pebble.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

func (s *shared) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.users++
	return nil
}

func (s *shared) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.idle.Broadcast()
	}
}

func (d *DB) full(key []byte) []byte {
	if len(d.prefix) == 0 {
		return key
	}
	return slices.Concat(d.prefix, key)
}

// after is the first key that doesn't begin with prefix; nil if there is none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// quiet drops the engine's messages. What it calls fatal is a broken invariant of its own: to go on would harm the data.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic("kv: " + fmt.Sprintf(format, args...))
}
