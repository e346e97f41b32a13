package exchange_test

import (
	"context"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/node"
)

// The first attempt leaves its records sealed to a reader key that is no longer the log's when the second one comes.
func TestAPublicationThatBrokeOffBeforeARotationIsCompletedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts a network")
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 2, 0)}
	r := w.newReader(t, ctx, 1, 1)
	once, drafts := exchange.Once{Key: "the same", At: uint64(time.Now().UnixMilli())}, []exchange.Draft{w.pulse(t)}
	publish := func(ctx context.Context) (exchange.Published, error) {
		out, err := w.Nodes[0].Member.PublishOnce(ctx, asker("TREAT"), once, r.chart, drafts)
		if err != nil {
			return exchange.Published{}, err
		}
		return out[0], nil
	}
	w.Stop(t, 1)
	short, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	if at, err := publish(short); err == nil {
		t.Fatalf("without a quorum it stands at %+v", at)
	}
	w.Stop(t, 0) // what it had submitted is gone
	w.Restart(t, 1, node.Options{})
	w.Restart(t, 0, node.Options{})
	w.WaitReady(t)
	var err error
	if r.owner, err = w.Nodes[0].Member.Custody(r.chart); err != nil {
		t.Fatal(err)
	}
	before, err := r.owner.Sharing(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if stopped, err := r.owner.Stop(ctx, func(g exchange.Shared) bool { return g.Member == 1 }); err != nil || len(stopped) != 1 || len(before) < 2 {
		t.Fatalf("stopped %d of %d, %v", len(stopped), len(before), err)
	}
	r.settle(t, ctx)
	at, err := publish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := w.Nodes[0].Chain.Ledger().Head(at.Log); err != nil || h.Epoch < 2 {
		t.Errorf("epoch %d, %v: nothing was rotated", h.Epoch, err)
	}
	if again, err := publish(ctx); err != nil || again.Log != at.Log || again.Entry != at.Entry {
		t.Errorf("published again it stands at %+v, %v, not at %+v", again, err, at)
	}
	r.member = 0
	if opened, _ := r.mustOpen(t, ctx, "Okafor"); opened.Chart.Len() != 2 || opened.Rows[0].Records != 2 {
		t.Errorf("%d resources in %d records, want 2 in 2", opened.Chart.Len(), opened.Rows[0].Records)
	}
}
