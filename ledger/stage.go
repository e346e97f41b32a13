package ledger

import (
	"vitalog/key"
	"vitalog/merkle"
	"vitalog/op"
	"vitalog/wire"
)

// stage is a block in the making, over the committed state, which it leaves alone. Operations check everything before they change
// anything, so that a refusal leaves no trace.
type stage struct {
	l      *Ledger
	height uint64
	clock  uint64
	check  bool  // one operation is only judged: no entries are made
	err    error // the first failure of the store; what follows it counts for nothing

	logs    map[key.Log]*log // looked up, never ranged over
	touched []*log           // in the order of first use
	count   uint64           // logs, new ones included
	entries []*op.Entry
	runs    []run
	tickets []uint64
	keys    []*op.NetworkKey
	*ceremony
	windows  *windowStage
	holdings map[int]*holding   // by member, looked up, never ranged over
	gone     map[int]uint64     // by member: the height of its deletion receipt in this block; likewise
	named    map[wire.Hash]byte // what this block names; likewise

	// What finish makes of it.
	heads             *merkle.Stage
	state             op.State
	ticketSum, keySum wire.Hash
	changes           []Change
}

// log is one log in a stage.
type log struct {
	head      *op.Head
	committed uint64           // entries in the store
	frontier  *merkle.Frontier // nil until the log grows
	encoded   [][]byte         // entries from committed on
	rids      map[key.Record]bool
	posters   map[key.Verifier]bool
	origins   map[key.Verifier]key.Verifier
	dirty     bool
}

func (l *Ledger) stage(clock uint64) *stage {
	return &stage{l: l, height: l.height + 1, clock: clock, logs: map[key.Log]*log{}, count: l.state.Count, tickets: l.tickets, keys: l.keys, ceremony: l.ceremony,
		windows: l.windows.stage(), heads: l.heads.Stage(), ticketSum: l.ticketSum, keySum: l.keySum}
}

// get reads the store; after a failure everything is absent.
func (s *stage) get(k []byte) []byte {
	if s.err != nil {
		return nil
	}
	v, err := s.l.store.Get(k)
	if err != nil {
		s.err = err
		return nil
	}
	return v
}

// present is the first of keys that the store has, or -1; after a failure everything is absent.
func (s *stage) present(keys [][]byte) int {
	if s.err != nil {
		return -1
	}
	i, err := s.l.store.First(keys)
	s.err = err
	return i
}

// log is the state of a log, or nil if there is none.
func (s *stage) log(id key.Log) *log {
	if g := s.logs[id]; g != nil {
		return g
	}
	n := s.get(logAt(id))
	if n == nil {
		return nil
	}
	h, err := op.DecodeHead(s.get(at(atHead, number(n))))
	if s.err == nil {
		s.err = err
	}
	if s.err != nil {
		return nil
	}
	return s.hold(&log{head: h, committed: h.Size})
}

func (s *stage) hold(g *log) *log {
	s.logs[g.head.Log] = g
	s.touched = append(s.touched, g)
	return g
}

// write adds an entry to a log.
func (s *stage) write(g *log, signer key.Verifier, says op.Statement) uint64 {
	if s.check {
		g.head.Size++
		return g.head.Size - 1
	}
	if g.frontier == nil {
		f, err := merkle.DecodeFrontier(s.get(at(atFrontier, g.head.Number)))
		if s.err == nil {
			s.err = err
		}
		if s.err != nil {
			return 0
		}
		g.frontier = f
	}
	e := &op.Entry{Log: g.head.Log, Number: g.head.Size, At: s.clock, Signer: signer, Says: says}
	b := e.Encode()
	s.put(at(atEntry, g.head.Number, e.Number), b)
	for i, node := range g.frontier.Append(op.EntryHash(e.Log, e.Number, b)) {
		if level := i + 1; level%nodeLevels == 0 {
			s.put(nodeAt(g.head.Number, level, e.Number>>level), node[:])
		}
	}
	s.name(says)
	g.encoded, g.dirty = append(g.encoded, b), true
	g.head.Size++
	s.entries = append(s.entries, e)
	if last := len(s.runs) - 1; last >= 0 && s.runs[last].log == g.head.Number {
		s.runs[last].count++
	} else {
		s.runs = append(s.runs, run{g.head.Number, e.Number, 1})
	}
	return e.Number
}

// entry reads an entry that exists.
func (s *stage) entry(g *log, n uint64) *op.Entry {
	var b []byte
	if n >= g.committed {
		b = g.encoded[n-g.committed]
	} else {
		b = s.get(at(atEntry, g.head.Number, n))
	}
	e, err := op.DecodeEntry(g.head.Log, n, b)
	if s.err == nil {
		s.err = err
	}
	return e
}

func (s *stage) put(k, v []byte) { s.changes = append(s.changes, Change{k, v}) }
