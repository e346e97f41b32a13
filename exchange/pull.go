package exchange

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"

	"golang.org/x/sync/errgroup"
)

const (
	pullEvery  = 2 * time.Second // how often what is missing is looked at; what nobody had waits twice as long each time
	pullRarely = 5 * time.Minute // at most so long: its only holder may have been away
	pullAtOnce = 2048            // of a kind that are asked for before those that came are crossed out
	pullAmong  = 1 << 17         // among which these are chosen
)

// The kinds of what is written down as missing, by the first byte of the key.
const (
	lackHeader = 'h' // log ‖ record
	lackBlob   = 'm' // hash
	lackMail   = 'n' // log ‖ number of the entry
	lackWhole  = 'd' // hash of a blob that is there and damaged
	lackKey    = 'l' // hash of a blob that the bucket lost and no entry names
)

// lack is one thing that is missing.
type lack struct {
	key   []byte
	tries uint8
	turn  uint64 // 0, or when it was lost, after what lay before it in the bucket
}

// step fetches what is missing of a kind, and tells what is still missing by its keys.
type step struct {
	kind byte
	do   func(context.Context, []lack) (left map[string]bool, err error)
}

// keepPulling fetches what is missing, until ctx ends: ciphertext apart from the rest, because one of gigabytes takes minutes, and mail is not
// to wait for it.
func (m *Member) keepPulling(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	blobs := make(chan struct{}, 1)
	g.Go(func() error {
		return m.pullOn(ctx, blobs, nil, step{lackBlob, m.pullBlobs}, step{lackWhole, m.pullDamaged}, step{lackKey, m.pullUnnamed})
	})
	g.Go(func() error {
		return m.pullOn(ctx, m.lacking, blobs, step{lackHeader, m.pullHeaders}, step{lackMail, m.pullMail})
	})
	return g.Wait()
}

// pullOn pulls when wake rings, which it passes on, and now and then.
func (m *Member) pullOn(ctx context.Context, wake, also chan struct{}, steps ...step) error {
	retry := time.NewTicker(pullEvery)
	defer retry.Stop()
	for {
		more, err := m.pull(ctx, steps)
		if err != nil && ctx.Err() == nil {
			m.log.Warn("fetching from other members", "err", err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
			if also != nil {
				ring(also)
			}
		case <-retry.C:
		}
	}
}

// pull fetches what is due. What nobody has stays written down, for later. more tells that there was more than it looked at.
func (m *Member) pull(ctx context.Context, steps []step) (more bool, err error) {
	for _, step := range steps {
		due, further, err := m.due(step.kind)
		if err != nil {
			return false, err
		}
		if len(due) == 0 {
			continue
		}
		left, err := step.do(ctx, due)
		if err != nil || ctx.Err() != nil {
			return false, err
		}
		if err := m.crossOut(due, left); err != nil {
			return false, err
		}
		more = more || further
	}
	return more, nil
}

// crossOut takes what came off the list, and has what is left asked for later; but not what was lost once more meanwhile: that came before it was lost.
func (m *Member) crossOut(due []lack, left map[string]bool) error {
	m.losing.Lock()
	defer m.losing.Unlock()
	var batch []ledger.Change
	for _, l := range due {
		now, err := m.index.db.Get(l.key)
		if err != nil {
			return err
		}
		if len(now) == 8 && binary.BigEndian.Uint64(now) != l.turn {
			continue
		}
		x := ledger.Change{Key: l.key}
		if left[string(l.key)] {
			x.Value = l.later()
		}
		batch = append(batch, x)
	}
	// Without waiting for the disk: what a crash brings back is looked for again, and found here.
	return m.index.db.WriteLater(batch)
}

// Answers is to be called when a member has answered anything. If it was silent before, it may be the only one that has what is missing here:
// that is asked for at once, however often it was asked for in vain.
func (m *Member) Answers(member int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent[member] {
		delete(m.silent, member)
		m.back = nowMillis()
		ring(m.lacking)
	}
}

// due lists what is missing of a kind and may be asked for now: its time has come, or a member is back that was silent when it was asked for last. What lay
// together in a bucket comes together, since it does so at other members too, who read it in few requests. further tells that there is more. A value is empty
// at first, or says whose turn it is; then it is a time in ms and a number of tries.
func (m *Member) due(kind byte) (out []lack, further bool, err error) {
	now := nowMillis()
	m.mu.Lock()
	back := m.back
	m.mu.Unlock()
	err = m.index.db.Scan([]byte{kind}, []byte{kind + 1}, func(k, v []byte) error {
		l := lack{key: bytes.Clone(k)}
		switch len(v) {
		case 8:
			l.turn = binary.BigEndian.Uint64(v)
		case 9:
			l.tries = v[8]
			at, pause := binary.BigEndian.Uint64(v), wait(max(l.tries, 1)-1)
			if at > now && at <= now+pause && at > back+pause { // what is later than that was noted by a clock that was ahead
				return nil
			}
		}
		if out = append(out, l); len(out) == pullAmong {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	slices.SortStableFunc(out, func(a, b lack) int { return cmp.Compare(a.turn, b.turn) })
	return out[:min(len(out), pullAtOnce)], len(out) > pullAtOnce, err
}

var errEnough = errors.New("enough")

// later is the value of something that nobody had just now.
func (l lack) later() []byte {
	return append(binary.BigEndian.AppendUint64(nil, nowMillis()+wait(l.tries)), min(l.tries+1, 16))
}

// wait is how long what was asked for so often before is not asked for, in ms.
func wait(tries uint8) uint64 {
	return uint64(min(pullEvery<<min(tries, 16), pullRarely).Milliseconds())
}

// fetchDue asks others for blobs that are missing, and returns those that nobody gave.
func (m *Member) fetchDue(ctx context.Context, due []lack) (missing []wire.Hash, err error) {
	var hashes []wire.Hash
	for _, l := range due {
		h := wire.Hash(l.key[1:])
		gone, err := m.store.WasDestroyed(blobstore.Destroyed{Hash: h})
		if err != nil {
			return nil, err
		}
		if !gone {
			hashes = append(hashes, h)
		}
	}
	missing, _ = m.fetchBlobs(ctx, hashes) // who could not be asked is asked again
	return missing, nil
}

func (m *Member) pullBlobs(ctx context.Context, due []lack) (map[string]bool, error) {
	missing, err := m.fetchDue(ctx, due)
	if err != nil {
		return nil, err
	}
	left := map[string]bool{}
	for _, h := range missing {
		left[string(blobKey(h))] = true
	}
	return left, nil
}

func (m *Member) pullHeaders(ctx context.Context, due []lack) (map[string]bool, error) {
	var entries []*op.Entry
	for _, l := range due {
		e, err := m.recordEntry(key.Log(l.key[1:33]), key.Record(l.key[33:]))
		if err != nil {
			return nil, err
		}
		gone, err := m.store.WasDestroyed(blobstore.Destroyed{Record: blobstore.Record{Log: key.Log(l.key[1:33]), ID: key.Record(l.key[33:])}})
		if err != nil {
			return nil, err
		}
		if e != nil && !gone {
			entries = append(entries, e)
		}
	}
	missing, _ := m.fetchHeaders(ctx, entries)
	left := map[string]bool{}
	for _, e := range missing {
		left[string(headerKey(e))] = true
	}
	return left, nil
}

func (m *Member) pullMail(ctx context.Context, due []lack) (map[string]bool, error) {
	var entries []*op.Entry
	for _, l := range due {
		e, err := m.node.Ledger().Entry(key.Log(l.key[1:33]), binary.BigEndian.Uint64(l.key[33:]))
		if err != nil {
			return nil, err
		}
		if e != nil {
			entries = append(entries, e)
		}
	}
	late, err := m.acceptAll(ctx, entries)
	left := map[string]bool{}
	for _, e := range late {
		left[string(mailKey(e))] = true
	}
	return left, err
}

func blobKey(h wire.Hash) []byte { return append([]byte{lackBlob}, h[:]...) }

func headerKey(e *op.Entry) []byte {
	return placeKey(e.Log, e.Says.(*op.Recorded).ID)
}

func placeKey(log key.Log, record key.Record) []byte {
	return slices.Concat([]byte{lackHeader}, log[:], record[:])
}

func mailKey(e *op.Entry) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{lackMail}, e.Log[:]...), e.Number)
}

// Missing is how many ciphertexts, headers and other blobs this member should hold and doesn't.
func (m *Member) Missing() (n int, err error) {
	for _, kind := range []byte{lackHeader, lackBlob, lackKey} {
		err = errors.Join(err, m.index.db.Scan([]byte{kind}, []byte{kind + 1}, func(_, _ []byte) error { n++; return nil }))
	}
	return n, err
}
