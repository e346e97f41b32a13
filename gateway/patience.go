package gateway

import (
	"context"
	"fmt"
	"time"

	"vitalog/consensus"
)

// A network that agrees on nothing for patience is taken for one without a quorum. It is less than the ten seconds within which people
// must see it, and many rounds of voting. What takes long but moves on, such as a large import, is not disturbed.
const (
	patience = 8 * time.Second
	glance   = 500 * time.Millisecond // between looks at the network while a request waits
)

// patiently ends a request's context when the network has come to a halt.
func (g *gateway) patiently(ctx context.Context) (waiting context.Context, done func()) {
	if g.Stalled == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	look := make(chan *time.Timer, 1) // the function may run before AfterFunc returns
	look <- time.AfterFunc(glance, func() {
		t := <-look
		defer func() { look <- t }()
		if halted := g.Stalled(); halted > patience {
			cancel(fmt.Errorf("%w: nothing was agreed on for %v", consensus.ErrNoQuorum, halted.Round(time.Second)))
		} else if ctx.Err() == nil {
			t.Reset(glance)
		}
	})
	return ctx, func() {
		cancel(nil)
		t := <-look
		t.Stop()
		look <- t
	}
}
