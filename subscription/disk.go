package subscription

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"vitalog/exchange"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/section"
	"vitalog/wire"
)

// On the disk, all sealed by the keyring and bound to their keys (spec/subscriptions.md). name is NameLocal("subscription", id).
//
//	d name          → definition
//	p name          → position
//	e name ‖ number → event

const version = 1 // of all three

// maxKept is how many events of a subscription are kept for $events.
const maxKept = 10_000

// definition is a subscription as its subscriber made it.
type definition struct {
	Version  int            `json:"version"`
	ID       string         `json:"id"`
	Who      exchange.Asker `json:"who"` // who subscribed, and for what purpose
	Terms    terms          `json:"terms"`
	After    uint64         `json:"after"` // block after which its events are
	Revision uint64         `json:"revision"`
	Updated  uint64         `json:"updated"` // ms since 1970
}

// position is how far a subscription has come.
type position struct {
	Version  int                `json:"version"`
	Status   string             `json:"status"`            // requested, active, error, off
	Failure  string             `json:"failure,omitempty"` // why it is error or off
	Failures int                `json:"failures,omitempty"`
	Greeted  bool               `json:"greeted,omitempty"` // the endpoint has answered the handshake
	Next     map[key.Log]uint64 `json:"next"`              // entry of each log that is looked at next
	Events   uint64             `json:"events"`            // that were given a number
	Sent     uint64             `json:"sent"`              // number of the last that is done with
}

// event is one that has a number.
type event struct {
	Version int             `json:"version"`
	Number  uint64          `json:"number"` // from 1
	Section section.Section `json:"section"`
	Log     key.Log         `json:"log"`
	Entry   uint64          `json:"entry"`
	At      uint64          `json:"at"`               // ledger clock, ms
	Change  string          `json:"change,omitempty"` // create, update, delete: what it did to the resource
	Type    string          `json:"type,omitempty"`   // "": the record was not opened for it, or did not open
	ID      string          `json:"id,omitempty"`
}

func (b *Book) name(prefix byte, id string) []byte {
	n := b.Ring.NameLocal("subscription", []byte(id))
	return append([]byte{prefix}, n[:]...)
}

func (b *Book) eventKey(id string, number uint64) []byte {
	return binary.BigEndian.AppendUint64(b.name('e', id), number)
}

func (b *Book) put(k []byte, v any) kv.Change {
	return kv.Change{Key: k, Value: b.Ring.SealLocal(k, marshal(v))}
}

// decode reads what marshal wrote of a value, and nothing else.
func decode(raw []byte, into any, format *int) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("subscription: %w", err)
	}
	if *format != version {
		return fmt.Errorf("subscription: format version %d, this program reads %d: use a newer program", *format, version)
	}
	if !bytes.Equal(marshal(into), raw) {
		return fmt.Errorf("subscription: %w", wire.ErrNonCanonical)
	}
	return nil
}

func (b *Book) unseal(k, sealed []byte, into any, format *int) error {
	plain, err := b.Ring.OpenLocal(k, sealed)
	if err != nil {
		return fmt.Errorf("subscription: %w", err)
	}
	return decode(plain, into, format)
}

// keep writes a subscription down, with its definition or only how far it has come, and events that now have numbers, in one step. Of the events
// that were sent since it stood at before, those that are too old go.
func (b *Book) keep(s *sub, whole bool, before uint64, events ...event) error {
	var batch []kv.Change
	if whole {
		s.definition.Version = version
		batch = append(batch, b.put(b.name('d', s.ID), &s.definition))
	}
	s.at.Version = version
	batch = append(batch, b.put(b.name('p', s.ID), &s.at))
	for _, e := range events {
		e.Version = version
		batch = append(batch, b.put(b.eventKey(s.ID, e.Number), &e))
	}
	for n := max(before, maxKept) + 1; n <= s.at.Sent; n++ {
		batch = append(batch, kv.Change{Key: b.eventKey(s.ID, n-maxKept)})
	}
	if err := b.DB.Write(batch); err != nil {
		return fmt.Errorf("writing down a subscription: %w", err)
	}
	return nil
}

// events are those with the numbers from < n ≤ to, the first at most.
func (b *Book) events(id string, from, to uint64, most int) (out []event, err error) {
	end := b.eventKey(id, to)
	it, err := b.DB.Iterate(b.eventKey(id, from+1), append(end, 0), false)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ; it.Valid() && len(out) < most; it.Next() {
		var e event
		if err := b.unseal(it.Key(), it.Value(), &e, &e.Version); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, it.Err()
}

// forget deletes all of a subscription: the definition first, so that what a crash leaves belongs to nobody.
func (b *Book) forget(s *sub) error {
	if err := b.DB.Write([]kv.Change{{Key: b.name('d', s.ID)}, {Key: b.name('p', s.ID)}}); err != nil {
		return fmt.Errorf("forgetting a subscription: %w", err)
	}
	var batch []kv.Change
	err := b.DB.Scan(b.eventKey(s.ID, 0), append(b.eventKey(s.ID, ^uint64(0)), 0), func(k, _ []byte) error {
		batch = append(batch, kv.Change{Key: bytes.Clone(k)})
		return nil
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return b.DB.WriteLater(batch)
}

// load reads all subscriptions. One that can't be read stays where it is, and the operator is told.
func (b *Book) load() error {
	return b.DB.Scan([]byte("d"), []byte("e"), func(k, sealed []byte) error {
		s, err := b.restore(k, sealed)
		if err != nil {
			b.Log.Error("a subscription can't be read: its events are not told", "key", hex.EncodeToString(k), "err", err)
			return nil
		}
		b.all[s.ID] = s
		return nil
	})
}

func (b *Book) restore(k, sealed []byte) (*sub, error) {
	s := &sub{wake: make(chan struct{}, 1)}
	if err := b.unseal(k, sealed, &s.definition, &s.definition.Version); err != nil {
		return nil, err
	}
	at := b.name('p', s.ID)
	sealed, err := b.DB.Get(at)
	if err != nil {
		return nil, err
	}
	if err := b.unseal(at, sealed, &s.at, &s.at.Version); err != nil {
		return nil, err
	}
	s.filter, err = s.Terms.filter()
	return s, err
}
