package kv

import "github.com/cockroachdb/pebble/v2"

// Iterator stands on one key of a range, in a view of the store as it was when Iterate was called. It is for one goroutine.
type Iterator struct {
	it      *pebble.Iterator
	db      *DB
	reverse bool
}

// Iterate stands on the first key of from ≤ k < to, or on the last if reverse. Nil bounds are the ends. The caller closes it.
func (d *DB) Iterate(from, to []byte, reverse bool) (*Iterator, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	o := pebble.IterOptions{LowerBound: d.full(from), UpperBound: after(d.prefix)}
	if to != nil {
		o.UpperBound = d.full(to)
	}
	it, err := d.pebble.NewIter(&o)
	if err != nil {
		d.leave()
		return nil, failedRead(err)
	}
	if reverse {
		it.Last()
	} else {
		it.First()
	}
	return &Iterator{it: it, db: d, reverse: reverse}, nil
}

// Valid is false past the range's end and after an error.
func (i *Iterator) Valid() bool { return i.it.Valid() }

// Next goes on, downwards if reverse.
func (i *Iterator) Next() {
	if i.reverse {
		i.it.Prev()
	} else {
		i.it.Next()
	}
}

// Key is valid until Next or Close.
func (i *Iterator) Key() []byte { return i.it.Key()[len(i.db.prefix):] }

// Value is valid until Next or Close.
func (i *Iterator) Value() []byte { return i.it.Value() }

// Err tells why the iteration ended early.
func (i *Iterator) Err() error {
	if err := i.it.Error(); err != nil {
		return failedRead(err)
	}
	return nil
}

// Close gives the view back.
func (i *Iterator) Close() error {
	err := i.it.Close()
	i.db.leave()
	return err
}
