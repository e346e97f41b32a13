package node

import (
	"context"
	"time"

	"vitalog/directory"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/wire"
)

const (
	directoryRoute  = "directory"
	directoryEvery  = time.Second      // how often other members are asked for what is new
	directoryTime   = 10 * time.Second // that one member may take of it before the next is asked
	directoryAtOnce = 500
	maxItem         = 80 << 20 // bytes of one directory resource
)

// syncDirectory asks the other members for directory entries that are new. A member that doesn't answer is asked again next time.
//
// A member that holds none of its own may have lost its store: it asks the others for its own too, and adds none before as many have
// answered as make a quorum with it. Else it would give a number twice.
func (n *Node) syncDirectory(ctx context.Context) error {
	tick := time.NewTicker(directoryEvery)
	defer tick.Stop()
	answered := map[int]bool{n.Number: true}
	for {
		for other := range n.Genesis.Members {
			if other == n.Number {
				continue
			}
			err := n.pullDirectory(ctx, other, other)
			if err == nil {
				n.Member.Answers(other)
			}
			if err == nil && !n.Directory.Complete() {
				if err = n.pullDirectory(ctx, other, n.Number); err == nil {
					if answered[other] = true; len(answered) >= op.Threshold(len(n.Genesis.Members)) {
						n.Directory.Done()
					}
				}
			}
			if err != nil && ctx.Err() == nil && peer.KindOf(err) != peer.Unavailable {
				n.log.Warn("directory", "from", other, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// pullDirectory takes from another member what a member, most often the same, has published.
func (n *Node) pullDirectory(ctx context.Context, from, member int) error {
	ctx, cancel := context.WithTimeout(ctx, directoryTime)
	defer cancel()
	for {
		have := n.Directory.Heads()[member]
		var w wire.Writer
		w.U16(uint16(member))
		w.U64(have)
		reply, err := n.peers.Call(ctx, from, directoryRoute, w.Done())
		if err != nil {
			return err
		}
		items, err := decodeItems(reply)
		if err != nil || len(items) == 0 {
			return err
		}
		if err := n.Directory.Accept(items); err != nil {
			return err
		}
		if n.Directory.Heads()[member] == have {
			return peer.Errorf(peer.Invalid, "%d items after number %d, none of them new", len(items), have)
		}
	}
}

// serveDirectory answers with a member's entries after a number.
func (n *Node) serveDirectory(_ context.Context, _ int, body []byte) ([]byte, error) {
	r := wire.NewReader(body)
	member, after := int(r.U16()), r.U64()
	if err := r.End(); err != nil {
		return nil, peer.Errorf(peer.Invalid, "%v", err)
	}
	if member >= len(n.Genesis.Members) {
		return nil, peer.Errorf(peer.Invalid, "there is no member %d", member)
	}
	items, err := n.Directory.Since(member, after, directoryAtOnce)
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U32(uint32(len(items)))
	for _, i := range items {
		w.Bytes(i.Encode())
	}
	return w.Done(), nil
}

func decodeItems(b []byte) ([]*directory.Item, error) {
	r := wire.NewReader(b)
	items := make([]*directory.Item, 0, directoryAtOnce)
	for range r.Count(directoryAtOnce, 4) {
		raw := r.Bytes(maxItem)
		if r.Err() != nil {
			break
		}
		i, err := directory.DecodeItem(raw)
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, r.End()
}
