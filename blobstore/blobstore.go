// Package blobstore keeps ciphertext on this member's disk: blobs under their SHA-256, and the headers of records, which change, under
// log and record.
//
// It promises that what Put, Commit and PutHeader were given is on the disk when they return, that a crash or a full disk loses nothing
// that was there, and that a reader gets the bytes of the hash or an error, never others. It refuses a directory of a newer program and one
// that another process has open.
//
//	5f1c…  3,012 bytes   in the key-value store, written together with others
//	a802…  2.1 MB        objects/a8/a802…        written to tmp/, synced, linked, directory synced
//	77d0…  0.9 of 3 GB   parts/77d0…             comes from another member, goes on where it was cut
//
// What is where can be told from the objects alone. See spec/blobs.md.
package blobstore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/key"
	"vitalog/kv"
	"vitalog/wire"
)

// Sizes in bytes.
const (
	Small     = 32 << 10 // a blob up to this size goes into the key-value store
	MaxHeader = 4 << 20  // of a header with all its locks

	bufferSize = 256 << 10 // of a Writer
	wholeSize  = 8 << 20   // a Reader holds a blob up to this size in memory
	chunkSize  = 64 << 10  // a larger one is checked by chunks of this size
)

// What a caller branches on.
var (
	ErrNotFound = errors.New("not in the store")
	ErrCorrupt  = errors.New("damaged on the disk") // Put mends it
	ErrClosed   = errors.New("the blob store is closed")
)

// Store is an open store. It is safe for concurrent use.
type Store struct {
	fs      vfs.FS
	dir     string
	db      *kv.DB // of which the following are parts
	blobs   *kv.DB // hash → bytes, up to Small
	headers *kv.DB // log ‖ record → header
	lock    io.Closer
	serial  atomic.Uint64 // of temporary files
	closed  atomic.Bool
	known   known

	arriving  arriving
	remaining remaining

	moving sync.RWMutex // read while something is put; locked while something moves between fresh and cold, or is deleted
	cold   *cold        // nil: there is no bucket
}

// Put stores b and returns its hash. A blob that is there already is left, or mended if it is damaged.
func (s *Store) Put(b []byte) (wire.Hash, error) {
	w := s.Create()
	w.Write(b) // Commit tells
	h, _, err := w.Commit()
	return h, err
}

// PutAll is Put for many blobs, with one wait for the disk, and one more for each blob over Small. After an error some may be there. What was
// destroyed is left out.
func (s *Store) PutAll(blobs [][]byte) error {
	if s.closed.Load() {
		return ErrClosed
	}
	batch := make([]kv.Change, 0, len(blobs))
	for _, b := range blobs {
		if len(b) > Small {
			if _, err := s.Put(b); err != nil && !errors.Is(err, ErrDestroyed) {
				return err
			}
			continue
		}
		h := sha256.Sum256(b)
		batch = append(batch, kv.Change{Key: hotKey(blobName(h)), Value: append([]byte{}, b...)}) // not nil, which would delete
	}
	if len(batch) == 0 {
		return nil
	}
	if err := s.putFresh(batch, nil); err != nil {
		return fmt.Errorf("storing %d blobs: %w", len(batch), err)
	}
	return nil
}

// putFresh writes items, but for those that were destroyed. They are of some records, or of none.
func (s *Store) putFresh(batch []kv.Change, of []Record) error {
	s.moving.RLock()
	defer s.moving.RUnlock()
	if s.cold != nil && s.cold.elsewhere != nil {
		s.cold.own.put(of)
	}
	batch, err := s.unlessDestroyed(batch)
	if err == nil {
		err = s.db.Write(batch)
	}
	if err == nil {
		s.grown(batch)
	}
	return err
}

// Get is the whole blob, which is the caller's. One of more than limit bytes is refused with wire.ErrOversized.
func (s *Store) Get(h wire.Hash, limit int64) ([]byte, error) {
	b, err := s.small(h)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return s.getFile(h, limit)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("blob %v: %d bytes, at most %d: %w", h, len(b), limit, wire.ErrOversized)
	}
	return b, nil
}

// small is a blob that is fresh and small, nil if there is none.
func (s *Store) small(h wire.Hash) ([]byte, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	b, err := s.blobs.Get(h[:])
	if errors.Is(err, kv.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err == nil && b != nil && sha256.Sum256(b) != h {
		err = ErrCorrupt
	}
	if err != nil {
		return nil, fmt.Errorf("blob %v: %w", h, err)
	}
	return b, nil
}

func (s *Store) getFile(h wire.Hash, limit int64) ([]byte, error) {
	f, size, err := s.openFile(h)
	if errors.Is(err, ErrNotFound) {
		return s.getCold(h, limit)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("blob %v: %d bytes, at most %d: %w", h, size, limit, wire.ErrOversized)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("blob %v: %w", h, err)
	}
	if sha256.Sum256(b) != h {
		return nil, fmt.Errorf("blob %v: %w", h, ErrCorrupt)
	}
	return b, nil
}

func (s *Store) getCold(h wire.Hash, limit int64) ([]byte, error) {
	size, err := s.coldSize(blobName(h))
	if err == nil && size > limit {
		err = fmt.Errorf("%d bytes, at most %d: %w", size, limit, wire.ErrOversized)
	}
	var b []byte
	if err == nil {
		b, err = s.readCold(blobName(h), 0, -1)
	}
	if err == nil && sha256.Sum256(b) != h {
		err = ErrCorrupt
	}
	if err != nil {
		return nil, fmt.Errorf("blob %v: %w", h, err)
	}
	return b, nil
}

// openFile is ErrNotFound if there is no object.
func (s *Store) openFile(h wire.Hash) (vfs.File, int64, error) {
	f, err := s.fs.Open(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("blob %v: %w", h, ErrNotFound)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("blob %v: %w", h, err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("blob %v: %w", h, err)
	}
	return f, st.Size(), nil
}

// Has tells whether the blob is there. It doesn't look whether it is damaged.
func (s *Store) Has(h wire.Hash) (bool, error) {
	if s.closed.Load() {
		return false, ErrClosed
	}
	b, err := s.blobs.Get(h[:])
	if errors.Is(err, kv.ErrCorrupt) {
		return true, nil
	}
	if err != nil || b != nil {
		return b != nil, err
	}
	_, err = s.fs.Stat(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		places, err := s.places(blobName(h))
		return places != nil, err
	}
	return err == nil, err
}

// Near is Has, but for what lies in a bucket that doesn't answer.
func (s *Store) Near(h wire.Hash) (bool, error) {
	if s.cold != nil && s.cold.away(false) {
		if s.closed.Load() {
			return false, ErrClosed
		}
		hot, err := s.hot(h)
		if hot || err != nil {
			return hot, err
		}
		places, err := s.places(blobName(h))
		return places != nil && s.copied(places), err
	}
	return s.Has(h)
}

// Delete removes the blob, durably. To delete one that is not there is no error. In a bucket it stays, unreachable, until its pack is made anew.
func (s *Store) Delete(h wire.Hash) error {
	if s.closed.Load() {
		return ErrClosed
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	if err := s.drop(blobName(h)); err != nil {
		return fmt.Errorf("blob %v: deleting: %w", h, err)
	}
	if err := s.removeFiles(h); err != nil {
		return err
	}
	// Also when it was gone: a crash may have come between an earlier removal and its sync.
	if err := s.syncDir(s.fs.PathDir(s.path(h))); err != nil {
		return fmt.Errorf("blob %v: deleting: %w", h, err)
	}
	return nil
}

// removeFiles removes the object of a blob, and the beginning of one on its way.
func (s *Store) removeFiles(h wire.Hash) error {
	for _, path := range []string{s.path(h), s.partPath(h)} {
		if err := s.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("blob %v: deleting: %w", h, err)
		}
	}
	return nil
}

// PutHeader keeps a record's header, durably, in the place of an older one.
func (s *Store) PutHeader(log key.Log, rid key.Record, header []byte) error {
	return s.PutRecords([]Record{{Log: log, ID: rid, Header: header}})
}

// Record is a header and, if Blob is not nil, the ciphertext that belongs to it.
type Record struct {
	Log    key.Log
	ID     key.Record
	Header []byte
	Blob   []byte
	Own    bool // this member's own clients wrote it: it stays on the disk until others hold it
}

// PutRecords keeps records with one wait for the disk, whatever their number, and one more for each blob over Small. After an error some
// may be there. What was destroyed is left out.
func (s *Store) PutRecords(records []Record) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if err := s.noteLarge(records); err != nil {
		return fmt.Errorf("storing %d records: %w", len(records), err)
	}
	batch := make([]kv.Change, 0, 2*len(records))
	for i := range records {
		r := &records[i]
		if len(r.Header) > MaxHeader {
			return fmt.Errorf("header of %v: %d bytes, at most %d: %w", r.ID, len(r.Header), MaxHeader, wire.ErrOversized)
		}
		if len(r.Blob) > Small {
			// Before the headers: a crash between leaves a blob without a header, never a header without its blob.
			if _, err := s.Put(r.Blob); err != nil && !errors.Is(err, ErrDestroyed) {
				return err
			}
		} else if r.Blob != nil {
			h := sha256.Sum256(r.Blob)
			batch = append(batch, kv.Change{Key: append([]byte(blobPrefix), h[:]...), Value: r.Blob})
		}
		header := append([]byte{}, r.Header...) // not nil, which would delete
		batch = append(batch, kv.Change{Key: append([]byte(headerPrefix), headerKey(r.Log, r.ID)...), Value: header})
	}
	if err := s.putFresh(batch, records); err != nil {
		return fmt.Errorf("storing %d records: %w", len(records), err)
	}
	return nil
}

// noteLarge notes which blobs over Small are this member's own.
func (s *Store) noteLarge(records []Record) error {
	of := map[wire.Hash]Record{}
	for i := range records {
		if r := &records[i]; r.Own && len(r.Blob) > Small {
			of[sha256.Sum256(r.Blob)] = *r
		}
	}
	return s.noteOwn(of)
}

// Header is a record's header, which is the caller's, or ErrNotFound. It says nothing about its truth: envelope.Header.Check does.
func (s *Store) Header(log key.Log, rid key.Record) ([]byte, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	b, err := s.headers.Get(headerKey(log, rid))
	if err != nil {
		return nil, fmt.Errorf("header of %v: %w", rid, err)
	}
	if b == nil {
		if b, err = s.readCold(headerName(log, rid), 0, -1); err != nil {
			return nil, fmt.Errorf("header of %v: %w", rid, err)
		}
	}
	return b, nil
}

// DeleteHeader removes a record's header with all its locks, durably. To delete one that is not there is no error.
func (s *Store) DeleteHeader(log key.Log, rid key.Record) error {
	if s.closed.Load() {
		return ErrClosed
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	if err := s.drop(headerName(log, rid)); err != nil {
		return fmt.Errorf("header of %v: deleting: %w", rid, err)
	}
	return nil
}

func headerKey(log key.Log, rid key.Record) []byte {
	return append(append(make([]byte, 0, 64), log[:]...), rid[:]...)
}
