package blobstore

import (
	"context"
	"log/slog"
	"math"
	"time"

	"vitalog/pack"
)

// Schedule says when a store moves what it has into its bucket, and looks after it there. Zero values are the defaults.
type Schedule struct {
	Fresh     time.Duration // how long something stays in the fresh store at most, while the cloud answers; 0: 10 minutes
	List      time.Duration // how often the bucket is compared with what is noted; 0: 5 minutes
	Destroyed time.Duration // how long what was destroyed stays on the disk and in the bucket until work on it begins, unless the last such work was long; 0: 5 seconds
	Expunge   time.Duration // how long what was only deleted stays in the bucket at most; 0: 12 hours
	Anew      time.Duration // how long at most a pack that is damaged or half dead stays as it is; not none, for a cloud may answer wrongly for a while; 0: an hour
	Scrub     int64         // how many bytes a second are read to find rot; 0: 1 MiB; negative: none by itself
	Round     time.Duration // how long after all was read it is read again, at the soonest; 0: a day
	Pause     time.Duration // between two packs that are read to find rot, at least; 0: a second
	Again     time.Duration // how long a cloud that didn't answer is left alone; 0: 10 seconds
}

func (s *Schedule) complete() {
	for _, x := range []struct {
		d       *time.Duration
		usually time.Duration
	}{{&s.Fresh, 10 * time.Minute}, {&s.List, 5 * time.Minute}, {&s.Destroyed, 5 * time.Second}, {&s.Expunge, 12 * time.Hour}, {&s.Anew, time.Hour},
		{&s.Round, 24 * time.Hour}, {&s.Pause, time.Second}, {&s.Again, 10 * time.Second}} {
		if *x.d == 0 {
			*x.d = x.usually
		}
	}
	if s.Scrub == 0 {
		s.Scrub = 1 << 20
	}
}

// pace is how long reading so many bytes of a pack takes by the budget.
func (s *Schedule) pace(n int64) time.Duration {
	return max(time.Duration(float64(n)/float64(s.Scrub)*float64(time.Second)), s.Pause)
}

// Keep looks after the store and its bucket by a schedule, until ctx ends. A cloud that doesn't answer is asked again; meanwhile everything new is in the fresh store.
func (s *Store) Keep(ctx context.Context, o Schedule, log *slog.Logger) error {
	o.complete()
	if s.cold == nil {
		return s.keepAlone(ctx, o, log)
	}
	var listed, packed, expunged, scrubbed, asked time.Time
	var debt time.Duration // that the budget of reading has been overdrawn
	if o.Scrub < 0 {
		scrubbed, debt = time.Now(), math.MaxInt64
	}
	s.cold.told.planned(o)
	var failed failures
	for ctx.Err() == nil {
		now := time.Now()
		if now.After(asked) && s.cold.somethingWaits() {
			if err := s.Leave(); err != nil {
				log.Warn("what others hold by now stays on the disk", "err", err)
			}
			asked = time.Now().Add(leaveEvery + rest*time.Since(now))
		}
		destroy, due := s.remaining.due(o.Destroyed)
		var what job
		var err error
		switch {
		case due && !now.Before(destroy) && failed.may(destroying, now):
			what = destroying
			err = s.Expunge(ctx, now.Add(-o.Expunge/2))
		case now.Sub(listed) >= o.List && failed.may(listing, now):
			what = listing
			if err = s.list(ctx, log); err == nil {
				listed = now
			}
		case (s.cold.told.freshNow() >= pack.Target || now.Sub(packed) >= o.Fresh) && failed.may(packing, now):
			what = packing
			if _, err = s.Flush(ctx); err == nil {
				packed = now
			}
		case now.Sub(expunged) >= min(o.Expunge/4, o.Anew) && failed.may(expunging, now):
			what = expunging
			if err = s.Expunge(ctx, now.Add(-o.Expunge/2)); err == nil {
				expunged = now
			}
		case now.Sub(scrubbed) >= debt && !s.cold.told.rests(now, o.Round) && failed.may(scrubbing, now):
			what = scrubbing
			var n int64
			if n, err = s.Scrub(ctx); err == nil {
				if scrubbed, debt = now, o.pace(n); n == 0 {
					debt = min(time.Minute, o.Round)
				}
			}
		default:
			next := min(o.List-now.Sub(listed), o.Fresh-now.Sub(packed))
			if due {
				next = min(next, destroy.Sub(now))
			}
			if !s.cold.told.rests(now, o.Round) {
				next = min(next, debt-now.Sub(scrubbed))
			}
			if s.cold.somethingWaits() {
				next = min(next, leaveEvery)
			}
			if again, some := failed.next(); some {
				next = again.Sub(now)
			}
			s.await(ctx, next)
			continue // nothing was asked of the cloud
		}
		failed[what] = time.Time{}
		if err != nil {
			failed[what] = time.Now().Add(o.Again)
		} else {
			s.cold.silent.Store(0)
		}
		if _, some := failed.next(); err != nil || !some {
			s.cold.told.answered(err, log)
		}
	}
	return ctx.Err()
}

// job is something that Keep does.
type job int

const (
	destroying job = iota
	listing
	packing
	expunging
	scrubbing
	jobs // how many there are
)

// failures are when jobs may be tried again that failed; zero for one that didn't. Others go on meanwhile: a cloud may take what is put, and refuse to delete.
type failures [jobs]time.Time

func (f *failures) may(what job, now time.Time) bool { return !now.Before(f[what]) }

// next is when the first of those that failed may be tried again, if any did.
func (f *failures) next() (at time.Time, some bool) {
	for _, t := range f {
		if !t.IsZero() && (!some || t.Before(at)) {
			at, some = t, true
		}
	}
	return at, some
}

// keepAlone is Keep without a bucket.
func (s *Store) keepAlone(ctx context.Context, o Schedule, log *slog.Logger) error {
	for ctx.Err() == nil {
		next, due := s.remaining.due(o.Destroyed)
		if wait := time.Until(next); !due || wait > 0 {
			if !due {
				wait = time.Hour
			}
			s.await(ctx, wait)
			continue
		}
		if err := s.Expunge(ctx, time.Now()); err != nil && ctx.Err() == nil {
			log.Warn("what was destroyed is still in files of the store", "err", err)
			s.await(ctx, o.Again)
		}
	}
	return ctx.Err()
}

// await waits for a time, for enough to pack, for something to be destroyed, or for ctx.
func (s *Store) await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var full chan struct{}
	if s.cold != nil {
		full = s.cold.told.full
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-full:
	case <-s.remaining.wake:
	}
}

// list sweeps, and tells.
func (s *Store) list(ctx context.Context, log *slog.Logger) error {
	found, err := s.Sweep(ctx)
	if err != nil {
		return err
	}
	if found.Lost > 0 || found.Foreign > 0 || found.Adopted > 0 || found.Again > 0 {
		log.Warn("the bucket isn't as it was left", "lost", found.Lost, "adopted", found.Adopted, "foreign", found.Foreign, "put again", found.Again)
	}
	s.cold.told.listed(found)
	return nil
}
