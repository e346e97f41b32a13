package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/ledger"
	"vitalog/op"
)

// Device has the flow of a patient's device: it writes readings into one log under a key of its own, sealed where they are made. It holds
// nothing that opens them.
type Device struct {
	home Home
	keys *keyring.Device
}

// NewDevice joins a device's keys with a home member. The network is the keys': another genesis is refused.
func NewDevice(home Home, keys *keyring.Device) (*Device, error) {
	if got := home.Genesis().Network(); got != keys.Network() {
		return nil, fmt.Errorf("the home member is of %v, the device of %v: %w", got, keys.Network(), ErrInvalid)
	}
	return &Device{home: home, keys: keys}, nil
}

// Pushed is a record of a device-day on the ledger, proven with a receipt.
type Pushed struct {
	Published
	Day      string   // of the readings, as the device dated them: 2026-11-01
	Readings []string // logical ids
	Again    bool     // it was there before
	Signed   int      // validators, of
	Of       int
}

// day is the readings that go into one record, in the order of their ids.
type day struct {
	date   string
	ids    []string
	drafts []Draft
}

// Push seals readings, FHIR Observations, one record for each day, and puts them on the ledger day by day. The same readings pushed
// again are found and not written twice. After an error the days before it are written; pushing all of them again goes on. See spec/device.md.
//
// Crash points: those of publish. What a crash left at the home member without an entry is garbage.
func (d *Device) Push(ctx context.Context, readings []*fhir.Resource) ([]Pushed, error) {
	days, err := d.days(readings)
	if err != nil {
		return nil, err
	}
	var out []Pushed
	var known map[key.Record]Placed // what the device wrote before, once that had to be looked up
	for _, x := range days {
		p, err := d.pushDay(ctx, x, &known)
		if err != nil {
			return out, fmt.Errorf("%s: %w", x.date, err)
		}
		out = append(out, *p)
	}
	return out, nil
}

// days sorts readings by day and id; one that is given twice counts once.
func (d *Device) days(readings []*fhir.Resource) ([]*day, error) {
	byDate := map[string]*day{}
	var days []*day
	seen := map[string]bool{}
	for i, r := range readings {
		date, err := dayOf(r)
		if err != nil {
			return nil, fmt.Errorf("reading %d: %w: %w", i, ErrInvalid, err)
		}
		id := d.keys.ReadingID(r.Raw())
		if seen[id] {
			continue
		}
		seen[id] = true
		x := byDate[date]
		if x == nil {
			x = &day{date: date}
			byDate[date], days = x, append(days, x)
		}
		x.drafts = append(x.drafts, Draft{Resource: r, ID: id, Section: d.keys.Section(), Group: date})
	}
	slices.SortFunc(days, func(a, b *day) int { return cmp.Compare(a.date, b.date) })
	for _, x := range days {
		slices.SortFunc(x.drafts, func(a, b Draft) int { return cmp.Compare(a.ID, b.ID) })
		for _, r := range x.drafts {
			x.ids = append(x.ids, r.ID)
		}
	}
	return days, nil
}

// dayOf is the date of a reading where the device was.
func dayOf(r *fhir.Resource) (string, error) {
	if r.Type() != "Observation" {
		return "", fmt.Errorf("a %s, want an Observation", r.Type())
	}
	var o struct {
		DateTime string `json:"effectiveDateTime"`
		Instant  string `json:"effectiveInstant"`
		Period   struct {
			Start string `json:"start"`
		} `json:"effectivePeriod"`
	}
	if err := r.Read(&o); err != nil {
		return "", err
	}
	at := cmp.Or(o.DateTime, o.Instant, o.Period.Start)
	if len(at) < len("2026-11-01") {
		return "", errors.New("it does not say on which day it was: effectiveDateTime, effectiveInstant or effectivePeriod.start")
	}
	if _, err := fhir.ParseDate(at, false); err != nil {
		return "", err
	}
	return at[:len("2026-11-01")], nil
}

// pushDay writes the record of a day, unless it is there.
func (d *Device) pushDay(ctx context.Context, x *day, known *map[key.Record]Placed) (*Pushed, error) {
	for attempt := range keyring.Attempts {
		out, err := d.publish(ctx, x, attempt)
		if err == nil {
			return d.prove(ctx, x, out, false)
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ledger.RecordExists) {
			return nil, err
		}
		// An attempt was here before. Only the whole log, proven, tells whether it reached the ledger.
		if *known == nil {
			if *known, err = d.written(ctx); err != nil {
				return nil, err
			}
		}
		for a := range keyring.Attempts {
			if e, ok := (*known)[d.record(x, a)]; ok {
				return d.prove(ctx, x, Published{Log: e.Log, Entry: e.Number, At: time.UnixMilli(int64(e.At)), Block: e.Block}, true)
			}
		}
	}
	return nil, fmt.Errorf("%d attempts left their records at the home member and none is on the ledger: use another home", keyring.Attempts)
}

func (d *Device) record(x *day, attempt int) key.Record {
	return key.RecordID(d.keys.Network(), d.keys.Log(), d.keys.Signer().Public(), d.keys.RecordSalt(x.date, attempt, x.ids))
}

// publish seals a day and appends it, to reader and network keys that a receipt shows.
func (d *Device) publish(ctx context.Context, x *day, attempt int) (at Published, err error) {
	out := make([]Published, len(x.drafts))
	all := make([]int, len(x.drafts))
	for i := range all {
		all[i] = i
	}
	for range tries {
		net, v, err := networkKey(ctx, d.home, d.keys.Log())
		if err != nil {
			return at, err
		}
		raw, err := d.home.Blob(ctx, v.Head.EpochKey)
		if err != nil {
			return at, fmt.Errorf("reader key of epoch %d: %w", v.Head.Epoch, err)
		}
		reader, err := key.ParseExchange(raw)
		if err == nil && reader.Hash() != v.Head.EpochKey {
			err = fmt.Errorf("the reader key of epoch %d differs from the ledger's", v.Head.Epoch)
		}
		if err != nil {
			return at, err
		}
		by := d.keys.Signer()
		w := writer{log: d.keys.Log(), signer: by, owner: d.keys.Owner(), author: chart.Author{}, sign: by}
		w.reader = func(uint32) *key.Exchange { return reader } // for another epoch than the proven one the ledger takes nothing
		p := &part{writer: w, section: d.keys.Section(), drafts: all}
		p.salt = func(string) [16]byte { return d.keys.RecordSalt(x.date, attempt, x.ids) }
		err = publish(ctx, d.home, net, []*part{p}, x.drafts, out, d.home.PutRecords)
		if !errors.Is(err, ErrAgain) {
			return out[0], err
		}
		if attempt++; attempt == keyring.Attempts { // the header of this one stays where it is
			break
		}
	}
	return at, ErrAgain
}

// written is what the device's key wrote into the log, which is proven complete.
func (d *Device) written(ctx context.Context) (map[key.Record]Placed, error) {
	entries, _, err := prove(ctx, d.home, d.keys.Log())
	if err != nil {
		return nil, err
	}
	out := map[key.Record]Placed{}
	for _, e := range entries {
		if rec, ok := e.Says.(*op.Recorded); ok && e.Signer == d.keys.Signer().Public() {
			out[rec.ID] = e
		}
	}
	return out, nil
}

// prove holds what the home member says about a record against a receipt.
func (d *Device) prove(ctx context.Context, x *day, at Published, again bool) (*Pushed, error) {
	v, err := proof(ctx, d.home, at.Log, at.Entry)
	if err != nil {
		return nil, err
	}
	if rec, ok := v.Entry.Says.(*op.Recorded); !ok || v.Entry.Signer != d.keys.Signer().Public() || !d.isOf(x, rec.ID) {
		return nil, fmt.Errorf("%v entry %d is not the record that was written", at.Log, at.Entry)
	}
	return &Pushed{Published: at, Day: x.date, Readings: x.ids, Again: again, Signed: v.Signed, Of: v.Of}, nil
}

func (d *Device) isOf(x *day, record key.Record) bool {
	for a := range keyring.Attempts {
		if d.record(x, a) == record {
			return true
		}
	}
	return false
}

// Wearing is a device as its patient sees it.
type Wearing struct {
	Shared
	Records int       // that it wrote
	Last    time.Time // of them
}

// Devices lists the patient's devices, those that were stopped too, from logs that are proven complete.
func (p *Patient) Devices(ctx context.Context) ([]Wearing, error) {
	all, err := p.Sharing(ctx)
	if err != nil {
		return nil, err
	}
	var out []Wearing
	logs := map[key.Log][]Placed{}
	for _, g := range all {
		if g.Device == "" {
			continue
		}
		if logs[g.Log] == nil {
			if logs[g.Log], err = p.entries(ctx, g.Log); err != nil {
				return nil, err
			}
		}
		w := Wearing{Shared: g}
		for _, e := range logs[g.Log] {
			if _, ok := e.Says.(*op.Recorded); ok && e.Signer == g.Key {
				w.Records, w.Last = w.Records+1, time.UnixMilli(int64(e.At))
			}
		}
		out = append(out, w)
	}
	return out, nil
}
