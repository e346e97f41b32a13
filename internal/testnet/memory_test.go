package testnet_test

import (
	"runtime"
	"testing"
	"time"

	"vitalog/internal/testnet"
)

func TestAStoppedMemberLeavesItsMemory(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	given := make(chan string)
	give := func(what string) { given <- what }
	runtime.AddCleanup(net.Nodes[0].Member, give, "member")
	runtime.AddCleanup(net.Nodes[0].Chain, give, "chain")
	runtime.AddCleanup(net.Nodes[0].Chain.Ledger(), give, "ledger")
	held := map[string]bool{"member": true, "chain": true, "ledger": true}
	net.Stop(t, 0)
	late := time.After(time.Minute)
	for len(held) > 0 {
		runtime.GC()
		select {
		case what := <-given:
			delete(held, what)
		case <-time.After(10 * time.Millisecond):
		case <-late:
			t.Fatalf("something still holds %v", held)
		}
	}
}
