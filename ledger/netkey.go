package ledger

import (
	"vitalog/op"
	"vitalog/wire"
)

// NetworkKey is the members' key of a generation, or the newest for 0; nil if there is none. It is not to be changed.
func (l *Ledger) NetworkKey(gen uint32) *op.NetworkKey {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := len(l.keys) - 1; i >= 0; i-- {
		if gen == 0 || l.keys[i].Gen == gen {
			return l.keys[i]
		}
	}
	return nil
}

// KeysBefore is the hash of the generations before the newest, with which op.KeysHash gives the state's.
func (l *Ledger) KeysBefore() wire.Hash {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return keySum(l.keys[:max(len(l.keys)-1, 0)])
}
