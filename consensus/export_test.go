package consensus

import (
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
)

// Arrive hands a transaction to the mempool as a peer does; checked is told the app's code.
func (n *Node) Arrive(tx []byte, checked func(code uint32)) error {
	return n.engine.Mempool().CheckTx(tx, func(r *abci.ResponseCheckTx) { checked(r.Code) }, mempool.TxInfo{SenderID: 1})
}
