package consensus

import (
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proto/tendermint/blocksync"
	"github.com/cometbft/cometbft/types"
)

// The engine's block sync protocol, both sides: a member says how far it is when it connects and when it is asked, and sends the blocks
// that it is asked for.

func (c *catchUp) GetChannels() []*p2p.ChannelDescriptor {
	return []*p2p.ChannelDescriptor{{ID: syncChannel, Priority: 5, SendQueueCapacity: 1000, RecvBufferCapacity: 200 << 10,
		RecvMessageCapacity: types.MaxBlockSizeBytes + 1<<10, MessageType: &blocksync.Message{}}}
}

// AddPeer says how far this member is.
func (c *catchUp) AddPeer(p p2p.Peer) { p.Send(c.height()) }

func (c *catchUp) RemovePeer(p p2p.Peer, _ any) { c.sources.leave(p.ID()) }

func (c *catchUp) Receive(e p2p.Envelope) {
	switch m := e.Message.(type) {
	case *blocksync.StatusRequest:
		e.Src.TrySend(c.height())
	case *blocksync.StatusResponse:
		if 0 <= m.Base && m.Base <= m.Height {
			c.sources.report(e.Src, m.Height)
		}
	case *blocksync.BlockRequest:
		if b := c.blocks.LoadBlockProto(m.Height); b != nil {
			e.Src.TrySend(syncMessage(&blocksync.BlockResponse{Block: b}))
		} else {
			e.Src.TrySend(syncMessage(&blocksync.NoBlockResponse{Height: m.Height}))
		}
	case *blocksync.NoBlockResponse:
		c.sources.answer(e.Src.ID(), m.Height, nil)
	case *blocksync.BlockResponse:
		if m.Block != nil {
			c.sources.answer(e.Src.ID(), m.Block.Header.Height, m)
		}
	}
}

func (c *catchUp) height() p2p.Envelope {
	return syncMessage(&blocksync.StatusResponse{Base: c.blocks.Base(), Height: c.blocks.Height()})
}

func syncMessage(m p2p.Wrapper) p2p.Envelope { return p2p.Envelope{ChannelID: syncChannel, Message: m} }
