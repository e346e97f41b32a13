package exchange_test

import (
	"context"
	"testing"

	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/wire"
)

func TestWhatOnlyAMemberHasThatWasAwayComesAsSoonAsItIsBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := &world{Net: testnet.Start(t, 4, 0)}
	blob := w.record(t, w.chart(t, ctx, w.pulse(t))[0]).Blob
	has := func(what string, members ...*node.Node) {
		for _, n := range members {
			eventually(t, ctx, what, func() (bool, error) { missing, err := n.Member.Missing(); return missing == 0, err })
			if has, err := n.Store.Has(blob); !has || err != nil {
				t.Errorf("%s: member %d doesn't have it: %v", what, n.Number, err)
			}
		}
	}
	has("all have it", w.Nodes...)
	w.Stop(t, 3)
	for _, n := range w.Nodes[:3] {
		if err := n.Store.Delete(blob); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range w.Nodes[:3] {
		if err := n.Member.Lost([]wire.Hash{blob}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range w.Nodes[:3] { // it is asked for again in five minutes
		eventually(t, ctx, "it is asked for in vain", func() (bool, error) { return n.Member.AskedInVain(blob) })
	}
	w.Restart(t, 3, node.Options{})
	w.WaitReady(t)
	has("they have it again", w.Nodes[:3]...)
}
