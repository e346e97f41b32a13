package keyring

import (
	"fmt"

	"vitalog/grant"
	"vitalog/key"
)

// AcceptGrant opens a grant message for the member's key of this log and purpose. The reader seeds come back wrapped, for Reader; they
// open with this ring alone.
func (r *Ring) AcceptGrant(log key.Log, purpose string, sealed []byte) (m *grant.Message, wrapped []byte, err error) {
	network, err := r.Network()
	if err != nil {
		return nil, nil, err
	}
	m, seeds, err := grant.Open(r.exchange, network, log, r.Grantee(log, purpose).Public(), sealed)
	if err != nil {
		return nil, nil, err
	}
	if m.Purpose != purpose {
		return nil, nil, fmt.Errorf("grant message for %v: it is for %s, the key is for %s", log, m.Purpose, purpose)
	}
	plain := grant.EncodeSeeds(seeds)
	defer clear(plain)
	return m, r.SealLocal(seedContext(log), plain), nil
}

// Reader is the reader key of an epoch out of wrapped seeds, or ErrNoEpoch.
func (r *Ring) Reader(wrapped []byte, log key.Log, epoch uint32) (key.Opener, error) {
	plain, err := r.OpenLocal(seedContext(log), wrapped)
	if err != nil {
		return nil, fmt.Errorf("reader seeds of %v: %w", log, err)
	}
	defer clear(plain)
	seeds, err := grant.DecodeSeeds(plain)
	if err != nil {
		return nil, fmt.Errorf("reader seeds of %v: %w", log, err)
	}
	for _, s := range seeds {
		if s.Epoch == epoch {
			return s.Reader(), nil
		}
	}
	return nil, fmt.Errorf("reader seeds of %v: epoch %d: %w", log, epoch, ErrNoEpoch)
}

func seedContext(log key.Log) []byte { return append([]byte("vitalog/v1/keyring/seeds"), log[:]...) }
