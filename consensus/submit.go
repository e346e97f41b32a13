package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
)

// Submit has ops executed and returns one result for each, when its block is durable here: a refusal by the ledger is a result, an error
// means that the outcome is not known: ErrNoQuorum, ErrStopped, or that ctx ended. Submitting an operation again is harmless: one that
// was executed gives the result that it had, or Replayed when that is forgotten.
//
// Operations of one call for one log are executed in their order. Those for different logs never share a transaction, because whoever
// sees them together would know that the logs belong together; they travel with the operations of other callers.
func (n *Node) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	if err := n.WaitReady(ctx); err != nil {
		return nil, err
	}
	results := make([]ledger.Result, len(ops))
	for _, round := range rounds(ops) {
		if err := n.submit(ctx, ops, round, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// rounds cuts ops, by index, so that in each round the operations of one log fit into one transaction. Nearly always there is one.
func rounds(ops []*op.Operation) [][]int {
	type fill struct{ round, ops, bytes int }
	var out [][]int
	fills := map[key.Log]*fill{}
	for i, o := range ops {
		f := fills[o.Log]
		if f == nil {
			f = &fill{}
			fills[o.Log] = f
		}
		if f.ops++; f.ops > op.MaxOperations || f.bytes+opSize(o) > maxFill {
			*f = fill{round: f.round + 1, ops: 1}
		}
		f.bytes += opSize(o)
		if f.round == len(out) {
			out = append(out, nil)
		}
		out[f.round] = append(out[f.round], i)
	}
	return out
}

// submit has the operations at the indexes executed, at most one transaction for each log, and fills in their results.
func (n *Node) submit(ctx context.Context, ops []*op.Operation, at []int, results []ledger.Result) error {
	begun := time.Now()
	answers := make([]chan answer, len(at))
	call := &call{}
	parcels := map[key.Log]*parcel{}
	for i, j := range at {
		o := ops[j]
		c, first := n.waiting.join(o.ID())
		answers[i] = c
		defer n.waiting.leave(o.ID(), c)
		if !first {
			continue // executed, or on its way for another caller
		}
		p := parcels[o.Log]
		if p == nil {
			// What follows on it in the same call is judged when it is executed, after it.
			if err := n.Ledger().Check(o); err != nil {
				n.waiting.answer(o.ID(), refusal(o, err))
				continue
			}
			p = &parcel{call: call}
			parcels[o.Log] = p
		}
		p.ops = append(p.ops, o)
	}
	n.queue.add(parcels)
	for i, j := range at {
		select {
		case a := <-answers[i]:
			if a.err != nil {
				return fmt.Errorf("consensus: operation %v: %w", ops[j].ID(), a.err)
			}
			results[j] = a.result
		case <-n.closing:
			return n.stopped()
		case <-ctx.Done():
			return n.unanswered(ctx, begun)
		}
	}
	return nil
}

// refusal is what the ledger's check says, as an answer.
func refusal(o *op.Operation, err error) answer {
	r := ledger.Result{Log: o.Log}
	if !errors.As(err, &r.Code) {
		return answer{err: err} // the store failed
	}
	if err.Error() != r.Code.Error() {
		r.Detail = err.Error()
	}
	return answer{result: r}
}

// patience is how long no block may be agreed on before a member says that there is no quorum: a few rounds.
const patience = 2 * time.Second

// unanswered tells why a caller's time was over.
func (n *Node) unanswered(ctx context.Context, begun time.Time) error {
	s := n.Status()
	waited := time.Since(begun)
	if s.Reachable >= op.Threshold(s.Validators) && (waited < patience || n.app.lastCommit().After(begun)) {
		return fmt.Errorf("consensus: no result within %v: %w", waited.Round(time.Millisecond), ctx.Err())
	}
	return fmt.Errorf("consensus: %w: no block within %v, %d of %d validators are connected: %w", ErrNoQuorum,
		waited.Round(time.Millisecond), s.Reachable, s.Validators, ctx.Err())
}
