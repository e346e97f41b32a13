package ledger

import (
	"bytes"
	"slices"
	"sync"
)

// Store keeps what the ledger has committed. It is safe for concurrent use. No key or value is empty.
type Store interface {
	// Get returns the value of a key, or nil, nil if there is none. The result is the caller's.
	Get(key []byte) ([]byte, error)
	// First is the index of the first of keys that has a value, or -1 if none has. Nearly always none has.
	First(keys [][]byte) (int, error)
	// Scan calls each for the keys from ≤ k < to in ascending order, until it returns an error, which Scan returns. k and v are only
	// valid during the call.
	Scan(from, to []byte, each func(k, v []byte) error) error
	// Write makes all changes or none, and they are durable when it returns nil. After an error either may be the case, and the
	// ledger is to be opened anew. Of two changes of one key the later counts.
	Write(batch []Change) error
}

// Change sets the value of a key, or deletes it if Value is nil. It is an alias, so that stores need not know this package.
type Change = struct{ Key, Value []byte }

// Memory is a store that forgets: for tests and for verifying a chain without keeping it.
type Memory struct {
	mu     sync.RWMutex
	values map[string][]byte
	sorted []string // keys in order, with gaps where some were deleted
	fresh  []string // keys to be sorted in at the next scan
}

// NewMemory is an empty store.
func NewMemory() *Memory { return &Memory{values: map[string][]byte{}} }

// Get is Store's.
func (m *Memory) Get(key []byte) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return bytes.Clone(m.values[string(key)]), nil
}

// First is Store's.
func (m *Memory) First(keys [][]byte) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.IndexFunc(keys, func(k []byte) bool { return m.values[string(k)] != nil }), nil
}

// Scan is Store's. It holds no lock while it calls each.
func (m *Memory) Scan(from, to []byte, each func(k, v []byte) error) error {
	m.mu.Lock()
	if len(m.fresh) > 0 {
		live := slices.DeleteFunc(append(m.sorted, m.fresh...), func(k string) bool { return m.values[k] == nil })
		slices.Sort(live)
		m.sorted, m.fresh = slices.Compact(live), nil
	}
	i, _ := slices.BinarySearch(m.sorted, string(from))
	j, _ := slices.BinarySearch(m.sorted, string(to))
	keys := slices.Clone(m.sorted[i:max(i, j)])
	m.mu.Unlock()
	for _, k := range keys {
		v, _ := m.Get([]byte(k))
		if v == nil {
			continue
		}
		if err := each([]byte(k), v); err != nil {
			return err
		}
	}
	return nil
}

// Write is Store's, but for durability.
func (m *Memory) Write(batch []Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range batch {
		k := string(c.Key)
		if c.Value == nil {
			delete(m.values, k)
			continue
		}
		if _, ok := m.values[k]; !ok {
			m.fresh = append(m.fresh, k)
		}
		m.values[k] = append([]byte{}, c.Value...)
	}
	return nil
}
