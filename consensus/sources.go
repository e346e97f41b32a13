package consensus

import (
	"sync"
	"time"

	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proto/tendermint/blocksync"
	"github.com/cometbft/cometbft/types"
)

// sources are the members that blocks are fetched from, and the blocks that have come.
type sources struct {
	mu     sync.Mutex
	byID   map[p2p.ID]*source
	blocks map[int64]*fetch
	held   int           // bytes of blocks
	since  time.Time     // of the first report
	news   chan struct{} // has room for one
}

// source is a member. It stays when its connection ends.
type source struct {
	peer   p2p.Peer  // nil: not connected
	first  int64     // its height as it said first after this member's start; -1 before
	height int64     // its height as it said last
	open   int       // requests without an answer
	last   time.Time // its last answer, or when it was asked first
	wrong  bool      // sent nothing, or what doesn't verify
}

// fetch is a block that was asked for.
type fetch struct {
	from  *source
	block *types.Block // nil: on its way
	size  int
}

type request struct {
	from   p2p.Peer
	height int64
}

func newSources() *sources {
	return &sources{byID: map[p2p.ID]*source{}, blocks: map[int64]*fetch{}, news: make(chan struct{}, 1)}
}

func (s *sources) get(p p2p.ID) *source {
	if s.byID[p] == nil {
		s.byID[p] = &source{first: -1}
	}
	return s.byID[p]
}

// report notes how far a member says it is.
func (s *sources) report(p p2p.Peer, height int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.get(p.ID())
	if x.peer, x.height = p, height; x.first < 0 {
		x.first = height
	}
	if s.since.IsZero() {
		s.since = time.Now()
	}
	s.tell()
}

// leave takes note that a connection ended. What was asked over it is asked again of others.
func (s *sources) leave(p p2p.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.get(p)
	x.peer = nil
	s.abandon(x)
	s.tell()
}

// requests are whom to ask for what, now.
func (s *sources) requests(next int64) (out []request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.byID {
		if x.open > 0 && time.Since(x.last) > silence {
			x.wrong = true
			s.abandon(x)
		}
	}
	for h := next; h < next+window && (s.held < maxHeld || h < next+2); h++ {
		if s.blocks[h] != nil {
			continue
		}
		var best *source
		for _, x := range s.byID {
			if x.usable() && x.height >= h && x.open < perSource && (best == nil || x.open < best.open) {
				best = x
			}
		}
		if best == nil {
			break
		}
		if best.open == 0 {
			best.last = time.Now()
		}
		best.open++
		s.blocks[h] = &fetch{from: best}
		out = append(out, request{best.peer, h})
	}
	return out
}

func (x *source) usable() bool { return x.peer != nil && !x.wrong }

// answer takes a block that p was asked for, or the news that p doesn't have it, and refuses every other.
func (s *sources) answer(p p2p.ID, height int64, m *blocksync.BlockResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, f := s.get(p), s.blocks[height]
	if f == nil || f.from != x || f.block != nil {
		return
	}
	x.open--
	x.last = time.Now()
	defer s.tell()
	if m != nil {
		if b, err := types.BlockFromProto(m.Block); err == nil {
			f.block, f.size = b, m.Block.Size()
			s.held += f.size
			return
		}
	}
	x.wrong = true
	delete(s.blocks, height)
	s.abandon(x)
}

// pair is the block of a height and the one after it; nil for what has not come.
func (s *sources) pair(height int64) (block, after *types.Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.blocks[height]; f != nil {
		block = f.block
	}
	if f := s.blocks[height+1]; f != nil {
		after = f.block
	}
	return block, after
}

// done lets go of a block that is applied.
func (s *sources) done(height int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(height)
}

// reject lets go of a block and the one after it, since one of them is wrong, and asks neither's member again.
func (s *sources) reject(height int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := height; h <= height+1; h++ {
		x := s.blocks[h].from
		s.drop(h)
		x.wrong = true
		s.abandon(x)
	}
}

// forgetBlocks lets go of all.
func (s *sources) forgetBlocks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.blocks)
	s.held = 0
}

// goal is the greatest height of a member that can be asked.
func (s *sources) goal() (height int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.byID {
		if x.usable() {
			height = max(height, x.height)
		}
	}
	return height
}

// heard is how many other validators said how far they are, and since when one has.
func (s *sources) heard(n *Node) (count int, since time.Time) {
	count = len(s.reports(n))
	s.mu.Lock()
	defer s.mu.Unlock()
	return count, s.since
}

// reports are the heights that other validators said first.
func (s *sources) reports(n *Node) (out []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n.config.Genesis.Members {
		m := &n.config.Genesis.Members[i]
		if x := s.byID[peerID(m.Node)]; i != n.config.Member && m.Validator && x != nil && x.first >= 0 {
			out = append(out, x.first)
		}
	}
	return out
}

// abandon drops what x was asked for and has not sent.
func (s *sources) abandon(x *source) {
	for h, f := range s.blocks {
		if f.from == x && f.block == nil {
			delete(s.blocks, h)
		}
	}
	x.open = 0
}

func (s *sources) drop(height int64) {
	s.held -= s.blocks[height].size
	delete(s.blocks, height)
}

func (s *sources) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}
