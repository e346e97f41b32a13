package consensus_test

import (
	stded25519 "crypto/ed25519"
	"net"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/protoio"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/conn"
	pb "github.com/cometbft/cometbft/proto/tendermint/p2p"
	"github.com/cometbft/cometbft/version"
)

func TestOnlyMembersOfTheGenesisAreTalkedTo(t *testing.T) {
	n := newNetwork(t, 1, 1)
	n.start(0)
	for _, x := range []struct {
		name string
		seed [32]byte
		want bool
	}{{"a member", seed(name(1, "node")), true}, {"a stranger", seed("stranger"), false}, {"a member's vote key", seed(name(1, "vote")), false}} {
		if got := talksTo(t, n, x.seed); got != x.want {
			t.Errorf("%s: talked to: %v, want %v", x.name, got, x.want)
		}
	}
}

// talksTo connects to member 0 as the engine does, and tells whether it says anything after the introductions.
func talksTo(t *testing.T, n *network, seed [32]byte) bool {
	t.Helper()
	key := ed25519.PrivKey(stded25519.NewKeyFromSeed(seed[:]))
	c, err := net.Dial("tcp", n.genesis.Members[0].Peer)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	s, err := conn.MakeSecretConnection(c, key)
	if err != nil {
		t.Fatal(err)
	}
	me := p2p.DefaultNodeInfo{ProtocolVersion: p2p.NewProtocolVersion(version.P2PProtocol, version.BlockProtocol, 1), DefaultNodeID: p2p.PubKeyToID(key.PubKey()),
		ListenAddr: "127.0.0.1:1", Network: n.genesis.ChainID(), Version: version.TMCoreSemVer, Channels: []byte{0x20, 0x21, 0x22, 0x23, 0x30, 0x38, 0x40}, Moniker: "test",
		Other: p2p.DefaultNodeInfoOther{TxIndex: "off"}}
	go protoio.NewDelimitedWriter(s).WriteMsg(me.ToProto())
	var other pb.DefaultNodeInfo
	if _, err := protoio.NewDelimitedReader(s, p2p.MaxNodeInfoSize()).ReadMsg(&other); err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(make([]byte, 1024))
	return err == nil
}
