package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"vitalog/peer"
	"vitalog/wire"
)

// Limits of what members ask of each other.
const (
	maxAsked  = 512                    // hashes or headers in one request
	maxReply  = 4 << 20                // bytes of one reply; what is larger is asked for in parts
	maxBlob   = 96 << 20               // bytes of a ciphertext that is held in memory: maxContent, padded
	maxSealed = 5 << 30                // bytes of any ciphertext: chart.MaxAttachment, padded
	askTime   = 5 * time.Second        // of one request; a member that is silent for longer is given up
	partTime  = 15 * time.Second       // of one part of a large ciphertext
	askHedge  = 150 * time.Millisecond // after which the next member is asked as well
)

// inTurn asks the other members, beginning after this one: the next whenever one has failed, has left something to be asked, or is slow. It
// ends when ask says that nothing is left, when all were asked, or with ctx. A member that is absent costs askHedge, one that hangs at
// most askTime. ask is called by several goroutines at once; none is left when inTurn returns. The errors are of those that failed.
func (m *Member) inTurn(ctx context.Context, skip map[int]bool, ask func(ctx context.Context, member int) (done bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	type answer struct {
		done bool
		err  error
	}
	var others []int
	for i := 1; i < len(m.genesis.Members); i++ {
		if other := (m.number + i) % len(m.genesis.Members); !skip[other] {
			others = append(others, other)
		}
	}
	answers := make(chan answer, len(others))
	slow := time.NewTicker(askHedge)
	defer slow.Stop()
	var failed []error
	under := 0 // way
	for next := true; under > 0 || len(others) > 0; {
		if next && len(others) > 0 {
			other := others[0]
			others = others[1:]
			under++
			asking.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, askTime)
				defer cancel()
				done, err := ask(ctx, other)
				if peer.KindOf(err) == peer.Unavailable {
					m.mu.Lock()
					m.silent[other] = true
					m.mu.Unlock()
				}
				if err != nil {
					err = fmt.Errorf("member %d: %w", other, err)
				}
				answers <- answer{done, err}
			})
		}
		select {
		case a := <-answers:
			if a.done {
				return nil
			}
			if a.err != nil {
				failed = append(failed, a.err)
			}
			under--
			next = true
		case <-slow.C:
			next = true
		case <-ctx.Done():
			return errors.Join(append(failed, ctx.Err())...)
		}
	}
	return errors.Join(failed...)
}

func encodeHashes(hashes []wire.Hash) []byte {
	var w wire.Writer
	w.U32(uint32(len(hashes)))
	for i := range hashes {
		w.Fixed(hashes[i][:])
	}
	return w.Done()
}

func decodeHashes(b []byte) ([]wire.Hash, error) {
	r := wire.NewReader(b)
	out := make([]wire.Hash, r.Count(maxAsked, 32))
	for i := range out {
		r.Fixed(out[i][:])
	}
	return out, r.End()
}
