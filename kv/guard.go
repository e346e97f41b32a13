package kv

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardedFS stands between the engine and the disk, because the engine ends the process when its log can't be written.
//
// At the first failed change it remembers the error and freezes the disk: further changes go nowhere, new files into memory. What is on
// the disk is then what a loss of power at that moment would have left, which the engine recovers from when the store is opened anew.
// Whoever wrote learns the error from DB.Write, which asks failed. The engine itself is told only about its tables, where it retries,
// and never about its log and manifest.
type guardedFS struct {
	vfs.FS
	memory *vfs.MemFS // files that were made after the failure
	cause  atomic.Pointer[error]
}

func guard(fs vfs.FS) *guardedFS { return &guardedFS{FS: fs, memory: vfs.NewMem()} }

func (g *guardedFS) failed() error {
	if err := g.cause.Load(); err != nil {
		return fmt.Errorf("the disk failed, the store takes no more writes: %w", *err)
	}
	return nil
}

// changed takes the outcome of a change of the disk. The first failure freezes it.
func (g *guardedFS) changed(err error) { g.cause.CompareAndSwap(nil, &err) }

func (g *guardedFS) frozen() bool { return g.cause.Load() != nil }

func (g *guardedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !g.frozen() {
		f, err := g.FS.Create(name, c)
		if err == nil {
			return g.file(f, name), nil
		}
		g.changed(err)
	}
	if err := g.memory.MkdirAll(g.PathDir(name), 0o700); err != nil {
		return nil, err
	}
	return g.memory.Create(name, c)
}

func (g *guardedFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if g.frozen() {
		if f, err := g.memory.Open(name, opts...); err == nil {
			return f, nil
		}
	}
	return g.FS.Open(name, opts...)
}

func (g *guardedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.OpenReadWrite(name, c, opts...)
	if err != nil {
		return nil, err
	}
	return g.file(f, name), nil
}

func (g *guardedFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return g.file(f, name), nil
}

// ReuseForWrite removes the old file and never reuses it: that would save little, a file is either on the disk or in memory, and nothing of what was in the old one stays.
func (g *guardedFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := g.Remove(old); err != nil {
		return nil, err
	}
	return g.Create(name, c)
}

func (g *guardedFS) Stat(name string) (vfs.FileInfo, error) {
	if g.frozen() {
		if i, err := g.memory.Stat(name); err == nil {
			return i, nil
		}
	}
	return g.FS.Stat(name)
}

// change makes a change of names on the disk, or of files that are only in memory.
func (g *guardedFS) change(do func(vfs.FS) error) error {
	if !g.frozen() {
		err := do(g.FS)
		if err == nil || os.IsNotExist(err) {
			return err
		}
		g.changed(err)
	}
	_ = do(g.memory) // fails for names that are on the disk, which stays as it is
	return nil
}

func (g *guardedFS) Link(from, to string) error {
	return g.change(func(fs vfs.FS) error { return fs.Link(from, to) })
}
func (g *guardedFS) Remove(name string) error {
	return g.change(func(fs vfs.FS) error { return fs.Remove(name) })
}
func (g *guardedFS) RemoveAll(name string) error {
	return g.change(func(fs vfs.FS) error { return fs.RemoveAll(name) })
}
func (g *guardedFS) Rename(from, to string) error {
	return g.change(func(fs vfs.FS) error { return fs.Rename(from, to) })
}
func (g *guardedFS) MkdirAll(dir string, perm os.FileMode) error {
	if !g.frozen() {
		return g.FS.MkdirAll(dir, perm)
	}
	return g.memory.MkdirAll(dir, perm)
}
func (g *guardedFS) Unwrap() vfs.FS { return g.FS }

func (g *guardedFS) file(f vfs.File, name string) vfs.File {
	return &guardedFile{File: f, fs: g, table: strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")}
}

// guardedFile is a file on the disk.
type guardedFile struct {
	vfs.File
	fs    *guardedFS
	table bool // the engine reads it while it runs, and makes it anew after an error
}

// change tells a table's writer of the failure and hides it from others.
func (f *guardedFile) change(do func() error) error {
	if !f.fs.frozen() {
		err := do()
		if err == nil {
			return nil
		}
		f.fs.changed(err)
	}
	if f.table {
		return f.fs.failed()
	}
	return nil
}

func (f *guardedFile) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.change(func() (err error) { n, err = f.File.Write(p); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *guardedFile) WriteAt(p []byte, at int64) (n int, err error) {
	n = len(p)
	err = f.change(func() (err error) { n, err = f.File.WriteAt(p, at); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

// Preallocate is a hint: some file systems can't, and a full disk shows at the next Write.
func (f *guardedFile) Preallocate(at, n int64) error {
	if !f.fs.frozen() {
		_ = f.File.Preallocate(at, n)
	}
	return nil
}
func (f *guardedFile) Sync() error     { return f.change(f.File.Sync) }
func (f *guardedFile) SyncData() error { return f.change(f.File.SyncData) }
func (f *guardedFile) SyncTo(n int64) (full bool, err error) {
	err = f.change(func() (err error) { full, err = f.File.SyncTo(n); return err })
	return full, err
}
