package exchange

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"vitalog/consensus"
)

// uploads are those that requests work on. The zero value has none.
type uploads struct {
	counting sync.Mutex // one begins at a time
	fold     int64      // bytes in frames that are moved into the ciphertext; 0: foldSize

	mu   sync.Mutex
	held map[string]*holder
	life context.Context // of the member that runs; nil: it doesn't
	all  sync.WaitGroup  // of those that are being finished
}

type holder struct {
	stop context.CancelCauseFunc
	done chan struct{}
}

// errTakenOver ends a transfer: its client came again by another line.
var errTakenOver = errors.New("another request took the upload over")

// take stops whoever works on an upload, and waits until that is done. Its context ends with ctx, or when somebody else takes it.
func (u *uploads) take(ctx context.Context, id string) (own context.Context, release func(), err error) {
	for {
		u.mu.Lock()
		h := u.held[id]
		if h == nil {
			if u.held == nil {
				u.held = map[string]*holder{}
			}
			own, stop := context.WithCancelCause(ctx)
			h := &holder{stop, make(chan struct{})}
			u.held[id] = h
			u.mu.Unlock()
			return own, func() {
				u.mu.Lock()
				delete(u.held, id)
				u.mu.Unlock()
				close(h.done)
			}, nil
		}
		u.mu.Unlock()
		h.stop(errTakenOver)
		select {
		case <-h.done:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// takeIdle takes an upload on which nobody works.
func (u *uploads) takeIdle(ctx context.Context, id string) (release func(), ok bool) {
	u.mu.Lock()
	busy := u.held[id] != nil
	u.mu.Unlock()
	if busy {
		return nil, false
	}
	_, release, err := u.take(ctx, id)
	return release, err == nil
}

// finishing is the context of something that goes on without its request, as long as the member runs and at most for patience.
func (u *uploads) finishing(request context.Context) (ctx context.Context, done func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.life == nil {
		return nil, nil, consensus.ErrStopped
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(request), patience)
	stop := context.AfterFunc(u.life, cancel)
	u.all.Add(1)
	return ctx, func() {
		stop()
		cancel()
		u.all.Done()
	}, nil
}

// sweepEvery is how often uploads are looked for that are gone.
const sweepEvery = time.Hour

// keepUploads lets uploads be finished until ctx ends, and takes away those that are gone.
func (m *Member) keepUploads(ctx context.Context) error {
	u := &m.uploads
	u.mu.Lock()
	u.life = ctx
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.life = nil
		u.mu.Unlock()
		u.all.Wait()
	}()
	each := time.NewTicker(sweepEvery)
	defer each.Stop()
	for {
		if err := m.SweepUploads(ctx, time.Now()); err != nil && ctx.Err() == nil {
			m.log.Warn("taking away uploads that are gone", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-each.C:
		}
	}
}

// SweepUploads takes away the uploads that are gone by then, and files that belong to none.
func (m *Member) SweepUploads(ctx context.Context, now time.Time) error {
	m.uploads.counting.Lock()
	defer m.uploads.counting.Unlock()
	files, err := m.store.Grown() // before the notes: no file is made before its note
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	var gone []string
	err = m.eachUpload(func(s *uploadState) error {
		if now.After(s.expires()) {
			gone = append(gone, s.ID)
		} else if !s.Stored {
			needed[s.blob()], needed[s.tail()] = true, true
		}
		return nil
	})
	for _, id := range gone {
		if err == nil {
			err = m.sweepUpload(ctx, id, now)
		}
	}
	for _, name := range files {
		id, _, _ := strings.Cut(name, ".")
		if err != nil || needed[name] {
			continue
		}
		if release, ok := m.uploads.takeIdle(ctx, id); ok {
			err = m.store.Ungrow(name)
			release()
		}
	}
	return err
}

func (m *Member) sweepUpload(ctx context.Context, id string, now time.Time) error {
	release, ok := m.uploads.takeIdle(ctx, id)
	if !ok {
		return nil
	}
	defer release()
	var s uploadState
	found, err := m.index.load(m.index.name("b", "upload", id), &s)
	if err != nil || !found || !now.After(s.expires()) {
		return err
	}
	return m.dropUpload(&s)
}
