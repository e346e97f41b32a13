package blobstore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/kv"
	"vitalog/wire"
)

const (
	formatFile = "format"
	formatText = "vitalog blobs 1\n"

	prefix       = "blobs/" // of all keys in the key-value store
	blobPrefix   = "b"
	headerPrefix = "h"
)

// Open opens the store in dir, or makes one if dir is empty or absent. Small blobs and headers go to db, under "blobs/"; closing it is
// the caller's.
func Open(dir string, db *kv.DB) (*Store, error) { return OpenFS(vfs.Default, dir, db) }

// OpenFS is Open on another file system.
func OpenFS(disk vfs.FS, dir string, db *kv.DB) (*Store, error) {
	db = db.Prefix(prefix)
	s := &Store{fs: disk, dir: dir, db: db, blobs: db.Prefix(blobPrefix), headers: db.Prefix(headerPrefix)}
	if err := s.mkdir(dir); err != nil {
		return nil, fmt.Errorf("blob store %s: %w", dir, err)
	}
	var err error
	if s.lock, err = disk.Lock(disk.PathJoin(dir, "LOCK")); err != nil {
		return nil, fmt.Errorf("blob store %s: another process has it open: %w", dir, err)
	}
	if err := errors.Join(s.prepare(), s.remembered()); err != nil {
		return nil, errors.Join(fmt.Errorf("blob store %s: %w", dir, err), s.lock.Close())
	}
	return s, nil
}

// Close lets go of the directory. Writers that are not committed are lost.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return ErrClosed
	}
	if s.cold != nil {
		return errors.Join(s.cold.bucket.Close(), s.lock.Close())
	}
	return s.lock.Close()
}

// prepare checks the format, or lays out a new store: directories first, the format last, so that a crash between leaves no format.
func (s *Store) prepare() error {
	name := s.fs.PathJoin(s.dir, formatFile)
	format, err := s.readAll(name)
	switch {
	case err == nil && string(format) == formatText:
		return errors.Join(s.clearTmp(), s.tidyParts(), s.mkdir(s.uploads()), s.mkdir(s.copies()))
	case err == nil:
		return fmt.Errorf("format %q, this program reads %q: use a newer program", clip(format), formatText)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	_, err = s.fs.Stat(s.fs.PathJoin(s.dir, "objects"))
	fresh := errors.Is(err, fs.ErrNotExist)
	for i := range 256 {
		if err := s.fs.MkdirAll(s.objects(byte(i)), 0o700); err != nil {
			return err
		}
		if fresh {
			continue
		}
		names, err := s.fs.List(s.objects(byte(i)))
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return errors.New("objects without a format file: this is no store of this program, or a part of one")
		}
	}
	if err := s.fs.MkdirAll(s.fs.PathJoin(s.dir, "tmp"), 0o700); err != nil {
		return err
	}
	if err := errors.Join(s.clearTmp(), s.tidyParts(), s.mkdir(s.uploads()), s.mkdir(s.copies())); err != nil {
		return err
	}
	if err := s.syncDir(s.fs.PathJoin(s.dir, "objects")); err != nil {
		return err
	}
	// Before the format is there: a crash may keep the later of two names of a directory that was not synced between them.
	if err := s.syncDir(s.dir); err != nil {
		return err
	}
	tmp := s.tmpName()
	if err := s.writeSynced(tmp, []byte(formatText)); err != nil {
		return err
	}
	if err := s.fs.Rename(tmp, name); err != nil {
		return err
	}
	return s.syncDir(s.dir)
}

// clearTmp removes what a crash left behind.
func (s *Store) clearTmp() error {
	tmp := s.fs.PathJoin(s.dir, "tmp")
	names, err := s.fs.List(tmp)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := s.fs.Remove(s.fs.PathJoin(tmp, n)); err != nil {
			return err
		}
	}
	return nil
}

// mkdir makes dir and what is missing above it, durably.
func (s *Store) mkdir(dir string) error {
	var missing []string
	for d := dir; ; d = s.fs.PathDir(d) {
		if _, err := s.fs.Stat(d); err == nil || s.fs.PathDir(d) == d {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, d)
	}
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range missing {
		if err := s.syncDir(s.fs.PathDir(d)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) syncDir(dir string) error {
	d, err := s.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Store) objects(first byte) string {
	return s.fs.PathJoin(s.dir, "objects", fmt.Sprintf("%02x", first))
}

func (s *Store) path(h wire.Hash) string { return s.fs.PathJoin(s.objects(h[0]), h.String()) }

func (s *Store) tmpName() string {
	return s.fs.PathJoin(s.dir, "tmp", fmt.Sprintf("%016x", s.serial.Add(1)))
}

func clip(b []byte) []byte { return b[:min(len(b), 40)] }
