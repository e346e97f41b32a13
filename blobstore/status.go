package blobstore

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"

	"vitalog/kv"
	"vitalog/pack"
)

// Status is what a store knows of itself and its bucket.
type Status struct {
	Fresh      int64     `json:"freshBytes"`            // not yet in the bucket; what was put twice may count twice
	FreshItems int64     `json:"freshItems"`            // the same, blobs and headers
	FreshSince time.Time `json:"freshSince,omitzero"`   // none of them is older
	Waiting    int64     `json:"waitingBytes"`          // in the bucket, and on the disk until others hold it
	Waits      int       `json:"waitingPacks"`          // packs of these
	WaitBlobs  int       `json:"waitingBlobs"`          // and ciphertexts that wait as what they are
	WaitSince  time.Time `json:"waitingSince,omitzero"` // the oldest of them
	Packed     time.Time `json:"packedAt,omitzero"`     // what was put before this is in the bucket
	Packs      int       `json:"packs"`                 // in the bucket
	Items      int64     `json:"items"`                 // in these, that are needed
	Bytes      int64     `json:"packBytes"`             // of these
	Dead       int64     `json:"deadBytes"`             // of these, that are not needed any more
	Tainted    int       `json:"packsToExpunge"`        // packs with something that was deleted
	Found      Swept     `json:"listing"`               // by the last listing
	Listed     time.Time `json:"listedAt,omitzero"`     // when it was
	Scrubbed   time.Time `json:"scrubbedAt,omitzero"`   // when all packs had been read once more
	Scrubbing  int64     `json:"scrubbedBytes"`         // of the packs that this round has read
	Round      float64   `json:"scrubRoundSeconds"`     // that reading all packs takes, at the budget
	Away       time.Time `json:"awaySince,omitzero"`    // the cloud doesn't answer
	Why        string    `json:"why,omitempty"`         // what the last work on the bucket failed of; nothing if it went well
	Failed     time.Time `json:"failedAt,omitzero"`     // when work on the bucket failed last, also if it went well since
	LastError  string    `json:"lastError,omitempty"`   // of what, and what to do
}

// told is what is told to Status: all but what is noted of packs.
type told struct {
	mu sync.Mutex
	Status
	schedule Schedule
	last     uint64        // the pack that was read and compared last
	full     chan struct{} // there is enough for a pack
}

// planned notes by what schedule the bucket is looked after.
func (t *told) planned(o Schedule) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.schedule = o
}

// grown counts what was put.
func (s *Store) grown(batch []kv.Change) {
	n := 0
	for _, c := range batch {
		n += len(c.Value)
	}
	s.grew(int64(n), int64(len(batch)))
}

func (s *Store) grew(bytes, items int64) {
	if s.cold == nil || items == 0 {
		return
	}
	t := &s.cold.told
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.FreshItems += items; t.FreshSince.IsZero() {
		t.FreshSince = time.Now()
	}
	if t.Fresh += bytes; t.Fresh >= pack.Target {
		select {
		case t.full <- struct{}{}:
		default:
		}
	}
}

// freshNow is how many bytes are fresh.
func (t *told) freshNow() int64 { return t.now().Fresh }

func (t *told) now() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Status
}

// packedAt is the key of when the last flush began that packed everything.
const packedAt = "f"

// shrank notes that all is packed that was fresh when a flush began.
func (s *Store) shrank(before Status, began time.Time) error {
	if err := s.db.Write([]kv.Change{{Key: []byte(packedAt), Value: moment(began)}}); err != nil {
		return err
	}
	t := &s.cold.told
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Packed, t.FreshSince = began, began
	t.Fresh -= before.Fresh
	if t.FreshItems -= before.FreshItems; t.FreshItems == 0 {
		t.FreshSince = time.Time{}
	}
	return nil
}

// remember reads what an earlier process told. What is fresh now came since its last flush.
func (s *Store) remember() error {
	t := &s.cold.told
	packed, err := s.db.Get([]byte(packedAt))
	if err != nil {
		return err
	}
	at, err := s.db.Get([]byte(scrubbed))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(packed) == 8 {
		if t.Packed = ofMoment(packed); t.FreshItems > 0 {
			t.FreshSince = t.Packed
		}
	}
	if len(at) >= 8 {
		t.last = binary.BigEndian.Uint64(at)
	}
	if len(at) == 16 {
		t.Scrubbed = ofMoment(at[8:])
	}
	return nil
}

func moment(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())) }

func ofMoment(b []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(b))) }

// Status tells how the store stands. It asks nothing of the cloud.
func (s *Store) Status() Status {
	if s.cold == nil {
		return Status{}
	}
	t := &s.cold.told
	t.mu.Lock()
	out, last, o := t.Status, t.last, t.schedule
	t.mu.Unlock()
	o.complete()
	packs, blobs := s.cold.thatWait()
	for _, p := range packs {
		out.waits(p.size, p.since)
		out.Waits++
	}
	for _, b := range blobs {
		if b.packed {
			out.waits(b.size, b.since)
			out.WaitBlobs++
		}
	}
	for id, n := range s.cold.all() {
		out.Packs++
		out.Items += int64(n.items - n.dead)
		out.Bytes += int64(n.size)
		out.Dead += int64(n.deadBytes)
		if n.tainted > 0 {
			out.Tainted++
		}
		if id <= last {
			out.Scrubbing += int64(n.size)
		}
		out.Round += o.pace(int64(n.size)).Seconds()
	}
	return out
}

func (x *Status) waits(size int64, since time.Time) {
	if x.Waiting += size; x.WaitSince.IsZero() || since.Before(x.WaitSince) {
		x.WaitSince = since
	}
}

func (t *told) listed(found Swept) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Found, t.Listed = found, time.Now()
}

// marked is the pack that was read and compared last, 0 at a round's beginning, and when the last round ended.
func (t *told) marked() (pack uint64, ended time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last, t.Scrubbed
}

// read notes the pack that was read and compared last, or by 0 that all were.
func (t *told) read(pack uint64, ended time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.Scrubbed = pack, ended
}

// rests tells that all packs were read a short while ago, and the next round hasn't begun.
func (t *told) rests(now time.Time, round time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	ago := now.Sub(t.Scrubbed)
	return t.last == 0 && ago < round && ago > -time.Minute // it may be noted by a clock that was ahead
}

// answered notes how work on the bucket ended.
func (t *told) answered(err error, log *slog.Logger) {
	if errors.Is(err, context.Canceled) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		if t.Why != "" {
			log.Info("the bucket is looked after again", "after", time.Since(t.Failed).Round(time.Second).String())
		}
		t.Away, t.Why = time.Time{}, ""
		return
	}
	if t.Why == "" {
		log.Warn("the bucket can't be looked after", "err", err)
	}
	if t.Failed = time.Now(); t.Why == "" || !errors.Is(err, errNotAsked) { // that says no more than what was found when it was asked
		t.Why, t.LastError = err.Error(), err.Error()
	}
	switch {
	case !errors.Is(err, ErrAway):
		t.Away = time.Time{}
	case t.Away.IsZero():
		t.Away = t.Failed
	}
}
