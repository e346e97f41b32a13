package exchange

import (
	"encoding/binary"
	"fmt"

	"vitalog/ledger"
	"vitalog/wire"
)

// The journal is where a member's door keeps what it must remember of a request, so that the same request does nothing twice. See
// spec/import.md.

// journalDays is how long it is kept.
const journalDays = 30

// Recall reads what was kept under a name into v. found is false if nothing was, or if it was too long ago.
func (m *Member) Recall(name string, v any) (found bool, err error) {
	return m.index.load(m.index.name("j", "journal", name), v)
}

// Keep writes v under a name, if there is one, and takes the newcomers into custody, durably and in one step: the keys of their charts, and
// the identifiers that lead to them. The ledger knows nothing of them yet: the first publication into a chart enrols its patient.
func (m *Member) Keep(name string, v any, newcomers ...*Newcomer) error {
	x := m.index
	var batch []ledger.Change
	if name != "" {
		k := x.name("j", "journal", name)
		put, err := x.seal(k, v)
		if err != nil {
			return err
		}
		batch = append(batch, put, ledger.Change{Key: journalDay(today(), k), Value: []byte{}})
	}
	for _, n := range newcomers {
		put, err := x.seal(x.name("c", "chart", n.ID), n.state)
		if err != nil {
			return err
		}
		batch = append(batch, put)
		for _, id := range n.known {
			put, err := x.seal(x.name("i", "identifier", id), n.ID)
			if err != nil {
				return err
			}
			batch = append(batch, put)
		}
	}
	if err := x.db.Write(batch); err != nil {
		return fmt.Errorf("member's journal: %w", err)
	}
	x.mu.Lock()
	for _, n := range newcomers {
		x.charts[n.ID] = n.state
	}
	swept := x.swept == today()
	x.swept = today()
	x.mu.Unlock()
	if swept {
		return nil
	}
	return x.sweep()
}

// Derive is a name that only this member can make, the same each time.
func (m *Member) Derive(context, name string) [32]byte {
	return m.ring.NameLocal("vitalog/v1/derive/"+context, []byte(name))
}

// sweep drops what is too old. It may be interrupted at any point.
func (x *index) sweep() error {
	var batch []ledger.Change
	last := journalDay(today()-min(journalDays, today()), nil)
	err := x.db.Scan(journalDay(0, nil), last, func(k, _ []byte) error {
		day := append([]byte{}, k...)
		batch = append(batch, ledger.Change{Key: day[len(last):]}, ledger.Change{Key: day})
		return nil
	})
	if err == nil {
		err = x.db.Scan(askedKey(0, wire.Hash{}), askedKey(today()-min(accessDays, today()), wire.Hash{}), func(k, _ []byte) error {
			batch = append(batch, ledger.Change{Key: append([]byte{}, k...)})
			return nil
		})
	}
	if err == nil && len(batch) > 0 {
		err = x.db.WriteLater(batch)
	}
	if err != nil {
		return fmt.Errorf("member's journal: dropping what is old: %w", err)
	}
	return nil
}

// today is the number of the day since 1970.
func today() uint64 { return nowMillis() / (24 * 60 * 60 * 1000) }

// journalDay is the key under which sweep finds what was written on a day.
func journalDay(day uint64, k []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("k"), day), k...)
}
