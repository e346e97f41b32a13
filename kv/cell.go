package kv

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MaxCell is how many bytes a cell holds.
const MaxCell = cellSlot - sha256.Size - 8 - 2

// cellSlot is a disk's sector, which is written whole or not at all.
const cellSlot = 512

// Cell is one small value in a file of its own that is replaced again and again, each time durably and within a fraction of a millisecond:
// nothing grows and nothing is renamed, so the file system has no journal to write.
//
//	cell   2 × slot, written in turn
//	slot   SHA-256 of the rest (32)   number (8)   length (2)   value, zeros up to 512   |   512 zeros: not written yet
//
// It is not safe for concurrent use.
type Cell struct {
	f      vfs.File
	number uint64 // of the newest slot
	failed error
}

// OpenCell opens the cell in path, or makes one, and returns its value, nil if it was never put. A slot that is neither whole nor empty is
// ErrCorrupt: which value was the newest can't be told then.
func OpenCell(path string) (c *Cell, value []byte, err error) { return openCell(vfs.Default, path) }

func openCell(disk vfs.FS, path string) (c *Cell, value []byte, err error) {
	if _, err = disk.Stat(path); errors.Is(err, fs.ErrNotExist) {
		err = makeCell(disk, path)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := disk.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, nil, err
	}
	c = &Cell{f: f}
	if value, err = c.read(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return c, value, nil
}

// makeCell makes the file whole before it gets its name.
func makeCell(disk vfs.FS, path string) error {
	f, err := disk.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 2*cellSlot))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := disk.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := disk.OpenDir(disk.PathDir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (c *Cell) read() (value []byte, err error) {
	b := make([]byte, 2*cellSlot+1)
	if n, _ := c.f.ReadAt(b, 0); n != 2*cellSlot {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrCorrupt, n, 2*cellSlot)
	}
	for i := range 2 {
		slot := b[i*cellSlot : (i+1)*cellSlot]
		if bytes.Equal(slot, make([]byte, cellSlot)) {
			continue
		}
		sum := sha256.Sum256(slot[sha256.Size:])
		rest := slot[sha256.Size:]
		number, length := binary.BigEndian.Uint64(rest), int(binary.BigEndian.Uint16(rest[8:]))
		if !bytes.Equal(sum[:], slot[:sha256.Size]) || length > MaxCell || number%2 != uint64(i) {
			return nil, fmt.Errorf("%w: slot %d", ErrCorrupt, i)
		}
		if number > c.number {
			c.number, value = number, bytes.Clone(rest[10:10+length])
		}
	}
	return value, nil
}

// Put replaces the value by one that is not empty. When it returns nil the value is durable; after an error the cell takes no other, and which of
// the two is on the disk is not known.
func (c *Cell) Put(value []byte) error {
	if c.failed != nil {
		return c.failed
	}
	if len(value) == 0 || len(value) > MaxCell {
		return fmt.Errorf("a cell holds 1 to %d bytes, not %d", MaxCell, len(value))
	}
	slot := make([]byte, cellSlot)
	rest := slot[sha256.Size:]
	binary.BigEndian.PutUint64(rest, c.number+1)
	binary.BigEndian.PutUint16(rest[8:], uint16(len(value)))
	copy(rest[10:], value)
	sum := sha256.Sum256(rest)
	copy(slot, sum[:])
	if _, err := c.f.WriteAt(slot, int64((c.number+1)%2)*cellSlot); err != nil {
		c.failed = err
		return err
	}
	if err := c.f.SyncData(); err != nil {
		c.failed = err
		return err
	}
	c.number++
	return nil
}

// Close closes the file.
func (c *Cell) Close() error { return c.f.Close() }
