package exchange

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// The storage receipts of a validator: spec/storage-receipts.md.

const (
	// A validator looks whether a receipt is due after a time between these, by chance. A block is claimed at the second look after it: at least
	// claimSoonest after it was followed, when all have fetched what it needs, so that who claims first is not who wrote. More often would
	// make more blocks of receipts than of records.
	claimSoonest = time.Second
	claimLatest  = 3 * time.Second
	// claimPatience is how long what is still on its way holds up a claim. After it, it is named as missing.
	claimPatience = 30 * time.Second

	claimsAtOnce = 16      // receipts in one call
	maxMarked    = 1 << 14 // ciphertexts on their way: who lacks more catches up first

	atClaimed  = 's' // → the height that was claimed last
	atRecorded = 'w' // → the newest block followed that has a record
)

// claims is what a validator is about to say.
type claims struct {
	mu   sync.Mutex // one receipt after the other
	told uint64     // claimed by this store, at most
	mark *mark
	gaps map[string]gap // of the headers that are lacking, by their keys
}

// mark is a height that is claimed when nothing is on its way any more that was then.
type mark struct {
	upto  uint64
	at    time.Time
	onWay map[string]bool // ciphertexts, by their keys; of headers the block tells
}

// gap is where the entry of a lacking header stands, and the ciphertext by which a receipt names it.
type gap struct {
	block uint64
	blob  wire.Hash
}

// How much something is lacking.
const (
	onWay  = iota + 1 // of blocks that nothing is said about yet
	marked            // of blocks that are about to be claimed
	lost              // to be said at once: damaged, of blocks that were claimed, or asked for in vain
)

// keepClaiming says on the ledger what this validator holds, until ctx ends. A validator alone says nothing: there is nobody whom it would help.
func (m *Member) keepClaiming(ctx context.Context) error {
	if !m.genesis.Members[m.number].Validator || m.alone() {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		if err := untilNextClaim(ctx); err != nil {
			return err
		}
		if err := m.claim(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("saying what is stored here", "err", err)
		}
	}
}

// untilNextClaim waits until it is time to look what there is to say.
func untilNextClaim(ctx context.Context) error {
	pause := time.NewTimer(claimSoonest + rand.N(claimLatest-claimSoonest))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-pause.C:
		return nil
	}
}

// claim makes the receipts that are due. What the ledger has of this validator is where it goes on, so a receipt whose outcome isn't known
// does no harm.
//
// Crash points: what is claimed is durable here first, and then that it was claimed. A crash before the commit leaves a store that may claim
// more than the ledger has of it, never less.
func (m *Member) claim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience) // after which nothing that was signed is executed any more
	defer cancel()
	c := &m.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	said, err := m.node.Ledger().Stored(m.number)
	if err != nil {
		return err
	}
	if said > c.told { // not by this store: it is new, or an older one was put back
		c.mark = nil
		return m.say(ctx, op.StoredSalt(), &op.Stored{})
	}
	if c.mark != nil && c.mark.upto <= said {
		c.mark = nil
	}
	m.mu.Lock()
	recorded := m.recorded // before what is lacking is looked at: that was written down with it
	m.mu.Unlock()
	now, keys, err := m.lackingNow(c, said)
	if err != nil {
		return err
	}
	var missing, back []wire.Hash
	named := map[wire.Hash]bool{}
	if err := m.node.Ledger().Lacking(m.number, func(h wire.Hash) error {
		if named[h] = true; now[h] == 0 {
			back = append(back, h)
		}
		return nil
	}); err != nil {
		return err
	}
	var late []wire.Hash
	for h, how := range now {
		switch {
		case named[h]:
		case how == lost:
			missing = append(missing, h)
		case how == marked:
			late = append(late, h)
		}
	}
	upto := said
	if c.mark != nil && (len(late) == 0 || time.Since(c.mark.at) >= claimPatience) {
		missing, upto = append(missing, late...), c.mark.upto
	}
	bodies, all := receipts(said, upto, missing, back)
	if len(bodies) > 0 {
		if upto > c.told {
			if err := m.index.db.Write([]ledger.Change{{Key: []byte{atClaimed}, Value: wire.U64(upto)}}); err != nil {
				return err
			}
			c.told = upto
		}
		if err := m.say(ctx, op.StoredSalt(), bodies...); err != nil {
			return err
		}
	}
	if all && upto > said {
		c.mark = nil
	}
	if c.mark == nil && recorded > upto && len(keys) <= maxMarked {
		c.mark = &mark{upto: recorded, at: time.Now(), onWay: keys}
	}
	return nil
}

// receipts are those that say what changed, in their order: what is missing before the height is raised. all tells that nothing is left to say.
func receipts(said, upto uint64, missing, back []wire.Hash) (out []op.Body, all bool) {
	byBytes := func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(missing, byBytes)
	slices.SortFunc(back, byBytes)
	for len(missing)+len(back) > 0 {
		if len(out) == claimsAtOnce {
			return out, false
		}
		m, b := min(len(missing), op.MaxNamed), min(len(back), op.MaxNamed)
		out = append(out, &op.Stored{Upto: said, Missing: missing[:m], Back: back[:b]})
		missing, back = missing[m:], back[b:]
	}
	switch last := len(out) - 1; {
	case upto == said:
	case last < 0:
		out = append(out, &op.Stored{Upto: upto})
	default:
		out[last].(*op.Stored).Upto = upto
	}
	return out, true
}

// lackingNow is how much each ciphertext is lacking that is written down as missing or damaged, or whose header is, and the keys of the
// ciphertexts that are on their way.
func (m *Member) lackingNow(c *claims, said uint64) (now map[wire.Hash]int, keys map[string]bool, err error) {
	now, keys = map[wire.Hash]int{}, map[string]bool{}
	add := func(h wire.Hash, how int) { now[h] = max(now[h], how) }
	scan := func(kind byte, each func(k, v []byte) error) {
		if err == nil {
			err = m.index.db.Scan([]byte{kind}, []byte{kind + 1}, each)
		}
	}
	for _, x := range m.incidents.open() {
		switch {
		case x.Blob != (wire.Hash{}):
			add(x.Blob, lost)
		case x.What == "header":
			var e *op.Entry
			if e, err = m.node.Ledger().Entry(x.Log, x.Entry); err != nil {
				return nil, nil, err
			}
			if r, ok := recorded(e); ok {
				add(r.Blob, lost)
			}
		}
	}
	scan(lackWhole, func(k, _ []byte) error {
		if h := wire.Hash(k[1:]); !m.incidents.healed(h) {
			add(h, lost)
		}
		return nil
	})
	scan(lackBlob, func(k, v []byte) error {
		how := onWay
		switch {
		case inVain(v):
			how = lost
		case c.mark != nil && c.mark.onWay[string(k)]:
			how = marked
		}
		if how != lost {
			keys[string(k)] = true
		}
		add(wire.Hash(k[1:]), how)
		return nil
	})
	gaps := map[string]gap{}
	scan(lackHeader, func(k, v []byte) error {
		p, known := c.gaps[string(k)]
		if !known {
			e, err := m.recordEntry(key.Log(k[1:33]), key.Record(k[33:]))
			if e == nil || err != nil {
				return err // nil: it is on no ledger, and nobody asked for it
			}
			if p.block, err = m.node.Ledger().BlockOf(e.Log, e.Number); err != nil {
				return err
			}
			p.blob = e.Says.(*op.Recorded).Blob
		}
		gaps[string(k)] = p
		how := onWay
		switch {
		case inVain(v) || p.block <= said:
			how = lost
		case c.mark != nil && p.block <= c.mark.upto:
			how = marked
		}
		add(p.blob, how)
		return nil
	})
	c.gaps = gaps
	return now, keys, err
}

// inVain tells by the value of something that is missing whether it was asked for so often that it counts as missing.
func inVain(v []byte) bool { return len(v) == 9 && v[8] >= lackTries }
