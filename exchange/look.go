package exchange

import (
	"context"
	"encoding/binary"
	"time"

	"vitalog/ledger"
)

const (
	atLooked  = 'y'              // → number of the log that is looked at next
	lookAfter = 10 * time.Minute // a start, and a whole round: others have more urgent work for the disk
	lookPause = 50               // times as long as looking took
)

// keepLooking looks at everything that this member stores, round by round and with long pauses, and heals what is damaged, until ctx ends.
// It takes about one fiftieth of a core and of the disk, and goes on where it was when the process ended.
func (m *Member) keepLooking(ctx context.Context) error {
	pause := time.NewTimer(lookAfter)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
		if err := m.lookRound(ctx, func(took time.Duration) error {
			pause.Reset(lookPause * took)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-pause.C:
				return nil
			}
		}); err != nil && ctx.Err() == nil {
			m.log.Warn("looking at what is stored", "err", err)
		}
		pause.Reset(lookAfter)
	}
}

// lookRound looks at the logs from where the last round ended early, or from the first.
func (m *Member) lookRound(ctx context.Context, rest func(took time.Duration) error) error {
	look := m.inspection()
	if err := m.recheck(ctx, look); err != nil {
		return err
	}
	b, err := m.index.db.Get([]byte{atLooked})
	if err != nil {
		return err
	}
	from := uint64(0)
	if len(b) == 8 {
		from = binary.BigEndian.Uint64(b)
	}
	n, began := from, time.Now()
	w := &walk{m: m, v: Verification{Heal: true}, look: look}
	w.found = func(d Damage) error {
		m.log.Warn("something stored is damaged", "what", d.What, "state", d.State, "log", d.Log.String(), "entry", d.Entry, "healed", d.Healed)
		return nil
	}
	w.progress = func(Checked) error {
		at := binary.BigEndian.AppendUint64(nil, n)
		if err := m.index.db.WriteLater([]ledger.Change{{Key: []byte{atLooked}, Value: at}}); err != nil {
			return err
		}
		err := rest(time.Since(began))
		began = time.Now()
		return err
	}
	for ; n < m.node.Ledger().Logs(); n++ {
		if err := w.log(ctx, n); err != nil {
			return err
		}
	}
	n = 0 // the next round begins at the first
	w.copies()
	return w.flush(ctx)
}
