package consensus

import (
	"context"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/service"

	"vitalog/ledger"
)

// clients connects the engine to the app in the same process, without the lock that the engine's own local client has: the app is safe
// for concurrent use.
type clients struct{ app *app }

func (c clients) NewABCIClient() (abcicli.Client, error) {
	out := &client{app: c.app}
	out.arrivals.changed.L = &out.arrivals.mu
	out.BaseService = *service.NewBaseService(nil, "app", out)
	return out, nil
}

type client struct {
	service.BaseService
	*app
	checked  abcicli.Callback
	arrivals arrivals
}

func (c *client) SetResponseCallback(f abcicli.Callback) { c.checked = f }
func (c *client) Error() error                           { return nil }
func (c *client) Echo(_ context.Context, m string) (*abci.ResponseEcho, error) {
	return &abci.ResponseEcho{Message: m}, nil
}

// Flush waits until no transaction is being checked. The mempool, which lets none in meanwhile, asks for it before each commit.
func (c *client) Flush(context.Context) error {
	c.arrivals.wait()
	return nil
}

// CheckTxAsync checks a transaction that is known before it returns: the mempool has those of this member's own callers then. One that
// came from a peer is checked together with all that come while others are checked.
func (c *client) CheckTxAsync(_ context.Context, r *abci.RequestCheckTx) (*abcicli.ReqRes, error) {
	out := abcicli.NewReqRes(abci.ToRequestCheckTx(r))
	if c.txs.has(r.Tx) {
		c.answer(out, ledger.OK)
	} else if c.arrivals.add(out) {
		go c.checkArrivals()
	}
	return out, nil
}

func (c *client) answer(r *abcicli.ReqRes, code ledger.Code) {
	r.Response = abci.ToResponseCheckTx(&abci.ResponseCheckTx{Code: uint32(code)})
	if c.checked != nil {
		c.checked(r.Request, r.Response)
	}
	r.InvokeCallback()
}

// checkArrivals ends when there are none left.
func (c *client) checkArrivals() {
	for {
		batch := c.arrivals.take()
		if batch == nil {
			return
		}
		raw := make([][]byte, len(batch))
		for i, r := range batch {
			raw[i] = r.Request.GetCheckTx().Tx
		}
		for i, code := range c.checkTxs(raw) {
			c.answer(batch[i], code)
		}
	}
}
