package consensus

import (
	"errors"
	"fmt"
	"time"

	comet "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proto/tendermint/blocksync"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"
)

// How a member catches up.
const (
	window      = 64               // heights ahead of the ledger that are asked for
	perSource   = 8                // blocks asked of one member at a time
	maxHeld     = 64 << 20         // bytes of blocks that wait for those before them
	silence     = 3 * time.Second  // that makes a member one that is not asked
	company     = time.Second      // how long more members than the first are waited for
	standstill  = 10 * time.Second // without a block, after which consensus itself has to fetch what is missing
	askEvery    = time.Second      // how often members are asked how far they are
	dead        = 6 * time.Second  // without a byte, although it was asked: a connection that is none
	syncChannel = byte(0x40)       // of the engine's block sync protocol, which this speaks
)

// catchUp fetches the blocks that this member missed, and answers members that missed some. It stands in the place of the engine's own
// block sync, which drops and bans whoever sends less than 128 KiB/s: see DESIGN.md.
//
// A block counts when more than two thirds of the validators signed it, which the block after it shows. The last blocks, for which there is none after it,
// come by consensus, which begins when no member is known to be more than one block ahead.
type catchUp struct {
	p2p.BaseReactor
	node   *Node
	engine *comet.Node
	blocks *store.BlockStore
	states sm.Store
	exec   *sm.BlockExecutor

	sources *sources
	tick    *time.Ticker
	asked   time.Time     // when members were last asked how far they are
	stop    chan struct{} // closed by OnStop
	over    chan struct{} // closed when run has returned
}

var errDead = errors.New("nothing came over the connection")

// newCatchUp makes the reactor for an engine that is not started.
func newCatchUp(n *Node, e *comet.Node) *catchUp {
	c := &catchUp{node: n, engine: e, blocks: e.BlockStore(), sources: newSources(), stop: make(chan struct{}), over: make(chan struct{})}
	c.states = sm.NewStore(n.database("state"), sm.StoreOptions{DiscardABCIResponses: true})
	c.exec = sm.NewBlockExecutor(c.states, logger{log: n.config.Log, node: n}, e.ProxyApp().Consensus(), e.Mempool(), e.EvidencePool(), c.blocks)
	c.BaseReactor = *p2p.NewBaseReactor("Blocksync", c)
	return c
}

// OnStart begins to catch up.
func (c *catchUp) OnStart() error {
	c.tick, c.asked = time.NewTicker(askEvery/4), time.Now()
	go func() {
		defer close(c.over)
		defer c.tick.Stop()
		defer func() {
			if r := recover(); r != nil && !c.stopping() { // the engine panics where it can't go on
				_ = c.node.fail(fmt.Errorf("catching up: %v", r))
			}
		}()
		c.run()
	}()
	return nil
}

// OnStop waits until nothing is written any more.
func (c *catchUp) OnStop() {
	close(c.stop)
	<-c.over
}

// run catches up, has consensus begin, and stays until the member may vote.
func (c *catchUp) run() {
	if c.engine.ConsensusReactor().WaitSync() && !c.fetchAll() {
		return
	}
	close(c.node.ready)
	for {
		c.settled()
		if !c.wait() {
			return
		}
	}
}

// fetchAll applies blocks until none is known to be missing but the last, and has consensus begin. It returns false if the node stops.
func (c *catchUp) fetchAll() bool {
	state, err := c.states.Load()
	if err != nil {
		_ = c.node.fail(fmt.Errorf("catching up: %w", err))
		return false
	}
	first := state.LastBlockHeight
	progress := time.Now()
	for {
		if c.settled(); c.caughtUp(state.LastBlockHeight, progress) {
			break
		}
		c.request(state.LastBlockHeight + 1)
		next, err := c.apply(state)
		switch {
		case err != nil:
			_ = c.node.fail(fmt.Errorf("catching up: block %d: %w", state.LastBlockHeight+1, err))
			return false
		case next.LastBlockHeight > state.LastBlockHeight:
			state, progress = next, time.Now()
			if c.stopping() {
				return false
			}
		case !c.wait():
			return false
		}
	}
	c.sources.forgetBlocks()
	if state.LastBlockHeight > first {
		if err := c.node.markHeight(state.LastBlockHeight); err != nil {
			_ = c.node.fail(fmt.Errorf("the engine's log: %w", err))
			return false
		}
	}
	select { // the engine starts its reactors in any order, and would start consensus a second time
	case <-c.node.started:
	case <-c.node.closing:
		return false
	}
	return c.begin(state, state.LastBlockHeight > first)
}

// begin has consensus begin, unless the node stops: the engine, which stops its reactors in any order, would leave behind a consensus that begins
// after that of its own was stopped.
func (c *catchUp) begin(state sm.State, caughtUp bool) bool {
	c.node.beginning.Lock()
	defer c.node.beginning.Unlock()
	if c.node.ended {
		return false
	}
	if r, ok := c.engine.MempoolReactor().(interface{ EnableInOutTxs() }); ok {
		r.EnableInOutTxs()
	}
	c.engine.ConsensusReactor().SwitchToConsensus(state, caughtUp)
	return true
}

// caughtUp tells whether consensus can begin. It can at any time, but is slow at fetching many blocks: so enough members are heard first.
func (c *catchUp) caughtUp(height int64, progress time.Time) bool {
	others, enough := c.node.others()
	if others < enough && !c.node.vote.abstains(height) {
		return true // without this member no block was made
	}
	heard, since := c.sources.heard(c.node)
	if self := c.node.validator(c.node.config.Member); since.IsZero() || (heard+self < enough && time.Since(since) < company) {
		return false
	}
	return height >= c.sources.goal()-1 || time.Since(progress) > standstill
}

// apply verifies and executes the block after state, if it and the one after it are here.
func (c *catchUp) apply(state sm.State) (sm.State, error) {
	height := state.LastBlockHeight + 1
	block, after := c.sources.pair(height)
	if block == nil || after == nil {
		return state, nil
	}
	parts, err := block.MakePartSet(types.BlockPartSizeBytes)
	if err != nil {
		return state, err
	}
	id := types.BlockID{Hash: block.Hash(), PartSetHeader: parts.Header()}
	err = state.Validators.VerifyCommit(state.ChainID, id, height, after.LastCommit)
	if err == nil {
		err = c.exec.ValidateBlock(state, block)
	}
	if err != nil {
		c.node.config.Log.Warn("a member sent a block that doesn't verify", "height", height, "err", err)
		c.sources.reject(height)
		return state, nil
	}
	// A crash before this write: the block is fetched again. After it: the engine executes the block when it starts.
	c.blocks.SaveBlock(block, parts, after.LastCommit)
	if state, err = c.exec.ApplyVerifiedBlock(state, id, block); err != nil {
		return state, err
	}
	c.sources.done(height)
	return state, nil
}

// request asks members for the blocks from height on.
func (c *catchUp) request(height int64) {
	for _, r := range c.sources.requests(height) {
		r.from.TrySend(syncMessage(&blocksync.BlockRequest{Height: r.height}))
	}
}

// wait waits for news from a member, or until something may be late. It returns false when the node stops.
func (c *catchUp) wait() bool {
	select {
	case <-c.sources.news:
	case <-c.tick.C:
		if time.Since(c.asked) >= askEvery {
			c.asked = time.Now()
			c.askHeights()
		}
	case <-c.stop:
	}
	return !c.stopping()
}

// askHeights asks all members how far they are, and lets go of connections on which nothing comes any more: their member may have been
// cut off, or lost power, and could not connect anew while the old connection seems to stand, which the engine believes for 105 s.
func (c *catchUp) askHeights() {
	for _, p := range c.Switch.Peers().Copy() {
		if s := p.Status(); s.Duration > dead && s.RecvMonitor.Idle > dead {
			c.Switch.StopPeerForError(p, errDead)
			continue
		}
		p.TrySend(syncMessage(&blocksync.StatusRequest{}))
	}
}

func (c *catchUp) stopping() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}
