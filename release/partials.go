package release

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"vitalog/consent"
	"vitalog/envelope"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/wire"
)

// group has this holder's partials of one generation.
type group struct {
	gen, set uint32
	given    []Given
}

// task is one record to release: its identity is made of committed state alone.
type task struct {
	number uint64
	gen    uint32
	id     wire.Hash
}

// tasks lists the records that are wanted, that the access names and that are not erased, by generation and entry. Generations of which this
// holder has no share are left to the others.
func (s *Service) tasks(a *access, wanted []uint64) ([]task, error) {
	var tasks []task
	erased, absent := 0, 0
	for _, x := range a.says.Ranges {
		err := s.chain.Ledger().Entries(a.Log, x.From, x.To, func(e *op.Entry) error {
			r, record := e.Says.(*op.Recorded)
			_, asked := slices.BinarySearch(wanted, e.Number)
			switch {
			case !record || !asked:
			case a.blocked(e.Number):
				erased++
			case !s.ring.HasShare(r.NetGen):
				absent++
			default:
				tasks = append(tasks, task{e.Number, r.NetGen, envelope.ReleaseID(s.network, r.NetGen, a.Log, e.Signer, r.ID)})
			}
			return nil
		})
		if err != nil {
			s.Log.Error("reading records", "err", err)
			return nil, peer.Errorf(peer.Unavailable, "the ledger could not be read")
		}
	}
	switch {
	case len(tasks) == 0 && absent > 0:
		return nil, peer.Errorf(peer.Unavailable, "this member has no share of the key")
	case len(tasks) == 0 && erased > 0:
		return nil, peer.Errorf(peer.Denied, "no longer allowed: %v", consent.Erased)
	case len(tasks) == 0:
		return nil, peer.Errorf(peer.Denied, "the access names none of the records that are wanted")
	}
	slices.SortStableFunc(tasks, func(x, y task) int { return cmp.Compare(x.gen, y.gen) })
	return tasks, nil
}

// partials computes this holder's part for every task.
func (s *Service) partials(ctx context.Context, tasks []task) ([]group, error) {
	given, sets := make([]Given, len(tasks)), make([]uint32, len(tasks))
	err := parallel(ctx, len(tasks), func(i int) error {
		t := &tasks[i]
		part, set, err := s.ring.Partial(t.gen, t.id)
		given[i], sets[i] = Given{Number: t.number, Part: part.P}, set
		return err
	})
	if ctx.Err() != nil {
		return nil, peer.Errorf(peer.Unavailable, "the caller went away") // it has enough from others
	}
	if err != nil {
		s.Log.Error("computing partials", "err", err)
		return nil, peer.Errorf(peer.Unavailable, "this member has no usable share")
	}
	var groups []group
	for i := range tasks {
		if len(groups) == 0 || groups[len(groups)-1].gen != tasks[i].gen {
			groups = append(groups, group{gen: tasks[i].gen, set: sets[i]})
		}
		g := &groups[len(groups)-1]
		if sets[i] != g.set {
			return nil, peer.Errorf(peer.Later, "the shares are being replaced")
		}
		g.given = append(g.given, given[i])
	}
	return groups, nil
}

// parallel calls do for 0 to n-1 on all cores and returns the first error.
func parallel(ctx context.Context, n int, do func(i int) error) error {
	if n == 1 { // most often: one record is read
		if err := ctx.Err(); err != nil {
			return err
		}
		return do(0)
	}
	workers := min(n, runtime.GOMAXPROCS(0))
	g, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n; i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
