package exchange

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/wire"
)

const (
	atIncident   = 'x' // number → incident (spec/disk.md)
	maxIncidents = 1000
	sameIncident = time.Minute // what was healed so recently and is found again was found by several at once
)

// incidents is the durable list of what was found damaged here.
type incidents struct {
	db *kv.DB

	mu   sync.Mutex // of what follows, and of writing
	list []*Incident
	last map[string]*Incident // the newest about a thing
	next uint64               // number
}

// thing is what an incident is about.
func (x *Incident) thing() string {
	if x.Blob != (wire.Hash{}) {
		return string(x.Blob[:])
	}
	return fmt.Sprintf("%s/%s/%d", x.What, x.Log[:], x.Entry)
}

func openIncidents(db *kv.DB) (*incidents, error) {
	s := &incidents{db: db, last: map[string]*Incident{}}
	err := db.Scan([]byte{atIncident}, []byte{atIncident + 1}, func(k, v []byte) error {
		if len(k) != 9 {
			return fmt.Errorf("incident with a key of %d bytes", len(k))
		}
		x, err := DecodeIncident(binary.BigEndian.Uint64(k[1:]), v)
		if err != nil {
			return err
		}
		s.list, s.last[x.thing()], s.next = append(s.list, x), x, x.Number+1
		return nil
	})
	return s, err
}

// note writes down what was found, durably. What is known already is not written twice, but that it was healed.
func (s *incidents) note(found []Damage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC().Truncate(time.Millisecond)
	var changed []*Incident
	for i := range found {
		x := found[i].incident(now)
		old := s.last[x.thing()]
		switch {
		case old != nil && old.Healed == nil && x.Healed != nil:
			old.Healed, old.From = x.Healed, x.From
			changed = append(changed, old)
		case old != nil && (old.Healed == nil || now.Sub(*old.Healed) < sameIncident):
		default:
			x.Number = s.next
			s.next++
			s.list, s.last[x.thing()] = append(s.list, x), x
			changed = append(changed, x)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	batch := make([]ledger.Change, 0, len(changed))
	for _, x := range changed {
		batch = append(batch, ledger.Change{Key: incidentKey(x.Number), Value: x.Encode()})
	}
	for len(s.list) > maxIncidents {
		i := max(slices.IndexFunc(s.list, func(x *Incident) bool { return x.Healed != nil }), 0)
		x := s.list[i]
		s.list = slices.Delete(s.list, i, i+1)
		if s.last[x.thing()] == x {
			delete(s.last, x.thing())
		}
		batch = append(batch, ledger.Change{Key: incidentKey(x.Number)})
	}
	if err := s.db.Write(batch); err != nil {
		return fmt.Errorf("writing down %d incidents: %w", len(changed), err)
	}
	return nil
}

func incidentKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{atIncident}, number)
}

// incident is the damage as it is written down.
func (d *Damage) incident(now time.Time) *Incident {
	x := &Incident{At: now, What: d.What, State: d.State, Log: d.Log, Entry: d.Entry, Block: d.Block, From: d.From}
	if d.Blob != nil {
		x.Blob = *d.Blob
	}
	if d.Healed {
		x.Healed = &now
	}
	return x
}

// open lists what is not healed, as far as it is written down.
func (s *incidents) open() []Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Incident
	for _, x := range s.list {
		if x.Healed == nil {
			out = append(out, *x)
		}
	}
	return out
}

// healed tells whether the newest incident about a blob is.
func (s *incidents) healed(h wire.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.last[string(h[:])]
	return x != nil && x.Healed != nil
}

// Incidents are what this member found damaged in its own stores.
type Incidents struct {
	Ever     uint64     `json:"ever"`     // how many there were
	Unhealed int        `json:"unhealed"` // of those that are kept
	List     []Incident `json:"list"`     // what is not healed first, and the newest first in both
}

// Incidents lists at most n of the incidents that are kept, which are the newest 1,000.
func (m *Member) Incidents(n int) Incidents {
	s := m.incidents
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Incidents{Ever: s.next}
	var healed []Incident
	for _, x := range slices.Backward(s.list) {
		if x.Healed == nil {
			out.List = append(out.List, *x)
		} else {
			healed = append(healed, *x)
		}
	}
	out.Unhealed = len(out.List)
	out.List = append(out.List, healed...)
	out.List = out.List[:min(n, len(out.List))]
	return out
}
