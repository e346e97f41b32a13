package exchange

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/section"
	"vitalog/wire"
)

// index is what a member knows about the charts that it takes part in. Everything in it is sealed with the member's key, names
// included, so that the file tells nothing without the keyring.
//
//	a day ‖ hash of the detail           → who asked with an access
//	c NameLocal("chart", id)             → chartState
//	q NameLocal("request", id)           → requestState
//	r NameLocal("resource", type/id)     → Location
//	i NameLocal("identifier", sys|value) → chart id
//	m hash, h log‖record, n log‖entry    → ciphertext, headers and messages that are still to be fetched
//	j NameLocal("journal", name)         → what the member's door remembers of a request
//	k day ‖ key of a j                   → nothing: by it sweep finds what is old
//	b NameLocal("upload", id)            → uploadState (spec/uploads.md)
//	g NameLocal("author copy", log‖entry) → authorCopy
//	d hash                               → what is damaged and is still to be healed
//	x number                             → incident (spec/disk.md)
//	y                                    → number of the log that looking goes on with
//	e                                    → height of the newest block followed that ordered something destroyed
//	z                                    → height up to which blocks were followed
type index struct {
	db   *kv.DB
	ring *keyring.Ring

	mu      sync.RWMutex
	charts  map[string]*chartState
	changed func(chart string)       // is told of each that was; nil: nobody is
	held    map[string]chan struct{} // charts whose patients are being enrolled; closed when that is done
	swept   uint64                   // day on which the journal was last rid of what is old
}

// chartState is one patient as this member knows them.
type chartState struct {
	ID      string
	Custody []byte `json:",omitempty"` // the wrapped root, if this member is the custodian
	// Enrolling is the expiry of the operations that enrol the patient, until they are known to be committed.
	Enrolling uint64     `json:",omitempty"`
	Card      *cardState `json:",omitempty"` // the newest claim card
	Inbox     key.Log
	InboxKey  wire.Hash
	Sections  map[section.Section]*sectionState
}

// sectionState is one log of a chart.
type sectionState struct {
	Log       key.Log
	Owner     []byte   // exchange key to which details are sealed
	OwnerLock bool     // the owner opens without the network: no custodian
	Purposes  []string // for which this member holds a grantee key that was granted
	Seeds     [][]byte `json:",omitempty"` // wrapped, as the keyring gave them
	Taken     []uint64 `json:",omitempty"` // entries whose messages the seeds came with
}

// Location says where the newest version of a resource that this member knows stands.
type Location struct {
	Chart   string
	Section section.Section
	Log     key.Log
	Entry   uint64
	At      uint64 // ledger clock, ms
	Deleted bool   `json:",omitempty"` // that version ends the resource
}

func openIndex(db *kv.DB, ring *keyring.Ring) *index {
	return &index{db: db, ring: ring, charts: map[string]*chartState{}, held: map[string]chan struct{}{}}
}

func (x *index) name(prefix, context, name string) []byte {
	n := x.ring.NameLocal(context, []byte(name))
	return append([]byte(prefix), n[:]...)
}

func (x *index) seal(k []byte, v any) (ledger.Change, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return ledger.Change{}, fmt.Errorf("member's index: %w", err)
	}
	return ledger.Change{Key: k, Value: x.ring.SealLocal(k, plain)}, nil
}

func (x *index) unseal(k, sealed []byte, v any) error {
	plain, err := x.ring.OpenLocal(k, sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// load reads the value sealed under k; found is false if there is none.
func (x *index) load(k []byte, v any) (found bool, err error) {
	sealed, err := x.db.Get(k)
	if err != nil || sealed == nil {
		return false, err
	}
	if err := x.unseal(k, sealed, v); err != nil {
		return false, fmt.Errorf("member's index: %w", err)
	}
	return true, nil
}

// chart is the state of a chart, or nil. The caller does not change it: see update.
func (x *index) chart(id string) (*chartState, error) {
	x.mu.RLock()
	c := x.charts[id]
	x.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	c = &chartState{}
	if found, err := x.load(x.name("c", "chart", id), c); err != nil || !found {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if have := x.charts[id]; have != nil {
		return have, nil
	}
	x.charts[id] = c
	return c, nil
}

// update changes a chart, which is made if it isn't there, durably. The change works on a copy, so readers see the old
// or the new one; after an error of its own nothing is changed.
func (x *index) update(id string, change func(c *chartState) error) error {
	if _, err := x.chart(id); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c := &chartState{ID: id, Sections: map[section.Section]*sectionState{}}
	if old := x.charts[id]; old != nil {
		raw, err := json.Marshal(old)
		if err != nil {
			return fmt.Errorf("member's index: %w", err)
		}
		c = &chartState{}
		if err := json.Unmarshal(raw, c); err != nil {
			return fmt.Errorf("member's index: %w", err)
		}
	}
	if err := change(c); err != nil {
		return err
	}
	put, err := x.seal(x.name("c", "chart", id), c)
	if err != nil {
		return err
	}
	if err := x.db.Write([]ledger.Change{put}); err != nil {
		return fmt.Errorf("member's index: %w", err)
	}
	x.charts[id] = c
	if x.changed != nil {
		x.changed(id)
	}
	return nil
}

// ids lists the charts known here.
func (x *index) ids() ([]string, error) {
	var out []string
	err := x.db.Scan([]byte("c"), []byte("d"), func(k, v []byte) error {
		var c chartState
		if err := x.unseal(k, v, &c); err != nil {
			return err
		}
		out = append(out, c.ID)
		return nil
	})
	slices.Sort(out)
	return out, err
}

// locate finds a resource.
func (x *index) locate(resourceType, id string) (at Location, ok bool, err error) {
	ok, err = x.load(x.name("r", "resource", resourceType+"/"+id), &at)
	return at, ok, err
}

// located is one resource's place, to be remembered.
type located struct {
	resource    string // type/id
	identifiers []string
	at          Location
}

// remember stores places. A place that is older than the one known is left out, and so is one in another chart: ids are chosen by those who
// write, and nobody may move another patient's resource by choosing its id.
func (x *index) remember(found []located) error {
	var batch []ledger.Change
	for _, f := range found {
		k := x.name("r", "resource", f.resource)
		var old Location
		known, err := x.load(k, &old)
		if err != nil {
			return err
		}
		if !known || old.Chart == f.at.Chart && old.before(f.at) {
			put, err := x.seal(k, f.at)
			if err != nil {
				return err
			}
			batch = append(batch, put)
		}
		for _, id := range f.identifiers {
			put, err := x.seal(x.name("i", "identifier", id), f.at.Chart)
			if err != nil {
				return err
			}
			batch = append(batch, put)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return x.db.Write(batch)
}

// before tells whether the other place is newer. A resource that left a section ends there after it began in another.
func (l Location) before(o Location) bool {
	switch {
	case l.Log == o.Log:
		return l.Entry < o.Entry
	case l.Deleted != o.Deleted:
		return l.Deleted
	}
	return l.At < o.At
}

// link remembers one more identifier of a chart.
func (x *index) link(chart, id string) error {
	put, err := x.seal(x.name("i", "identifier", id), chart)
	if err != nil {
		return err
	}
	return x.db.Write([]ledger.Change{put})
}

// byIdentifier finds the chart of a patient by "system|value".
func (x *index) byIdentifier(id string) (chart string, ok bool, err error) {
	ok, err = x.load(x.name("i", "identifier", id), &chart)
	return chart, ok, err
}

// number is a number that is written down under a key of one byte; 0 if it isn't.
func (x *index) number(k byte) (uint64, error) {
	b, err := x.db.Get([]byte{k})
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}
