package consensus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	engine "github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/crypto/ed25519"
	comet "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/types"

	"vitalog/key"
	"vitalog/op"
	"vitalog/receipt"
)

// Limits of the engine.
const (
	maxBlock   = 4 << 20 // bytes
	poolTxs    = 50_000  // transactions that wait for a block
	poolBytes  = 256 << 20
	packet     = 64 << 10 // bytes of a peer-to-peer packet
	peerRate   = 64 << 20 // bytes per second and peer
	appVersion = op.Version
)

// startEngine replays what the ledger lacks and starts the engine.
func (n *Node) startEngine(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil { // the engine panics when its store and the ledger don't fit together
			err = fmt.Errorf("starting the engine: %v", r)
		}
	}()
	if n.vote, err = n.openVoter(); err != nil {
		return err
	}
	c := n.engineConfig()
	genesis := func() (*types.GenesisDoc, error) { return engineGenesis(n.config.Genesis) }
	open := func(x *cfg.DBContext) (dbm.DB, error) { return n.database(x.ID), nil }
	fetching := func(e *comet.Node) {
		comet.CustomReactors(map[string]p2p.Reactor{"BLOCKSYNC": newCatchUp(n, e)})(e)
	}
	node := &p2p.NodeKey{PrivKey: signer{n.config.Node}}
	e, err := comet.NewNodeWithContext(ctx, c, n.vote, node, clients{n.app}, genesis, open,
		comet.DefaultMetricsProvider(c.Instrumentation), logger{log: n.config.Log, node: n}, fetching)
	if err != nil {
		return fmt.Errorf("starting the engine: %w", err)
	}
	n.engine = e
	if err := n.markHeight(e.BlockStore().Height()); err != nil {
		return fmt.Errorf("the engine's log: %w", err)
	}
	if err := e.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting the engine: %w", err), n.failure.get())
	}
	close(n.started)
	n.dial()
	return nil
}

// engineConfig is tuned for members that are few and known, and for operations that wait for their block.
func (n *Node) engineConfig() *cfg.Config {
	c := cfg.DefaultConfig()
	c.SetRoot(n.config.Dir)
	c.Moniker = fmt.Sprint("member ", n.config.Member)
	c.FilterPeers = true // app.Query lets in whom the genesis names
	c.RPC.ListenAddress = ""
	c.TxIndex.Indexer = "null"
	c.Storage.DiscardABCIResponses = true

	c.P2P.ListenAddress = "tcp://" + n.config.Listen
	c.P2P.ExternalAddress = n.config.Genesis.Members[n.config.Member].Peer
	c.P2P.PersistentPeers = strings.Join(n.peers(), ",")
	c.P2P.AddrBook = "peers.json"
	c.P2P.AddrBookStrict = false
	c.P2P.AllowDuplicateIP = true // several members behind one address, or on one machine
	c.P2P.PexReactor = false
	c.P2P.MaxNumInboundPeers, c.P2P.MaxNumOutboundPeers = op.MaxMembers, op.MaxMembers
	c.P2P.PersistentPeersMaxDialPeriod = 5 * time.Second
	c.P2P.FlushThrottleTimeout = time.Millisecond
	c.P2P.MaxPacketMsgPayloadSize = packet
	c.P2P.SendRate, c.P2P.RecvRate = peerRate, peerRate

	c.Mempool.Type = cfg.MempoolTypeFlood
	c.Mempool.Recheck = false // what became void in the meantime is refused when it is executed
	c.Mempool.Size, c.Mempool.CacheSize = poolTxs, 2*poolTxs
	c.Mempool.MaxTxsBytes, c.Mempool.MaxTxBytes = poolBytes, op.MaxTx

	c.BlockSync.AdaptiveSync = false
	c.Consensus.SetWalFile(n.walFile())
	c.Consensus.TimeoutPropose, c.Consensus.TimeoutProposeDelta = 500*time.Millisecond, 100*time.Millisecond
	c.Consensus.TimeoutPrevote, c.Consensus.TimeoutPrevoteDelta = 200*time.Millisecond, 100*time.Millisecond
	c.Consensus.TimeoutPrecommit, c.Consensus.TimeoutPrecommitDelta = 200*time.Millisecond, 100*time.Millisecond
	c.Consensus.TimeoutCommit = 0
	c.Consensus.CreateEmptyBlocks = false
	c.Consensus.PeerGossipSleepDuration = time.Millisecond
	return c
}

// markHeight notes in the engine's log, before consensus begins, that the block of a height is applied, if that isn't there: because a
// crash came between block and note, or because the block was fetched. Without the note the engine would not find what it voted on the next
// height when it crashes again, could not repeat it, and would not vote on that height any more: which ends a network of few.
func (n *Node) markHeight(height int64) error {
	w, err := engine.NewWAL(n.walFile())
	if err != nil {
		return err
	}
	w.SetLogger(logger{log: n.config.Log, node: n})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Wait()
	r, found, err := w.SearchForEndHeight(height, &engine.WALSearchOptions{IgnoreDataCorruptionErrors: true})
	if r != nil {
		err = errors.Join(err, r.Close())
	}
	if err == nil && !found {
		err = w.WriteSync(engine.EndHeightMessage{Height: height})
	}
	return errors.Join(err, w.Stop())
}

func (n *Node) walFile() string { return filepath.Join(n.config.Dir, "wal", "wal") }

// engineGenesis is the engine's form of the network's genesis. It holds the canonical genesis, which InitChain compares.
func engineGenesis(g *op.Genesis) (*types.GenesisDoc, error) {
	state, err := json.Marshal(g.Encode())
	if err != nil {
		return nil, err
	}
	params := types.DefaultConsensusParams()
	params.Block = types.BlockParams{MaxBytes: maxBlock, MaxGas: -1}
	params.Version.App = appVersion
	d := &types.GenesisDoc{ChainID: g.ChainID(), GenesisTime: time.UnixMilli(int64(g.Founded)).UTC(), InitialHeight: 1,
		ConsensusParams: params, AppState: state}
	for _, v := range receipt.Validators(g) {
		d.Validators = append(d.Validators, types.GenesisValidator{PubKey: ed25519.PubKey(v[:]), Power: receipt.Power})
	}
	return d, d.ValidateAndComplete()
}

// peers are the addresses of the other members that have one.
func (n *Node) peers() []string {
	var out []string
	for i := range n.config.Genesis.Members {
		if m := &n.config.Genesis.Members[i]; i != n.config.Member && m.Peer != "" {
			out = append(out, p2p.IDAddressString(peerID(m.Node), m.Peer))
		}
	}
	return out
}

func peerID(v key.Verifier) p2p.ID { return p2p.PubKeyToID(ed25519.PubKey(v[:])) }

// dial reaches for the others at once, where the engine would first wait up to 3 s. Whom it doesn't reach the engine goes on dialing.
func (n *Node) dial() {
	for _, p := range n.peers() {
		go func() {
			if a, err := p2p.NewNetAddressString(p); err == nil {
				_ = n.engine.Switch().DialPeerWithAddress(a)
			}
		}()
	}
}
