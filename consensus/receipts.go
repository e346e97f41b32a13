package consensus

import (
	"context"
	"fmt"

	"github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"vitalog/key"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/wire"
)

// Receipt proves an entry that is committed here. The hash of a state stands in the header of the next block, so for an entry of the
// newest block it waits for the proof block, a few milliseconds.
func (n *Node) Receipt(ctx context.Context, log key.Log, number uint64) (*receipt.Receipt, error) {
	next := n.app.next()
	p, err := n.Ledger().Prove(log, number)
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	for {
		var x *receipt.Receipt
		if !n.blocks(func(s *store.BlockStore) { x, err = complete(p, s) }) {
			return nil, n.stopped()
		}
		if err != nil {
			return nil, fmt.Errorf("consensus: receipt of entry %d of %v: %w", number, log, err)
		}
		if x != nil {
			x.Log, x.Number = log, number
			return x, nil
		}
		if err := n.waitNext(ctx, next); err != nil {
			return nil, fmt.Errorf("consensus: receipt of entry %d of %v: %w", number, log, err)
		}
		next = n.app.next()
	}
}

// complete adds to a proof the header that holds its state's hash, and the votes for that. It is nil if there is none yet.
func complete(p *op.Proof, s *store.BlockStore) (*receipt.Receipt, error) {
	want := p.State.Hash()
	// The next header; or the proof's own, if its block changed nothing.
	for _, height := range []uint64{p.Height + 1, p.Height} {
		m := s.LoadBlockMeta(int64(height))
		if m == nil || asHash(m.Header.AppHash) != want {
			continue
		}
		c := s.LoadSeenCommit(int64(height))
		if c == nil {
			c = s.LoadBlockCommit(int64(height))
		}
		if c == nil {
			continue
		}
		x := &receipt.Receipt{Proof: *p, Commit: commitOf(c)}
		x.Proof.Height = height - 1 // the state was the same
		var err error
		x.Header, err = headerOf(&m.Header)
		return x, err
	}
	return nil, nil
}

func headerOf(h *types.Header) (receipt.Header, error) {
	out := receipt.Header{BlockVersion: h.Version.Block, AppVersion: h.Version.App, Height: uint64(h.Height), Time: h.Time.UTC()}
	for _, f := range []struct {
		dst, src []byte
	}{{out.LastCommit[:], h.LastCommitHash}, {out.Data[:], h.DataHash}, {out.Validators[:], h.ValidatorsHash},
		{out.NextValidators[:], h.NextValidatorsHash}, {out.Params[:], h.ConsensusHash}, {out.App[:], h.AppHash},
		{out.LastResults[:], h.LastResultsHash}, {out.Evidence[:], h.EvidenceHash}, {out.Proposer[:], h.ProposerAddress}} {
		if copy(f.dst, f.src) != len(f.dst) || len(f.src) != len(f.dst) {
			return out, fmt.Errorf("header %d has a hash of %d bytes, want %d", h.Height, len(f.src), len(f.dst))
		}
	}
	out.Last = receipt.BlockID{Hash: asHash(h.LastBlockID.Hash), Parts: partsOf(h.LastBlockID.PartSetHeader)}
	return out, nil
}

func partsOf(p types.PartSetHeader) receipt.Parts {
	return receipt.Parts{Total: p.Total, Hash: wire.Hash(asHash(p.Hash))}
}

func commitOf(c *types.Commit) receipt.Commit {
	out := receipt.Commit{Round: uint32(c.Round), Parts: partsOf(c.BlockID.PartSetHeader), Votes: make([]receipt.Vote, len(c.Signatures))}
	for i, s := range c.Signatures {
		if s.BlockIDFlag == types.BlockIDFlagCommit {
			v := &out.Votes[i]
			v.Cast, v.Time = true, s.Timestamp.UTC()
			copy(v.Sig[:], s.Signature)
		}
	}
	return out
}
