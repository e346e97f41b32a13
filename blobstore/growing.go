package blobstore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/wire"
)

// Growing is a file of something that is made here over a long time, also over restarts: spec/uploads.md. What is in it counts for nothing
// until Become. It is for one goroutine.
type Growing struct {
	f  vfs.File
	at int64
}

// Grow opens the file of a name, of a to z, 0 to 9, dot and hyphen, or makes it.
func (s *Store) Grow(name string) (*Growing, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	path := s.growingPath(name)
	_, err := s.fs.Stat(path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := s.fs.OpenReadWrite(path, category)
	if err == nil && made {
		err = s.syncDir(s.fs.PathDir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("growing file %s: %w", name, err)
	}
	return &Growing{f: f}, nil
}

// Write writes where From said, or where the last Write ended. Sync makes it durable.
func (g *Growing) Write(p []byte) (int, error) {
	n, err := g.f.WriteAt(p, g.at)
	g.at += int64(n)
	return n, err
}

// ReadAt reads as io.ReaderAt says.
func (g *Growing) ReadAt(p []byte, at int64) (int, error) { return g.f.ReadAt(p, at) }

// From says where Write goes on. What is there stays until it is written over.
func (g *Growing) From(at int64) { g.at = at }

// Sync waits for the disk.
func (g *Growing) Sync() error { return g.f.Sync() }

// Close lets go of the file, which stays.
func (g *Growing) Close() error { return g.f.Close() }

// Become makes a blob of the file of a name, of which all that was written is synced: the ciphertext of a record that this member's own clients write. It is read and compared, for it may have lain long. The file stays until
// Ungrow, so that Become can be repeated.
func (s *Store) Become(name string, h wire.Hash, of Record) error {
	if s.closed.Load() {
		return ErrClosed
	}
	path := s.growingPath(name)
	size, err := s.compare(path, h)
	if err == nil {
		err = s.noteOwn(map[wire.Hash]Record{h: of})
	}
	if err == nil && size <= Small {
		var b []byte
		if b, err = s.readFile(path, size); err == nil {
			_, err = s.Put(b)
		}
	} else if err == nil {
		err = s.adoptFile(path, h, size)
	}
	if err != nil {
		return fmt.Errorf("blob %v: from a growing file: %w", h, err)
	}
	return nil
}

// adoptFile gives a file that was compared the name of a blob too.
func (s *Store) adoptFile(path string, h wire.Hash, size int64) error {
	s.moving.RLock()
	defer s.moving.RUnlock()
	if gone, err := s.destroyed(blobName(h)); gone || err != nil {
		return errors.Join(err, ErrDestroyed)
	}
	s.grew(size, 1)
	err := s.fs.Link(path, s.path(h))
	if errors.Is(err, fs.ErrExist) {
		err = s.mend(h, path)
	}
	if err != nil {
		return err
	}
	return s.syncDir(s.fs.PathDir(s.path(h)))
}

func (s *Store) compare(path string, h wire.Hash) (size int64, err error) {
	f, err := s.fs.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sum := sha256.New()
	if size, err = io.Copy(sum, f); err != nil {
		return 0, err
	}
	if got := wire.Hash(sum.Sum(nil)); got != h {
		return 0, fmt.Errorf("it has the hash %v: %w", got, ErrCorrupt)
	}
	return size, nil
}

func (s *Store) readFile(path string, size int64) ([]byte, error) {
	f, err := s.fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, size)
	_, err = io.ReadFull(f, b)
	return b, err
}

// Ungrow removes a growing file. One that isn't there is no error.
func (s *Store) Ungrow(name string) error {
	if err := s.fs.Remove(s.growingPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("growing file %s: %w", name, err)
	}
	return nil
}

// Grown lists the names of growing files.
func (s *Store) Grown() ([]string, error) {
	return s.fs.List(s.uploads())
}

func (s *Store) growingPath(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || strings.Trim(name, ".") == "" {
		panic("blobstore: " + name + " names no growing file")
	}
	return s.fs.PathJoin(s.uploads(), name)
}

func (s *Store) uploads() string { return s.fs.PathJoin(s.dir, "uploads") }
