package bench

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// errSpent ends a measurement before its time: there is nothing left to measure with.
var errSpent = errors.New("spent")

// atLeast is how often something is measured, however long it takes.
const atLeast = 10

// timed repeats f for the span, or until it is spent, and returns how long each took, sorted.
func (b *network) timed(f func() error) ([]time.Duration, error) {
	var out []time.Duration
	for began := time.Now(); time.Since(began) < b.span || len(out) < atLeast; {
		one := time.Now()
		if err := f(); errors.Is(err, errSpent) && len(out) > 0 {
			break
		} else if err != nil {
			return nil, err
		}
		out = append(out, time.Since(one))
	}
	slices.Sort(out)
	return out, nil
}

// milliseconds is a percentile of durations, sorted.
func milliseconds(d []time.Duration, percent int) float64 {
	if len(d) == 0 {
		return 0
	}
	return float64(d[min(len(d)-1, len(d)*percent/100)].Microseconds()) / 1000
}

// rate repeats f by so many at the same time for the span, or until it is spent, and returns how often a second.
func (b *network) rate(ctx context.Context, atOnce int, f func(ctx context.Context, n uint64) error) (float64, error) {
	var n, done atomic.Uint64
	g, gctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range atOnce {
		g.Go(func() error {
			for first := true; first || time.Since(began) < b.span; first = false {
				if err := f(gctx, n.Add(1)); errors.Is(err, errSpent) {
					return nil
				} else if err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), err
}
