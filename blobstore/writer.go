package blobstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/key"
	"vitalog/kv"
	"vitalog/wire"
)

const category = vfs.WriteCategoryUnspecified

// Writer takes one blob in pieces, with bounded memory. It is for one goroutine. Exactly one of Commit and Abort ends it.
type Writer struct {
	s    *Store
	sum  hash.Hash
	buf  []byte   // not yet in f
	f    vfs.File // nil while everything fits in buf
	name string   // of f
	size int64
	err  error // the first

	resumes *wire.Hash // the blob whose beginning f has; nil: nobody knows its hash yet
	of      *Record    // the record that it is of, if this member's own clients wrote that
}

var errEnded = errors.New("the writer was committed or aborted before")

// Create begins a blob.
func (s *Store) Create() *Writer { return &Writer{s: s, sum: sha256.New()} }

// Own says that the blob is of a record that this member's own clients write: it stays on the disk until others hold that.
func (w *Writer) Own(log key.Log, id key.Record) { w.of = &Record{Log: log, ID: id} }

// Write takes a piece. Commit tells its error again.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.sum.Write(p)
	w.size += int64(len(p))
	for rest := p; len(rest) > 0; {
		n := min(len(rest), bufferSize-len(w.buf))
		w.buf = append(w.buf, rest[:n]...) // a copy: the file system may alter what it writes
		if rest = rest[n:]; len(w.buf) == bufferSize {
			if w.err = w.spill(); w.err != nil {
				return 0, w.err
			}
		}
	}
	return len(p), nil
}

func (w *Writer) spill() error {
	if w.f == nil {
		w.name = w.s.tmpName()
		f, err := w.s.fs.Create(w.name, category)
		if err != nil {
			return err
		}
		w.f = f
	}
	_, err := w.f.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// Commit makes the blob durable and returns its hash and size. After an error nothing of it is left, unless it was there before.
func (w *Writer) Commit() (wire.Hash, int64, error) {
	h := wire.Hash(w.sum.Sum(nil))
	err := w.err
	if err == nil && w.s.closed.Load() {
		err = ErrClosed
	}
	w.s.moving.RLock()
	defer w.s.moving.RUnlock()
	if err == nil {
		var gone bool
		if gone, err = w.s.destroyed(blobName(h)); gone {
			err = ErrDestroyed
		}
	}
	if err == nil && w.of != nil {
		err = w.s.noteOwn(map[wire.Hash]Record{h: *w.of})
	}
	if err == nil && w.f == nil && w.size <= Small {
		err = w.s.putSmall(h, w.buf)
	} else if err == nil {
		err = w.commitFile(h)
	}
	w.Abort()
	if err != nil {
		return wire.Hash{}, 0, fmt.Errorf("storing a blob of %d bytes: %w", w.size, err)
	}
	return h, w.size, nil
}

// Abort throws the blob away, or keeps its beginning if Resume made the writer. After Commit it does nothing.
func (w *Writer) Abort() {
	defer w.arrived()
	if w.f != nil && w.resumes != nil && w.size > 0 && w.err == nil && w.keep() == nil {
		w.f, w.name = nil, ""
	}
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
	if w.name != "" {
		w.s.fs.Remove(w.name) // what stays is removed when the store is next opened
		w.name = ""
	}
	w.buf = nil
	if w.err == nil {
		w.err = errEnded
	}
}

func (s *Store) putSmall(h wire.Hash, b []byte) error {
	old, err := s.blobs.Get(h[:])
	if errors.Is(err, kv.ErrCorrupt) {
		err = nil // what is written now takes its place
	}
	if err != nil || old != nil && bytes.Equal(old, b) {
		return err
	}
	batch := []kv.Change{{Key: hotKey(blobName(h)), Value: append([]byte{}, b...)}}
	if err = s.db.Write(batch); err == nil {
		s.grown(batch)
	}
	return err
}

func (w *Writer) commitFile(h wire.Hash) error {
	if err := w.spill(); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return err
	}
	err := w.f.Close()
	w.f = nil
	if err != nil {
		return err
	}
	// A crash before the link leaves a file in tmp, which the next Open removes. One after it leaves the object, though not surely in the
	// directory: that is why the directory is synced also when the object was there.
	w.s.grew(w.size, 1)
	path := w.s.path(h)
	err = w.s.fs.Link(w.name, path)
	if errors.Is(err, fs.ErrExist) {
		err = w.s.mend(h, w.name)
	}
	if err != nil {
		return err
	}
	return w.s.syncDir(w.s.fs.PathDir(path))
}

// mend puts the file in the place of the object, unless the object is whole.
func (s *Store) mend(h wire.Hash, file string) error {
	err := s.verifyFile(h)
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotFound) {
		return s.fs.Rename(file, s.path(h))
	}
	return err
}

func (s *Store) writeSynced(name string, b []byte) error {
	f, err := s.fs.Create(name, category)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func (s *Store) readAll(name string) ([]byte, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<10))
}
