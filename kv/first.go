package kv

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// First is the index of the first of keys that has a value, or -1 if none has. It is made for keys that are nearly always absent: one
// view of the store for all, and the tables' filters are asked before their data. After an error it is -1.
func (d *DB) First(keys [][]byte) (int, error) {
	if len(keys) == 0 {
		return -1, nil
	}
	if err := d.enter(); err != nil {
		return -1, err
	}
	defer d.leave()
	it, err := d.pebble.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return -1, failedRead(err)
	}
	first, full := -1, append([]byte{}, d.prefix...)
	for i := 0; i < len(keys) && first < 0 && it.Error() == nil; i++ {
		full = append(full[:len(d.prefix)], keys[i]...)
		if it.SeekPrefixGE(full) { // a prefix is a whole key here
			first = i
		}
	}
	if err := it.Close(); err != nil { // that of a seek too
		return -1, failedRead(err)
	}
	return first, nil
}

func failedRead(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("reading from the store: %w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("reading from the store: %w", err)
}
