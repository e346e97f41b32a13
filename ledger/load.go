package ledger

import (
	"fmt"

	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/wire"
)

// load rebuilds what is kept in memory, and compares it with the last commit.
func (l *Ledger) load() error {
	meta, err := l.store.Get(at(atMeta))
	if err != nil {
		return err
	}
	var count uint64
	if meta != nil {
		if count, err = l.readMeta(meta); err != nil {
			return err
		}
	}
	if err := l.loadHeads(count); err != nil {
		return err
	}
	if err := l.loadTickets(); err != nil {
		return err
	}
	if err := l.loadKeys(); err != nil {
		return err
	}
	if l.ceremony, err = loadCeremony(l.store, len(l.genesis.Validators())); err != nil {
		return err
	}
	if l.windows, err = loadWindows(l.store); err != nil {
		return err
	}
	now := op.State{Heads: l.heads.Root(), Count: l.heads.Len(), Clock: l.state.Clock, Keys: l.keySum, Rest: l.rest(l.ticketSum, l.ceremony.sum, l.windows.sum())}
	if meta != nil && now != l.state {
		return fmt.Errorf("state is %v, but the last commit, height %d, left %v: restore the store from a snapshot", now.Hash(), l.height, l.state.Hash())
	}
	l.state = now
	return nil
}

func (l *Ledger) meta(height uint64, s op.State) []byte {
	var w wire.Writer
	w.U8(op.Version)
	w.Fixed(l.network[:])
	w.U64(height)
	w.Fixed(s.Heads[:])
	w.U64(s.Count)
	w.U64(s.Clock)
	w.Fixed(s.Keys[:])
	w.Fixed(s.Rest[:])
	return w.Done()
}

func (l *Ledger) readMeta(b []byte) (count uint64, err error) {
	r := wire.NewReader(b)
	version := r.U8()
	var network key.Network
	r.Fixed(network[:])
	l.height = r.U64()
	r.Fixed(l.state.Heads[:])
	l.state.Count, l.state.Clock = r.U64(), r.U64()
	r.Fixed(l.state.Keys[:])
	r.Fixed(l.state.Rest[:])
	switch err := r.End(); {
	case err != nil:
		return 0, err
	case version != op.Version:
		return 0, fmt.Errorf("store of version %d, this program reads %d", version, op.Version)
	case network != l.network:
		return 0, fmt.Errorf("store of %v, genesis of %v", network, l.network)
	}
	return l.state.Count, nil
}

// loadHeads makes the array of heads anew. What the heads say is not read: a head that is not as it was committed makes another root.
func (l *Ledger) loadHeads(count uint64) error {
	leaves := make([]wire.Hash, 0, count)
	err := l.store.Scan(at(atHead), at(atHead+1), func(k, v []byte) error {
		n := uint64(len(leaves))
		stands, log, err := op.HeadOf(v)
		if err != nil {
			return err
		}
		if number(k[1:]) != n || stands != n {
			return fmt.Errorf("head %d is missing", n)
		}
		leaves = append(leaves, op.HeadHash(log, v))
		return nil
	})
	l.heads = merkle.NewArray(leaves)
	return err
}

func (l *Ledger) loadTickets() error {
	b, err := l.store.Get(at(atTickets))
	if err != nil {
		return err
	}
	l.tickets = make([]uint64, len(l.genesis.Members))
	if b != nil {
		r := wire.NewReader(b)
		for i := range l.tickets {
			l.tickets[i] = r.U64()
		}
		if err := r.End(); err != nil {
			return fmt.Errorf("ticket counts: %w", err)
		}
	}
	l.ticketSum = ticketSum(l.tickets)
	return nil
}

func (l *Ledger) loadKeys() error {
	err := l.store.Scan(at(atKey), at(atKey+1), func(_, v []byte) error {
		k, err := op.DecodeNetworkKey(v)
		l.keys = append(l.keys, k)
		return err
	})
	l.keySum = keySum(l.keys)
	return err
}

// rest commits to what neither the heads nor the network keys hold.
func (l *Ledger) rest(tickets, ceremony, windows wire.Hash) wire.Hash {
	return wire.Sum("vitalog/v1/state/rest", l.network[:], tickets[:], ceremony[:], windows[:])
}

func encodeTickets(counts []uint64) []byte {
	var w wire.Writer
	for _, n := range counts {
		w.U64(n)
	}
	return w.Done()
}

func ticketSum(counts []uint64) wire.Hash {
	return wire.Sum("vitalog/v1/state/tickets", encodeTickets(counts))
}

func keySum(keys []*op.NetworkKey) (sum wire.Hash) {
	for _, k := range keys {
		sum = op.KeysHash(sum, k)
	}
	return sum
}
