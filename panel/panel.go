// Package panel is a member's index over the charts of many patients, by which a search finds whose charts to open.
//
// It promises that nothing in it can be read or guessed without the keyring, that what Find leaves out does not match, and that what was
// taken out is not found. It refuses to answer: it has no values to show, only where something may be, and it finds nothing that the
// caller does not say may be read now.
//
//	Find(Condition, code 44054006)     chart 4c1d…, summary, entry 12, Condition/a
//	on the disk                        74 5f0c… 91ab… = sealed: where that is
//
// See spec/index.md.
package panel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"vitalog/fhir"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/section"
	"vitalog/wire"
)

// Mode is which records are in an index. The numbers are permanent.
type Mode uint8

const (
	None Mode = 0 // none: there is no index
	Own  Mode = 1 // those that the member wrote, and those of patients in its custody
	All  Mode = 2 // those that its grants open
)

var modes = []string{None: "none", Own: "own", All: "all"}

func (m Mode) String() string { return modes[m] }

// UnmarshalText reads none, own or all; nothing is none.
func (m *Mode) UnmarshalText(b []byte) error {
	i := slices.Index(modes, string(b))
	if i < 0 && len(b) > 0 {
		return fmt.Errorf("%.20q: want none, own or all", b)
	}
	*m = Mode(max(i, 0))
	return nil
}

// MarshalText is the mode's name.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// The kinds of keys, by their first byte.
const (
	kindHead     = 0
	kindResource = 'd'
	kindLog      = 'l'
	kindLacking  = 'm'
	kindTerm     = 't'
)

// nameSize is how much of a name stands in a key.
const nameSize = 16

// Index is the index of one member. It is safe for concurrent use.
type Index struct {
	db   *kv.DB
	ring *keyring.Ring
	mode Mode

	mu sync.Mutex // of changes
}

// Log is what is known of one log.
type Log struct {
	Chart   string
	Section section.Section
	Log     key.Log
	Seen    uint64   // entries that were looked at
	Until   uint64   // when to look again, ms; 0: never
	Lacks   []uint64 // records among them that are not in the index, ascending
	Lacking bool     // the member may read one of those now
}

// Version is one version of a resource.
type Version struct {
	Type, ID string
	Entry    uint64
	Author   key.Verifier
	Deleted  bool
	Keys     fhir.Keys // of a deletion none
}

// Open is the index in db. One of another mode is emptied; that of None always.
func Open(db *kv.DB, ring *keyring.Ring, mode Mode) (*Index, error) {
	x := &Index{db: db, ring: ring, mode: mode}
	was, _, err := x.head()
	if err != nil || was == mode {
		return x, err
	}
	return x, x.Empty(0)
}

// Empty takes everything out, and notes the height from which on blocks are to be followed.
func (x *Index) Empty(height uint64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var batch []kv.Change
	flush := func() error {
		err := x.db.WriteLater(batch)
		batch = batch[:0]
		return err
	}
	err := x.db.Scan([]byte{kindHead}, nil, func(k, _ []byte) error {
		if batch = append(batch, kv.Change{Key: slices.Clone(k)}); len(batch) < 10_000 {
			return nil
		}
		return flush()
	})
	if err == nil && x.mode != None {
		batch = append(batch, x.at(height))
	}
	if err = errors.Join(err, flush()); err != nil {
		return fmt.Errorf("emptying the index: %w", err)
	}
	return nil
}

// at is the change that notes a height.
func (x *Index) at(height uint64) kv.Change {
	return kv.Change{Key: []byte{kindHead}, Value: binary.BigEndian.AppendUint64([]byte{version, byte(x.mode)}, height)}
}

func (x *Index) head() (Mode, uint64, error) {
	b, err := x.db.Get([]byte{kindHead})
	if err != nil || b == nil {
		return None, 0, err
	}
	return decodeHead(b)
}

// Followed is the height up to which blocks were followed.
func (x *Index) Followed() (height uint64, err error) {
	_, height, err = x.head()
	return height, err
}

// Follow notes that blocks were followed up to a height. A crash may undo it, together with the changes after it.
func (x *Index) Follow(height uint64) error { return x.db.WriteLater([]kv.Change{x.at(height)}) }

// Purge takes what was taken out of the index out of its files.
func (x *Index) Purge(ctx context.Context) error { return x.db.Purge(ctx) }

func (x *Index) name(context string, of ...[]byte) []byte {
	n := x.ring.NameLocal(context, slices.Concat(of...))
	return n[:nameSize]
}

func (x *Index) logKey(kind byte, log key.Log) []byte {
	return append([]byte{kind}, x.name("panel/log", log[:])...)
}

func (x *Index) resourceKey(log key.Log, name string) []byte {
	return append(x.logKey(kindResource, log), x.name("panel/resource", log[:], []byte(name))...)
}

func contextOf(k []byte) []byte { return append([]byte("vitalog/v1/panel"), k...) }

func (x *Index) seal(k, plain []byte) kv.Change {
	return kv.Change{Key: k, Value: x.ring.SealLocal(contextOf(k), plain)}
}

func (x *Index) open(k, sealed []byte) ([]byte, error) {
	plain, err := x.ring.OpenLocal(contextOf(k), sealed)
	if err != nil {
		return nil, damaged(err)
	}
	return plain, nil
}

func damaged(err error) error {
	return fmt.Errorf("index across patients: damaged: make it anew by 'vitalog index rebuild --anew': %w", err)
}

// Of is what is known of a log; nil if nothing is. Of its Lacking it says nothing.
func (x *Index) Of(log key.Log) (*Log, error) { return x.log(x.logKey(kindLog, log)) }

// log is Of by its key.
func (x *Index) log(k []byte) (*Log, error) {
	sealed, err := x.db.Get(k)
	if err != nil || sealed == nil {
		return nil, err
	}
	plain, err := x.open(k, sealed)
	if err != nil {
		return nil, err
	}
	l, err := decodeLog(plain)
	if err != nil {
		return nil, damaged(err)
	}
	return l, nil
}

// resource reads a resource's row; nil if there is none.
func (x *Index) resource(k []byte) (*resource, error) {
	sealed, err := x.db.Get(k)
	if err != nil || sealed == nil {
		return nil, err
	}
	return x.openResource(k, sealed)
}

func (x *Index) openResource(k, sealed []byte) (*resource, error) {
	plain, err := x.open(k, sealed)
	if err != nil {
		return nil, err
	}
	r, err := decodeResource(plain)
	if err != nil {
		return nil, damaged(err)
	}
	return r, nil
}

// Lacking tells of the logs of which a record is lacking that may be read.
func (x *Index) Lacking(each func(*Log) error) error {
	return x.db.Scan([]byte{kindLacking}, []byte{kindLacking + 1}, func(k, _ []byte) error {
		l, err := x.log(append([]byte{kindLog}, k[1:]...))
		if err != nil || l == nil {
			return err
		}
		return each(l)
	})
}

// Due are the logs that are to be looked at by now, and when the next one is.
func (x *Index) Due(now uint64) (logs []key.Log, next uint64, err error) {
	err = x.db.Scan([]byte{kindLog}, []byte{kindLog + 1}, func(k, sealed []byte) error {
		plain, err := x.open(k, sealed)
		if err != nil {
			return err
		}
		l, err := decodeLog(plain)
		switch {
		case err != nil:
			return damaged(err)
		case l.Until == 0:
		case l.Until <= now:
			logs = append(logs, l.Log)
		case next == 0 || l.Until < next:
			next = l.Until
		}
		return nil
	})
	return logs, next, err
}

// hash is a term as it stands on the disk.
func (x *Index) hash(term string) (h [nameSize]byte) {
	copy(h[:], x.name("panel/term", []byte(term)))
	return h
}

func (x *Index) posting(term [nameSize]byte, resource []byte, entry uint64) []byte {
	return slices.Concat([]byte{kindTerm}, term[:], x.name("panel/posting", resource, wire.U64(entry), term[:]))
}
