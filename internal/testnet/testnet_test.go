package testnet_test

import (
	"testing"

	"vitalog/internal/testnet"
)

func TestFourMembersMakeANetworkKeyThatNobodyHolds(t *testing.T) {
	n := testnet.Start(t, 4, 1)
	k := n.Nodes[0].Chain.Ledger().NetworkKey(0)
	if k.K != 3 || len(k.Holders) != 4 {
		t.Errorf("the key needs %d of %d shares, want 3 of 4", k.K, len(k.Holders))
	}
	for i, m := range n.Nodes {
		if got := m.Chain.Ledger().NetworkKey(0).Public(); got != k.Public() {
			t.Errorf("member %d sees another network key", i)
		}
	}
}
