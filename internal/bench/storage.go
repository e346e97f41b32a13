package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/kv"
	"vitalog/pack"
)

// StorageOptions say how the storage of a member is measured: the fresh store, packs, and a bucket.
type StorageOptions struct {
	Bucket  string        // URL of a bucket that is measured beside a directory; "": none. It works under a prefix of its own
	Latency time.Duration // added to each call of the bucket, or without one to those of a second directory
	Records int           // that are put into each, at least a chart
	Size    int           // bytes of each ciphertext; 0: 700 to 1,300, as those of the synthetic patients
	For     time.Duration // how long each rate is measured

	Note func(how string)           // is told how far it is
	Tell func(StorageMeasure) error // is told each figure at once
}

// ChartRecords is how many records make a chart.
const ChartRecords = 2000

// StorageMeasure is one figure: in a directory of this machine first, then in what is measured beside it.
type StorageMeasure struct {
	Schema string    `json:"schema"`
	What   string    `json:"what"`
	Unit   string    `json:"unit"`
	Places []string  `json:"places"`
	Values []float64 `json:"values"`          // in the order of places
	Ratio  float64   `json:"ratio,omitempty"` // of the second to the first
}

// StorageSchema is that of a StorageMeasure.
const StorageSchema = "vitalog.storage-bench/v1"

// StorageHead stands above the rows of storage measures.
func StorageHead(places []string) string {
	head, line := "| measure |", "|---|"
	for _, p := range places {
		head, line = head+" "+p+" |", line+"---|"
	}
	if len(places) > 1 {
		head, line = head+" ratio |", line+"---|"
	}
	return head + "\n" + line
}

// Row is the measure as a row of a Markdown table.
func (m StorageMeasure) Row() string {
	row := "| " + m.What + " |"
	for _, v := range m.Values {
		row += fmt.Sprintf(" **%s %s** |", digits(v), m.Unit)
	}
	if len(m.Values) > 1 {
		row += fmt.Sprintf(" %.2f |", m.Ratio)
	}
	return row
}

// Storage measures with the parts that a member has: its stores, its packs, its way to the cloud. Everything lies in places of its own that it
// removes again; what is a member's is not touched.
func Storage(ctx context.Context, o StorageOptions) (err error) {
	b := &storageBench{o: o}
	defer func() { err = errors.Join(err, b.clear(ctx)) }()
	if err := b.open(ctx); err != nil {
		return err
	}
	for _, phase := range []struct {
		name string
		run  func(context.Context, *shelf) ([]figure, error)
	}{
		{"puts", b.puts}, {"reads of what is fresh", b.hot}, {"records, put and packed", b.fill}, {"reads from the bucket", b.cold}, {"charts", b.charts},
		{"a scrub", b.scrub}, {"the index from the bucket alone", b.reindex}, {"records that are destroyed", b.destroy},
	} {
		if err := b.measure(ctx, phase.name, phase.run); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return nil
}

type storageBench struct {
	o      StorageOptions
	places []*shelf
}

// figure is what one place was measured at.
type figure struct {
	what, unit string
	value      float64
}

// measure runs a phase in all places, one after the other, so that what else the machine does meets them alike.
func (b *storageBench) measure(ctx context.Context, name string, run func(context.Context, *shelf) ([]figure, error)) error {
	var names []string
	var all [][]figure
	for _, s := range b.places {
		b.o.Note(name + ", " + s.name)
		if err := ctx.Err(); err != nil {
			return err
		}
		figures, err := run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		names, all = append(names, s.name), append(all, figures)
	}
	for i, f := range all[0] {
		m := StorageMeasure{Schema: StorageSchema, What: f.what, Unit: f.unit, Places: names}
		for _, figures := range all {
			m.Values = append(m.Values, figures[i].value)
		}
		if len(all) > 1 && f.value > 0 {
			m.Ratio = m.Values[1] / f.value
		}
		if err := b.o.Tell(m); err != nil {
			return err
		}
	}
	return nil
}

// shelf is a store with its bucket.
type shelf struct {
	name   string
	dir    string // scratch of this machine
	db     *kv.DB
	store  *blobstore.Store
	bucket *cloud.Bucket
	shared bool   // the bucket is at a URL that was given: what is in it is to be deleted
	beside string // where the bucket is, if that is a directory that was given; "" otherwise
	given  int64  // bytes that were put
}

func (b *storageBench) open(ctx context.Context) error {
	if err := b.add(ctx, "directory", "", 0); err != nil {
		return err
	}
	beside := b.o.Latency > 0
	name := "directory"
	if b.o.Bucket != "" {
		u, err := url.Parse(b.o.Bucket)
		if err != nil {
			return errors.New("a bucket's URL can't be read")
		}
		name, beside = u.Scheme, true
	}
	if b.o.Latency > 0 {
		name += fmt.Sprintf(", %v away", b.o.Latency)
	}
	if !beside {
		return nil
	}
	return b.add(ctx, name, b.o.Bucket, b.o.Latency)
}

// add opens a store with a bucket under at, or without one in a directory of its own.
func (b *storageBench) add(ctx context.Context, name, at string, latency time.Duration) error {
	s := &shelf{name: name}
	b.places = append(b.places, s) // also where something fails: what was made is removed
	var err error
	if s.dir, err = os.MkdirTemp("", "vitalog-bench-"); err != nil {
		return err
	}
	where := inDirectory(s.dir)
	if dir, ok := strings.CutPrefix(at, "file://"); ok {
		if s.beside, err = os.MkdirTemp(dir, "vitalog-bench-"); err != nil {
			return err
		}
		where = inDirectory(s.beside)
	} else if at != "" {
		if where, err = scratch(at); err != nil {
			return err
		}
		s.shared = true
	}
	if s.bucket, err = cloud.Open(ctx, where, cloud.Options{}); err != nil {
		return err
	}
	if s.db, err = kv.Open(filepath.Join(s.dir, "db")); err != nil {
		return errors.Join(err, s.bucket.Close())
	}
	if s.store, err = blobstore.Open(filepath.Join(s.dir, "blobs"), s.db); err != nil {
		return errors.Join(err, s.bucket.Close())
	}
	var seed [32]byte
	rand.Read(seed[:])
	if err := s.store.Attach(far{s.bucket, latency}, pack.NewKey(seed), nil); err != nil {
		return err
	}
	s.store.StayUntil(func(records []blobstore.Record) ([]blobstore.Elsewhere, error) {
		return slices.Repeat([]blobstore.Elsewhere{blobstore.Held}, len(records)), nil
	})
	return nil
}

func inDirectory(dir string) string {
	return "file://" + filepath.ToSlash(filepath.Join(dir, "bucket"))
}

// scratch is a URL for objects under a prefix of their own, which no member has.
func scratch(at string) (string, error) {
	u, err := url.Parse(at)
	if err != nil {
		return "", errors.New("a bucket's URL can't be read")
	}
	var name [8]byte
	rand.Read(name[:])
	q := u.Query()
	q.Set("prefix", strings.TrimPrefix(strings.TrimSuffix(q.Get("prefix"), "/")+"/bench-"+hex.EncodeToString(name[:]), "/"))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// clear removes what was made, also when ctx has ended.
func (b *storageBench) clear(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for _, s := range b.places {
		if s.bucket != nil && s.shared {
			err = errors.Join(err, s.empty(ctx))
		}
		if s.store != nil {
			err = errors.Join(err, s.store.Close())
		}
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		for _, dir := range []string{s.dir, s.beside} {
			if dir != "" {
				err = errors.Join(err, os.RemoveAll(dir))
			}
		}
	}
	return err
}

// empty deletes every object under the prefix.
func (s *shelf) empty(ctx context.Context) error {
	var names []string
	err := s.bucket.Each(ctx, "", func(name string, _ int64) error { names = append(names, name); return nil })
	for _, name := range names {
		err = errors.Join(err, s.bucket.Delete(ctx, name))
	}
	return err
}

// far is a bucket whose answers take as long as those of a cloud elsewhere.
type far struct {
	*cloud.Bucket
	latency time.Duration
}

func (f far) wait(ctx context.Context) error {
	if f.latency == 0 {
		return nil
	}
	t := time.NewTimer(f.latency)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f far) Put(ctx context.Context, name string, content []byte) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	return f.Bucket.Put(ctx, name, content)
}

func (f far) Get(ctx context.Context, name string, at, n int64) ([]byte, error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	return f.Bucket.Get(ctx, name, at, n)
}

func (f far) Delete(ctx context.Context, name string) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	return f.Bucket.Delete(ctx, name)
}

func (f far) Each(ctx context.Context, prefix string, each func(string, int64) error) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	return f.Bucket.Each(ctx, prefix, each)
}

// median of durations, in milliseconds.
func median(d []time.Duration) float64 {
	slices.Sort(d)
	return milliseconds(d, 50)
}
