package blobstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"vitalog/kv"
	"vitalog/pack"
)

// Schedule says when a store moves what it has into its bucket, and looks after it there. Zero values are the defaults.
type Schedule struct {
	Fresh   time.Duration // how long something stays in the fresh store at most, while the cloud answers; 0: 10 minutes
	List    time.Duration // how often the bucket is compared with what is noted; 0: 5 minutes
	Expunge time.Duration // how long what was deleted stays in the bucket at most; 0: 12 hours
	Scrub   int64         // how many bytes a second are read to find rot; 0: 1 MiB
}

func (s *Schedule) complete() {
	for _, x := range []struct {
		d       *time.Duration
		usually time.Duration
	}{{&s.Fresh, 10 * time.Minute}, {&s.List, 5 * time.Minute}, {&s.Expunge, 12 * time.Hour}} {
		if *x.d == 0 {
			*x.d = x.usually
		}
	}
	if s.Scrub == 0 {
		s.Scrub = 1 << 20
	}
}

// retryAway is how long a cloud that didn't answer is left alone.
const retryAway = 10 * time.Second

// Status is what a store knows of itself and its bucket.
type Status struct {
	Fresh     int64     `json:"freshBytes"` // not yet in the bucket
	Packs     int       `json:"packs"`
	Items     int64     `json:"items"`
	Bytes     int64     `json:"packBytes"`
	Dead      int64     `json:"deadBytes"` // of these, that are not needed any more
	Tainted   int       `json:"packsToExpunge"`
	Found     Swept     `json:"listing"`
	Listed    time.Time `json:"listedAt,omitzero"`
	Scrubbed  time.Time `json:"scrubbedAt,omitzero"` // when all packs had been read once more
	Scrubbing int64     `json:"scrubbedBytes"`       // since the start
	Away      time.Time `json:"awaySince,omitzero"`  // the cloud doesn't answer
	Why       string    `json:"why,omitempty"`
}

// told is what Keep tells Status.
type told struct {
	mu    sync.Mutex
	fresh int64
	Status
	full chan struct{} // there is enough for a pack
}

// grown counts what was put.
func (s *Store) grown(batch []kv.Change) {
	n := 0
	for _, c := range batch {
		n += len(c.Value)
	}
	s.grew(int64(n))
}

func (s *Store) grew(n int64) {
	if s.cold == nil {
		return
	}
	t := &s.cold.told
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fresh += n; t.fresh >= pack.Target {
		select {
		case t.full <- struct{}{}:
		default:
		}
	}
}

// Status tells how the store stands. It asks nothing of the cloud.
func (s *Store) Status() Status {
	if s.cold == nil {
		return Status{}
	}
	t := &s.cold.told
	t.mu.Lock()
	out := t.Status
	out.Fresh = t.fresh
	t.mu.Unlock()
	for _, n := range s.cold.all() {
		out.Packs++
		out.Items += int64(n.items - n.dead)
		out.Bytes += int64(n.size)
		out.Dead += int64(n.deadBytes)
		if n.tainted > 0 {
			out.Tainted++
		}
	}
	return out
}

// Keep looks after the store and its bucket by a schedule, until ctx ends. A cloud that doesn't answer is asked again; meanwhile everything new is in the fresh store.
func (s *Store) Keep(ctx context.Context, o Schedule, log *slog.Logger) error {
	o.complete()
	if s.cold == nil {
		return s.keepAlone(ctx, o, log)
	}
	var listed, packed, expunged, scrubbed time.Time
	var debt time.Duration // that the budget of reading has been overdrawn
	for ctx.Err() == nil {
		now := time.Now()
		var err error
		switch {
		case now.Sub(listed) >= o.List:
			if err = s.list(ctx, log); err == nil {
				listed = now
			}
		case s.cold.told.freshNow() >= pack.Target || now.Sub(packed) >= o.Fresh:
			if _, err = s.Flush(ctx); err == nil {
				packed = now
			}
		case now.Sub(expunged) >= min(o.Expunge/4, time.Hour):
			if err = s.Expunge(ctx, now.Add(-o.Expunge/2)); err == nil {
				expunged = now
			}
		case now.Sub(scrubbed) >= debt:
			var n int64
			if n, err = s.Scrub(ctx); err == nil {
				scrubbed, debt = now, max(time.Duration(float64(n)/float64(o.Scrub)*float64(time.Second)), time.Second)
				s.scrubbed(n)
				if n == 0 {
					debt = time.Minute
				}
			}
		default:
			next := min(o.List-now.Sub(listed), o.Fresh-now.Sub(packed), debt-now.Sub(scrubbed))
			s.await(ctx, next)
		}
		s.answered(err, log)
		if err != nil {
			s.await(ctx, retryAway)
		}
	}
	return ctx.Err()
}

// keepAlone is Keep without a bucket.
func (s *Store) keepAlone(ctx context.Context, o Schedule, log *slog.Logger) error {
	tick := time.NewTicker(min(o.Expunge/4, time.Hour))
	defer tick.Stop()
	for {
		if err := s.Expunge(ctx, time.Now()); err != nil && ctx.Err() == nil {
			log.Warn("what was destroyed is still in files of the store", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await waits for a time, for enough to pack, or for ctx.
func (s *Store) await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.cold.told.full:
	}
}

// list sweeps, and tells.
func (s *Store) list(ctx context.Context, log *slog.Logger) error {
	found, err := s.Sweep(ctx)
	if err != nil {
		return err
	}
	if found.Lost > 0 || found.Foreign > 0 || found.Adopted > 0 {
		log.Warn("the bucket isn't as it was left", "lost", found.Lost, "adopted", found.Adopted, "foreign", found.Foreign)
	}
	t := &s.cold.told
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Found, t.Listed = found, time.Now()
	return nil
}

// shrank counts what was packed: all that was fresh before.
func (t *told) shrank(before int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fresh -= before
}

func (t *told) freshNow() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fresh
}

func (s *Store) scrubbed(n int64) {
	t := &s.cold.told
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Scrubbing += n; n == 0 && t.Scrubbing > 0 {
		t.Scrubbed = time.Now()
	}
}

// answered notes whether the cloud does.
func (s *Store) answered(err error, log *slog.Logger) {
	t := &s.cold.told
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil && !t.Away.IsZero():
		log.Info("the cloud answers again", "after", time.Since(t.Away).Round(time.Second).String())
		t.Away, t.Why = time.Time{}, ""
	case err != nil && !errors.Is(err, context.Canceled):
		if t.Away.IsZero() {
			t.Away = time.Now()
			log.Warn("what is in the cloud can't be looked after", "err", err)
		}
		t.Why = err.Error()
	}
}
