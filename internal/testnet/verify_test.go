package testnet_test

import (
	"errors"
	"testing"

	"vitalog/consensus"
	"vitalog/exchange"
	"vitalog/internal/testnet"
)

func TestAVerificationWithoutAQuorumLooksAtEverythingAndSaysSo(t *testing.T) {
	n := testnet.Start(t, 4, 0)
	ctx := limit(t)
	m := n.Nodes[0]
	write(t, ctx, m, enrol(t, ctx, m), "a")
	for i := 1; i < 4; i++ {
		n.Stop(t, i)
	}
	checked, err := m.Member.Verify(ctx, exchange.Verification{All: true}, func(d exchange.Damage) error {
		t.Errorf("damage: %+v", d)
		return nil
	}, func(exchange.Checked) error { return nil })
	switch {
	case checked.Blobs == 0 || checked.Notes == 0:
		t.Errorf("it looked at %+v", checked)
	case checked.Signed == 0 && !errors.Is(err, consensus.ErrNoQuorum):
		t.Errorf("the newest state is not signed, and it says %v, want ErrNoQuorum", err)
	case checked.Signed > 0 && err != nil: // its proof block was made before the others were gone
		t.Errorf("%d signed the newest state, and it says %v", checked.Signed, err)
	}
}
