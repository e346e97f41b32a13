package exchange

import (
	"bytes"
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
)

// The kinds of what is written down as missing, by the first byte of the key.
const (
	lackHeader = 'h' // log ‖ record
	lackBlob   = 'm' // hash
	lackMail   = 'n' // log ‖ number of the entry
	lackWhole  = 'd' // hash of a blob that is there and damaged
)

// lack is one thing that is missing.
type lack struct {
	key   []byte
	tries uint8
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
		return m.pullOn(ctx, blobs, nil, step{lackBlob, m.pullBlobs}, step{lackWhole, m.pullDamaged})
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
		due, err := m.due(step.kind)
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
		batch := make([]ledger.Change, len(due))
		for i, l := range due {
			batch[i] = ledger.Change{Key: l.key}
			if left[string(l.key)] {
				batch[i].Value = l.later()
			}
		}
		// Without waiting for the disk: what a crash brings back is looked for again, and found here.
		if err := m.index.db.WriteLater(batch); err != nil {
			return false, err
		}
		more = more || len(due) == pullAtOnce
	}
	return more, nil
}

// due lists what is missing of a kind and may be asked for now. A value is empty at first, then a time in ms and a number of tries.
func (m *Member) due(kind byte) (out []lack, err error) {
	now := nowMillis()
	err = m.index.db.Scan([]byte{kind}, []byte{kind + 1}, func(k, v []byte) error {
		l := lack{key: bytes.Clone(k)}
		if len(v) == 9 {
			if binary.BigEndian.Uint64(v) > now {
				return nil
			}
			l.tries = v[8]
		}
		if out = append(out, l); len(out) == pullAtOnce {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return out, err
}

var errEnough = errors.New("enough")

// later is the value of something that nobody had just now.
func (l lack) later() []byte {
	wait := min(pullEvery<<min(l.tries, 16), pullRarely)
	return append(binary.BigEndian.AppendUint64(nil, nowMillis()+uint64(wait.Milliseconds())), min(l.tries+1, 16))
}

func (m *Member) pullBlobs(ctx context.Context, due []lack) (map[string]bool, error) {
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
	missing, _ := m.fetchBlobs(ctx, hashes) // who could not be asked is asked again
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

// Missing is how many ciphertexts and headers this member should hold and doesn't.
func (m *Member) Missing() (int, error) {
	n := 0
	count := func(_, _ []byte) error { n++; return nil }
	if err := m.index.db.Scan([]byte{lackHeader}, []byte{lackHeader + 1}, count); err != nil {
		return 0, err
	}
	err := m.index.db.Scan([]byte{lackBlob}, []byte{lackBlob + 1}, count)
	return n, err
}
